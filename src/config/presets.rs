//! The instances that come with the program.

/// A preset: its name, what it is for, and its text, which is an instance file's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// What `--instance` and `extends` call it.
    pub name: &'static str,
    /// What it is for: a sentence without its full stop.
    pub about: &'static str,
    /// An instance file that extends nothing.
    pub yaml: &'static str,
}

/// The presets, the usual one first.
pub const PRESETS: [Preset; 3] = [
    Preset {
        name: "production",
        about: "CentOS Stream's packages on gitlab.com",
        yaml: include_str!("presets/production.yaml"),
    },
    Preset {
        name: "staging",
        about: "Copies of a few packages to try the bot on, with their CI files carried to dist-git",
        yaml: include_str!("presets/staging.yaml"),
    },
    Preset {
        name: "centos-stream-staging",
        about: "A copy of CentOS Stream's packages, prepared and not in use",
        yaml: include_str!("presets/centos-stream-staging.yaml"),
    },
];

/// Returns the preset of this name.
pub(super) fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// Returns the names of the presets.
pub(super) fn names() -> [&'static str; 3] {
    PRESETS.map(|preset| preset.name)
}

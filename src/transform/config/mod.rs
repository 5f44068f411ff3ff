//! The package configuration: `.distro/source-git.yaml`, in packit's format.
//!
//! People write the file for packit and expect it to be read leniently. A key that has no effect here is reported and
//! never an error. Nothing in the file is ever run. The keys are those of packit's documentation, "Configuration".
//!
//! `file` reads the YAML, `keys` knows the keys without effect, and this module gives the values their meaning.

mod file;
mod keys;

use bstr::BString;

use crate::transform::config::file::ItemInFile;
use crate::transform::files::{CopyItem, Delete, MakePath};
use crate::types::finding::quoted;
use crate::types::{Finding, Refusal, RepoPath, Subject};

/// The path of the configuration in source-git.
pub const PATH: &str = ".distro/source-git.yaml";

/// The directory of the packaging in source-git. Nothing in it ever becomes part of a patch.
pub const DISTRO: &str = ".distro";

/// The most digits to which the number of a Patch tag can be padded.
const DIGITS_LIMIT: u8 = 9;

/// What `.distro/source-git.yaml` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageConfig {
    /// For people only.
    pub upstream_project_url: Option<String>,
    /// The tag, branch or commit that the downstream commits are based on, as the file has it.
    pub upstream_ref: Option<String>,
    /// The package's name in dist-git.
    pub package_name: Option<String>,
    /// The spec file in source-git.
    pub spec_path: RepoPath,
    /// git pathspecs that exclude: changes of these paths never become part of a patch.
    pub ignored_paths: Vec<BString>,
    /// How many digits the number of the first Patch tag has; 0 means a tag without a number.
    pub patch_id_digits: u8,
    pub changelog: Changelog,
    pub files_to_sync: Vec<CopyItem>,
}

/// Whose `%changelog` the spec in dist-git gets (`sync_changelog`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changelog {
    SourceGits,
    DistGits,
}

impl PackageConfig {
    /// Reads a configuration. The findings are about keys that have no effect.
    pub fn parse(yaml: &[u8]) -> Result<(Self, Vec<Finding>), Refusal> {
        let file = file::read(yaml).map_err(|refusal| refusal.about(subject()))?;
        let mut findings = Vec::new();
        for key in &file.other_keys {
            findings.push(keys::finding_about(key).about(subject()));
        }
        let spec_path = match (&file.specfile_path, &file.downstream_package_name) {
            (Some(path), _) => path.0.clone(),
            (None, Some(name)) => format!("{DISTRO}/{}.spec", name.0),
            (None, None) => {
                let text = "it names neither `specfile_path` nor `downstream_package_name`";
                return Err(Refusal::new(text, "add `specfile_path: .distro/PACKAGE.spec`").about(subject()));
            }
        };
        let spec_path = RepoPath::parse(spec_path.trim_start_matches("./")).map_err(|error| {
            let text = format!("`specfile_path` is {}: {error}", quoted(spec_path.as_bytes()));
            Refusal::new(text, "name the spec file by its path in source-git, such as `.distro/PACKAGE.spec`")
                .about(subject())
        })?;
        let mut ignored_paths = vec![BString::from(format!(":(exclude,literal){DISTRO}"))];
        for path in &file.patch_generation_ignore_paths {
            ignored_paths.push(excluding_pathspec(&path.0)?);
        }
        let digits = file.patch_generation_patch_id_digits.unwrap_or(4);
        if digits > u64::from(DIGITS_LIMIT) {
            let text = format!("`patch_generation_patch_id_digits` is {digits}");
            return Err(Refusal::new(text, format!("set it to a number from 0 to {DIGITS_LIMIT}")).about(subject()));
        }
        let files_to_sync = match (file.files_to_sync, file.synced_files) {
            (Some(items), None) | (None, Some(items)) => items.into_iter().map(ItemInFile::into_item).collect(),
            (Some(_), Some(_)) => {
                let text = "it has both `files_to_sync` and its old name `synced_files`";
                return Err(Refusal::new(text, "move all items to `files_to_sync`").about(subject()));
            }
            // packit then copies the spec and the configuration; dist-git has no use for the latter.
            (None, None) => vec![CopyItem {
                src: vec![spec_path.as_bstr().to_owned()],
                dest: spec_path.file_name().to_owned(),
                mkpath: MakePath::LastComponent,
                delete: Delete::Nothing,
                filters: Vec::new(),
            }],
        };
        let changelog = if file.sync_changelog.unwrap_or(false) { Changelog::SourceGits } else { Changelog::DistGits };
        let config = Self {
            upstream_project_url: file.upstream_project_url.map(|text| text.0),
            upstream_ref: file.upstream_ref.map(|text| text.0),
            package_name: file.downstream_package_name.map(|text| text.0),
            spec_path,
            ignored_paths,
            patch_id_digits: u8::try_from(digits).unwrap_or(DIGITS_LIMIT),
            changelog,
            files_to_sync,
        };
        Ok((config, findings))
    }
}

fn subject() -> Subject {
    RepoPath::parse(PATH).map_or_else(|_| unreachable!("the constant is a path"), Subject::File)
}

/// Returns the git pathspec that excludes `path` of `patch_generation_ignore_paths`.
///
/// Refused are paths with which git would look outside the repository.
fn excluding_pathspec(path: &str) -> Result<BString, Refusal> {
    let relative = path.trim_start_matches("./");
    let outside = path.starts_with('/') || path.contains('\0') || path.split('/').any(|component| component == "..");
    if outside || relative.is_empty() {
        let text = format!("`patch_generation_ignore_paths` holds {}", quoted(path.as_bytes()));
        return Err(Refusal::new(text, "name paths inside source-git, relative to its top").about(subject()));
    }
    Ok(format!(":(exclude){relative}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(yaml: &str) -> (PackageConfig, Vec<String>) {
        let (config, findings) = PackageConfig::parse(yaml.as_bytes()).unwrap();
        (config, findings.iter().map(ToString::to_string).collect())
    }

    fn refusal(yaml: impl AsRef<[u8]>) -> String {
        PackageConfig::parse(yaml.as_ref()).unwrap_err().to_string()
    }

    const SPEC: &str = "specfile_path: .distro/x.spec\n";

    #[test]
    fn the_usual_configuration_is_read() {
        let (config, findings) = parse(
            "---\nupstream_project_url: https://example.com/x\nupstream_ref: v1.2\ndownstream_package_name: x\n\
             specfile_path: .distro/x.spec\npatch_generation_ignore_paths:\n- .distro/\n- '*.md'\n\
             patch_generation_patch_id_digits: 1\nsync_changelog: true\nfiles_to_sync:\n- src: .distro/\n  dest: .\n  \
             delete: true\n  filters: [protect .git*, exclude source-git.yaml]\n- README.md\n- src: [a, b]\n  dest: d/\n  mkpath: true\n\
             sources:\n- path: x.tar.gz\n  url: https://example.com/x.tar.gz\n",
        );
        assert_eq!(findings, [""; 0]);
        assert_eq!(config.upstream_ref.as_deref(), Some("v1.2"));
        assert_eq!(config.ignored_paths, [":(exclude,literal).distro", ":(exclude).distro/", ":(exclude)*.md"]);
        assert_eq!(config.patch_id_digits, 1);
        assert_eq!(config.changelog, Changelog::SourceGits);
        let [distro, readme, two] = &config.files_to_sync[..] else { panic!("{:?}", config.files_to_sync) };
        assert_eq!((&distro.src[..], &distro.dest), (&[BString::from(".distro/")][..], &BString::from(".")));
        assert_eq!(distro.filters, ["protect .git*", "exclude source-git.yaml"]);
        assert_eq!((&readme.src[..], &readme.dest), (&[BString::from("README.md")][..], &BString::from("README.md")));
        assert_eq!(two.src, ["a", "b"]);
        assert_eq!(two.mkpath, MakePath::All);
    }

    #[test]
    fn a_scalar_keeps_its_text() {
        for (written, text) in [
            ("24.10", "24.10"),
            ("'24.10'", "24.10"),
            ("0100", "0100"),
            ("1e3", "1e3"),
            ("yes", "yes"),
            ("0x1F", "0x1F"),
        ] {
            let (config, _) = parse(&format!("{SPEC}upstream_ref: {written}\n"));
            assert_eq!(config.upstream_ref.as_deref(), Some(text), "{written}");
        }
    }

    #[test]
    fn by_default_the_spec_is_copied_and_dist_git_keeps_its_changelog() {
        let (config, _) = parse("downstream_package_name: x\n");
        assert_eq!(config.spec_path.to_string(), ".distro/x.spec");
        assert_eq!(config.changelog, Changelog::DistGits);
        assert_eq!(config.files_to_sync[0].src, [".distro/x.spec"]);
        assert_eq!(config.files_to_sync[0].dest, "x.spec");
    }

    #[test]
    fn keys_without_effect_are_reported() {
        let (_, findings) =
            parse(&format!("{SPEC}jobs: []\nactions:\n  post-upstream-clone: rm -rf /\nupstream_reff: v1\nzzz: 1\n"));
        assert_eq!(
            findings,
            [
                "note: .distro/source-git.yaml: `jobs` has no effect here",
                "warning: .distro/source-git.yaml: `actions` are never run",
                "warning: .distro/source-git.yaml: `upstream_reff` is no key of a package configuration",
                "warning: .distro/source-git.yaml: `zzz` is no key of a package configuration",
            ]
        );
    }

    #[test]
    fn a_refusal_says_what_is_wrong() {
        for (yaml, part) in [
            ("", "empty"),
            ("- a\n", "a mapping of keys to values"),
            ("a: [\n", "line 2"),
            ("specfile_path: ../x.spec\n", "`..`"),
            ("specfile_path: /x.spec\n", "absolute"),
            ("upstream_ref: v1\n", "neither `specfile_path`"),
            ("specfile_path: x\nspecfile_path: y\n", "'specfile_path' is there twice"),
            ("specfile_path: x\nsync_changelog: maybe\n", "sync_changelog"),
            ("specfile_path: x\npatch_generation_patch_id_digits: 99\n", "is 99"),
            ("specfile_path: x\npatch_generation_patch_id_digits: -1\n", "patch_generation_patch_id_digits"),
            ("specfile_path: x\npatch_generation_ignore_paths: [../a]\n", "`../a`"),
            ("specfile_path: x\nfiles_to_sync:\n- src: a\n", "missing field 'dest'"),
            ("specfile_path: x\nfiles_to_sync:\n- src: a\n  dest: b\n  destt: c\n", "unknown field 'destt'"),
            ("specfile_path: x\nfiles_to_sync: []\nsynced_files: []\n", "both"),
        ] {
            let text = refusal(yaml);
            assert!(text.contains(part), "{yaml:?}: {text}");
            assert!(text.starts_with(".distro/source-git.yaml: "), "{text}");
        }
        let breakout = refusal("specfile_path: x\nsync_changelog: \"``` ![x](https://x/p.png) `\"\n");
        assert!(breakout.contains("![x]") && !breakout.contains('`'), "{breakout}");
        assert!(refusal(b"a: b\nc: \xff\n").contains("line 2 is not UTF-8"));
    }
}

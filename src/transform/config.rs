//! The package configuration: `.distro/source-git.yaml`, in packit's format.
//!
//! The file is written for packit and read leniently, as packit's users expect: a key that means nothing here is
//! reported, never fatal. Nothing in it is ever run. The keys are those of packit's documentation, "Configuration".

use std::fmt;

use bstr::{BString, ByteSlice as _};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::transform::files::{CopyItem, Delete, MakePath};
use crate::types::finding::quoted;
use crate::types::{Finding, Refusal, RepoPath, Subject};

/// Where the configuration is, in source-git.
pub const PATH: &str = ".distro/source-git.yaml";

/// The directory that holds the packaging, in source-git. Nothing in it ever becomes part of a patch.
pub const DISTRO: &str = ".distro";

/// The longest configuration that is read, in bytes; those of known packages have a few hundred. What bounds it is
/// the time that the YAML parser takes for nested brackets, which grows with the square of their number.
const SIZE_LIMIT: usize = 32 << 10;

/// The most digits that a Patch tag's number is padded to.
const DIGITS_LIMIT: u8 = 9;

/// Keys of packit's configuration that have no effect on the transformation.
const WITHOUT_EFFECT: &[&str] = &[
    "additional_initial_checkout_branches",
    "allowed_gpg_keys",
    "allowed_pr_authors",
    "allowed_committers",
    "archive_root_dir_template",
    "command_handler",
    "command_handler_image_reference",
    "command_handler_k8s_namespace",
    "command_handler_pvc_volume_specs",
    "command_handler_pvc_env_var",
    "command_handler_work_dir",
    "copy_upstream_release_description",
    "create_pr",
    "create_sync_note",
    "create_tarball_command",
    "current_version_command",
    "debug",
    "deployment",
    "dist_git_base_url",
    "dist_git_namespace",
    "downstream_branch_name",
    "downstream_project_url",
    "dry_run",
    "files_to_sync_after",
    "fas_password",
    "fas_user",
    "follow_fedora_branches",
    "issue_repository",
    "jobs",
    "merge_pr_in_ci",
    "metadata",
    "monitoring",
    "notifications",
    "packages",
    "parse_time_macros",
    "paths",
    "pkg_tool",
    "prerelease_suffix_macro",
    "prerelease_suffix_pattern",
    "release_suffix",
    "require",
    "spec_source_id",
    "srpm_build_deps",
    "status_name_template",
    "sync_test_job_statuses_with_builds",
    "test_command",
    "update_release",
    "upstream_package_name",
    "upstream_project_name",
    "upstream_tag_exclude",
    "upstream_tag_include",
    "upstream_tag_template",
    "use_local_content",
    "version_update_mask",
];

/// What `.distro/source-git.yaml` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageConfig {
    /// Where upstream's project is; for people.
    pub upstream_project_url: Option<String>,
    /// The tag, branch or commit that the downstream commits sit on, as it is written.
    pub upstream_ref: Option<String>,
    /// The package's name in dist-git.
    pub package_name: Option<String>,
    /// The spec file, in source-git.
    pub spec_path: RepoPath,
    /// Paths whose changes never become part of a patch: git pathspecs that exclude.
    pub ignored_paths: Vec<BString>,
    /// How many digits the number of the first Patch tag has; 0 for a tag without a number.
    pub patch_id_digits: u8,
    /// Which `%changelog` dist-git gets.
    pub changelog: Changelog,
    /// What is copied to dist-git, and how.
    pub files_to_sync: Vec<CopyItem>,
}

/// Which `%changelog` the spec in dist-git has (`sync_changelog`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changelog {
    /// source-git's.
    SourceGits,
    /// dist-git's own.
    DistGits,
}

impl PackageConfig {
    /// Reads a configuration; also returns what it says that has no effect here.
    pub fn parse(yaml: &[u8]) -> Result<(Self, Vec<Finding>), Refusal> {
        let raw = read(yaml).map_err(|refusal| refusal.about(subject()))?;
        let mut findings = Vec::new();
        for key in &raw.other_keys {
            findings.push(finding_about(key).about(subject()));
        }
        let spec_path = match (&raw.specfile_path, &raw.downstream_package_name) {
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
        for path in &raw.patch_generation_ignore_paths {
            ignored_paths.push(checked_pathspec(&path.0)?);
        }
        let digits = raw.patch_generation_patch_id_digits.unwrap_or(4);
        if digits > u64::from(DIGITS_LIMIT) {
            let text = format!("`patch_generation_patch_id_digits` is {digits}");
            return Err(Refusal::new(text, format!("set it to a number from 0 to {DIGITS_LIMIT}")).about(subject()));
        }
        let files_to_sync = match (raw.files_to_sync, raw.synced_files) {
            (Some(items), None) | (None, Some(items)) => items.into_iter().map(RawItem::into_item).collect(),
            (Some(_), Some(_)) => {
                let text = "it has both `files_to_sync` and its old name `synced_files`";
                return Err(Refusal::new(text, "move all items to `files_to_sync`").about(subject()));
            }
            // packit then copies the spec file and the configuration itself; the latter means nothing in dist-git.
            (None, None) => vec![CopyItem {
                src: vec![spec_path.as_bstr().to_owned()],
                dest: spec_path.file_name().to_owned(),
                mkpath: MakePath::LastComponent,
                delete: Delete::Nothing,
                filters: Vec::new(),
            }],
        };
        let changelog = if raw.sync_changelog.unwrap_or(false) { Changelog::SourceGits } else { Changelog::DistGits };
        let config = Self {
            upstream_project_url: raw.upstream_project_url.map(|text| text.0),
            upstream_ref: raw.upstream_ref.map(|text| text.0),
            package_name: raw.downstream_package_name.map(|text| text.0),
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

/// What is said of a key that has no effect.
fn finding_about(key: &str) -> Finding {
    if key == "actions" {
        return Finding::warning("`actions` are never run")
            .remedy("remove them, or run them by hand where they matter");
    }
    if WITHOUT_EFFECT.contains(&key) {
        return Finding::note(format!("`{key}` has no effect here"));
    }
    let text = format!("{} is no key of a package configuration", quoted(key.as_bytes()));
    let known = KEYS.iter().chain(WITHOUT_EFFECT).min_by_key(|known| distance(key, known));
    match known {
        Some(known) if distance(key, known) <= 3 => {
            Finding::warning(text).remedy(format!("correct it to `{known}`, or remove it"))
        }
        _ => Finding::warning(text).remedy("remove it"),
    }
}

/// How many characters have to be put in, left out or changed to make one word of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for (pair, y) in row.windows(2).zip(b.chars()) {
            let [corner, above] = pair else { continue };
            left = (corner + usize::from(x != y)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// Checks a path of `patch_generation_ignore_paths`: git would look outside the repository for some.
fn checked_pathspec(path: &str) -> Result<BString, Refusal> {
    let relative = path.trim_start_matches("./");
    let outside = path.starts_with('/') || path.contains('\0') || path.split('/').any(|component| component == "..");
    if outside || relative.is_empty() {
        let text = format!("`patch_generation_ignore_paths` holds {}", quoted(path.as_bytes()));
        return Err(Refusal::new(text, "name paths inside source-git, relative to its top").about(subject()));
    }
    Ok(format!(":(exclude){relative}").into())
}

fn read(yaml: &[u8]) -> Result<RawConfig, Refusal> {
    let remedy = "correct the file; packit's documentation describes its format under \"Configuration\"";
    if yaml.len() > SIZE_LIMIT {
        return Err(Refusal::new(format!("the file has {} bytes, more than {SIZE_LIMIT}", yaml.len()), "shorten it"));
    }
    if yaml.trim().is_empty() {
        return Err(Refusal::new("the file is empty", remedy));
    }
    let text = yaml.to_str().map_err(|error| {
        let line = 1 + yaml.iter().take(error.valid_up_to()).filter(|b| **b == b'\n').count();
        Refusal::new(format!("line {line} is not UTF-8"), "save the file as UTF-8")
    })?;
    // What the parser says holds the scalar that it dislikes.
    yaml_serde::from_str(text).map_err(|error| {
        Refusal::new(crate::types::text::printable(error.to_string().as_bytes()).replace('`', "'"), remedy)
    })
}

/// A scalar, as it is written: `24.10` stays `24.10`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// One text or a list of them.
#[derive(Debug, Default)]
struct Texts(Vec<Text>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextsVisitor;
        impl<'de> Visitor<'de> for TextsVisitor {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts (in quotes, where it looks like a number)")
            }

            fn visit_str<E>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![Text(text.to_owned())]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = sequence.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_any(TextsVisitor)
    }
}

/// One item of `files_to_sync`: a mapping, or (in old configurations) a path that is the same on both sides.
#[derive(Debug)]
struct RawItem {
    src: Texts,
    dest: Text,
    mkpath: bool,
    delete: bool,
    filters: Vec<Text>,
}

impl RawItem {
    fn into_item(self) -> CopyItem {
        CopyItem {
            src: self.src.0.into_iter().map(|text| text.0.into()).collect(),
            dest: self.dest.0.into(),
            mkpath: if self.mkpath { MakePath::All } else { MakePath::LastComponent },
            delete: if self.delete { Delete::Extraneous } else { Delete::Nothing },
            filters: self.filters.into_iter().map(|text| text.0.into()).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for RawItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Mapping {
            src: Texts,
            dest: Text,
            #[serde(default)]
            mkpath: bool,
            #[serde(default)]
            delete: bool,
            #[serde(default)]
            filters: Vec<Text>,
        }

        struct ItemVisitor;
        impl<'de> Visitor<'de> for ItemVisitor {
            type Value = RawItem;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a mapping with `src` and `dest`")
            }

            fn visit_str<E>(self, path: &str) -> Result<RawItem, E> {
                let path = Text(path.to_owned());
                let src = Texts(vec![path.clone()]);
                Ok(RawItem { src, dest: path, mkpath: false, delete: false, filters: Vec::new() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawItem, A::Error> {
                let item = Mapping::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                let Mapping { src, dest, mkpath, delete, filters } = item;
                Ok(RawItem { src, dest, mkpath, delete, filters })
            }
        }
        deserializer.deserialize_any(ItemVisitor)
    }
}

macro_rules! raw_config {
    ($($key:ident: $type:ty),* $(,)?) => {
        /// The keys that have an effect, or are known to be for people.
        const KEYS: &[&str] = &[$(stringify!($key)),*];

        /// The file's mapping; a key without a value counts as absent.
        #[derive(Debug, Default)]
        struct RawConfig {
            $($key: $type,)*
            other_keys: Vec<String>,
        }

        impl<'de> Visitor<'de> for ConfigVisitor {
            type Value = RawConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of keys to values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawConfig, A::Error> {
                let mut config = RawConfig::default();
                let mut seen = std::collections::BTreeSet::new();
                while let Some(Text(key)) = map.next_key()? {
                    if !seen.insert(key.clone()) {
                        return Err(serde::de::Error::custom(format_args!("the key {} is there twice", quoted(key.as_bytes()))));
                    }
                    match key.as_str() {
                        $(stringify!($key) => config.$key = map.next_value()?,)*
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            config.other_keys.push(key);
                        }
                    }
                }
                Ok(config)
            }
        }
    };
}

struct ConfigVisitor;

raw_config! {
    upstream_project_url: Option<Text>,
    upstream_ref: Option<Text>,
    downstream_package_name: Option<Text>,
    specfile_path: Option<Text>,
    patch_generation_ignore_paths: Vec<Text>,
    patch_generation_patch_id_digits: Option<u64>,
    sync_changelog: Option<bool>,
    files_to_sync: Option<Vec<RawItem>>,
    synced_files: Option<Vec<RawItem>>,
    sources: Option<IgnoredAny>,
}

impl<'de> Deserialize<'de> for RawConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ConfigVisitor)
    }
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
             patch_generation_patch_id_digits: 1\nsync_changelog: true\nfiles_to_sync:\n- src: .distro/\n  dest: .\n  delete: true\n  \
             filters: [protect .git*, exclude source-git.yaml]\n- README.md\n- src: [a, b]\n  dest: d/\n  mkpath: true\nsources:\n- path: x.tar.gz\n  url: https://example.com/x.tar.gz\n",
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
    fn a_text_stays_as_it_is_written() {
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
    fn without_items_the_spec_is_copied_and_the_changelog_is_dist_gits() {
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
    fn bad_configurations_are_refused_by_what_is_wrong() {
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

    #[test]
    fn no_configuration_takes_more_than_it_should() {
        let bomb: String = (0..64)
            .map(|i| {
                format!("a{}: &x{} [{}]\n", i, i, format!("*x{},", i.max(1) - 1).repeat(if i == 0 { 0 } else { 9 }))
            })
            .collect();
        assert!(!refusal(bomb).is_empty());
        let begun = std::time::Instant::now();
        assert!(!refusal("[".repeat(SIZE_LIMIT)).is_empty());
        assert!(!refusal(format!("a: {}{}", "[".repeat(SIZE_LIMIT / 3), "]".repeat(SIZE_LIMIT / 3))).is_empty());
        assert!(begun.elapsed() < std::time::Duration::from_secs(10));
        assert!(refusal("x".repeat(SIZE_LIMIT + 1)).contains("bytes"));
    }
}

//! The configuration file as YAML: which keys it may have, and the type of each value.
//!
//! Nothing here knows what a key means. Scalars keep their text, so that a version such as `24.10` stays what it is.

use std::collections::BTreeSet;
use std::fmt;

use bstr::ByteSlice as _;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::transform::files::{CopyItem, Delete, MakePath};
use crate::transform::yaml;
use crate::types::Refusal;
use crate::types::finding::quoted;
use crate::types::text::printable;

/// The longest file that is read, in bytes. The files of known packages have a few hundred.
const SIZE_LIMIT: usize = 32 << 10;

/// The most brackets in a file that is read. The files of known packages have a few dozen.
const BRACKET_LIMIT: usize = 1000;

/// Reads `yaml`. A refusal says what is wrong, but not in which file.
pub(super) fn read(yaml: &[u8]) -> Result<ConfigFile, Refusal> {
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
    if yaml::brackets(yaml) > BRACKET_LIMIT {
        let remedy = "write each item of its lists and mappings on a line of its own, without brackets";
        return Err(Refusal::new(format!("the file has more than {BRACKET_LIMIT} brackets"), remedy));
    }
    yaml::parse(text).map_err(|error| {
        // The parser quotes the scalar that it rejects, which must not end a code span in a note.
        Refusal::new(printable(error.to_string().as_bytes()).replace('`', "'"), remedy)
    })
}

/// A scalar as it is written: `24.10` stays `24.10`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ScalarText(pub(super) String);

impl<'de> Deserialize<'de> for ScalarText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// One scalar or a list of scalars.
#[derive(Debug, Default)]
struct ScalarList(Vec<ScalarText>);

impl<'de> Deserialize<'de> for ScalarList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarListVisitor;
        impl<'de> Visitor<'de> for ScalarListVisitor {
            type Value = ScalarList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts (in quotes, where it looks like a number)")
            }

            fn visit_str<E>(self, text: &str) -> Result<ScalarList, E> {
                Ok(ScalarList(vec![ScalarText(text.to_owned())]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<ScalarList, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = sequence.next_element()? {
                    texts.push(text);
                }
                Ok(ScalarList(texts))
            }
        }
        deserializer.deserialize_any(ScalarListVisitor)
    }
}

/// An item of `files_to_sync`: a mapping, or (in old configurations) one path for both sides.
#[derive(Debug)]
pub(super) struct ItemInFile {
    src: ScalarList,
    dest: ScalarText,
    mkpath: bool,
    delete: bool,
    filters: Vec<ScalarText>,
}

impl ItemInFile {
    pub(super) fn into_item(self) -> CopyItem {
        CopyItem {
            src: self.src.0.into_iter().map(|text| text.0.into()).collect(),
            dest: self.dest.0.into(),
            mkpath: if self.mkpath { MakePath::All } else { MakePath::LastComponent },
            delete: if self.delete { Delete::Extraneous } else { Delete::Nothing },
            filters: self.filters.into_iter().map(|text| text.0.into()).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for ItemInFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Mapping {
            src: ScalarList,
            dest: ScalarText,
            #[serde(default)]
            mkpath: bool,
            #[serde(default)]
            delete: bool,
            #[serde(default)]
            filters: Vec<ScalarText>,
        }

        struct ItemVisitor;
        impl<'de> Visitor<'de> for ItemVisitor {
            type Value = ItemInFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a mapping with `src` and `dest`")
            }

            fn visit_str<E>(self, path: &str) -> Result<ItemInFile, E> {
                let path = ScalarText(path.to_owned());
                let src = ScalarList(vec![path.clone()]);
                Ok(ItemInFile { src, dest: path, mkpath: false, delete: false, filters: Vec::new() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ItemInFile, A::Error> {
                let item = Mapping::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                let Mapping { src, dest, mkpath, delete, filters } = item;
                Ok(ItemInFile { src, dest, mkpath, delete, filters })
            }
        }
        deserializer.deserialize_any(ItemVisitor)
    }
}

macro_rules! config_file {
    ($($key:ident: $type:ty),* $(,)?) => {
        /// The keys that have an effect, and those that people read.
        pub(super) const KEYS: &[&str] = &[$(stringify!($key)),*];

        /// The mapping in the file. A key without a value counts as absent.
        #[derive(Debug, Default)]
        pub(super) struct ConfigFile {
            $(pub(super) $key: $type,)*
            pub(super) other_keys: Vec<String>,
        }

        impl<'de> Visitor<'de> for ConfigVisitor {
            type Value = ConfigFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of keys to values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ConfigFile, A::Error> {
                let mut config = ConfigFile::default();
                let mut seen = BTreeSet::new();
                while let Some(ScalarText(key)) = map.next_key()? {
                    if !seen.insert(key.clone()) {
                        let text = format_args!("the key {} is there twice", quoted(key.as_bytes()));
                        return Err(A::Error::custom(text));
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

config_file! {
    upstream_project_url: Option<ScalarText>,
    upstream_ref: Option<ScalarText>,
    downstream_package_name: Option<ScalarText>,
    specfile_path: Option<ScalarText>,
    patch_generation_ignore_paths: Vec<ScalarText>,
    patch_generation_patch_id_digits: Option<u64>,
    sync_changelog: Option<bool>,
    files_to_sync: Option<Vec<ItemInFile>>,
    synced_files: Option<Vec<ItemInFile>>,
    sources: Option<IgnoredAny>,
}

impl<'de> Deserialize<'de> for ConfigFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ConfigVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::yaml::work::assert_linear;

    fn refusal(text: &str) -> String {
        read(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn the_parsers_work_grows_with_the_file_and_no_faster() {
        for part in ["[", "{a: ", "[], ", "[\"]\", ", "- ", "? ", "\n- [", "!a ", "&a ", "\"", "|"] {
            let text = |size: usize| format!("a: {}", part.repeat(size / part.len()));
            assert_linear(part, SIZE_LIMIT - 8, 8, |size| drop(read(text(size).as_bytes())));
        }
        let balanced = |size: usize| format!("a: {}{}", "[".repeat((size - 3) / 2), "]".repeat((size - 3) / 2));
        assert_linear("[]", SIZE_LIMIT, 0, |size| drop(read(balanced(size).as_bytes())));
        let most = |size: usize| format!("{:,<size$}", "[".repeat(BRACKET_LIMIT));
        assert_linear("[,", SIZE_LIMIT, BRACKET_LIMIT * BRACKET_LIMIT, |size| drop(read(most(size).as_bytes())));
    }

    #[test]
    fn a_file_that_costs_too_much_is_refused_before_it_is_parsed() {
        assert!(refusal(&"x".repeat(SIZE_LIMIT + 1)).contains("bytes"));
        assert_eq!(refusal(&"[".repeat(SIZE_LIMIT)), "the file has more than 1000 brackets");
        assert_eq!(
            refusal(&format!("a: {}", "[\"]\", ".repeat(BRACKET_LIMIT + 1))),
            "the file has more than 1000 brackets"
        );
        assert!(read(format!("jobs: [{}]", "[], ".repeat(BRACKET_LIMIT - 1)).as_bytes()).is_ok());
    }

    #[test]
    fn aliases_of_aliases_are_not_expanded() {
        let list =
            |n: usize| format!("a{n}: &x{n} [{}]\n", format!("*x{},", n.max(1) - 1).repeat(if n == 0 { 0 } else { 9 }));
        let bomb: String = (0..64).map(list).collect();
        assert!(read(bomb.as_bytes()).is_ok());
        assert!(!refusal(&format!("{bomb}files_to_sync: *x63\n")).is_empty());
    }
}

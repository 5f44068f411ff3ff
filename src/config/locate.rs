//! Where a key stands in a file.
//!
//! The YAML parser tells lines in its errors only. So the file is read once more, by a reader that has no use for what it
//! reads and calls the key that is looked for an error.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::config::file::below;

/// Returns the line, from 1, of the key or list item at `path` (`targets[0].branch`); of what it is in, where it is not
/// there itself; nothing where that is the whole file.
pub(super) fn line(yaml: &str, path: &str) -> Option<usize> {
    let mut wanted = path;
    loop {
        let found = Cell::new(false);
        let look = Look { wanted, here: String::new(), found: &found };
        let end = yaml_serde::Deserializer::from_str(yaml).deserialize_any(look);
        if found.get() {
            return Some(end.err()?.location()?.line());
        }
        wanted = wanted.get(..wanted.rfind(['.', '['])?)?;
    }
}

/// Looks into the value at `here`.
struct Look<'a> {
    wanted: &'a str,
    here: String,
    found: &'a Cell<bool>,
}

impl Look<'_> {
    fn is_it<E: Error>(&self) -> Result<(), E> {
        if self.here == self.wanted {
            self.found.set(true);
            return Err(E::custom("found"));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.here.ends_with(']') {
            self.is_it()?;
        }
        while let Some(here) = map.next_key_seed(LookAtKey(&self))? {
            map.next_value_seed(Look { wanted: self.wanted, here, found: self.found })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut index = 0_usize;
        while items
            .next_element_seed(Look {
                wanted: self.wanted,
                here: format!("{}[{index}]", self.here),
                found: self.found,
            })?
            .is_some()
        {
            index = index.saturating_add(1);
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.is_it()
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.is_it()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.is_it()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.is_it()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.is_it()
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.is_it()
    }
}

/// Looks at a key of the mapping that this looks into, and returns its path.
struct LookAtKey<'a, 'b>(&'a Look<'b>);

impl LookAtKey<'_, '_> {
    fn path<E: Error>(&self, key: &str) -> Result<String, E> {
        let here = below(&self.0.here, key);
        let look = Look { wanted: self.0.wanted, here, found: self.0.found };
        look.is_it().map(|()| look.here)
    }
}

impl<'de> DeserializeSeed<'de> for LookAtKey<'_, '_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for LookAtKey<'_, '_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<String, E> {
        self.path(key)
    }

    fn visit_bool<E: Error>(self, key: bool) -> Result<String, E> {
        self.path(&key.to_string())
    }

    fn visit_i64<E: Error>(self, key: i64) -> Result<String, E> {
        self.path(&key.to_string())
    }

    fn visit_u64<E: Error>(self, key: u64) -> Result<String, E> {
        self.path(&key.to_string())
    }

    fn visit_unit<E: Error>(self) -> Result<String, E> {
        self.path("null")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "\
# a comment
gitlab:
  url: https://x

namespaces:
- source_git: a
  dist_git: b
-
  source_git: c
  copy_of:
    dist_git: d
targets: [{project: x}, {
  branch: y}]
forks:
  group: z
1: 2
";

    #[test]
    fn a_key_is_where_its_name_is() {
        for (path, expected) in [
            ("gitlab", 2),
            ("gitlab.url", 3),
            ("namespaces", 5),
            ("namespaces[0]", 6),
            ("namespaces[0].dist_git", 7),
            ("namespaces[1].source_git", 9),
            ("namespaces[1].copy_of", 10),
            ("namespaces[1].copy_of.dist_git", 11),
            ("targets[0].project", 12),
            ("targets[1].branch", 13),
            ("forks.group", 15),
            ("1", 16),
        ] {
            assert_eq!(line(YAML, path), Some(expected), "{path}");
        }
    }

    #[test]
    fn what_is_not_there_is_where_it_would_be() {
        assert_eq!(line(YAML, "gitlab.proxy"), Some(2));
        assert_eq!(line(YAML, "namespaces[0].source"), Some(6));
        assert_eq!(line(YAML, "namespaces[7].source"), Some(5));
        assert_eq!(line(YAML, "label"), None);
        assert_eq!(line("", "label"), None);
        assert_eq!(line("a: [", "b"), None);
    }
}

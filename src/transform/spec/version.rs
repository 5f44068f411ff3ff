//! The version of a package as its spec states it, and rpm's order of versions.

use std::cmp::Ordering;

use bstr::{BString, ByteSlice as _};

use crate::transform::spec::lines::{Lines, Role, Section};
use crate::transform::spec::macros::{Macros, tag_value};

/// Returns the value of the `Version` tag of `spec`, as written.
pub fn version(spec: &[u8]) -> Option<BString> {
    tag(&Lines::parse(spec), "version").map(BString::from)
}

/// Returns the value of the `Release` tag of `spec`, as written.
pub fn release(spec: &[u8]) -> Option<BString> {
    tag(&Lines::parse(spec), "release").map(BString::from)
}

fn tag<'a>(lines: &Lines<'a>, name: &str) -> Option<&'a [u8]> {
    let preamble = lines.lines.iter().filter(|line| line.section == Section::Preamble && line.role == Role::Text);
    preamble.filter_map(|line| tag_value(line.text, name)).find(|value| !value.is_empty())
}

/// An epoch, version and release, as far as the text of a spec tells them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Evr {
    epoch: BString,
    pub(super) version: BString,
    pub(super) release: BString,
}

impl Evr {
    /// Reads the tags of a spec; `None` where they hold macros that only rpm can expand.
    ///
    /// A `%{?dist}` at the end of the release is left out: both specs are built for the same distribution.
    pub(super) fn read(lines: &Lines<'_>) -> Option<Self> {
        let macros = Macros::collect(lines);
        let plain = |text: &[u8]| macros.expand(text).exact().map(ToOwned::to_owned);
        let release = tag(lines, "release")?;
        let release = release.strip_suffix(b"%{?dist}").or_else(|| release.strip_suffix(b"%{dist}")).unwrap_or(release);
        Some(Self {
            epoch: tag(lines, "epoch").map_or(Some("0".into()), plain)?,
            version: plain(tag(lines, "version")?)?,
            release: plain(release)?,
        })
    }

    /// Compares as rpm does: the epoch counts most, then the version.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        compare_versions(&self.epoch, &other.epoch)
            .then_with(|| compare_versions(&self.version, &other.version))
            .then_with(|| compare_versions(&self.release, &other.release))
    }
}

/// Compares two versions as rpm does (rpm-version(7), `rpmvercmp` in rpm's `rpmio/rpmvercmp.c`).
///
/// Runs of digits and runs of letters are compared one after another and all else only separates them; digits are
/// newer than letters; `~` is older than the end, `^` newer than the end but older than anything else.
pub(super) fn compare_versions(one: &[u8], two: &[u8]) -> Ordering {
    if one == two {
        return Ordering::Equal;
    }
    let (mut one, mut two) = (one, two);
    loop {
        one = skip_separators(one);
        two = skip_separators(two);
        let first = (one.first().copied(), two.first().copied());
        match first {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                one = one.get(1..).unwrap_or_default();
                two = two.get(1..).unwrap_or_default();
                continue;
            }
            (Some(b'~'), _) | (None, Some(b'^')) => return Ordering::Less,
            (_, Some(b'~')) | (Some(b'^'), None) => return Ordering::Greater,
            (Some(b'^'), _) => return Ordering::Less,
            (_, Some(b'^')) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) if a.is_ascii_digit() != b.is_ascii_digit() => {
                return if a.is_ascii_digit() { Ordering::Greater } else { Ordering::Less };
            }
            (Some(a), Some(_)) => {
                let same_kind: fn(&u8) -> bool =
                    if a.is_ascii_digit() { u8::is_ascii_digit } else { u8::is_ascii_alphabetic };
                let (a, rest_one) = split_run(one, same_kind);
                let (b, rest_two) = split_run(two, same_kind);
                let order = if same_kind(&b'0') { compare_numbers(a, b) } else { a.cmp(b) };
                if order != Ordering::Equal {
                    return order;
                }
                (one, two) = (rest_one, rest_two);
            }
        }
    }
}

fn skip_separators(text: &[u8]) -> &[u8] {
    let counts = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'~' | b'^');
    text.iter().position(counts).and_then(|at| text.get(at..)).unwrap_or_default()
}

fn split_run(text: &[u8], kind: fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let length = text.iter().position(|b| !kind(b)).unwrap_or(text.len());
    text.split_at_checked(length).unwrap_or((text, b""))
}

fn compare_numbers(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (a.trim_start_with(|c| c == '0'), b.trim_start_with(|c| c == '0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The examples of rpm-version(7), and the answers of rpm 4.18 for the rest.
    #[test]
    fn versions_are_ordered_as_rpm_does() {
        for (one, two) in [
            ("1.0", "1.1"),
            ("1.9", "1.10"),
            ("1.0~rc1", "1.0"),
            ("1.0~rc1", "1.0~rc2"),
            ("1.0", "1.0^git1"),
            ("1.0^git1", "1.0.1"),
            ("1.0~rc1", "1.0~rc1^git1"),
            ("1.0^git1~pre", "1.0^git1"),
            ("1.0a", "1.0.1"),
            ("1.0a", "1.0b"),
            ("a", "1"),
            ("1", "1.a"),
            ("99999999999999999999", "100000000000000000000"),
        ] {
            assert_eq!(compare_versions(one.as_bytes(), two.as_bytes()), Ordering::Less, "{one} {two}");
            assert_eq!(compare_versions(two.as_bytes(), one.as_bytes()), Ordering::Greater, "{two} {one}");
        }
        for (one, two) in [("1.0", "1.0"), ("1.0", "1_0"), ("1.01", "1.1"), ("1.0.", "1.0"), ("1a", "1.a")] {
            assert_eq!(compare_versions(one.as_bytes(), two.as_bytes()), Ordering::Equal, "{one} {two}");
        }
    }

    #[test]
    fn the_tags_are_read_as_written() {
        let spec =
            b"%global v 1\n#Version: 0\nName: x\nVersion :  %{v}.2 \nRelease:\t3%{?dist}\r\n%package y\nVersion: 9\n";
        assert_eq!(version(spec), Some("%{v}.2".into()));
        assert_eq!(release(spec), Some("3%{?dist}".into()));
        let evr = Evr::read(&Lines::parse(spec)).unwrap();
        assert_eq!((evr.epoch, evr.version, evr.release), ("0".into(), "1.2".into(), "3".into()));
        assert_eq!(Evr::read(&Lines::parse(b"Version: 1\nRelease: %autorelease\n")), None);
        assert_eq!(version(b"no tag"), None);
    }
}

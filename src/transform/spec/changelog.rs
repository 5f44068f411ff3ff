//! Packages whose `%changelog` is kept in dist-git: `sync_changelog: false`.

use std::cmp::Ordering;

use crate::transform::spec::lines::{Line, Lines, Role, Section, begins_with_word};
use crate::transform::spec::version::Evr;
use crate::types::finding::quoted;
use crate::types::{Finding, Refusal, RepoPath, Subject};

/// Returns `source` with the `%changelog` of `dist` in the place of its own, from the header to the next section.
///
/// Every other byte is that of `source`, and the section's bytes are those of `dist`. Where `source` has no such
/// section, it comes to the end; where `dist` has none, the one of `source` stays. `path` is where the spec is in
/// dist-git, for messages.
///
/// A version and release of `source` that are not above those of `dist` are a finding, where both are plain.
///
/// # Errors
///
/// Where one of the two has several such sections, or one in a condition, or one that an `%include` may bring.
pub fn take_changelog(source: &[u8], dist: &[u8], path: &RepoPath) -> Result<(Vec<u8>, Vec<Finding>), Refusal> {
    let (source_lines, dist_lines) = (Lines::parse(source), Lines::parse(dist));
    let from = changelog(&dist_lines, "dist-git's spec", path)?;
    let to = changelog(&source_lines, "source-git's spec", path)?;
    let mut findings = not_above(&source_lines, &dist_lines, path);
    let Some(from) = from else {
        findings.push(
            Finding::note("dist-git's spec has no `%changelog`, so source-git's stays")
                .about(Subject::File(path.clone())),
        );
        return Ok((source.to_vec(), findings));
    };
    let section = dist.get(from.start..from.stop).unwrap_or_default();
    let (before, after) = match to {
        Some(to) => (source.get(..to.start).unwrap_or_default(), source.get(to.stop..).unwrap_or_default()),
        None => (source, b"".as_slice()),
    };
    let end = source_lines.line_end(source_lines.lines.len().saturating_sub(1));
    let mut out = before.to_vec();
    if !before.is_empty() && !before.ends_with(b"\n") {
        out.extend_from_slice(end);
    }
    if to.is_none() && source_lines.lines.last().is_some_and(|line| !line.is_blank()) {
        out.extend_from_slice(end);
    }
    out.extend_from_slice(section);
    if !after.is_empty() && !section.ends_with(b"\n") {
        out.extend_from_slice(end);
    }
    out.extend_from_slice(after);
    Ok((out, findings))
}

/// Where a section is, in bytes.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    stop: usize,
}

fn changelog(lines: &Lines<'_>, whose: &str, path: &RepoPath) -> Result<Option<Span>, Refusal> {
    let refuse = |text: String, remedy: &str| Err(Refusal::new(text, remedy).about_file(path));
    let opens = |line: &Line<'_>| line.section == Section::Changelog && line.role == Role::Header;
    let mut headers = lines.lines.iter().enumerate().filter(|(_, line)| opens(line));
    let included = |line: &Line<'_>| line.role == Role::Text && begins_with_word(line.text.trim_ascii(), b"%include");
    let Some((first, header)) = headers.next() else {
        // Only what may open a section of its own matters: an included file may.
        return match lines.lines.iter().position(included) {
            Some(at) => refuse(
                format!(
                    "{whose} has no `%changelog`, but the `%include` in line {} may bring one",
                    at.saturating_add(1)
                ),
                "write the `%changelog` into the spec, or set `sync_changelog: true`",
            ),
            None => Ok(None),
        };
    };
    if let Some((second, _)) = headers.next() {
        return refuse(
            format!(
                "{whose} has several `%changelog` sections, in lines {} and {}",
                first.saturating_add(1),
                second.saturating_add(1)
            ),
            "leave one `%changelog` in the spec, or set `sync_changelog: true`",
        );
    }
    let length = lines.lines.iter().skip(first).take_while(|line| line.section == Section::Changelog).count();
    let section = lines.lines.get(first..first.saturating_add(length)).unwrap_or_default();
    let next = lines.lines.get(first.saturating_add(length));
    if header.depth > 0 || header.joined || next.is_some_and(|next| next.depth > 0) {
        return refuse(
            format!("the `%changelog` of {whose} in line {} stands within a condition", first.saturating_add(1)),
            "move the `%changelog` out of the `%if`, or set `sync_changelog: true`",
        );
    }
    if let Some(at) = section.iter().position(included) {
        return refuse(
            format!(
                "the `%changelog` of {whose} comes from the `%include` in line {}",
                first.saturating_add(at).saturating_add(1)
            ),
            "write the entries into the `%changelog`, or set `sync_changelog: true`",
        );
    }
    Ok(Some(Span { start: header.start, stop: section.last().map_or(header.start, Line::stop) }))
}

fn not_above(source: &Lines<'_>, dist: &Lines<'_>, path: &RepoPath) -> Vec<Finding> {
    let (Some(ours), Some(theirs)) = (Evr::read(source), Evr::read(dist)) else { return Vec::new() };
    if ours.compare(&theirs) == Ordering::Greater {
        return Vec::new();
    }
    let show = |evr: &Evr| quoted(&[evr.version.as_slice(), b"-", evr.release.as_slice()].concat());
    let text = format!("version and release {} are not above dist-git's {}", show(&ours), show(&theirs));
    vec![
        Finding::warning(text)
            .about(Subject::File(path.clone()))
            .remedy("raise `Release` (or `Version`) in source-git's spec"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(source: &str, dist: &str) -> Result<(String, Vec<String>), String> {
        let path = RepoPath::parse("x.spec").unwrap();
        take_changelog(source.as_bytes(), dist.as_bytes(), &path)
            .map(|(spec, findings)| {
                (String::from_utf8(spec).unwrap(), findings.iter().map(ToString::to_string).collect())
            })
            .map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn the_section_of_dist_git_takes_the_place_of_the_other() {
        for (source, dist, expected) in [
            ("A\n%changelog\n* s\n", "B\n%changelog\n* d\n- 1\n", "A\n%changelog\n* d\n- 1\n"),
            ("A\r\n%changelog\r\n* s", "B\n%changelog  \n* d", "A\r\n%changelog  \n* d"),
            ("A\n%changelog\n* s\n\n%files\nx\n", "%changelog\n* d", "A\n%changelog\n* d\n%files\nx\n"),
            ("A\n%changelog\n* s\n", "B\n%changelog\n* d\n\n%files\nx\n", "A\n%changelog\n* d\n\n"),
            ("A", "%changelog\n%autochangelog\n", "A\n\n%changelog\n%autochangelog\n"),
            ("A\r\n\r\n", "%changelog\n* d\n", "A\r\n\r\n%changelog\n* d\n"),
            ("%changelog\n%if 1\n* s\n%endif\n", "%changelog\n* d\n", "%changelog\n* d\n"),
            ("A\n%changelog_x\n", "%changelog\n", "A\n%changelog_x\n\n%changelog\n"),
        ] {
            assert_eq!(take(source, dist), Ok((expected.to_owned(), vec![])), "{source:?} {dist:?}");
        }
    }

    #[test]
    fn without_a_section_in_dist_git_source_gits_stays() {
        let (spec, findings) = take("A\n%changelog\n* s\n", "B\n").unwrap();
        assert_eq!(spec, "A\n%changelog\n* s\n");
        assert_eq!(findings, ["note: x.spec: dist-git's spec has no `%changelog`, so source-git's stays"]);
    }

    #[test]
    fn a_section_that_cannot_be_taken_whole_is_refused() {
        let plain = "%changelog\n* x\n";
        for (spec, says) in [
            ("%changelog\n%prep\n%changelog\n", "has several `%changelog` sections, in lines 1 and 3"),
            ("%if 1\n%changelog\n* a\n%endif\n", "in line 2 stands within a condition"),
            ("%changelog\n* a\n%if 1\n%files\n%endif\n", "in line 1 stands within a condition"),
            ("%changelog\n%include changes\n", "comes from the `%include` in line 2"),
            ("A\n%include changes\n", "has no `%changelog`, but the `%include` in line 2 may bring one"),
        ] {
            assert!(take(spec, plain).unwrap_err().contains(says), "{spec:?}");
            assert!(take(plain, spec).unwrap_err().contains(says), "{spec:?}");
        }
    }

    #[test]
    fn a_release_that_is_not_raised_is_said() {
        let spec = |evr: &str| format!("{evr}\n%changelog\n");
        let of = |ours: &str, theirs: &str| take(&spec(ours), &spec(theirs)).unwrap().1;
        let low = of("Version: 1.9\nRelease: 3%{?dist}", "Version: 1.10\nRelease: 1%{?dist}");
        assert_eq!(low, ["warning: x.spec: version and release `1.9-3` are not above dist-git's `1.10-1`"]);
        assert_eq!(of("Version: 1\nRelease: 1", "Version: 1\nRelease: 1").len(), 1);
        assert!(of("Version: 1\nRelease: 2%{?dist}", "Version: 1\nRelease: 1%{?dist}").is_empty());
        assert!(of("Epoch: 1\nVersion: 1\nRelease: 1", "Version: 2\nRelease: 1").is_empty());
        assert!(of("Version: 1\nRelease: %autorelease", "Version: 2\nRelease: 1").is_empty());
    }
}

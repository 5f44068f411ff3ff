//! Patches named in specs, with rpm as the judge: it must see what it saw before and the new patches after that, and
//! nothing of a contributor's text may be run.
//!
//! In a case's text, a line that begins with `+` is one that `add_patches` must add, and there must be no other change.

use std::path::Path;
use std::process::Command;

use bstr::{BString, ByteSlice as _};
use proptest::prelude::*;
use source_git_bot::transform::spec::{self, NewPatch, Strip, Tool, Way};
use source_git_bot::types::{CommitId, RepoPath};

/// What rpm makes of a spec: its patches by number, and the names in the order in which `%prep` applies them.
#[derive(Debug, PartialEq, Eq, serde::Deserialize)]
struct Seen {
    patches: Vec<(u32, String)>,
    applied: Vec<String>,
}

const ORACLE: &str = r#"
import json, os, re, rpm, sys
for path in sys.argv[1:]:
    sys.stdout.flush()
    if os.fork() == 0:  # macros that one spec defines must not reach the next
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            spec = rpm.spec(path, rpm.RPMSPEC_ANYARCH | rpm.RPMSPEC_FORCE)
            patches = sorted((n, os.path.basename(f)) for f, n, t in spec.sources if t & 2)
            applied = re.findall(r"(?m)^(?:echo 'Cannot read .*/(.*)'; exit 1;|echo \"Patch #\d+ \((.*)\):\")$", spec.prep or "")
            print(json.dumps({"patches": patches, "applied": [a or b for a, b in applied]}))
        except ValueError:
            print("null")
        sys.stdout.flush()
        os._exit(0)
    os.wait()
"#;

/// Asks rpm about each of `specs`; `None` for one that it cannot parse.
fn ask_rpm(specs: &[&[u8]]) -> Vec<Option<Seen>> {
    let directory = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..specs.len()).map(|n| directory.path().join(format!("{n}.spec"))).collect();
    for (path, spec) in paths.iter().zip(specs) {
        std::fs::write(path, spec).unwrap();
    }
    let out = Command::new("/usr/bin/python3")
        .args(["-c", ORACLE])
        .args(&paths)
        .current_dir(directory.path())
        .env_clear()
        .env("HOME", directory.path())
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let seen: Vec<_> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(seen.len(), specs.len(), "{}", out.stderr.as_bstr());
    seen
}

fn path() -> RepoPath {
    RepoPath::parse("x.spec").unwrap()
}

fn patch(file_name: &str, number: Option<u32>) -> NewPatch {
    let commit = CommitId::from_bytes([0x11; 20]);
    NewPatch { file_name: file_name.into(), number, commit, comment: vec![], strip: Strip::P1 }
}

const HEAD: &str = "Name: x\nVersion: 1\nRelease: 1\nSummary: s\nLicense: MIT\n";
const TAIL: &str = "%description\nd\n\n%prep\n%autosetup -p1\n";

/// Adds `new` to the lines of `text` without `+`, expects those with it, and lets rpm check.
fn check(text: &str, new: &[NewPatch], digits: u8) -> spec::Edited {
    let lines = || text.split_inclusive('\n');
    let before: String = lines().filter(|line| !line.starts_with('+')).collect();
    let after: String = lines().map(|line| line.strip_prefix('+').unwrap_or(line)).collect();
    let edited = spec::add_patches(before.as_bytes(), &path(), new, digits).unwrap();
    assert_eq!(edited.spec.as_bstr(), after.as_bytes().as_bstr());
    check_with_rpm(before.as_bytes(), &edited, new, digits);
    edited
}

fn check_with_rpm(before: &[u8], edited: &spec::Edited, new: &[NewPatch], digits: u8) {
    let seen = ask_rpm(&[before, &edited.spec]);
    let [Some(was), Some(is)] = seen.as_slice() else {
        panic!("rpm cannot parse it: {seen:?}\n{}", edited.spec.as_bstr())
    };
    let had = |name: &str| was.patches.iter().any(|(_, had)| had == name);
    let mut names: Vec<_> = new.iter().map(|patch| patch.file_name.to_string()).filter(|name| !had(name)).collect();
    names.dedup();
    let (old, added) = is.patches.split_at(is.patches.len() - names.len());
    assert_eq!(old, was.patches, "{}", edited.spec.as_bstr());
    assert_eq!(added.iter().map(|(_, name)| name).collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
    for (name, number) in &edited.numbers {
        let rpm = is.patches.iter().find(|(_, seen)| seen.as_bytes() == name.as_slice()).unwrap().0;
        assert_eq!(number.unwrap_or(rpm), rpm, "{name}");
    }
    if edited.findings.is_empty() {
        let added: Vec<_> = is.applied.iter().filter(|name| names.contains(name)).collect();
        assert_eq!(added, names.iter().collect::<Vec<_>>(), "{}", edited.spec.as_bstr());
    }
    let again = spec::add_patches(&edited.spec, &path(), new, digits).unwrap();
    assert_eq!(again.spec.as_bstr(), edited.spec.as_bstr());
}

fn refused(text: &str, new: &[NewPatch]) -> String {
    let refusal = spec::add_patches(text.as_bytes(), &path(), new, 4).unwrap_err();
    format!("{refusal} ({})", refusal.remedy)
}

fn a_and_b() -> [NewPatch; 2] {
    [patch("a.patch", None), patch("b.patch", None)]
}

#[test]
fn tags_follow_the_last_one_in_its_manner() {
    for (body, digits) in [
        ("Patch1: old\n+Patch2: a.patch\n+Patch3: b.patch\nURL: u\n", 4),
        ("Patch1: old\n+Patch2: a.patch\n+Patch3: b.patch\n# said of what follows\n", 4),
        ("Patch0009:\told\n+Patch0010:\ta.patch\n+Patch0011:\tb.patch\n", 1),
        ("Patch99:   old\n+Patch100:  a.patch\n+Patch101:  b.patch\n", 4),
        ("Patch:     old\n+Patch:     a.patch\n+Patch:     b.patch\n", 4),
        ("PATCH5 :x\n+PATCH6:a.patch\n+PATCH7:b.patch\n", 4),
        ("Patch0: old\n+Patch1: a.patch\n+Patch2: b.patch\n", 4),
        ("Patch7: late\nPatch3: early\n+Patch8: a.patch\n+Patch9: b.patch\n", 4),
        ("Patch9: late\nPatch: later\nPatch2: early\n+Patch11: a.patch\n+Patch12: b.patch\n", 4),
        ("Patch1: old%{?no:\n}\n+Patch2: a.patch\n+Patch3: b.patch\n", 4),
    ] {
        check(&format!("{HEAD}{body}{TAIL}"), &a_and_b(), digits);
    }
}

#[test]
fn first_tags_follow_the_sources_or_end_the_preamble() {
    for (body, digits) in [
        ("Source0:        s\n+Patch0001:      a.patch\n+Patch0002:      b.patch\nURL: u\n", 4),
        ("Source0:\t\ts\n+Patch1:\t\ta.patch\n+Patch2:\t\tb.patch\nURL: u\n", 1),
        ("Source:s\n+Patch:a.patch\n+Patch:b.patch\nURL: u\n", 0),
        ("URL:   u\nRequires(post):   y\n+Patch0001:        a.patch\n+Patch0002:        b.patch\n\n", 4),
    ] {
        check(&format!("{HEAD}{body}{TAIL}"), &a_and_b(), digits);
    }
    for rest in ["%sourcelist\ns\n", "%dnl Patch8: x\n#Patch9: y\n"] {
        let text = format!("{HEAD}+Patch0001: a.patch\n+Patch0002: b.patch\n{rest}{TAIL}");
        check(&text, &a_and_b(), 4);
    }
}

#[test]
fn nothing_goes_into_a_condition_or_a_macro() {
    for body in [
        "%if 0\nSource0: s\n%endif\n+Patch0001: a.patch\n+Patch0002: b.patch\n",
        "%if 1\nPatch1: x\n%ifarch none\n%endif\n%else\nPatch2: y\n%endif # x\n+Patch3: a.patch\n+Patch4: b.patch\n",
        "%if 1 && \\\n1\nPatch: x\n%endif\n+Patch: a.patch\n+Patch: b.patch\n",
        "%if 0\nPatch: x\n%endif\nPatch: y\n+Patch: a.patch\n+Patch: b.patch\n",
        "%{?nil:Patch5: x}\n+Patch0006: a.patch\n+Patch0007: b.patch\n",
        "Source: s\n%{?name:\nPatch5: x\n}\n+Patch6: a.patch\n+Patch7: b.patch\n",
        "Source: s\n+Patch0001: a.patch\n+Patch0002: b.patch\n%global x %{expand:\nPat: y\n}\n%define y \\\n Source: no\n",
    ] {
        check(&format!("{HEAD}{body}{TAIL}"), &a_and_b(), 4);
    }
    let straddles = format!("{HEAD}Patch1: x\n%if 1\nPatch2: y\n%description\nd\n%prep\n%autosetup\n%endif\n");
    let edited = spec::add_patches(straddles.as_bytes(), &path(), &a_and_b(), 4).unwrap();
    assert!(edited.spec.contains_str("Patch1: x\nPatch3: a.patch\nPatch4: b.patch\n%if 1\nPatch2: y\n"));
    assert!(refused(&straddles.replace("Patch2", "Patch"), &a_and_b()).contains("the `%if` in line 7 holds both"));
    assert!(refused("Patch1: x\n%if 1\nPatch2: y\n", &a_and_b()).contains("the `%if` in line 2 has no `%endif`"));
}

#[test]
fn tags_below_another_package_count_and_are_followed() {
    let package = "%package sub\nSummary: s\nPatch7: x\n+Patch8: a.patch\n+Patch9: b.patch\n%description sub\nd\n";
    check(&format!("{HEAD}Patch1: old\n{package}{TAIL}"), &a_and_b(), 4);
}

#[test]
fn a_patchlist_is_appended_to() {
    for body in [
        "%patchlist\nold\n+a.patch\n+b.patch\n\n\n",
        "%patchlist\n+a.patch\n+b.patch\n\n",
        "%PatchList  \nold\n# that is all\n+a.patch\n+b.patch\n\n",
        "Patch3: x\n%patchlist\n%if 0\ny\n%endif\n+a.patch\n+b.patch\n\n",
        "%patchlist\nold\n%package sub\nSummary: s\nPatch7: x\n+Patch8: a.patch\n+Patch9: b.patch\n%description sub\nd\n",
    ] {
        check(&format!("{HEAD}{body}{TAIL}"), &a_and_b(), 4);
    }
    let edited = check(&format!("{HEAD}%patchlist\nold\n+a.patch\n{TAIL}"), &[patch("a.patch", Some(1))], 4);
    assert_eq!(edited.findings, []);
    let edited = check(&format!("{HEAD}%patchlist\nold\n+a.patch\n{TAIL}"), &[patch("a.patch", Some(9))], 4);
    assert!(edited.findings[0].to_string().contains("`Patch-id` 9 has no effect"), "{:?}", edited.findings);
    assert!(refused(&format!("{HEAD}%if 1\n%patchlist\n%endif\n{TAIL}"), &a_and_b()).contains("line 7 stands within"));
}

#[test]
fn a_patch_id_is_taken_where_it_is_above_all_others() {
    let ids = |a, b| [patch("a.patch", a), patch("b.patch", b)];
    for (body, new) in [
        ("Patch1: x\n+Patch50: a.patch\n+Patch51: b.patch\n", ids(Some(50), None)),
        ("Patch: x\n+Patch: a.patch\n+Patch7: b.patch\n", ids(None, Some(7))),
        ("Patch: x\n+Patch: a.patch\n+Patch: b.patch\n", ids(Some(1), Some(2))),
        ("Source: s\n+Patch0000: a.patch\n+Patch0001: b.patch\n", ids(Some(0), None)),
        ("Patch2: x\n+Patch2147483646: a.patch\n+Patch2147483647: b.patch\n", ids(Some(2_147_483_646), None)),
    ] {
        check(&format!("{HEAD}{body}{TAIL}"), &new, 4);
    }
    let says = refused("Name: x\nPatch5: x\n", &ids(None, Some(6)));
    assert_eq!(
        says,
        "commit 1111111111: `Patch-id` 6 is not above 6, the highest patch number before it in x.spec \
         (give the commit a `Patch-id` of 7 or more, or remove the trailer)"
    );
    assert!(refused("Name: x\n", &ids(Some(2_147_483_648), None)).contains("more than rpm can count"));
    assert!(refused("Patch2147483647: x\n", &ids(None, None)).contains("rpm counts no further"));
}

#[test]
fn what_hides_the_highest_number_asks_for_a_patch_id() {
    let told = [patch("a.patch", Some(100)), patch("b.patch", None)];
    for body in ["Patch%{n}: x\n", "%include x\n", "%{load:x}\n", "%{lua: print('Patch1: x')}\n"] {
        let text = format!("Name: x\nPatch3: y\n{body}");
        let says = refused(&text, &a_and_b());
        assert!(
            says.contains("cannot be known") && says.contains("line 3 has") && says.contains("`Patch-id:`"),
            "{says}"
        );
        let edited = spec::add_patches(text.as_bytes(), &path(), &told, 4).unwrap();
        assert!(edited.spec.contains_str("Patch3: y\nPatch100: a.patch\nPatch101: b.patch\n"));
    }
    check(
        &format!(
            "{HEAD}%{{lua:\nlocal t = 'Patch' .. '9'\nprint(t .. ': z\\n')\n}}\nPatch3: y\n+Patch100: a.patch\n+Patch101: b.patch\n{TAIL}"
        ),
        &told,
        4,
    );
}

#[test]
fn line_ends_encoding_and_a_missing_last_newline_stay() {
    let crlf = |text: &str| text.replace('\n', "\r\n");
    check(&crlf(&format!("{HEAD}Patch1: x\n+Patch2: a.patch\n+Patch3: b.patch\n{TAIL}")), &a_and_b(), 4);
    let latin = [HEAD.as_bytes(), b"# Wei\xdfbier\nPatch1: x", b"\n", TAIL.as_bytes(), b"# \xe9"].concat();
    let edited = spec::add_patches(&latin, &path(), &a_and_b(), 4).unwrap();
    let expected = latin.replace("Patch1: x\n", "Patch1: x\nPatch2: a.patch\nPatch3: b.patch\n");
    assert_eq!(edited.spec.as_bstr(), expected.as_bstr());
    check_with_rpm(&latin, &edited, &a_and_b(), 4);
    for (before, after) in [
        ("Name: x\r\nPatch1: x", "Name: x\r\nPatch1: x\r\nPatch2: a.patch\r\nPatch3: b.patch"),
        ("Name: x", "Name: x\nPatch0001: a.patch\nPatch0002: b.patch"),
        ("Name: x\n%patchlist", "Name: x\n%patchlist\na.patch\nb.patch"),
    ] {
        let edited = spec::add_patches(before.as_bytes(), &path(), &a_and_b(), 4).unwrap();
        assert_eq!(edited.spec.as_bstr(), after);
    }
    let at_end = format!("{HEAD}Patch1: x\n{TAIL}%patch1 -p1").replace("%autosetup -p1\n", "");
    let edited = spec::add_patches(at_end.as_bytes(), &path(), &a_and_b(), 4).unwrap();
    assert!(edited.spec.ends_with(b"%patch1 -p1\n%patch2 -p1\n%patch3 -p1"));
    check_with_rpm(at_end.as_bytes(), &edited, &a_and_b(), 4);
}

#[test]
fn a_patch_that_is_there_already_stays() {
    let body = "%global tag v1\n# untouched\nPatch3: https://x/%{name}-%{tag}.patch\n%if 0\nPatch5: b.patch\n%endif\n";
    let text = format!("{HEAD}{body}{TAIL}");
    let mut there = patch("x-v1.patch", Some(1));
    there.comment = vec!["new".into()];
    let edited = spec::add_patches(text.as_bytes(), &path(), &[there.clone(), patch("b.patch", None)], 4).unwrap();
    assert_eq!(edited.spec.as_bstr(), text.as_str());
    assert_eq!(edited.numbers, [("x-v1.patch".into(), Some(3)), ("b.patch".into(), Some(5))]);
    let added = format!("{HEAD}{body}+Patch6: a.patch\n{TAIL}");
    check(&added, &[there, patch("a.patch", None), patch("a.patch", None)], 4);
}

#[test]
fn a_name_that_is_more_than_a_name_is_refused() {
    for name in ["", "a/b.patch", "%(touch x).patch", ".git", "-x", "a b.patch", "a\n.patch", "#.patch", "\u{e9}.patch"]
    {
        assert!(refused("Name: x\n", &[patch(name, None)]).contains("`Patch-name`"), "{name:?}");
    }
}

fn prep(tags: &str, prep: &str) -> String {
    format!("{HEAD}{tags}%description\nd\n%prep\n{prep}")
}

#[test]
fn patch_lines_are_written_where_prep_has_them() {
    for (old, lines) in [
        ("%patch1 -p1 -b .old\n", "+%patch2 -p1\n+%patch3 -p1\n"),
        ("%patch0001 -p1\n", "+%patch0002 -p1\n+%patch0003 -p1\n"),
        ("%patch 1 -p1\n", "+%patch 2 -p1\n+%patch 3 -p1\n"),
        ("%patch -P 1 -p1 -R\n", "+%patch -P 2 -p1\n+%patch -P 3 -p1\n"),
        ("%patch -p1 -P1\n", "+%patch -P2 -p1\n+%patch -P3 -p1\n"),
        ("%patch -P1 -p2\n", "+%patch -P2 -p2\n+%patch -P3 -p2\n"),
        ("%patch1\n", "+%patch2 -p1\n+%patch3 -p1\n"),
        ("%autosetup -N\n%patch1 -p 1\n", "+%patch2 -p1\n+%patch3 -p1\n"),
    ] {
        let rest =
            "#%patch8 -p1\n# %patch9 -p1\n%dnl %patch7\nif true; then\n%patch1 -p1\nfi\n%if 0\n%patch1 -p1\n%endif\n";
        check(&prep("Patch1: x\n+Patch2: a.patch\n+Patch3: b.patch\n", &format!("{old}{lines}{rest}")), &a_and_b(), 4);
    }
    check(
        &prep("Patch0: x\n+Patch1: a.patch\n+Patch2: b.patch\n", "%patch -p1\n+%patch -P 1 -p1\n+%patch -P 2 -p1\n"),
        &a_and_b(),
        4,
    );
    check(
        &prep("Patch: x\n+Patch: a.patch\n+Patch: b.patch\n", "%patch0 -p1\n+%patch1 -p1\n+%patch2 -p1\n"),
        &a_and_b(),
        4,
    );
    check(
        &prep(
            "%if 0\nPatch: x\n%endif\nPatch: y\n+Patch2: a.patch\n+Patch: b.patch\n",
            "%if 0\n%patch0 -p1\n%endif\n+%patch2 -p1\n+%patch3 -p1\nmake\n",
        ),
        &a_and_b(),
        4,
    );
    let mut no_prefix = patch("a.patch", None);
    no_prefix.strip = Strip::P0;
    check(&prep("Patch1: x\n+Patch2: a.patch\n", "%patch1 -p1\n+%patch2 -p0\n"), &[no_prefix], 4);
    check(&prep("%patchlist\nx\n+a.patch\n+b.patch\n", "%patch0 -p1\n+%patch1 -p1\n+%patch2 -p1\n"), &a_and_b(), 4);
}

#[test]
fn a_number_is_taken_that_autopatch_applies() {
    for (tags, lines) in [
        ("Patch1: x\n+Patch100: a.patch\n+Patch101: b.patch\n", "%autopatch -p1 -m 100\n"),
        ("Patch1: x\n+Patch2: a.patch\n+Patch3: b.patch\n", "%autosetup -N\n%autopatch -p1 -M 50\n"),
        ("Patch1: x\n+Patch60: a.patch\n+Patch61: b.patch\n", "%autopatch -m1 -M50 -p1\n%autopatch -m60 -M70 -p1\n"),
        ("Patch65: x\n+Patch66: a.patch\n+Patch67: b.patch\n", "%autopatch -m60 -M70\n%autopatch -m 1 -M 50\n"),
        ("Patch: x\n+Patch9: a.patch\n+Patch: b.patch\n", "%autopatch -m 9\n"),
        (
            "Patch1: x\n+Patch2: a.patch\n+Patch3: b.patch\n",
            "%autopatch 1\n%patch -P 1 -p1\n+%patch -P 2 -p1\n+%patch -P 3 -p1\n",
        ),
        ("Patch1: x\n+Patch2: a.patch\n+Patch3: b.patch\n", "%autopatch -m 100\n%autopatch -p1\n"),
        ("Patch1: x\n+Patch2: a.patch\n+Patch3: b.patch\n", "%if 0\n%autosetup -n y\n%else\n%autosetup -p1\n%endif\n"),
    ] {
        let edited = check(&prep(tags, lines), &a_and_b(), 4);
        assert_eq!(edited.findings, []);
    }
    let full = refused(&prep("Patch70: x\n", "%autopatch -m60 -M70\n"), &a_and_b());
    assert!(full.contains("only the patches numbered 60 to 70, and the next free number is 71"), "{full}");
    assert!(full.contains("`Patch-id`"));
    assert!(refused(&prep("Patch1: x\n", "%autopatch -p1 1\n"), &a_and_b()).contains("numbered 1, and the next"));
    let outside = spec::add_patches(
        prep("Patch1: x\n", "%autopatch -M 9\n").as_bytes(),
        &path(),
        &[patch("a.patch", Some(10))],
        4,
    )
    .unwrap();
    assert!(outside.findings[0].text.contains("gets number 10"), "{:?}", outside.findings);
}

#[test]
fn a_patch_that_may_not_be_applied_is_said() {
    for lines in [
        "%setup -q\n",
        "%autosetup -N\n",
        "for p in %{patches}; do patch -p1 < $p; done\n",
        "patch -p1 < %{PATCH1}\n",
        "%{lua: for i, p in ipairs(patches) do print('patch < ' .. p .. '\\n') end}\n",
        "%if 1\n%autosetup -p1\n%endif\n",
        "if true; then\n%patch1 -p1\nfi\n",
        "# %autosetup -p1\n",
        "#%patch1 -p1\n",
    ] {
        let edited = check(&prep("Patch1: x\n+Patch2: a.patch\n+Patch3: b.patch\n", lines), &a_and_b(), 4);
        let [finding] = edited.findings.as_slice() else { panic!("{lines}: {:?}", edited.findings) };
        assert!(finding.text.starts_with("`%prep` may not apply `a.patch`, `b.patch`"), "{finding}");
    }
}

#[test]
fn the_ways_of_applying_are_read() {
    let way = |tool, strip| Way { tool, strip };
    for (lines, number, ways) in [
        ("%autosetup -p1", Some(5), vec![way(Tool::Patch, Some(1))]),
        ("%autosetup", None, vec![way(Tool::Patch, None)]),
        ("%autosetup -S git", Some(5), vec![way(Tool::GitApply, Some(1))]),
        ("%autosetup -Sgit_am -p0 -n %{name}", Some(5), vec![way(Tool::GitAm, Some(0))]),
        ("%autosetup -N -S git\n%autopatch -p2", Some(5), vec![way(Tool::GitApply, Some(2))]),
        ("%autosetup -S gendiff -p1", Some(5), vec![way(Tool::Patch, Some(1))]),
        ("%autosetup -S quilt", Some(5), vec![way(Tool::Patch, Some(1))]),
        ("%autosetup -S %{scm}", Some(5), vec![way(Tool::Unknown, None)]),
        ("%patch5", Some(5), vec![way(Tool::Patch, Some(0))]),
        ("%patch 4 5 -p1\n%patch -P 6 -p2", Some(6), vec![way(Tool::Patch, Some(2))]),
        ("%autopatch -m 3 -p1", Some(2), vec![]),
        ("%autosetup -N", Some(2), vec![]),
        (
            "%if 0\n%autosetup -S git\n%else\n%autosetup -p1\n%endif",
            Some(1),
            vec![way(Tool::GitApply, Some(1)), way(Tool::Patch, Some(1))],
        ),
    ] {
        assert_eq!(spec::apply_style(prep("", lines).as_bytes()).ways(number), ways, "{lines}");
    }
    let style = spec::apply_style(b"%global __scm git_am\n%prep\n%autopatch\n");
    assert!(style.ways(Some(1))[0].takes_binary() && style.ways(Some(1))[0].finds(Strip::P1));
    assert!(spec::apply_style(b"%prep\npatch < %{PATCH1}\n").by_hand());
}

const HOSTILE: &[&str] = &[
    "%(touch evil)",
    "%{lua: io.open('evil', 'w')}",
    "%{shrink:%(touch evil)}",
    "\\%(touch evil)",
    "\\\\\\%(touch evil) %%(touch evil)",
    "%{expand: %{",
    "%[",
    "%(",
    "ends in \\",
    "ends in \\\\\\ ",
    "ends in \\\u{7}",
    "\\%{x",
    "%if 0",
    "%endif",
    "%prep",
    "Patch99: evil.patch",
    "\nPatch98: evil.patch",
    "\r\nPatch97: evil.patch",
    "\u{b}Patch96: evil.patch\u{c}Patch95: evil.patch",
    "\u{85}Patch94: evil.patch\u{2028}Patch93: evil.patch",
    "%dnl %{",
    "",
    "100%",
];

/// Expects that rpm sees the patches and makes no file, whatever the comments say.
fn check_comments(text: &str, comment: Vec<BString>) {
    let mut new = a_and_b();
    new[0].comment.clone_from(&comment);
    new[1].comment = comment;
    let edited = spec::add_patches(text.as_bytes(), &path(), &new, 4).unwrap();
    check_with_rpm(text.as_bytes(), &edited, &new, 4);
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("x.spec"), &edited.spec).unwrap();
    let out = Command::new("rpmspec").args(["-P", "x.spec"]).current_dir(directory.path()).output().unwrap();
    assert!(out.status.success(), "{}", out.stderr.as_bstr());
    assert!(!Path::new(directory.path()).join("evil").exists(), "{}", edited.spec.as_bstr());
}

#[test]
fn a_comment_is_not_run() {
    for body in ["Patch1: x\n", "%patchlist\nx\n"] {
        let text = format!("{HEAD}{body}{}", TAIL.replace("%autosetup -p1\n", "%autopatch -p1\n"));
        check_comments(&text, HOSTILE.iter().map(|text| BString::from(*text)).collect());
        for text_of_one in HOSTILE.iter().filter(|text| text.contains('\\') || text.contains('{')) {
            check_comments(&text, vec![BString::from(*text_of_one)]);
        }
    }
}

#[test]
fn comments_stand_above_their_tag() {
    let mut new = a_and_b();
    new[0].comment = vec!["Fix 100% of it".into(), "".into(), "See %{url}.".into()];
    let comment = "+# Fix 100%% of it\n+#\n+# See %%{url}.\n";
    check(&format!("{HEAD}Patch1: x\n{comment}+Patch2: a.patch\n+Patch3: b.patch\n{TAIL}"), &new, 4);
    check(&format!("{HEAD}%patchlist\nx\n{comment}+a.patch\n+b.patch\n\n{TAIL}"), &new, 4);
}

#[test]
fn versions_are_compared_as_rpm_does() {
    // The order itself has its table beside the code; here rpm confirms that table's hardest lines.
    let pairs = [("1.0~rc1", "1.0"), ("1.0", "1.0^git1"), ("1.0^git1", "1.0.1"), ("1.0a", "1.0.1"), ("1", "1.a")];
    for (low, high) in pairs {
        let lua = format!("%{{lua:print(rpm.vercmp('{low}', '{high}'))}}");
        let out = Command::new("rpm").args(["--eval", &lua]).output().unwrap();
        assert_eq!(out.stdout.trim().as_bstr(), "-1", "{low} {high}");
        let dist = |version: &str| format!("Version: {version}\nRelease: 1\n%changelog\n");
        let warns = |ours: &str, theirs: &str| {
            !spec::take_changelog(dist(ours).as_bytes(), dist(theirs).as_bytes(), &path()).unwrap().1.is_empty()
        };
        assert!(warns(low, high) && !warns(high, low), "{low} {high}");
    }
}

/// Pieces of a preamble that rpm takes in any order, with `@` for a number that no other piece has.
const PIECES: &[&str] = &[
    "Patch@: p@.patch\n",
    "Patch0@:\tp@.patch\r\n",
    "Patch: u@.patch\n",
    "patch@ :p@.patch\n",
    "Source@: s@\n",
    "Requires:   r@\n",
    "\n",
    "# Patch@: comment\n",
    "# 100%% of %%{it\n",
    "%dnl Patch@: gone\n",
    "%global g@ %{expand:\nx\n}\n",
    "%define d@() \\\n%if \\\n%nil\n",
    "%if 1\nPatch@: p@.patch\n%endif\n",
    "%if 0\nPatch: n@.patch\n%else\nPatch: m@.patch\n%endif\n",
    "%ifarch none\nSource@: s@\n  %if 1\nPatch@: p@.patch\n  %endif\n%endif # x\n",
    "%{?name:Patch@: p@.patch}\n",
    "%{!?name:\nPatch@: p@.patch\n}\n",
    "%if 1 && \\\n0\nProvides: x\n%elif 1\nProvides: y\n%endif\n",
];

const ENDINGS: &[&str] = &[
    "",
    "%package sub\nSummary: s\nPatch@: p@.patch\n%description sub\nd\n",
    "%package sub\nSummary: s\nPatch: v@.patch\n%description sub\nd\n",
    "%patchlist\n",
    "%patchlist\nl@.patch\n# l\n\n%if 0\nz@.patch\n%endif\n\n",
];

const PREPS: &[&str] = &["%autosetup -p1\n", "%autopatch -m 1 -p1\n", "%if 0\n%autosetup\n%else\n%autopatch\n%endif"];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(
        std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(40)
    ) })]

    #[test]
    fn rpm_sees_the_old_patches_and_then_the_new_ones(
        pieces in prop::collection::vec((prop::sample::select(PIECES), 2_u32..30), 0..8),
        ending in prop::sample::select(ENDINGS),
        prep in prop::sample::select(PREPS),
        steps in prop::collection::vec((prop::option::of(1_u32..40), prop::collection::vec(".{0,30}", 0..4)), 1..4),
        digits in 0_u8..5,
    ) {
        let mut number = 0;
        let mut text = HEAD.to_owned();
        for (piece, step) in pieces {
            // Far enough apart for the unnumbered ones between them.
            number += step + 10;
            text.push_str(&piece.replace('@', &number.to_string()));
        }
        text.push_str(&ending.replace('@', &(number + 50).to_string()));
        text.push_str(&format!("%description\nd\n%prep\n{prep}"));
        let mut id = number + 100;
        let new: Vec<_> = steps
            .into_iter()
            .enumerate()
            .map(|(n, (step, comment))| NewPatch {
                comment: comment.into_iter().map(BString::from).collect(),
                ..patch(&format!("new{n}.patch"), step.map(|step| { id += step + 10; id }))
            })
            .collect();
        let edited = spec::add_patches(text.as_bytes(), &path(), &new, digits).unwrap();
        let mut after = edited.spec.lines_with_terminator();
        for line in text.as_bytes().lines_with_terminator() {
            prop_assert!(after.any(|kept| kept == line || kept.strip_suffix(b"\n") == Some(line)), "{}", line.as_bstr());
        }
        check_with_rpm(text.as_bytes(), &edited, &new, digits);
    }
}

proptest! {
    #[test]
    fn nothing_to_add_changes_nothing(spec in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(spec::add_patches(&spec, &path(), &[], 4).unwrap().spec, spec);
    }

    #[test]
    fn no_bytes_are_too_odd(
        words in prop::collection::vec(prop_oneof![
            prop::sample::select(vec![
                "Patch1: x\n", "Patch: y\n", "%if 1\n", "%else\n", "%endif\n", "%patchlist\n", "%prep\n", "%package z\n",
                "%{", "}", "%(", ")", "\\\n", "\\", "%", "#", ":", "\n", "\r\n", "%autosetup", "%autopatch -m", "%patch1 ",
                "%global a %{a}", "Source:\t\n", "%changelog\n", "%{lua:", "%include ", "Patch%", "-p", "-P 1 ", "Version:",
            ]).prop_map(|text| text.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..4),
        ], 0..40),
        digits in any::<u8>(),
    ) {
        let text = words.concat();
        let new = a_and_b();
        if let Ok(edited) = spec::add_patches(&text, &path(), &new, digits) {
            let again = spec::add_patches(&edited.spec, &path(), &new, digits);
            prop_assert!(again.is_ok_and(|again| again.spec == edited.spec), "{}", edited.spec.as_bstr());
            let mut after = edited.spec.lines_with_terminator();
            for line in text.lines_with_terminator() {
                prop_assert!(after.any(|kept| kept.starts_with(line)), "{}", edited.spec.as_bstr());
            }
        }
        let _ = spec::take_changelog(&text, &text, &path());
        let _ = (spec::patches(&text), spec::apply_style(&text), spec::version(&text));
    }
}

//! Shows a report: as text for people, with diffs in a dry run, or as JSON.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bstr::ByteSlice as _;
use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use crate::cli::args::Output;
use crate::cli::terminal::{self, Paint};
use crate::git::Store;
use crate::ops::generate::Generated;
use crate::transform::report::{AppliedBySpec, FileChange, MergeReport, PatchChange, PatchReport, TransformReport};
use crate::types::text::{is_unseen, printable, printable_whole};
use crate::types::{File, FileMode, Finding, Level, RepoPath};

/// The largest file that is shown as a diff; of a larger one only the size is told.
const DIFF_LIMIT: usize = 1 << 20;

/// How long the shortest diff of one file is looked for; then a longer one is shown. Files without a unique line in
/// common would take minutes.
const DIFF_TIME: Duration = Duration::from_secs(1);

/// Whether the changes are shown line by line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Diffs {
    /// They are.
    Shown,
    /// They are not.
    Hidden,
}

/// Prints what was, or would be, done.
pub(crate) fn print(store: &Store, generated: &Generated, diffs: Diffs, output: Output, paint: Paint) -> Result<()> {
    let diffs = match diffs {
        Diffs::Shown => diffs_of(store, generated)?,
        Diffs::Hidden => Vec::new(),
    };
    let text = match output {
        Output::Text => report_text(&generated.report, &diffs, paint),
        Output::Json => json(&generated.report, &diffs)?,
    };
    terminal::print(&text).context("writing to standard output")
}

/// One file's change, line by line.
#[derive(Debug, Serialize)]
pub(crate) struct FileDiff {
    path: RepoPath,
    diff: String,
}

fn json(report: &TransformReport, diffs: &[FileDiff]) -> Result<String> {
    #[derive(Serialize)]
    struct WithDiffs<'a> {
        #[serde(flatten)]
        report: &'a TransformReport,
        #[serde(skip_serializing_if = "<[FileDiff]>::is_empty")]
        diffs: &'a [FileDiff],
    }
    let json = serde_json::to_string_pretty(&WithDiffs { report, diffs }).context("writing JSON")?;
    Ok(without_unseen(&json) + "\n")
}

/// JSON's own escapes for what it lets through and a terminal would act on: DEL, C1 and bidirectional controls. They
/// stand in strings only, so the data stay the same.
fn without_unseen(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_unseen(c) {
            text.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            text.push(c);
        }
    }
    text
}

pub(crate) fn report_text(report: &TransformReport, diffs: &[FileDiff], paint: Paint) -> String {
    let mut text = String::new();
    let package = report.package.as_deref().map(|name| format!("{}: ", printable(name.as_bytes()))).unwrap_or_default();
    let upstream = printable(report.upstream.name.as_bytes());
    let heading = format!("{package}source-git commit {} on {upstream}", report.source.short());
    line(&mut text, &paint.bold(heading));
    patches(&mut text, report, paint);
    files(&mut text, report, paint);
    for diff in diffs {
        line(&mut text, "");
        for row in diff.diff.lines() {
            line(&mut text, &painted(row, paint));
        }
    }
    line(&mut text, "");
    merges(&mut text, &report.merges);
    proof(&mut text, report, paint);
    for finding in &report.findings {
        one_finding(&mut text, finding, paint);
    }
    if !report.changes_anything() {
        line(&mut text, "dist-git is up to date");
    }
    text
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn patches(text: &mut String, report: &TransformReport, paint: Paint) {
    let kept = report.patches.iter().filter(|patch| patch.change == PatchChange::Kept).count();
    let shown: Vec<_> = report.patches.iter().filter(|patch| patch.change != PatchChange::Kept).collect();
    if report.patches.is_empty() {
        return;
    }
    line(text, &format!("\n{}", paint.bold("patches")));
    let width = shown.iter().map(|patch| patch.file.chars().count()).max().unwrap_or_default().min(60);
    for patch in shown {
        let (word, file) = match &patch.change {
            PatchChange::Added => (paint.green("added  "), patch.file.clone()),
            PatchChange::Changed => (paint.yellow("changed"), patch.file.clone()),
            PatchChange::Renamed { from } => (paint.yellow("renamed"), format!("{from} -> {}", patch.file)),
            PatchChange::Dropped => (paint.red("dropped"), patch.file.clone()),
            PatchChange::Ignored => (paint.dim("ignored"), patch.file.clone()),
            PatchChange::Kept => continue,
        };
        let commits = paint.dim(commits_of(patch));
        line(text, format!("  {word}  {file:width$}  {commits}").trim_end());
    }
    if kept > 0 {
        line(text, &paint.dim(format!("  {kept} kept as they are")));
    }
}

fn commits_of(patch: &PatchReport) -> String {
    match &patch.commits[..] {
        [] => String::new(),
        [one] => format!("{} {}", one.id.short(), printable(&one.subject)),
        [first, rest @ ..] => format!("{} {} (and {} more)", first.id.short(), printable(&first.subject), rest.len()),
    }
}

fn files(text: &mut String, report: &TransformReport, paint: Paint) {
    if report.files.is_empty() {
        return;
    }
    line(text, &format!("\n{}", paint.bold("files")));
    for file in &report.files {
        let word = match file.change {
            FileChange::Added => paint.green("added  "),
            FileChange::Changed => paint.yellow("changed"),
            FileChange::Removed => paint.red("removed"),
        };
        line(text, &format!("  {word}  {}", file.path));
    }
}

fn merges(text: &mut String, merges: &MergeReport) {
    let said = match merges {
        MergeReport::None => return,
        MergeReport::EveryCommit { merges } => {
            format!("merges: {merges}, every other commit is a patch of its own")
        }
        MergeReport::FirstParent { merges, reason } => format!(
            "merges: {merges}, a patch for each step of the first-parent line, since the commits one by one do not give \
             the source tree: {reason}"
        ),
        MergeReport::OnePatch { merges, reason } => {
            format!("merges: {merges}, everything is one patch, since nothing finer gives the source tree: {reason}")
        }
    };
    line(text, &said);
}

fn proof(text: &mut String, report: &TransformReport, paint: Paint) {
    let proof = &report.proof;
    let upstream = printable(report.upstream.name.as_bytes());
    let tree = proof.tree.short();
    let what = match proof.patches {
        0 => format!("no patches, and {upstream} itself is tree {tree}"),
        1 => format!("1 patch on {upstream} gives tree {tree}"),
        many => format!("{many} patches on {upstream} give tree {tree}"),
    };
    let (said, but) = match proof.applied_by_spec {
        AppliedBySpec::Yes => (paint.green("verified"), ""),
        AppliedBySpec::No => (
            paint.red("not verified"),
            " with git, but the spec's own way of applying patches cannot apply each of them",
        ),
        AppliedBySpec::Unknown => {
            (paint.yellow("not verified"), " with git, but how the spec applies them cannot be told from its text")
        }
    };
    line(text, &format!("{said}: {what}{but}"));
    line(text, &paint.dim("  (of the upstream commit; what the archive in Source0 holds was not looked at)"));
    if !proof.outside.is_empty() {
        line(text, &format!("  not from a commit, so not looked at: {}", proof.outside.join(", ")));
    }
}

fn one_finding(text: &mut String, finding: &Finding, paint: Paint) {
    let level = match finding.level {
        Level::Note => paint.cyan("note"),
        Level::Warning => paint.yellow("warning"),
        Level::Problem => paint.red("problem"),
    };
    let subject = finding.subject.as_ref().map(|subject| format!("{subject}: ")).unwrap_or_default();
    line(text, &format!("{level}: {subject}{}", finding.text));
    if let Some(remedy) = &finding.remedy {
        line(text, &format!("  hint: {remedy}"));
    }
}

pub(crate) fn painted(row: &str, paint: Paint) -> String {
    match row.as_bytes().first() {
        _ if row.starts_with("+++ ") || row.starts_with("--- ") => paint.bold(row),
        Some(b'+') => paint.green(row),
        Some(b'-') => paint.red(row),
        Some(b'@') => paint.cyan(row),
        _ => row.to_owned(),
    }
}

/// Diffs of the spec and of everything else that changes; a patch that is new, or goes, is no more than named.
pub(crate) fn diffs_of(store: &Store, generated: &Generated) -> Result<Vec<FileDiff>> {
    let Generated { before, after, spec, .. } = generated;
    let paths: BTreeSet<_> =
        before.keys().chain(after.keys()).filter(|path| before.get(*path) != after.get(*path)).collect();
    let is_patch = |path: &RepoPath| [".patch", ".diff"].iter().any(|end| path.as_bytes().ends_with_str(end));
    let mut paths: Vec<_> = paths
        .into_iter()
        .filter(|path| !is_patch(path) || (before.contains_key(*path) && after.contains_key(*path)))
        .collect();
    paths.sort_by_key(|path| *path != spec);
    paths
        .into_iter()
        .map(|path| Ok(FileDiff { path: path.clone(), diff: diff(store, path, before.get(path), after.get(path))? }))
        .collect()
}

fn diff(store: &Store, path: &RepoPath, old: Option<&File>, new: Option<&File>) -> Result<String> {
    let content = |file: Option<&File>| match file {
        Some(File { mode: FileMode::Gitlink, .. }) | None => Ok(Vec::new()),
        Some(file) => store.read(&file.blob),
    };
    let mut text = String::new();
    let name = |file: Option<&File>, side| file.map_or("/dev/null".to_owned(), |_| format!("{side}/{path}"));
    writeln!(text, "--- {}\n+++ {}", name(old, "a"), name(new, "b"))?;
    if let (Some(old), Some(new)) = (old, new)
        && old.mode != new.mode
    {
        writeln!(text, "mode {:o} becomes {:o}", old.mode.to_git(), new.mode.to_git())?;
    }
    let (old, new) = (content(old)?, content(new)?);
    if old.len().max(new.len()) > DIFF_LIMIT || old.contains(&0) || new.contains(&0) {
        writeln!(text, "{} bytes become {} bytes", old.len(), new.len())?;
        return Ok(text);
    }
    let changes =
        TextDiff::configure().algorithm(similar::Algorithm::Patience).timeout(DIFF_TIME).diff_lines(&old[..], &new[..]);
    for hunk in changes.unified_diff().context_radius(3).iter_hunks() {
        writeln!(text, "{}", hunk.header())?;
        for change in hunk.iter_changes() {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            writeln!(text, "{sign}{}", printable_line(change.value()))?;
            if change.missing_newline() {
                text.push_str("\\ No newline at end of file\n");
            }
        }
    }
    Ok(text)
}

/// A line of a file without what a terminal would act on; tabs stay.
fn printable_line(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let parts: Vec<_> = line.split(|b| *b == b'\t').map(printable_whole).collect();
    parts.join("\t")
}

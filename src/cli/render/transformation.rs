//! What the transformation changes in dist-git, as text; with diffs in a dry run.

use crate::cli::terminal::Paint;
use crate::ops::generate::diffs::FileDiff;
use crate::transform::report::{AppliedBySpec, FileChange, MergeReport, PatchChange, PatchReport, TransformReport};
use crate::types::text::printable;
use crate::types::{Finding, Level};

pub(crate) fn report_text(report: &TransformReport, diffs: &[FileDiff], paint: Paint) -> String {
    let mut text = String::new();
    let package = report.package.as_deref().map(|name| format!("{}: ", printable(name.as_bytes()))).unwrap_or_default();
    let upstream = printable(report.upstream.name.as_bytes());
    let heading = format!("{package}source-git commit {} on {upstream}", report.source.short());
    write_line(&mut text, &paint.bold(heading));
    write_patches(&mut text, report, paint);
    write_files(&mut text, report, paint);
    for diff in diffs {
        write_line(&mut text, "");
        for row in diff.diff.lines() {
            write_line(&mut text, &paint_diff_line(row, paint));
        }
    }
    write_line(&mut text, "");
    write_merges(&mut text, &report.merges);
    write_proof(&mut text, report, paint);
    for finding in &report.findings {
        write_finding(&mut text, finding, paint);
    }
    if !report.changes_anything() {
        write_line(&mut text, "dist-git is up to date");
    }
    text
}

fn write_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn write_patches(text: &mut String, report: &TransformReport, paint: Paint) {
    let kept = report.patches.iter().filter(|patch| patch.change == PatchChange::Kept).count();
    let shown: Vec<_> = report.patches.iter().filter(|patch| patch.change != PatchChange::Kept).collect();
    if report.patches.is_empty() {
        return;
    }
    write_line(text, &format!("\n{}", paint.bold("patches")));
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
        write_line(text, format!("  {word}  {file:width$}  {commits}").trim_end());
    }
    if kept > 0 {
        write_line(text, &paint.dim(format!("  {kept} kept as they are")));
    }
}

fn commits_of(patch: &PatchReport) -> String {
    match &patch.commits[..] {
        [] => String::new(),
        [one] => format!("{} {}", one.id.short(), printable(&one.subject)),
        [first, rest @ ..] => format!("{} {} (and {} more)", first.id.short(), printable(&first.subject), rest.len()),
    }
}

fn write_files(text: &mut String, report: &TransformReport, paint: Paint) {
    if report.files.is_empty() {
        return;
    }
    write_line(text, &format!("\n{}", paint.bold("files")));
    for file in &report.files {
        let word = match file.change {
            FileChange::Added => paint.green("added  "),
            FileChange::Changed => paint.yellow("changed"),
            FileChange::Removed => paint.red("removed"),
        };
        write_line(text, &format!("  {word}  {}", file.path));
    }
}

fn write_merges(text: &mut String, merges: &MergeReport) {
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
    write_line(text, &said);
}

fn write_proof(text: &mut String, report: &TransformReport, paint: Paint) {
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
    write_line(text, &format!("{said}: {what}{but}"));
    write_line(text, &paint.dim("  (of the upstream commit; what the archive in Source0 holds was not looked at)"));
    if !proof.outside.is_empty() {
        write_line(text, &format!("  not from a commit, so not looked at: {}", proof.outside.join(", ")));
    }
}

fn write_finding(text: &mut String, finding: &Finding, paint: Paint) {
    let level = match finding.level {
        Level::Note => paint.cyan("note"),
        Level::Warning => paint.yellow("warning"),
        Level::Problem => paint.red("problem"),
    };
    let subject = finding.subject.as_ref().map(|subject| format!("{subject}: ")).unwrap_or_default();
    write_line(text, &format!("{level}: {subject}{}", finding.text));
    if let Some(remedy) = &finding.remedy {
        write_line(text, &format!("  hint: {remedy}"));
    }
}

/// Colours a line of a unified diff.
pub(crate) fn paint_diff_line(row: &str, paint: Paint) -> String {
    match row.as_bytes().first() {
        _ if row.starts_with("+++ ") || row.starts_with("--- ") => paint.bold(row),
        Some(b'+') => paint.green(row),
        Some(b'-') => paint.red(row),
        Some(b'@') => paint.cyan(row),
        _ => row.to_owned(),
    }
}

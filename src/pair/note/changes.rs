//! The section of the note that says what changes in dist-git: patches, other files, the proof, and the findings.

use crate::pair::facts::UpstreamChange;
use crate::pair::note::markdown::{bullets, count, list, paragraph, short, subject};
use crate::pair::sanitize;
use crate::transform::report::{
    AppliedBySpec, FileChange, FileReport, MergeReport, PatchChange, PatchReport, ProofReport, TransformReport,
};
use crate::types::{Finding, Level};

/// Writes that the upstream ref changes, and which patches that drops.
pub(super) fn upstream(text: &mut String, change: &UpstreamChange, report: &TransformReport) {
    let (from, to) = (sanitize::code(change.from.as_bytes()), sanitize::code(change.to.as_bytes()));
    let dropped: Vec<_> = report.patches.iter().filter(|patch| patch.change == PatchChange::Dropped).collect();
    let effect = match dropped.len() {
        0 => "This drops no patch.".to_owned(),
        1 => "This drops one patch:".to_owned(),
        many => format!("This drops {many} patches:"),
    };
    paragraph(text, &format!("**This merge request changes `upstream_ref` from {from} to {to}. {effect}**"));
    if !dropped.is_empty() {
        let rows = dropped.iter().map(|patch| format!("**{}**", sanitize::code(patch.file.as_bytes())));
        bullets(text, rows, dropped.len());
    }
}

/// Writes what the merge request changes in dist-git, and whether that was verified.
pub(super) fn section(text: &mut String, report: &TransformReport) {
    changed_files(text, report);
    proof(text, report);
    merges(text, &report.merges);
    findings(text, &report.findings);
}

fn changed_files(text: &mut String, report: &TransformReport) {
    let patches: Vec<_> = report.patches.iter().filter_map(patch_row).collect();
    let kept = report.patches.iter().filter(|patch| patch.change == PatchChange::Kept).count();
    if patches.is_empty() && report.files.is_empty() {
        paragraph(text, "It changes nothing in dist-git any more.");
        return;
    }
    if !patches.is_empty() {
        let kept = match kept {
            0 => String::new(),
            1 => ", 1 stays as it is".to_owned(),
            many => format!(", {many} stay as they are"),
        };
        list(text, &format!("{}{kept}", count(patches.len(), "patch changes", "patches change")), patches);
    }
    if !report.files.is_empty() {
        let title = count(report.files.len(), "other file changes", "other files change");
        list(text, &title, report.files.iter().map(file_row).collect());
    }
}

fn patch_row(patch: &PatchReport) -> Option<String> {
    let file = sanitize::code(patch.file.as_bytes());
    let what = match &patch.change {
        PatchChange::Added => format!("added: {file}"),
        PatchChange::Changed => format!("changed: {file}"),
        PatchChange::Renamed { from } => format!("renamed: {} to {file}", sanitize::code(from.as_bytes())),
        PatchChange::Dropped => format!("dropped: {file}"),
        PatchChange::Ignored => format!("left out, as its commit asks: {file}"),
        PatchChange::Kept => return None,
    };
    let commits = match &patch.commits[..] {
        [] => String::new(),
        [one] => format!(", from {} {}", short(&one.id), sanitize::code(&one.subject)),
        [first, rest @ ..] => {
            format!(", from {} {} and {} more", short(&first.id), sanitize::code(&first.subject), rest.len())
        }
    };
    Some(format!("{what}{commits}"))
}

fn file_row(file: &FileReport) -> String {
    let what = match file.change {
        FileChange::Added => "added",
        FileChange::Changed => "changed",
        FileChange::Removed => "removed",
    };
    format!("{what}: {}", sanitize::code(file.path.as_bytes()))
}

fn proof(text: &mut String, report: &TransformReport) {
    let ProofReport { patches, tree, applied_by_spec, outside, .. } = &report.proof;
    let upstream = sanitize::code(report.upstream.name.as_bytes());
    let what = match patches {
        0 => format!("without any patch, {upstream} is the source that this merge request holds"),
        1 => format!("1 patch on {upstream} gives exactly the source that this merge request holds"),
        many => format!("{many} patches on {upstream} give exactly the source that this merge request holds"),
    };
    let tree = sanitize::code(tree.short().as_bytes());
    let mut result = match applied_by_spec {
        AppliedBySpec::Yes => format!("**Verified:** {what} (tree {tree})."),
        AppliedBySpec::No => format!(
            "**Not verified:** {what} (tree {tree}) with git, but `%prep` in the spec file, as it is written, cannot apply \
             all of them: see the problems below."
        ),
        AppliedBySpec::Unknown => format!(
            "**Not verified:** {what} (tree {tree}) with git, but how `%prep` in the spec file applies patches cannot be told \
             from its text."
        ),
    };
    result.push_str(" The upstream archive that the package is built from was not looked at.");
    paragraph(text, &result);
    if !outside.is_empty() {
        let title = count(outside.len(), "patch comes from no commit", "patches come from no commit");
        list(
            text,
            &format!("{title}, so nothing was checked"),
            outside.iter().map(|f| sanitize::code(f.as_bytes())).collect(),
        );
    }
}

fn merges(text: &mut String, merges: &MergeReport) {
    let explanation = match merges {
        MergeReport::None | MergeReport::EveryCommit { .. } => return,
        MergeReport::FirstParent { reason, .. } => format!(
            "The branch contains merge commits, and its other commits alone do not give its content ({}). So each merge became \
             one patch, with all that it brought in.",
            sanitize::sentence(reason)
        ),
        MergeReport::OnePatch { reason, .. } => format!(
            "The branch contains merge commits, so all of it became one patch ({}). Rebase the branch, without merge commits, to \
             get one patch for each commit.",
            sanitize::sentence(reason)
        ),
    };
    paragraph(text, &explanation);
}

pub(super) fn findings(text: &mut String, findings: &[Finding]) {
    for (level, one, many) in [
        (Level::Problem, "problem", "problems"),
        (Level::Warning, "warning", "warnings"),
        (Level::Note, "remark", "remarks"),
    ] {
        let rows: Vec<_> = findings.iter().filter(|finding| finding.level == level).map(finding_row).collect();
        if !rows.is_empty() {
            list(text, &count(rows.len(), one, many), rows);
        }
    }
}

fn finding_row(finding: &Finding) -> String {
    let remedy =
        finding.remedy.as_deref().map(|r| format!(" How to fix it: {}.", sanitize::sentence(r))).unwrap_or_default();
    format!("{}{}.{remedy}", subject(finding.subject.as_ref()), sanitize::sentence(&finding.text))
}

//! The bot's one note on the source-git merge request: everything that a contributor sees of dist-git.
//!
//! Written for somebody who has never heard of dist-git. The same input gives the same bytes, so that a note that says
//! nothing new is not edited.

pub mod ci_results;
pub mod commands;
pub mod retest_hint;

use std::fmt::Write as _;

use crate::pair::markers::{self, NoteState};
use crate::pair::note::ci_results::{CiSection, StatusesState};
use crate::pair::note::retest_hint::RetestHint;
use crate::pair::sanitize;
use crate::transform::report::{
    AppliedBySpec, FileChange, FileReport, MergeReport, PatchChange, PatchReport, ProofReport, Report,
};
use crate::types::{BranchName, CommitId, Finding, Level, MergeRequestIid, ProjectPath, Refusal, Subject};

/// How many patches, files or findings are listed; a longer list ends in their number.
const LISTED: usize = 100;

/// Up to how many entries a list stands open.
const OPEN: usize = 8;

/// What a note says, but for the dist-git merge request, which may be opened between plan and note.
#[derive(Clone, Debug)]
pub struct PairNote<'a> {
    /// The head of the source-git merge request.
    pub commit: CommitId,
    /// The tip of its target branch that was looked at, where one was.
    pub base: Option<CommitId>,
    /// What is the case.
    pub body: NoteBody<'a>,
    /// dist-git's CI results, where there is anything to say of them.
    pub results: Option<CiSection>,
    /// Who can start a pipeline, where one was asked for that the bot may not start.
    pub retest_hint: Option<RetestHint>,
}

/// The dist-git merge request, as a note names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistGitLink {
    /// The dist-git project.
    pub project: ProjectPath,
    /// The number.
    pub merge_request: MergeRequestIid,
    /// The address.
    pub url: String,
}

/// A change of the upstream ref between the target branch and the merge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamChange {
    /// What the target branch names.
    pub from: String,
    /// What the merge request names.
    pub to: String,
}

/// What a note says.
#[derive(Clone, Debug)]
pub enum NoteBody<'a> {
    /// dist-git holds the merge request.
    Synced {
        /// What changes there.
        report: &'a Report,
        /// The change of the upstream ref, where there is one.
        upstream: Option<&'a UpstreamChange>,
        /// What dist-git's merge request is kept in step with.
        synced_with: SyncedWith,
    },
    /// The merge request changes nothing in dist-git, and there is no merge request there.
    NothingToSync {
        /// Why.
        report: &'a Report,
    },
    /// The merge request cannot be synced.
    Blocked {
        /// Why.
        why: &'a Blocked,
        /// The commit that cannot be. Of a merge request that was merged, dist-git may hold an older one.
        commit: CommitId,
        /// How dist-git was left.
        left: DistGitState,
    },
    /// A person pushed to the bot's branch.
    PersonPushed {
        /// That branch.
        branch: BranchName,
    },
    /// The source-git merge request was closed, and the dist-git merge request with it.
    SourceClosed,
    /// The source-git merge request was closed, but somebody opened the dist-git merge request again.
    KeptOpen,
    /// The source-git merge request is for a branch that the instance does not handle.
    NotHandled {
        /// That branch.
        target: BranchName,
    },
    /// A person closed the dist-git merge request.
    Closed,
    /// A person merged the dist-git merge request.
    Merged,
}

/// What a dist-git merge request is kept in step with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncedWith {
    /// The source-git merge request.
    MergeRequest,
    /// The target branch, since the source-git merge request was merged into it.
    Target(BranchName),
}

/// What there is in dist-git of a merge request that cannot be synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DistGitState {
    /// No merge request.
    Nothing,
    /// An open one, which holds what could be synced last.
    Open,
    /// One that was closed.
    Closed,
}

/// Why dist-git was left as it is.
#[derive(Clone, Debug)]
pub enum Blocked {
    /// The content cannot be turned into dist-git content.
    Refused(Refusal),
    /// Who may not see the source would see it in dist-git.
    LessVisible,
    /// dist-git has no such branch.
    NoBranch {
        /// The dist-git project.
        project: ProjectPath,
        /// The branch.
        branch: BranchName,
    },
    /// There is no dist-git project.
    NoProject {
        /// Where it should be.
        project: ProjectPath,
    },
}

impl PairNote<'_> {
    /// Returns the note that remembers besides what became of the first status for its commit.
    #[must_use]
    pub fn remembering(&self, statuses: Option<&StatusesState>) -> Self {
        let mut note = self.clone();
        if let (Some(results), Some(statuses)) = (&mut note.results, statuses) {
            results.state.statuses = Some(statuses.clone());
        }
        note
    }

    /// Returns the note's text. `dist_git` is the dist-git merge request, where there is one by now.
    pub fn render(&self, dist_git: Option<&DistGitLink>) -> String {
        let mut text = String::new();
        heading(&mut text, dist_git);
        if let NoteBody::Synced { report, upstream: Some(change), .. } = &self.body {
            upstream_change(&mut text, change, report);
        }
        explanation(&mut text);
        // Where all is well, the results are what people look for; else what they have to fix comes first.
        let (first, last) = match &self.body {
            NoteBody::Synced { .. } => (self.results.as_ref(), None),
            _ => (None, self.results.as_ref()),
        };
        results(&mut text, first, &self.commit);
        match &self.body {
            NoteBody::Synced { report, synced_with, .. } => synced(&mut text, &self.commit, report, synced_with),
            NoteBody::NothingToSync { report } => nothing(&mut text, &self.commit, report),
            NoteBody::Blocked { why, commit, left } => blocked(&mut text, commit, why, *left),
            NoteBody::PersonPushed { branch } => person_pushed(&mut text, branch),
            NoteBody::SourceClosed => paragraph(
                &mut text,
                "**This merge request was closed, and the dist-git merge request with it.** Reopen this one, and the bot opens \
                 that one again.",
            ),
            NoteBody::KeptOpen => paragraph(
                &mut text,
                "**This merge request was closed, but the dist-git merge request was opened again there**, so the bot leaves \
                 that one alone.",
            ),
            NoteBody::NotHandled { target } => paragraph(
                &mut text,
                &format!(
                    "**This merge request is for the branch {} now**, from which nothing is carried over to dist-git. A dist-git \
                     merge request for another branch was closed.",
                    sanitize::code(target.as_str().as_bytes())
                ),
            ),
            NoteBody::Closed => paragraph(
                &mut text,
                "**The dist-git merge request was closed there**, so the bot no longer updates it. Whoever closed it may have \
                 said why: see its comments. If this change is still wanted, a Developer of this project can have it opened again \
                 with the comment `/dist-git recreate` here.",
            ),
            NoteBody::Merged => paragraph(
                &mut text,
                "**The dist-git merge request was merged**: the package has this change as it stood then. What is pushed here \
                 from now on does not get there; open a new merge request for it.",
            ),
        }
        results(&mut text, last, &self.commit);
        if let Some(retest_hint) = &self.retest_hint {
            paragraph(&mut text, &retest_hint.text());
        }
        paragraph(&mut text, &commands::section());
        let merge_request = dist_git.map(|link| link.merge_request);
        text.push_str(&markers::note_line(&NoteState { commit: self.commit, merge_request, base: self.base }));
        text
    }
}

/// Whether two bodies of a note are the same but for line ends and trailing white space, which GitLab may change.
pub fn same(a: &str, b: &str) -> bool {
    a.trim_end().lines().map(str::trim_end).eq(b.trim_end().lines().map(str::trim_end))
}

fn results(text: &mut String, section: Option<&CiSection>, head: &CommitId) {
    if let Some(section) = section {
        paragraph(text, &section.text(head));
    }
}

fn heading(text: &mut String, dist_git: Option<&DistGitLink>) {
    let what = match dist_git {
        Some(DistGitLink { project, merge_request, url }) => {
            format!("merge request [{project}!{merge_request}]({url})")
        }
        None => "no merge request".to_owned(),
    };
    paragraph(text, &format!("#### In dist-git: {what}"));
}

fn explanation(text: &mut String) {
    paragraph(
        text,
        "The distribution builds and tests this package from another repository, called *dist-git*. A bot carries this merge \
         request over to it, so you need not do anything there.",
    );
}

fn synced(text: &mut String, commit: &CommitId, report: &Report, synced_with: &SyncedWith) {
    let held = match synced_with {
        SyncedWith::MergeRequest => format!(
            "The dist-git merge request holds this one up to commit {}, rebased onto its target branch.",
            short(commit)
        ),
        SyncedWith::Target(target) => format!(
            "**This merge request was merged.** The dist-git merge request holds the branch {} up to commit {}, until the \
             package's maintainers merge it too.",
            sanitize::code(target.as_str().as_bytes()),
            short(commit)
        ),
    };
    paragraph(text, &held);
    changes(text, report);
    proof(text, report);
    merges(text, &report.merges);
    findings(text, &report.findings);
    if *synced_with != SyncedWith::MergeRequest {
        return;
    }
    paragraph(
        text,
        "**What happens next:** dist-git's CI tests what you push here, and its results come to this note. When you edit title \
         or description, dist-git follows. The package's maintainers review the change.",
    );
}

fn nothing(text: &mut String, commit: &CommitId, report: &Report) {
    paragraph(
        text,
        &format!(
            "**Commit {} changes nothing in dist-git**: no patch and no file there would differ, so the bot opened no merge \
             request.",
            short(commit)
        ),
    );
    findings(text, &report.findings);
    paragraph(text, "**What happens next:** nothing, until you push something that changes the package.");
}

fn upstream_change(text: &mut String, change: &UpstreamChange, report: &Report) {
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
        rows_of(text, rows, dropped.len());
    }
}

fn changes(text: &mut String, report: &Report) {
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

fn proof(text: &mut String, report: &Report) {
    let ProofReport { patches, tree, applied_by_spec, outside, .. } = &report.proof;
    let upstream = sanitize::code(report.upstream.name.as_bytes());
    let what = match patches {
        0 => format!("without any patch, {upstream} is the source that this merge request holds"),
        1 => format!("1 patch on {upstream} gives exactly the source that this merge request holds"),
        many => format!("{many} patches on {upstream} give exactly the source that this merge request holds"),
    };
    let tree = sanitize::code(tree.short().as_bytes());
    let mut said = match applied_by_spec {
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
    said.push_str(" The upstream archive that the package is built from was not looked at.");
    paragraph(text, &said);
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
    let said = match merges {
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
    paragraph(text, &said);
}

fn findings(text: &mut String, findings: &[Finding]) {
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

fn subject(subject: Option<&Subject>) -> String {
    match subject {
        None => String::new(),
        Some(Subject::Commit(id)) => format!("commit {}: ", short(id)),
        Some(Subject::File(path)) => format!("{}: ", sanitize::code(path.as_bytes())),
        Some(Subject::CommitFile(id, path)) => format!("commit {}, {}: ", short(id), sanitize::code(path.as_bytes())),
    }
}

fn blocked(text: &mut String, commit: &CommitId, why: &Blocked, left: DistGitState) {
    let (what, remedy) = match why {
        Blocked::Refused(refusal) => (
            format!("{}{}", subject(refusal.subject.as_ref()), sanitize::sentence(&refusal.text)),
            sanitize::sentence(&refusal.remedy),
        ),
        Blocked::LessVisible => (
            "fewer people may see this merge request than would see it in dist-git".to_owned(),
            "if it holds nothing secret, make this project and the fork that the merge request comes from as visible as dist-git; \
             else bring the change to dist-git in the way that is meant for embargoed fixes"
                .to_owned(),
        ),
        Blocked::NoBranch { project, branch } => (
            format!(
                "the dist-git project {} has no branch {}",
                sanitize::code(project.as_str().as_bytes()),
                sanitize::code(branch.as_str().as_bytes())
            ),
            "choose another target branch for this merge request, or ask the package's maintainers to create the branch in \
             dist-git"
                .to_owned(),
        ),
        Blocked::NoProject { project } => (
            format!("there is no dist-git project {} that the bot can see", sanitize::code(project.as_str().as_bytes())),
            "ask the package's maintainers whether this package is meant to be kept in source-git".to_owned(),
        ),
    };
    paragraph(text, &format!("**Commit {} cannot be carried over:** {what}.", short(commit)));
    paragraph(text, &format!("**How to fix it:** {remedy}."));
    let left = match left {
        DistGitState::Nothing => "dist-git was left as it is.",
        DistGitState::Open => "dist-git was left as it is: its merge request still holds an earlier state of this one.",
        DistGitState::Closed => {
            "dist-git was left as it is: its merge request stays closed until this one can be carried over."
        }
    };
    paragraph(text, &format!("{left} The bot tries again when this merge request changes."));
}

fn person_pushed(text: &mut String, branch: &BranchName) {
    paragraph(
        text,
        &format!(
            "**Somebody pushed to the bot's branch {} in dist-git.** So as not to overwrite that work, the bot no longer updates \
             it, and what dist-git tests is no longer exactly this merge request.",
            sanitize::code(branch.as_str().as_bytes())
        ),
    );
    paragraph(
        text,
        "**How to fix it:** bring what was pushed there into this merge request. Then a Developer of this project can have the bot \
         rebuild its branch, with the comment `/dist-git recreate` here; or whoever pushed there removes it from that branch again.",
    );
}

fn short(id: &CommitId) -> String {
    sanitize::code(id.short().as_bytes())
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn paragraph(text: &mut String, said: &str) {
    text.push_str(said);
    text.push_str("\n\n");
}

/// Writes a list below its title; a long one folded up.
fn list(text: &mut String, title: &str, rows: Vec<String>) {
    let total = rows.len();
    if total > OPEN {
        paragraph(text, &format!("<details><summary>{title}</summary>"));
        rows_of(text, rows.into_iter(), total);
        paragraph(text, "</details>");
    } else {
        paragraph(text, &format!("**{title}:**"));
        rows_of(text, rows.into_iter(), total);
    }
}

fn rows_of(text: &mut String, rows: impl Iterator<Item = String>, total: usize) {
    for row in rows.take(LISTED) {
        let _ = writeln!(text, "- {row}");
    }
    if total > LISTED {
        let _ = writeln!(text, "- … and {} more", total - LISTED);
    }
    text.push('\n');
}

#[cfg(test)]
pub(super) mod tests;

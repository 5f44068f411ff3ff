//! The section of the note with the state of the pair: whether dist-git holds the merge request, or why not, and what
//! to do about it.

use crate::pair::facts::{Blocked, UpstreamChange};
use crate::pair::note::changes;
use crate::pair::note::markdown::{paragraph, short, subject};
use crate::pair::sanitize;
use crate::transform::report::TransformReport;
use crate::types::{BranchName, CommitId};

/// What the note says of a pair.
#[derive(Clone, Debug)]
pub enum NoteBody<'a> {
    /// dist-git holds the merge request.
    Synced {
        /// What changes there.
        report: &'a TransformReport,
        /// The change of the upstream ref, if there is one.
        upstream: Option<&'a UpstreamChange>,
        synced_with: SyncedWith,
    },
    /// The merge request changes nothing in dist-git, and there is no merge request there.
    NothingToSync { report: &'a TransformReport },
    /// The merge request cannot be synced.
    Blocked {
        why: &'a Blocked,
        /// The commit that cannot be synced. After a merge, dist-git may hold an older one.
        commit: CommitId,
        dist_git: DistGitState,
    },
    /// A person pushed to the bot's branch.
    PersonPushed { branch: BranchName },
    /// The source-git merge request was closed, and the bot closed the dist-git one with it.
    SourceClosed,
    /// The source-git merge request was closed, but somebody reopened the dist-git one.
    KeptOpen,
    /// The source-git merge request is for a branch that the instance does not handle.
    NotHandled { target: BranchName },
    /// A person closed the dist-git merge request.
    Closed,
    /// A person merged the dist-git merge request.
    Merged,
}

/// What the bot keeps the dist-git merge request in step with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncedWith {
    /// The source-git merge request.
    MergeRequest,
    /// The target branch, since the source-git merge request was merged into it.
    Target(BranchName),
}

/// What dist-git has of a merge request that cannot be synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DistGitState {
    /// No merge request.
    Nothing,
    /// An open merge request, which holds what could be synced last.
    Open,
    /// A closed merge request.
    Closed,
}

impl NoteBody<'_> {
    /// Writes the section. `head` is the commit that the note is about.
    pub(super) fn write(&self, text: &mut String, head: &CommitId) {
        match self {
            Self::Synced { report, synced_with, .. } => synced(text, head, report, synced_with),
            Self::NothingToSync { report } => nothing(text, head, report),
            Self::Blocked { why, commit, dist_git } => blocked(text, commit, why, *dist_git),
            Self::PersonPushed { branch } => person_pushed(text, branch),
            Self::SourceClosed => paragraph(
                text,
                "**This merge request was closed, and the dist-git merge request with it.** Reopen this one, and the bot opens \
                 that one again.",
            ),
            Self::KeptOpen => paragraph(
                text,
                "**This merge request was closed, but the dist-git merge request was opened again there**, so the bot leaves \
                 that one alone.",
            ),
            Self::NotHandled { target } => paragraph(
                text,
                &format!(
                    "**This merge request is for the branch {} now**, from which nothing is carried over to dist-git. A dist-git \
                     merge request for another branch was closed.",
                    sanitize::code(target.as_str().as_bytes())
                ),
            ),
            Self::Closed => paragraph(
                text,
                "**The dist-git merge request was closed there**, so the bot no longer updates it. Whoever closed it may have \
                 said why: see its comments. If this change is still wanted, a Developer of this project can have it opened again \
                 with the comment `/dist-git recreate` here.",
            ),
            Self::Merged => paragraph(
                text,
                "**The dist-git merge request was merged**: the package has this change as it stood then. What is pushed here \
                 from now on does not get there; open a new merge request for it.",
            ),
        }
    }
}

fn synced(text: &mut String, commit: &CommitId, report: &TransformReport, synced_with: &SyncedWith) {
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
    changes::section(text, report);
    if *synced_with != SyncedWith::MergeRequest {
        return;
    }
    paragraph(
        text,
        "**What happens next:** dist-git's CI tests what you push here, and its results come to this note. When you edit title \
         or description, dist-git follows. The package's maintainers review the change.",
    );
}

fn nothing(text: &mut String, commit: &CommitId, report: &TransformReport) {
    paragraph(
        text,
        &format!(
            "**Commit {} changes nothing in dist-git**: no patch and no file there would differ, so the bot opened no merge \
             request.",
            short(commit)
        ),
    );
    changes::findings(text, &report.findings);
    paragraph(text, "**What happens next:** nothing, until you push something that changes the package.");
}

fn blocked(text: &mut String, commit: &CommitId, why: &Blocked, dist_git: DistGitState) {
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
    let outcome = match dist_git {
        DistGitState::Nothing => "dist-git was left as it is.",
        DistGitState::Open => "dist-git was left as it is: its merge request still holds an earlier state of this one.",
        DistGitState::Closed => {
            "dist-git was left as it is: its merge request stays closed until this one can be carried over."
        }
    };
    paragraph(text, &format!("{outcome} The bot tries again when this merge request changes."));
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

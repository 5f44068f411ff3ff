//! The bot's one note on the source-git merge request: everything that a contributor sees of dist-git. Each section has
//! a file of its own.
//!
//! The note is written for people who have never heard of dist-git. The same input gives the same bytes, so the bot
//! does not edit a note that says nothing new.

mod changes;
pub mod ci_results;
pub mod commands;
mod markdown;
pub mod retest_hint;
mod verdict;

use crate::pair::facts::DistGitLink;
use crate::pair::markers::{self, NoteState};
use crate::pair::note::ci_results::CiSection;
use crate::pair::note::markdown::paragraph;
use crate::pair::note::retest_hint::RetestHint;
pub use crate::pair::note::verdict::{DistGitState, NoteBody, SyncedWith};
use crate::pair::statuses::StatusesState;
use crate::types::CommitId;

/// What a note says, except for the dist-git merge request, which the bot may open between the plan and the note.
#[derive(Clone, Debug)]
pub struct PairNote<'a> {
    /// The head of the source-git merge request.
    pub commit: CommitId,
    /// The tip of its target branch that was used, if one was.
    pub base: Option<CommitId>,
    pub body: NoteBody<'a>,
    /// The results of dist-git's CI, if there is anything to say about them.
    pub results: Option<CiSection>,
    /// Who can start a pipeline, if somebody asked for one that the bot may not start.
    pub retest_hint: Option<RetestHint>,
}

impl PairNote<'_> {
    /// Returns the note that also remembers the first status for its commit.
    #[must_use]
    pub fn with_statuses(&self, statuses: Option<&StatusesState>) -> Self {
        let mut note = self.clone();
        if let (Some(results), Some(statuses)) = (&mut note.results, statuses) {
            results.state.statuses = Some(statuses.clone());
        }
        note
    }

    /// Returns the note's text. `dist_git` is the dist-git merge request, if there is one by now.
    pub fn render(&self, dist_git: Option<&DistGitLink>) -> String {
        let mut text = String::new();
        heading(&mut text, dist_git);
        if let NoteBody::Synced { report, upstream: Some(change), .. } = &self.body {
            changes::upstream(&mut text, change, report);
        }
        explanation(&mut text);
        // If all is well, people look for the results. If not, they first need to know what to fix.
        let (first, last) = match &self.body {
            NoteBody::Synced { .. } => (self.results.as_ref(), None),
            _ => (None, self.results.as_ref()),
        };
        results(&mut text, first, &self.commit);
        self.body.write(&mut text, &self.commit);
        results(&mut text, last, &self.commit);
        if let Some(hint) = &self.retest_hint {
            paragraph(&mut text, &hint.render());
        }
        paragraph(&mut text, &commands::section());
        let merge_request = dist_git.map(|link| link.merge_request);
        text.push_str(&markers::note_line(&NoteState { commit: self.commit, merge_request, base: self.base }));
        text
    }
}

/// Whether two texts are the same except for line ends and trailing white space, which GitLab may change.
pub fn same(a: &str, b: &str) -> bool {
    a.trim_end().lines().map(str::trim_end).eq(b.trim_end().lines().map(str::trim_end))
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

fn results(text: &mut String, section: Option<&CiSection>, head: &CommitId) {
    if let Some(section) = section {
        paragraph(text, &section.render(head));
    }
}

#[cfg(test)]
mod tests;

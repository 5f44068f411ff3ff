//! The bot's reactions to a comment: the claim of the job that runs the command, and the answer.
//!
//! A user can react to a note with the same emoji only once; GitLab answers 404 to the second try. But GitLab checks
//! this before it writes, so two jobs at the same time may both succeed. Then the job whose reaction has the lowest id
//! holds the claim.

use crate::forge::{Award, AwardId};
use crate::ops::session::Session;
use crate::pair::note::commands::Reaction;
use crate::types::error::{ForgeError, Result};
use crate::types::{MergeRequestIid, NoteId, ProjectId};

pub(crate) struct CommentReactions<'a> {
    pub(crate) session: &'a Session,
    pub(crate) note: (ProjectId, MergeRequestIid, NoteId),
}

/// What the bot's reactions to a comment say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommentState {
    New,
    /// A job has begun to run the command.
    Claimed,
    Answered,
}

/// The result of claiming a comment.
#[derive(Debug)]
pub(crate) enum Claim {
    /// This job holds the claim.
    Held(AwardId),
    /// Another job holds the claim.
    Lost,
    /// This job or another one holds the claim: GitLab's answer was lost.
    Unknown(ForgeError),
}

impl CommentReactions<'_> {
    /// Returns what the bot's reactions say. Any reaction other than the claim is an answer, because GitLab may use
    /// another name for the emoji.
    pub(crate) fn state(&self) -> Result<CommentState, ForgeError> {
        Ok(comment_state(&self.own()?))
    }

    /// Claims the comment for this job.
    pub(crate) fn claim(&self) -> Result<Claim, ForgeError> {
        let (project, iid, note) = self.note;
        let awarded = self.session.forge.award(project, iid, note, Reaction::Begun.name());
        let first = self.own()?.into_iter().map(|award| award.id).min();
        match (awarded, first) {
            // A list from a replica may not show the new reaction yet.
            (Ok(award), first) if first.is_none_or(|first| first >= award.id) => Ok(Claim::Held(award.id)),
            (Ok(_), _) => Ok(Claim::Lost),
            (Err(error @ ForgeError::MaybeDone(_)), Some(_)) => Ok(Claim::Unknown(error)),
            (Err(error), Some(_)) => {
                tracing::debug!("the comment is claimed already: {error}");
                Ok(Claim::Lost)
            }
            (Err(error), None) => Err(error),
        }
    }

    /// Withdraws this job's claim.
    pub(crate) fn release(&self, claim: AwardId) -> Result<(), ForgeError> {
        let (project, iid, note) = self.note;
        self.session.forge.remove_award(project, iid, note, claim)
    }

    /// Answers the comment. A deleted comment needs no answer, and another job's answer is good enough.
    pub(crate) fn answer(&self, reaction: Reaction) -> Result<()> {
        let (project, iid, note) = self.note;
        let Err(error) = self.session.forge.award(project, iid, note, reaction.name()) else { return Ok(()) };
        if error.concerns_every_request() {
            return Err(error.into());
        }
        match self.own() {
            Ok(own) if comment_state(&own) == CommentState::Answered => Ok(()),
            Err(ForgeError::NotFoundOrNoAccess(_)) => {
                tracing::info!("the comment is not there any more: it is not answered");
                Ok(())
            }
            _ => Err(error.into()),
        }
    }

    fn own(&self) -> Result<Vec<Award>, ForgeError> {
        let ((project, iid, note), bot) = (self.note, self.session.current_user()?.user.id);
        let is_own = |award: &Result<Award, ForgeError>| !award.as_ref().is_ok_and(|award| award.user.id != bot);
        self.session.forge.awards(project, iid, note).filter(is_own).collect()
    }
}

fn comment_state(own: &[Award]) -> CommentState {
    match own {
        [] => CommentState::New,
        own if own.iter().all(|award| award.name == Reaction::Begun.name()) => CommentState::Claimed,
        _ => CommentState::Answered,
    }
}

//! The bot's reactions to a comment: the claim of the job that does what it asks for, and the answer.
//!
//! GitLab lets a user react to a note with an emoji once, and answers 404 to the second time. It checks that before it
//! writes, so that two jobs at once may both succeed: whoever has the reaction with the lowest number holds the claim.
use crate::forge::{Award, AwardId};
use crate::ops::session::Session;
use crate::pair::note::commands::Reaction;
use crate::types::error::{ForgeError, Result};
use crate::types::{MergeRequestIid, NoteId, ProjectId};

/// A comment, to be marked.
pub(crate) struct Marks<'a> {
    pub(crate) session: &'a Session,
    pub(crate) note: (ProjectId, MergeRequestIid, NoteId),
}

/// How a comment is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marked {
    /// Not at all.
    No,
    /// A job has begun.
    Claimed,
    /// It was answered.
    Answered,
}

/// What came of claiming a comment.
#[derive(Debug)]
pub(crate) enum Claim {
    /// It is this job's.
    Held(AwardId),
    /// It is another's.
    Lost,
    /// It is this job's or another's: GitLab's answer was lost.
    Unknown(ForgeError),
}

impl Marks<'_> {
    /// Says how the comment is marked. Any reaction of the bot but the claim is an answer: GitLab may have another name for
    /// the emoji.
    pub(crate) fn read(&self) -> Result<Marked, ForgeError> {
        Ok(marked(&self.own()?))
    }

    /// Claims the comment for this job.
    pub(crate) fn claim(&self) -> Result<Claim, ForgeError> {
        let (project, iid, note) = self.note;
        let awarded = self.session.forge.award(project, iid, note, Reaction::Begun.name());
        let first = self.own()?.into_iter().map(|award| award.id).min();
        match (awarded, first) {
            // A list that is behind does not show it yet.
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

    /// Takes this job's claim back.
    pub(crate) fn take_back(&self, claim: AwardId) -> Result<(), ForgeError> {
        let (project, iid, note) = self.note;
        self.session.forge.remove_award(project, iid, note, claim)
    }

    /// Answers the comment. One that is gone needs no answer, and another job's will do.
    pub(crate) fn answer(&self, reaction: Reaction) -> Result<()> {
        let (project, iid, note) = self.note;
        let Err(error) = self.session.forge.award(project, iid, note, reaction.name()) else { return Ok(()) };
        if error.concerns_every_request() {
            return Err(error.into());
        }
        match self.own() {
            Ok(own) if marked(&own) == Marked::Answered => Ok(()),
            Err(ForgeError::NotFoundOrNoAccess(_)) => {
                tracing::info!("the comment is not there any more: it is not answered");
                Ok(())
            }
            _ => Err(error.into()),
        }
    }

    /// The bot's reactions to the comment.
    fn own(&self) -> Result<Vec<Award>, ForgeError> {
        let ((project, iid, note), myself) = (self.note, self.session.myself()?.user.id);
        let is_own = |award: &Result<Award, ForgeError>| !award.as_ref().is_ok_and(|award| award.user.id != myself);
        self.session.forge.awards(project, iid, note).filter(is_own).collect()
    }
}

fn marked(own: &[Award]) -> Marked {
    match own {
        [] => Marked::No,
        own if own.iter().all(|award| award.name == Reaction::Begun.name()) => Marked::Claimed,
        _ => Marked::Answered,
    }
}

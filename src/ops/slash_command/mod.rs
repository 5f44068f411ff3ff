//! A comment on a source-git merge request: what it asks for is done, once, where its author may ask for it.
//!
//! An event gives the comment's number and nothing else. All that decides is read from GitLab: the text, who wrote it and
//! when, the author's role, and whether the bot has reacted to it before. The bot answers with a reaction alone, but for
//! one comment on a merge request that explains the commands.
//!
//! **Never twice.** Whatever bears the bot's answer is not looked at again. `sync` and `help` do nothing the second time:
//! they are done and then answered, and what breaks off in between is done by the next job that comes by. `retest` and
//! `recreate` would do something: they are claimed first ([`marks`]), and of two jobs the one with the older claim goes on.
//!
//! - Where it fails in a way that may pass (exit status 5), the job takes its claim back, so that it can be tried again:
//!   GitLab's retry of the job does. Nothing was done then, or as much of `recreate` as the next try completes.
//! - Where GitLab's answer to the claim was lost, the claim that is there may be another job's. It is not done, and the answer
//!   is that it failed: else nobody would do it, and nobody would know. Another job that does it says so beside that.
//! - Where it is not known whether a pipeline was started, the answer is that it failed: nobody tries again by itself.
//! - A job that is killed, or that GitLab does not hear any more, leaves its claim behind. Nobody can tell whether it is
//!   still at work, so the command is not taken up: the log says so, the comment bears the claim alone, and its author can
//!   write another one. What `recreate` began, the next sync completes as far as people have not said otherwise.

mod explain;
mod marks;

use anyhow::{Error, Result};
use chrono::{DateTime, Utc};

use crate::cli::args::Global;
use crate::cli::exit::ExitStatus;
use crate::forge::{AccessLevel, AwardId, ForgeError, Note};
use crate::git::Git;
use crate::ops::merge_request_reference::MergeRequestReference;
use crate::ops::named::Named;
use crate::ops::outcome::Effect;
use crate::ops::retest::{self, Retested};
use crate::ops::session::Bot;
use crate::ops::slash_command::marks::{Claim, Marked, Marks};
use crate::ops::sync::{self, Synced};
use crate::ops::{Surroundings, recreate, report};
use crate::pair::note::commands::Reaction;
use crate::pair::slash_command::{self, CommentAuthor, SlashCommand, SlashRequest};
use crate::types::{NoteId, ProjectId};

/// Does what a comment asks for.
pub(crate) fn follow(
    bot: &Bot,
    named: Named,
    project: ProjectId,
    note: NoteId,
    global: &Global,
    surroundings: &Surroundings,
) -> Result<()> {
    let MergeRequestReference { project: path, iid } = &named.reference;
    let note = match bot.forge.note(project, *iid, note) {
        Ok(note) => note,
        Err(ForgeError::NotFoundOrNoAccess(_)) => {
            tracing::info!("there is no such comment on {path}!{iid}: nothing to do");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let asked = if note.system { None } else { slash_command::parse(&note.body) };
    let Some(asked) = asked else {
        tracing::info!("the comment asks the bot for nothing: nothing to do");
        return Ok(());
    };
    if note.author.id == bot.myself()?.user.id {
        tracing::info!("the comment is the bot's own: nothing to do");
        return Ok(());
    }
    let marks = Marks { bot, note: (project, *iid, note.id) };
    match marks.read()? {
        Marked::No => {}
        Marked::Answered => {
            tracing::info!("the comment was answered before: nothing to do");
            return Ok(());
        }
        Marked::Claimed => {
            tracing::warn!(
                "a job has begun with what the comment asks for, and has not ended: it is not done twice; where nothing \
                 comes of it, write another comment"
            );
            return Ok(());
        }
    }
    let following = Following { bot, named, marks, global, surroundings };
    match following.permission(&note, asked, project)? {
        Ok(()) => following.go_on(asked),
        Err(why) => following.refuse(&format!("the comment is not followed: {why}")),
    }
}

/// A comment that is being followed.
struct Following<'a> {
    bot: &'a Bot,
    named: Named,
    marks: Marks<'a>,
    global: &'a Global,
    surroundings: &'a Surroundings,
}

/// What has become of a command.
enum Outcome {
    /// It was done; what is left to do fails without it.
    Done(Result<()>),
    /// It was not done, for this reason.
    Refused(String),
    /// It failed in a way that another try does not mend, or must not.
    Failed(Error),
    /// It may be tried again.
    Again(Error),
}

impl Outcome {
    /// What an error says.
    fn of(error: Error) -> Self {
        if ExitStatus::of(&error) == ExitStatus::Unavailable { Self::Again(error) } else { Self::Failed(error) }
    }
}

impl Following<'_> {
    /// Whether the comment is to be followed.
    fn permission(
        &self,
        note: &Note,
        asked: SlashRequest,
        project: ProjectId,
    ) -> Result<Result<(), slash_command::CommandRefusal>, ForgeError> {
        let written = DateTime::parse_from_rfc3339(&note.created_at).ok().map(|written| written.to_utc());
        let now = self.bot.forge.server_time().unwrap_or_else(Utc::now);
        if let Err(old) = slash_command::check_age(written, now) {
            return Ok(Err(old));
        }
        let author = if self.bot.forge.role(project, note.author.id)? >= AccessLevel::DEVELOPER {
            CommentAuthor::Developer
        } else {
            let opened_by = self.bot.forge.merge_request(project, self.named.reference.iid)?.author.id;
            if opened_by == note.author.id { CommentAuthor::MergeRequestAuthor } else { CommentAuthor::Stranger }
        };
        Ok(asked.permission(author))
    }

    /// Answers that nothing was done.
    fn refuse(&self, why: &str) -> Result<()> {
        tracing::info!("{why}");
        self.answer(Reaction::Refused)
    }

    fn answer(&self, reaction: Reaction) -> Result<()> {
        if self.global.dry_run { Ok(()) } else { self.marks.answer(reaction) }
    }

    fn go_on(&self, asked: SlashRequest) -> Result<()> {
        match asked {
            SlashRequest::Unknown => self.explain(Reaction::Unknown),
            SlashRequest::Command(SlashCommand::Help) => self.explain(Reaction::Done),
            SlashRequest::Command(SlashCommand::Sync) => {
                tracing::info!("the comment asks for `sync`");
                self.end(self.sync(), None)
            }
            SlashRequest::Command(command @ (SlashCommand::Retest | SlashCommand::Recreate)) => {
                tracing::info!("the comment asks for `{}`", command.word());
                let claim = if self.global.dry_run { None } else { Some(self.marks.claim()?) };
                let claim = match claim {
                    Some(Claim::Lost) => {
                        tracing::info!("another job does it: nothing to do");
                        return Ok(());
                    }
                    Some(Claim::Unknown(error)) => {
                        tracing::warn!("whether another job does it is not known, so it is not done here: {error}");
                        return self.answer(Reaction::Failed);
                    }
                    Some(Claim::Held(id)) => Some(id),
                    None => None,
                };
                let outcome = if command == SlashCommand::Retest { self.retest() } else { self.recreate() };
                self.end(outcome, claim)
            }
        }
    }

    fn explain(&self, reaction: Reaction) -> Result<()> {
        if self.global.dry_run {
            tracing::info!("would explain the commands, where that was not done before");
            return Ok(());
        }
        let (project, iid, _) = self.marks.note;
        explain::once(self.bot, project, iid)?;
        self.answer(reaction)
    }

    fn sync(&self) -> Outcome {
        let Named { reference, dist_path } = self.named.clone();
        let synced = Git::find(&self.surroundings.search_path).and_then(|git| {
            sync::Work::new(self.bot, &git, reference.clone(), dist_path).run(self.global, self.surroundings)
        });
        match self.outcome(synced) {
            Outcome::Done(Ok(())) => match self.report(reference) {
                Ok(()) => Outcome::Done(Ok(())),
                Err(error) => Outcome::of(error),
            },
            outcome => outcome,
        }
    }

    fn report(&self, reference: MergeRequestReference) -> Result<()> {
        match report::find(self.bot, &report::Asked::MergeRequest(reference))? {
            Some(pair) => report::report(self.bot, pair, self.global, self.surroundings)?.print(),
            None => Ok(()),
        }
    }

    fn recreate(&self) -> Outcome {
        match recreate::objection(self.bot, &self.named.reference) {
            Ok(None) => {}
            Ok(Some(refusal)) => return Outcome::Refused(refusal.to_string()),
            Err(error) => return Outcome::of(error),
        }
        self.outcome(recreate::recreate(self.bot, self.named.clone(), self.global, self.surroundings))
    }

    /// What became of a sync: that the merge request cannot be synced is its outcome, which the note explains.
    fn outcome(&self, synced: Result<Synced>) -> Outcome {
        match synced.and_then(Synced::finish) {
            Ok(()) => Outcome::Done(Ok(())),
            Err(error) => Outcome::of(error),
        }
    }

    fn retest(&self) -> Outcome {
        match retest::retest(self.bot, &self.named.reference, self.global) {
            Ok(Retested::Started(pair)) => Outcome::Done(retest::tell(self.bot, *pair, self.global, self.surroundings)),
            Ok(Retested::Refused(refusal)) => Outcome::Refused(refusal.to_string()),
            Ok(Retested::Unsettled(error)) => Outcome::Failed(error.into()),
            Ok(Retested::Shown(text)) => Outcome::Done(Effect::Shown(text).print()),
            Err(error) => Outcome::of(error),
        }
    }

    /// Answers, or takes the claim back.
    fn end(&self, outcome: Outcome, claim: Option<AwardId>) -> Result<()> {
        match outcome {
            Outcome::Done(rest) => {
                self.answer(Reaction::Done)?;
                rest
            }
            Outcome::Refused(why) => self.refuse(&why),
            Outcome::Failed(error) => {
                if let Err(unsaid) = self.answer(Reaction::Failed) {
                    tracing::warn!("the comment does not bear the answer: {unsaid:#}");
                }
                Err(error)
            }
            Outcome::Again(error) => {
                if let Some(claim) = claim
                    && let Err(left) = self.marks.take_back(claim)
                {
                    tracing::warn!("the claim on the comment stays, so that nobody takes it up: {left:#}");
                }
                Err(error)
            }
        }
    }
}

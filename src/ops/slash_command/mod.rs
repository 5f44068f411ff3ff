//! Slash commands: does what a comment on a source-git merge request asks for, once, if its author may ask for it.
//!
//! An event only gives the id of the comment. Everything else is read from GitLab: the text, the author and their role,
//! the time, and whether the bot has reacted before. The bot answers with a reaction. The only note that it writes is
//! the one that explains the commands, once on each merge request.
//!
//! **Never twice.** The bot ignores a comment that it has answered. Running `sync` or `help` a second time changes
//! nothing, so a job runs them first and then answers; if it breaks off in between, the next job runs them again.
//! `retest` and `recreate` would change something, so a job claims the comment first ([`reactions`]). If two jobs do,
//! the one with the older claim continues.
//!
//! - If a command fails for a reason that may pass (exit status 5), the job withdraws its claim. GitLab's retry of the
//!   job can then try again. Either nothing was done, or a part of `recreate` that the next try completes.
//! - If GitLab's answer to the claim was lost, the existing claim may belong to another job. This job does not run the
//!   command, and answers that it failed. Otherwise nobody might run it, and nobody would know. If another job does run
//!   it, its answer is added to this one.
//! - If it is unknown whether a pipeline was started, the answer is that it failed. Nothing tries again automatically.
//! - A job that is killed, or that loses its connection to GitLab, leaves its claim behind. Nobody can tell whether it
//!   is still running, so no other job takes over. The log says so, the comment keeps the claim and gets no answer, and
//!   its author can write another comment. What `recreate` began, the next sync completes, as far as people have not
//!   decided otherwise.

mod reactions;

use chrono::{DateTime, Utc};

use crate::forge::{AwardId, Note};
use crate::ops::find_pair::{self, PairReference};
use crate::ops::outcome::Outcome;
use crate::ops::reference::{MergeRequestReference, NamedMergeRequest};
use crate::ops::retest::{self, Retested};
use crate::ops::session::Session;
use crate::ops::slash_command::reactions::{Claim, CommentReactions, CommentState};
use crate::ops::sync::{self, SyncRequest, Synced};
use crate::ops::{notes, recreate, report};
use crate::pair::note::commands::Reaction;
use crate::pair::slash_command::{self, CommentAuthor, SlashCommand, SlashRequest};
use crate::types::error::{Error, ErrorKind, ForgeError, Result};
use crate::types::{AccessLevel, NoteId, ProjectId};

/// Does what a comment asks for, and answers it with a reaction.
pub(crate) fn follow(
    session: &Session,
    named: NamedMergeRequest,
    project: ProjectId,
    note: NoteId,
    outcomes: &mut Vec<Outcome>,
) -> Result<()> {
    let MergeRequestReference { project: path, iid } = &named.reference;
    let note = match session.forge.note(project, *iid, note) {
        Ok(note) => note,
        Err(ForgeError::NotFoundOrNoAccess(_)) => {
            tracing::info!("there is no such comment on {path}!{iid}: nothing to do");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let request = if note.system { None } else { slash_command::parse(&note.body) };
    let Some(request) = request else {
        tracing::info!("the comment asks the bot for nothing: nothing to do");
        return Ok(());
    };
    if note.author.id == session.current_user()?.user.id {
        tracing::info!("the comment is the bot's own: nothing to do");
        return Ok(());
    }
    let reactions = CommentReactions { session, note: (project, *iid, note.id) };
    match reactions.state()? {
        CommentState::New => {}
        CommentState::Answered => {
            tracing::info!("the comment was answered before: nothing to do");
            return Ok(());
        }
        CommentState::Claimed => {
            tracing::warn!(
                "a job has begun with what the comment asks for, and has not ended: it is not done twice; where \
                 nothing comes of it, write another comment"
            );
            return Ok(());
        }
    }
    let mut run = CommandRun { session, named, reactions, outcomes };
    match run.permission(&note, request, project)? {
        Ok(()) => run.execute(request),
        Err(why) => run.refuse(&format!("the comment is not followed: {why}")),
    }
}

/// The execution of a comment's command.
struct CommandRun<'a> {
    session: &'a Session,
    named: NamedMergeRequest,
    reactions: CommentReactions<'a>,
    outcomes: &'a mut Vec<Outcome>,
}

/// The result of a command.
enum CommandOutcome {
    /// It was done. An error is about what comes after the command itself.
    Done(Result<()>),
    /// It was not done, for this reason.
    Refused(String),
    /// It failed. Another try does not help, or is not allowed.
    Failed(Error),
    /// It failed, and may be tried again.
    Retry(Error),
}

impl CommandOutcome {
    fn of(error: Error) -> Self {
        if error.kind() == ErrorKind::Unavailable { Self::Retry(error) } else { Self::Failed(error) }
    }
}

impl CommandRun<'_> {
    /// Whether the bot follows the comment.
    fn permission(
        &self,
        note: &Note,
        request: SlashRequest,
        project: ProjectId,
    ) -> Result<Result<(), slash_command::CommandRefusal>, ForgeError> {
        let created = DateTime::parse_from_rfc3339(&note.created_at).ok().map(|created| created.to_utc());
        let now = self.session.forge.server_time().unwrap_or_else(Utc::now);
        if let Err(old) = slash_command::check_age(created, now) {
            return Ok(Err(old));
        }
        let author = if self.session.forge.role(project, note.author.id)? >= AccessLevel::DEVELOPER {
            CommentAuthor::Developer
        } else {
            let opened_by = self.session.forge.merge_request(project, self.named.reference.iid)?.author.id;
            if opened_by == note.author.id { CommentAuthor::MergeRequestAuthor } else { CommentAuthor::Stranger }
        };
        Ok(request.permission(author))
    }

    /// Answers that nothing was done.
    fn refuse(&self, why: &str) -> Result<()> {
        tracing::info!("{why}");
        self.answer(Reaction::Refused)
    }

    fn answer(&self, reaction: Reaction) -> Result<()> {
        if self.session.is_dry_run() { Ok(()) } else { self.reactions.answer(reaction) }
    }

    fn execute(&mut self, request: SlashRequest) -> Result<()> {
        match request {
            SlashRequest::Unknown => self.explain(Reaction::Unknown),
            SlashRequest::Command(SlashCommand::Help) => self.explain(Reaction::Done),
            SlashRequest::Command(SlashCommand::Sync) => {
                tracing::info!("the comment asks for `sync`");
                let outcome = self.sync();
                self.finish(outcome, None)
            }
            SlashRequest::Command(command @ (SlashCommand::Retest | SlashCommand::Recreate)) => {
                tracing::info!("the comment asks for `{}`", command.word());
                let claim = if self.session.is_dry_run() { None } else { Some(self.reactions.claim()?) };
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
                self.finish(outcome, claim)
            }
        }
    }

    fn explain(&self, reaction: Reaction) -> Result<()> {
        if self.session.is_dry_run() {
            tracing::info!("would explain the commands, where that was not done before");
            return Ok(());
        }
        let (project, iid, _) = self.reactions.note;
        notes::explain_commands(self.session, project, iid)?;
        self.answer(reaction)
    }

    fn sync(&mut self) -> CommandOutcome {
        let request = SyncRequest::new(self.named.clone());
        match self.outcome_of(sync::sync(self.session, &request)) {
            CommandOutcome::Done(Ok(())) => match self.report() {
                Ok(()) => CommandOutcome::Done(Ok(())),
                Err(error) => CommandOutcome::of(error),
            },
            outcome => outcome,
        }
    }

    fn report(&mut self) -> Result<()> {
        let reference = PairReference::MergeRequest(self.named.reference.clone());
        if let Some(pair) = find_pair::find(self.session, &reference)? {
            self.outcomes.push(report::report(self.session, pair)?);
        }
        Ok(())
    }

    fn recreate(&mut self) -> CommandOutcome {
        match recreate::refusal(self.session, &self.named.reference) {
            Ok(None) => {}
            Ok(Some(refusal)) => return CommandOutcome::Refused(refusal.to_string()),
            Err(error) => return CommandOutcome::of(error),
        }
        self.outcome_of(recreate::recreate(self.session, self.named.clone()))
    }

    /// Returns the result of a sync. If the merge request cannot be synced, the note explains why.
    fn outcome_of(&mut self, synced: Result<Synced>) -> CommandOutcome {
        match synced.and_then(|synced| synced.record_in(self.outcomes)) {
            Ok(()) => CommandOutcome::Done(Ok(())),
            Err(error) => CommandOutcome::of(error),
        }
    }

    fn retest(&mut self) -> CommandOutcome {
        match retest::retest(self.session, &self.named.reference) {
            Ok(Retested::Started(pair)) => match retest::update_note(self.session, *pair) {
                Ok(outcome) => {
                    self.outcomes.push(outcome);
                    CommandOutcome::Done(Ok(()))
                }
                Err(error) => CommandOutcome::Done(Err(error)),
            },
            Ok(Retested::Refused(refusal)) => CommandOutcome::Refused(refusal.to_string()),
            Ok(Retested::Unknown(error)) => CommandOutcome::Failed(error.into()),
            Ok(Retested::Preview(preview)) => {
                self.outcomes.push(Outcome::Preview(*preview));
                CommandOutcome::Done(Ok(()))
            }
            Err(error) => CommandOutcome::of(error),
        }
    }

    /// Answers the comment, or withdraws the claim.
    fn finish(&self, outcome: CommandOutcome, claim: Option<AwardId>) -> Result<()> {
        match outcome {
            CommandOutcome::Done(rest) => {
                self.answer(Reaction::Done)?;
                rest
            }
            CommandOutcome::Refused(why) => self.refuse(&why),
            CommandOutcome::Failed(error) => {
                if let Err(answer_error) = self.answer(Reaction::Failed) {
                    tracing::warn!("the comment does not bear the answer: {answer_error:#}");
                }
                Err(error)
            }
            CommandOutcome::Retry(error) => {
                if let Some(claim) = claim
                    && let Err(release_error) = self.reactions.release(claim)
                {
                    tracing::warn!("the claim on the comment stays, so that nobody takes it up: {release_error:#}");
                }
                Err(error)
            }
        }
    }
}

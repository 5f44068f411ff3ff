//! One merge request and its pair: what differs from what should be, and the mending of it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::cli::args::{Global, Output};
use crate::cli::render::reconcile::Line;
use crate::forge::{MergeRequest, MergeRequestState, Note};
use crate::git::Git;
use crate::ops::merge_request_reference::MergeRequestReference;
use crate::ops::reconcile::list::Found;
use crate::ops::report::{self, Asked, Pair};
use crate::ops::session::Bot;
use crate::ops::sync::{self, Unsynced};
use crate::ops::{Surroundings, notes};
use crate::pair::note::ci_results::CiSection;
use crate::pair::{branch, commit, markers};
use crate::transform::config;
use crate::types::error::{ForgeError, Result};
use crate::types::{CiState, CommitId, MergeRequestIid, ProjectId, ProjectPath};

/// How far a look goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// To all that can be told only by doing it over: where `upstream_ref` points, what the settings ask for.
    Whole,
    /// To what the merge requests and their branches tell of a change.
    WhatChanged,
}

/// What it takes to reconcile one merge request.
pub(crate) struct Reconciling<'a> {
    pub(crate) bot: &'a Bot,
    pub(crate) git: &'a Git,
    pub(crate) global: &'a Global,
    pub(crate) surroundings: &'a Surroundings,
    pub(crate) tips: &'a Tips,
    pub(crate) depth: Depth,
}

impl Reconciling<'_> {
    /// Brings one merge request up to date; returns why it cannot be synced, where that is the case.
    pub(crate) fn one(&self, found: Found, line: &mut Line) -> Result<Option<Unsynced>> {
        match found {
            Found { source: Some(source), dist: Some(dist), source_path, dist_path } => {
                self.pair(&source_path, &source, dist_path, &dist, line)
            }
            Found { source: Some(source), dist: None, source_path, dist_path } => {
                self.without_pair(source_path, &source, &dist_path, line)
            }
            Found { source: None, dist: Some(dist), source_path, dist_path } => {
                self.of_dist(source_path, dist_path, &dist, line)
            }
            Found { source: None, dist: None, .. } => Ok(None),
        }
    }

    fn pair(
        &self,
        source_path: &ProjectPath,
        source: &MergeRequest,
        dist_path: ProjectPath,
        dist: &MergeRequest,
        line: &mut Line,
    ) -> Result<Option<Unsynced>> {
        let recorded = markers::read(&dist.description).and_then(|record| record.note);
        let note = notes::find(self.bot, source.target_project_id, source.iid, recorded)?.into_iter().next();
        // The lists are as old as the run: what is reported is read afresh.
        let fresh = self.bot.forge.merge_request(&dist_path, dist.iid)?;
        // Of one that was closed, the note does not tell whether its pair was closed too, or is to stay open.
        let is_synced = self.depth == Depth::WhatChanged
            && source.state != MergeRequestState::Closed
            && sync::texts_are_current(source_path, source, &fresh)
            && self.is_told(note.as_ref(), source, &fresh)?;
        let synced = if is_synced { Ok(None) } else { self.sync(source_path, source, &dist_path, None, line) };
        let fresh = if line.did.is_empty() { fresh } else { self.bot.forge.merge_request(&dist_path, dist.iid)? };
        // What a pipeline started may run on when it is at rest itself, and end unseen.
        let shown = note.as_ref().and_then(|note| CiSection::read(&note.body)).and_then(|section| section.state.state);
        line.goes_on = shown == Some(CiState::Running);
        let pair = report::of_dist(self.bot, dist_path, fresh)?;
        let note = note.filter(|_| line.did.is_empty());
        self.report(pair.map(|pair| Pair { note, ..pair }), line)?;
        synced
    }

    /// With a dist-git merge request alone: the source-git one was closed, merged or deleted, or is for another branch.
    fn of_dist(
        &self,
        source_path: ProjectPath,
        dist_path: ProjectPath,
        dist: &MergeRequest,
        line: &mut Line,
    ) -> Result<Option<Unsynced>> {
        let named = dist.source_branch.parse().ok().and_then(|name| branch::parse(&name));
        let Some((target, iid)) = named else { return Ok(None) };
        let source = match self.bot.forge.merge_request(&source_path, iid) {
            Ok(source) => source,
            Err(ForgeError::NotFoundOrNoAccess(_)) if dist.state != MergeRequestState::Opened => return Ok(None),
            Err(error @ ForgeError::NotFoundOrNoAccess(_)) => {
                // Where the project or its merge requests cannot be seen, nobody can say what became of this one.
                if !self.bot.forge.project(&source_path)?.shows_merge_requests {
                    return Err(error.into());
                }
                let of = MergeRequestReference { project: source_path, iid };
                let effect = sync::orphan::close(self.bot, &dist_path, dist.iid, &of, self.global)?;
                line.note("closed", &effect);
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        // Nobody can write there, and no list of open merge requests shows it.
        if self.bot.forge.project(&source_path)?.is_archived {
            tracing::info!("{source_path} is archived: left alone");
            line.leave_alone(format!("{source_path} is archived"));
            return Ok(None);
        }
        let is_open = dist.state == MergeRequestState::Opened;
        if source.target_branch != target.as_str() {
            return match is_open {
                true => self.sync(&source_path, &source, &dist_path, Some(dist.iid), line),
                false => Ok(None),
            };
        }
        if !is_open {
            let synced = self.sync(&source_path, &source, &dist_path, None, line);
            let asked = Asked::MergeRequest(MergeRequestReference { project: source_path, iid });
            self.report(report::find(self.bot, &asked)?, line)?;
            return synced;
        }
        self.pair(&source_path, &source, dist_path, dist, line)
    }

    /// Without an open dist-git merge request: what stood in the way may be gone, one that was closed or merged may have
    /// results that nobody has brought, and this one may have been merged before any job could see it open.
    fn without_pair(
        &self,
        source_path: ProjectPath,
        source: &MergeRequest,
        dist_path: &ProjectPath,
        line: &mut Line,
    ) -> Result<Option<Unsynced>> {
        let project = source.target_project_id;
        // Once it is merged, what counts is whether there is packaging in the target branch.
        if source.state != MergeRequestState::Merged
            && let Some(head) = &source.sha
            && !self.bot.forge.has_file(project, config::PATH, head)?
            && notes::find(self.bot, project, source.iid, None)?.is_empty()
        {
            tracing::debug!("{} is not there: nothing to do", config::PATH);
            return Ok(None);
        }
        let synced = self.sync(&source_path, source, dist_path, None, line);
        let asked = Asked::MergeRequest(MergeRequestReference { project: source_path, iid: source.iid });
        self.report(report::find(self.bot, &asked)?, line)?;
        synced
    }

    fn sync(
        &self,
        source_path: &ProjectPath,
        source: &MergeRequest,
        dist_path: &ProjectPath,
        known: Option<MergeRequestIid>,
        line: &mut Line,
    ) -> Result<Option<Unsynced>> {
        let reference = MergeRequestReference { project: source_path.clone(), iid: source.iid };
        let work = sync::Work::new(self.bot, self.git, reference, dist_path.clone());
        let synced = sync::Work { known, ..work }.run(&self.global(), self.surroundings)?;
        line.note(if synced.unsynced.is_some() { "told its author" } else { "synced" }, &synced.effect);
        Ok(synced.unsynced)
    }

    fn report(&self, pair: Option<Pair>, line: &mut Line) -> Result<()> {
        if let Some(pair) = pair {
            let effect = report::report(self.bot, pair, &self.global(), self.surroundings)?;
            line.note("reported", &effect);
        }
        Ok(())
    }

    /// Whether a note tells of all that `sync` goes by, and dist-git holds what it tells: then `sync` has seen it.
    fn is_told(&self, note: Option<&Note>, source: &MergeRequest, dist: &MergeRequest) -> Result<bool> {
        let Some(note) = note else { return Ok(false) };
        let tested = CiSection::read(&note.body).and_then(|section| section.state.tested);
        let Some(told) = markers::read_note(&note.body) else { return Ok(false) };
        if told.base.is_none() || self.tips.of(self.bot, source)? != told.base {
            return Ok(false);
        }
        let is_held = match (tested, &dist.sha) {
            (Some(tested), head) => *head == Some(tested),
            // Nothing was tested yet, so the note does not name the commit: somebody may have pushed another one.
            (None, Some(head)) => self.is_made_from(head, &told.commit, dist.target_project_id)?,
            // GitLab is still preparing it.
            (None, None) => true,
        };
        if !is_held {
            return Ok(false);
        }
        let is_newest = source.state == MergeRequestState::Merged || source.sha == Some(told.commit);
        let based_on = dist.diff_refs.as_ref().and_then(|refs| refs.base_sha);
        Ok(is_newest && (based_on.is_none() || based_on == self.tips.of(self.bot, dist)?))
    }

    /// Whether a dist-git commit is the bot's own, made from this source-git commit.
    fn is_made_from(&self, dist: &CommitId, source: &CommitId, project: ProjectId) -> Result<bool> {
        match self.bot.forge.commit(project, dist) {
            Ok(found) => Ok(found.committer_email == self.bot.person()?.email
                && commit::source_of(&found.message).as_ref() == Some(source)),
            Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The options for what is done to one merge request: their plans become a part of the summary.
    fn global(&self) -> Global {
        Global { output: Output::Text, ..self.global.clone() }
    }
}

/// The tips of target branches, each asked for once.
#[derive(Default)]
pub(crate) struct Tips(Mutex<HashMap<(ProjectId, String), Option<CommitId>>>);

impl Tips {
    /// Returns the tip of a merge request's target branch; nothing where there is no such branch.
    fn of(&self, bot: &Bot, merge_request: &MergeRequest) -> Result<Option<CommitId>> {
        let key = (merge_request.target_project_id, merge_request.target_branch.clone());
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tip) = known().get(&key) {
            return Ok(*tip);
        }
        let tip = bot.forge.branch(key.0, &key.1.parse()?)?.map(|branch| branch.tip);
        known().insert(key, tip);
        Ok(tip)
    }
}

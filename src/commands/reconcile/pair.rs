//! One merge request and its pair: what differs from what should be, and the mending of it.

use anyhow::Result;

use super::find::Found;
use super::show::Line;
use crate::cli::{Global, Output};
use crate::commands::Surroundings;
use crate::commands::bot::Bot;
use crate::commands::merge_request_reference::MergeRequestReference;
use crate::commands::report::{self, Asked, Pair};
use crate::commands::{own_notes, sync};
use crate::forge::{MergeRequest, Note, ProjectPath};
use crate::git::Git;
use crate::pair::ci_section::CiSection;
use crate::pair::record;
use crate::transform::{Refusal, config};

/// What it takes to reconcile one merge request.
pub(super) struct Reconciling<'a> {
    pub(super) bot: &'a Bot,
    pub(super) git: &'a Git,
    pub(super) global: &'a Global,
    pub(super) surroundings: &'a Surroundings,
}

impl Reconciling<'_> {
    /// Brings one merge request up to date; returns why it cannot be synced, where that is the case.
    pub(super) fn one(&self, found: Found, line: &mut Line) -> Result<Option<Refusal>> {
        match found {
            Found { source: Some(source), dist: Some(dist), source_path, dist_path } => {
                self.pair(&source_path, &source, dist_path, &dist, line)
            }
            Found { source: Some(source), dist: None, source_path, dist_path } => {
                self.without_pair(source_path, &source, &dist_path, line)
            }
            // The source-git merge request is not open: only the results are of interest.
            Found { source: None, dist: Some(dist), dist_path, .. } => {
                self.report(report::of_dist(self.bot, dist_path, dist)?, line)?;
                Ok(None)
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
    ) -> Result<Option<Refusal>> {
        let recorded = record::read(&dist.description).and_then(|record| record.note);
        let note = own_notes::find(self.bot, source.target_project_id, source.iid, recorded)?.into_iter().next();
        let synced = if is_told(note.as_ref(), source, dist) && sync::texts_are_current(source_path, source, dist) {
            Ok(None)
        } else {
            self.sync(source_path, source, &dist_path, line)
        };
        // The lists are as old as the run: what is reported is read afresh.
        let fresh = self.bot.forge.merge_request(&dist_path, dist.iid)?;
        let pair = report::of_dist(self.bot, dist_path, fresh)?;
        let note = note.filter(|_| line.did.is_empty());
        self.report(pair.map(|pair| Pair { note, ..pair }), line)?;
        synced
    }

    /// Without an open dist-git merge request: what stood in the way may be gone, and one that was closed or merged may
    /// have results that nobody has brought.
    fn without_pair(
        &self,
        source_path: ProjectPath,
        source: &MergeRequest,
        dist_path: &ProjectPath,
        line: &mut Line,
    ) -> Result<Option<Refusal>> {
        if let Some(head) = &source.sha
            && !self.bot.forge.has_file(source.target_project_id, config::PATH, head)?
        {
            tracing::debug!("{} is not there: nothing to do", config::PATH);
            return Ok(None);
        }
        let synced = self.sync(&source_path, source, dist_path, line);
        let asked = Asked::MergeRequest(MergeRequestReference { project: source_path, iid: source.iid });
        self.report(report::find(self.bot, &asked)?, line)?;
        synced
    }

    fn sync(
        &self,
        source_path: &ProjectPath,
        source: &MergeRequest,
        dist_path: &ProjectPath,
        line: &mut Line,
    ) -> Result<Option<Refusal>> {
        let reference = MergeRequestReference { project: source_path.clone(), iid: source.iid };
        let work = sync::Work { bot: self.bot, git: self.git, reference, dist_path: dist_path.clone() };
        let synced = work.run(&self.global(), self.surroundings)?;
        line.note(if synced.refusal.is_some() { "told its author" } else { "synced" }, &synced.effect);
        Ok(synced.refusal)
    }

    fn report(&self, pair: Option<Pair>, line: &mut Line) -> Result<()> {
        if let Some(pair) = pair {
            let effect = report::report(self.bot, pair, &self.global(), self.surroundings)?;
            line.note("reported", &effect);
        }
        Ok(())
    }

    /// The options for what is done to one merge request: their plans become a part of the summary.
    fn global(&self) -> Global {
        Global { output: Output::Text, ..self.global.clone() }
    }
}

/// Says whether a note tells of the newest commit of its merge request, and dist-git holds what it tells: then `sync` has
/// seen both.
fn is_told(note: Option<&Note>, source: &MergeRequest, dist: &MergeRequest) -> bool {
    let Some(note) = note else { return false };
    let tested = CiSection::read(&note.body).and_then(|section| section.state.tested);
    let told = record::read_note(&note.body).is_some_and(|told| Some(told.commit) == source.sha);
    told && tested.is_none_or(|tested| dist.sha == Some(tested))
}

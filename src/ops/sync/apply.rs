//! Applies the plan step by step. If a step fails, the next run completes the rest.

use crate::forge::{MergeRequestEdit, MergeRequestState, NewFork, NewMergeRequest, NoteOrder, Parent, Project};
use crate::git::store::Store;
use crate::git::work_tree;
use crate::ops::sync::bot_branch::BRANCH_ROLE;
use crate::ops::sync::content::DIST_TIP;
use crate::ops::sync::observe::SyncSeen;
use crate::ops::sync::pair_facts::PairFacts;
use crate::ops::sync::run::{SyncGoal, SyncRun};
use crate::ops::{commit_statuses, notes};
use crate::pair::announcement::AnnouncedMergeRequest;
use crate::pair::facts::DistGitLink;
use crate::pair::note::ci_results::CiSection;
use crate::pair::note::{self, PairNote};
use crate::pair::statuses::{self, Acceptance, StatusFingerprint, StatusPlace, StatusesState, WantedStatus};
use crate::pair::sync_plan::{EarlierResults, SyncPlan, SyncStep};
use crate::setup;
use crate::types::error::{Context as _, ForgeError, RemoteError, Result, bail};
use crate::types::{BranchName, CommitId, MergeRequestIid, NoteId, ProjectId, StateChange};

impl SyncRun<'_> {
    pub(crate) fn apply(&self, store: &Store, seen: &SyncSeen, plan: &SyncPlan<'_>) -> Result<()> {
        let mut link = plan.merge_request.clone();
        let mut branch_project = None;
        let mut statuses = None;
        let mut known_tip = seen.branch_tip();
        let pushes = plan.steps.iter().any(|step| matches!(step, SyncStep::PushBranch { .. }));
        for step in &plan.steps {
            match step {
                SyncStep::PushBranch { branch, expected, parent, message, .. } => {
                    // Without an open merge request from it, the branch may be in a fork of another project with the
                    // same name, and belong to another pair.
                    if expected.is_none() || !seen.is_branch_repository_in_use() {
                        branch_project = Some(self.prepare_branch_project(seen)?);
                    }
                    known_tip = Some(self.push(store, seen, branch, expected.as_ref(), parent, message)?);
                    tracing::info!("pushed {branch} to {}", self.fork_path()?);
                }
                SyncStep::OpenMergeRequest { branch, target, title, description, labels } => {
                    let branch_project = match branch_project.take() {
                        Some(branch_project) => branch_project,
                        None => self.session.forge.project(&self.fork_path()?)?,
                    };
                    let labels: Vec<_> = labels.iter().map(String::as_str).collect();
                    let opened = self.open_merge_request(NewMergeRequest {
                        source_project: branch_project.id,
                        source_branch: branch.as_str(),
                        target_project: self.dist_git_id(&branch_project)?,
                        target_branch: target.as_str(),
                        title,
                        description,
                        labels: &labels,
                    })?;
                    tracing::info!("opened {}", opened.url);
                    link = Some(opened);
                }
                SyncStep::Announce { iid, announcement: news } => {
                    let about = AnnouncedMergeRequest {
                        path: &self.source_path,
                        merge_request: self.source.iid,
                        url: &self.source.web_url,
                    };
                    let project = seen.pair.dist_project.context("the dist-git project is not known")?;
                    notes::announce(self.session, project, *iid, news, about)?;
                }
                SyncStep::EditMergeRequest { iid, title, description, state_change: turn } => {
                    // These texts were read before the content was made, or before the bot wrote an announcement.
                    if self.goal != SyncGoal::MergeRequest || turn.is_some() {
                        self.check_texts(&seen.pair, *iid)?;
                    }
                    self.edit_merge_request(*iid, title.clone(), description.clone(), *turn)?;
                }
                SyncStep::CreateNote { note } => {
                    self.create_note(&note.with_statuses(statuses.as_ref()).render(link.as_ref()))?;
                    tracing::info!("wrote a note on {}!{}", self.source_path, self.source.iid);
                }
                SyncStep::EditNote { id, note } => {
                    let note = note.with_statuses(statuses.as_ref());
                    let note = if pushes { note } else { self.with_newest_results(note, *id)? };
                    let text = note.render(link.as_ref());
                    self.session.forge.edit_note(self.source.target_project_id, self.source.iid, *id, &text)?;
                    tracing::info!("edited the note on {}!{}", self.source_path, self.source.iid);
                }
                SyncStep::DeleteNote { id } => self.delete_note(*id)?,
                SyncStep::ExpectResults { place, earlier } => {
                    let url = link.as_ref().map(|link| link.url.as_str()).unwrap_or_default();
                    statuses = Some(self.expect_results(place, *earlier, statuses::expected(url))?);
                }
            }
        }
        // Every job pushes before it writes anything else. So if the branch is unchanged, no other job has written
        // anything newer that this job could have overwritten. Otherwise, what this job wrote may be out of date.
        if seen.has_observed_branch() && self.list_branch_tip(store)? != known_tip {
            return Err(RemoteError::Stale { role: BRANCH_ROLE }.into());
        }
        Ok(())
    }

    /// Checks that title and description of a dist-git merge request still are what the plan was made from. GitLab
    /// cannot make an edit conditional on the old text.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Stale`] if they have changed.
    fn check_texts(&self, pair: &PairFacts, iid: MergeRequestIid) -> Result<()> {
        let now = self.session.forge.merge_request(&self.dist_path, iid)?;
        let mut seen = pair.merge_requests.iter().chain(&pair.left_behind);
        let is_as_seen =
            seen.any(|seen| (seen.iid, &seen.title, &seen.description) == (iid, &now.title, &now.description));
        if is_as_seen { Ok(()) } else { Err(RemoteError::Stale { role: "the dist-git merge request" }.into()) }
    }

    fn edit_merge_request(
        &self,
        iid: MergeRequestIid,
        title: Option<String>,
        description: Option<String>,
        turn: Option<StateChange>,
    ) -> Result<()> {
        let (state, done) = match turn {
            None => (None, "edited"),
            Some(StateChange::Close) => (turn, "closed"),
            Some(StateChange::Reopen) => (turn, "opened again:"),
        };
        let edit = MergeRequestEdit { title, description, state, ..MergeRequestEdit::default() };
        let now = self.session.forge.edit_merge_request(&self.dist_path, iid, &edit)?;
        if turn == Some(StateChange::Reopen) && now.state == MergeRequestState::Closed {
            bail!("GitLab does not open {}!{iid} again, and does not say why", self.dist_path);
        }
        tracing::info!("{done} {}!{iid}", self.dist_path);
        Ok(())
    }

    /// Takes over CI results that another job wrote into the note since this job read it.
    fn with_newest_results<'a>(&self, note: PairNote<'a>, id: NoteId) -> Result<PairNote<'a>> {
        let current = match self.session.forge.note(self.source.target_project_id, self.source.iid, id) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => return Ok(note),
            current => CiSection::read(&current?.body),
        };
        let known = note.results.as_ref().map(|results| results.state.commit);
        let newest = current.filter(|current| Some(current.state.commit) == known);
        Ok(PairNote { results: newest.or(note.results), ..note })
    }

    /// Returns the id of the dist-git project. The fork's own data has it in most cases.
    fn dist_git_id(&self, branch_project: &Project) -> Result<ProjectId> {
        if branch_project.path == self.dist_path {
            return Ok(branch_project.id);
        }
        match &branch_project.forked_from {
            Some(Parent { id, path: Some(path), .. }) if *path == self.dist_path => Ok(*id),
            _ => Ok(self.session.forge.project(&self.dist_path)?.id),
        }
    }

    /// Returns the project for the bot's branch, ready to be pushed to. Creates the fork if it is missing.
    fn prepare_branch_project(&self, seen: &SyncSeen) -> Result<Project> {
        let path = self.fork_path()?;
        let mut is_new = false;
        let found = if path == self.dist_path || seen.has_branch_repository() {
            self.session.forge.project(&path)?
        } else {
            tracing::info!("making the fork {path}");
            let namespace = Some(path.namespace()).filter(|namespace| *namespace != self.bot.user.username);
            // Without a given visibility, GitLab makes the fork as visible as the original, or less.
            let fork = NewFork { namespace, name: None, visibility: None };
            match self.session.forge.create_fork(&self.dist_path, fork) {
                Ok(project) => {
                    is_new = true;
                    project
                }
                // Another job was faster, or GitLab's answer was lost. If the fork does not exist now, the error
                // stands.
                Err(error @ (ForgeError::Conflict(_) | ForgeError::MaybeDone(_))) => {
                    match self.session.forge.project(&path) {
                        Err(ForgeError::NotFoundOrNoAccess(_)) => return Err(error.into()),
                        found => found?,
                    }
                }
                Err(error) => return Err(error.into()),
            }
        };
        let is_fork = match &found.forked_from {
            Some(Parent { path: Some(path), .. }) => *path == self.dist_path,
            Some(Parent { id, path: None, .. }) => *id == self.session.forge.project(&self.dist_path)?.id,
            None => false,
        };
        if found.path != self.dist_path && !is_fork {
            bail!(
                "{path} is not a fork of {}: move it out of the way, or let the forks live elsewhere",
                self.dist_path
            );
        }
        let branch_project = self.session.forge.wait_for_import(found)?;
        if is_new {
            self.apply_safe_settings(&branch_project)?;
        }
        Ok(branch_project)
    }

    /// Gives a new fork the same settings as `onboard` does, before anything runs there.
    fn apply_safe_settings(&self, fork: &Project) -> Result<()> {
        match self.session.forge.edit_project(fork.id, &setup::plan::fork::safe_settings()) {
            Ok(_) => Ok(()),
            // In a group, the bot may be allowed to create forks without being their Maintainer.
            Err(ForgeError::Forbidden(_)) => {
                tracing::warn!(
                    "the bot may not change the settings of {}: `source-git-bot doctor` says what to set there",
                    fork.path
                );
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the note, and makes sure that it is the only one: another job may have written one at the same time.
    fn create_note(&self, text: &str) -> Result<()> {
        let (project, iid) = (self.source.target_project_id, self.source.iid);
        let unconfirmed = match self.session.forge.create_note(project, iid, text) {
            Ok(_) => None,
            Err(error @ ForgeError::MaybeDone(_)) => Some(error),
            Err(error) => return Err(error.into()),
        };
        let mut pages = self.session.forge.pages_of_notes(project, iid, NoteOrder::NewestFirst)?;
        let newest = pages.next().transpose()?.unwrap_or_default();
        let mut own: Vec<_> = newest.iter().filter(|note| notes::is_bot_note(note, self.bot)).collect();
        own.sort_by_key(|note| note.id);
        let [first, others @ ..] = own.as_slice() else {
            // A replica of GitLab's database may not have the new note yet.
            return unconfirmed.map_or(Ok(()), |error| Err(error.into()));
        };
        if !note::same(&first.body, text) {
            self.session.forge.edit_note(project, iid, first.id, text)?;
        }
        others.iter().try_for_each(|other| self.delete_note(other.id))
    }

    fn delete_note(&self, id: NoteId) -> Result<()> {
        self.session.forge.delete_note(self.source.target_project_id, self.source.iid, id)?;
        tracing::info!("removed a second note from {}!{}", self.source_path, self.source.iid);
        Ok(())
    }

    /// Posts the first status, and returns whether GitLab accepted it. If GitLab refuses it, the note shows the same.
    fn expect_results(
        &self,
        place: &StatusPlace,
        earlier: EarlierResults,
        status: WantedStatus,
    ) -> Result<StatusesState> {
        let posted = match earlier {
            EarlierResults::Possible => commit_statuses::list(&self.session.forge, &self.source, &place.sha())?,
            EarlierResults::None => Vec::new(),
        };
        let posts = statuses::to_post(std::slice::from_ref(&status), &posted, place, self.bot.user.id);
        let mut acceptance = Acceptance::Yes;
        for post in posts.iter().filter(|post| post.status.name == status.name) {
            match commit_statuses::post(&self.session.forge, self.source.target_project_id, post) {
                Ok(_) => tracing::info!("posted the status {} on {}", status.name, place.sha().short()),
                Err(error) => {
                    let Some(refusal) = commit_statuses::refusal(&error) else { return Err(error.into()) };
                    tracing::debug!("no status on {}: {error}", place.sha().short());
                    acceptance = refusal.acceptance();
                    break;
                }
            }
        }
        // Earlier results may include statuses of jobs, so the next report has to read the statuses.
        let known = match earlier {
            EarlierResults::Possible => Vec::new(),
            EarlierResults::None => vec![status],
        };
        Ok(StatusesState { place: place.clone(), fingerprint: StatusFingerprint::of(&known), acceptance })
    }

    fn push(
        &self,
        store: &Store,
        seen: &SyncSeen,
        branch: &BranchName,
        expected: Option<&CommitId>,
        parent: &CommitId,
        message: &str,
    ) -> Result<CommitId> {
        let generated = seen.generated().context("there is nothing to push")?;
        let changes = work_tree::changes(&generated.before, &generated.after);
        let tree = store.write_tree_with(&store.tree_of(parent)?, &changes)?;
        let commit = store.commit(&tree, parent, &self.session.identity()?, message)?;
        let remote = self.remote(BRANCH_ROLE, &self.fork_path()?);
        match remote.push(store, branch.as_str(), expected, &commit) {
            Ok(()) => {}
            Err(error) => match error.into_repository()? {
                RemoteError::TooShallow { .. } => {
                    // The fork is behind dist-git, so the push must include the commits that the fork lacks.
                    let target = &self.source.target_branch;
                    self.remote("dist-git", &self.dist_path).fetch_rest(store, target, DIST_TIP)?;
                    remote.push(store, branch.as_str(), expected, &commit)?;
                }
                other => return Err(other.into()),
            },
        }
        Ok(commit)
    }

    /// Opens the merge request, or returns the one that another job opened meanwhile.
    fn open_merge_request(&self, new: NewMergeRequest<'_>) -> Result<DistGitLink> {
        let link = |iid: MergeRequestIid, url: String| DistGitLink {
            project: self.dist_path.clone(),
            merge_request: iid,
            url,
        };
        match self.session.forge.create_merge_request(new) {
            Ok(opened) => Ok(link(opened.iid, opened.web_url)),
            Err(error @ (ForgeError::Conflict(_) | ForgeError::MaybeDone(_))) => {
                let mut found = self.list_merge_requests()?.unwrap_or_default().into_iter();
                let open = found.find(|merge_request| merge_request.state == MergeRequestState::Opened);
                open.map(|found| link(found.iid, found.web_url)).ok_or_else(|| error.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

//! Does what is planned, step by step: whatever breaks, the next run completes it.

use anyhow::{Context as _, Result, bail};

use crate::forge::{
    ForgeError, MergeRequestEdit, MergeRequestState, NewFork, NewMergeRequest, NoteOrder, Parent, Project,
};
use crate::git::remote::RemoteError;
use crate::git::store::Store;
use crate::git::work_tree;
use crate::ops::sync::bot_branch::BRANCH_ROLE;
use crate::ops::sync::observe::Seen;
use crate::ops::sync::pair_facts::Pairing;
use crate::ops::sync::{Due, Run, dist_notes};
use crate::ops::{commit_statuses, notes};
use crate::pair::announcement::AnnouncedMergeRequest;
use crate::pair::facts::DistGitLink;
use crate::pair::note::ci_results::CiSection;
use crate::pair::note::{self, PairNote};
use crate::pair::statuses::{self, Acceptance, StatusFingerprint, StatusPlace, StatusesState, WantedStatus};
use crate::pair::sync_plan::{EarlierResults, SyncPlan, SyncStep};
use crate::setup;
use crate::types::{BranchName, CommitId, MergeRequestIid, NoteId, ProjectId, StateChange};

/// Where the tip of dist-git's target branch is in the store.
const DIST_TIP: &str = "refs/bot/dist-git";

impl Run<'_> {
    pub(crate) fn apply(&self, store: &Store, seen: &Seen, plan: &SyncPlan<'_>) -> Result<()> {
        let mut link = plan.merge_request.clone();
        let mut home = None;
        let mut statuses = None;
        let mut branch_at = seen.branch_at();
        let pushes = plan.steps.iter().any(|step| matches!(step, SyncStep::PushBranch { .. }));
        for step in &plan.steps {
            match step {
                SyncStep::PushBranch { branch, expected, parent, message, .. } => {
                    // A branch that no merge request of the pair is from may be in the fork of another project of that
                    // name, where it is another pair's.
                    if expected.is_none() || !seen.has_used_branch_home() {
                        home = Some(self.home(seen)?);
                    }
                    branch_at = Some(self.push(store, seen, branch, expected.as_ref(), parent, message)?);
                    tracing::info!("pushed {branch} to {}", self.fork_path()?);
                }
                SyncStep::OpenMergeRequest { branch, target, title, description, labels } => {
                    let home = match home.take() {
                        Some(home) => home,
                        None => self.bot.forge.project(&self.fork_path()?)?,
                    };
                    let labels: Vec<_> = labels.iter().map(String::as_str).collect();
                    let opened = self.open(NewMergeRequest {
                        source_project: home.id,
                        source_branch: branch.as_str(),
                        target_project: self.dist_git(&home)?,
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
                    dist_notes::write(self.bot, project, *iid, news, about)?;
                }
                SyncStep::EditMergeRequest { iid, title, description, state_change: turn } => {
                    // These were read before the content was made, or come with words of the bot that were said since.
                    if self.due != Due::MergeRequest || turn.is_some() {
                        self.check_texts(&seen.pair, *iid)?;
                    }
                    self.edit(*iid, title.clone(), description.clone(), *turn)?;
                }
                SyncStep::CreateNote { note } => {
                    self.create_note(&note.with_statuses(statuses.as_ref()).render(link.as_ref()))?;
                    tracing::info!("wrote a note on {}!{}", self.source_path, self.source.iid);
                }
                SyncStep::EditNote { id, note } => {
                    let note = note.with_statuses(statuses.as_ref());
                    let note = if pushes { note } else { self.with_newest_results(note, *id)? };
                    let text = note.render(link.as_ref());
                    self.bot.forge.edit_note(self.source.target_project_id, self.source.iid, *id, &text)?;
                    tracing::info!("edited the note on {}!{}", self.source_path, self.source.iid);
                }
                SyncStep::DeleteNote { id } => self.delete_note(*id)?,
                SyncStep::ExpectResults { place, earlier } => {
                    let url = link.as_ref().map(|link| link.url.as_str()).unwrap_or_default();
                    statuses = Some(self.expect_results(place, *earlier, statuses::expected(url))?);
                }
            }
        }
        // Whoever pushes does so first. So where the branch is still as this job knows it, nobody has written anything
        // newer that this job could have overwritten since; else what it wrote may be what was true before.
        if seen.looked_at_branch() && self.branch_tip(store)? != branch_at {
            return Err(RemoteError::Stale { role: BRANCH_ROLE }.into());
        }
        Ok(())
    }

    /// Looks whether title and description of a dist-git merge request still are what the plan was made from: GitLab has
    /// no way to change a text only if it is what was read.
    fn check_texts(&self, pair: &Pairing, iid: MergeRequestIid) -> Result<()> {
        let now = self.bot.forge.merge_request(&self.dist_path, iid)?;
        let mut seen = pair.merge_requests.iter().chain(&pair.left_behind);
        let is_as_seen =
            seen.any(|seen| (seen.iid, &seen.title, &seen.description) == (iid, &now.title, &now.description));
        if is_as_seen { Ok(()) } else { Err(RemoteError::Stale { role: "the dist-git merge request" }.into()) }
    }

    fn edit(
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
        let now = self.bot.forge.edit_merge_request(&self.dist_path, iid, &edit)?;
        if turn == Some(StateChange::Reopen) && now.state == MergeRequestState::Closed {
            bail!("GitLab does not open {}!{iid} again, and does not say why", self.dist_path);
        }
        tracing::info!("{done} {}!{iid}", self.dist_path);
        Ok(())
    }

    /// Takes over the CI results that another job has written into the note since it was read.
    fn with_newest_results<'a>(&self, note: PairNote<'a>, id: NoteId) -> Result<PairNote<'a>> {
        let there = match self.bot.forge.note(self.source.target_project_id, self.source.iid, id) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => return Ok(note),
            there => CiSection::read(&there?.body),
        };
        let known = note.results.as_ref().map(|results| results.state.commit);
        let newest = there.filter(|there| Some(there.state.commit) == known);
        Ok(PairNote { results: newest.or(note.results), ..note })
    }

    /// The number of the dist-git project, which the fork's own data tells in most cases.
    fn dist_git(&self, home: &Project) -> Result<ProjectId> {
        if home.path == self.dist_path {
            return Ok(home.id);
        }
        match &home.forked_from {
            Some(Parent { id, path: Some(path), .. }) if *path == self.dist_path => Ok(*id),
            _ => Ok(self.bot.forge.project(&self.dist_path)?.id),
        }
    }

    /// The project that holds the bot's branch, made where it is missing, ready to be pushed to.
    fn home(&self, seen: &Seen) -> Result<Project> {
        let path = self.fork_path()?;
        let mut is_new = false;
        let found = if path == self.dist_path || seen.branch_home_answers() {
            self.bot.forge.project(&path)?
        } else {
            tracing::info!("making the fork {path}");
            let namespace = Some(path.namespace()).filter(|namespace| *namespace != self.myself.user.username);
            // Nothing is said of who may see it: as many as may see the original, or fewer.
            let fork = NewFork { namespace, name: None, visibility: None };
            match self.bot.forge.create_fork(&self.dist_path, fork) {
                Ok(project) => {
                    is_new = true;
                    project
                }
                // Another job was faster, or the answer was lost: it is there now, or the error stands.
                Err(error @ (ForgeError::Conflict(_) | ForgeError::MaybeDone(_))) => {
                    match self.bot.forge.project(&path) {
                        Err(ForgeError::NotFoundOrNoAccess(_)) => return Err(error.into()),
                        found => found?,
                    }
                }
                Err(error) => return Err(error.into()),
            }
        };
        let is_fork = match &found.forked_from {
            Some(Parent { path: Some(path), .. }) => *path == self.dist_path,
            Some(Parent { id, path: None, .. }) => *id == self.bot.forge.project(&self.dist_path)?.id,
            None => false,
        };
        if found.path != self.dist_path && !is_fork {
            bail!(
                "{path} is not a fork of {}: move it out of the way, or let the forks live elsewhere",
                self.dist_path
            );
        }
        let home = self.bot.forge.wait_for_import(found)?;
        if is_new {
            self.make_safe(&home)?;
        }
        Ok(home)
    }

    /// Gives a new fork the settings that `onboard` would give it, before anything runs there.
    fn make_safe(&self, fork: &Project) -> Result<()> {
        match self.bot.forge.edit_project(fork.id, &setup::plan::fork::safe()) {
            Ok(_) => Ok(()),
            // In a group the bot may make forks without being their Maintainer.
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

    /// Writes the note, and sees to it that it is the only one: another job may have written one at the same time.
    fn create_note(&self, text: &str) -> Result<()> {
        let (project, iid) = (self.source.target_project_id, self.source.iid);
        let lost = match self.bot.forge.create_note(project, iid, text) {
            Ok(_) => None,
            Err(error @ ForgeError::MaybeDone(_)) => Some(error),
            Err(error) => return Err(error.into()),
        };
        let mut pages = self.bot.forge.pages_of_notes(project, iid, NoteOrder::NewestFirst)?;
        let newest = pages.next().transpose()?.unwrap_or_default();
        let mut own: Vec<_> = newest.iter().filter(|note| notes::is_own(note, self.myself)).collect();
        own.sort_by_key(|note| note.id);
        let [first, others @ ..] = own.as_slice() else {
            // A replica of GitLab's database may not know of a new note yet.
            return lost.map_or(Ok(()), |error| Err(error.into()));
        };
        if !note::same(&first.body, text) {
            self.bot.forge.edit_note(project, iid, first.id, text)?;
        }
        others.iter().try_for_each(|other| self.delete_note(other.id))
    }

    fn delete_note(&self, id: NoteId) -> Result<()> {
        self.bot.forge.delete_note(self.source.target_project_id, self.source.iid, id)?;
        tracing::info!("removed a second note from {}!{}", self.source_path, self.source.iid);
        Ok(())
    }

    /// Posts the first status, and returns what became of it. Where GitLab will not have it, the note tells the same.
    fn expect_results(
        &self,
        place: &StatusPlace,
        earlier: EarlierResults,
        status: WantedStatus,
    ) -> Result<StatusesState> {
        let posted = match earlier {
            EarlierResults::Possible => commit_statuses::posted(&self.bot.forge, &self.source, &place.sha())?,
            EarlierResults::None => Vec::new(),
        };
        let posts = statuses::to_post(std::slice::from_ref(&status), &posted, place, self.myself.user.id);
        let mut taken = Acceptance::Yes;
        for post in posts.iter().filter(|post| post.status.name == status.name) {
            match commit_statuses::post(&self.bot.forge, self.source.target_project_id, post) {
                Ok(_) => tracing::info!("posted the status {} on {}", status.name, place.sha().short()),
                Err(error) => {
                    let Some(refused) = commit_statuses::refused(&error) else { return Err(error.into()) };
                    tracing::debug!("no status on {}: {error}", place.sha().short());
                    taken = refused.taken();
                    break;
                }
            }
        }
        // Beside earlier results there may be statuses of jobs: the next report has to look.
        let there = match earlier {
            EarlierResults::Possible => Vec::new(),
            EarlierResults::None => vec![status],
        };
        Ok(StatusesState { place: place.clone(), fingerprint: StatusFingerprint::of(&there), acceptance: taken })
    }

    fn push(
        &self,
        store: &Store,
        seen: &Seen,
        branch: &BranchName,
        expected: Option<&CommitId>,
        parent: &CommitId,
        message: &str,
    ) -> Result<CommitId> {
        let generated = seen.generated().context("there is nothing to push")?;
        let changes = work_tree::changes(&generated.before, &generated.after);
        let tree = store.write_tree_with(&store.tree_of(parent)?, &changes)?;
        let commit = store.commit(&tree, parent, &self.bot.person()?, message)?;
        let remote = self.remote(BRANCH_ROLE, &self.fork_path()?);
        match remote.push(store, branch.as_str(), expected, &commit) {
            Ok(()) => {}
            Err(error) => match error.downcast::<RemoteError>()? {
                RemoteError::TooShallow { .. } => {
                    // The fork lags behind dist-git: what it lacks has to be brought along.
                    let target = &self.source.target_branch;
                    self.remote("dist-git", &self.dist_path).fetch_rest(store, target, DIST_TIP)?;
                    remote.push(store, branch.as_str(), expected, &commit)?;
                }
                other => return Err(other.into()),
            },
        }
        Ok(commit)
    }

    /// Opens the merge request, or finds the one that another job opened meanwhile.
    fn open(&self, new: NewMergeRequest<'_>) -> Result<DistGitLink> {
        let link = |iid: MergeRequestIid, url: String| DistGitLink {
            project: self.dist_path.clone(),
            merge_request: iid,
            url,
        };
        match self.bot.forge.create_merge_request(new) {
            Ok(opened) => Ok(link(opened.iid, opened.web_url)),
            Err(error @ (ForgeError::Conflict(_) | ForgeError::MaybeDone(_))) => {
                let mut found = self.merge_requests()?.unwrap_or_default().into_iter();
                let open = found.find(|merge_request| merge_request.state == MergeRequestState::Opened);
                open.map(|found| link(found.iid, found.web_url)).ok_or_else(|| error.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

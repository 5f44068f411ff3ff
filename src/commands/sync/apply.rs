//! Does what is planned, step by step: whatever breaks, the next run completes it.

use anyhow::{Context as _, Result, bail};

use super::Run;
use super::observe::Seen;
use crate::forge::{ForgeError, MergeRequestEdit, NewFork, NewMergeRequest, Project, ProjectPath};
use crate::git::remote::RemoteError;
use crate::git::store::Store;
use crate::git::work_tree;
use crate::pair::note::DistGitLink;
use crate::pair::plan::{Plan, State, Step};
use crate::pair::{BranchName, MergeRequestIid};
use crate::transform::CommitId;

/// Where the tip of dist-git's target branch is in the store.
const DIST_TIP: &str = "refs/bot/dist-git";

impl Run<'_> {
    pub(super) fn apply(&self, store: &Store, seen: &Seen, plan: &Plan<'_>) -> Result<()> {
        if plan.steps.is_empty() {
            tracing::info!("everything is as it should be");
        }
        let mut link = plan.merge_request.clone();
        let mut fork = None;
        for step in &plan.steps {
            match step {
                Step::PushBranch { branch, expected, parent, message, .. } => {
                    let made = self.fork(seen)?;
                    self.push(store, seen, &made.path, branch, expected.as_ref(), parent, message)?;
                    tracing::info!("pushed {branch} to {}", made.path);
                    fork = Some(made);
                }
                Step::OpenMergeRequest { branch, target, title, description, labels } => {
                    let source_project = match &fork {
                        Some(fork) => fork.id,
                        None => seen.fork(self)?.with_context(|| format!("the project of {branch} is gone"))?.id,
                    };
                    let labels: Vec<_> = labels.iter().map(String::as_str).collect();
                    let opened = self.open(
                        seen,
                        NewMergeRequest {
                            source_project,
                            source_branch: branch.as_str(),
                            target_project: self.dist_git(seen)?.id,
                            target_branch: target.as_str(),
                            title,
                            description,
                            labels: &labels,
                        },
                    )?;
                    tracing::info!("opened {}", opened.url);
                    link = Some(opened);
                }
                Step::EditMergeRequest { iid, title, description } => {
                    let edit = MergeRequestEdit {
                        title: title.clone(),
                        description: description.clone(),
                        ..MergeRequestEdit::default()
                    };
                    self.forge.edit_merge_request(self.dist_git(seen)?.id, *iid, &edit)?;
                    tracing::info!("edited {}!{iid}", self.dist_path);
                }
                Step::CreateNote { note } => {
                    let text = note.render(link.as_ref());
                    self.forge.create_note(self.source.target_project_id, self.source.iid, &text)?;
                    tracing::info!("wrote a note on {}!{}", self.source_path, self.source.iid);
                }
                Step::EditNote { id, note } => {
                    let text = note.render(link.as_ref());
                    self.forge.edit_note(self.source.target_project_id, self.source.iid, *id, &text)?;
                    tracing::info!("edited the note on {}!{}", self.source_path, self.source.iid);
                }
                Step::DeleteNote { id } => {
                    self.forge.delete_note(self.source.target_project_id, self.source.iid, *id)?;
                    tracing::info!("removed a second note from {}!{}", self.source_path, self.source.iid);
                }
            }
        }
        Ok(())
    }

    fn dist_git<'a>(&self, seen: &'a Seen) -> Result<&'a Project> {
        seen.dist_git().with_context(|| format!("{} is not there", self.dist_path))
    }

    /// The project that holds the bot's branch, made where it is missing.
    fn fork(&self, seen: &Seen) -> Result<Project> {
        let dist_git = self.dist_git(seen)?;
        let path = self.fork_path()?;
        if path == self.dist_path {
            return Ok(dist_git.clone());
        }
        let found = match seen.fork(self)? {
            Some(project) => project.clone(),
            None => {
                tracing::info!("making the fork {path}");
                let namespace = Some(path.namespace()).filter(|namespace| *namespace != self.bot.user.username);
                let fork = NewFork { namespace, name: None, visibility: dist_git.visibility };
                match self.forge.create_fork(dist_git.id, fork) {
                    Ok(project) => project,
                    // Another job was faster, or the answer was lost: it is there now.
                    Err(ForgeError::Conflict(_) | ForgeError::MaybeDone(_)) => self.forge.project(&path)?,
                    Err(error) => return Err(error.into()),
                }
            }
        };
        if found.forked_from != Some(dist_git.id) {
            bail!(
                "{path} is not a fork of {}: move it out of the way, or let the forks live elsewhere",
                self.dist_path
            );
        }
        Ok(self.forge.wait_for_import(found)?)
    }

    #[expect(clippy::too_many_arguments, reason = "a push has that many parts")]
    fn push(
        &self,
        store: &Store,
        seen: &Seen,
        project: &ProjectPath,
        branch: &BranchName,
        expected: Option<&CommitId>,
        parent: &CommitId,
        message: &str,
    ) -> Result<()> {
        let generated = seen.generated().context("there is nothing to push")?;
        let changes = work_tree::changes(&generated.before, &generated.after);
        let tree = store.write_tree_with(&store.tree_of(parent)?, &changes)?;
        let commit = store.commit(&tree, parent, &self.person(), message)?;
        let remote = self.remote("the bot's fork", project);
        match remote.push(store, branch.as_str(), expected, &commit) {
            Ok(()) => Ok(()),
            Err(error) => match error.downcast::<RemoteError>()? {
                RemoteError::TooShallow { .. } => {
                    // The fork lags behind dist-git: what it lacks has to be brought along.
                    let target = &self.source.target_branch;
                    self.remote("dist-git", &self.dist_path).fetch_rest(store, target, DIST_TIP)?;
                    remote.push(store, branch.as_str(), expected, &commit)
                }
                other => Err(other.into()),
            },
        }
    }

    /// Opens the merge request, or finds the one that another job opened meanwhile.
    fn open(&self, seen: &Seen, new: NewMergeRequest<'_>) -> Result<DistGitLink> {
        let link = |iid: MergeRequestIid, url: String| DistGitLink {
            project: self.dist_path.clone(),
            merge_request: iid,
            url,
        };
        match self.forge.create_merge_request(new) {
            Ok(opened) => Ok(link(opened.iid, opened.web_url)),
            Err(error @ (ForgeError::Conflict(_) | ForgeError::MaybeDone(_))) => {
                let mut found = self.merge_requests(self.dist_git(seen)?)?.into_iter();
                let open = found.find(|merge_request| merge_request.state == State::Opened);
                open.map(|found| link(found.iid, found.url)).ok_or_else(|| error.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

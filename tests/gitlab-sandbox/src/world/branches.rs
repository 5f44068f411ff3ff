//! Branches, commits and tags that a test makes and looks at.

use std::path::Path;

use super::{project_id, project_mut};
use crate::model::pushes::Pusher;
use crate::repository::{git_command, run};
use crate::sandbox::Handle;

impl Handle {
    /// Commits files (`None` removes one) on a branch, which is made where it does not exist (without history, or from
    /// where [`Handle::branch_at`] put it), and gives the commit's id. The same calls always give the same ids.
    pub fn commit(&self, project: &str, branch: &str, message: &str, changes: &[(&str, Option<&str>)]) -> String {
        let model = &mut *self.0.model();
        let id = project_id(model, project);
        let seconds = model.next_commit_date();
        project_mut(model, project).repository.commit_files(branch, message, seconds, changes);
        let someone = model.users.keys().next().copied().unwrap_or_default();
        model.notice_push(id, Pusher::Test(someone));
        project_mut(model, project).branches.get(branch).cloned().unwrap_or_default()
    }

    /// Puts a branch where a commit, branch or tag is.
    pub fn branch_at(&self, project: &str, branch: &str, revision: &str) {
        let model = &mut *self.0.model();
        let id = project_id(model, project);
        let repository = project_mut(model, project).repository.clone();
        let commit = repository.commit_id(revision).unwrap_or_else(|| panic!("{project} has no {revision}"));
        repository.set_refs(&[(&format!("refs/heads/{branch}"), &commit)]);
        let someone = model.users.keys().next().copied().unwrap_or_default();
        model.notice_push(id, Pusher::Test(someone));
    }

    /// Deletes a branch, with all that follows.
    pub fn delete_branch(&self, project: &str, branch: &str) {
        let model = &mut *self.0.model();
        let id = project_id(model, project);
        project_mut(model, project).repository.delete_ref(&format!("refs/heads/{branch}"));
        let someone = model.users.keys().next().copied().unwrap_or_default();
        model.notice_push(id, Pusher::Test(someone));
    }

    /// Tags a commit; with a message the tag is an annotated one.
    pub fn tag(&self, project: &str, name: &str, revision: &str, message: Option<&str>) {
        let mut model = self.0.model();
        let repository = &project_mut(&mut model, project).repository;
        match message {
            Some(message) => repository.must(&["tag", "-a", "-m", message, name, revision]),
            None => repository.must(&["tag", name, revision]),
        };
    }

    /// Pushes from a local repository, whoever owns it and whatever is protected, by git's own refspecs.
    pub fn push(&self, local: &Path, project: &str, refspecs: &[&str]) {
        let model = &mut *self.0.model();
        let id = project_id(model, project);
        let mut command = git_command(local);
        command.args(["push", "--quiet", "--force"]).arg(project_mut(model, project).repository.path()).args(refspecs);
        run(command, b"").unwrap_or_else(|error| panic!("pushing {refspecs:?} to {project}: {error}"));
        let someone = model.users.keys().next().copied().unwrap_or_default();
        model.notice_push(id, Pusher::Test(someone));
    }

    /// Imports a history in the format of git-fast-import(1), over what is there; for large ones.
    pub fn import(&self, project: &str, stream: &[u8]) {
        let model = &mut *self.0.model();
        let id = project_id(model, project);
        let mut command = git_command(project_mut(model, project).repository.path());
        // Only speed counts: files are compressed in haste, and not tried as differences to whatever came before them.
        let hasty = ["-c", "core.compression=1", "-c", "core.fsync=none"];
        command.args(hasty).args(["fast-import", "--quiet", "--force", "--big-file-threshold=1k"]);
        run(command, stream).unwrap_or_else(|error| panic!("importing a history into {project}: {error}"));
        let someone = model.users.keys().next().copied().unwrap_or_default();
        model.notice_push(id, Pusher::Test(someone));
    }

    /// The commit at the tip of a branch.
    #[must_use]
    pub fn tip(&self, project: &str, branch: &str) -> Option<String> {
        project_mut(&mut self.0.model(), project).branches.get(branch).cloned()
    }

    /// The content of a file, as of a branch, tag, commit or other ref.
    #[must_use]
    pub fn file(&self, project: &str, revision: &str, path: &str) -> Option<Vec<u8>> {
        project_mut(&mut self.0.model(), project).repository.blob(revision, path)
    }

    /// What git says in a project's repository, for anything else a test wants to know: `git(…, &["log", "c10s"])`.
    #[must_use]
    pub fn git(&self, project: &str, arguments: &[&str]) -> String {
        let repository = project_mut(&mut self.0.model(), project).repository.clone();
        repository.must(arguments)
    }
}

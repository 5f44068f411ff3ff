//! Observes who may see the projects that a change comes from and goes to, with as few requests as possible.

use crate::forge::{Project, ProjectRef};
use crate::ops::sync::run::SyncRun;
use crate::pair::facts::PairVisibility;
use crate::types::Visibility;
use crate::types::error::{ForgeError, Result};

/// Whether GitLab has to be asked for the visibility of the bot's fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ForkVisibility {
    /// No: the fork is, or will be, no more visible than dist-git.
    SameAsDistGit,
    /// Yes: somebody may have made the fork more visible.
    Own,
}

impl SyncRun<'_> {
    /// Returns who may see what. Recent GitLab versions say the visibility of the original along with that of a fork.
    pub(crate) fn observe_visibility(&self, fork_visibility: ForkVisibility) -> Result<PairVisibility> {
        let target = self.source.target_project_id;
        // A deleted fork shows no more than the merge request does.
        let from = self.source.source_project_id.unwrap_or(target);
        // What GitLab does not say is assumed to be the value that would leak most.
        let or_private = |shown: Option<Visibility>| shown.unwrap_or(Visibility::Private);
        let fork = self.visible_project(from.into())?;
        let source_fork = or_private(fork.as_ref().and_then(|fork| fork.visibility));
        let original = fork.and_then(|fork| fork.forked_from).filter(|original| original.id == target);
        // Nothing is less visible than a private project, and nothing more than a public one: then one answer is
        // enough.
        let source = if from == target || source_fork == Visibility::Private {
            source_fork
        } else if let Some(shown) = original.and_then(|original| original.visibility) {
            shown
        } else {
            or_private(self.visible_project(target.into())?.and_then(|project| project.visibility))
        };
        if source.min(source_fork) == Visibility::Public {
            let (dist_git, bot_fork) = (Visibility::Public, Visibility::Public);
            return Ok(PairVisibility { source, source_fork, dist_git, bot_fork });
        }
        let or_public = |shown: Option<Visibility>| shown.unwrap_or(Visibility::Public);
        let fork = match fork_visibility {
            ForkVisibility::SameAsDistGit => None,
            ForkVisibility::Own => Some(self.visible_project((&self.fork_path()?).into())?),
        };
        let shown = match fork.as_ref().and_then(Option::as_ref) {
            Some(project) if project.path == self.dist_path => project.visibility,
            Some(Project { forked_from: Some(original), .. }) if original.path.as_ref() == Some(&self.dist_path) => {
                original.visibility
            }
            _ => None,
        };
        let dist_git = match shown {
            Some(shown) => shown,
            None => or_public(self.visible_project((&self.dist_path).into())?.and_then(|project| project.visibility)),
        };
        let bot_fork = fork.map_or(dist_git, |fork| or_public(fork.and_then(|fork| fork.visibility)));
        Ok(PairVisibility { source, source_fork, dist_git, bot_fork })
    }

    /// Returns a project if the bot may see it.
    fn visible_project(&self, project: ProjectRef<'_>) -> Result<Option<Project>> {
        match self.session.forge.project(project) {
            Ok(project) => Ok(Some(project)),
            Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

//! Who may see the projects that a change comes from and goes to, in as few requests as tell it.

use anyhow::Result;

use crate::forge::{ForgeError, Project, ProjectRef};
use crate::ops::sync::Run;
use crate::pair::facts::PairVisibility;
use crate::types::Visibility;

/// Whether the bot's fork has to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BotFork {
    /// It is, or will be, no more visible than dist-git.
    AsDistGit,
    /// Somebody may have made it more visible.
    OfItsOwn,
}

impl Run<'_> {
    /// Who may see what. A fork's answer tells of its original too, with a GitLab of late.
    pub(crate) fn visibility(&self, bot_fork: BotFork) -> Result<PairVisibility> {
        let target = self.source.target_project_id;
        // A deleted fork shows nothing that the merge request does not.
        let from = self.source.source_project_id.unwrap_or(target);
        // What GitLab does not tell is taken for what gives away most.
        let of_source = |told: Option<Visibility>| told.unwrap_or(Visibility::Private);
        let fork = self.seen_project(from.into())?;
        let source_fork = of_source(fork.as_ref().and_then(|fork| fork.visibility));
        let original = fork.and_then(|fork| fork.forked_from).filter(|original| original.id == target);
        // Nothing is less visible than what is private, and nothing more than what is public: then one answer tells all.
        let source = if from == target || source_fork == Visibility::Private {
            source_fork
        } else if let Some(told) = original.and_then(|original| original.visibility) {
            told
        } else {
            of_source(self.seen_project(target.into())?.and_then(|project| project.visibility))
        };
        if source.min(source_fork) == Visibility::Public {
            let (dist_git, bot_fork) = (Visibility::Public, Visibility::Public);
            return Ok(PairVisibility { source, source_fork, dist_git, bot_fork });
        }
        let of_destination = |told: Option<Visibility>| told.unwrap_or(Visibility::Public);
        let fork = match bot_fork {
            BotFork::AsDistGit => None,
            BotFork::OfItsOwn => Some(self.seen_project((&self.fork_path()?).into())?),
        };
        let told = match fork.as_ref().and_then(Option::as_ref) {
            Some(home) if home.path == self.dist_path => home.visibility,
            Some(Project { forked_from: Some(original), .. }) if original.path.as_ref() == Some(&self.dist_path) => {
                original.visibility
            }
            _ => None,
        };
        let dist_git = match told {
            Some(told) => told,
            None => of_destination(self.seen_project((&self.dist_path).into())?.and_then(|project| project.visibility)),
        };
        let bot_fork = fork.map_or(dist_git, |fork| of_destination(fork.and_then(|fork| fork.visibility)));
        Ok(PairVisibility { source, source_fork, dist_git, bot_fork })
    }

    /// A project, where the bot may see it.
    fn seen_project(&self, project: ProjectRef<'_>) -> Result<Option<Project>> {
        match self.bot.forge.project(project) {
            Ok(project) => Ok(Some(project)),
            Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

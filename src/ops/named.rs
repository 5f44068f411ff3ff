//! The source-git merge request that a command is about, as it is named on the command line or by the job around.
use crate::ops::merge_request_reference::MergeRequestReference;
use crate::ops::session::Setting;
use crate::types::ProjectPath;
use crate::types::error::{Result, UsageError, bail};

/// Which merge request, and where its pair is.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) reference: MergeRequestReference,
    pub(crate) dist_path: ProjectPath,
}

impl Named {
    /// Reads what is named; nothing, with a line in the log, where that is none of the instance's.
    pub(crate) fn read(named: Option<&str>, setting: &Setting) -> Result<Option<Self>> {
        let Some(named) = named.or(setting.job.merge_request.as_deref()) else {
            bail!(UsageError::new(
                "no merge request is named, and this is not a merge request pipeline",
                "name it: `--merge-request group/project!7`"
            ));
        };
        let instance = &setting.instance;
        let reference = MergeRequestReference::parse(named, &instance.gitlab.url)?;
        let Some(dist_path) = instance.namespaces.dist_git_of(reference.project.as_str()) else {
            tracing::info!(
                "{} is not a source-git project of the instance {}: nothing to do",
                reference.project,
                instance.name
            );
            return Ok(None);
        };
        Ok(Some(Self { dist_path: dist_path.parse()?, reference }))
    }
}

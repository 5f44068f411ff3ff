//! A pipeline as a person names it: by its address, or as `group/project/-/pipelines/7`.

use url::Url;

use crate::ops::gitlab_address::{self, Named};
use crate::types::error::UsageError;
use crate::types::finding::quoted;
use crate::types::{PipelineId, ProjectPath};

/// Which pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PipelineReference {
    /// The project that it runs in.
    pub(crate) project: ProjectPath,
    /// Its number.
    pub(crate) pipeline: PipelineId,
}

impl PipelineReference {
    /// Reads `text`. An address has to be one of the GitLab at `gitlab`, which may be installed below a path.
    pub(crate) fn parse(text: &str, gitlab: &Url) -> Result<Self, UsageError> {
        let wrong = |what: &str| {
            UsageError::new(
                format!("{} {what}", quoted(text.as_bytes())),
                "name a pipeline by its address, or as `group/project/-/pipelines/7`",
            )
        };
        let path = match gitlab_address::read(text, gitlab) {
            Named::Path(path) => path,
            Named::Elsewhere => return Err(wrong(&format!("is not on {gitlab}"))),
            Named::NoAddress => text.to_owned(),
        };
        let (project, rest) = path.split_once("/-/pipelines/").ok_or_else(|| wrong("is not a pipeline"))?;
        let number = rest.split('/').next().unwrap_or_default();
        let project = project.parse().map_err(|_| wrong("does not name a project"))?;
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong("does not end in the number of a pipeline"));
        }
        let number = number.parse().map_err(|_| wrong("does not end in the number of a pipeline"))?;
        Ok(Self { project, pipeline: PipelineId(number) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, gitlab: &str) -> Option<(String, u64)> {
        let found = PipelineReference::parse(text, &Url::parse(gitlab).unwrap()).ok()?;
        Some((found.project.to_string(), found.pipeline.0))
    }

    #[test]
    fn addresses_and_paths_are_read() {
        let found = Some(("group/sub/project".to_owned(), 7));
        for (text, gitlab) in [
            ("group/sub/project/-/pipelines/7", "https://gitlab.com"),
            ("https://gitlab.com/group/sub/project/-/pipelines/7", "https://gitlab.com"),
            ("https://gitlab.com/group/sub/project/-/pipelines/7/builds?x=1#y", "https://gitlab.com/"),
            ("https://host:8443/gitlab/group/sub/project/-/pipelines/7", "https://host:8443/gitlab"),
        ] {
            assert_eq!(parse(text, gitlab), found, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "7",
            "group/project/-/pipelines/",
            "group/project/-/pipelines/x",
            "group/project/-/pipelines/99999999999999999999999",
            "../project/-/pipelines/7",
            "https://gitlab.com/group/project/-/jobs/7",
            "https://evil.example/group/project/-/pipelines/7",
            "http://gitlab.com/group/project/-/pipelines/7",
        ] {
            assert_eq!(parse(text, "https://gitlab.com"), None, "{text}");
        }
    }
}

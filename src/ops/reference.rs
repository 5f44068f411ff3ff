//! Merge requests and pipelines as people and jobs name them: by an address on the instance's GitLab, or in short form.

use url::Url;

use crate::ops::session::SessionSettings;
use crate::types::error::{Result, UsageError, bail};
use crate::types::finding::quoted;
use crate::types::{MergeRequestIid, PipelineId, ProjectPath};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MergeRequestReference {
    /// The project that it targets.
    pub(crate) project: ProjectPath,
    pub(crate) iid: MergeRequestIid,
}

impl MergeRequestReference {
    /// Parses `text`. An address must be on the GitLab at `gitlab`, which may be installed below a path.
    pub(crate) fn parse(text: &str, gitlab: &Url) -> Result<Self, UsageError> {
        let wrong = |what: &str| {
            UsageError::new(
                format!("{} {what}", quoted(text.as_bytes())),
                "name a merge request by its address, or as `group/project!7`",
            )
        };
        let (project, iid) = match read_address(text, gitlab) {
            Address::Elsewhere => return Err(wrong(&format!("is not on {gitlab}"))),
            Address::Path(path) => {
                let (project, rest) = path
                    .split_once("/-/merge_requests/")
                    .ok_or_else(|| wrong("is not the address of a merge request"))?;
                (project.to_owned(), rest.split('/').next().unwrap_or_default().to_owned())
            }
            Address::Other => {
                let (project, iid) = text.rsplit_once('!').ok_or_else(|| wrong("is not a merge request"))?;
                (project.to_owned(), iid.to_owned())
            }
        };
        let project = project.parse().map_err(|_| wrong("does not name a project"))?;
        if iid.is_empty() || !iid.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong("does not end in the number of a merge request"));
        }
        let iid = iid.parse().map_err(|_| wrong("does not end in the number of a merge request"))?;
        Ok(Self { project, iid: MergeRequestIid(iid) })
    }
}

/// A source-git merge request, and the dist-git project of its pair.
#[derive(Clone, Debug)]
pub(crate) struct NamedMergeRequest {
    pub(crate) reference: MergeRequestReference,
    pub(crate) dist_path: ProjectPath,
}

impl NamedMergeRequest {
    /// Reads the merge request from the argument or the job. Returns `None`, and logs why, if its project is not in the
    /// instance.
    pub(crate) fn read(named: Option<&str>, settings: &SessionSettings) -> Result<Option<Self>> {
        let Some(named) = named.or(settings.job.merge_request.as_deref()) else {
            bail!(UsageError::new(
                "no merge request is named, and this is not a merge request pipeline",
                "name it: `--merge-request group/project!7`"
            ));
        };
        let instance = &settings.instance;
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PipelineReference {
    /// The project that it runs in.
    pub(crate) project: ProjectPath,
    pub(crate) pipeline: PipelineId,
}

impl PipelineReference {
    /// Parses `text`. An address must be on the GitLab at `gitlab`, which may be installed below a path.
    pub(crate) fn parse(text: &str, gitlab: &Url) -> Result<Self, UsageError> {
        let wrong = |what: &str| {
            UsageError::new(
                format!("{} {what}", quoted(text.as_bytes())),
                "name a pipeline by its address, or as `group/project/-/pipelines/7`",
            )
        };
        let path = match read_address(text, gitlab) {
            Address::Path(path) => path,
            Address::Elsewhere => return Err(wrong(&format!("is not on {gitlab}"))),
            Address::Other => text.to_owned(),
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

/// What a text names that somebody may have copied from a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Address {
    /// A path on the given GitLab, without a leading `/`, query or fragment.
    Path(String),
    /// An address on another server.
    Elsewhere,
    /// Not an address.
    Other,
}

/// Parses `text` as an address on the GitLab at `gitlab`, which may be installed below a path.
fn read_address(text: &str, gitlab: &Url) -> Address {
    match Url::parse(text) {
        Ok(url) if url.has_host() => {
            if url.origin() != gitlab.origin() {
                return Address::Elsewhere;
            }
            let base = gitlab.path().trim_end_matches('/');
            Address::Path(url.path().strip_prefix(base).unwrap_or_default().trim_start_matches('/').to_owned())
        }
        _ => Address::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge_request(text: &str, gitlab: &str) -> Result<(String, u64), String> {
        MergeRequestReference::parse(text, &Url::parse(gitlab).unwrap())
            .map(|found| (found.project.to_string(), found.iid.0))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn merge_requests_are_named_by_address_or_short_form() {
        let found = Ok(("group/sub/project".to_owned(), 7));
        for (text, gitlab) in [
            ("group/sub/project!7", "https://gitlab.com"),
            ("https://gitlab.com/group/sub/project/-/merge_requests/7", "https://gitlab.com"),
            ("https://gitlab.com/group/sub/project/-/merge_requests/7/diffs?x=1#note_3", "https://gitlab.com/"),
            ("https://host:8443/gitlab/group/sub/project/-/merge_requests/7", "https://host:8443/gitlab"),
        ] {
            assert_eq!(merge_request(text, gitlab), found, "{text}");
        }
    }

    #[test]
    fn invalid_names_of_merge_requests_are_refused() {
        for text in [
            "",
            "7",
            "!7",
            "group/project!",
            "group/project!x",
            "group/project!-7",
            "group/project!99999999999999999999999",
            "../project!7",
            "https://gitlab.com/group/project/-/issues/7",
            "https://evil.example/group/project/-/merge_requests/7",
            "http://gitlab.com/group/project/-/merge_requests/7",
            "javascript:alert(1)!7",
        ] {
            assert!(merge_request(text, "https://gitlab.com").is_err(), "{text}");
        }
    }

    fn pipeline(text: &str, gitlab: &str) -> Option<(String, u64)> {
        let found = PipelineReference::parse(text, &Url::parse(gitlab).unwrap()).ok()?;
        Some((found.project.to_string(), found.pipeline.0))
    }

    #[test]
    fn pipelines_are_named_by_address_or_path() {
        let found = Some(("group/sub/project".to_owned(), 7));
        for (text, gitlab) in [
            ("group/sub/project/-/pipelines/7", "https://gitlab.com"),
            ("https://gitlab.com/group/sub/project/-/pipelines/7", "https://gitlab.com"),
            ("https://gitlab.com/group/sub/project/-/pipelines/7/builds?x=1#y", "https://gitlab.com/"),
            ("https://host:8443/gitlab/group/sub/project/-/pipelines/7", "https://host:8443/gitlab"),
        ] {
            assert_eq!(pipeline(text, gitlab), found, "{text}");
        }
    }

    #[test]
    fn invalid_names_of_pipelines_are_refused() {
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
            assert_eq!(pipeline(text, "https://gitlab.com"), None, "{text}");
        }
    }
}

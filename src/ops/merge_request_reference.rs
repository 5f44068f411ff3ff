//! A merge request as a person names it: by its address, or as `group/project!7`.

use url::Url;

use crate::ops::gitlab_address::{self, Named};
use crate::types::error::UsageError;
use crate::types::finding::quoted;
use crate::types::{MergeRequestIid, ProjectPath};

/// Which merge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MergeRequestReference {
    /// The project that it targets.
    pub(crate) project: ProjectPath,
    /// Its number there.
    pub(crate) iid: MergeRequestIid,
}

impl MergeRequestReference {
    /// Reads `text`. An address has to be one of the GitLab at `gitlab`, which may be installed below a path.
    pub(crate) fn parse(text: &str, gitlab: &Url) -> Result<Self, UsageError> {
        let wrong = |what: &str| {
            UsageError::new(
                format!("{} {what}", quoted(text.as_bytes())),
                "name a merge request by its address, or as `group/project!7`",
            )
        };
        let (project, iid) = match gitlab_address::read(text, gitlab) {
            Named::Elsewhere => return Err(wrong(&format!("is not on {gitlab}"))),
            Named::Path(path) => {
                let (project, rest) = path
                    .split_once("/-/merge_requests/")
                    .ok_or_else(|| wrong("is not the address of a merge request"))?;
                (project.to_owned(), rest.split('/').next().unwrap_or_default().to_owned())
            }
            Named::NoAddress => {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, gitlab: &str) -> Result<(String, u64), String> {
        MergeRequestReference::parse(text, &Url::parse(gitlab).unwrap())
            .map(|found| (found.project.to_string(), found.iid.0))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_and_short_forms_are_read() {
        let found = Ok(("group/sub/project".to_owned(), 7));
        for (text, gitlab) in [
            ("group/sub/project!7", "https://gitlab.com"),
            ("https://gitlab.com/group/sub/project/-/merge_requests/7", "https://gitlab.com"),
            ("https://gitlab.com/group/sub/project/-/merge_requests/7/diffs?x=1#note_3", "https://gitlab.com/"),
            ("https://host:8443/gitlab/group/sub/project/-/merge_requests/7", "https://host:8443/gitlab"),
        ] {
            assert_eq!(parse(text, gitlab), found, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
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
            assert!(parse(text, "https://gitlab.com").is_err(), "{text}");
        }
    }
}

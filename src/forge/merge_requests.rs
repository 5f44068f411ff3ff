//! Merge requests: reading, finding, creating and changing them.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use gitlab::api::common::NameOrId;
use gitlab::api::endpoint_prelude::{Endpoint, Method, QueryParams};
use gitlab::api::projects::merge_requests as api;
use serde::{Deserialize, Serialize};

use crate::forge::client::{Forge, endpoint, if_known, or_default};
use crate::forge::commits::Commit;
use crate::forge::error::ForgeError;
use crate::forge::pipelines::Pipeline;
use crate::forge::projects::ProjectRef;
use crate::forge::user::User;
use crate::types::{CommitId, MergeRequestId, MergeRequestIid, ProjectId, ProjectPath, StateChange, UserId};

/// A merge request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MergeRequest {
    /// Its number on its GitLab.
    pub id: MergeRequestId,
    /// Its number in its target project.
    pub iid: MergeRequestIid,
    /// The project that it is in: the target project.
    pub target_project_id: ProjectId,
    /// The project that it comes from; nothing once that was deleted.
    #[serde(default)]
    pub source_project_id: Option<ProjectId>,
    /// The branch that it comes from, as its author named it.
    #[serde(default, deserialize_with = "or_default")]
    pub source_branch: String,
    /// The branch that it is to be merged into.
    #[serde(default, deserialize_with = "or_default")]
    pub target_branch: String,
    /// The title, with `Draft: ` in front where it is a draft.
    #[serde(default, deserialize_with = "or_default")]
    pub title: String,
    /// The description.
    #[serde(default, deserialize_with = "or_default")]
    pub description: String,
    /// Its state.
    #[serde(default)]
    pub state: MergeRequestState,
    /// Whether it is marked as not ready.
    #[serde(default, deserialize_with = "or_default")]
    pub draft: bool,
    /// The commit at the head; nothing while GitLab is still preparing the merge request.
    #[serde(default, deserialize_with = "if_known")]
    pub sha: Option<CommitId>,
    /// The merge commit, once merged with one.
    #[serde(default, deserialize_with = "if_known")]
    pub merge_commit_sha: Option<CommitId>,
    /// The one commit that all of its own became, once merged so.
    #[serde(default, deserialize_with = "if_known")]
    pub squash_commit_sha: Option<CommitId>,
    /// When it was merged, where it was.
    #[serde(default, deserialize_with = "if_known")]
    pub merged_at: Option<DateTime<Utc>>,
    /// Who closed it, where it is closed and GitLab tells.
    #[serde(default)]
    pub closed_by: Option<User>,
    /// Who opened it.
    pub author: User,
    /// Its page.
    #[serde(default, deserialize_with = "or_default")]
    pub web_url: String,
    /// The pipeline that its page shows first; in lists there is none.
    #[serde(default)]
    pub head_pipeline: Option<Pipeline>,
    /// The commits that its newest version is between; in lists there are none.
    #[serde(default)]
    pub diff_refs: Option<DiffRefs>,
    /// How other things refer to it.
    #[serde(default)]
    pub references: References,
    /// Its labels.
    #[serde(default, deserialize_with = "or_default")]
    pub labels: Vec<String>,
    /// When it was opened, as GitLab writes it.
    #[serde(default, deserialize_with = "or_default")]
    pub created_at: String,
    /// When anything about it last changed, as GitLab writes it.
    #[serde(default, deserialize_with = "or_default")]
    pub updated_at: String,
}

/// What a version of a merge request is between.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DiffRefs {
    /// The commit that its branch left the target branch at.
    #[serde(default, deserialize_with = "if_known")]
    pub base_sha: Option<CommitId>,
}

/// How other things refer to a merge request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct References {
    /// From anywhere: `group/project!7`.
    #[serde(default, deserialize_with = "or_default")]
    pub full: String,
}

impl MergeRequest {
    /// Returns the path of the project that it is in; nothing where GitLab does not tell.
    pub fn project_path(&self) -> Option<ProjectPath> {
        self.references.full.rsplit_once('!')?.0.parse().ok()
    }
}

/// The state of a merge request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MergeRequestState {
    /// Open.
    Opened,
    /// Closed without being merged.
    Closed,
    /// Being merged right now.
    Locked,
    /// Merged.
    Merged,
    /// None that this program knows.
    #[default]
    #[serde(other)]
    Unknown,
}

/// What a merge request held at some time: each push makes a version.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MergeRequestVersion {
    /// Its number.
    pub id: u64,
    /// The commit at the head.
    #[serde(rename = "head_commit_sha")]
    pub head: CommitId,
    /// The commit that the changes are shown against.
    #[serde(rename = "base_commit_sha", default, deserialize_with = "if_known")]
    pub base: Option<CommitId>,
}

/// Which merge requests of a target project to list. What is not set does not restrict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeRequestQuery<'a> {
    /// Those from this branch.
    pub source_branch: Option<&'a str>,
    /// Those into this branch.
    pub target_branch: Option<&'a str>,
    /// Those of this author.
    pub author: Option<UserId>,
    /// Those in this state.
    pub state: StateFilter,
}

/// Which states to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StateFilter {
    /// All of them.
    #[default]
    Any,
    /// The open ones.
    Opened,
}

/// A merge request to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewMergeRequest<'a> {
    /// The project that holds the source branch: the fork, or the target project itself.
    pub source_project: ProjectId,
    /// The source branch.
    pub source_branch: &'a str,
    /// The project to open it in.
    pub target_project: ProjectId,
    /// The target branch.
    pub target_branch: &'a str,
    /// The title; `Draft: ` in front makes it a draft.
    pub title: &'a str,
    /// The description.
    pub description: &'a str,
    /// Labels; GitLab creates those that are missing where the user may.
    pub labels: &'a [&'a str],
}

/// What to change about a merge request: only what is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MergeRequestEdit {
    /// The new title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The new description; an empty one removes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The new target branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_branch: Option<String>,
    /// Close or reopen it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<StateChange>,
    /// Labels to add to those it has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add_labels: Vec<String>,
}

impl MergeRequestEdit {
    /// Whether nothing is to be changed. GitLab refuses such an edit: do not send it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Which merge requests, of all that the token's user may see.
enum MergeRequestsOf {
    /// Those into the projects of a group and the groups in it.
    OfGroup(String),
    /// Those of a group that were merged, and last changed after this.
    MergedInGroup(String, DateTime<Utc>),
    /// Those of an author.
    By(UserId),
    /// Those of an author, in this state, that last changed within this time.
    ChangedBy(UserId, &'static str, Option<DateTime<Utc>>, Option<DateTime<Utc>>),
}

impl Endpoint for MergeRequestsOf {
    fn method(&self) -> Method {
        Method::GET
    }

    fn endpoint(&self) -> Cow<'static, str> {
        match self {
            Self::OfGroup(group) | Self::MergedInGroup(group, _) => {
                format!("groups/{}/merge_requests", NameOrId::from(group.as_str())).into()
            }
            Self::By(_) | Self::ChangedBy(..) => "merge_requests".into(),
        }
    }

    fn parameters(&self) -> QueryParams<'_> {
        let mut parameters = QueryParams::default();
        // The oldest first: what is opened while the pages are read comes at the end.
        let (state, after, before) = match self {
            Self::OfGroup(_) | Self::By(_) => ("opened", None, None),
            Self::MergedInGroup(_, after) => ("merged", Some(*after), None),
            Self::ChangedBy(_, state, after, before) => (*state, *after, *before),
        };
        parameters.push("state", state).push("scope", "all").push("order_by", "created_at").push("sort", "asc");
        if let Self::By(author) | Self::ChangedBy(author, ..) = self {
            parameters.push("author_id", author.0);
        }
        let time = |moment: DateTime<Utc>| moment.to_rfc3339_opts(SecondsFormat::Secs, true);
        parameters.push_opt("updated_after", after.map(time)).push_opt("updated_before", before.map(time));
        parameters
    }
}

struct Versions {
    project: ProjectId,
    iid: MergeRequestIid,
}

impl Endpoint for Versions {
    fn method(&self) -> Method {
        Method::GET
    }

    fn endpoint(&self) -> Cow<'static, str> {
        format!("projects/{}/merge_requests/{}/versions", self.project, self.iid).into()
    }
}

impl Forge {
    /// Returns a merge request of a target project.
    pub fn merge_request<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        iid: MergeRequestIid,
    ) -> Result<MergeRequest, ForgeError> {
        self.query(&endpoint(api::MergeRequest::builder().project(project.into()).merge_request(iid.0).build())?)
    }

    /// Returns the merge requests of a target project that `query` asks for, the newest first; read page by page, as
    /// far as the iterator is followed.
    pub fn merge_requests<'a>(
        &'a self,
        project: impl Into<ProjectRef<'a>>,
        query: MergeRequestQuery<'a>,
    ) -> impl Iterator<Item = Result<MergeRequest, ForgeError>> {
        let mut request = api::MergeRequests::builder();
        request.project(project.into()).order_by(api::MergeRequestOrderBy::CreatedAt);
        if let Some(branch) = query.source_branch {
            request.source_branch(branch);
        }
        if let Some(branch) = query.target_branch {
            request.target_branch(branch);
        }
        if let Some(author) = query.author {
            request.author(NameOrId::Id(author.0));
        }
        if query.state == StateFilter::Opened {
            request.state(api::MergeRequestState::Opened);
        }
        self.list(endpoint(request.build()))
    }

    /// Returns the open merge requests into the projects of a group and the groups in it, the oldest first; read page by
    /// page.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] where there is no such group; a user's namespace is none.
    pub fn open_merge_requests_of_group(
        &self,
        group: &str,
    ) -> impl Iterator<Item = Result<MergeRequest, ForgeError>> + use<'_> {
        self.list(Ok(MergeRequestsOf::OfGroup(group.to_owned())))
    }

    /// Returns the merge requests into the projects of a group and the groups in it that were merged and last changed after
    /// a moment, the oldest first; read page by page. GitLab leaves out archived projects.
    ///
    /// # Errors
    ///
    /// As [`Forge::open_merge_requests_of_group`].
    pub fn merge_requests_merged_in_group(
        &self,
        group: &str,
        after: DateTime<Utc>,
    ) -> impl Iterator<Item = Result<MergeRequest, ForgeError>> + use<'_> {
        self.list(Ok(MergeRequestsOf::MergedInGroup(group.to_owned(), after)))
    }

    /// Returns the open merge requests of an author in any project, the oldest first; read page by page.
    pub fn open_merge_requests_by(
        &self,
        author: UserId,
    ) -> impl Iterator<Item = Result<MergeRequest, ForgeError>> + use<'_> {
        self.list(Ok(MergeRequestsOf::By(author)))
    }

    /// Returns the merge requests of an author in any project that are closed or merged and last changed after a moment;
    /// read page by page.
    pub fn merge_requests_ended_since(
        &self,
        author: UserId,
        after: DateTime<Utc>,
    ) -> impl Iterator<Item = Result<MergeRequest, ForgeError>> + use<'_> {
        let listed = move |state| self.list(Ok(MergeRequestsOf::ChangedBy(author, state, Some(after), None)));
        ["merged", "closed"].into_iter().flat_map(listed)
    }

    /// Returns the merge requests of an author in any project and state that last changed between two moments, the oldest
    /// first; read page by page.
    pub fn merge_requests_changed_between(
        &self,
        author: UserId,
        after: DateTime<Utc>,
        before: DateTime<Utc>,
    ) -> impl Iterator<Item = Result<MergeRequest, ForgeError>> + use<'_> {
        self.list(Ok(MergeRequestsOf::ChangedBy(author, "all", Some(after), Some(before))))
    }

    /// Opens a merge request.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Conflict`] where an open one from the same branch exists; [`ForgeError::MaybeDone`] where it may
    /// have been opened: [`Forge::merge_requests`] by the source branch tells.
    pub fn create_merge_request(&self, new: NewMergeRequest<'_>) -> Result<MergeRequest, ForgeError> {
        let mut request = api::CreateMergeRequest::builder();
        request
            .project(new.source_project.0)
            .source_branch(new.source_branch)
            .target_project_id(new.target_project.0)
            .target_branch(new.target_branch)
            .title(new.title)
            .description(new.description);
        if !new.labels.is_empty() {
            request.labels(new.labels.iter().copied());
        }
        self.query(&endpoint(request.build())?)
    }

    /// Changes a merge request and returns it as it is then.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Conflict`] where it cannot be reopened because another one has its branch.
    pub fn edit_merge_request<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        iid: MergeRequestIid,
        edit: &MergeRequestEdit,
    ) -> Result<MergeRequest, ForgeError> {
        let mut request = api::EditMergeRequest::builder();
        request.project(project.into()).merge_request(iid.0);
        if let Some(title) = &edit.title {
            request.title(title);
        }
        if let Some(description) = &edit.description {
            request.description(description);
        }
        if let Some(branch) = &edit.target_branch {
            request.target_branch(branch);
        }
        match edit.state {
            Some(StateChange::Close) => _ = request.state_event(api::MergeRequestStateEvent::Close),
            Some(StateChange::Reopen) => _ = request.state_event(api::MergeRequestStateEvent::Reopen),
            None => {}
        }
        for label in &edit.add_labels {
            request.add_label(label);
        }
        self.query(&endpoint(request.build())?)
    }

    /// Returns the commits of a merge request, the newest first; read page by page.
    pub fn merge_request_commits(
        &self,
        project: ProjectId,
        iid: MergeRequestIid,
    ) -> impl Iterator<Item = Result<Commit, ForgeError>> + use<'_> {
        self.list(endpoint(api::MergeRequestCommits::builder().project(project.0).merge_request(iid.0).build()))
    }

    /// Returns what a merge request has held, the newest first; read page by page.
    pub fn merge_request_versions(
        &self,
        project: ProjectId,
        iid: MergeRequestIid,
    ) -> impl Iterator<Item = Result<MergeRequestVersion, ForgeError>> + use<'_> {
        self.list(Ok(Versions { project, iid }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_request_that_is_being_prepared_has_no_head() {
        let json = r#"{"id": 5, "iid": 7, "project_id": 3, "target_project_id": 3, "source_project_id": null,
            "title": "x", "description": null, "state": "opened", "sha": null, "labels": null, "draft": null,
            "author": {"id": 9, "username": "u", "name": "U", "avatar_url": null}, "new_in_gitlab_42": {}}"#;
        let mr: MergeRequest = serde_json::from_str(json).unwrap();
        assert_eq!((mr.sha, mr.source_project_id, mr.description.as_str()), (None, None, ""));
        assert_eq!(mr.target_project_id, ProjectId(3));
    }

    #[test]
    fn an_edit_of_nothing_is_empty() {
        assert!(MergeRequestEdit::default().is_empty());
        assert!(!MergeRequestEdit { description: Some(String::new()), ..MergeRequestEdit::default() }.is_empty());
    }
}

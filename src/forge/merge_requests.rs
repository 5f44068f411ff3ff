//! Merge requests: reads, finds, creates and changes them. Lists those of a project, a group or an author.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use gitlab::api::common::NameOrId;
use gitlab::api::endpoint_prelude::{Endpoint, Method, QueryParams};
use gitlab::api::projects::merge_requests as api;
use serde::{Deserialize, Serialize};

use crate::forge::client::{Forge, endpoint, if_known, or_default};
use crate::forge::commits::Commit;
use crate::forge::pipelines::Pipeline;
use crate::forge::projects::ProjectRef;
use crate::forge::user::User;
use crate::types::error::ForgeError;
use crate::types::{CommitId, MergeRequestId, MergeRequestIid, ProjectId, ProjectPath, StateChange, UserId};

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MergeRequest {
    pub id: MergeRequestId,
    pub iid: MergeRequestIid,
    pub target_project_id: ProjectId,
    /// `None` after the source project was deleted.
    #[serde(default)]
    pub source_project_id: Option<ProjectId>,
    /// The author chose this name.
    #[serde(default, deserialize_with = "or_default")]
    pub source_branch: String,
    #[serde(default, deserialize_with = "or_default")]
    pub target_branch: String,
    /// Begins with `Draft: ` for a draft.
    #[serde(default, deserialize_with = "or_default")]
    pub title: String,
    #[serde(default, deserialize_with = "or_default")]
    pub description: String,
    #[serde(default)]
    pub state: MergeRequestState,
    #[serde(default, deserialize_with = "or_default")]
    pub draft: bool,
    /// The head commit; `None` while GitLab is still preparing the merge request.
    #[serde(default, deserialize_with = "if_known")]
    pub sha: Option<CommitId>,
    /// The merge commit, for a merge that made one.
    #[serde(default, deserialize_with = "if_known")]
    pub merge_commit_sha: Option<CommitId>,
    /// The commit that all others were squashed into, for a merge that did so.
    #[serde(default, deserialize_with = "if_known")]
    pub squash_commit_sha: Option<CommitId>,
    #[serde(default, deserialize_with = "if_known")]
    pub merged_at: Option<DateTime<Utc>>,
    /// Who closed the merge request, where it is closed and GitLab says.
    #[serde(default)]
    pub closed_by: Option<User>,
    pub author: User,
    #[serde(default, deserialize_with = "or_default")]
    pub web_url: String,
    /// The pipeline that the merge request's page shows first; `None` in lists.
    #[serde(default)]
    pub head_pipeline: Option<Pipeline>,
    /// The commits of the newest version's diff; `None` in lists.
    #[serde(default)]
    pub diff_refs: Option<DiffRefs>,
    #[serde(default)]
    pub references: References,
    #[serde(default, deserialize_with = "or_default")]
    pub labels: Vec<String>,
    /// As GitLab writes it.
    #[serde(default, deserialize_with = "or_default")]
    pub created_at: String,
    /// The time of the last change of any property, as GitLab writes it.
    #[serde(default, deserialize_with = "or_default")]
    pub updated_at: String,
}

/// The commits that the diff of a merge request compares.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DiffRefs {
    /// The commit where the source branch left the target branch.
    #[serde(default, deserialize_with = "if_known")]
    pub base_sha: Option<CommitId>,
}

/// The texts that refer to a merge request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct References {
    /// The reference from any project: `group/project!7`.
    #[serde(default, deserialize_with = "or_default")]
    pub full: String,
}

impl MergeRequest {
    /// Returns the path of the target project; `None` where GitLab does not say.
    pub fn project_path(&self) -> Option<ProjectPath> {
        self.references.full.rsplit_once('!')?.0.parse().ok()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MergeRequestState {
    Opened,
    /// Closed without being merged.
    Closed,
    /// Being merged right now.
    Locked,
    Merged,
    /// A state that this program does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

/// The content of a merge request at some time. Each push makes a version.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MergeRequestVersion {
    pub id: u64,
    #[serde(rename = "head_commit_sha")]
    pub head: CommitId,
    /// The commit that GitLab compares the head with.
    #[serde(rename = "base_commit_sha", default, deserialize_with = "if_known")]
    pub base: Option<CommitId>,
}

/// Which merge requests of a target project to list. `None` does not restrict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeRequestQuery<'a> {
    pub source_branch: Option<&'a str>,
    pub target_branch: Option<&'a str>,
    pub author: Option<UserId>,
    pub state: StateFilter,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StateFilter {
    #[default]
    Any,
    Opened,
}

/// A merge request to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewMergeRequest<'a> {
    /// The fork, or the target project itself.
    pub source_project: ProjectId,
    pub source_branch: &'a str,
    pub target_project: ProjectId,
    pub target_branch: &'a str,
    /// `Draft: ` at the beginning makes the merge request a draft.
    pub title: &'a str,
    pub description: &'a str,
    /// GitLab creates labels that do not exist, provided that the user may do so.
    pub labels: &'a [&'a str],
}

/// Changes to a merge request. `None` leaves a property as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MergeRequestEdit {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// An empty text removes the description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<StateChange>,
    /// Labels to add to the present ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add_labels: Vec<String>,
}

impl MergeRequestEdit {
    /// Whether there is nothing to change. GitLab refuses such an edit: do not send it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The endpoints of lists over many projects. A list holds only what the token's user may see.
enum MergeRequestList {
    /// The open ones into the projects of a group and its subgroups.
    OpenInGroup(String),
    /// The merged ones of a group that last changed after this time.
    MergedInGroup(String, DateTime<Utc>),
    /// The open ones of an author.
    OpenByAuthor(UserId),
    /// Those of an author, in this state, that last changed after and before these times.
    ChangedByAuthor(UserId, &'static str, Option<DateTime<Utc>>, Option<DateTime<Utc>>),
}

impl Endpoint for MergeRequestList {
    fn method(&self) -> Method {
        Method::GET
    }

    fn endpoint(&self) -> Cow<'static, str> {
        match self {
            Self::OpenInGroup(group) | Self::MergedInGroup(group, _) => {
                format!("groups/{}/merge_requests", NameOrId::from(group.as_str())).into()
            }
            Self::OpenByAuthor(_) | Self::ChangedByAuthor(..) => "merge_requests".into(),
        }
    }

    fn parameters(&self) -> QueryParams<'_> {
        let mut parameters = QueryParams::default();
        // Oldest first: a merge request opened while the pages are read goes to the end.
        let (state, after, before) = match self {
            Self::OpenInGroup(_) | Self::OpenByAuthor(_) => ("opened", None, None),
            Self::MergedInGroup(_, after) => ("merged", Some(*after), None),
            Self::ChangedByAuthor(_, state, after, before) => (*state, *after, *before),
        };
        parameters.push("state", state).push("scope", "all").push("order_by", "created_at").push("sort", "asc");
        if let Self::OpenByAuthor(author) | Self::ChangedByAuthor(author, ..) = self {
            parameters.push("author_id", author.0);
        }
        let time = |moment: DateTime<Utc>| moment.to_rfc3339_opts(SecondsFormat::Secs, true);
        parameters.push_opt("updated_after", after.map(time)).push_opt("updated_before", before.map(time));
        parameters
    }
}

/// The endpoint of a merge request's versions, which the crate `gitlab` lacks.
struct VersionList {
    project: ProjectId,
    iid: MergeRequestIid,
}

impl Endpoint for VersionList {
    fn method(&self) -> Method {
        Method::GET
    }

    fn endpoint(&self) -> Cow<'static, str> {
        format!("projects/{}/merge_requests/{}/versions", self.project, self.iid).into()
    }
}

impl Forge {
    pub fn merge_request<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        iid: MergeRequestIid,
    ) -> Result<MergeRequest, ForgeError> {
        self.query(&endpoint(api::MergeRequest::builder().project(project.into()).merge_request(iid.0).build())?)
    }

    /// Returns the merge requests of a target project that match `query`, newest first.
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

    /// Returns the open merge requests into the projects of a group and its subgroups, oldest first.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] where there is no such group. A user's namespace is no group.
    pub fn open_merge_requests_of_group(
        &self,
        group: &str,
    ) -> impl Iterator<Item = Result<MergeRequest, ForgeError>> + use<'_> {
        self.list(Ok(MergeRequestList::OpenInGroup(group.to_owned())))
    }

    /// Returns the merged merge requests of a group and its subgroups that last changed after `after`, oldest first.
    /// GitLab leaves out archived projects.
    ///
    /// # Errors
    ///
    /// As [`Forge::open_merge_requests_of_group`].
    pub fn merge_requests_merged_in_group(
        &self,
        group: &str,
        after: DateTime<Utc>,
    ) -> impl Iterator<Item = Result<MergeRequest, ForgeError>> + use<'_> {
        self.list(Ok(MergeRequestList::MergedInGroup(group.to_owned(), after)))
    }

    /// Returns the open merge requests of an author in all projects, oldest first.
    pub fn open_merge_requests_by(
        &self,
        author: UserId,
    ) -> impl Iterator<Item = Result<MergeRequest, ForgeError>> + use<'_> {
        self.list(Ok(MergeRequestList::OpenByAuthor(author)))
    }

    /// Returns the closed and merged merge requests of an author in all projects that last changed after `after`.
    pub fn merge_requests_ended_since(
        &self,
        author: UserId,
        after: DateTime<Utc>,
    ) -> impl Iterator<Item = Result<MergeRequest, ForgeError>> + use<'_> {
        let listed = move |state| self.list(Ok(MergeRequestList::ChangedByAuthor(author, state, Some(after), None)));
        ["merged", "closed"].into_iter().flat_map(listed)
    }

    /// Returns the merge requests of an author in all projects and states that last changed between two times, oldest
    /// first.
    pub fn merge_requests_changed_between(
        &self,
        author: UserId,
        after: DateTime<Utc>,
        before: DateTime<Utc>,
    ) -> impl Iterator<Item = Result<MergeRequest, ForgeError>> + use<'_> {
        self.list(Ok(MergeRequestList::ChangedByAuthor(author, "all", Some(after), Some(before))))
    }

    /// Opens a merge request.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Conflict`] where an open one from the same branch exists; [`ForgeError::MaybeDone`] where GitLab
    /// may have opened it: check with [`Forge::merge_requests`] for the source branch.
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

    /// Changes a merge request, and returns its new state.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Conflict`] where GitLab cannot reopen it because another one has the same source branch.
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

    /// Returns the commits of a merge request, newest first.
    pub fn merge_request_commits(
        &self,
        project: ProjectId,
        iid: MergeRequestIid,
    ) -> impl Iterator<Item = Result<Commit, ForgeError>> + use<'_> {
        self.list(endpoint(api::MergeRequestCommits::builder().project(project.0).merge_request(iid.0).build()))
    }

    /// Returns the versions of a merge request, newest first.
    pub fn merge_request_versions(
        &self,
        project: ProjectId,
        iid: MergeRequestIid,
    ) -> impl Iterator<Item = Result<MergeRequestVersion, ForgeError>> + use<'_> {
        self.list(Ok(VersionList { project, iid }))
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
    fn an_edit_without_changes_is_empty() {
        assert!(MergeRequestEdit::default().is_empty());
        assert!(!MergeRequestEdit { description: Some(String::new()), ..MergeRequestEdit::default() }.is_empty());
    }
}

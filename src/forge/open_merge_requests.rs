//! Lists of merge requests over many projects: the open and the lately merged ones of a group, and those of an author.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use gitlab::api::common::NameOrId;
use gitlab::api::endpoint_prelude::{Endpoint, Method, QueryParams};

use crate::forge::{Forge, MergeRequest};
use crate::types::UserId;
use crate::types::error::ForgeError;

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

impl Forge {
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
}

//! Lists of open merge requests over many projects: of a group, and of an author.

use std::borrow::Cow;

use gitlab::api::common::NameOrId;
use gitlab::api::endpoint_prelude::{Endpoint, Method, QueryParams};

use super::{Forge, ForgeError, MergeRequest, UserId};

/// Which merge requests, of all that the token's user may see.
enum OpenMergeRequests {
    /// Those into the projects of a group and the groups in it.
    OfGroup(String),
    /// Those of an author.
    By(UserId),
}

impl Endpoint for OpenMergeRequests {
    fn method(&self) -> Method {
        Method::GET
    }

    fn endpoint(&self) -> Cow<'static, str> {
        match self {
            Self::OfGroup(group) => format!("groups/{}/merge_requests", NameOrId::from(group.as_str())).into(),
            Self::By(_) => "merge_requests".into(),
        }
    }

    fn parameters(&self) -> QueryParams<'_> {
        let mut parameters = QueryParams::default();
        // The oldest first: what is opened while the pages are read comes at the end.
        parameters.push("state", "opened").push("scope", "all").push("order_by", "created_at").push("sort", "asc");
        if let Self::By(author) = self {
            parameters.push("author_id", author.0);
        }
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
        self.list(Ok(OpenMergeRequests::OfGroup(group.to_owned())))
    }

    /// Returns the open merge requests of an author in any project, the oldest first; read page by page.
    pub fn open_merge_requests_by(
        &self,
        author: UserId,
    ) -> impl Iterator<Item = Result<MergeRequest, ForgeError>> + use<'_> {
        self.list(Ok(OpenMergeRequests::By(author)))
    }
}

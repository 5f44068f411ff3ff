//! GraphQL, for what GitLab's REST lists lack: the head pipelines of many merge requests and the tips of many branches,
//! in a handful of requests.
//!
//! A query may have a complexity of 250 (`GitlabSchema::AUTHENTICATED_MAX_COMPLEXITY`; `queryComplexity` shows a
//! query's). A list costs as much as one item, plus a hundredth of that for each further item. So a full page of 100
//! merge requests costs 25, and the tips of a page of projects 18. The tips are limited by time instead: each takes two
//! calls to the git servers, and GitLab ends a query after 30 s.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::forge::client::{Forge, PAGES_LIMIT, decode};
use crate::forge::transport::Answer;
use crate::types::error::ForgeError;
use crate::types::text::printable;
use crate::types::{BranchName, CommitId, MergeRequestIid, ProjectPath};

/// How many projects one request asks for their tips. GitLab accepts up to 50.
pub const BRANCH_TIPS_AT_ONCE: usize = 25;

/// `Query.group`, `Group.mergeRequests`, `MergeRequest.headPipeline`: the pipeline of the newest commit, if there is
/// one.
const OF_GROUP: &str = "query($group: ID!, $after: String) { group(fullPath: $group) { \
    mergeRequests(state: opened, includeSubgroups: true, first: 100, after: $after) { \
    nodes { iid project { fullPath } headPipeline { id status updatedAt } } pageInfo { hasNextPage endCursor } } } }";

/// `Query.currentUser`, `User.authoredMergeRequests`.
const OF_MYSELF: &str = "query($after: String) { currentUser { \
    authoredMergeRequests(state: opened, first: 100, after: $after) { \
    nodes { iid project { fullPath } headPipeline { id status updatedAt } } pageInfo { hasNextPage endCursor } } } }";

/// `Query.projects`, `Repository.tree`, `Tree.lastCommit`.
const TIPS: &str = "query($paths: [String!], $branch: String) { projects(fullPaths: $paths) { \
    nodes { fullPath repository { tree(ref: $branch) { lastCommit { sha } } } } } }";

/// An open merge request and the pipeline of its newest commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadPipeline {
    /// The target project.
    pub project: ProjectPath,
    pub iid: MergeRequestIid,
    /// `None` where there is no pipeline, or the token may not see it.
    pub pipeline: Option<PipelineSummary>,
}

/// The properties of a pipeline that show whether it has changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PipelineSummary {
    /// The global id.
    pub id: String,
    /// The state, in capital letters.
    pub status: String,
    /// When the state last changed, as GitLab writes it.
    pub updated_at: String,
}

impl PipelineSummary {
    /// Returns when the state last changed; `None` where GitLab's text does not parse.
    pub fn updated(&self) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc3339(&self.updated_at).ok().map(|moment| moment.to_utc())
    }

    /// Whether the pipeline has come to rest: then every change also changes `updated_at`. While a pipeline runs, its
    /// jobs change without that.
    pub fn is_at_rest(&self) -> bool {
        matches!(self.status.as_str(), "SUCCESS" | "FAILED" | "CANCELED" | "SKIPPED" | "MANUAL")
    }
}

#[derive(Deserialize)]
struct QueryAnswer<T> {
    data: Option<T>,
    #[serde(default)]
    errors: Vec<QueryError>,
}

#[derive(Deserialize)]
struct QueryError {
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct GroupData {
    group: Option<GroupMergeRequests>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupMergeRequests {
    merge_requests: NodePage<MergeRequestNode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MyselfData {
    current_user: Option<MyMergeRequests>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MyMergeRequests {
    authored_merge_requests: NodePage<MergeRequestNode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodePage<T> {
    nodes: Vec<Option<T>>,
    page_info: PageInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MergeRequestNode {
    iid: String,
    project: ProjectNode,
    head_pipeline: Option<PipelineSummary>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProjectNode {
    full_path: String,
}

#[derive(Deserialize)]
struct TipsData {
    projects: Option<ProjectNodes>,
}

#[derive(Deserialize)]
struct ProjectNodes {
    nodes: Vec<Option<ProjectTipNode>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProjectTipNode {
    full_path: String,
    repository: Option<RepositoryNode>,
}

#[derive(Deserialize)]
struct RepositoryNode {
    tree: Option<TreeNode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TreeNode {
    last_commit: Option<CommitNode>,
}

#[derive(Deserialize)]
struct CommitNode {
    sha: CommitId,
}

#[derive(Serialize)]
struct GroupQueryVariables<'a> {
    group: &'a str,
    after: Option<&'a str>,
}

#[derive(Serialize)]
struct MyselfQueryVariables<'a> {
    after: Option<&'a str>,
}

#[derive(Serialize)]
struct TipsQueryVariables<'a> {
    paths: &'a [ProjectPath],
    branch: &'a BranchName,
}

impl Forge {
    /// Returns the head pipelines of the open merge requests into the projects of a group and its subgroups. Sends one
    /// request per 100 merge requests.
    ///
    /// # Errors
    ///
    /// Also where this GitLab is too old to know a field of the query.
    pub fn head_pipelines_of_group(&self, group: &str) -> Result<Vec<HeadPipeline>, ForgeError> {
        self.head_pipelines(|after| {
            let (GroupData { group }, answer) = self.query_graphql(OF_GROUP, &GroupQueryVariables { group, after })?;
            Ok((group.map(|group| group.merge_requests), answer))
        })
    }

    /// Returns the head pipelines of the open merge requests of the token's user. Sends one request per 100 merge
    /// requests.
    ///
    /// # Errors
    ///
    /// As [`Forge::head_pipelines_of_group`].
    pub fn head_pipelines_of_myself(&self) -> Result<Vec<HeadPipeline>, ForgeError> {
        self.head_pipelines(|after| {
            let (MyselfData { current_user }, answer) =
                self.query_graphql(OF_MYSELF, &MyselfQueryVariables { after })?;
            Ok((current_user.map(|user| user.authored_merge_requests), answer))
        })
    }

    fn head_pipelines(
        &self,
        page: impl Fn(Option<&str>) -> Result<(Option<NodePage<MergeRequestNode>>, Answer), ForgeError>,
    ) -> Result<Vec<HeadPipeline>, ForgeError> {
        let mut found = Vec::new();
        let mut after = None;
        for _ in 0..PAGES_LIMIT {
            let (page, answer) = page(after.as_deref())?;
            let Some(page) = page else { return Err(answer.unreadable("the answer holds no merge requests")) };
            for MergeRequestNode { iid, project, head_pipeline: pipeline } in page.nodes.into_iter().flatten() {
                if let (Ok(project), Ok(iid)) = (project.full_path.parse(), iid.parse()) {
                    found.push(HeadPipeline { project, iid: MergeRequestIid(iid), pipeline });
                }
            }
            after = page.page_info.end_cursor.filter(|_| page.page_info.has_next_page);
            if after.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// Returns the tip of the branch `branch` in each of many projects. Sends one request per [`BRANCH_TIPS_AT_ONCE`]
    /// projects. A project is missing from the result where it does not exist, or this token may not see it. The tip is
    /// `None` where the project has no such branch.
    ///
    /// The tip is the newest commit that changed anything.
    ///
    /// # Errors
    ///
    /// As [`Forge::head_pipelines_of_group`].
    pub fn branch_tips(
        &self,
        projects: &[ProjectPath],
        branch: &BranchName,
    ) -> Result<Vec<(ProjectPath, Option<CommitId>)>, ForgeError> {
        let mut tips = Vec::new();
        for paths in projects.chunks(BRANCH_TIPS_AT_ONCE) {
            let (TipsData { projects }, answer) = self.query_graphql(TIPS, &TipsQueryVariables { paths, branch })?;
            let Some(page) = projects else { return Err(answer.unreadable("the answer holds no projects")) };
            for ProjectTipNode { full_path, repository } in page.nodes.into_iter().flatten() {
                let commit = repository.and_then(|repository| repository.tree).and_then(|tree| tree.last_commit);
                if let Ok(project) = full_path.parse() {
                    tips.push((project, commit.map(|commit| commit.sha)));
                }
            }
        }
        Ok(tips)
    }

    /// Sends a query. GitLab answers 200 even where it refuses the query: then the answer says why.
    fn query_graphql<T: DeserializeOwned>(
        &self,
        query: &str,
        variables: &impl Serialize,
    ) -> Result<(T, Answer), ForgeError> {
        #[derive(Serialize)]
        struct QueryRequest<'a, V> {
            query: &'a str,
            variables: V,
        }
        let body = serde_json::to_vec(&QueryRequest { query, variables })
            .map_err(|error| ForgeError::Misconfigured(format!("the request cannot be made: {error}")))?;
        let answer = self.transport.send_query(body)?;
        let QueryAnswer { data, errors } = decode(answer.clone())?;
        if let Some(error) = errors.first() {
            return Err(answer.unreadable(&format!("GraphQL: {}", printable(error.message.as_bytes()))));
        }
        match data {
            Some(data) => Ok((data, answer)),
            None => Err(answer.unreadable("GraphQL: the answer holds no data")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_that_may_continue_by_itself_is_not_at_rest() {
        // GitLab's `HasStatus`: COMPLETED_STATUSES, ACTIVE_STATUSES, and the states that wait for a time or a person.
        let at_rest = |status: &str| {
            PipelineSummary { id: String::new(), status: status.to_owned(), updated_at: String::new() }.is_at_rest()
        };
        for status in ["SUCCESS", "FAILED", "CANCELED", "SKIPPED", "MANUAL"] {
            assert!(at_rest(status), "{status}");
        }
        for status in [
            "CREATED",
            "WAITING_FOR_RESOURCE",
            "PREPARING",
            "WAITING_FOR_CALLBACK",
            "PENDING",
            "RUNNING",
            "CANCELING",
            "SCHEDULED",
            "NEW_IN_A_LATER_GITLAB",
        ] {
            assert!(!at_rest(status), "{status}");
        }
    }
}

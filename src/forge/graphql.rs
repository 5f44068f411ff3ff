//! What GitLab's lists do not tell and its GraphQL does: the head pipelines of many merge requests, and the tips of many
//! branches, a handful of requests for all of them.
//!
//! A query may cost 250 (`queryComplexity` tells; GitLab's `GitlabSchema::AUTHENTICATED_MAX_COMPLEXITY`). A list costs what
//! one item does and a hundredth of that for each item more, so that a full page of 100 merge requests costs 25, and the
//! tips of a page of projects 18. What limits the latter is time: each tip is two calls to the git servers, and GitLab ends
//! a query after 30 s.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::forge::client::{Forge, PAGES_LIMIT, decode};
use crate::forge::error::ForgeError;
use crate::forge::transport::Answer;
use crate::types::text::printable;
use crate::types::{BranchName, CommitId, MergeRequestIid, ProjectPath};

/// How many projects are asked for their tips at once; GitLab takes up to 50.
pub const BRANCH_TIPS_AT_ONCE: usize = 25;

/// `Query.group`, `Group.mergeRequests`, `MergeRequest.headPipeline`: the pipeline of the newest commit, if any.
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
pub struct HeadPipelineOf {
    /// The project that the merge request is in.
    pub project: ProjectPath,
    /// The merge request's number there.
    pub iid: MergeRequestIid,
    /// The pipeline; nothing where there is none, or where the token may not see it.
    pub pipeline: Option<PipelineGlance>,
}

/// What tells whether anything about a pipeline has changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PipelineGlance {
    /// Its global id.
    pub id: String,
    /// Its state, in capital letters.
    pub status: String,
    /// When its state last changed, as GitLab writes it.
    pub updated_at: String,
}

impl PipelineGlance {
    /// Returns when its state last changed; nothing where GitLab writes that in a way that is not understood.
    pub fn updated(&self) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc3339(&self.updated_at).ok().map(|moment| moment.to_utc())
    }

    /// Whether it has come to rest: from here on it changes only with `updated_at`. While it runs, its jobs change
    /// and it does not.
    pub fn is_at_rest(&self) -> bool {
        matches!(self.status.as_str(), "SUCCESS" | "FAILED" | "CANCELED" | "SKIPPED" | "MANUAL")
    }
}

#[derive(Deserialize)]
struct Body<T> {
    data: Option<T>,
    #[serde(default)]
    errors: Vec<Complaint>,
}

#[derive(Deserialize)]
struct Complaint {
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct OfGroup {
    group: Option<InGroup>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InGroup {
    merge_requests: Page<Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfMyself {
    current_user: Option<InMyself>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InMyself {
    authored_merge_requests: Page<Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
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
struct Node {
    iid: String,
    project: ProjectNode,
    head_pipeline: Option<PipelineGlance>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProjectNode {
    full_path: String,
}

#[derive(Deserialize)]
struct Tips {
    projects: Option<TipPage>,
}

#[derive(Deserialize)]
struct TipPage {
    nodes: Vec<Option<TipNode>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TipNode {
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
struct ToGroup<'a> {
    group: &'a str,
    after: Option<&'a str>,
}

#[derive(Serialize)]
struct ToMyself<'a> {
    after: Option<&'a str>,
}

#[derive(Serialize)]
struct ToProjects<'a> {
    paths: &'a [ProjectPath],
    branch: &'a BranchName,
}

impl Forge {
    /// Returns the head pipelines of the open merge requests into the projects of a group and the groups in it; one
    /// request for each 100.
    ///
    /// # Errors
    ///
    /// Also where this GitLab does not know what is asked for: its GraphQL may be older than this program.
    pub fn head_pipelines_of_group(&self, group: &str) -> Result<Vec<HeadPipelineOf>, ForgeError> {
        self.head_pipelines(|after| {
            let (OfGroup { group }, answer) = self.ask(OF_GROUP, &ToGroup { group, after })?;
            Ok((group.map(|group| group.merge_requests), answer))
        })
    }

    /// Returns the head pipelines of the open merge requests of the token's user; one request for each 100.
    ///
    /// # Errors
    ///
    /// As [`Forge::head_pipelines_of_group`].
    pub fn head_pipelines_of_myself(&self) -> Result<Vec<HeadPipelineOf>, ForgeError> {
        self.head_pipelines(|after| {
            let (OfMyself { current_user }, answer) = self.ask(OF_MYSELF, &ToMyself { after })?;
            Ok((current_user.map(|user| user.authored_merge_requests), answer))
        })
    }

    fn head_pipelines(
        &self,
        page: impl Fn(Option<&str>) -> Result<(Option<Page<Node>>, Answer), ForgeError>,
    ) -> Result<Vec<HeadPipelineOf>, ForgeError> {
        let mut found = Vec::new();
        let mut after = None;
        for _ in 0..PAGES_LIMIT {
            let (page, answer) = page(after.as_deref())?;
            let Some(page) = page else { return Err(answer.unreadable("the answer holds no merge requests")) };
            for Node { iid, project, head_pipeline: pipeline } in page.nodes.into_iter().flatten() {
                if let (Ok(project), Ok(iid)) = (project.full_path.parse(), iid.parse()) {
                    found.push(HeadPipelineOf { project, iid: MergeRequestIid(iid), pipeline });
                }
            }
            after = page.page_info.end_cursor.filter(|_| page.page_info.has_next_page);
            if after.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// Returns the tips of the branches of one name in many projects; one request for each
    /// [`BRANCH_TIPS_AT_ONCE`]. A project that is not in the
    /// answer does not exist, or this token may not see it; nothing stands for a branch that does not exist.
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
            let (Tips { projects }, answer) = self.ask(TIPS, &ToProjects { paths, branch })?;
            let Some(page) = projects else { return Err(answer.unreadable("the answer holds no projects")) };
            for TipNode { full_path, repository } in page.nodes.into_iter().flatten() {
                let commit = repository.and_then(|repository| repository.tree).and_then(|tree| tree.last_commit);
                if let Ok(project) = full_path.parse() {
                    tips.push((project, commit.map(|commit| commit.sha)));
                }
            }
        }
        Ok(tips)
    }

    /// Asks a query. GitLab answers 200 also where it refuses: then the answer says why.
    fn ask<T: DeserializeOwned>(&self, query: &str, variables: &impl Serialize) -> Result<(T, Answer), ForgeError> {
        #[derive(Serialize)]
        struct Question<'a, V> {
            query: &'a str,
            variables: V,
        }
        let body = serde_json::to_vec(&Question { query, variables })
            .map_err(|error| ForgeError::Misconfigured(format!("the request cannot be made: {error}")))?;
        let answer = self.transport.send_query(body)?;
        let Body { data, errors } = decode(answer.clone())?;
        if let Some(complaint) = errors.first() {
            return Err(answer.unreadable(&format!("GraphQL: {}", printable(complaint.message.as_bytes()))));
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
    fn a_pipeline_that_may_go_on_by_itself_is_not_at_rest() {
        // GitLab's `HasStatus`: COMPLETED_STATUSES, ACTIVE_STATUSES and what waits for a time or a person.
        let at_rest = |status: &str| {
            PipelineGlance { id: String::new(), status: status.to_owned(), updated_at: String::new() }.is_at_rest()
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

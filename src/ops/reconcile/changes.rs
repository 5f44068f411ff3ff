//! Finds out with a handful of requests which merge requests have not changed.
//!
//! Lists say when a merge request last changed: by a comment, a push, a new title or a new state. They do not say that
//! its pipeline continued, or that its target branch moved. GitLab is asked for both, for all merge requests at once.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::ci::LogSection;
use crate::forge::{BRANCH_TIPS_AT_ONCE, HeadPipeline, MergeRequest, PipelineSummary};
use crate::ops::reconcile::found::FoundPair;
use crate::ops::session::Session;
use crate::pair::cache::PairFingerprint;
use crate::types::error::ForgeError;
use crate::types::{BranchName, CommitId, MergeRequestIid, ProjectPath};

/// After how many failed requests no more branch tips are read, because each failure takes time.
const MAX_FAILURES: usize = 3;

/// The pipelines of the newest commits of merge requests.
#[derive(Default)]
pub(crate) struct HeadPipelines(BTreeMap<(ProjectPath, MergeRequestIid), Option<PipelineSummary>>);

impl HeadPipelines {
    /// Reads the pipelines of all merge requests of the instance. If a list fails, the pipelines in it are unknown.
    ///
    /// # Errors
    ///
    /// All lists failed.
    pub(crate) fn read(session: &Session) -> Result<Self, ForgeError> {
        let groups = session.instance.namespaces.pairs().iter().map(|pair| pair.source_git.as_str());
        let from_groups =
            groups.map(|group| (format!("of the group {group}"), session.forge.head_pipelines_of_group(group)));
        let from_bot = || ("of the bot's user".to_owned(), session.forge.head_pipelines_of_myself());
        let mut all = BTreeMap::new();
        let (mut answered, mut failed) = (false, Vec::new());
        for (owner, list) in from_groups.chain(std::iter::once_with(from_bot)) {
            match list {
                Ok(list) => {
                    answered = true;
                    let entry = |HeadPipeline { project, iid, pipeline }| ((project, iid), pipeline);
                    all.extend(list.into_iter().map(entry));
                }
                Err(error) => failed.push((owner, error)),
            }
        }
        for (owner, error) in failed {
            if !answered {
                return Err(error);
            }
            tracing::warn!("the pipelines {owner} cannot be told, so all those are looked at: {error}");
        }
        Ok(Self(all))
    }

    fn get(&self, path: &ProjectPath, request: &MergeRequest) -> Option<&Option<PipelineSummary>> {
        self.0.get(&(path.clone(), request.iid))
    }

    /// Whether a merge request, its pair or a pipeline of theirs has changed since a moment. True if that is unknown.
    pub(crate) fn has_changed(&self, found: &FoundPair, since: DateTime<Utc>) -> bool {
        let is_older = |moment: Option<DateTime<Utc>>| moment.is_some_and(|moment| moment < since);
        let is_quiet = |path: &ProjectPath, request: &MergeRequest| {
            let written = DateTime::parse_from_rfc3339(&request.updated_at).ok().map(|moment| moment.to_utc());
            let pipeline = match self.get(path, request) {
                Some(None) => true,
                Some(Some(pipeline)) => is_older(pipeline.updated()) && pipeline.is_at_rest(),
                None => false,
            };
            is_older(written) && pipeline
        };
        let source = found.source.as_ref().is_none_or(|source| is_quiet(&found.source_path, source));
        let dist = found.dist.as_ref().is_none_or(|dist| is_quiet(&found.dist_path, dist));
        !(source && dist)
    }
}

/// The state of all merge requests in a few lists.
pub(crate) struct ReconcileSnapshot {
    pipelines: HeadPipelines,
    /// The tips of target branches, by project path and branch. Paths are in lower case, because GitLab ignores the
    /// case and answers with its own spelling.
    tips: BTreeMap<(String, String), Option<CommitId>>,
}

impl ReconcileSnapshot {
    /// Reads the state of these merge requests.
    ///
    /// # Errors
    ///
    /// A request failed, or this GitLab version does not support it.
    pub(crate) fn read(session: &Session, found: &[FoundPair]) -> Result<Self, ForgeError> {
        let _section = LogSection::begin(session.log, "changes", "looking for what has changed");
        let pipelines = HeadPipelines::read(session)?;
        let mut branches: BTreeMap<BranchName, BTreeSet<ProjectPath>> = BTreeMap::new();
        for found in found {
            let Some(target) = target_branch(found) else { continue };
            let projects = branches.entry(target).or_default();
            projects.insert(found.source_path.clone());
            projects.insert(found.dist_path.clone());
        }
        Ok(Self { pipelines, tips: read_tips(session, branches) })
    }

    /// Returns a fingerprint of everything that is known about a merge request and its pair; `None` if something may
    /// change unnoticed.
    pub(crate) fn fingerprint(&self, found: &FoundPair) -> Option<PairFingerprint> {
        let target = target_branch(found)?;
        let tip = |path: &ProjectPath| {
            let tip = self.tips.get(&tip_key(path, target.as_str()))?;
            Some(tip.map(|tip| tip.to_string()).unwrap_or_default())
        };
        let mut parts = vec![tip(&found.source_path)?, tip(&found.dist_path)?];
        for (path, request) in [(&found.source_path, &found.source), (&found.dist_path, &found.dist)] {
            let Some(request) = request else {
                parts.push("none".to_owned());
                continue;
            };
            let sha = request.sha.map(|sha| sha.to_string()).unwrap_or_default();
            parts.extend([request.id.to_string(), request.updated_at.clone(), sha]);
            parts.push(request.target_branch.clone());
            parts.push(
                self.pipelines.get(path, request)?.as_ref().map(|pipeline| pipeline.id.clone()).unwrap_or_default(),
            );
        }
        if let Some(dist) = &found.dist
            && let Some(pipeline) = self.pipelines.get(&found.dist_path, dist)?
        {
            // While the pipeline runs, its jobs end one by one, and source-git shows each of them.
            if !pipeline.is_at_rest() {
                return None;
            }
            parts.extend([pipeline.status.clone(), pipeline.updated_at.clone()]);
        }
        Some(PairFingerprint::of(parts.iter().map(String::as_str)))
    }
}

/// Reads the tips of branches. If a request fails, nothing is known about its projects, not even that they lack the
/// branch.
fn read_tips(
    session: &Session,
    branches: BTreeMap<BranchName, BTreeSet<ProjectPath>>,
) -> BTreeMap<(String, String), Option<CommitId>> {
    let mut tips = BTreeMap::new();
    let mut failures = 0;
    for (branch, projects) in branches {
        let projects: Vec<_> = projects.into_iter().collect();
        for projects in projects.chunks(BRANCH_TIPS_AT_ONCE) {
            if failures >= MAX_FAILURES {
                return tips;
            }
            match session.forge.branch_tips(projects, &branch) {
                Ok(found) => {
                    tips.extend(projects.iter().map(|project| (tip_key(project, branch.as_str()), None)));
                    tips.extend(found.into_iter().map(|(project, tip)| (tip_key(&project, branch.as_str()), tip)));
                }
                Err(error) => {
                    failures += 1;
                    let (number, first) = (projects.len(), projects.first().map(ToString::to_string));
                    tracing::warn!(
                        "the tips of {branch} in {number} projects from {} on cannot be told, so all those are looked \
                         at: {error}",
                        first.unwrap_or_default()
                    );
                }
            }
        }
    }
    tips
}

fn target_branch(found: &FoundPair) -> Option<BranchName> {
    found.identity().map(|(.., target)| target)
}

fn tip_key(project: &ProjectPath, branch: &str) -> (String, String) {
    (project.as_str().to_ascii_lowercase(), branch.to_owned())
}

//! What a handful of requests tells of all merge requests: enough to know those that have not changed.
//!
//! Lists tell when a merge request last changed, which a comment, a push, a title and a state do. They do not tell that its
//! pipeline went on, or that its target branch moved: both are asked for, of all at once.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::ci::LogSection;
use crate::forge::{BRANCH_TIPS_AT_ONCE, ForgeError, HeadPipelineOf, MergeRequest, PipelineGlance};
use crate::ops::reconcile::list::Found;
use crate::ops::session::Bot;
use crate::pair::cache::PairFingerprint;
use crate::types::{BranchName, CommitId, MergeRequestIid, ProjectPath};

/// After how many failures no more branches are asked for: each takes its time.
const FAILURES: usize = 3;

/// The pipelines of the newest commits of merge requests.
#[derive(Default)]
pub(crate) struct HeadPipelines(BTreeMap<(ProjectPath, MergeRequestIid), Option<PipelineGlance>>);

impl HeadPipelines {
    /// Asks for those of all merge requests of the instance. Where a list cannot be had, those in it are not known; an
    /// error only where none can.
    pub(crate) fn ask(bot: &Bot) -> Result<Self, ForgeError> {
        let groups = bot.instance.namespaces.pairs().iter().map(|pair| pair.source_git.as_str());
        let of_groups = groups.map(|group| (format!("of the group {group}"), bot.forge.head_pipelines_of_group(group)));
        let of_myself = || ("of the bot's user".to_owned(), bot.forge.head_pipelines_of_myself());
        let mut all = BTreeMap::new();
        let (mut answered, mut failed) = (false, Vec::new());
        for (whose, list) in of_groups.chain(std::iter::once_with(of_myself)) {
            match list {
                Ok(list) => {
                    answered = true;
                    let of = |HeadPipelineOf { project, iid, pipeline }| ((project, iid), pipeline);
                    all.extend(list.into_iter().map(of));
                }
                Err(error) => failed.push((whose, error)),
            }
        }
        for (whose, error) in failed {
            if !answered {
                return Err(error);
            }
            tracing::warn!("the pipelines {whose} cannot be told, so all those are looked at: {error}");
        }
        Ok(Self(all))
    }

    fn of(&self, path: &ProjectPath, request: &MergeRequest) -> Option<&Option<PipelineGlance>> {
        self.0.get(&(path.clone(), request.iid))
    }

    /// Whether a merge request, its pair or a pipeline of theirs changed after a moment; also where that is not to be
    /// known.
    pub(crate) fn have_changed(&self, found: &Found, since: DateTime<Utc>) -> bool {
        let is_older = |moment: Option<DateTime<Utc>>| moment.is_some_and(|moment| moment < since);
        let is_quiet = |path: &ProjectPath, request: &MergeRequest| {
            let written = DateTime::parse_from_rfc3339(&request.updated_at).ok().map(|moment| moment.to_utc());
            let pipeline = match self.of(path, request) {
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

/// See the module.
pub(crate) struct Seen {
    pipelines: HeadPipelines,
    /// The tips of target branches, with paths in small letters: GitLab does not tell the case of names apart, and answers
    /// with its own.
    tips: BTreeMap<(String, String), Option<CommitId>>,
}

impl Seen {
    /// Asks for all that is to be known of these; an error also where this GitLab cannot tell.
    pub(crate) fn ask(bot: &Bot, found: &[Found]) -> Result<Self, ForgeError> {
        let _section = LogSection::begin(bot.log, "changes", "looking for what has changed");
        let pipelines = HeadPipelines::ask(bot)?;
        let mut branches: BTreeMap<BranchName, BTreeSet<ProjectPath>> = BTreeMap::new();
        for found in found {
            let Some(target) = target(found) else { continue };
            let projects = branches.entry(target).or_default();
            projects.insert(found.source_path.clone());
            projects.insert(found.dist_path.clone());
        }
        Ok(Self { pipelines, tips: tips(bot, branches) })
    }

    /// Returns what stands for all that was seen of a merge request and its pair; nothing where something of it may change
    /// unseen.
    pub(crate) fn print(&self, found: &Found) -> Option<PairFingerprint> {
        let target = target(found)?;
        let tip = |path: &ProjectPath| {
            let tip = self.tips.get(&name(path, target.as_str()))?;
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
                self.pipelines.of(path, request)?.as_ref().map(|pipeline| pipeline.id.clone()).unwrap_or_default(),
            );
        }
        if let Some(dist) = &found.dist
            && let Some(pipeline) = self.pipelines.of(&found.dist_path, dist)?
        {
            // While it runs its jobs end one by one, and each is shown in source-git.
            if !pipeline.is_at_rest() {
                return None;
            }
            parts.extend([pipeline.status.clone(), pipeline.updated_at.clone()]);
        }
        Some(PairFingerprint::of(parts.iter().map(String::as_str)))
    }
}

/// Asks for the tips of branches. Of projects that GitLab cannot tell about nothing is known, not even that they lack one.
fn tips(
    bot: &Bot,
    branches: BTreeMap<BranchName, BTreeSet<ProjectPath>>,
) -> BTreeMap<(String, String), Option<CommitId>> {
    let mut tips = BTreeMap::new();
    let mut failures = 0;
    for (branch, projects) in branches {
        let projects: Vec<_> = projects.into_iter().collect();
        for projects in projects.chunks(BRANCH_TIPS_AT_ONCE) {
            if failures >= FAILURES {
                return tips;
            }
            match bot.forge.branch_tips(projects, &branch) {
                Ok(there) => {
                    tips.extend(projects.iter().map(|project| (name(project, branch.as_str()), None)));
                    tips.extend(there.into_iter().map(|(project, tip)| (name(&project, branch.as_str()), tip)));
                }
                Err(error) => {
                    failures += 1;
                    let (number, first) = (projects.len(), projects.first().map(ToString::to_string));
                    tracing::warn!(
                        "the tips of {branch} in {number} projects from {} on cannot be told, so all those are looked at: \
                         {error}",
                        first.unwrap_or_default()
                    );
                }
            }
        }
    }
    tips
}

fn target(found: &Found) -> Option<BranchName> {
    found.names().map(|(.., target)| target)
}

fn name(project: &ProjectPath, branch: &str) -> (String, String) {
    (project.as_str().to_ascii_lowercase(), branch.to_owned())
}

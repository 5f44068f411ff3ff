//! Every merge request that an instance is about: open source-git merge requests of its targets, and the bot's own open
//! dist-git merge requests.

use std::collections::BTreeMap;

use anyhow::Result;

use super::Tally;
use super::show::Line;
use crate::ci::Section;
use crate::commands::bot::Bot;
use crate::config::Namespace;
use crate::forge::{BranchName, ForgeError, MergeRequest, MergeRequestIid, ProjectPath};
use crate::pair::branch;

/// The most merge requests of one list.
const LISTED: usize = 20_000;

/// A source-git merge request with the dist-git merge request that was made from it, or one of the two.
pub(super) struct Found {
    pub(super) source_path: ProjectPath,
    pub(super) source: Option<MergeRequest>,
    pub(super) dist_path: ProjectPath,
    pub(super) dist: Option<MergeRequest>,
}

impl Found {
    /// Returns what people call it.
    pub(super) fn name(&self) -> String {
        match (&self.source, &self.dist) {
            (Some(source), _) => format!("{}!{}", self.source_path, source.iid),
            (None, Some(dist)) => format!("{}!{}", self.dist_path, dist.iid),
            (None, None) => self.source_path.to_string(),
        }
    }
}

/// What a pair is found by: the source-git project, the merge request there and its target branch.
type Key = (ProjectPath, MergeRequestIid, BranchName);

/// Lists them all, those of the same project beside each other. A namespace that cannot be listed is one that failed.
pub(super) fn all(bot: &Bot, tally: &mut Tally) -> Result<Vec<Found>> {
    let _section = Section::begin(bot.log, "list", "listing merge requests");
    let mut found: BTreeMap<Key, Found> = BTreeMap::new();
    let pairs = bot.instance.namespaces.pairs();
    for pair in pairs {
        match sources(bot, pair.source_git.as_str(), &mut found) {
            Ok(()) => {}
            Err(error) if error.concerns_every_request() || pairs.len() == 1 => {
                return Err(anyhow::Error::from(error).context(listing(&pair.source_git)));
            }
            Err(error) => {
                let group = pair.source_git.to_string();
                tally.list_failed(Line::new(group), anyhow::Error::from(error).context(listing(&pair.source_git)));
            }
        }
    }
    for dist in bot.forge.open_merge_requests_by(bot.myself()?.user.id).take(LISTED) {
        let dist = dist?;
        let Some(dist_path) = dist.project_path() else { continue };
        let Some(source_path) = bot.instance.namespaces.source_git_of(dist_path.as_str()) else { continue };
        let named = dist.source_branch.parse().ok().and_then(|name| branch::parse(&name));
        let (Some((target, iid)), Ok(source_path)) = (named, source_path.parse::<ProjectPath>()) else { continue };
        if dist.target_branch != target.as_str() {
            continue;
        }
        let key = (source_path.clone(), iid, target);
        let pair = found.entry(key).or_insert_with(|| Found { source_path, source: None, dist_path, dist: None });
        pair.dist = Some(dist);
    }
    Ok(found.into_values().collect())
}

fn listing(group: &Namespace) -> String {
    format!("listing the merge requests of the group {group}, which the instance's `namespaces` name")
}

/// Adds the open merge requests of a group that the instance handles.
fn sources(bot: &Bot, group: &str, found: &mut BTreeMap<Key, Found>) -> Result<(), ForgeError> {
    for source in bot.forge.open_merge_requests_of_group(group).take(LISTED) {
        let source = source?;
        let Some(source_path) = source.project_path() else { continue };
        let Some(dist_path) = bot.instance.namespaces.dist_git_of(source_path.as_str()) else { continue };
        if !bot.instance.targets.handle(source_path.as_str(), &source.target_branch) {
            continue;
        }
        let (Ok(target), Ok(dist_path)) = (source.target_branch.parse(), dist_path.parse()) else { continue };
        let key = (source_path.clone(), source.iid, target);
        found.insert(key, Found { source_path, source: Some(source), dist_path, dist: None });
    }
    Ok(())
}

//! Which statuses to post, to turn those on a commit into the wanted ones.
//!
//! GitLab's rules for statuses (`CommitStatus`, `Ci::CreateCommitStatusService`) are part of the plan. A status that is
//! there is not posted again, and nothing is posted that GitLab would refuse.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::pair::statuses::{Acceptance, PostedStatus, StatusPlace, StatusState, WantedStatus, is_ours, status};
use crate::types::{CiState, UserId};

/// A status, and where to post it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatusPost {
    pub place: StatusPlace,
    pub status: WantedStatus,
}

/// Returns what to post, in this order, to turn the bot's statuses at `place` into the `wanted` ones.
///
/// `posted` are the newest statuses of each name and pipeline on the commit of `place`, no matter whose. The bot's open
/// statuses there, or in another pipeline of the commit, are ended as soon as it is known how they ended.
pub fn to_post(wanted: &[WantedStatus], posted: &[PostedStatus], place: &StatusPlace, bot: UserId) -> Vec<StatusPost> {
    let own = || posted.iter().filter(|there| there.author == Some(bot) && is_ours(&there.name));
    let is_here = |there: &&PostedStatus| match (place, there.pipeline) {
        (StatusPlace::Pipeline { id, .. }, Some(pipeline)) => pipeline == *id,
        (StatusPlace::Pipeline { .. }, None) | (StatusPlace::Branch { .. }, _) => true,
    };
    let here: BTreeMap<&str, &PostedStatus> = own().filter(is_here).map(|there| (there.name.as_str(), there)).collect();
    let mut post = Vec::new();
    for status in wanted {
        match here.get(status.name.as_str()) {
            Some(there) => post.extend(change(there, status)),
            None => post.push(status.clone()),
        }
    }
    let find = |name: &str| wanted.iter().find(|status| status.name == name);
    for (name, there) in &here {
        if find(name).is_none() && there.state != CiState::Skipped {
            post.extend(removal(there));
        }
    }
    let mut post: Vec<_> = post.into_iter().map(|status| StatusPost { place: place.clone(), status }).collect();
    for there in own().filter(|there| !is_here(there) && !StatusState::of(there.state).is_final()) {
        let ended = find(&there.name).filter(|status| status.state.is_final()).cloned();
        let ended = ended.or_else(|| find(&there.name).is_none().then(|| ended_early(there)));
        if let (Some(status), Some(id)) = (ended, there.pipeline) {
            // GitLab does not turn a running status into a skipped one.
            let status = if status.state == StatusState::Skipped { ended_early(there) } else { status };
            post.push(StatusPost { place: StatusPlace::Pipeline { id, sha: place.sha() }, status });
        }
    }
    post
}

/// Whether GitLab may accept a post at a place where it refused others. `posted` are the statuses there.
pub fn may_be_accepted(post: &StatusPost, acceptance: Acceptance, posted: &[PostedStatus], bot: UserId) -> bool {
    let is_here = |there: &PostedStatus| match (&post.place, there.pipeline) {
        (StatusPlace::Pipeline { id, .. }, Some(pipeline)) => pipeline == *id,
        _ => true,
    };
    let own = posted.iter().filter(|there| there.author == Some(bot) && there.name == post.status.name);
    let mut here = own.filter(|there| is_here(there)).map(|there| StatusState::of(there.state));
    match (acceptance, here.next()) {
        (Acceptance::Yes, _) | (Acceptance::InPart, Some(_)) => true,
        // GitLab changes only a status that has not ended. After the end it creates a new one.
        (Acceptance::Full, Some(StatusState::Pending)) => true,
        (Acceptance::Full, Some(StatusState::Running)) => post.status.state.is_final(),
        _ => false,
    }
}

/// Returns the posts that end the bot's open statuses at `place`, for a commit that dist-git does not hold any more.
pub fn to_end(posted: &[PostedStatus], place: &StatusPlace, bot: UserId) -> Vec<StatusPost> {
    let own = posted.iter().filter(|there| there.author == Some(bot) && is_ours(&there.name));
    let open = own.filter(|there| !StatusState::of(there.state).is_final());
    let post = |there: &PostedStatus| {
        let place = match there.pipeline {
            Some(id) => StatusPlace::Pipeline { id, sha: place.sha() },
            None => place.clone(),
        };
        StatusPost { place, status: ended_early(there) }
    };
    open.map(post).collect()
}

/// Returns the posts that mark a status as skipped because it belongs to nothing any more. GitLab cannot delete it.
fn removal(there: &PostedStatus) -> Vec<WantedStatus> {
    let url = there.url.as_deref().unwrap_or_default();
    let description = "not part of dist-git's newest pipeline";
    let skipped = status(&there.name, StatusState::Skipped, description, url);
    // GitLab does not turn a running status into a skipped one, but it does with a canceled one.
    let first = (StatusState::of(there.state) == StatusState::Running).then(|| ended_early(there));
    first.into_iter().chain([skipped]).collect()
}

fn ended_early(there: &PostedStatus) -> WantedStatus {
    let url = there.url.as_deref().unwrap_or_default();
    status(&there.name, StatusState::Canceled, "ended before its time", url)
}

/// Returns the posts that turn the status that is there into the `wanted` one.
///
/// GitLab refuses pending after pending, and running, pending or skipped after running. If a running status is to
/// become pending, skipped, or running with another link, that is another run. So the old run is ended first, which
/// hides it.
fn change(there: &PostedStatus, wanted: &WantedStatus) -> Vec<WantedStatus> {
    let same_run = there.url == wanted.url;
    let same_words = there.description.as_ref().is_none_or(|words| *words == wanted.description);
    match (StatusState::of(there.state), wanted.state) {
        (StatusState::Pending, StatusState::Pending) => Vec::new(),
        (StatusState::Running, StatusState::Running) if same_run => Vec::new(),
        (old, new) if old == new && same_run && same_words => Vec::new(),
        (StatusState::Running, StatusState::Pending | StatusState::Running | StatusState::Skipped) => {
            vec![ended_early(there), wanted.clone()]
        }
        _ => vec![wanted.clone()],
    }
}

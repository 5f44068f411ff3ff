//! GitLab itself: its version, and its rate limit.

use crate::setup::check::result::CheckResult;
use crate::setup::instance_facts::{InstanceFacts, Unseen};

/// The first version whose triggers work where nobody may set pipeline variables. Before, GitLab refused the trigger's
/// payload, which is such a variable (GitLab's issue 557381, merge request 204230).
const NEEDED: (u32, u32) = (18, 4);

pub(super) fn judge(facts: &InstanceFacts) -> Vec<CheckResult> {
    let mut results = vec![version(facts)];
    results.extend(rate_limit(facts));
    results
}

fn version(facts: &InstanceFacts) -> CheckResult {
    const CHECK: &str = "gitlab.version";
    let version = match &facts.gitlab_version {
        Ok(version) => version,
        Err(why) => return CheckResult::unseen(CHECK, "GitLab", why, "anybody who is signed in sees it: Help, Help"),
    };
    match version.release() {
        Some(release) if release >= NEEDED => CheckResult::right(CHECK, "GitLab", version.text.clone()),
        Some(_) => CheckResult::wrong(
            CHECK,
            "GitLab",
            format!("{} refuses triggers where nobody may set pipeline variables", version.text),
            "its administrator: update it to 18.4 or later",
        ),
        None => CheckResult::unseen(
            CHECK,
            "GitLab",
            &Unseen::NotReported,
            "its administrator knows: it has to be 18.4 or later",
        ),
    }
}

fn rate_limit(facts: &InstanceFacts) -> Option<CheckResult> {
    const CHECK: &str = "gitlab.rate-limit";
    let limit = facts.rate_limit.filter(|rate| rate.limit > 0)?;
    let says = format!("{} of {} requests are left in this period", limit.remaining, limit.limit);
    // Two runs of `reconcile` over a large instance need a tenth.
    Some(if limit.remaining.saturating_mul(10) < limit.limit {
        CheckResult::wrong(
            CHECK,
            "GitLab",
            says,
            "run `reconcile` more rarely or with fewer `--jobs`, and let nobody else use the bot's user",
        )
    } else {
        CheckResult::right(CHECK, "GitLab", says)
    })
}

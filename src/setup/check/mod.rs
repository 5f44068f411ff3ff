//! Whether an instance is set up right: what was seen of it, held against what has to be so.
//!
//! Pure: [`InstanceFacts`] in, [`CheckResult`]s out. What cannot be seen with the token at hand is a finding of its own, and never
//! taken for right or wrong. No value of a variable and no token is among the facts; names are as hostile as those who
//! gave them, and made fit where they are shown.

mod bot_project;
mod coverage;
mod finding;
mod forks;
mod gitlab;
mod hooks;
#[cfg(test)]
mod tests;
mod token;

pub use crate::setup::check::coverage::CI_FILE;
pub use crate::setup::check::finding::{CheckResult, CheckState};
pub use crate::setup::check::hooks::is_ours;
pub use crate::setup::check::token::{unknown_token, weak_token};
use crate::setup::instance_facts::InstanceFacts;

/// Returns what is right, wrong and not to be seen, group by group.
pub fn judge(facts: &InstanceFacts) -> Vec<CheckResult> {
    let groups = [token::judge, gitlab::judge, bot_project::judge, hooks::judge, coverage::judge, forks::judge];
    groups.iter().flat_map(|judge| judge(facts)).collect()
}

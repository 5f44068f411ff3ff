//! The checks of `doctor`: whether an instance is set up right.
//!
//! Pure: [`InstanceFacts`] in, [`CheckResult`]s out. What the token at hand cannot see is a result of its own, and
//! never taken for right or wrong. The facts hold no value of a variable and no trigger token. Names are as hostile as
//! the people who chose them; whoever shows a result makes them harmless.

mod bot_project;
mod forks;
mod gitlab;
mod hooks;
mod packages;
mod result;
#[cfg(test)]
mod tests;
mod token;

pub use crate::setup::check::hooks::is_ours;
pub use crate::setup::check::result::{CheckResult, CheckState};
pub use crate::setup::check::token::{unknown_token, weak_token};
use crate::setup::instance_facts::InstanceFacts;

/// Runs all checks, group by group.
pub fn judge(facts: &InstanceFacts) -> Vec<CheckResult> {
    let groups = [token::judge, gitlab::judge, bot_project::judge, hooks::judge, packages::judge, forks::judge];
    groups.iter().flat_map(|judge| judge(facts)).collect()
}

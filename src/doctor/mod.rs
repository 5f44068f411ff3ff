//! Whether an instance is set up right: what was seen of it, held against what has to be so.
//!
//! Pure: [`Facts`] in, [`Finding`]s out. What cannot be seen with the token at hand is a finding of its own, and never
//! taken for right or wrong. No value of a variable and no token is among the facts; names are as hostile as those who
//! gave them, and made fit where they are shown.

mod bot_project;
mod coverage;
mod facts;
mod finding;
mod forks;
mod gitlab;
mod hooks;
#[cfg(test)]
mod tests;
mod token;

pub use coverage::CI_FILE;
pub use facts::{
    Alert, Allowlist, BotProject, Facts, Fork, Forks, GitlabVersion, Hook, HookPlace, InstanceFile, Looked, Package,
    Packages, PlaceKind, ProtectedBranch, RateLimit, Role, Runner, Schedule, Seen, Settings, Token, Trigger, Unseen,
    Variable, VariablesFrom,
};
pub use finding::{Finding, State};
pub use hooks::is_ours;
pub use token::{unknown_token, weak_token};

/// Returns what is right, wrong and not to be seen, group by group.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let groups = [token::judge, gitlab::judge, bot_project::judge, hooks::judge, coverage::judge, forks::judge];
    groups.iter().flat_map(|judge| judge(facts)).collect()
}

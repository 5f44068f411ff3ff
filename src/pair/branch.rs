//! The name of the branch that holds the dist-git content of a source-git merge request: `c9s-src-7`.
//!
//! The bot finds the pair by this name. So only this module makes and reads it.

use crate::types::{BranchName, MergeRequestIid, NameError};

/// What is between the target branch and the number of the merge request.
const INFIX: &str = "-src-";

/// Returns the branch for the source-git merge request `iid` into `target`.
///
/// # Errors
///
/// Fails only if the name would be too long for a branch.
pub fn name(target: &BranchName, iid: MergeRequestIid) -> Result<BranchName, NameError> {
    format!("{target}{INFIX}{iid}").parse()
}

/// Returns the target branch and the merge request of `branch`, if [`name`] made its name.
///
/// The last `-src-` counts, because the target branch may contain one too.
pub fn parse(branch: &BranchName) -> Option<(BranchName, MergeRequestIid)> {
    let (target, number) = branch.as_str().rsplit_once(INFIX)?;
    let canonical = number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0');
    let iid = number.parse().ok().filter(|_| canonical)?;
    Some((target.parse().ok()?, MergeRequestIid(iid)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn branch(name: &str) -> BranchName {
        name.parse().unwrap()
    }

    #[test]
    fn names_target_and_merge_request() {
        assert_eq!(name(&branch("c9s"), MergeRequestIid(7)).unwrap(), branch("c9s-src-7"));
        assert_eq!(parse(&branch("c9s-src-7")), Some((branch("c9s"), MergeRequestIid(7))));
        assert_eq!(parse(&branch("c9s-src-7-src-8")), Some((branch("c9s-src-7"), MergeRequestIid(8))));
        assert_eq!(parse(&branch("-src-7".trim_start_matches('-'))), None);
    }

    #[test]
    fn rejects_other_branches() {
        for other in
            ["c9s", "c9s-src-", "c9s-src-x", "c9s-src-07", "c9s-src-+7", "c9s-src-7x", "c9s-src-99999999999999999999"]
        {
            assert_eq!(parse(&branch(other)), None, "{other}");
        }
        assert!(name(&branch(&"b".repeat(1024)), MergeRequestIid(7)).is_err());
    }

    proptest! {
        #[test]
        fn reads_back_every_name(target in "(a|-src-|[0-9]|/x){1,8}", iid in 1_u64..) {
            if let Ok(target) = target.parse::<BranchName>() {
                let made = name(&target, MergeRequestIid(iid)).unwrap();
                prop_assert_eq!(parse(&made), Some((target, MergeRequestIid(iid))));
            }
        }
    }
}

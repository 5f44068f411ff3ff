//! The name of the branch that holds the dist-git content of a source-git merge request: `c9s-src-7`.
//!
//! The pair is found by this name, so it is made and read here alone.

use crate::types::{BranchName, MergeRequestIid, NameError};

/// What stands between the target branch and the number of the merge request.
const INFIX: &str = "-src-";

/// Returns the branch for the source-git merge request `iid` into `target`.
///
/// # Errors
///
/// Only where the name would be longer than a branch can be.
pub fn name(target: &BranchName, iid: MergeRequestIid) -> Result<BranchName, NameError> {
    format!("{target}{INFIX}{iid}").parse()
}

/// Returns the target branch and the merge request that `branch` was named for, where [`name`] made it.
///
/// The last `-src-` divides, since a target branch may hold one too.
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
    fn the_branch_names_target_and_merge_request() {
        assert_eq!(name(&branch("c9s"), MergeRequestIid(7)).unwrap(), branch("c9s-src-7"));
        assert_eq!(parse(&branch("c9s-src-7")), Some((branch("c9s"), MergeRequestIid(7))));
        assert_eq!(parse(&branch("c9s-src-7-src-8")), Some((branch("c9s-src-7"), MergeRequestIid(8))));
        assert_eq!(parse(&branch("-src-7".trim_start_matches('-'))), None);
    }

    #[test]
    fn other_branches_are_not_taken_for_one() {
        for other in
            ["c9s", "c9s-src-", "c9s-src-x", "c9s-src-07", "c9s-src-+7", "c9s-src-7x", "c9s-src-99999999999999999999"]
        {
            assert_eq!(parse(&branch(other)), None, "{other}");
        }
        assert!(name(&branch(&"b".repeat(1024)), MergeRequestIid(7)).is_err());
    }

    proptest! {
        #[test]
        fn what_was_named_is_read_back(target in "(a|-src-|[0-9]|/x){1,8}", iid in 1_u64..) {
            if let Ok(target) = target.parse::<BranchName>() {
                let made = name(&target, MergeRequestIid(iid)).unwrap();
                prop_assert_eq!(parse(&made), Some((target, MergeRequestIid(iid))));
            }
        }
    }
}

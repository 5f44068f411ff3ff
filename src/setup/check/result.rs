//! The result of a check: right, wrong or not to be seen, and what to do about it.

use serde::Serialize;

use crate::setup::instance_facts::Unseen;

/// The most names that one result lists.
const NAMES_LIMIT: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    Right,
    /// Not to be seen with this token.
    Unseen,
    Wrong,
}

impl CheckState {
    /// Returns the word for it in the output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Unseen => "unseen",
            Self::Wrong => "wrong",
        }
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    /// The name of the check, such as `token.scope`. Scripts rely on it.
    pub check: &'static str,
    pub state: CheckState,
    /// What was checked: a project, a webhook, several of them.
    pub subject: String,
    /// What the check found.
    pub says: String,
    /// What to do about something wrong, or who sees what this token does not, and where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl CheckResult {
    pub(super) fn right(check: &'static str, subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self { check, state: CheckState::Right, subject: subject.into(), says: says.into(), remedy: None }
    }

    pub(super) fn wrong(
        check: &'static str,
        subject: impl Into<String>,
        says: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into());
        Self { check, state: CheckState::Wrong, subject: subject.into(), says: says.into(), remedy }
    }

    /// Returns a result for something that was not seen. `who` tells who sees it, and where: `its Maintainers see it:
    /// Settings, Webhooks`.
    pub(super) fn unseen(check: &'static str, subject: impl Into<String>, why: &Unseen, who: &str) -> Self {
        let (says, remedy) = match why {
            Unseen::NotShown => ("not shown to the token's user".to_owned(), who.to_owned()),
            Unseen::NotReported => ("GitLab does not say".to_owned(), who.to_owned()),
            Unseen::NotAsked => ("not asked for, because what it belongs to was not seen".to_owned(), who.to_owned()),
            Unseen::Failed(why) => (why.clone(), "run it again later".to_owned()),
        };
        Self { check, state: CheckState::Unseen, subject: subject.into(), says, remedy: Some(remedy) }
    }
}

/// What a check found about one of several things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    /// What is wrong, and the remedy.
    Wrong(String, String),
    /// Why it was not seen, and who sees it.
    Unseen(Unseen, String),
}

impl Verdict {
    pub(super) fn wrong(says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Wrong(says.into(), remedy.into())
    }

    pub(super) fn of(is_right: bool, says: &str, remedy: &str) -> Self {
        if is_right { Self::Right } else { Self::wrong(says, remedy) }
    }
}

/// Sums up what a check found about several things. All things with the same fault share one result. Those that are
/// right get one only if all of them are.
pub(super) fn summarize(
    check: &'static str,
    things: &str,
    is_right: &str,
    verdicts: impl IntoIterator<Item = (String, Verdict)>,
) -> Vec<CheckResult> {
    let mut groups: Vec<(Verdict, Vec<String>)> = Vec::new();
    for (name, verdict) in verdicts {
        match groups.iter_mut().find(|(group, _)| *group == verdict) {
            Some((_, names)) => names.push(name),
            None => groups.push((verdict, vec![name])),
        }
    }
    let are_all_right = groups.iter().all(|(verdict, _)| *verdict == Verdict::Right);
    let mut results = Vec::new();
    for (verdict, names) in groups {
        match verdict {
            Verdict::Right if are_all_right => {
                results.push(CheckResult::right(check, count_or_name(&names, things), is_right));
            }
            Verdict::Right => {}
            Verdict::Wrong(says, remedy) => results.push(CheckResult::wrong(check, join_names(&names), says, remedy)),
            Verdict::Unseen(why, who) => results.push(CheckResult::unseen(check, join_names(&names), &why, &who)),
        }
    }
    results
}

/// Returns the name of the only thing, or how many things there are.
fn count_or_name(names: &[String], things: &str) -> String {
    match names {
        [one] => one.clone(),
        many => format!("{} {things}", many.len()),
    }
}

/// Joins names, and cuts a long list: `a, b, c, d, e and 2 more`.
pub(super) fn join_names(names: &[String]) -> String {
    let shown = names.iter().take(NAMES_LIMIT).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMES_LIMIT) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_list_is_cut_after_five_names() {
        assert_eq!(join_names(&names(&["a"])), "a");
        assert_eq!(join_names(&names(&["a", "b", "c", "d", "e"])), "a, b, c, d, e");
        assert_eq!(join_names(&names(&["a", "b", "c", "d", "e", "f", "g"])), "a, b, c, d, e and 2 more");
    }

    #[test]
    fn things_with_the_same_fault_share_a_result() {
        let wrong = |says: &str| Verdict::wrong(says, "mend it");
        let all = [("a", Verdict::Right), ("b", wrong("x")), ("c", wrong("y")), ("d", wrong("x"))];
        let found = summarize("x.y", "things", "are well", all.map(|(name, verdict)| (name.to_owned(), verdict)));
        let shown: Vec<_> = found.iter().map(|found| (found.subject.as_str(), found.says.as_str())).collect();
        assert_eq!(shown, [("b, d", "x"), ("c", "y")]);
        let well = ["a", "b"].map(|name| (name.to_owned(), Verdict::Right));
        assert_eq!(summarize("x.y", "things", "are well", well), [CheckResult::right("x.y", "2 things", "are well")]);
        assert_eq!(summarize("x.y", "things", "are well", []), []);
    }
}

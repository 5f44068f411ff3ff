//! One thing that is right, wrong or not to be seen, and what to do about it.

use serde::Serialize;

use crate::setup::instance_facts::Unseen;

/// The most names that one finding lists.
const NAMED: usize = 5;

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// As it has to be.
    Right,
    /// Not to be seen with this token.
    Unseen,
    /// Otherwise.
    Wrong,
}

impl CheckState {
    /// Returns the word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Unseen => "unseen",
            Self::Wrong => "wrong",
        }
    }
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    /// Which check: `token.scope`. Scripts go by it.
    pub check: &'static str,
    /// How it is.
    pub state: CheckState,
    /// What it is about: a project, a webhook, several of them.
    pub subject: String,
    /// What is the case.
    pub says: String,
    /// What to do where it is wrong; who sees it, and where, where it is not to be seen.
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

    /// For what was not seen; `who` can see it, and where: `its Maintainers see it: Settings, Webhooks`.
    pub(super) fn unseen(check: &'static str, subject: impl Into<String>, why: &Unseen, who: &str) -> Self {
        let (says, remedy) = match why {
            Unseen::NotShown => ("not shown to the token's user".to_owned(), who.to_owned()),
            Unseen::NotSaid => ("GitLab does not say".to_owned(), who.to_owned()),
            Unseen::NotAsked => ("not asked for, because what it belongs to was not seen".to_owned(), who.to_owned()),
            Unseen::Failed(why) => (why.clone(), "run it again later".to_owned()),
        };
        Self { check, state: CheckState::Unseen, subject: subject.into(), says, remedy: Some(remedy) }
    }
}

/// What a check came to for one of several things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All is well.
    Right,
    /// It is not: what is the case, and the remedy.
    Wrong(String, String),
    /// Nobody knows: why, and who would.
    Unseen(Unseen, String),
}

impl Verdict {
    pub(super) fn wrong(says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Wrong(says.into(), remedy.into())
    }

    /// Right or wrong.
    pub(super) fn of(is_right: bool, says: &str, remedy: &str) -> Self {
        if is_right { Self::Right } else { Self::wrong(says, remedy) }
    }
}

/// Puts what a check came to for each of several things into few findings: one for all that are right where nothing else
/// is to be told, and one for those with the same thing wrong.
pub(super) fn summed(
    check: &'static str,
    things: &str,
    is_right: &str,
    verdicts: impl IntoIterator<Item = (String, Verdict)>,
) -> Vec<CheckResult> {
    let mut kinds: Vec<(Verdict, Vec<String>)> = Vec::new();
    for (name, verdict) in verdicts {
        match kinds.iter_mut().find(|(kind, _)| *kind == verdict) {
            Some((_, names)) => names.push(name),
            None => kinds.push((verdict, vec![name])),
        }
    }
    let are_all_right = kinds.iter().all(|(verdict, _)| *verdict == Verdict::Right);
    let mut findings = Vec::new();
    for (verdict, names) in kinds {
        match verdict {
            Verdict::Right if are_all_right => {
                findings.push(CheckResult::right(check, counted(&names, things), is_right));
            }
            Verdict::Right => {}
            Verdict::Wrong(says, remedy) => findings.push(CheckResult::wrong(check, listed(&names), says, remedy)),
            Verdict::Unseen(why, who) => findings.push(CheckResult::unseen(check, listed(&names), &why, &who)),
        }
    }
    findings
}

fn counted(names: &[String], things: &str) -> String {
    match names {
        [one] => one.clone(),
        many => format!("{} {things}", many.len()),
    }
}

/// Returns `a, b, c and 7 more`.
pub(super) fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMED) {
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
    fn a_list_is_cut_after_five() {
        assert_eq!(listed(&names(&["a"])), "a");
        assert_eq!(listed(&names(&["a", "b", "c", "d", "e"])), "a, b, c, d, e");
        assert_eq!(listed(&names(&["a", "b", "c", "d", "e", "f", "g"])), "a, b, c, d, e and 2 more");
    }

    #[test]
    fn those_with_the_same_thing_wrong_are_told_together() {
        let wrong = |says: &str| Verdict::wrong(says, "mend it");
        let all = [("a", Verdict::Right), ("b", wrong("x")), ("c", wrong("y")), ("d", wrong("x"))];
        let found = summed("x.y", "things", "are well", all.map(|(name, verdict)| (name.to_owned(), verdict)));
        let told: Vec<_> = found.iter().map(|found| (found.subject.as_str(), found.says.as_str())).collect();
        assert_eq!(told, [("b, d", "x"), ("c", "y")]);
        let well = ["a", "b"].map(|name| (name.to_owned(), Verdict::Right));
        assert_eq!(summed("x.y", "things", "are well", well), [CheckResult::right("x.y", "2 things", "are well")]);
        assert_eq!(summed("x.y", "things", "are well", []), []);
    }
}

//! CI/CD variables: what they may be, and which of them a job gets.

use std::collections::BTreeMap;

use super::Model;
use super::projects::Project;

/// The environment scope of a variable that every job gets.
pub const ANY_ENVIRONMENT: &str = "*";
const LONGEST_KEY: usize = 255;
const LEAST_MASKED: usize = 8;
/// What values that are masked, and in which variables are replaced, may hold besides letters and digits
/// (`ci/maskable.rb`).
const MASKABLE: &str = "_+=/@:.~-";

/// A CI/CD variable of a project or group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Whether only jobs on protected branches get it.
    pub protected: bool,
    /// Whether logs mask it.
    pub masked: bool,
    /// Whether the API shows its value to nobody.
    pub hidden: bool,
    /// Whether it is taken as it is.
    pub raw: bool,
    /// `env_var` or `file`.
    pub kind: String,
    /// Which environments' jobs get it: a pattern.
    pub scope: String,
    /// Its description, if any.
    pub description: Option<String>,
}

impl Variable {
    /// A variable as it is where nothing is said of it.
    pub(crate) fn plain(key: &str, value: &str) -> Self {
        Self {
            key: key.to_owned(),
            value: value.to_owned(),
            protected: false,
            masked: false,
            hidden: false,
            raw: false,
            kind: "env_var".to_owned(),
            scope: ANY_ENVIRONMENT.to_owned(),
            description: None,
        }
    }

    /// What GitLab says against it: the field and the text.
    pub(crate) fn objection(&self) -> Option<(&'static str, &'static str)> {
        let in_key = |character: char| character.is_ascii_alphanumeric() || character == '_';
        if self.key.is_empty() {
            return Some(("key", "can't be blank"));
        }
        if self.key.chars().count() > LONGEST_KEY {
            return Some(("key", "is too long (maximum is 255 characters)"));
        }
        if !self.key.chars().all(in_key) {
            return Some(("key", "can contain only letters, digits and '_'."));
        }
        let maskable = |character: char| {
            if self.raw {
                !character.is_whitespace()
            } else {
                character.is_ascii_alphanumeric() || MASKABLE.contains(character)
            }
        };
        let can_be_masked = self.value.chars().count() >= LEAST_MASKED && self.value.chars().all(maskable);
        (self.masked && !can_be_masked).then_some(("value", "is invalid"))
    }

    fn is(&self, key: &str, scope: &str) -> bool {
        self.key == key && self.scope == scope
    }
}

/// Adds a variable, in place of one of the same key and scope.
pub(crate) fn put(variables: &mut Vec<Variable>, new: Variable) {
    variables.retain(|other| !other.is(&new.key, &new.scope));
    variables.push(new);
}

impl Model {
    /// What a job without an environment gets on a branch or tag: the variables of the groups around its project, the
    /// nearer ones first, and the project's own before all.
    pub(crate) fn variables_of_jobs(&self, project: &Project, reference: &str) -> BTreeMap<String, String> {
        let mut around = Vec::new();
        let mut next = Some(project.namespace);
        while let Some(namespace) = next.and_then(|id| self.namespaces.get(&id)) {
            around.push(&namespace.variables);
            next = namespace.parent;
        }
        let is_protected = project.branches.contains_key(reference) && project.protection(reference).is_some();
        let all = around.into_iter().rev().flatten().chain(&project.variables);
        let given = all.filter(|variable| variable.scope == ANY_ENVIRONMENT && (is_protected || !variable.protected));
        given.map(|variable| (variable.key.clone(), variable.value.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ci/maskable.rb`, and "Mask a CI/CD variable" in GitLab's documentation.
    #[test]
    fn only_some_values_can_be_masked() {
        let objects = |value: &str, raw| {
            let variable = Variable { masked: true, raw, ..Variable::plain("KEY", value) };
            variable.objection().is_some()
        };
        for (value, expanded, raw) in [
            ("glpat-abcd_1.2~3", false, false),
            ("1234567", true, true),
            ("with space", true, true),
            ("dollar$dollar", true, false),
            ("line\nbreak", true, true),
        ] {
            assert_eq!((objects(value, false), objects(value, true)), (expanded, raw), "{value:?}");
        }
        assert_eq!(Variable::plain("A-B", "x").objection(), Some(("key", "can contain only letters, digits and '_'.")));
        assert_eq!(Variable::plain("A_1", "").objection(), None);
    }
}

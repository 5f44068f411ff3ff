//! What is left to a person, with the exact values to enter.

use serde::Serialize;

/// Why it is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It was to be done here, and could not be: a right is missing, or GitLab refused.
    Undone,
    /// It is for somebody else to do, or to decide.
    ForAPerson,
}

/// Something that is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Todo {
    /// Why.
    pub why: Why,
    /// What is to be done, and by whom: one sentence.
    pub what: String,
    /// Exact values, each with the name of its place; a line without one has an empty name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<TodoValue>,
}

/// A value and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TodoValue {
    /// The name of the field, such as `URL`; empty for a line that stands by itself.
    pub name: &'static str,
    /// What to enter.
    pub value: String,
}

impl Todo {
    /// Something that could not be done here.
    pub fn undone(what: impl Into<String>) -> Self {
        Self { why: Why::Undone, what: what.into(), values: Vec::new() }
    }

    /// Something for somebody else.
    pub fn for_a_person(what: impl Into<String>) -> Self {
        Self { why: Why::ForAPerson, what: what.into(), values: Vec::new() }
    }

    /// Adds a value.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.values.push(TodoValue { name, value: value.into() });
        self
    }

    /// Adds a line that stands by itself.
    #[must_use]
    pub fn line(self, text: impl Into<String>) -> Self {
        self.with("", text)
    }
}

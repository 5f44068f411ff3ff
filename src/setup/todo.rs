//! What a person has to do, with the exact values to enter.

use serde::Serialize;

/// Why a person has to do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TodoReason {
    /// The run was to do it and could not: it lacks a right, or GitLab refused.
    Undone,
    /// It is for somebody else to do, or to decide.
    ForAPerson,
}

/// Something that a person has to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Todo {
    pub why: TodoReason,
    /// What to do, and who does it: one sentence.
    pub what: String,
    /// The exact values, and lines of text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<TodoValue>,
}

/// A value and the field that it belongs in, or a line of text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TodoValue {
    /// The name of the field, such as `URL`; empty for a line of text.
    pub name: &'static str,
    /// What to enter.
    pub value: String,
}

impl Todo {
    /// Returns a todo for what this run could not do.
    pub fn undone(what: impl Into<String>) -> Self {
        Self { why: TodoReason::Undone, what: what.into(), values: Vec::new() }
    }

    /// Returns a todo for what is up to somebody else.
    pub fn for_a_person(what: impl Into<String>) -> Self {
        Self { why: TodoReason::ForAPerson, what: what.into(), values: Vec::new() }
    }

    /// Adds a value to enter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.values.push(TodoValue { name, value: value.into() });
        self
    }

    /// Adds a line of text.
    #[must_use]
    pub fn line(self, text: impl Into<String>) -> Self {
        self.with("", text)
    }
}

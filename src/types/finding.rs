//! What the transformation has to say to a person: findings, which do not stop it, and refusals, which do.
//!
//! Every text here is one sentence without a final period, names what it is about (`Subject`) apart
//! from the text, and copies nothing from a contributor but through [`crate::types::text::printable`].

use std::fmt;

use serde::Serialize;

use crate::types::text::printable;
use crate::types::{CommitId, RepoPath};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing, nothing to do.
    Note,
    /// Probably not what the author meant.
    Warning,
    /// The dist-git package will not build or apply as it stands.
    Problem,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        })
    }
}

/// The thing that a finding or a refusal is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// A commit of source-git.
    Commit(CommitId),
    /// A file, by its path in the repository that the text speaks of.
    File(RepoPath),
    /// A file that one commit changes.
    #[serde(rename = "commit_file")]
    CommitFile(CommitId, RepoPath),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(id) => write!(f, "commit {}", id.short()),
            Self::File(path) => write!(f, "{path}"),
            Self::CommitFile(id, path) => write!(f, "commit {}, {path}", id.short()),
        }
    }
}

/// Something that a person should know, which does not stop the transformation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// What it is about, where it is about one thing.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// What is the case.
    pub text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    /// A finding about nothing in particular and without a remedy, to be completed by `about` and `remedy`.
    pub fn new(level: Level, text: impl Into<String>) -> Self {
        Self { level, subject: None, text: text.into(), remedy: None }
    }

    /// A [`Level::Note`].
    pub fn note(text: impl Into<String>) -> Self {
        Self::new(Level::Note, text)
    }

    /// A [`Level::Warning`].
    pub fn warning(text: impl Into<String>) -> Self {
        Self::new(Level::Warning, text)
    }

    /// A [`Level::Problem`].
    pub fn problem(text: impl Into<String>) -> Self {
        Self::new(Level::Problem, text)
    }

    /// Says what the finding is about.
    #[must_use]
    pub fn about(mut self, subject: Subject) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.level)?;
        if let Some(subject) = &self.subject {
            write!(f, "{subject}: ")?;
        }
        f.write_str(&self.text)
    }
}

/// Why an input cannot be turned into dist-git content: always the contributor's to mend, never a fault of ours.
///
/// A command that meets one ends with exit status 3 and has changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// What it is about, where it is about one thing.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// What is the case.
    pub text: String,
    /// What to do about it.
    pub remedy: String,
}

impl Refusal {
    /// A refusal with its remedy, about nothing in particular.
    pub fn new(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { subject: None, text: text.into(), remedy: remedy.into() }
    }

    /// Says what the refusal is about.
    #[must_use]
    pub fn about(mut self, subject: Subject) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Says that the refusal is about `commit`.
    #[must_use]
    pub fn about_commit(self, commit: &CommitId) -> Self {
        self.about(Subject::Commit(*commit))
    }

    /// Says that the refusal is about the file at `path`.
    #[must_use]
    pub fn about_file(self, path: &RepoPath) -> Self {
        self.about(Subject::File(path.clone()))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(subject) = &self.subject {
            write!(f, "{subject}: ")?;
        }
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refusal {}

/// Returns `value` between backticks, printable and cut to a length that fits a line.
pub fn quoted(value: &[u8]) -> String {
    format!("`{}`", printable(value).replace('`', "'"))
}

//! What the transformation tells people: findings, which do not stop it, and refusals, which do.
//!
//! Each text is one sentence without a final period. The thing it is about stands apart from the text, as a
//! [`Subject`]. A text quotes contributors only through [`crate::types::text::printable`].

use std::fmt;

use serde::Serialize;

use crate::types::object_id::CommitId;
use crate::types::path::RepoPath;
use crate::types::text::printable;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing; there is nothing to do.
    Note,
    /// Probably not what the author wanted.
    Warning,
    /// The patches will not apply in dist-git, or the package will not build.
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

/// The thing that a finding or refusal is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// A commit of source-git.
    Commit(CommitId),
    /// A file, by its path in the repository that the text is about.
    File(RepoPath),
    /// A file that a commit changes.
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

/// Something that people should know and that does not stop the transformation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub level: Level,
    /// `None` when it is about nothing in particular.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    pub text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    /// Returns a finding without subject and remedy; [`Finding::about`] and [`Finding::remedy`] add them.
    pub fn new(level: Level, text: impl Into<String>) -> Self {
        Self { level, subject: None, text: text.into(), remedy: None }
    }

    pub fn note(text: impl Into<String>) -> Self {
        Self::new(Level::Note, text)
    }

    pub fn warning(text: impl Into<String>) -> Self {
        Self::new(Level::Warning, text)
    }

    pub fn problem(text: impl Into<String>) -> Self {
        Self::new(Level::Problem, text)
    }

    #[must_use]
    pub fn about(mut self, subject: Subject) -> Self {
        self.subject = Some(subject);
        self
    }

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

/// Why an input cannot become dist-git content. The contributor has to fix it; it is never the bot's fault.
///
/// A command that gets a refusal changes nothing and ends with exit status 3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// `None` when it is about nothing in particular.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    pub text: String,
    /// What to do about it.
    pub remedy: String,
}

impl Refusal {
    /// Returns a refusal without subject; [`Refusal::about`] adds one.
    pub fn new(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { subject: None, text: text.into(), remedy: remedy.into() }
    }

    #[must_use]
    pub fn about(mut self, subject: Subject) -> Self {
        self.subject = Some(subject);
        self
    }

    #[must_use]
    pub fn about_commit(self, commit: &CommitId) -> Self {
        self.about(Subject::Commit(*commit))
    }

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

/// Returns `value` between backticks, made printable and cut to the length of a line.
pub fn quoted(value: &[u8]) -> String {
    format!("`{}`", printable(value).replace('`', "'"))
}

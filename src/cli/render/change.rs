//! A text on GitLab before and after, as a dry run shows it.

use serde::Serialize;
use similar::TextDiff;

use crate::cli::render::transformation::painted;
use crate::cli::terminal::Paint;
use crate::types::text::printable_whole;

/// A text before and after.
#[derive(Debug, Serialize)]
pub(crate) struct Change {
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    after: String,
}

impl Change {
    pub(crate) fn new(after: impl Into<String>) -> Self {
        Self { before: None, after: after.into() }
    }

    pub(crate) fn from(before: Option<&str>, after: impl Into<String>) -> Self {
        Self { before: before.map(str::to_owned), after: after.into() }
    }

    /// The text, or what changes in it, behind a bar.
    pub(crate) fn lines(&self, paint: Paint) -> String {
        let mut lines = String::new();
        let mut line = |text: &str| lines.push_str(&format!("{}\n", format!("  | {text}").trim_end()));
        match &self.before {
            None => self.after.lines().for_each(|row| line(&plain(row))),
            Some(before) => {
                // GitLab takes away what is blank at the end of a text.
                let (before, after) = (format!("{}\n", before.trim_end()), format!("{}\n", self.after.trim_end()));
                let diff = TextDiff::from_lines(&before, &after);
                let diff = diff.unified_diff().context_radius(1).to_string();
                diff.lines().for_each(|row| line(&painted(&plain(row), paint)));
            }
        }
        lines
    }
}

/// A line without what a terminal would act on.
fn plain(row: &str) -> String {
    printable_whole(row.as_bytes())
}

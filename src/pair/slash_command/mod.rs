//! What a comment on a source-git merge request asks the bot for, and who may ask for it.
//!
//! A command is the first line that begins with `/dist-git`, if the line is the author's own words: not in a code block
//! or code span, not in a quotation, and not hidden. GitLab leaves such a line in the text, because it takes out only
//! the quick actions that it knows. A comment holds one command: the first. A command takes no arguments. The bot does
//! not understand a line with more words, because `/dist-git recreate would be wrong` asks for nothing. A comment of
//! more than 16 KiB asks for nothing either.
//!
//! The comment's author counts as the one who asks. Only a Maintainer of the project can edit somebody else's comment,
//! and a Maintainer may give every command anyway. GitLab's REST API does not say who edited a comment, or whether
//! anybody did.

mod own_lines;

use chrono::{DateTime, TimeDelta, Utc};

use crate::pair::slash_command::own_lines::OwnLines;

/// The beginning of a line with a command, in any case.
const PREFIX: &str = "/dist-git";

/// The longest comment that asks for anything, in bytes. GitLab accepts a megabyte, but nobody writes a command into so
/// long a text.
const LONGEST: usize = 16 << 10;

/// The age at which a comment is too old.
const MAX_AGE: TimeDelta = TimeDelta::days(1);

/// A command that people can give the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlashCommand {
    /// Run dist-git's CI again.
    Retest,
    /// Rebuild the dist-git merge request, whatever people did there.
    Recreate,
    /// Bring dist-git up to date.
    Sync,
    /// Explain the commands.
    Help,
}

impl SlashCommand {
    /// Returns the word after `/dist-git`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Retest => "retest",
            Self::Recreate => "recreate",
            Self::Sync => "sync",
            Self::Help => "help",
        }
    }
}

/// What a comment that addresses the bot asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlashRequest {
    Command(SlashCommand),
    /// Something that the bot does not understand.
    Unknown,
}

/// The author of a comment, in relation to the merge request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommentAuthor {
    /// Somebody with the role Developer or a higher one in the source-git project.
    Developer,
    /// Somebody without such a role who opened the merge request.
    MergeRequestAuthor,
    Stranger,
}

/// Why the bot does not do what a comment asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandRefusal {
    #[error("it is older than a day")]
    Old,
    #[error("its author may not ask for that")]
    NotTheirs,
}

impl SlashRequest {
    /// Checks whether this author may ask for it. Only people who may give some command may ask for help.
    pub fn permission(self, author: CommentAuthor) -> Result<(), CommandRefusal> {
        match (author, self) {
            (CommentAuthor::Developer, _) => Ok(()),
            (
                CommentAuthor::MergeRequestAuthor,
                Self::Unknown | Self::Command(SlashCommand::Sync | SlashCommand::Help),
            ) => Ok(()),
            (CommentAuthor::MergeRequestAuthor, Self::Command(SlashCommand::Retest | SlashCommand::Recreate))
            | (CommentAuthor::Stranger, _) => Err(CommandRefusal::NotTheirs),
        }
    }
}

/// Checks the age of a comment at GitLab's time `now`. A comment without a time counts as too old.
pub fn check_age(written: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<(), CommandRefusal> {
    let age = written.map(|written| now.signed_duration_since(written));
    if age.is_some_and(|age| age < MAX_AGE) { Ok(()) } else { Err(CommandRefusal::Old) }
}

/// Returns what a comment asks the bot for; `None` if it does not address the bot.
pub fn parse(text: &str) -> Option<SlashRequest> {
    if text.len() > LONGEST {
        return None;
    }
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    OwnLines::new(&text).find_map(command)
}

/// Reads a line as a command.
fn command(line: &str) -> Option<SlashRequest> {
    let start = line.trim_start_matches(' ');
    let (prefix, rest) = start.split_at_checked(PREFIX.len())?;
    if line.len() - start.len() > 3
        || !prefix.eq_ignore_ascii_case(PREFIX)
        || !(rest.is_empty() || rest.starts_with(char::is_whitespace))
    {
        return None;
    }
    let mut words = rest.split_whitespace();
    let command = match (words.next().map(str::to_lowercase).as_deref(), words.next()) {
        (None | Some("help"), None) => SlashCommand::Help,
        (Some("retest"), None) => SlashCommand::Retest,
        (Some("recreate"), None) => SlashCommand::Recreate,
        (Some("sync"), None) => SlashCommand::Sync,
        _ => return Some(SlashRequest::Unknown),
    };
    Some(SlashRequest::Command(command))
}

#[cfg(test)]
mod tests;

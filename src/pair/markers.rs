//! The hidden comments by which the bot knows its own work: in the block at the end of a dist-git merge request's
//! description, in its notes, and in its status issue.
//!
//! ```text
//! whatever people wrote
//!
//! <!-- source-git-bot v1: begin -->
//! information for people
//! <!-- source-git-bot v1: record {"project":7,…} -->
//! <!-- source-git-bot v1: end -->
//! ```
//!
//! Anybody can write such a comment. Before you read one, make sure that the bot wrote the description or note. Text
//! that the bot copies cannot contain one, because `sanitize` breaks up `<!`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::pair::fingerprint::Fingerprint;
use crate::types::{CommitId, MergeRequestIid, NoteId, ProjectId, ProjectPath};

/// The ends of the block. The version goes up when an older bot could misread what is between them.
const BEGIN: &str = "<!-- source-git-bot v1: begin -->";
const END: &str = "<!-- source-git-bot v1: end -->";

/// A part of the note that is written and replaced on its own: its ends, and what its JSON begins with.
#[derive(Clone, Copy, Debug)]
pub(super) struct NotePart {
    begin: &'static str,
    end: &'static str,
    state: &'static str,
    /// Markers that a new part goes above: the first of them that the note contains.
    above: &'static [&'static str],
}

/// The part with the CI results.
pub(super) const CI: NotePart = NotePart {
    begin: "<!-- source-git-bot v1: ci begin -->",
    end: "<!-- source-git-bot v1: ci end -->",
    state: "<!-- source-git-bot v1: results ",
    above: &[RETEST_HINT_BEGIN, COMMANDS, STATE],
};

/// The part that says who can start a pipeline that the bot may not start.
pub(super) const RETEST_HINT: NotePart = NotePart {
    begin: RETEST_HINT_BEGIN,
    end: "<!-- source-git-bot v1: run end -->",
    state: "<!-- source-git-bot v1: asked ",
    above: &[COMMANDS, STATE],
};

const RETEST_HINT_BEGIN: &str = "<!-- source-git-bot v1: run begin -->";

/// The first line of the list of commands.
pub(super) const COMMANDS: &str = "<!-- source-git-bot v1: commands -->";

/// The line by which the bot recognizes its comment that explains the commands.
pub(super) const HELP: &str = "<!-- source-git-bot v1: help -->";

/// What precedes a JSON value: the record of a dist-git merge request, the state of a note, an announcement in
/// dist-git, the cache of a shard of `reconcile`, and the instance of a status issue.
const RECORD: &str = "<!-- source-git-bot v1: record ";
const STATE: &str = "<!-- source-git-bot v1: note ";
const ANNOUNCEMENT: &str = "<!-- source-git-bot v1: told ";
const CACHE: &str = "<!-- source-git-bot v1: memory ";
const STATUS_ISSUE: &str = "<!-- source-git-bot v1: status ";

/// What follows a JSON value.
const CLOSE: &str = " -->";

/// The longest JSON that is read, in bytes. A title of 255 characters and a path of 1024 fit, with all of them escaped.
const LONGEST: usize = 16 * 1024;

/// The longest JSON of a cache that is read, in bytes: GitLab's limit for a note, which is in characters.
const LONGEST_CACHE: usize = 1_000_000;

/// What the dist-git merge request tells the bot about its origin. Unknown fields are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairRecord {
    /// The source-git project.
    pub project: ProjectId,
    /// Its path at the time of writing.
    pub path: ProjectPath,
    /// The source-git merge request.
    pub merge_request: MergeRequestIid,
    /// The bot's note on it, if it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<NoteId>,
    /// The title that the bot last wanted.
    pub title: String,
    /// The copied description that the bot last wanted.
    pub(super) copied: Fingerprint,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<EndReason>,
}

/// What the bot did with a dist-git merge request when the source-git merge request ended, or left this branch. A
/// person who changes the state of the dist-git merge request afterwards overrules the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The bot closed it, because the source-git merge request was closed.
    Closed,
    /// The bot closed it, because the source-git merge request is for another branch now.
    Retargeted,
    /// The bot closed it, because the bot's branches are in another project now.
    Moved,
    /// The bot announced that the source-git merge request was merged.
    Merged,
}

/// What the bot's note tells the bot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteState {
    /// The source-git commit that the note is about.
    pub commit: CommitId,
    /// The dist-git merge request, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge_request: Option<MergeRequestIid>,
    /// The tip of the source-git target branch that was used, if the text of the note follows from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<CommitId>,
}

/// A description, divided at the bot's block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Divided<'a> {
    /// The text before the block, or the whole description if there is no block.
    pub(super) before: &'a str,
    /// The block with its markers; empty if there is none.
    pub(super) block: &'a str,
    pub(super) after: &'a str,
}

/// Divides `description` at its last complete block.
pub(super) fn divide(description: &str) -> Divided<'_> {
    let found = description.rfind(END).and_then(|end| {
        let (head, tail) = description.split_at_checked(end)?;
        let (before, inner) = head.split_at_checked(head.rfind(BEGIN)?)?;
        let after = tail.get(END.len()..)?;
        let block = description.get(before.len()..before.len() + inner.len() + END.len())?;
        Some(Divided { before, block, after })
    });
    found.unwrap_or(Divided { before: description, block: "", after: "" })
}

/// Returns the record in the last block of `description`.
pub fn read(description: &str) -> Option<PairRecord> {
    hidden(divide(description).block, RECORD)
}

/// Returns the state in the bot's note; `None` for any other comment.
pub fn read_note(body: &str) -> Option<NoteState> {
    hidden(body, STATE)
}

/// Returns the block: `text` for people, and the record.
pub(super) fn block(text: &str, record: &PairRecord) -> String {
    format!("{BEGIN}\n{text}\n{}\n{END}", line(RECORD, record))
}

/// Returns the hidden last line of the bot's note.
pub(super) fn note_line(state: &NoteState) -> String {
    line(STATE, state)
}

/// Returns the hidden last line of an announcement in dist-git.
pub(super) fn announcement_line<T: Serialize>(announcement: &T) -> String {
    line(ANNOUNCEMENT, announcement)
}

/// Reads the announcement from a note in dist-git.
pub(super) fn read_announcement<T: DeserializeOwned>(body: &str) -> Option<T> {
    hidden(body, ANNOUNCEMENT)
}

/// Returns a part of a note: `text` for people, and the state that the bot keeps with it.
pub(super) fn section<T: Serialize>(part: NotePart, text: &str, state: &T) -> String {
    format!("{}\n{text}\n{}\n{}", part.begin, line(part.state, state), part.end)
}

/// Reads a part of the note `body`: the state that the bot keeps with it, and the text for people.
pub(super) fn read_section<T: DeserializeOwned>(part: NotePart, body: &str) -> Option<(T, &str)> {
    let (_, section, _) = divide_at_section(part, body)?;
    let (text, _) = section.rsplit_once(part.state)?;
    let text = text.strip_prefix(part.begin)?.trim_start_matches(['\r', '\n']);
    let text = text.strip_suffix('\n')?;
    Some((hidden(section, part.state)?, text.strip_suffix('\r').unwrap_or(text)))
}

/// Returns the note `body` with `section` in place of the old one, or where [`crate::pair::note`] puts a new one.
pub(super) fn replace_section(part: NotePart, body: &str, section: &str) -> String {
    if let Some((before, _, after)) = divide_at_section(part, body) {
        return [before, section, after].concat();
    }
    match part.above.iter().find_map(|marker| body.rfind(marker)).and_then(|at| body.split_at_checked(at)) {
        Some((before, below)) => format!("{before}{section}\n\n{below}"),
        None => format!("{body}\n\n{section}"),
    }
}

/// Returns the note `body` without this part; `None` if it has no such part.
pub(super) fn remove_section(part: NotePart, body: &str) -> Option<String> {
    let (before, _, after) = divide_at_section(part, body)?;
    Some([before, after.trim_start_matches(['\r', '\n'])].concat())
}

/// Divides a note at its last such part: the text before it, the part with its markers, the text after it.
fn divide_at_section(part: NotePart, body: &str) -> Option<(&str, &str, &str)> {
    let (whole, after) = body.split_at_checked(body.rfind(part.end)? + part.end.len())?;
    let (before, section) = whole.split_at_checked(whole.rfind(part.begin)?)?;
    Some((before, section, after))
}

/// Returns `description` with `record` in place of the old one; `None` if it has no record.
pub fn replace_record(description: &str, record: &PairRecord) -> Option<String> {
    let Divided { before, block, after } = divide(description);
    let (head, rest) = block.rsplit_once(RECORD)?;
    let (_, tail) = rest.split_once(CLOSE)?;
    Some([before, head, &line(RECORD, record), tail, after].concat())
}

/// Returns `description` with `block` in place of its last block, or at its end, below a blank line. Every byte outside
/// the block stays.
pub fn replace_block(description: &str, block: &str) -> String {
    let divided = divide(description);
    if !divided.block.is_empty() {
        return [divided.before, block, divided.after].concat();
    }
    let gap = match description {
        "" => "",
        text if text.ends_with("\n\n") || text.ends_with("\r\n\r\n") => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    [description, gap, block].concat()
}

/// Returns `value` as JSON in an HTML comment, on one line.
///
/// Nothing in it may end the comment (`-->`, `--!>`) or read as a tag. So those characters are escaped, which JSON
/// allows in strings. Outside of strings, JSON as written here has none of them.
fn line<T: Serialize>(open: &str, value: &T) -> String {
    let json = serde_json::to_string(value).unwrap_or_default();
    let json = json.replace("--", "-\\u002d").replace('<', "\\u003c").replace('>', "\\u003e");
    format!("{open}{json}{CLOSE}")
}

/// Returns the hidden line with what a shard of `reconcile` keeps for its next run.
pub(super) fn cache_line<T: Serialize>(state: &T) -> String {
    line(CACHE, state)
}

/// Reads what a shard of `reconcile` kept for its next run.
pub(super) fn read_cache<T: DeserializeOwned>(body: &str) -> Option<T> {
    hidden_up_to(LONGEST_CACHE, body, CACHE)
}

/// Whether a note of the bot is meant to hold a cache, readable or not.
pub(super) fn has_cache(body: &str) -> bool {
    body.contains(CACHE)
}

/// Returns the hidden line by which the bot finds the status issue of an instance.
pub(super) fn status_issue_line(instance: &str) -> String {
    line(STATUS_ISSUE, &instance)
}

/// Reads the name of the instance from its status issue.
pub(super) fn read_status_issue(description: &str) -> Option<String> {
    hidden(description, STATUS_ISSUE)
}

fn hidden<T: DeserializeOwned>(text: &str, open: &str) -> Option<T> {
    hidden_up_to(LONGEST, text, open)
}

fn hidden_up_to<T: DeserializeOwned>(longest: usize, text: &str, open: &str) -> Option<T> {
    let (_, rest) = text.rsplit_once(open)?;
    let (json, _) = rest.split_once(CLOSE)?;
    if json.len() > longest {
        return None;
    }
    serde_json::from_str(json).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(title: &str) -> PairRecord {
        PairRecord {
            project: ProjectId(11),
            path: "src/hello".parse().unwrap(),
            merge_request: MergeRequestIid(7),
            note: Some(NoteId(12)),
            title: title.to_owned(),
            copied: Fingerprint::of("text"),
            ended: None,
        }
    }

    #[test]
    fn reads_back_the_record_whatever_the_title() {
        for title in ["Fix it", "a --> b --!> <!-- c ---", "\"quoted\" \\ é \u{202e}", "----->"] {
            let record = record(title);
            let block = block("said", &record);
            assert_eq!(read(&format!("text\n\n{block}\nmore")), Some(record), "{title}");
            assert_eq!(block.matches("-->").count(), 3, "{block}");
            assert_eq!(block.matches("<!--").count(), 3, "{block}");
            assert_eq!(block.lines().count(), 4);
        }
    }

    #[test]
    fn older_and_newer_bots_agree_on_the_format() {
        insta::assert_snapshot!(block("For people.", &record("Fix -- it")), @r#"
        <!-- source-git-bot v1: begin -->
        For people.
        <!-- source-git-bot v1: record {"project":11,"path":"src/hello","merge_request":7,"note":12,"title":"Fix -\u002d it","copied":{"bytes":4,"hash":"fa04f4ef1995407e"}} -->
        <!-- source-git-bot v1: end -->
        "#);
        let newer = block("x", &record("t")).replace("{\"project\"", "{\"new\":[1,{}],\"project\"");
        assert_eq!(read(&newer), Some(record("t")));
        assert_eq!(read(&newer.replace("v1", "v2")), None);
        assert_eq!(read(&newer.replace("\"project\":11", "\"project\":\"x\"")), None);
    }

    #[test]
    fn only_the_last_block_counts() {
        let (first, last) = (block("a", &record("first")), block("b", &record("last")));
        let both = format!("{first}\n\nmine\n\n{last}");
        assert_eq!(read(&both).unwrap().title, "last");
        assert_eq!(replace_block(&both, "NEW"), format!("{first}\n\nmine\n\nNEW"));
        assert_eq!(divide(&last.replace(END, "")).block, "");
        assert_eq!(divide(&format!("{END} {BEGIN}")).block, "");
    }

    #[test]
    fn replaces_the_record_and_nothing_else() {
        let description = format!("mine\n\n{}\ntheirs", block("said", &record("first")));
        let ended = PairRecord { ended: Some(EndReason::Closed), ..record("first") };
        let replaced = replace_record(&description, &ended).unwrap();
        assert_eq!(read(&replaced), Some(ended));
        assert_eq!(replace_record(&replaced, &record("first")).unwrap(), description);
        assert_eq!(replace_record("mine", &record("first")), None);
    }

    #[test]
    fn ignores_a_huge_record() {
        assert_eq!(read(&block("x", &record(&"x".repeat(20_000)))), None);
    }

    #[test]
    fn puts_a_new_block_below_what_people_wrote() {
        assert_eq!(replace_block("", "B"), "B");
        assert_eq!(replace_block("text", "B"), "text\n\nB");
        assert_eq!(replace_block("text\n", "B"), "text\n\nB");
        assert_eq!(replace_block("text\r\n\r\n", "B"), "text\r\n\r\nB");
    }

    proptest! {
        #[test]
        fn keeps_what_people_wrote_byte_for_byte(before in "[a\r\n<!-]{0,20}", after in "[a\r\n>]{0,20}", title: String) {
            let old = format!("{before}{}{after}", block("old", &record(&title)));
            let new = block("new", &record("t"));
            prop_assert_eq!(replace_block(&old, &new), format!("{before}{new}{after}"));
            prop_assert_eq!(read(&old.replace('\n', "\r\n")), read(&old));
        }

        #[test]
        fn reading_never_panics(text in "(<!-- source-git-bot v1: (begin|end|record)| -->|\\{\"project\":|[^a]|\n){0,30}") {
            let _ = (read(&text), read_note(&text), replace_block(&text, "B"));
        }
    }
}

//! The bot's block at the end of a dist-git merge request's description, and the hidden lines that the bot leaves for
//! itself there and in its note.
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
//! Anybody can write such lines: whoever reads one must know that the description or note is the bot's own. Text that
//! the bot copies cannot hold one, because `copied` breaks `<!`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::pair::fingerprint::Fingerprint;
use crate::types::{CommitId, MergeRequestIid, NoteId, ProjectId, ProjectPath};

/// Where the block begins and ends. The number rises when an older bot could misread what is between.
const BEGIN: &str = "<!-- source-git-bot v1: begin -->";
const END: &str = "<!-- source-git-bot v1: end -->";

/// A part of the note with an owner of its own: where it begins and ends, and what the JSON in it begins with.
#[derive(Clone, Copy, Debug)]
pub(super) struct NotePart {
    begin: &'static str,
    end: &'static str,
    state: &'static str,
    /// What stands below it in a note, whichever of these there is first.
    above: &'static [&'static str],
}

/// The part that shows CI results.
pub(super) const CI: NotePart = NotePart {
    begin: "<!-- source-git-bot v1: ci begin -->",
    end: "<!-- source-git-bot v1: ci end -->",
    state: "<!-- source-git-bot v1: results ",
    above: &[RETEST_HINT_BEGIN, COMMANDS, STATE],
};

/// The part that says who can start a pipeline that was asked for.
pub(super) const RETEST_HINT: NotePart = NotePart {
    begin: RETEST_HINT_BEGIN,
    end: "<!-- source-git-bot v1: run end -->",
    state: "<!-- source-git-bot v1: asked ",
    above: &[COMMANDS, STATE],
};

const RETEST_HINT_BEGIN: &str = "<!-- source-git-bot v1: run begin -->";

/// What the list of commands begins with.
pub(super) const COMMANDS: &str = "<!-- source-git-bot v1: commands -->";

/// What makes a comment of the bot the one that explains the commands.
pub(super) const HELP: &str = "<!-- source-git-bot v1: help -->";

/// What stands around the JSON of a record, of a note's state, of its CI results and of what a note in dist-git tells; of
/// what a run remembers, and of the status issue's instance.
const RECORD: &str = "<!-- source-git-bot v1: record ";
const STATE: &str = "<!-- source-git-bot v1: note ";
const ANNOUNCEMENT: &str = "<!-- source-git-bot v1: told ";
const CACHE: &str = "<!-- source-git-bot v1: memory ";
const STATUS_ISSUE: &str = "<!-- source-git-bot v1: status ";
const CLOSE: &str = " -->";

/// The longest JSON that is read, in bytes: a title of 255 characters and a path of 1024, all of them escaped, fit.
const LONGEST: usize = 16 * 1024;

/// The longest JSON of a memory that is read, in bytes: GitLab's limit for a note, in characters.
const LONGEST_CACHE: usize = 1_000_000;

/// What the dist-git merge request tells the bot about its origin. Fields that it does not know are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairRecord {
    /// The source-git project.
    pub project: ProjectId,
    /// Its path when the record was written.
    pub path: ProjectPath,
    /// The source-git merge request.
    pub merge_request: MergeRequestIid,
    /// The bot's note there, where it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<NoteId>,
    /// The title that the bot wanted last.
    pub title: String,
    /// The copied description that the bot wanted last.
    pub(super) copied: Fingerprint,
    /// What the bot did because the source-git merge request came to an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<EndReason>,
}

/// What the bot did with a dist-git merge request because the source-git merge request came to an end, for this branch or
/// altogether. Whoever changes the state of the dist-git merge request after that decides over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// It closed it with it.
    Closed,
    /// It closed it because that one is for another branch.
    Retargeted,
    /// It closed it because the bot's branches are in another project now.
    Moved,
    /// It told of the merge.
    Merged,
}

/// What the bot's note tells the bot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteState {
    /// The source-git commit that the note speaks of.
    pub commit: CommitId,
    /// The dist-git merge request, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge_request: Option<MergeRequestIid>,
    /// The tip of the source-git target branch that was looked at, where what the note says follows from that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<CommitId>,
}

/// A description, divided at the bot's block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Divided<'a> {
    /// What stands before the block; everything where there is none.
    pub(super) before: &'a str,
    /// The block, markers included; empty where there is none.
    pub(super) block: &'a str,
    /// What stands after it.
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

/// Returns the state in a note of the bot. A note of anybody without such a line is none of the bot's.
pub fn read_note(body: &str) -> Option<NoteState> {
    hidden(body, STATE)
}

/// Returns the block with what is said to people and the record.
pub(super) fn block(said: &str, record: &PairRecord) -> String {
    format!("{BEGIN}\n{said}\n{}\n{END}", line(RECORD, record))
}

/// Returns the hidden line for the end of a note.
pub(super) fn note_line(state: &NoteState) -> String {
    line(STATE, state)
}

/// Returns the hidden line for the end of a note in dist-git.
pub(super) fn announcement_line<T: Serialize>(announcement: &T) -> String {
    line(ANNOUNCEMENT, announcement)
}

/// Returns what a note in dist-git tells.
pub(super) fn read_announcement<T: DeserializeOwned>(body: &str) -> Option<T> {
    hidden(body, ANNOUNCEMENT)
}

/// Returns a part of a note: what is said to people, and what the bot keeps with it.
pub(super) fn section<T: Serialize>(part: NotePart, said: &str, state: &T) -> String {
    format!("{}\n{said}\n{}\n{}", part.begin, line(part.state, state), part.end)
}

/// Returns what the bot keeps in a part of the note `body`, and what is said to people there.
pub(super) fn read_section<T: DeserializeOwned>(part: NotePart, body: &str) -> Option<(T, &str)> {
    let (_, section, _) = divide_at_section(part, body)?;
    let (said, _) = section.rsplit_once(part.state)?;
    let said = said.strip_prefix(part.begin)?.trim_start_matches(['\r', '\n']);
    let said = said.strip_suffix('\n')?;
    Some((hidden(section, part.state)?, said.strip_suffix('\r').unwrap_or(said)))
}

/// Returns the note `body` with `section` in the place of its own, or where [`crate::pair::note`] puts it.
pub(super) fn replace_section(part: NotePart, body: &str, section: &str) -> String {
    if let Some((before, _, after)) = divide_at_section(part, body) {
        return [before, section, after].concat();
    }
    match part.above.iter().find_map(|below| body.rfind(below)).and_then(|at| body.split_at_checked(at)) {
        Some((before, below)) => format!("{before}{section}\n\n{below}"),
        None => format!("{body}\n\n{section}"),
    }
}

/// Returns the note `body` without this part; nothing where it has none.
pub(super) fn remove_section(part: NotePart, body: &str) -> Option<String> {
    let (before, _, after) = divide_at_section(part, body)?;
    Some([before, after.trim_start_matches(['\r', '\n'])].concat())
}

/// Divides a note at its last such part: what is before it, the part with its markers, what is after it.
fn divide_at_section(part: NotePart, body: &str) -> Option<(&str, &str, &str)> {
    let (whole, after) = body.split_at_checked(body.rfind(part.end)? + part.end.len())?;
    let (before, section) = whole.split_at_checked(whole.rfind(part.begin)?)?;
    Some((before, section, after))
}

/// Returns `description` with this record in the place of its own; nothing where it has none.
pub fn replace_record(description: &str, record: &PairRecord) -> Option<String> {
    let Divided { before, block, after } = divide(description);
    let (head, rest) = block.rsplit_once(RECORD)?;
    let (_, tail) = rest.split_once(CLOSE)?;
    Some([before, head, &line(RECORD, record), tail, after].concat())
}

/// Returns `description` with `block` in the place of its last block, or at its end, below a blank line. Every byte
/// outside the block stays.
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

/// Returns `value` as JSON in an HTML comment, on one line. Nothing in it ends the comment (`-->`, `--!>`) or reads as a
/// tag: those characters are escaped, which JSON allows in its strings, and here they stand nowhere else.
fn line<T: Serialize>(open: &str, value: &T) -> String {
    let json = serde_json::to_string(value).unwrap_or_default();
    let json = json.replace("--", "-\\u002d").replace('<', "\\u003c").replace('>', "\\u003e");
    format!("{open}{json}{CLOSE}")
}

/// Returns the hidden line with what a run leaves for the next.
pub(super) fn cache_line<T: Serialize>(memory: &T) -> String {
    line(CACHE, memory)
}

/// Reads what a run left for the next in a note of the bot.
pub(super) fn read_cache<T: DeserializeOwned>(body: &str) -> Option<T> {
    hidden_up_to(LONGEST_CACHE, body, CACHE)
}

/// Whether a note of the bot was meant to hold what a run left for the next, whether that can be read or not.
pub(super) fn has_cache(body: &str) -> bool {
    body.contains(CACHE)
}

/// Returns the hidden line that makes an issue the bot's status issue of an instance.
pub(super) fn status_issue_line(instance: &str) -> String {
    line(STATUS_ISSUE, &instance)
}

/// Reads of which instance an issue of the bot is the status issue.
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
    fn the_block_is_read_back_whatever_the_title_is() {
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
    fn the_form_of_the_block_is_known_to_older_and_newer_bots() {
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
    fn a_record_is_replaced_and_nothing_else() {
        let description = format!("mine\n\n{}\ntheirs", block("said", &record("first")));
        let ended = PairRecord { ended: Some(EndReason::Closed), ..record("first") };
        let replaced = replace_record(&description, &ended).unwrap();
        assert_eq!(read(&replaced), Some(ended));
        assert_eq!(replace_record(&replaced, &record("first")).unwrap(), description);
        assert_eq!(replace_record("mine", &record("first")), None);
    }

    #[test]
    fn a_huge_record_is_not_read() {
        assert_eq!(read(&block("x", &record(&"x".repeat(20_000)))), None);
    }

    #[test]
    fn a_block_is_put_below_what_people_wrote() {
        assert_eq!(replace_block("", "B"), "B");
        assert_eq!(replace_block("text", "B"), "text\n\nB");
        assert_eq!(replace_block("text\n", "B"), "text\n\nB");
        assert_eq!(replace_block("text\r\n\r\n", "B"), "text\r\n\r\nB");
    }

    proptest! {
        #[test]
        fn text_of_people_stays_byte_for_byte(before in "[a\r\n<!-]{0,20}", after in "[a\r\n>]{0,20}", title: String) {
            let old = format!("{before}{}{after}", block("old", &record(&title)));
            let new = block("new", &record("t"));
            prop_assert_eq!(replace_block(&old, &new), format!("{before}{new}{after}"));
            prop_assert_eq!(read(&old.replace('\n', "\r\n")), read(&old));
        }

        #[test]
        fn no_text_makes_reading_panic(text in "(<!-- source-git-bot v1: (begin|end|record)| -->|\\{\"project\":|[^a]|\n){0,30}") {
            let _ = (read(&text), read_note(&text), replace_block(&text, "B"));
        }
    }
}

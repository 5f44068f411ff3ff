//! The description of a dist-git merge request: the contributor's text, then the bot's block.
//!
//! Everything outside the block belongs to people. The copied text follows the source-git merge request as long as the
//! description begins with it as the bot wrote it. Once a person edits it, it is theirs and stays.

use crate::pair::fingerprint::Fingerprint;
use crate::pair::markers::{self, EndReason, PairRecord};
use crate::pair::{references, sanitize};
use crate::types::{MergeRequestIid, NoteId, ProjectId, ProjectPath};

/// GitLab's limit for a description, in characters.
const LIMIT: usize = 1_048_576;

/// The room that the copied text leaves for the block, in characters.
const BLOCK_ROOM: usize = 16 * 1024;

/// The source-git merge request, as the description of the dist-git one needs it.
#[derive(Clone, Copy, Debug)]
pub struct DescriptionSource<'a> {
    /// The source-git project.
    pub project: ProjectId,
    pub path: &'a ProjectPath,
    pub merge_request: MergeRequestIid,
    /// The address of its page.
    pub url: &'a str,
    /// Its description, as the contributor wrote it.
    pub description: &'a str,
    /// The bot's note on it, if known.
    pub note: Option<NoteId>,
    /// What [`crate::pair::title::title`] makes of its title.
    pub title: &'a str,
    pub ended: Option<EndReason>,
}

/// Returns the description of a new dist-git merge request.
pub fn new(source: &DescriptionSource<'_>) -> String {
    updated("", None, source)
}

/// Returns the description that a dist-git merge request should have. It has `current` now.
///
/// `record` is the record in `current`, if it is about this source-git merge request.
pub fn updated(current: &str, record: Option<&PairRecord>, source: &DescriptionSource<'_>) -> String {
    let divided = markers::divide(current);
    // What people wrote below the copied text; `None` if they edited that text itself.
    let below = match record {
        Some(record) => record.copied.after(divided.before),
        None => divided.before.trim().is_empty().then_some(divided.before),
    };
    let kept = below.unwrap_or(divided.before);
    let kept = if kept.trim().is_empty() { "" } else { kept };
    let others = divided.after.chars().count() + kept.chars().count();
    let room = LIMIT.saturating_sub(BLOCK_ROOM).saturating_sub(others);
    let copied = sanitize::markdown(&references::convert(source.description), room);
    let block = markers::block(&block_text(source), &record_of(source, Fingerprint::of(&copied)));
    match below.filter(|below| !below.trim().is_empty()) {
        Some(below) if !divided.block.is_empty() => [&joined(&copied, below), &block, divided.after].concat(),
        Some(below) => markers::replace_block(&joined(&copied, below), &block),
        None if below.is_some() => [markers::replace_block(&copied, &block).as_str(), divided.after].concat(),
        None => markers::replace_block(current, &block),
    }
}

/// Joins the copied text and what people wrote below it.
fn joined(copied: &str, below: &str) -> String {
    let gap = if copied.is_empty() || below.starts_with(['\n', '\r']) { "" } else { "\n\n" };
    [copied, gap, below].concat()
}

fn record_of(source: &DescriptionSource<'_>, copied: Fingerprint) -> PairRecord {
    PairRecord {
        project: source.project,
        path: source.path.clone(),
        merge_request: source.merge_request,
        note: source.note,
        title: source.title.to_owned(),
        copied,
        ended: source.ended,
    }
}

fn block_text(source: &DescriptionSource<'_>) -> String {
    let DescriptionSource { path, merge_request, url, .. } = source;
    format!(
        "---\n\
         ###### Information for the package maintainer\n\
         \n\
         A bot made this merge request from the source-git merge request [{path}!{merge_request}]({url}), and pushes to \
         it again whenever that one changes. Comments on the change itself reach its author there.\n\
         \n\
         Title and description are copied from there and follow it until you edit them here: what you change, or write \
         outside of this section, stays as you left it. Commits that you push to the branch of this merge request are not \
         overwritten, but the bot then stops updating it."
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path() -> ProjectPath {
        "redhat/centos-stream/src/hello".parse().unwrap()
    }

    fn source<'a>(path: &'a ProjectPath, description: &'a str) -> DescriptionSource<'a> {
        DescriptionSource {
            project: ProjectId(11),
            path,
            merge_request: MergeRequestIid(7),
            url: "https://gitlab.com/redhat/centos-stream/src/hello/-/merge_requests/7",
            description,
            note: None,
            title: "Fix the parser",
            ended: None,
        }
    }

    /// Returns the next description after the contributor wrote `description`.
    fn next(current: &str, description: &str) -> String {
        updated(current, markers::read(current).as_ref(), &source(&path(), description))
    }

    #[test]
    fn a_new_description_is_the_contributors_text_and_the_bots_block() {
        let text = "It crashed on *empty* input, cc @anna.\n\nJIRA: RHEL-123";
        insta::assert_snapshot!(new(&source(&path(), text)), @r#"
        It crashed on *empty* input, cc @ anna.

        Resolves: RHEL-123

        <!-- source-git-bot v1: begin -->
        ---
        ###### Information for the package maintainer

        A bot made this merge request from the source-git merge request [redhat/centos-stream/src/hello!7](https://gitlab.com/redhat/centos-stream/src/hello/-/merge_requests/7), and pushes to it again whenever that one changes. Comments on the change itself reach its author there.

        Title and description are copied from there and follow it until you edit them here: what you change, or write outside of this section, stays as you left it. Commits that you push to the branch of this merge request are not overwritten, but the bot then stops updating it.
        <!-- source-git-bot v1: record {"project":11,"path":"redhat/centos-stream/src/hello","merge_request":7,"title":"Fix the parser","copied":{"bytes":59,"hash":"9332752204546e8b"}} -->
        <!-- source-git-bot v1: end -->
        "#);
    }

    #[test]
    fn an_unedited_text_follows_the_contributor() {
        let first = next("", "one");
        assert_eq!(next(&first, "one"), first);
        assert_eq!(next(&first, "two"), next("", "two"));
        assert_eq!(next(&next(&first, ""), "one"), first);
        assert_eq!(next(&first.replace('\n', "\r\n"), "two").split("<!--").next(), Some("two\n\n"));
    }

    #[test]
    fn keeps_what_people_wrote_where_it_is() {
        let first = next("", "one");
        let below = first.replace("one\n\n", "one\n\nQE: \tplease look\r\n \n\n");
        assert!(next(&below, "two").starts_with("two\n\nQE: \tplease look\r\n \n\n<!--"), "{}", next(&below, "two"));
        let after = format!("{first}\n\nReviewed.\n");
        assert!(next(&after, "two").ends_with("end -->\n\nReviewed.\n"));
        let edited = first.replace("one", "One, rather");
        assert!(next(&edited, "two").starts_with("One, rather\n\n<!--"));
        assert_eq!(next(&next(&edited, "two"), "two"), next(&edited, "two"));
        // Somebody removed the block. Nobody knows what was copied, so everything stays.
        assert!(next("Mine now", "two").starts_with("Mine now\n\n<!--"));
    }

    #[test]
    fn a_long_description_leaves_room_for_the_block() {
        let long = next("", &"é ".repeat(LIMIT));
        assert!(long.chars().count() <= LIMIT);
        assert!(markers::read(&long).is_some());
        // Not `assert_eq!`: it would print both.
        assert!(next(&long, &"é ".repeat(LIMIT)) == long);
    }

    proptest! {
        #[test]
        fn any_update_keeps_the_text_outside(
            above in "[a-z\r\n]{0,12}[a-z]", below in "[a-z\r\n<!-]{0,12}", old in "[a-z@#1 \n`]{0,20}", new in "\\PC{0,20}"
        ) {
            let first = next("", &old);
            let divided = markers::divide(&first);
            let edited = [divided.before, &above, "\n\n", divided.block, &below].concat();
            let result = next(&edited, &new);
            let divided = markers::divide(&result);
            prop_assert!(divided.before.ends_with(&[above.as_str(), "\n\n"].concat()), "{}", result);
            prop_assert_eq!(divided.after, &below);
            prop_assert_eq!(next(&result, &new), result);
        }
    }
}

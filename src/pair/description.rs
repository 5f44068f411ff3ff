//! The description of a dist-git merge request: what the contributor wrote, then the bot's block.
//!
//! Everything outside the block belongs to people. The copied text follows the source-git merge request as long as it
//! stands at the beginning as the bot wrote it; once a person edited it, it is theirs and stays.

use crate::pair::fingerprint::Fingerprint;
use crate::pair::markers::{self, EndReason, PairRecord};
use crate::pair::{references, sanitize};
use crate::types::{MergeRequestIid, NoteId, ProjectId, ProjectPath};

/// GitLab's limit for a description, in characters.
const LIMIT: usize = 1_048_576;

/// How many characters are kept free for the block.
const BLOCK_ROOM: usize = 16 * 1024;

/// Where a dist-git merge request comes from, and what is copied from there.
#[derive(Clone, Copy, Debug)]
pub struct DescriptionSource<'a> {
    /// The source-git project.
    pub project: ProjectId,
    /// Its path.
    pub path: &'a ProjectPath,
    /// The source-git merge request.
    pub merge_request: MergeRequestIid,
    /// Its address.
    pub url: &'a str,
    /// Its description, as the contributor wrote it.
    pub description: &'a str,
    /// The bot's note there, where it is known.
    pub note: Option<NoteId>,
    /// The title that [`crate::pair::title::title`] makes of its title.
    pub title: &'a str,
    /// What the bot did because it came to an end.
    pub ended: Option<EndReason>,
}

/// Returns the description of a new dist-git merge request.
pub fn new(origin: &DescriptionSource<'_>) -> String {
    updated("", None, origin)
}

/// Returns the description that a dist-git merge request should have, which has `current` now.
///
/// `record` is what the bot knows from `current`, where it may be believed.
pub fn updated(current: &str, record: Option<&PairRecord>, origin: &DescriptionSource<'_>) -> String {
    let divided = markers::divide(current);
    let theirs = match record {
        Some(record) => record.copied.after(divided.before),
        None => divided.before.trim().is_empty().then_some(divided.before),
    };
    let kept = theirs.unwrap_or(divided.before);
    let kept = if kept.trim().is_empty() { "" } else { kept };
    let others = divided.after.chars().count() + kept.chars().count();
    let room = LIMIT.saturating_sub(BLOCK_ROOM).saturating_sub(others);
    let copied = sanitize::markdown(&references::convert(origin.description), room);
    let block = markers::block(&said(origin), &of(origin, Fingerprint::of(&copied)));
    match theirs.filter(|theirs| !theirs.trim().is_empty()) {
        Some(theirs) if !divided.block.is_empty() => [&joined(&copied, theirs), &block, divided.after].concat(),
        Some(theirs) => markers::replace_block(&joined(&copied, theirs), &block),
        None if theirs.is_some() => [markers::replace_block(&copied, &block).as_str(), divided.after].concat(),
        None => markers::replace_block(current, &block),
    }
}

/// Puts the copied text before what a person wrote below it.
fn joined(copied: &str, theirs: &str) -> String {
    let gap = if copied.is_empty() || theirs.starts_with(['\n', '\r']) { "" } else { "\n\n" };
    [copied, gap, theirs].concat()
}

fn of(origin: &DescriptionSource<'_>, copied: Fingerprint) -> PairRecord {
    PairRecord {
        project: origin.project,
        path: origin.path.clone(),
        merge_request: origin.merge_request,
        note: origin.note,
        title: origin.title.to_owned(),
        copied,
        ended: origin.ended,
    }
}

fn said(origin: &DescriptionSource<'_>) -> String {
    let DescriptionSource { path, merge_request, url, .. } = origin;
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

    fn origin<'a>(path: &'a ProjectPath, description: &'a str) -> DescriptionSource<'a> {
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
        updated(current, markers::read(current).as_ref(), &origin(&path(), description))
    }

    #[test]
    fn a_description_is_what_the_contributor_wrote_and_the_bots_block() {
        let text = "It crashed on *empty* input, cc @anna.\n\nJIRA: RHEL-123";
        insta::assert_snapshot!(new(&origin(&path(), text)), @r#"
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
    fn what_nobody_edited_follows() {
        let first = next("", "one");
        assert_eq!(next(&first, "one"), first);
        assert_eq!(next(&first, "two"), next("", "two"));
        assert_eq!(next(&next(&first, ""), "one"), first);
        assert_eq!(next(&first.replace('\n', "\r\n"), "two").split("<!--").next(), Some("two\n\n"));
    }

    #[test]
    fn what_people_wrote_stays_where_it_is() {
        let first = next("", "one");
        let below = first.replace("one\n\n", "one\n\nQE: \tplease look\r\n \n\n");
        assert!(next(&below, "two").starts_with("two\n\nQE: \tplease look\r\n \n\n<!--"), "{}", next(&below, "two"));
        let after = format!("{first}\n\nReviewed.\n");
        assert!(next(&after, "two").ends_with("end -->\n\nReviewed.\n"));
        let edited = first.replace("one", "One, rather");
        assert!(next(&edited, "two").starts_with("One, rather\n\n<!--"));
        assert_eq!(next(&next(&edited, "two"), "two"), next(&edited, "two"));
        // The block was removed: nobody can say what was copied, so all of it stays.
        assert!(next("Mine now", "two").starts_with("Mine now\n\n<!--"));
    }

    #[test]
    fn a_long_description_leaves_room_for_the_block() {
        let long = next("", &"é ".repeat(LIMIT));
        assert!(long.chars().count() <= LIMIT);
        assert!(markers::read(&long).is_some());
        // Not `assert_eq!`, which would print both.
        assert!(next(&long, &"é ".repeat(LIMIT)) == long);
    }

    proptest! {
        #[test]
        fn text_outside_survives_any_change(
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

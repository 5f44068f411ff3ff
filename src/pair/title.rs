//! The title of the dist-git merge request. GitLab keeps the draft state in it.

use crate::pair::sanitize;

/// What GitLab puts before the title of a draft.
const DRAFT: &str = "Draft: ";

/// GitLab's limit for a title, in characters.
const LIMIT: usize = 255;

/// Whether a merge request is a draft, which GitLab does not merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draft {
    Yes,
    No,
}

/// Returns the title for a dist-git merge request: the title of the source-git one, made harmless. A draft gets
/// GitLab's prefix exactly once.
pub fn title(source: &str, draft: Draft) -> String {
    let source = sanitize::one_line(source);
    with_prefix(draft, &sanitize::line(divide(&source).1))
}

/// Returns the title that the dist-git merge request should have now.
///
/// `wanted` is what [`title`] returns now, `last` what it returned when the bot last wrote, and `current` the title
/// that is there. If a person changed the words or the draft state since then, that change stays; the rest follows.
/// Without `last` (a person removed the record) nobody knows what changed, so everything stays.
pub fn updated(wanted: &str, last: Option<&str>, current: &str) -> String {
    let Some(last) = last else { return current.to_owned() };
    let (wanted_draft, wanted_words) = divide(wanted);
    let (last_draft, last_words) = divide(last);
    let (draft, words) = divide(current);
    let next_draft = if draft == last_draft { wanted_draft } else { draft };
    let next_words = if words.trim_end() == last_words { wanted_words } else { words };
    if (next_draft, next_words) == (draft, words) { current.to_owned() } else { with_prefix(next_draft, next_words) }
}

/// Returns the words of a title, without the draft prefix.
pub(super) fn words(title: &str) -> &str {
    divide(title).1
}

fn with_prefix(draft: Draft, words: &str) -> String {
    let words = if words.is_empty() { "Update from source-git" } else { words };
    match draft {
        Draft::Yes => sanitize::cut(&format!("{DRAFT}{words}"), LIMIT),
        Draft::No => sanitize::cut(words, LIMIT),
    }
}

/// Divides a title into draft state and words, as GitLab does (`MergeRequest::DRAFT_REGEX`): it takes off any number of
/// `[Draft]`, `Draft:`, `Draft - ` and `(Draft)`, in any case.
fn divide(title: &str) -> (Draft, &str) {
    let mut words = title.trim_start();
    let mut draft = Draft::No;
    while let Some(rest) =
        ["[draft]", "draft:", "draft - ", "(draft)"].iter().find_map(|p| strip_prefix_in_any_case(words, p))
    {
        words = rest.trim_start();
        draft = Draft::Yes;
    }
    (draft, words)
}

fn strip_prefix_in_any_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_has_one_prefix() {
        for source in ["Draft: Fix it", "[Draft] Draft: Fix it", "(draft)DRAFT - Fix it", "dr\u{200b}aft: Fix it"] {
            assert_eq!(title(source, Draft::Yes), "Draft: Fix it", "{source}");
            assert_eq!(title(source, Draft::No), "Fix it", "{source}");
        }
        assert_eq!(title("Drafts are fine", Draft::No), "Drafts are fine");
        assert_eq!(title("Draft:", Draft::Yes), "Draft: Update from source-git");
    }

    #[test]
    fn a_long_title_is_cut() {
        let long = title(&"é".repeat(400), Draft::Yes);
        assert_eq!(long.chars().count(), 255);
        assert!(long.ends_with("é…"));
        assert_eq!(title(&long, Draft::Yes), long);
    }

    #[test]
    fn keeps_what_a_person_changed_and_updates_the_rest() {
        let last = Some("Draft: Fix it");
        assert_eq!(updated("Fix it", last, "Draft: Fix it"), "Fix it");
        assert_eq!(updated("Draft: Fix it well", last, "Draft: Fix it"), "Draft: Fix it well");
        // A person changed the words: the draft state still follows.
        assert_eq!(updated("Fix it well", last, "Draft: hello: fix"), "hello: fix");
        assert_eq!(updated("Draft: Fix it well", last, "[Draft]  hello: fix"), "[Draft]  hello: fix");
        // A person marked it as ready: the words still follow.
        assert_eq!(updated("Draft: Fix it well", last, "Fix it"), "Fix it well");
        // Nobody knows who wrote it.
        assert_eq!(updated("Fix it", None, "Something"), "Something");
    }
}

//! The message of the commit that the bot makes in dist-git.
//!
//! ```text
//! the title
//!
//! the description, with the distribution's references
//!
//! Co-authored-by: …                      the authors of the merge request's commits
//! From-source-git-commit: <full sha>     the source-git commit, for packit's tools and the bot
//! ```

use bstr::{BString, ByteSlice as _};

use crate::pair::{references, sanitize, title};
use crate::types::CommitId;

/// The trailer that names the source-git commit, as packit writes it.
pub const SOURCE_TRAILER: &str = "From-source-git-commit";

/// The longest body, in characters: more than any description for people, and little for git.
const BODY_LIMIT: usize = 64 * 1024;

/// The most authors that a message names.
const AUTHORS: usize = 20;

/// The longest name and the longest address of an author, in characters.
const NAME_LIMIT: usize = 100;
const EMAIL_LIMIT: usize = 254;

/// The author of a source-git commit, as the commit names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceAuthor {
    pub name: BString,
    pub email: BString,
}

/// Returns the message of the dist-git commit.
///
/// `own_title` is what [`title::title`] makes of the source-git merge request's title. `description` is that merge
/// request's description as the contributor wrote it, `authors` the authors of its commits, and `source` its head.
pub fn message(own_title: &str, description: &str, authors: &[SourceAuthor], source: &CommitId) -> String {
    let subject = title::words(own_title);
    let body = sanitize::message(&references::convert(description), BODY_LIMIT);
    let mut message = format!("{subject}\n\n");
    if !body.is_empty() {
        message.push_str(&body);
        message.push_str("\n\n");
    }
    for author in co_authors(authors) {
        message.push_str(&format!("Co-authored-by: {author}\n"));
    }
    message.push_str(&format!("{SOURCE_TRAILER}: {source}\n"));
    message
}

/// Returns the source-git commit that a dist-git commit with this message was made from, from its last such trailer.
pub fn source_of(message: &str) -> Option<CommitId> {
    let value = |line: &str| line.strip_prefix(SOURCE_TRAILER)?.strip_prefix(':')?.trim().parse().ok();
    // Everything before the last paragraph is copied text.
    let last = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    last.lines().rev().find_map(value)
}

/// Returns each author once, in the order of the commits. Authors are the same if their addresses are.
fn co_authors(authors: &[SourceAuthor]) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    let mut out = Vec::new();
    for author in authors {
        let (name, email) = (name(&author.name), email(&author.email));
        let key = email.as_deref().unwrap_or(&name).to_lowercase();
        if out.len() == AUTHORS || key.is_empty() || !seen.insert(key) {
            continue;
        }
        out.push(match email {
            Some(email) if name.is_empty() => format!("{email} <{email}>"),
            Some(email) => format!("{name} <{email}>"),
            None => name,
        });
    }
    out
}

/// Returns a name without the characters that end a name in git, or that GitLab acts on.
fn name(name: &[u8]) -> String {
    let plain: String = name.to_str_lossy().chars().filter(|c| !"<>".contains(*c)).collect();
    sanitize::cut(&sanitize::line(&plain), NAME_LIMIT)
}

/// Returns a mail address, if it is a plain one: no space, no bracket, nothing that mentions somebody on GitLab.
fn email(email: &[u8]) -> Option<String> {
    let text = email.to_str().ok()?;
    let (local, host) = text.split_once('@')?;
    let plain = |part: &str, more: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    let good = plain(local, ".!#$%&'*+/=?^_{|}~-") && plain(host, ".-") && text.len() <= EMAIL_LIMIT;
    (good && sanitize::line(text) == text).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: CommitId = CommitId::from_bytes([0x1a; 20]);

    fn author(name: &str, email: &str) -> SourceAuthor {
        SourceAuthor { name: name.into(), email: email.into() }
    }

    #[test]
    fn says_what_why_who_and_from_where() {
        let authors = [
            author("The Contributor", "contributor@example.com"),
            author("The Packager", "packager@example.com"),
            author("Contributor again", "Contributor@example.com"),
        ];
        let description = "The parser crashed, see #12.\n\nJIRA: https://issues.redhat.com/browse/RHEL-123\n\n---\nSigned-off-by: Contributor";
        insta::assert_snapshot!(message("Draft: Fix the parser", description, &authors, &SOURCE), @r#"
        Fix the parser

        The parser crashed, see # 12.

        Resolves: RHEL-123

         ---
        Signed-off-by: Contributor

        Co-authored-by: The Contributor <contributor@example.com>
        Co-authored-by: The Packager <packager@example.com>
        From-source-git-commit: 1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a
        "#);
    }

    #[test]
    fn an_empty_description_leaves_no_gap() {
        insta::assert_snapshot!(message("Fix it", " \n", &[], &SOURCE), @r#"
        Fix it

        From-source-git-commit: 1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a
        "#);
    }

    #[test]
    fn names_hostile_authors_harmlessly_or_not_at_all() {
        let authors = [
            author("@all\nFrom-source-git-commit: 00", "x@example.com"),
            author("Somebody <else@example.com>", "no address"),
            author("", ""),
            author("\u{202e}", "a@b>\nx: y"),
            author("From-source-git-commit: 00", "root@"),
            author("", "only@example.com"),
        ];
        assert_eq!(
            co_authors(&authors),
            [
                "@ all From-source-git-commit: 00 <x@example.com>",
                "Somebody else@example.com",
                "only@example.com <only@example.com>"
            ]
        );
    }

    #[test]
    fn names_at_most_twenty_authors() {
        let authors: Vec<_> = (0..50).map(|n| author("Ann", &format!("a{n}@example.com"))).collect();
        assert_eq!(message("t", "", &authors, &SOURCE).matches("Co-authored-by: ").count(), 20);
    }
}

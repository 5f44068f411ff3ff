//! What a downstream commit's message says about its patch.
//!
//! There are two notations, and each commit is read by itself: git trailers in the last paragraph, or, where none of
//! the six tokens stands there, the older YAML at the end of the message:
//!
//! ```text
//! Read the configuration from /etc            Read the configuration from /etc
//!
//! Patch-name: etc.patch                       patch_name: etc.patch
//! Patch-status: |                             description: Upstream declined it.
//!     # Upstream declined it.
//! ```
//!
//! A value is read as YAML reads it, for the notation that packit's users know, but never becomes anything but text.
//! Nothing here knows of the spec or of other commits: whether two patches may share a name is for the series to say.

mod comment;
mod file_name;
mod legacy;
mod near_miss;
mod scalar;
#[cfg(test)]
mod tests;
mod trailers;

pub use crate::transform::message::comment::{PatchComments, comment};
pub use crate::transform::message::file_name::{PatchFileName, PatchFileNameError};
use bstr::{BString, ByteSlice as _};

use crate::types::finding::quoted;
use crate::types::{CommitId, Finding, Refusal, Subject};

/// The highest number that a Patch tag can have: rpm reads it into a signed 32-bit integer.
const HIGHEST_NUMBER: u32 = i32::MAX as u32;

/// The longest message, in bytes; the longest ones in real repositories have a hundredth of it.
const LONGEST_MESSAGE: usize = 1024 * 1024;

/// What a commit says about its patch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchMetadata {
    /// `Patch-name`: the patch file's name; without it git's own.
    pub file_name: Option<PatchFileName>,
    /// `Patch-id`: the number of the Patch tag; without it the next free one.
    pub number: Option<u32>,
    /// `Patch-status`, or the older `description`: the text for the comment in the spec, as it was written.
    pub status: Option<BString>,
    /// `Patch-present-in-specfile`: the spec names the patch already and is not edited for it.
    pub present_in_spec: bool,
    /// `Ignore-patch`: the commit gets no patch file.
    pub ignore: bool,
    /// `No-prefix`: the patch names files without `a/` and `b/`.
    pub no_prefix: bool,
    /// `squash_commits` of the older notation: the commits before this one that say nothing join its patch.
    pub squash_legacy: bool,
    /// Where all this was read.
    pub source: MetadataSource,
}

/// The notation that a commit uses for its metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetadataSource {
    /// The commit says nothing about its patch.
    #[default]
    None,
    /// Git trailers.
    Trailers,
    /// YAML at the end of the message.
    Legacy,
}

/// A trailer token that says something about the patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Name,
    Id,
    Status,
    PresentInSpecfile,
    Ignore,
    NoPrefix,
}

impl Token {
    const ALL: [Self; 6] = [Self::Name, Self::Id, Self::Status, Self::PresentInSpecfile, Self::Ignore, Self::NoPrefix];

    /// Returns the token as packit defines it; upper and lower case matter.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "Patch-name",
            Self::Id => "Patch-id",
            Self::Status => "Patch-status",
            Self::PresentInSpecfile => "Patch-present-in-specfile",
            Self::Ignore => "Ignore-patch",
            Self::NoPrefix => "No-prefix",
        }
    }

    fn parse(token: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str().as_bytes() == token)
    }
}

/// Reads what `message` says about the patch of `commit`.
///
/// The message is what `git log --format=%B` prints. The findings are warnings about lines that look like metadata and
/// are not read. A value that cannot be used is refused, with its line; so is a message of more than 1 MiB.
pub fn read(commit: &CommitId, message: &[u8]) -> Result<(PatchMetadata, Vec<Finding>), Refusal> {
    if message.len() > LONGEST_MESSAGE {
        return Err(Refusal::new("the message is longer than 1 MiB", "shorten the message").about_commit(commit));
    }
    let mut findings = Vec::new();
    let block = trailers::find(message);
    let known: Vec<_> =
        block.iter().flat_map(|b| &b.trailers).filter_map(|t| Some((Token::parse(t.token)?, t))).collect();
    let mut legacy_from = None;
    let metadata = if !known.is_empty() {
        from_trailers(&known, &mut findings)
    } else if let Some(found) = legacy::find(message) {
        legacy_from = Some(found.first_line);
        from_legacy(&found)
    } else {
        Ok(PatchMetadata::default())
    }
    .map_err(|refusal| refusal.about_commit(commit))?;
    findings.extend(near_miss::find(message, block.as_ref(), legacy_from));
    let findings = findings.into_iter().map(|finding| finding.about(Subject::Commit(*commit))).collect();
    Ok((metadata, findings))
}

fn from_trailers(
    known: &[(Token, &trailers::Trailer<'_>)],
    findings: &mut Vec<Finding>,
) -> Result<PatchMetadata, Refusal> {
    let mut metadata = PatchMetadata { source: MetadataSource::Trailers, ..PatchMetadata::default() };
    for token in Token::ALL {
        let mut same = known.iter().filter(|(t, _)| *t == token).map(|(_, trailer)| *trailer);
        let Some(trailer) = same.next_back() else { continue };
        let key = Key { name: token.as_str(), line: trailer.line };
        if same.next().is_some() {
            findings.push(
                Finding::warning(format!("`{}:` is there more than once, the last one counts", key.name))
                    .remedy(format!("keep one `{}:` line in the message", key.name)),
            );
        }
        let value = scalar::read(&key, trailer.value)?;
        match token {
            Token::Name => metadata.file_name = Some(file_name(&key, &value)?),
            Token::Id => metadata.number = Some(number(&key, &value)?),
            Token::Status => metadata.status = Some(value).filter(|v| !v.trim().is_empty()),
            Token::PresentInSpecfile => metadata.present_in_spec = boolean(&key, &value)?,
            Token::Ignore => metadata.ignore = boolean(&key, &value)?,
            Token::NoPrefix => metadata.no_prefix = boolean(&key, &value)?,
        }
    }
    Ok(metadata)
}

fn from_legacy(found: &legacy::Legacy) -> Result<PatchMetadata, Refusal> {
    let key = |name| Key { name, line: found.first_line };
    let flag = |name, value: &Option<BString>| match value {
        Some(value) => boolean(&key(name), value),
        None => Ok(false),
    };
    Ok(PatchMetadata {
        file_name: found.patch_name.as_ref().map(|v| file_name(&key("patch_name"), v)).transpose()?,
        number: found.patch_id.as_ref().map(|v| number(&key("patch_id"), v)).transpose()?,
        status: found.description.clone().filter(|v| !v.trim().is_empty()),
        present_in_spec: flag("present_in_specfile", &found.present_in_specfile)?,
        ignore: flag("ignore", &found.ignore)?,
        no_prefix: flag("no_prefix", &found.no_prefix)?,
        squash_legacy: flag("squash_commits", &found.squash_commits)?,
        source: MetadataSource::Legacy,
    })
}

/// A key of the message, for what is said about its value.
struct Key {
    name: &'static str,
    /// Counted from 1.
    line: usize,
}

impl Key {
    fn refuse(&self, value: &[u8], what: &str, remedy: impl Into<String>) -> Refusal {
        let Self { name, line } = self;
        Refusal::new(format!("`{name}` {what} (from line {line} of the message): {}", quoted(value)), remedy)
    }
}

fn file_name(key: &Key, value: &[u8]) -> Result<PatchFileName, Refusal> {
    PatchFileName::parse(value.trim()).map_err(|error| {
        key.refuse(
            value,
            &format!("cannot be used as the name of a patch file, {error}"),
            "use letters, digits and `._+:@-` only, begin with none of `.-` and end in `.patch` or `.diff`",
        )
    })
}

/// Reads a decimal number; a leading zero does not make it octal.
fn number(key: &Key, value: &[u8]) -> Result<u32, Refusal> {
    let digits = value.trim();
    let number = (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
        .then(|| digits.iter().try_fold(0_u32, |n, d| n.checked_mul(10)?.checked_add(u32::from(d.wrapping_sub(b'0')))))
        .flatten()
        .filter(|number| *number <= HIGHEST_NUMBER);
    number.ok_or_else(|| {
        let remedy = format!("write a decimal number from 0 to {HIGHEST_NUMBER}");
        key.refuse(value, "is not the number of a patch", remedy)
    })
}

fn boolean(key: &Key, value: &[u8]) -> Result<bool, Refusal> {
    boolean_text(value).ok_or_else(|| key.refuse(value, "is neither true nor false", "write `true` or `false`"))
}

/// Returns the truth value of one of YAML 1.1's words for it.
fn boolean_text(value: &[u8]) -> Option<bool> {
    let value = value.trim();
    let is = |word: &&str| value.eq_ignore_ascii_case(word.as_bytes());
    if ["true", "yes", "on"].iter().any(is) {
        Some(true)
    } else if ["false", "no", "off"].iter().any(is) {
        Some(false)
    } else {
        None
    }
}

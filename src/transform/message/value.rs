//! Checks the values of metadata: file names, numbers and truth values.

use bstr::ByteSlice as _;

use crate::transform::message::file_name::PatchFileName;
use crate::types::Refusal;
use crate::types::finding::quoted;

/// The highest number of a Patch tag: rpm reads it into a signed 32-bit integer.
const HIGHEST_NUMBER: u32 = i32::MAX as u32;

/// A key in the message, for refusals of its value.
pub(super) struct MetadataKey {
    pub(super) name: &'static str,
    /// The line of the message, counted from 1.
    pub(super) line: usize,
}

impl MetadataKey {
    pub(super) fn refuse(&self, value: &[u8], what: &str, remedy: impl Into<String>) -> Refusal {
        let Self { name, line } = self;
        Refusal::new(format!("`{name}` {what} (from line {line} of the message): {}", quoted(value)), remedy)
    }
}

pub(super) fn file_name(key: &MetadataKey, value: &[u8]) -> Result<PatchFileName, Refusal> {
    PatchFileName::parse(value.trim()).map_err(|error| {
        key.refuse(
            value,
            &format!("cannot be used as the name of a patch file, {error}"),
            "use letters, digits and `._+:@-` only, begin with none of `.-` and end in `.patch` or `.diff`",
        )
    })
}

/// Reads a decimal number. A leading zero does not make it octal.
pub(super) fn number(key: &MetadataKey, value: &[u8]) -> Result<u32, Refusal> {
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

pub(super) fn boolean(key: &MetadataKey, value: &[u8]) -> Result<bool, Refusal> {
    boolean_text(value).ok_or_else(|| key.refuse(value, "is neither true nor false", "write `true` or `false`"))
}

/// Returns the truth value that `value` names in YAML 1.1.
pub(super) fn boolean_text(value: &[u8]) -> Option<bool> {
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

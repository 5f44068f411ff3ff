//! Output for people: colours if wanted, errors with causes and hints, and no secrets.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::io::Write as _;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bstr::ByteSlice as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::types::error::Error;
use crate::types::text::{is_unseen, printable_whole};

/// Whether to use colours (`--color`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless the variable `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Returns the paint for `stream`. `no_color`: whether the variable `NO_COLOR` is set and not empty (no-color.org).
    pub fn paint(self, stream: &impl io::IsTerminal, no_color: bool) -> Paint {
        match self {
            Self::Auto if no_color || !stream.is_terminal() => Paint::Plain,
            Self::Auto | Self::Always => Paint::Colored,
            Self::Never => Paint::Plain,
        }
    }
}

/// Whether text is coloured. Nothing is conveyed by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    Plain,
    /// With ANSI escape sequences.
    Colored,
}

impl Paint {
    fn with(self, code: &str, text: impl Display) -> String {
        match self {
            Self::Plain => text.to_string(),
            Self::Colored => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }

    /// For errors, and for what is removed.
    pub fn red(self, text: impl Display) -> String {
        self.with("31", text)
    }

    /// For success, and for what is added.
    pub fn green(self, text: impl Display) -> String {
        self.with("32", text)
    }

    /// For warnings, and for what is changed.
    pub fn yellow(self, text: impl Display) -> String {
        self.with("33", text)
    }

    /// For line numbers in a diff, for notes and for hints.
    pub fn cyan(self, text: impl Display) -> String {
        self.with("36", text)
    }

    pub fn bold(self, text: impl Display) -> String {
        self.with("1", text)
    }

    /// For less important text.
    pub fn dim(self, text: impl Display) -> String {
        self.with("2", text)
    }
}

/// Returns the lines for an error: what failed, the causes, and what to do about it.
pub fn error_lines(error: &Error, paint: Paint) -> String {
    let mut lines = String::new();
    for (number, cause) in error.chain().iter().enumerate() {
        let label = if number == 0 { paint.red(paint.bold("error")) } else { paint.dim("caused by") };
        lines.push_str(&format!("{label}: {}\n", printable_whole(cause.as_bytes())));
    }
    if let Some(hint) = error.hint() {
        lines.push_str(&format!("{}: {hint}\n", paint.cyan("hint")));
    }
    lines
}

/// Escapes all characters in JSON that a terminal would interpret. They occur only inside strings.
pub fn escaped(json: &str) -> String {
    let mut out = String::new();
    for character in json.chars() {
        if character != '\n' && is_unseen(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(character);
        }
    }
    out
}

/// Writes to standard output, with secrets masked. It is no error if the reader has closed the pipe.
pub fn print(text: &str) -> io::Result<()> {
    print_bytes(&masked(text.as_bytes()))
}

/// Writes a token that the user asked for to standard output, unmasked.
pub fn print_token(text: &str) -> io::Result<()> {
    print_bytes(text.as_bytes())
}

fn print_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes to standard error, with secrets masked. Failures are ignored, as there is no other way to report them.
pub fn print_to_stderr(text: &str) {
    drop(MaskedStderr.write_all(text.as_bytes()));
}

/// The variables whose values are never printed.
const SECRET_VARIABLES: [&str; 5] =
    ["SGB_TOKEN", "SGB_OPERATOR_TOKEN", "SGB_TRIGGER_TOKEN", "SGB_WEBHOOK_SECRET", "SGB_WEBHOOK_TOKEN"];

/// The length in bytes of the shortest value that GitLab masks in a job's log. Shorter values occur in ordinary words.
const MASKED_LENGTH: usize = 8;

/// What the process never prints, not even if a server or a proxy sends it back.
static MASKED: OnceLock<Vec<SecretString>> = OnceLock::new();

/// Masks the values of the secret variables in everything that is written from now on. Only the first call has an
/// effect.
pub fn mask_secrets(variables: &BTreeMap<String, String>) {
    let values = SECRET_VARIABLES.iter().filter_map(|name| variables.get(*name));
    let values = values.filter(|value| value.len() >= MASKED_LENGTH);
    MASKED.get_or_init(|| values.flat_map(|value| encodings(value)).map(SecretString::from).collect());
}

fn masked(text: &[u8]) -> Cow<'_, [u8]> {
    let mut shown = Cow::Borrowed(text);
    for secret in MASKED.get().into_iter().flatten() {
        let secret = secret.expose_secret().as_bytes();
        if shown.contains_str(secret) {
            shown = Cow::Owned(shown.replace(secret, b"[MASKED]"));
        }
    }
    shown
}

/// Returns the encodings in which a secret may come back: as it is, in a URL, and inside base64.
fn encodings(secret: &str) -> Vec<String> {
    let mut encodings = vec![secret.to_owned()];
    encodings.extend(
        url::form_urlencoded::byte_serialize(secret.as_bytes()).map(str::to_owned).reduce(|all, part| all + &part),
    );
    // The length of the text before the secret decides at which bit of a base64 character the secret starts. The
    // characters at both ends are left out, because they also contain bits of the text around it.
    for (before, first) in [(0_usize, 0_usize), (1, 2), (2, 3)] {
        let text: Vec<u8> = std::iter::repeat_n(0, before).chain(secret.bytes()).collect();
        let encoded = STANDARD_NO_PAD.encode(&text);
        let whole = text.len().saturating_mul(8) / 6;
        let Some(inner) = encoded.get(first..whole) else { continue };
        encodings.push(inner.to_owned());
        encodings.push(inner.replace('+', "-").replace('/', "_"));
    }
    encodings
}

/// Standard error with secrets masked. A secret that is split between two writes is not found.
#[derive(Debug)]
pub struct MaskedStderr;

impl io::Write for MaskedStderr {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        io::stderr().lock().write_all(&masked(text))?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

pub fn stdout_paint(color: Color, no_color: bool) -> Paint {
    color.paint(&io::stdout(), no_color)
}

pub fn stderr_paint(color: Color, no_color: bool) -> Paint {
    color.paint(&io::stderr(), no_color)
}

#[cfg(test)]
mod tests {
    use crate::types::error::Context as _;

    use super::*;
    use crate::types::Refusal;

    #[test]
    fn a_secret_is_known_in_base64_and_in_addresses() {
        let encodings = encodings("s3cr3t/+token");
        let has = |text: &str| encodings.iter().any(|encoding| text.contains(encoding));
        assert!(has("x?y=s3cr3t%2F%2Btoken"));
        // `printf '…s3cr3t/+token…' | base64`, with text of different lengths before the secret.
        for told in [
            "czNjcjN0Lyt0b2tlbg==",
            "OnMzY3IzdC8rdG9rZW4K",
            "b2F1dGgyOnMzY3IzdC8rdG9rZW4=",
            "eHh4czNjcjN0Lyt0b2tlbnh4",
            "eHhzM2NyM3QvK3Rva2Vu",
        ] {
            assert!(has(told), "{told}");
        }
        assert!(!has("czNjcjN0") && !has("token"));
    }

    #[test]
    fn an_error_says_what_why_and_what_to_do() {
        let refused: Result<(), Refusal> = Err(Refusal::new("it is empty", "write something"));
        let refused = refused.context("reading x.spec");
        let error = refused.unwrap_err();
        assert_eq!(
            error_lines(&error, Paint::Plain),
            "error: reading x.spec\ncaused by: it is empty\nhint: write something\n"
        );
        assert!(error_lines(&error, Paint::Colored).contains("\x1b[2mcaused by\x1b[0m: it is empty"));
    }
}

//! What people see: colours where they are wanted, errors with their causes and hints, and no secrets.

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
    /// Decides for a stream; `no_color` says whether the variable `NO_COLOR` is set and not empty (no-color.org).
    pub fn on(self, stream: &impl io::IsTerminal, no_color: bool) -> Paint {
        match self {
            Self::Auto if no_color || !stream.is_terminal() => Paint::Plain,
            Self::Auto | Self::Always => Paint::Colored,
            Self::Never => Paint::Plain,
        }
    }
}

/// How text is shown. No meaning is carried by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// As it is.
    Plain,
    /// With ANSI colours.
    Colored,
}

impl Paint {
    fn with(self, code: &str, text: impl Display) -> String {
        match self {
            Self::Plain => text.to_string(),
            Self::Colored => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }

    /// For what is wrong, or removed.
    pub fn red(self, text: impl Display) -> String {
        self.with("31", text)
    }

    /// For what is right, or added.
    pub fn green(self, text: impl Display) -> String {
        self.with("32", text)
    }

    /// For what to look at, or changed.
    pub fn yellow(self, text: impl Display) -> String {
        self.with("33", text)
    }

    /// For places in a diff.
    pub fn cyan(self, text: impl Display) -> String {
        self.with("36", text)
    }

    /// For headings.
    pub fn bold(self, text: impl Display) -> String {
        self.with("1", text)
    }

    /// For what matters less.
    pub fn dim(self, text: impl Display) -> String {
        self.with("2", text)
    }
}

/// Returns the lines that tell of an error: what, because of what, and what to do about it.
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

/// Returns JSON with escapes for all characters that a terminal would act on: they are inside texts.
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

/// Writes to standard output, with secrets masked. A reader that went away is no error: nobody is left to tell.
pub fn print(text: &str) -> io::Result<()> {
    print_bytes(&masked(text.as_bytes()))
}

/// Writes a token that was asked for to standard output, as it is.
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

/// Writes to standard error, with secrets masked. Nothing can be done about a failure.
pub fn complain(text: &str) {
    drop(Complaints.write_all(text.as_bytes()));
}

/// The variables whose values are told to nobody.
const SECRETS: [&str; 5] =
    ["SGB_TOKEN", "SGB_OPERATOR_TOKEN", "SGB_TRIGGER_TOKEN", "SGB_WEBHOOK_SECRET", "SGB_WEBHOOK_TOKEN"];

/// The shortest value that GitLab masks in a job's log, in bytes. Shorter ones are in ordinary words.
const MASKED_LENGTH: usize = 8;

/// What the process never shows, not even where a server or a proxy has sent it back.
static MASK: OnceLock<Vec<SecretString>> = OnceLock::new();

/// Masks the secrets among the variables of the process in all that is written from now on.
pub fn mask_secrets(variables: &BTreeMap<String, String>) {
    let values = SECRETS.iter().filter_map(|name| variables.get(*name));
    let values = values.filter(|value| value.len() >= MASKED_LENGTH);
    MASK.get_or_init(|| values.flat_map(|value| forms(value)).map(SecretString::from).collect());
}

/// Returns `text` with the secrets masked.
fn masked(text: &[u8]) -> Cow<'_, [u8]> {
    let mut shown = Cow::Borrowed(text);
    for secret in MASK.get().into_iter().flatten() {
        let secret = secret.expose_secret().as_bytes();
        if shown.contains_str(secret) {
            shown = Cow::Owned(shown.replace(secret, b"[MASKED]"));
        }
    }
    shown
}

/// Returns the forms in which a secret may come back: itself, in an address, and within what is in base64.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned()];
    forms.extend(
        url::form_urlencoded::byte_serialize(secret.as_bytes()).map(str::to_owned).reduce(|all, part| all + &part),
    );
    // What is before it decides where its bits begin; the characters at both ends hold bits of what is around it as well.
    for (before, first) in [(0_usize, 0_usize), (1, 2), (2, 3)] {
        let text: Vec<u8> = std::iter::repeat_n(0, before).chain(secret.bytes()).collect();
        let encoded = STANDARD_NO_PAD.encode(&text);
        let whole = text.len().saturating_mul(8) / 6;
        let Some(form) = encoded.get(first..whole) else { continue };
        forms.push(form.to_owned());
        forms.push(form.replace('+', "-").replace('/', "_"));
    }
    forms
}

/// Standard error with secrets masked. What is written at once is masked as a whole.
#[derive(Debug)]
pub struct Complaints;

impl io::Write for Complaints {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        io::stderr().lock().write_all(&masked(text))?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// The paint for standard output.
pub fn stdout_paint(color: Color, no_color: bool) -> Paint {
    color.on(&io::stdout(), no_color)
}

/// The paint for standard error.
pub fn stderr_paint(color: Color, no_color: bool) -> Paint {
    color.on(&io::stderr(), no_color)
}

#[cfg(test)]
mod tests {
    use crate::types::error::Context as _;

    use super::*;
    use crate::types::Refusal;

    #[test]
    fn a_secret_is_known_in_base64_and_in_addresses() {
        let forms = forms("s3cr3t/+token");
        let has = |text: &str| forms.iter().any(|form| text.contains(form));
        assert!(has("x?y=s3cr3t%2F%2Btoken"));
        // `printf '…s3cr3t/+token…' | base64`, for what is before of each length.
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

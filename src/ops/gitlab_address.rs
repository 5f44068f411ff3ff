//! Addresses of things on GitLab, as people copy them from their browser.

use url::Url;

/// What a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// A thing of the GitLab that was asked for, by its path there, without `/` in front, query and fragment.
    Path(String),
    /// Something on another server.
    Elsewhere,
    /// It is no address.
    NoAddress,
}

/// Reads `text` as an address on the GitLab at `gitlab`, which may be installed below a path.
pub(crate) fn read(text: &str, gitlab: &Url) -> Named {
    match Url::parse(text) {
        Ok(url) if url.has_host() => {
            if url.origin() != gitlab.origin() {
                return Named::Elsewhere;
            }
            let base = gitlab.path().trim_end_matches('/');
            Named::Path(url.path().strip_prefix(base).unwrap_or_default().trim_start_matches('/').to_owned())
        }
        _ => Named::NoAddress,
    }
}

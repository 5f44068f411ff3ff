//! How to reach a GitLab: what the caller states, and the HTTP client made of it.
//!
//! Certificate authorities come from a file or from the system, never from the environment: whoever can set variables
//! of a CI job must not be able to add an authority (`SSL_CERT_FILE`). git gets no such variable either, so both trust
//! the same authorities.

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::blocking::Client;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Proxy, Url, redirect, retry};
use secrecy::{ExposeSecret as _, SecretString};

use crate::forge::retry::RetryPolicy;
use crate::types::error::ForgeError;
use crate::types::text::printable;

/// How long establishing a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const TOKEN: HeaderName = HeaderName::from_static("private-token");

/// Where systems keep all authorities in one file: Debian, Alpine and Arch; Fedora and its kin, new and old; openSUSE;
/// macOS.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// How to reach a GitLab.
#[derive(Debug)]
pub struct Connection {
    /// `https://gitlab.com`, or with a path where GitLab is installed below one.
    pub base_url: Url,
    pub token: SecretString,
    pub kind: TokenKind,
    /// A file of certificates (PEM). Only these authorities are trusted then, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The proxy to use. A proxy that the environment names is never used.
    pub proxy: Option<Url>,
    /// How long one attempt of a request may take, including the connecting.
    pub timeout: Duration,
    pub writes: Writes,
    pub retry: RetryPolicy,
}

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// An access token (personal, project or group) of the user to act as. Every request carries it.
    Access,
    /// A trigger token. Only [`Forge::trigger`](crate::forge::Forge::trigger) sends it.
    Trigger,
}

/// Whether requests that change something are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    Allowed,
    /// They fail with [`ForgeError::ReadOnly`]: for `--dry-run`.
    Refused,
}

impl Connection {
    /// Makes the HTTP client. It sends nothing yet.
    pub(super) fn http_client(&self) -> Result<Client, ForgeError> {
        let wrong = |what: String| ForgeError::Misconfigured(what);
        let header = token_header(&self.token)?;
        let headers = match self.kind {
            TokenKind::Access => HeaderMap::from_iter([(TOKEN, header)]),
            TokenKind::Trigger => HeaderMap::new(),
        };
        // A CA file replaces the system's authorities, as it does for git (http.sslCAInfo).
        let certificates = match &self.ca_file {
            Some(path) => certificates_in(path)?,
            None => system_certificates(),
        };
        let mut client = Client::builder()
            .user_agent(concat!("source-git-bot/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(self.timeout)
            .tls_certs_only(certificates);
        if let Some(proxy) = &self.proxy {
            let proxy = Proxy::all(proxy.clone()).map_err(|e| wrong(format!("proxy: {}", innermost_cause(e))))?;
            client = client.proxy(proxy);
        }
        client.build().map_err(|e| wrong(format!("TLS: {}", innermost_cause(e))))
    }

    /// Returns `<base_url>/api/v4/`. Warns where the token would cross the network unencrypted.
    pub(super) fn api_url(&self) -> Result<Url, ForgeError> {
        let api = api_url(&self.base_url)?;
        if api.scheme() == "http" && !is_loopback(&api) {
            tracing::warn!("the token goes to {api} unencrypted, for its address begins with `http`");
        }
        Ok(api)
    }
}

fn api_url(base: &Url) -> Result<Url, ForgeError> {
    let wrong = |why: &str| ForgeError::Misconfigured(format!("GitLab's address {why}"));
    if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
        return Err(wrong("must begin with `https://` (or `http://`) and a host"));
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(wrong("must hold neither user name nor password"));
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(wrong("must end with its path"));
    }
    let mut url = base.clone();
    url.set_path(&format!("{}/api/v4/", base.path().trim_end_matches('/')));
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn token_header(token: &SecretString) -> Result<HeaderValue, ForgeError> {
    let text = token.expose_secret();
    let wrong = |why: &str| ForgeError::Misconfigured(format!("the token {why}"));
    if text.is_empty() {
        return Err(wrong("is empty"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong("holds a space, a line end or another character that no token has"));
    }
    let mut value = HeaderValue::from_str(text).map_err(|_| wrong("cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Returns the certificates in the instance's own CA file.
fn certificates_in(path: &Path) -> Result<Vec<Certificate>, ForgeError> {
    let wrong = |what: String| ForgeError::Misconfigured(format!("CA file `{}`{what}", path.display()));
    let pem = std::fs::read(path).map_err(|e| wrong(format!(": {e}")))?;
    let certificates = Certificate::from_pem_bundle(&pem).ok().filter(|certificates| !certificates.is_empty());
    certificates.ok_or_else(|| wrong(" holds no certificate in PEM form".to_owned()))
}

/// Returns the certificates of the system's authorities. Empty where no file of [`BUNDLES`] holds any.
fn system_certificates() -> Vec<Certificate> {
    let bundles = BUNDLES.iter().filter_map(|path| std::fs::read(path).ok());
    let mut certificates = bundles.filter_map(|pem| Certificate::from_pem_bundle(&pem).ok());
    certificates.find(|certificates| !certificates.is_empty()).unwrap_or_default()
}

/// Returns the innermost cause of an error: the outer ones say only that a request failed. Never shows the URL.
pub(super) fn innermost_cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    printable(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(base: &str) -> Result<String, ForgeError> {
        api_url(&base.parse().unwrap()).map(String::from)
    }

    #[test]
    fn the_api_is_below_the_base_url() {
        assert_eq!(api("https://gitlab.com").unwrap(), "https://gitlab.com/api/v4/");
        assert_eq!(api("https://example.com/gitlab/").unwrap(), "https://example.com/gitlab/api/v4/");
        assert_eq!(api("http://127.0.0.1:8080/a/b").unwrap(), "http://127.0.0.1:8080/a/b/api/v4/");
    }

    #[test]
    fn an_unusable_address_is_refused() {
        for bad in ["ftp://x", "file:///x", "https://u:secret@x", "https://u@x", "https://x/?a=b", "https://x/#a"] {
            let error = api(bad).unwrap_err();
            assert!(matches!(&error, ForgeError::Misconfigured(_)), "{bad}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_token_that_does_not_fit_a_header_is_refused_without_showing_it() {
        for bad in ["", "glpat-x\n", "glpat x", "glpat-é"] {
            let error = token_header(&SecretString::from(bad)).unwrap_err().to_string();
            assert!(!error.contains("glpat"), "{error}");
        }
        assert!(token_header(&SecretString::from("glpat-x_y.z")).unwrap().is_sensitive());
    }
}

//! A GitLab as one user sees it: sends requests, and reads answers and lists.

use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use gitlab::api::Endpoint;
use reqwest::Url;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::forge::connection::Connection;
use crate::forge::request::RawRequest;
use crate::forge::transport::{Answer, NextPage, RateLimit, Transport};
use crate::types::ProjectPath;
use crate::types::error::ForgeError;
use crate::types::text::printable;

/// GitLab's maximum of items per page.
const PER_PAGE: u64 = 100;

/// The most pages of one list. A longer list counts as a server error.
pub(super) const PAGES_LIMIT: u64 = 1000;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GitlabVersion {
    /// As GitLab writes it: `18.5.0-ee`, `19.0.0-pre`.
    #[serde(rename = "version", default, deserialize_with = "or_default")]
    pub text: String,
    /// Whether it is the Enterprise Edition, with or without a license; `None` where GitLab does not say.
    #[serde(rename = "enterprise", default)]
    pub is_enterprise: Option<bool>,
}

impl GitlabVersion {
    /// Returns the release: 18 and 5 of `18.5.0-ee`; `None` where the text does not begin with two such numbers.
    pub fn release(&self) -> Option<(u32, u32)> {
        let (major, rest) = self.text.split_once('.')?;
        let minor = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    }
}

/// A GitLab, seen as one user.
#[derive(Debug)]
pub struct Forge {
    pub(super) transport: Transport,
    base_url: Url,
}

impl Forge {
    /// Prepares for talking to a GitLab. Sends nothing yet.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Misconfigured`] where the address, the CA file, the proxy or the token cannot be used.
    pub fn new(connection: Connection) -> Result<Self, ForgeError> {
        let mut base_url = connection.base_url.clone();
        base_url.set_path(&format!("{}/", connection.base_url.path().trim_end_matches('/')));
        Ok(Self { transport: Transport::new(connection)?, base_url })
    }

    /// Returns how many requests were sent so far, including retries.
    pub fn requests(&self) -> u64 {
        self.transport.requests()
    }

    /// Returns GitLab's time as of its last answer, to the second; `None` before any answer stated it.
    ///
    /// Compare dates of GitLab's with this time, not with this machine's clock.
    pub fn server_time(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.transport.server_time()?, 0)
    }

    /// Returns how many requests are left, as of the last answer that stated it; `None` before that, and on a GitLab
    /// without limits.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.transport.rate_limit()
    }

    /// Returns GitLab's version (API documentation, "Metadata API"; GitLab 15.2 and later).
    pub fn version(&self) -> Result<GitlabVersion, ForgeError> {
        self.query(&RawRequest::get("metadata".to_owned()))
    }

    /// Returns the address that git fetches a project from and pushes it to.
    ///
    /// It is made from the instance's address, not taken from an answer: so the token goes to no other server.
    pub fn git_url(&self, project: &ProjectPath) -> Url {
        let mut url = self.base_url.clone();
        url.set_path(&format!("{}{project}.git", self.base_url.path()));
        url
    }

    /// Sends one request and reads its answer.
    pub(super) fn query<T: DeserializeOwned>(&self, endpoint: &impl Endpoint) -> Result<T, ForgeError> {
        decode(self.transport.send(endpoint, &[])?)
    }

    /// Sends one request whose answer has no content.
    pub(super) fn execute(&self, endpoint: &impl Endpoint) -> Result<(), ForgeError> {
        self.transport.send(endpoint, &[]).map(drop)
    }

    /// Reads a list lazily: the iterator requests a page when it gets there.
    pub(super) fn list<'a, T, E>(
        &'a self,
        endpoint: Result<E, ForgeError>,
    ) -> impl Iterator<Item = Result<T, ForgeError>> + use<'a, T, E>
    where
        T: DeserializeOwned + 'a,
        E: Endpoint + 'a,
    {
        self.list_by(PER_PAGE, endpoint)
    }

    /// As [`Forge::list`], with pages of another length: some lists allow only shorter ones.
    pub(super) fn list_by<'a, T, E>(
        &'a self,
        per_page: u64,
        endpoint: Result<E, ForgeError>,
    ) -> impl Iterator<Item = Result<T, ForgeError>> + use<'a, T, E>
    where
        T: DeserializeOwned + 'a,
        E: Endpoint + 'a,
    {
        let (endpoint, failed) = match endpoint {
            Ok(endpoint) => (Some(endpoint), None),
            Err(error) => (None, Some(Err(error))),
        };
        let pages = endpoint.into_iter().flat_map(move |endpoint| Pages { per_page, ..self.pages(endpoint) });
        failed.into_iter().chain(pages.flat_map(items))
    }

    /// Reads the pages of a list lazily.
    pub(super) fn pages<T, E>(&self, endpoint: E) -> Pages<'_, T, E> {
        Pages { transport: &self.transport, endpoint, page: Some(1), per_page: PER_PAGE, items: PhantomData }
    }
}

fn items<T>(page: Result<Vec<T>, ForgeError>) -> impl Iterator<Item = Result<T, ForgeError>> {
    let (items, failed) = match page {
        Ok(items) => (items, None),
        Err(error) => (Vec::new(), Some(Err(error))),
    };
    items.into_iter().map(Ok).chain(failed)
}

/// The pages of a list.
pub(super) struct Pages<'a, T, E> {
    transport: &'a Transport,
    endpoint: E,
    /// The number of the page to read next.
    page: Option<u64>,
    per_page: u64,
    items: PhantomData<T>,
}

impl<T: DeserializeOwned, E: Endpoint> Pages<'_, T, E> {
    fn read(&mut self, mut page: u64) -> Result<Vec<T>, ForgeError> {
        let answer = loop {
            match self.transport.send(&self.endpoint, &[("page", page), ("per_page", self.per_page)]) {
                // Items hold texts of any length that people wrote. Ask for fewer at a time, from the same item on.
                Err(ForgeError::TooLong(_)) if self.per_page > 1 => {
                    let parts = if self.per_page.is_multiple_of(2) { 2 } else { self.per_page };
                    self.per_page /= parts;
                    page = page.saturating_sub(1).saturating_mul(parts).saturating_add(1);
                }
                answer => break answer?,
            }
        };
        if page >= PAGES_LIMIT {
            return Err(answer.unreadable("the list has no end"));
        }
        let next = answer.next_page;
        let items: Vec<T> = decode(answer)?;
        // A page may be shorter than requested without being the last (notes): only GitLab's header tells. The length
        // decides only where something between GitLab and here dropped that header.
        let is_full = u64::try_from(items.len()).is_ok_and(|length| length >= self.per_page);
        self.page = match next {
            NextPage::Number(next) => Some(next).filter(|next| *next > page),
            NextPage::Unknown if is_full => Some(page.saturating_add(1)),
            NextPage::Unknown | NextPage::None => None,
        };
        Ok(items)
    }
}

impl<T: DeserializeOwned, E: Endpoint> Iterator for Pages<'_, T, E> {
    type Item = Result<Vec<T>, ForgeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let page = self.page.take()?;
        Some(self.read(page))
    }
}

/// Reads the body of an answer.
pub(super) fn decode<T: DeserializeOwned>(answer: Answer) -> Result<T, ForgeError> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        // serde's text may quote a value of the body, of any length.
        let why = printable(error.to_string().as_bytes());
        answer.unreadable(&format!("the answer cannot be understood: {why}"))
    })
}

/// Converts the result of a builder of the crate `gitlab`. Builders fail only where the caller forgot a field.
pub(super) fn endpoint<E>(built: Result<E, impl Display>) -> Result<E, ForgeError> {
    built.map_err(|error| ForgeError::Misconfigured(format!("the request cannot be made: {error}")))
}

/// Deserializes `null` as the type's default.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Deserializes `null`, and a text that does not parse, as `None`.
pub(super) fn if_known<'de, D: Deserializer<'de>, T: FromStr>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|text| text.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_the_first_two_numbers() {
        let of = |text: &str| GitlabVersion { text: text.to_owned(), is_enterprise: None }.release();
        assert_eq!(of("18.5.0-ee"), Some((18, 5)));
        assert_eq!(of("19.0.0-pre"), Some((19, 0)));
        assert_eq!(of("18.10"), Some((18, 10)));
        assert_eq!(of("18.4-rc1"), Some((18, 4)));
        for nonsense in ["", "18", "x.4", "18.", "v18.4"] {
            assert_eq!(of(nonsense), None, "{nonsense}");
        }
    }
}

//! A generic request, for endpoints that the crate `gitlab` lacks or describes without all the fields that we need.

use std::borrow::Cow;

use gitlab::api::endpoint_prelude::{BodyError, Endpoint, Method, QueryParams};
use serde_json::Value;

/// A request with a query or a JSON body. It has no `Debug` on purpose: a body may hold secrets.
pub(super) struct RawRequest<'a> {
    method: Method,
    path: String,
    query: Vec<(&'static str, Cow<'a, str>)>,
    body: Option<Value>,
}

impl<'a> RawRequest<'a> {
    /// Makes a request that reads. `path` is below `/api/v4/`; the caller has escaped the names in it.
    pub(super) fn get(path: String) -> Self {
        Self { method: Method::GET, path, query: Vec::new(), body: None }
    }

    /// Makes a request that creates something.
    pub(super) fn post(path: String, body: Value) -> Self {
        Self { method: Method::POST, path, query: Vec::new(), body: Some(body) }
    }

    /// Makes a request that changes something. Sending it twice has the same effect as sending it once.
    pub(super) fn put(path: String, body: Value) -> Self {
        Self { method: Method::PUT, path, query: Vec::new(), body: Some(body) }
    }

    /// Adds a query parameter.
    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Cow<'a, str>>) -> Self {
        self.query.push((name, value.into()));
        self
    }
}

impl Endpoint for RawRequest<'_> {
    fn method(&self) -> Method {
        self.method.clone()
    }

    fn endpoint(&self) -> Cow<'static, str> {
        self.path.clone().into()
    }

    fn parameters(&self) -> QueryParams<'_> {
        let mut parameters = QueryParams::default();
        for (name, value) in &self.query {
            parameters.push(*name, value.as_ref());
        }
        parameters
    }

    fn body(&self) -> Result<Option<(&'static str, Vec<u8>)>, BodyError> {
        Ok(self.body.as_ref().map(|body| ("application/json", body.to_string().into_bytes())))
    }
}

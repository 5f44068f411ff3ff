//! A request that the crate `gitlab` has no endpoint for, or none with all the fields that are needed: what it consists
//! of, without knowledge of what it is for.

use std::borrow::Cow;

use gitlab::api::endpoint_prelude::{BodyError, Endpoint, Method, QueryParams};
use serde_json::Value;

/// A request with a query or with a body in JSON. There is no `Debug` on purpose: a body may hold secrets.
pub(super) struct RawRequest<'a> {
    method: Method,
    path: String,
    query: Vec<(&'static str, Cow<'a, str>)>,
    body: Option<Value>,
}

impl<'a> RawRequest<'a> {
    /// Returns a request that reads. Names in `path`, which is below `/api/v4/`, are escaped already.
    pub(super) fn get(path: String) -> Self {
        Self { method: Method::GET, path, query: Vec::new(), body: None }
    }

    /// Returns a request that makes something.
    pub(super) fn post(path: String, body: Value) -> Self {
        Self { method: Method::POST, path, query: Vec::new(), body: Some(body) }
    }

    /// Returns a request that changes something; made twice, it has the effect of making it once.
    pub(super) fn put(path: String, body: Value) -> Self {
        Self { method: Method::PUT, path, query: Vec::new(), body: Some(body) }
    }

    /// Returns it with one more query parameter.
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

//! The HTTP side: a server on its own runtime, and what a request and an answer are. Routes know nothing of hyper.

pub(crate) mod auth;
pub(crate) mod dispatch;
pub(crate) mod paging;
pub(crate) mod parameters;
pub(crate) mod reply;
pub(crate) mod tls;

use std::net::TcpListener as StdListener;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsAcceptor;

use crate::sandbox::Shared;
use dispatch::Outcome;

/// A request as routes see it: read to its end.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path as sent, percent-encoding and all, without the relative URL of the installation.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// Whether it only reads, by its method.
    pub(crate) fn only_reads(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }
}

/// The running server; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Server {
    runtime: Option<Runtime>,
}

/// The connection is to be cut without an answer.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection is cut on purpose")
    }
}

impl std::error::Error for Cut {}

impl Server {
    /// Serves what comes in, over TLS where there is an acceptor for it.
    pub(crate) fn start(listener: StdListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("gitlab-sandbox").enable_io().build();
        let runtime = runtime.expect("a runtime needs only threads and a poll handle");
        listener.set_nonblocking(true).expect("a fresh listener can be switched to non-blocking");
        runtime.spawn(async move {
            let Ok(listener) = TcpListener::from_std(listener) else { return };
            loop {
                // A connection that fails while being accepted is the client's loss.
                let Ok((stream, _)) = listener.accept().await else { continue };
                // Without this, small answers would wait for the client's acknowledgements.
                drop(stream.set_nodelay(true));
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                tokio::spawn(async move {
                    let Some(tls) = tls else { return serve(stream, shared).await };
                    // A client that does not trust the certificate goes away here.
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, shared).await;
                    }
                });
            }
        });
        Self { runtime: Some(runtime) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>) {
    let service = service_fn(move |request| answer(Arc::clone(&shared), request));
    let connection = hyper::server::conn::http1::Builder::new();
    // Clients that go away and connections cut on purpose end in an error here.
    drop(connection.serve_connection(TokioIo::new(stream), service).await);
}

async fn answer(shared: Arc<Shared>, request: hyper::Request<Incoming>) -> Result<hyper::Response<Full<Bytes>>, Cut> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let request = Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body,
    };
    let outcome = tokio::task::spawn_blocking(move || dispatch::answer(&shared, request)).await;
    match outcome {
        Ok(Outcome::Reply(reply)) => {
            let mut response = hyper::Response::builder().status(reply.status);
            for (name, value) in &reply.headers {
                response = response.header(name, value);
            }
            response.body(Full::new(Bytes::from(reply.body))).map_err(|_| Cut)
        }
        Ok(Outcome::Hang) => std::future::pending().await,
        Ok(Outcome::Cut) | Err(_) => Err(Cut),
    }
}

//! The sandbox as a test holds it: started, looked at, and checked when it is dropped.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use crate::clock::Moment;
use crate::faults::{Fault, Faults};
use crate::http::{Server, tls};
use crate::log::{GitTraffic, Log, RequestRecord, Write, matches_pattern};
use crate::model::Model;

type WriteHook = Arc<dyn Fn(&Write) + Send + Sync>;

/// What the server's threads and the test share.
pub(crate) struct Shared {
    /// The path under which GitLab is installed, for example `/gitlab`; usually empty.
    pub(crate) relative_url: String,
    pub(crate) address: SocketAddr,
    ca_pem: Option<String>,
    model: Mutex<Model>,
    log: Mutex<Log>,
    faults: Mutex<Faults>,
    after_write: Mutex<Vec<WriteHook>>,
    /// Held while a push runs, so that each ref that moves is put down to the push that moved it.
    pub(crate) pushing: Mutex<()>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// A test that failed while it held a lock has said so already; others may go on.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn model(&self) -> MutexGuard<'_, Model> {
        lock(&self.model)
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.log)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    /// Tells whoever wants to know about the writes of one request; nothing is locked meanwhile. Who asks to be told in the
    /// middle of it is not: a test may have gone on after the first of several refs that one push moves.
    pub(crate) fn after_writes(&self, writes: &[Write]) {
        let hooks = lock(&self.after_write).clone();
        for write in writes {
            hooks.iter().for_each(|hook| hook(write));
        }
    }
}

/// How a sandbox is started where the defaults will not do.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The path under which GitLab is installed, for example `/gitlab`; empty for the root.
    pub relative_url: String,
    /// The port to listen on; 0 for any that is free.
    pub port: u16,
    /// The address that GitLab believes to have, where it is reached through a proxy (the sandbox takes a proxy's
    /// requests as well, so it can stand for both); usually the one it listens on.
    pub external_url: Option<String>,
    /// Whether it speaks TLS.
    pub scheme: Scheme,
}

/// How a sandbox is spoken to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    #[default]
    Http,
    /// Over TLS, with a certificate of an authority of its own: [`Handle::ca_pem`].
    Https,
}

/// A running GitLab. Everything that it can do is on [`Handle`], which it dereferences to.
#[derive(Debug)]
pub struct Sandbox {
    handle: Handle,
    unchecked: bool,
    _server: Server,
    _directory: TempDir,
}

/// A reference to a running sandbox, cheap to clone and to hand to other threads or to faults.
#[derive(Debug, Clone)]
pub struct Handle(pub(crate) Arc<Shared>);

impl Deref for Sandbox {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Sandbox {
    /// Starts an empty GitLab on a free port of the loopback interface.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&Settings::default())
    }

    /// Starts an empty GitLab with these settings.
    #[must_use]
    pub fn start_with(settings: &Settings) -> Self {
        let directory = TempDir::with_prefix("gitlab-sandbox-").expect("a temporary directory can be made");
        let listener = TcpListener::bind(("127.0.0.1", settings.port)).expect("the port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let relative_url = settings.relative_url.trim_end_matches('/').to_owned();
        let identity = (settings.scheme == Scheme::Https).then(|| {
            let host = settings.external_url.as_deref().and_then(host).map(str::to_owned);
            tls::identity(host.into_iter().chain([address.ip().to_string(), "localhost".to_owned()]).collect())
        });
        let (ca_pem, acceptor) = identity.map(|identity| (identity.ca_pem, identity.acceptor)).unzip();
        let scheme = if ca_pem.is_some() { "https" } else { "http" };
        let own = format!("{scheme}://{address}{relative_url}");
        let url = settings.external_url.as_deref().map_or(own, |url| url.trim_end_matches('/').to_owned());
        let model = Model::new(url, directory.path().to_owned());
        let shared = Arc::new(Shared {
            relative_url,
            address,
            ca_pem,
            model: Mutex::new(model),
            log: Mutex::default(),
            faults: Mutex::default(),
            after_write: Mutex::default(),
            pushing: Mutex::default(),
        });
        let server = Server::start(listener, acceptor, Arc::clone(&shared));
        Self { handle: Handle(shared), unchecked: false, _server: server, _directory: directory }
    }

    /// Gives up the checks at the end: for demonstrations, and for use by hand.
    pub const fn leave_unchecked(&mut self) {
        self.unchecked = true;
    }

    /// A handle that can outlive a borrow of the sandbox.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

/// The host of an address, without its port.
fn host(url: &str) -> Option<&str> {
    url.split_once("://")?.1.split([':', '/']).next()
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if self.unchecked || std::thread::panicking() {
            return;
        }
        self.deliver_webhooks();
        let unknown = std::mem::take(&mut self.0.log().unknown);
        assert!(unknown.is_empty(), "the sandbox was asked for what it does not model: {unknown:#?}");
        let unlooked = self.0.log().unlooked();
        assert!(unlooked.is_empty(), "the test has not looked at these writes: {unlooked:#?}");
        let waiting = self.0.faults().waiting();
        assert!(waiting == 0, "faults that never happened: {:#?}", self.0.faults());
    }
}

impl Handle {
    /// The address, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.model().base_url.clone()
    }

    /// Where it listens, for a proxy setting or a client of one's own.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// The certificate (PEM) of the authority to trust.
    ///
    /// # Panics
    ///
    /// If the sandbox does not speak TLS.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        self.0.ca_pem.clone().expect("the sandbox was started with `Scheme::Https`")
    }

    /// The address of the REST API, as `CI_API_V4_URL` has it.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("{}/api/v4", self.url())
    }

    /// The address to clone a project from.
    #[must_use]
    pub fn git_url(&self, project: &str) -> String {
        format!("{}/{project}.git", self.url())
    }

    /// Looks at the model. Everything else waits meanwhile: make no requests in here, and call nothing on a handle.
    pub fn inspect<T>(&self, look: impl FnOnce(&Model) -> T) -> T {
        look(&self.0.model())
    }

    /// Changes the model in ways that have no function of their own; as [`Handle::inspect`], everything else waits.
    pub fn arrange<T>(&self, change: impl FnOnce(&mut Model) -> T) -> T {
        change(&mut self.0.model())
    }

    /// Leaves real time: each event from now on happens a second after the one before, the first after `start`.
    pub fn fix_clock(&self, start: Moment) {
        self.0.model().clock.fix(start);
    }

    /// Orders a fault.
    pub fn fail(&self, fault: Fault) {
        self.0.faults().add(fault);
    }

    /// Takes back all faults that have not happened.
    pub fn clear_faults(&self) {
        self.0.faults().clear();
    }

    /// Calls this after each write has taken effect and before it is answered, for example to kill the writer.
    pub fn after_each_write(&self, hook: impl Fn(&Write) + Send + Sync + 'static) {
        lock(&self.0.after_write).push(Arc::new(hook));
    }

    /// Stops calling what [`Handle::after_each_write`] was given.
    pub fn clear_write_hooks(&self) {
        lock(&self.0.after_write).clear();
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.deliver_webhooks();
        self.0.log().requests.clone()
    }

    /// Every request to the REST API so far, in order.
    #[must_use]
    pub fn api_requests(&self) -> Vec<RequestRecord> {
        self.requests().into_iter().filter(RequestRecord::is_api).collect()
    }

    /// The bytes that git moved for a project so far.
    #[must_use]
    pub fn traffic(&self, project: &str) -> GitTraffic {
        self.0.log().traffic.get(project).copied().unwrap_or_default()
    }

    /// Forgets requests and bytes, for counting afresh; writes are kept until somebody looks at them.
    pub fn clear_log(&self) {
        self.deliver_webhooks();
        let mut log = self.0.log();
        log.requests.clear();
        log.traffic.clear();
    }

    /// Every write so far, without counting as a look at them.
    #[must_use]
    pub fn writes(&self) -> Vec<Write> {
        self.deliver_webhooks();
        self.0.log().writes.iter().map(|(write, _)| write.clone()).collect()
    }

    /// The writes that nobody has looked at yet; they count as looked at from now on.
    #[must_use = "writes are taken to be looked at"]
    pub fn take_writes(&self) -> Vec<Write> {
        self.take_matching(|_| true)
    }

    /// Like [`Handle::take_writes`], of one user only.
    #[must_use = "writes are taken to be looked at"]
    pub fn take_writes_of(&self, user: &str) -> Vec<Write> {
        self.take_matching(|write| write.user.as_deref() == Some(user))
    }

    fn take_matching(&self, wanted: impl Fn(&Write) -> bool) -> Vec<Write> {
        self.deliver_webhooks();
        let mut log = self.0.log();
        let found = log.writes.iter_mut().filter(|(write, looked)| !*looked && wanted(write));
        let taken = found.map(|(write, looked)| {
            *looked = true;
            write.clone()
        });
        taken.collect()
    }

    /// Takes the first write not looked at that has this method and a path like this (`*` stands for anything).
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn expect_write(&self, method: &str, pattern: &str) -> Write {
        self.deliver_webhooks();
        let mut log = self.0.log();
        let wanted = |write: &Write| write.method == method && matches_pattern(pattern, &write.path);
        let found = log.writes.iter_mut().find(|(write, looked)| !looked && wanted(write));
        if let Some((write, looked)) = found {
            *looked = true;
            return write.clone();
        }
        let unlooked = log.unlooked();
        drop(log);
        panic!("no write {method} {pattern} among {unlooked:#?}");
    }

    /// What was asked of the sandbox that it does not model; forgotten from now on.
    #[must_use = "unknown requests are taken to be looked at"]
    pub fn take_unknown(&self) -> Vec<String> {
        std::mem::take(&mut self.0.log().unknown)
    }
}

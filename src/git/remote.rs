//! Fetches from and pushes to repositories over the network, with the git process.
//!
//! Only http and https, no redirects: the token goes to the address that was given and nowhere else. It is handed to
//! git by the environment, never by an argument, an address or a file. Fetches are partial (no files' content) and
//! shallow; what content is needed is then asked for in one go.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use bstr::ByteSlice as _;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::git::Store;
use crate::git::process::{Finished, GitCommand, masked};
use crate::types::error::{Context as _, RemoteError, Result, bail};
use crate::types::text::printable;
use crate::types::{BlobId, CommitId, Refusal};

/// How often a fetch is tried where the network or the server fails.
const TRIES: u32 = 4;

/// The most that a fetch may keep on disk is up to the server; what it prints is not needed beyond this.
const OUTPUT_LIMIT: usize = 1 << 20;

/// The longest list of refs: a hundred thousand, with long names.
const LIST_LIMIT: usize = 32 << 20;

/// The most that the content of a merge request's files may take on disk, packed: all that the kernel's commits of years
/// changed fits. A filter by size would not apply to what is asked for by name.
const CONTENT_LIMIT: u64 = 4 << 30;

/// A repository on a server.
#[derive(Clone, Debug)]
pub struct Remote {
    /// What it is called in messages: `source-git` or `dist-git`.
    pub role: &'static str,
    /// Its address.
    pub url: Url,
    /// How to reach it.
    pub access: Access,
}

/// How servers are reached.
#[derive(Clone, Debug)]
pub struct Access {
    /// The token to show; nothing for what is public.
    pub token: Option<SecretString>,
    /// Certificates (PEM) to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The proxy to go through.
    pub proxy: Option<Url>,
    /// How long the server may send nothing, in whole seconds.
    pub timeout: Duration,
    /// How long to wait before the first further try; doubled each time.
    pub first_pause: Duration,
}

/// Tells the kind of a failure by what git says of it.
fn remote_error(role: &'static str, said: String) -> RemoteError {
    let has = |parts: &[&str]| parts.iter().any(|part| said.contains(part));
    if has(&["couldn't find remote ref", "not our ref", "remote ref does not exist"]) {
        RemoteError::MissingRef { role, said }
    } else if has(&["stale info", "fetch first", "cannot lock ref", "failed to update ref"]) {
        RemoteError::Stale { role }
    } else if has(&["server certificate verification failed", "server verification failed", "SSL certificate problem"])
    {
        RemoteError::Untrusted { role, said }
    } else if has(&["shallow update not allowed"]) {
        RemoteError::TooShallow { role }
    } else if has(&[
        "Authentication failed",
        "error: 401",
        "error: 403",
        "error: 404",
        "not found",
        "could not read Username",
    ]) {
        RemoteError::Denied { role, said }
    } else if has(&[
        "Could not resolve",
        "Failed to connect",
        "Couldn't connect",
        "Connection reset",
        "timed out",
        "Operation too slow",
        "error: 429",
        "error: 5",
        "early EOF",
        "RPC failed",
        "hung up unexpectedly",
        "Empty reply",
        "unexpected disconnect",
    ]) {
        RemoteError::Unavailable { role, said }
    } else {
        RemoteError::Refused { role, said }
    }
}

/// Whether git met [`GitCommand::file_limit`]: 25 is SIGXFSZ.
fn is_too_large(said: &str) -> bool {
    ["index-pack died of signal 25", "unpack-objects died of signal 25", "File too large"]
        .iter()
        .any(|part| said.contains(part))
}

/// The name that a remote has while one command runs.
pub(super) const NAME: &str = "bot";

impl Remote {
    /// A git command in `store` that knows this remote as [`NAME`].
    pub(super) fn command(&self, store: &Store) -> GitCommand {
        let mut command = store
            .command()
            .config(format!("remote.{NAME}.url"), self.url.as_str())
            // What was left out on purpose is no damage.
            .config(format!("remote.{NAME}.promisor"), "true")
            .config(format!("remote.{NAME}.partialCloneFilter"), "blob:none")
            .config("protocol.allow", "never")
            .config("protocol.http.allow", "always")
            .config("protocol.https.allow", "always")
            .config("transfer.fsckObjects", "true")
            // Old mistakes that upstream histories hold and that harm nobody.
            .config("fetch.fsck.zeroPaddedFilemode", "ignore")
            .config("fetch.fsck.missingSpaceBeforeDate", "ignore")
            .config("fetch.fsck.badTimezone", "ignore")
            .config("fetch.fsck.zeroPaddedDate", "ignore")
            .config("http.followRedirects", "false")
            .config("http.lowSpeedLimit", "1")
            .config("http.lowSpeedTime", self.access.timeout.as_secs().to_string())
            .config("credential.helper", "")
            .output_limit(OUTPUT_LIMIT);
        if let Some(login) = self.login() {
            command = command.config("http.extraHeader", format!("Authorization: Basic {login}"));
        }
        command = command.secrets(self.secrets()).stopped_whole();
        if let Some(ca_file) = &self.access.ca_file {
            command = command.config("http.sslCAInfo", ca_file.to_string_lossy());
        }
        command.config("http.proxy", self.access.proxy.as_ref().map(Url::as_str).unwrap_or_default())
    }

    /// What is shown to the server for a token. GitLab takes any user name with one.
    fn login(&self) -> Option<String> {
        let token = self.access.token.as_ref()?;
        Some(base64::engine::general_purpose::STANDARD.encode(format!("oauth2:{}", token.expose_secret())))
    }

    /// What the server, or a proxy on the way, may send back of the login.
    fn secrets(&self) -> Vec<SecretString> {
        self.login().map(SecretString::from).into_iter().chain(self.access.token.clone()).collect()
    }

    /// Runs what `make` makes, again where the network or the server fails.
    pub(super) fn run(&self, make: impl Fn() -> GitCommand) -> Result<Finished> {
        let mut pause = self.access.first_pause;
        let mut tries_left = TRIES;
        loop {
            let finished = make().run()?;
            if finished.status.success() {
                return Ok(finished);
            }
            // A push tells on standard output what became of each branch, those that are well among them.
            let failed: Vec<&[u8]> = finished.stdout.lines().filter(|line| line.starts_with(b"!")).collect();
            let said = [printable(&masked(&failed.join(&b"; "[..]), &self.secrets())), finished.stderr];
            let error = remote_error(self.role, said.join(" ").trim().to_owned());
            tries_left -= 1;
            if tries_left == 0 || !matches!(error, RemoteError::Unavailable { .. }) {
                return Err(error.into());
            }
            tracing::warn!("{error}; {tries_left} more tries");
            thread::sleep(pause);
            pause *= 2;
        }
    }

    /// Fetches each ref of `refs` (the server's name, the store's name) without files' content, and no more history
    /// than `depth` commits behind each; returns nothing, the refs are then in the store.
    pub fn fetch(&self, store: &Store, refs: &[(String, String)], depth: u32) -> Result<()> {
        let specs = refs.iter().map(|(theirs, ours)| format!("+{theirs}:{ours}"));
        let specs: Vec<_> = specs.collect();
        self.run(|| {
            self.command(store)
                .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"])
                .args([format!("--depth={depth}"), "--filter=blob:none".to_owned(), NAME.to_owned()])
                .args(&specs)
        })?;
        Ok(())
    }

    /// Fetches a branch with all content of its last commit and nothing behind it.
    pub fn fetch_tip(&self, store: &Store, branch: &str, ours: &str) -> Result<()> {
        self.run(|| {
            self.command(store)
                .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--depth=1"])
                // Else the filter that is configured for the remote would count.
                .arg("--no-filter")
                .args([NAME.to_owned(), format!("+refs/heads/{branch}:{ours}")])
        })?;
        Ok(())
    }

    /// Fetches what lies behind the branch that [`Remote::fetch_tip`] brought.
    pub fn fetch_rest(&self, store: &Store, branch: &str, ours: &str) -> Result<()> {
        self.run(|| {
            self.command(store)
                .args([
                    "fetch",
                    "--quiet",
                    "--no-tags",
                    "--no-write-fetch-head",
                    "--no-auto-maintenance",
                    "--unshallow",
                    "--no-filter",
                ])
                .args([NAME.to_owned(), format!("+refs/heads/{branch}:{ours}")])
        })?;
        Ok(())
    }

    /// Fetches the content of files, all in one go.
    pub fn fetch_blobs(&self, store: &Store, blobs: &[BlobId]) -> Result<()> {
        if blobs.is_empty() {
            return Ok(());
        }
        let input: String = blobs.iter().map(|blob| format!("{blob}\n")).collect();
        let fetched = self.run(|| {
            self.command(store)
                .config("fetch.negotiationAlgorithm", "noop")
                .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"])
                .args(["--recurse-submodules=no", "--filter=blob:none", "--stdin", NAME])
                .input(input.clone().into_bytes())
                .file_limit(CONTENT_LIMIT)
        });
        match fetched {
            Ok(_) => Ok(()),
            Err(error) if error.repository().is_some_and(|error| is_too_large(&error.to_string())) => {
                let text = format!("the files that its commits change take more than {} GiB", CONTENT_LIMIT >> 30);
                let remedy = "bring large files by an archive in the lookaside cache, and take them out of the branch";
                Err(Refusal::new(text, remedy).into())
            }
            Err(error) => Err(error),
        }
    }

    /// Lists the refs whose full names fit one of `patterns`, tags with what they lead to behind `^{}`.
    pub fn list(&self, store: &Store, patterns: &[String]) -> Result<Vec<(String, CommitId)>> {
        let list = || self.command(store).output_limit(LIST_LIMIT).args(["ls-remote", "--quiet", NAME]).args(patterns);
        let finished = self.run(list)?;
        if finished.truncated {
            bail!("{}: there are too many branches and tags to list them", self.role);
        }
        let mut refs = Vec::new();
        for line in finished.stdout.lines() {
            if let Some((id, name)) = line.split_once_str(b"\t") {
                refs.push((name.to_str_lossy().into_owned(), CommitId::parse(id).context("reading a list of refs")?));
            }
        }
        Ok(refs)
    }

    /// Puts `branch` at `commit`, provided that it is still at `expected` (`None`: not there).
    ///
    /// What the store has of the branch it has to have with all content ([`Remote::fetch_tip`]): git packs the new
    /// files as differences to the old ones.
    pub fn push(&self, store: &Store, branch: &str, expected: Option<&CommitId>, commit: &CommitId) -> Result<()> {
        let expected = expected.map(ToString::to_string).unwrap_or_default();
        let push = || {
            self.command(store)
                .args(["push", "--quiet", "--porcelain", "--no-verify"])
                .arg(format!("--force-with-lease=refs/heads/{branch}:{expected}"))
                .args([NAME.to_owned(), format!("{commit}:refs/heads/{branch}")])
        };
        // A push whose answer was lost and that is tried again finds the branch moved: it is then stale, by its own doing.
        self.run(push).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_is_understood() {
        let of = |said: &str| remote_error("dist-git", said.to_owned());
        assert!(matches!(of("fatal: couldn't find remote ref refs/heads/c9s"), RemoteError::MissingRef { .. }));
        assert!(matches!(of("! [rejected] x -> y (stale info)"), RemoteError::Stale { .. }));
        assert!(matches!(of("fatal: Authentication failed for 'http://x/'"), RemoteError::Denied { .. }));
        for untrusted in [
            "fatal: unable to access 'https://x/': server certificate verification failed. CAfile: none CRLfile: none",
            "fatal: unable to access 'https://x/': server verification failed: certificate signer not trusted. (CAfile: /x CRLfile: none)",
            "fatal: unable to access 'https://x/': SSL certificate problem: unable to get local issuer certificate",
        ] {
            assert!(matches!(of(untrusted), RemoteError::Untrusted { .. }), "{untrusted}");
        }
        let too_slow = "fatal: unable to access 'http://x/': Operation too slow. Less than 1 bytes/sec transferred the last 1 seconds";
        assert!(matches!(of(too_slow), RemoteError::Unavailable { .. }));
        // As `git fetch` says it; no other try would end otherwise.
        let too_large = of("error: index-pack died of signal 25; fatal: fetch-pack: invalid index-pack output");
        assert!(matches!(too_large, RemoteError::Refused { .. }) && is_too_large(&too_large.to_string()));
        assert!(matches!(of("The requested URL returned error: 503"), RemoteError::Unavailable { .. }));
        assert!(matches!(of("! [remote rejected] (shallow update not allowed)"), RemoteError::TooShallow { .. }));
        assert!(matches!(of("! [remote rejected] (pre-receive hook declined)"), RemoteError::Refused { .. }));
    }
}

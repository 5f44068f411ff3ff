//! Fetches from and pushes to repositories on a server, with the git process.
//!
//! git uses only http and https and follows no redirects, so the token goes to the configured address and nowhere else.
//! git gets the token through the environment, never in an argument, a URL or a file.
//!
//! A merge request's project is fetched partially (without the content of files) and shallowly; the content that is
//! needed is then requested all at once. Whole histories are fetched and pushed to copy a repository.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use bstr::ByteSlice as _;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::git::Store;
use crate::git::process::{GitCommand, GitOutput, masked};
use crate::types::error::{Context as _, RemoteError, Result, bail};
use crate::types::text::printable;
use crate::types::{BlobId, CommitId, Refusal};

/// How many times a command is tried in all if the network or the server fails.
const TRIES: u32 = 4;

/// How many bytes of the output of a command are needed. How much a fetch stores on disk is up to the server.
const OUTPUT_LIMIT: usize = 1 << 20;

/// The longest list of refs, in bytes: a hundred thousand refs with long names.
const LIST_LIMIT: usize = 32 << 20;

/// The most bytes that the content of a merge request's files may take on disk, packed: everything that the kernel's
/// commits changed in years fits. A filter by size would not help, as git does not apply it to objects requested by id.
const CONTENT_LIMIT: u64 = 4 << 30;

/// The deadline of one fetch or push of a whole history. A transfer that stalls is given up long before.
const COPY_DEADLINE: Duration = Duration::from_secs(3 * 60 * 60);

/// The name that the remote has in git's configuration while a command runs.
const REMOTE_NAME: &str = "bot";

/// A repository on a server.
#[derive(Clone, Debug)]
pub struct Remote {
    /// What messages call it: `source-git` or `dist-git`.
    pub role: &'static str,
    pub url: Url,
    pub access: Access,
}

/// How to reach a server.
#[derive(Clone, Debug)]
pub struct Access {
    /// The access token; `None` for public repositories.
    pub token: Option<SecretString>,
    /// Certificates (PEM) to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    pub proxy: Option<Url>,
    /// How long the server may send nothing. git counts whole seconds.
    pub timeout: Duration,
    /// How long to wait before the second try. The pause doubles before each further one.
    pub first_pause: Duration,
}

/// Determines the kind of a failure from git's message.
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

/// Whether git ran into [`GitCommand::file_limit`]. Signal 25 is SIGXFSZ.
fn is_too_large(said: &str) -> bool {
    ["index-pack died of signal 25", "unpack-objects died of signal 25", "File too large"]
        .iter()
        .any(|part| said.contains(part))
}

impl Remote {
    /// Returns a git command in `store` with this remote configured as [`REMOTE_NAME`].
    fn command(&self, store: &Store) -> GitCommand {
        let mut command = store
            .command()
            .config(format!("remote.{REMOTE_NAME}.url"), self.url.as_str())
            // git must not take the objects that were left out on purpose for missing.
            .config(format!("remote.{REMOTE_NAME}.promisor"), "true")
            .config(format!("remote.{REMOTE_NAME}.partialCloneFilter"), "blob:none")
            .config("protocol.allow", "never")
            .config("protocol.http.allow", "always")
            .config("protocol.https.allow", "always")
            .config("transfer.fsckObjects", "true")
            // Old mistakes in upstream histories that do no harm.
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
        command = command.secrets(self.secrets()).stop_with_children();
        if let Some(ca_file) = &self.access.ca_file {
            command = command.config("http.sslCAInfo", ca_file.to_string_lossy());
        }
        command.config("http.proxy", self.access.proxy.as_ref().map(Url::as_str).unwrap_or_default())
    }

    /// Returns the credentials for HTTP's basic authentication. GitLab accepts any user name with a token.
    fn login(&self) -> Option<String> {
        let token = self.access.token.as_ref()?;
        Some(base64::engine::general_purpose::STANDARD.encode(format!("oauth2:{}", token.expose_secret())))
    }

    /// Returns the parts of the login that the server or a proxy may send back.
    fn secrets(&self) -> Vec<SecretString> {
        self.login().map(SecretString::from).into_iter().chain(self.access.token.clone()).collect()
    }

    /// Runs the command that `make` returns, and tries again if the network or the server fails.
    fn run(&self, make: impl Fn() -> GitCommand) -> Result<GitOutput> {
        let mut pause = self.access.first_pause;
        let mut tries_left = TRIES;
        loop {
            let output = make().run()?;
            if output.status.success() {
                return Ok(output);
            }
            // A push reports each branch on standard output, including those that succeeded.
            let failed: Vec<&[u8]> = output.stdout.lines().filter(|line| line.starts_with(b"!")).collect();
            let said = [printable(&masked(&failed.join(&b"; "[..]), &self.secrets())), output.stderr];
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

    /// Fetches each of `refs` (its name on the server, its name in the store) with the last `depth` commits of its
    /// history and without the content of files.
    pub fn fetch(&self, store: &Store, refs: &[(String, String)], depth: u32) -> Result<()> {
        let specs = refs.iter().map(|(theirs, ours)| format!("+{theirs}:{ours}"));
        let specs: Vec<_> = specs.collect();
        self.run(|| {
            self.command(store)
                .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"])
                .args([format!("--depth={depth}"), "--filter=blob:none".to_owned(), REMOTE_NAME.to_owned()])
                .args(&specs)
        })?;
        Ok(())
    }

    /// Fetches the last commit of a branch, with the content of all its files, into the store's ref `ours`.
    pub fn fetch_tip(&self, store: &Store, branch: &str, ours: &str) -> Result<()> {
        self.run(|| {
            self.command(store)
                .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--depth=1"])
                // Otherwise the filter that is configured for the remote would apply.
                .arg("--no-filter")
                .args([REMOTE_NAME.to_owned(), format!("+refs/heads/{branch}:{ours}")])
        })?;
        Ok(())
    }

    /// Fetches the rest of the history of a branch that [`Remote::fetch_tip`] fetched.
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
                .args([REMOTE_NAME.to_owned(), format!("+refs/heads/{branch}:{ours}")])
        })?;
        Ok(())
    }

    /// Fetches the content of files, all at once. It is refused if it takes more than 4 GiB on disk.
    pub fn fetch_blobs(&self, store: &Store, blobs: &[BlobId]) -> Result<()> {
        if blobs.is_empty() {
            return Ok(());
        }
        let input: String = blobs.iter().map(|blob| format!("{blob}\n")).collect();
        let fetched = self.run(|| {
            self.command(store)
                .config("fetch.negotiationAlgorithm", "noop")
                .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"])
                .args(["--recurse-submodules=no", "--filter=blob:none", "--stdin", REMOTE_NAME])
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

    /// Lists the refs whose full names match any of `patterns` (git-ls-remote(1)).
    ///
    /// An annotated tag is listed twice, the second time with `^{}` appended to its name and the object it leads to.
    pub fn list(&self, store: &Store, patterns: &[String]) -> Result<Vec<(String, CommitId)>> {
        let list =
            || self.command(store).output_limit(LIST_LIMIT).args(["ls-remote", "--quiet", REMOTE_NAME]).args(patterns);
        let output = self.run(list)?;
        if output.truncated {
            bail!("{}: there are too many branches and tags to list them", self.role);
        }
        let mut refs = Vec::new();
        for line in output.stdout.lines() {
            if let Some((id, name)) = line.split_once_str(b"\t") {
                refs.push((name.to_str_lossy().into_owned(), CommitId::parse(id).context("reading a list of refs")?));
            }
        }
        Ok(refs)
    }

    /// Pushes `commit` to `branch`, provided that the branch is still at `expected` (`None`: it does not exist).
    ///
    /// The store must have the content of all files in what it has of the branch ([`Remote::fetch_tip`]), because git
    /// packs new files as differences from the old ones.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Stale`] if the branch is not at `expected`.
    pub fn push(&self, store: &Store, branch: &str, expected: Option<&CommitId>, commit: &CommitId) -> Result<()> {
        let expected = expected.map(ToString::to_string).unwrap_or_default();
        let push = || {
            self.command(store)
                .args(["push", "--quiet", "--porcelain", "--no-verify"])
                .arg(format!("--force-with-lease=refs/heads/{branch}:{expected}"))
                .args([REMOTE_NAME.to_owned(), format!("{commit}:refs/heads/{branch}")])
        };
        // If the answer to a push is lost, the next try finds the branch moved by that very push, and reports it as
        // stale.
        self.run(push).map(drop)
    }

    /// Fetches these branches and tags, given by their full names, with all their content and history. They have the
    /// same names in the store.
    pub fn fetch_whole(&self, store: &Store, names: &[&str]) -> Result<()> {
        let specs: String = names.iter().map(|name| format!("+{name}:{name}\n")).collect();
        self.run(|| {
            self.command(store)
                .deadline(COPY_DEADLINE)
                // The objects only pass through: the server they come from has checked them, and the one they are
                // pushed to checks them again by its own rules.
                .config("transfer.fsckObjects", "false")
                .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"])
                .args(["--no-filter", "--recurse-submodules=no", "--stdin", REMOTE_NAME])
                .input(specs.clone().into_bytes())
        })?;
        Ok(())
    }

    /// Creates these branches and tags, given by their full names, without starting pipelines for them.
    ///
    /// Nobody's branch is ever overwritten: the lease is on a ref that does not exist.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Stale`] if one of them exists.
    pub fn push_new(&self, store: &Store, refs: &[(&str, CommitId)]) -> Result<()> {
        self.run(|| {
            self.command(store)
                .deadline(COPY_DEADLINE)
                .args(["push", "--quiet", "--porcelain", "--no-verify", "--push-option=ci.skip"])
                .args(refs.iter().map(|(name, _)| format!("--force-with-lease={name}:")))
                .arg(REMOTE_NAME)
                .args(refs.iter().map(|(name, id)| format!("{id}:{name}")))
        })?;
        Ok(())
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
        // The message of `git fetch`. Another try would end the same way.
        let too_large = of("error: index-pack died of signal 25; fatal: fetch-pack: invalid index-pack output");
        assert!(matches!(too_large, RemoteError::Refused { .. }) && is_too_large(&too_large.to_string()));
        assert!(matches!(of("The requested URL returned error: 503"), RemoteError::Unavailable { .. }));
        assert!(matches!(of("! [remote rejected] (shallow update not allowed)"), RemoteError::TooShallow { .. }));
        assert!(matches!(of("! [remote rejected] (pre-receive hook declined)"), RemoteError::Refused { .. }));
    }
}

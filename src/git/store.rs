//! A temporary bare repository that borrows the objects of other repositories.
//!
//! All work on untrusted content happens here. There is no work tree, so no symbolic link, filter, hook or attribute of
//! an untrusted repository touches the file system, and git never reads that repository's configuration.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use bstr::{BStr, BString, ByteSlice as _};
use git2::{ObjectType, Oid, Repository, RepositoryInitOptions, Signature};
use tempfile::TempDir;

use crate::git::process::GitCommand;
use crate::git::program::Git;
use crate::types::error::{Context as _, Result, bail};
use crate::types::{BlobId, CommitId, File, Refusal, RepoPath, TreeId};

/// The largest file that is read into memory, in bytes: far above any spec file, patch or package configuration.
const READ_LIMIT: usize = 256 << 20;

/// A temporary bare repository. Dropping the value deletes it.
pub struct Store {
    git: Git,
    /// Git processes see what is written here.
    pub(super) repository: Repository,
    /// The same repository, but what is written here stays in memory. git processes need little of what the bot
    /// computes, and creating a file on disk costs more than everything else that is done with its content.
    pub(super) memory: Repository,
    directory: TempDir,
}

/// libgit2 asks backends in descending order of priority. Its own have 1 and 2.
const MEMORY_PRIORITY: i32 = 1000;

fn open_in_memory(git_dir: &Path) -> Result<Repository> {
    let repository = Repository::open_bare(git_dir).context("opening the temporary repository")?;
    repository
        .odb()
        .and_then(|odb| odb.add_new_mempack_backend(MEMORY_PRIORITY).map(drop))
        .context("writing to memory")?;
    Ok(repository)
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("directory", &self.directory.path()).finish_non_exhaustive()
    }
}

impl Store {
    /// Creates an empty store.
    pub fn create(git: &Git) -> Result<Self> {
        let directory = TempDir::with_prefix("source-git-bot-").context("making a temporary directory")?;
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false).initial_head("none");
        let repository = Repository::init_opts(directory.path().join("store.git"), &options)
            .context("making a temporary repository")?;
        let memory = open_in_memory(repository.path())?;
        Ok(Self { git: git.clone(), repository, memory, directory })
    }

    /// Lets the store read the objects in each of `directories`, which are `objects` directories of other repositories.
    /// The commits in `shallow` mark where their history was cut (gitrepository-layout(5)).
    pub fn borrow(&mut self, directories: &[PathBuf], shallow: &[CommitId]) -> Result<()> {
        let mut alternates = Vec::new();
        for directory in directories {
            let path = <[u8]>::from_path(directory).ok_or_else(|| anyhow!("the path is not plain bytes"))?;
            if path.contains(&b'\n') || path.starts_with(b"\"") || path.starts_with(b"#") {
                bail!("git cannot borrow objects from {}: rename that directory", directory.display());
            }
            alternates.extend_from_slice(path);
            alternates.push(b'\n');
        }
        let git_dir = self.git_dir().to_owned();
        fs::write(git_dir.join("objects/info/alternates"), alternates).context("borrowing objects")?;
        if !shallow.is_empty() {
            let lines: String = shallow.iter().map(|commit| format!("{commit}\n")).collect();
            fs::write(git_dir.join("shallow"), lines).context("noting where the history was cut")?;
        }
        // libgit2 reads the list of alternates only when it opens a repository.
        self.repository = Repository::open_bare(&git_dir).context("opening the temporary repository")?;
        self.memory = open_in_memory(&git_dir)?;
        Ok(())
    }

    pub fn git_dir(&self) -> &Path {
        self.repository.path()
    }

    /// Returns the path for a file or directory `name` that is deleted with the store.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns a git command in this repository. It does not sync objects to disk, as they do not outlive the store.
    pub fn command(&self) -> GitCommand {
        self.git.in_store(self.git_dir()).args(["-c", "core.fsync=none", "-c", "gc.auto=0"])
    }

    /// Returns the object that the store's ref `name` points to.
    pub fn object_at(&self, name: &str) -> Result<CommitId> {
        let found = self.repository.refname_to_id(name).with_context(|| format!("reading {name}"))?;
        Ok(CommitId::from_bytes(raw(found)))
    }

    /// Returns the commit that the store's ref `name` points to, directly or through tags.
    pub fn commit_at(&self, name: &str) -> Result<CommitId> {
        let object = self.object_at(name)?;
        self.peel_to_commit(&object)?.with_context(|| format!("{name} is no commit"))
    }

    /// Returns the commits whose parents were not fetched (gitrepository-layout(5), `shallow`).
    pub fn shallow(&self) -> Result<Vec<CommitId>> {
        match fs::read(self.git_dir().join("shallow")) {
            Ok(lines) => {
                Ok(lines.lines().map(CommitId::parse).collect::<Result<_, _>>().context("reading `shallow`")?)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error).context("reading `shallow`"),
        }
    }

    /// Returns the commits that `heads` contain and `base` does not.
    pub fn commits_between(&self, heads: &[CommitId], base: &CommitId) -> Result<Vec<CommitId>> {
        let heads = heads.iter().map(ToString::to_string);
        let too_long = Refusal::new(
            "there are more commits between `upstream_ref` and the merge request than are read",
            "set `upstream_ref` to the newest tag or branch that the downstream commits sit on",
        );
        let listed = self.command().arg("rev-list").args(heads).arg(format!("^{base}")).output_or_refusal(&too_long)?;
        listed.lines().map(CommitId::parse).collect::<Result<_, _>>().context("reading a list of commits")
    }

    /// Whether `descendant` contains `ancestor`, as far as the fetched history shows.
    pub fn is_ancestor(&self, ancestor: &CommitId, descendant: &CommitId) -> Result<bool> {
        let arguments =
            ["merge-base".to_owned(), "--is-ancestor".to_owned(), ancestor.to_string(), descendant.to_string()];
        let output = self.command().args(arguments).run()?;
        match output.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => bail!("`git merge-base` failed: {}", output.stderr),
        }
    }

    /// Whether the store has the content of `blob`.
    pub fn has(&self, blob: &BlobId) -> bool {
        self.memory.odb().is_ok_and(|odb| odb.exists(oid(blob.as_bytes())))
    }

    /// Returns the commit that `object` is or, as a tag, leads to through any number of tags.
    ///
    /// `None` if it leads to a tree or blob, or if the store does not have it.
    pub fn peel_to_commit(&self, object: &CommitId) -> Result<Option<CommitId>> {
        let object = match self.repository.find_object(oid(object.as_bytes()), None) {
            Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(None),
            found => found.context("reading an object")?,
        };
        Ok(object.peel_to_commit().ok().map(|commit| CommitId::from_bytes(raw(commit.id()))))
    }

    pub fn tree_of(&self, commit: &CommitId) -> Result<TreeId> {
        let found = self.repository.find_commit(oid(commit.as_bytes()));
        let found = found.with_context(|| format!("reading commit {commit}"))?;
        Ok(TreeId::from_bytes(raw(found.tree_id())))
    }

    /// Returns the content of `blob`. A blob that is larger than 256 MiB is refused.
    pub fn read(&self, blob: &BlobId) -> Result<Vec<u8>> {
        let odb = self.memory.odb().context("opening the object store")?;
        let id = oid(blob.as_bytes());
        let (size, kind) = odb.read_header(id).with_context(|| format!("reading blob {blob}"))?;
        if kind != ObjectType::Blob {
            bail!("object {blob} is not a blob");
        }
        if size > READ_LIMIT {
            let text =
                format!("a file has {size} bytes, more than the {} MiB that are read (blob {blob})", READ_LIMIT >> 20);
            bail!(Refusal::new(text, "make it smaller, or bring it by an archive in the lookaside cache"));
        }
        Ok(odb.read(id).with_context(|| format!("reading blob {blob}"))?.data().to_vec())
    }

    /// Returns the content of `file`, like [`Store::read`]. A refusal names `path`.
    pub fn read_at(&self, path: &RepoPath, file: &File) -> Result<Vec<u8>> {
        self.read(&file.blob).map_err(|error| match error.into_refusal() {
            Ok(refusal) => refusal.about_file(path).into(),
            Err(other) => other,
        })
    }

    /// Adds `content` as a blob that [`Store::read`] finds and git processes do not see.
    pub fn add_blob(&self, content: &[u8]) -> Result<BlobId> {
        Ok(BlobId::from_bytes(raw(self.memory.blob(content).context("keeping a file")?)))
    }

    /// Writes a commit with the current time where git processes see it; `identity` is author and committer.
    pub fn commit(&self, tree: &TreeId, parent: &CommitId, identity: &Identity, message: &str) -> Result<CommitId> {
        let signature = Signature::now(&identity.name, &identity.email).context("using the bot's name and address")?;
        let tree = self.repository.find_tree(oid(tree.as_bytes())).context("reading the new tree")?;
        let parent = self.repository.find_commit(oid(parent.as_bytes())).context("reading the commit to build on")?;
        let made = self.repository.commit(None, &signature, &signature, message, &tree, &[&parent]);
        Ok(CommitId::from_bytes(raw(made.context("writing a commit")?)))
    }

    /// Reads the tree, the parents, the people and the message of a commit.
    pub fn commit_info(&self, commit: &CommitId) -> Result<CommitInfo> {
        let found = self.repository.find_commit(oid(commit.as_bytes()));
        let found = found.with_context(|| format!("reading commit {commit}"))?;
        let (author, committer) = (found.author(), found.committer());
        Ok(CommitInfo {
            author_name: author.name_bytes().into(),
            author_email: author.email_bytes().into(),
            tree: TreeId::from_bytes(raw(found.tree_id())),
            parents: found.parent_ids().map(|id| CommitId::from_bytes(raw(id))).collect(),
            committer_email: committer.email_bytes().to_str_lossy().into_owned(),
            message: found.message_raw_bytes().to_str_lossy().into_owned(),
        })
    }

    /// Writes a commit with this tree, this one parent and this message, and with the author, the committer and the
    /// dates of `like`. Without `message` it has the message of `like` too.
    ///
    /// `git format-patch` gets such a commit where no commit of the history stands for a patch by itself, such as for a
    /// merge.
    pub fn commit_like(
        &self,
        like: &CommitId,
        tree: &TreeId,
        parent: &CommitId,
        message: Option<&[u8]>,
    ) -> Result<CommitId> {
        let like =
            self.repository.find_commit(oid(like.as_bytes())).with_context(|| format!("reading commit {like}"))?;
        let fields: &[&[u8]] = match message {
            None => &[b"author ", b"committer ", b"encoding "],
            Some(_) => &[b"author ", b"committer "],
        };
        let mut bytes = format!("tree {tree}\nparent {parent}\n").into_bytes();
        for line in like.raw_header_bytes().lines().filter(|line| fields.iter().any(|field| line.starts_with(field))) {
            bytes.extend_from_slice(line);
            bytes.push(b'\n');
        }
        bytes.push(b'\n');
        bytes.extend_from_slice(message.unwrap_or_else(|| like.message_raw_bytes()));
        let odb = self.repository.odb().context("opening the object store")?;
        Ok(CommitId::from_bytes(raw(odb.write(ObjectType::Commit, &bytes).context("writing a commit")?)))
    }
}

/// The author and committer of the bot's commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub name: String,
    pub email: String,
}

/// The fields of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    pub tree: TreeId,
    pub parents: Vec<CommitId>,
    pub author_name: BString,
    pub author_email: BString,
    pub committer_email: String,
    pub message: String,
}

/// Returns the id that git gives to a blob with this content.
pub(super) fn blob_id(content: &[u8]) -> Result<BlobId> {
    Ok(BlobId::from_bytes(raw(Oid::hash_object(ObjectType::Blob, content).context("hashing a file")?)))
}

/// Converts an object id to git2's type.
pub(super) fn oid(bytes: &[u8; 20]) -> Oid {
    Oid::from_bytes(bytes).unwrap_or(Oid::ZERO_SHA1)
}

/// Converts git2's object id to bytes, for our id types.
pub(super) fn raw(id: Oid) -> [u8; 20] {
    id.as_bytes().try_into().unwrap_or_default()
}

/// Converts a path in git to one of the operating system.
pub(super) fn os_path(path: &BStr) -> Result<PathBuf> {
    Ok(path.to_path().map_err(|_| anyhow!("{path} cannot be a path here"))?.to_owned())
}

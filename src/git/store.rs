//! A temporary bare repository that borrows the objects of others.
//!
//! Everything is computed here: there is no work tree, so no symbolic link, filter, hook or attribute of an untrusted
//! repository touches the file system, and none of their configuration counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use bstr::{BStr, BString, ByteSlice as _};
use git2::{ObjectType, Oid, Repository, RepositoryInitOptions, Signature, Tree};
use tempfile::TempDir;

use crate::git::process::{Git, GitCommand};
use crate::types::error::{Context as _, Error, Result, bail};
use crate::types::finding::quoted;
use crate::types::path::PathError;
use crate::types::{BlobId, CommitId, File, FileMode, FileTree, Refusal, RepoPath, TreeId};

/// The largest file that is read into memory: far above any spec file, patch or package configuration.
const READ_LIMIT: usize = 256 << 20;

/// The most entries, files and directories, below one directory of a package's: the largest have a thousand.
const DIRECTORY_LIMIT: usize = 50_000;

/// The most entries of a whole tree: five times the kernel's.
const TREE_LIMIT: usize = 500_000;

/// How long the paths of a listing may be together, in bytes.
const PATHS_LIMIT: usize = 64 << 20;

/// A temporary bare repository; it goes when the value goes.
pub struct Store {
    git: Git,
    /// What is written here, git processes see.
    repository: Repository,
    /// What is written here stays in memory: most of what is computed no git process needs, and making a file on disk
    /// costs more than all else that is done to its content.
    memory: Repository,
    directory: TempDir,
}

/// libgit2 asks backends in descending order of this; its own have 1 and 2.
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
    /// Makes an empty store.
    pub fn create(git: &Git) -> Result<Self> {
        let directory = TempDir::with_prefix("source-git-bot-").context("making a temporary directory")?;
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false).initial_head("none");
        let repository = Repository::init_opts(directory.path().join("store.git"), &options)
            .context("making a temporary repository")?;
        let memory = open_in_memory(repository.path())?;
        Ok(Self { git: git.clone(), repository, memory, directory })
    }

    /// Lets the store read the objects in each of `directories` (`objects` directories of other repositories), and
    /// know the commits in `shallow` as boundaries of what was fetched (gitrepository-layout(5)).
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
        // libgit2 reads the list of alternates when a repository is opened.
        self.repository = Repository::open_bare(&git_dir).context("opening the temporary repository")?;
        self.memory = open_in_memory(&git_dir)?;
        Ok(())
    }

    /// The repository's directory.
    pub fn git_dir(&self) -> &Path {
        self.repository.path()
    }

    /// A new name in a directory that goes with the store.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A git command in this repository. Objects are not synced to disk: they do not outlive the store.
    pub fn command(&self) -> GitCommand {
        self.git.in_store(self.git_dir()).args(["-c", "core.fsync=none", "-c", "gc.auto=0"])
    }

    /// Returns the object that a ref of the store names.
    pub fn object_at(&self, name: &str) -> Result<CommitId> {
        let found = self.repository.refname_to_id(name).with_context(|| format!("reading {name}"))?;
        Ok(CommitId::from_bytes(raw(found)))
    }

    /// Returns the commit that a ref of the store leads to.
    pub fn commit_at(&self, name: &str) -> Result<CommitId> {
        let object = self.object_at(name)?;
        self.peel_to_commit(&object)?.with_context(|| format!("{name} is no commit"))
    }

    /// Returns the commits behind which nothing was fetched (gitrepository-layout(5), `shallow`).
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
        let listed = self.command().arg("rev-list").args(heads).arg(format!("^{base}")).listing(&too_long)?;
        listed.lines().map(CommitId::parse).collect::<Result<_, _>>().context("reading a list of commits")
    }

    /// Whether `descendant` contains `ancestor`, as far as the history was fetched.
    pub fn is_ancestor(&self, ancestor: &CommitId, descendant: &CommitId) -> Result<bool> {
        let arguments =
            ["merge-base".to_owned(), "--is-ancestor".to_owned(), ancestor.to_string(), descendant.to_string()];
        let finished = self.command().args(arguments).run()?;
        match finished.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => bail!("`git merge-base` failed: {}", finished.stderr),
        }
    }

    /// Whether the store has the content of `blob`.
    pub fn has(&self, blob: &BlobId) -> bool {
        self.memory.odb().is_ok_and(|odb| odb.exists(oid(blob.as_bytes())))
    }

    /// Returns the commit that `object`, a commit or a tag of any depth, stands for; `None` where it is a tree or blob,
    /// or is not there.
    pub fn peel_to_commit(&self, object: &CommitId) -> Result<Option<CommitId>> {
        let object = match self.repository.find_object(oid(object.as_bytes()), None) {
            Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(None),
            found => found.context("reading an object")?,
        };
        Ok(object.peel_to_commit().ok().map(|commit| CommitId::from_bytes(raw(commit.id()))))
    }

    /// Returns the tree of `commit`.
    pub fn tree_of(&self, commit: &CommitId) -> Result<TreeId> {
        let found = self.repository.find_commit(oid(commit.as_bytes()));
        let found = found.with_context(|| format!("reading commit {commit}"))?;
        Ok(TreeId::from_bytes(raw(found.tree_id())))
    }

    fn tree(&self, id: &TreeId) -> Result<Tree<'_>> {
        self.memory.find_tree(oid(id.as_bytes())).with_context(|| format!("reading tree {id}"))
    }

    /// Returns the content of `blob`; a refusal where it is larger than 256 MiB.
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

    /// Returns the content of the file at `path`, which a refusal names.
    pub fn read_at(&self, path: &RepoPath, file: &File) -> Result<Vec<u8>> {
        self.read(&file.blob).map_err(|error| match error.into_refusal() {
            Ok(refusal) => refusal.about_file(path).into(),
            Err(other) => other,
        })
    }

    /// Keeps `content`, for [`Store::read`].
    pub fn keep(&self, content: &[u8]) -> Result<BlobId> {
        Ok(BlobId::from_bytes(raw(self.memory.blob(content).context("keeping a file")?)))
    }

    /// Returns the file or the directory at `path`.
    pub fn entry(&self, tree: &TreeId, path: &RepoPath) -> Result<Option<TreeEntry>> {
        let mut current = self.tree(tree)?;
        let mut components = path.components().peekable();
        while let Some(name) = components.next() {
            let found = current.get_name_bytes(name);
            let found = found.map(|entry| (entry.id(), entry.filemode_raw(), entry.kind() == Some(ObjectType::Tree)));
            let Some((id, mode, is_tree)) = found else { return Ok(None) };
            match (components.peek(), is_tree) {
                (None, true) => return Ok(Some(TreeEntry::Directory(TreeId::from_bytes(raw(id))))),
                (None, false) => return file(mode, id).map(TreeEntry::File).map(Some),
                (Some(_), true) => current = self.memory.find_tree(id).context("reading a tree")?,
                (Some(_), false) => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Returns all files of `tree`, or with `directory` those below it, by their full paths.
    pub fn files(&self, tree: &TreeId, directory: Option<&RepoPath>) -> Result<FileTree> {
        match directory {
            Some(directory) => self.list(tree, &BTreeSet::from([directory.clone()]), DIRECTORY_LIMIT),
            None => {
                let mut listing = Listing::with_room_for(TREE_LIMIT, "the tree");
                self.collect(tree, b"", RepoPath::MOST_COMPONENTS, &mut listing)?;
                Ok(listing.files)
            }
        }
    }

    /// Returns the files of `tree` that are at or below one of `paths`, by their full paths.
    pub fn files_below(&self, tree: &TreeId, paths: &BTreeSet<RepoPath>) -> Result<FileTree> {
        self.list(tree, paths, TREE_LIMIT)
    }

    fn list(&self, tree: &TreeId, paths: &BTreeSet<RepoPath>, limit: usize) -> Result<FileTree> {
        let mut listing = Listing::with_room_for(limit, "");
        for path in paths {
            match self.entry(tree, path)? {
                Some(TreeEntry::Directory(id)) => {
                    listing.what = quoted(path.as_bytes());
                    let prefix = [path.as_bytes(), b"/"].concat();
                    self.collect(&id, &prefix, RepoPath::MOST_COMPONENTS, &mut listing)?;
                }
                Some(TreeEntry::File(file)) => drop(listing.files.insert(path.clone(), file)),
                None => {}
            }
        }
        Ok(listing.files)
    }

    fn collect(&self, tree: &TreeId, prefix: &[u8], depth: usize, listing: &mut Listing) -> Result<()> {
        if depth == 0 {
            bail!(refused_path(prefix, &PathError::TooDeep));
        }
        for entry in self.tree(tree)?.iter() {
            let path = [prefix, entry.name_bytes()].concat();
            listing.count(&path)?;
            if entry.kind() == Some(ObjectType::Tree) {
                let id = TreeId::from_bytes(raw(entry.id()));
                self.collect(&id, &[&path[..], b"/"].concat(), depth - 1, listing)?;
            } else {
                let path = RepoPath::parse(&path).map_err(|error| refused_path(&path, &error))?;
                listing.files.insert(path, file(entry.filemode_raw(), entry.id())?);
            }
        }
        Ok(())
    }

    /// Returns what `tree` has at each of `paths`. A directory is read once, however many of its files are asked for.
    pub fn files_at<'a>(&self, tree: &TreeId, paths: impl IntoIterator<Item = &'a RepoPath>) -> Result<FileTree> {
        let mut directories: HashMap<Option<RepoPath>, Option<Tree<'_>>> = HashMap::new();
        let mut files = FileTree::new();
        for path in paths {
            let parent = path.parent();
            if !directories.contains_key(&parent) {
                let found = match &parent {
                    None => Some(self.tree(tree)?),
                    Some(parent) => match self.entry(tree, parent)? {
                        Some(TreeEntry::Directory(id)) => Some(self.tree(&id)?),
                        _ => None,
                    },
                };
                directories.insert(parent.clone(), found);
            }
            let directory = directories.get(&parent).and_then(Option::as_ref);
            if let Some(entry) = directory.and_then(|directory| directory.get_name_bytes(path.file_name()))
                && entry.kind() != Some(ObjectType::Tree)
            {
                files.insert(path.clone(), file(entry.filemode_raw(), entry.id())?);
            }
        }
        Ok(files)
    }

    /// Returns `tree` with `changes` made to it: a file put in place, or (`None`) removed. Only the directories on the
    /// way are read and written. A file in the way of a directory gives way, and a directory to a file.
    pub fn tree_with(&self, tree: &TreeId, changes: &BTreeMap<RepoPath, Option<File>>) -> Result<TreeId> {
        tree_in(&self.memory, tree, changes)
    }

    /// Like [`Store::tree_with`], where git processes see the outcome and all that it holds.
    pub fn write_tree_with(&self, tree: &TreeId, changes: &BTreeMap<RepoPath, Option<File>>) -> Result<TreeId> {
        let odb = self.repository.odb().context("opening the object store")?;
        for file in changes.values().flatten().filter(|file| !odb.exists(oid(file.blob.as_bytes()))) {
            self.repository.blob(&self.read(&file.blob)?).context("writing a blob")?;
        }
        tree_in(&self.repository, tree, changes)
    }

    /// Stores a commit of the bot's, made now, where git processes see it.
    pub fn commit(&self, tree: &TreeId, parent: &CommitId, who: &Identity, message: &str) -> Result<CommitId> {
        let signature = Signature::now(&who.name, &who.email).context("using the bot's name and address")?;
        let tree = self.repository.find_tree(oid(tree.as_bytes())).context("reading the new tree")?;
        let parent = self.repository.find_commit(oid(parent.as_bytes())).context("reading the commit to build on")?;
        let made = self.repository.commit(None, &signature, &signature, message, &tree, &[&parent]);
        Ok(CommitId::from_bytes(raw(made.context("writing a commit")?)))
    }

    /// Returns what a commit says of itself.
    pub fn describe(&self, commit: &CommitId) -> Result<Description> {
        let found = self.repository.find_commit(oid(commit.as_bytes()));
        let found = found.with_context(|| format!("reading commit {commit}"))?;
        let (author, committer) = (found.author(), found.committer());
        Ok(Description {
            author_name: author.name_bytes().into(),
            author_email: author.email_bytes().into(),
            tree: TreeId::from_bytes(raw(found.tree_id())),
            parents: found.parent_ids().map(|id| CommitId::from_bytes(raw(id))).collect(),
            committer_email: committer.email_bytes().to_str_lossy().into_owned(),
            message: found.message_raw_bytes().to_str_lossy().into_owned(),
        })
    }

    /// Stores a commit with the tree, the only parent and the message given, and author, committer and dates as in
    /// `like`: what format-patch is asked for where no commit stands for a step by itself, such as for a merge.
    /// Without a message it keeps that of `like`.
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

fn tree_in(repository: &Repository, tree: &TreeId, changes: &BTreeMap<RepoPath, Option<File>>) -> Result<TreeId> {
    let changes: Vec<_> = changes.iter().map(|(path, file)| (path.as_bytes(), file.as_ref())).collect();
    let base = match tree.to_string() == crate::git::process::EMPTY_TREE {
        true => None,
        false => Some(repository.find_tree(oid(tree.as_bytes())).with_context(|| format!("reading tree {tree}"))?),
    };
    let id = match rebuilt(repository, base.as_ref(), &changes)? {
        Some(id) => id,
        None => repository.treebuilder(None).and_then(|b| b.write()).context("writing the empty tree")?,
    };
    Ok(TreeId::from_bytes(raw(id)))
}

/// Returns the tree with the changes made, `None` where nothing is left in it. It calls itself no deeper than a
/// [`RepoPath`] has components.
fn rebuilt(repository: &Repository, base: Option<&Tree<'_>>, changes: &[Change<'_>]) -> Result<Option<Oid>> {
    let mut builder = repository.treebuilder(base).context("starting a tree")?;
    let mut below: BTreeMap<&[u8], Vec<Change<'_>>> = BTreeMap::new();
    let mut here = Vec::new();
    for (path, file) in changes {
        match path.split_once_str(b"/") {
            Some((name, rest)) => below.entry(name).or_default().push((rest, *file)),
            None => here.push((*path, *file)),
        }
    }
    // Removals first, so that a file makes room for a directory of its name.
    for (name, file) in &here {
        if file.is_none() && base.is_some_and(|base| base.get_name_bytes(name).is_some()) {
            builder.remove(name_of(name)?).context("removing from a tree")?;
        }
    }
    for (name, changes) in below {
        let old = base.and_then(|base| base.get_name_bytes(name)).map(|entry| (entry.kind(), entry.id()));
        let subtree = match old {
            Some((Some(ObjectType::Tree), id)) => Some(repository.find_tree(id).context("reading a tree")?),
            _ => None,
        };
        match rebuilt(repository, subtree.as_ref(), &changes)? {
            Some(id) => drop(builder.insert(name_of(name)?, id, 0o040_000).context("adding to a tree")?),
            None if subtree.is_some() => builder.remove(name_of(name)?).context("removing from a tree")?,
            None => {}
        }
    }
    for (name, file) in here {
        if let Some(file) = file {
            let mode = i32::try_from(file.mode.to_git()).unwrap_or(0o100_644);
            builder.insert(name_of(name)?, oid(file.blob.as_bytes()), mode).context("adding to a tree")?;
        }
    }
    if builder.is_empty() { Ok(None) } else { Ok(Some(builder.write().context("writing a tree")?)) }
}

/// Files that are being listed, and how many more may come: a few trees that hold each other many times over have more
/// paths than any memory does. Directories count, for they can be all there is.
struct Listing {
    files: FileTree,
    /// What is listed, for messages.
    what: String,
    limit: usize,
    entries_left: usize,
    bytes_left: usize,
}

impl Listing {
    fn with_room_for(limit: usize, what: &str) -> Self {
        Self { files: FileTree::new(), what: what.to_owned(), limit, entries_left: limit, bytes_left: PATHS_LIMIT }
    }

    fn count(&mut self, path: &[u8]) -> Result<(), Refusal> {
        let left = (self.entries_left.checked_sub(1), self.bytes_left.checked_sub(path.len()));
        let (Some(entries), Some(bytes)) = left else {
            let Self { what, limit, .. } = self;
            let text =
                format!("{what} holds more than {limit} files and directories, or paths that are as long together");
            return Err(Refusal::new(
                text,
                "remove what the package does not need, or bring it by an archive in `sources`",
            ));
        };
        (self.entries_left, self.bytes_left) = (entries, bytes);
        Ok(())
    }
}

/// For a path that somebody committed and that is none to us.
pub(super) fn refused_path(path: &[u8], error: &PathError) -> Refusal {
    Refusal::new(format!("a commit holds {}: {error}", quoted(path)), "remove that file from the branch")
}

/// What a path below some directory becomes.
type Change<'a> = (&'a [u8], Option<&'a File>);

/// Who a commit of the bot's is by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

/// What a commit says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its tree.
    pub tree: TreeId,
    /// Its parents.
    pub parents: Vec<CommitId>,
    /// The author's name.
    pub author_name: BString,
    /// The author's address.
    pub author_email: BString,
    /// The committer's address.
    pub committer_email: String,
    /// The message.
    pub message: String,
}

/// What a tree has at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeEntry {
    /// A file, symbolic link or submodule.
    File(File),
    /// A directory.
    Directory(TreeId),
}

fn name_of(name: &[u8]) -> Result<&std::ffi::OsStr> {
    name.to_os_str().map_err(|_| Error::msg(format!("{} cannot be a file name here", name.as_bstr())))
}

fn file(mode: i32, id: Oid) -> Result<File> {
    let mode = u32::try_from(mode).ok().and_then(FileMode::from_git);
    let mode = mode.ok_or_else(|| anyhow!("object {id} has a file mode that git does not use"))?;
    Ok(File { mode, blob: BlobId::from_bytes(raw(id)) })
}

/// Returns the name that git gives to `content`.
pub(super) fn blob_id(content: &[u8]) -> Result<BlobId> {
    Ok(BlobId::from_bytes(raw(Oid::hash_object(ObjectType::Blob, content).context("hashing a file")?)))
}

/// git2's name of an object.
pub(super) fn oid(bytes: &[u8; 20]) -> Oid {
    Oid::from_bytes(bytes).unwrap_or(Oid::ZERO_SHA1)
}

/// Our name of an object.
pub(super) fn raw(id: Oid) -> [u8; 20] {
    id.as_bytes().try_into().unwrap_or_default()
}

/// Returns `bytes` of a path as the operating system wants them.
pub(super) fn os_path(path: &BStr) -> Result<PathBuf> {
    Ok(path.to_path().map_err(|_| anyhow!("{path} cannot be a path here"))?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_trees_with_paths_without_number_are_not_listed() {
        let store = Store::create(&Git::find(std::ffi::OsStr::new("/usr/local/bin:/usr/bin:/bin")).unwrap()).unwrap();
        let path = |path: &str| RepoPath::parse(path).unwrap();
        let file = File { mode: FileMode::Regular, blob: store.keep(b"x").unwrap() };
        let empty = TreeId::parse(crate::git::process::EMPTY_TREE.as_bytes()).unwrap();
        let mut tree = store.tree_with(&empty, &BTreeMap::from([(path("f"), Some(file))])).unwrap();
        for _ in 0..6 {
            let mut builder = store.memory.treebuilder(None).unwrap();
            for name in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"] {
                builder.insert(name, oid(tree.as_bytes()), 0o040_000).unwrap();
            }
            tree = TreeId::from_bytes(raw(builder.write().unwrap()));
        }
        let refused = |listed: Result<FileTree>| listed.unwrap_err().into_refusal().unwrap().text;
        assert!(refused(store.files(&tree, None)).starts_with("the tree holds more than 500000 files"));
        assert!(refused(store.files(&tree, Some(&path("3")))).starts_with("`3` holds more than 50000 files"));
        let several = ["0", "1", "2", "3", "4", "5"].map(path);
        assert!(refused(store.files_below(&tree, &several.into())).starts_with("`2` holds more than 500000 files"));
        assert_eq!(store.files(&tree, Some(&path("1/2"))).unwrap().len(), 10_000);
    }
}

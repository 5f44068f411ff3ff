//! Writes files into the work tree and index of a clone that a person keeps, and commits them if asked.
//!
//! What the person has there and not committed is theirs: a path with such content stops the whole update before
//! anything is written. No symbolic link is ever followed.

use std::collections::BTreeMap;
use std::fs;
use std::fs::{Metadata, Permissions};
use std::io;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use bstr::ByteSlice as _;

use crate::git::store::{blob_id, os_path};
use crate::git::{LocalRepository, Store};
use crate::types::error::{Context as _, Result, bail};
use crate::types::{BlobId, CommitId, File, FileMode, FileTree, Refusal, RepoPath};

/// What each path becomes: a file, or nothing.
pub type Changes = BTreeMap<RepoPath, Option<File>>;

/// Returns what makes `after` of `before`.
pub fn changes(before: &FileTree, after: &FileTree) -> Changes {
    let gone = before.keys().filter(|path| !after.contains_key(*path)).map(|path| (path.clone(), None));
    let new = after.iter().filter(|(path, file)| before.get(*path) != Some(file));
    gone.chain(new.map(|(path, file)| (path.clone(), Some(*file)))).collect()
}

/// Whether what is in the index already is to be committed along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Only the work tree and index are written.
    Write,
    /// A commit follows, so nothing else may be staged.
    Commit,
}

/// Checks that `changes` to the files of HEAD (`head`) can be made without losing what the person has not committed.
///
/// A path may have, in the index and in the work tree, what HEAD has or what it is to become; anything else is refused.
pub fn check(clone: &LocalRepository, head: &FileTree, changes: &Changes, purpose: Purpose) -> Result<()> {
    let status = read_status(clone)?;
    for (path, want) in changes {
        let old = head.get(path);
        let (staged, modified) = match status.get(path) {
            Some(status) => (status.staged.as_ref(), status.modified),
            None => (old, false),
        };
        let staged_is_known = staged == old || staged == want.as_ref();
        let place = in_clone(clone, path)?;
        let found = look(&place)?;
        let untracked = staged.is_none() && found.is_some();
        let content_is_known = if modified || untracked {
            match found {
                None => want.is_none() || old.is_none(),
                Some(metadata) if metadata.is_dir() => directory_gives_way(clone, path, changes)?,
                Some(metadata) => holds(&place, &metadata, want.as_ref())? || holds(&place, &metadata, old)?,
            }
        } else {
            true
        };
        if !staged_is_known || !content_is_known {
            bail!(refusal(clone, path));
        }
        check_parents(clone, path, changes)?;
    }
    if purpose == Purpose::Commit && is_merging(clone)? {
        bail!(in_a_merge(clone));
    }
    if purpose == Purpose::Commit
        && let Some((path, _)) = status
            .iter()
            .find(|(path, status)| status.staged.as_ref() != head.get(*path) && !changes.contains_key(*path))
    {
        let text = format!("{} has staged changes in {}", path, clone.directory.display());
        bail!(Refusal::new(text, "commit them or take them out of the index (`git restore --staged`), then run again"));
    }
    Ok(())
}

fn refusal(clone: &LocalRepository, path: &RepoPath) -> Refusal {
    let text = format!("{path} in {} has changes that are not committed and would be lost", clone.directory.display());
    Refusal::new(text, "commit, stash or discard them, then run again")
}

/// Writes `changes`, whose content `store` has, into the work tree and the index of `clone`.
pub fn write(clone: &LocalRepository, store: &Store, changes: &Changes) -> Result<()> {
    give_objects(clone, store, changes)?;
    for (path, want) in changes {
        if want.is_none() {
            remove(clone, path)?;
        }
    }
    for (path, want) in changes {
        if let Some(file) = want {
            put(clone, path, *file, || store.read(&file.blob)).with_context(|| format!("writing {path}"))?;
        }
    }
    let mut input = Vec::new();
    for (path, want) in changes {
        let zero = BlobId::from_bytes([0; 20]);
        let (mode, blob) = want.map_or((0, zero), |file| (file.mode.to_git(), file.blob));
        write!(input, "{mode:o} {blob}\t")?;
        input.extend_from_slice(path.as_bytes());
        input.push(0);
    }
    clone.persons_command().args(["update-index", "-z", "--index-info"]).input(input).output()?;
    Ok(())
}

/// Commits what is in the index, as the person, with `message` and the trailer that names the source-git commit.
pub fn commit(clone: &LocalRepository, source: &CommitId, message: &[u8]) -> Result<()> {
    clone
        .persons_command()
        .args(["-c", "trailer.ifexists=replace", "commit", "--quiet", "--file=-"])
        .arg(format!("--trailer=From-source-git-commit: {source}"))
        .input(message.to_vec())
        .output()
        .context("the files are written and staged, but not committed")?;
    Ok(())
}

/// What `git status` says of a path that differs from HEAD.
struct Status {
    staged: Option<File>,
    modified: bool,
}

/// Reads git-status(1), PORCELAIN FORMAT VERSION 2.
fn read_status(clone: &LocalRepository) -> Result<BTreeMap<RepoPath, Status>> {
    let output = clone
        .persons_command()
        .args(["status", "--porcelain=v2", "-z", "--no-renames", "--untracked-files=no", "--ignore-submodules=none"])
        .output()?;
    let mut found = BTreeMap::new();
    for line in output.split(|b| *b == 0).filter(|line| !line.is_empty()) {
        let fields: Vec<_> = line.splitn(9, |b| *b == b' ').collect();
        match fields[..] {
            [b"1", states, _, _, mode, _, _, blob, path] => {
                let path = RepoPath::parse(path).with_context(|| format!("reading {}", path.as_bstr()))?;
                let mode = std::str::from_utf8(mode).ok().and_then(|mode| u32::from_str_radix(mode, 8).ok());
                let blob = BlobId::parse(blob).with_context(|| format!("reading the state of {path}"))?;
                let staged = mode.and_then(FileMode::from_git).map(|mode| File { mode, blob });
                found.insert(path, Status { staged, modified: states.get(1).is_some_and(|state| *state != b'.') });
            }
            [b"u", ..] => bail!(in_a_merge(clone)),
            _ => {}
        }
    }
    Ok(found)
}

/// Whether the next commit would be that of a merge.
fn is_merging(clone: &LocalRepository) -> Result<bool> {
    let found = clone.command().args(["rev-parse", "--verify", "--quiet", "MERGE_HEAD"]).run()?;
    Ok(found.status.success())
}

fn in_a_merge(clone: &LocalRepository) -> Refusal {
    let text = format!("{} is in the middle of a merge", clone.directory.display());
    Refusal::new(text, "finish or abort it, then run again")
}

fn in_clone(clone: &LocalRepository, path: &RepoPath) -> Result<PathBuf> {
    Ok(clone.top.join(os_path(path.as_bstr())?))
}

/// What is at a place, a symbolic link being itself; `None` where there is nothing.
fn look(place: &Path) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(place) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("looking at {}", place.display())),
    }
}

/// Whether the file at `place` is `file`.
fn holds(place: &Path, metadata: &Metadata, file: Option<&File>) -> Result<bool> {
    let Some(file) = file else { return Ok(false) };
    let (mode, content) = if metadata.is_symlink() {
        let target = fs::read_link(place).with_context(|| format!("reading {}", place.display()))?;
        let target = <[u8]>::from_path(&target).ok_or_else(|| anyhow!("{} is not plain bytes", target.display()))?;
        (FileMode::Symlink, target.to_vec())
    } else if metadata.is_file() {
        let executable = metadata.permissions().mode() & 0o100 != 0;
        let content = fs::read(place).with_context(|| format!("reading {}", place.display()))?;
        (if executable { FileMode::Executable } else { FileMode::Regular }, content)
    } else {
        return Ok(false);
    };
    Ok(file.mode == mode && file.blob == blob_id(&content)?)
}

/// Whether everything below the directory at `path` is removed by `changes`.
fn directory_gives_way(clone: &LocalRepository, path: &RepoPath, changes: &Changes) -> Result<bool> {
    let mut directories = vec![path.clone()];
    while let Some(directory) = directories.pop() {
        let place = in_clone(clone, &directory)?;
        for entry in fs::read_dir(&place).with_context(|| format!("listing {}", place.display()))? {
            let entry = entry.with_context(|| format!("listing {}", place.display()))?;
            let name = entry.file_name();
            let name = <[u8]>::from_os_str(&name).ok_or_else(|| anyhow!("a file name is not plain bytes"))?;
            let Ok(below) = directory.join(name) else { return Ok(false) };
            if entry.file_type().context("looking at a file")?.is_dir() {
                directories.push(below);
            } else if changes.get(&below) != Some(&None) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Checks that each directory on the way to `path` is one, or is not there, or is a file that goes.
fn check_parents(clone: &LocalRepository, path: &RepoPath, changes: &Changes) -> Result<()> {
    let mut parent = path.parent();
    while let Some(directory) = parent {
        if let Some(metadata) = look(&in_clone(clone, &directory)?)?
            && !metadata.is_dir()
            && changes.get(&directory) != Some(&None)
        {
            bail!(refusal(clone, &directory));
        }
        parent = directory.parent();
    }
    Ok(())
}

/// Gives the content of `changes` to the object store of `clone`, exactly as it is: `git add` would filter it.
fn give_objects(clone: &LocalRepository, store: &Store, changes: &Changes) -> Result<()> {
    let mut stream = Vec::new();
    for file in changes.values().flatten() {
        let content = store.read(&file.blob)?;
        write!(stream, "blob\ndata {}\n", content.len())?;
        stream.extend_from_slice(&content);
        stream.push(b'\n');
    }
    clone.command().args(["fast-import", "--quiet"]).input(stream).output()?;
    Ok(())
}

/// Removes a file, and the directories that it leaves empty.
fn remove(clone: &LocalRepository, path: &RepoPath) -> Result<()> {
    let place = in_clone(clone, path)?;
    match look(&place)? {
        Some(metadata) if !metadata.is_dir() => {
            fs::remove_file(&place).with_context(|| format!("removing {}", place.display()))?;
        }
        _ => return Ok(()),
    }
    let mut parent = path.parent();
    while let Some(directory) = parent {
        // A directory that still holds something stays; that is no failure.
        if fs::remove_dir(in_clone(clone, &directory)?).is_err() {
            break;
        }
        parent = directory.parent();
    }
    Ok(())
}

/// Puts a file in place: beside it first, then renamed, so that it is there whole or not at all.
fn put(clone: &LocalRepository, path: &RepoPath, file: File, content: impl Fn() -> Result<Vec<u8>>) -> Result<()> {
    let place = in_clone(clone, path)?;
    let mut directory = clone.top.clone();
    let mut components = path.components().peekable();
    while let Some(component) = components.next() {
        if components.peek().is_some() {
            directory.push(os_path(component)?);
            if look(&directory)?.is_none() {
                fs::create_dir(&directory).with_context(|| format!("making {}", directory.display()))?;
            }
        }
    }
    match look(&place)? {
        Some(metadata) if metadata.is_dir() => remove_empty_directories(&place)?,
        Some(metadata) if holds(&place, &metadata, Some(&file))? => return Ok(()),
        _ => {}
    }
    let mode = if file.mode == FileMode::Executable { 0o777 } else { 0o666 };
    let mut builder = tempfile::Builder::new();
    // The person's umask takes its part off these permissions.
    builder.prefix(".source-git-bot-").permissions(Permissions::from_mode(mode));
    let content = content()?;
    match file.mode {
        FileMode::Symlink => {
            let target = os_path(content.as_bstr())?;
            let link = builder.make_in(&directory, |name| symlink(&target, name))?;
            link.into_temp_path().persist(&place)?;
        }
        FileMode::Regular | FileMode::Executable => {
            let mut new = builder.tempfile_in(&directory)?;
            new.write_all(&content)?;
            new.persist(&place)?;
        }
        FileMode::Gitlink => bail!("{path} is a submodule"),
    }
    Ok(())
}

/// Removes a directory that holds nothing but directories.
fn remove_empty_directories(directory: &Path) -> Result<()> {
    let mut found = vec![directory.to_owned()];
    let mut next = 0;
    while let Some(directory) = found.get(next).cloned() {
        for entry in fs::read_dir(&directory).with_context(|| format!("listing {}", directory.display()))? {
            found.push(entry.context("listing a directory")?.path());
        }
        next += 1;
    }
    for directory in found.iter().rev() {
        fs::remove_dir(directory).with_context(|| format!("removing {}", directory.display()))?;
    }
    Ok(())
}

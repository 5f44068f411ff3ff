//! Writes files into the work tree and index of a clone that a person keeps, and commits them if asked.
//!
//! Uncommitted changes belong to the person: if one would be lost, the whole update is refused before anything is
//! written. No symbolic link is ever followed.

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

/// What each path becomes: a file, or `None` for one that is removed.
pub type Changes = BTreeMap<RepoPath, Option<File>>;

/// Returns the changes that turn `before` into `after`.
pub fn changes(before: &FileTree, after: &FileTree) -> Changes {
    let gone = before.keys().filter(|path| !after.contains_key(*path)).map(|path| (path.clone(), None));
    let new = after.iter().filter(|(path, file)| before.get(*path) != Some(file));
    gone.chain(new.map(|(path, file)| (path.clone(), Some(*file)))).collect()
}

/// Whether a commit follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Only write the work tree and the index.
    Write,
    /// Commit as well, so nothing else may be staged.
    Commit,
}

/// Checks that `changes` to the files of HEAD (`head`) lose nothing that the person has not committed.
///
/// In both the index and the work tree, a changed path may have its content in HEAD or its new content. Anything else
/// is refused.
pub fn check(clone: &LocalRepository, head: &FileTree, changes: &Changes, purpose: Purpose) -> Result<()> {
    let status = read_status(clone)?;
    for (path, want) in changes {
        let old = head.get(path);
        let (staged, modified) = match status.get(path) {
            Some(status) => (status.staged.as_ref(), status.modified),
            None => (old, false),
        };
        let staged_is_known = staged == old || staged == want.as_ref();
        let place = path_in_clone(clone, path)?;
        let found = metadata_at(&place)?;
        let untracked = staged.is_none() && found.is_some();
        let content_is_known = if modified || untracked {
            match found {
                None => want.is_none() || old.is_none(),
                Some(metadata) if metadata.is_dir() => is_directory_removed(clone, path, changes)?,
                Some(metadata) => {
                    matches_file(&place, &metadata, want.as_ref())? || matches_file(&place, &metadata, old)?
                }
            }
        } else {
            true
        };
        if !staged_is_known || !content_is_known {
            bail!(uncommitted_changes(clone, path));
        }
        check_parents(clone, path, changes)?;
    }
    if purpose == Purpose::Commit && is_merging(clone)? {
        bail!(during_a_merge(clone));
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

/// Returns the refusal for a path whose uncommitted changes would be lost.
fn uncommitted_changes(clone: &LocalRepository, path: &RepoPath) -> Refusal {
    let text = format!("{path} in {} has changes that are not committed and would be lost", clone.directory.display());
    Refusal::new(text, "commit, stash or discard them, then run again")
}

/// Writes `changes` into the work tree and the index of `clone`. `store` has the content of the files.
pub fn write(clone: &LocalRepository, store: &Store, changes: &Changes) -> Result<()> {
    import_blobs(clone, store, changes)?;
    for (path, want) in changes {
        if want.is_none() {
            remove_file(clone, path)?;
        }
    }
    for (path, want) in changes {
        if let Some(file) = want {
            write_file(clone, path, *file, || store.read(&file.blob)).with_context(|| format!("writing {path}"))?;
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
    clone.command_as_person().args(["update-index", "-z", "--index-info"]).input(input).output()?;
    Ok(())
}

/// Commits the index as the person, with `message` and a trailer that names the source-git commit `source`.
pub fn commit(clone: &LocalRepository, source: &CommitId, message: &[u8]) -> Result<()> {
    clone
        .command_as_person()
        .args(["-c", "trailer.ifexists=replace", "commit", "--quiet", "--file=-"])
        .arg(format!("--trailer=From-source-git-commit: {source}"))
        .input(message.to_vec())
        .output()
        .context("the files are written and staged, but not committed")?;
    Ok(())
}

/// The state of a path that differs from HEAD in the index or in the work tree.
struct PathStatus {
    /// The file in the index.
    staged: Option<File>,
    /// Whether the work tree differs from the index.
    modified: bool,
}

/// Runs `git status` and parses its output (git-status(1), PORCELAIN FORMAT VERSION 2).
fn read_status(clone: &LocalRepository) -> Result<BTreeMap<RepoPath, PathStatus>> {
    let output = clone
        .command_as_person()
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
                found.insert(path, PathStatus { staged, modified: states.get(1).is_some_and(|state| *state != b'.') });
            }
            [b"u", ..] => bail!(during_a_merge(clone)),
            _ => {}
        }
    }
    Ok(found)
}

/// Whether the next commit would be a merge.
fn is_merging(clone: &LocalRepository) -> Result<bool> {
    let output = clone.command().args(["rev-parse", "--verify", "--quiet", "MERGE_HEAD"]).run()?;
    Ok(output.status.success())
}

/// Returns the refusal for a clone in the middle of a merge.
fn during_a_merge(clone: &LocalRepository) -> Refusal {
    let text = format!("{} is in the middle of a merge", clone.directory.display());
    Refusal::new(text, "finish or abort it, then run again")
}

fn path_in_clone(clone: &LocalRepository, path: &RepoPath) -> Result<PathBuf> {
    Ok(clone.top.join(os_path(path.as_bstr())?))
}

/// Returns the metadata of what is at `place`, of a symbolic link itself if it is one; `None` if there is nothing.
fn metadata_at(place: &Path) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(place) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("looking at {}", place.display())),
    }
}

/// Whether mode and content of the file at `place` are those of `file`.
fn matches_file(place: &Path, metadata: &Metadata, file: Option<&File>) -> Result<bool> {
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

/// Whether `changes` remove everything below the directory at `path`.
fn is_directory_removed(clone: &LocalRepository, path: &RepoPath, changes: &Changes) -> Result<bool> {
    let mut directories = vec![path.clone()];
    while let Some(directory) = directories.pop() {
        let place = path_in_clone(clone, &directory)?;
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

/// Checks that everything on the way to `path` is a directory, does not exist, or is a file that `changes` remove.
fn check_parents(clone: &LocalRepository, path: &RepoPath, changes: &Changes) -> Result<()> {
    let mut parent = path.parent();
    while let Some(directory) = parent {
        if let Some(metadata) = metadata_at(&path_in_clone(clone, &directory)?)?
            && !metadata.is_dir()
            && changes.get(&directory) != Some(&None)
        {
            bail!(uncommitted_changes(clone, &directory));
        }
        parent = directory.parent();
    }
    Ok(())
}

/// Adds the content of the files in `changes` to the objects of `clone`, byte for byte. `git add` would filter it.
fn import_blobs(clone: &LocalRepository, store: &Store, changes: &Changes) -> Result<()> {
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

/// Removes a file, and the directories that become empty.
fn remove_file(clone: &LocalRepository, path: &RepoPath) -> Result<()> {
    let place = path_in_clone(clone, path)?;
    match metadata_at(&place)? {
        Some(metadata) if !metadata.is_dir() => {
            fs::remove_file(&place).with_context(|| format!("removing {}", place.display()))?;
        }
        _ => return Ok(()),
    }
    let mut parent = path.parent();
    while let Some(directory) = parent {
        // A directory that is not empty stays. That is no failure.
        if fs::remove_dir(path_in_clone(clone, &directory)?).is_err() {
            break;
        }
        parent = directory.parent();
    }
    Ok(())
}

/// Writes a file: beside its place first, then renamed, so that it is there completely or not at all.
fn write_file(
    clone: &LocalRepository,
    path: &RepoPath,
    file: File,
    content: impl Fn() -> Result<Vec<u8>>,
) -> Result<()> {
    let place = path_in_clone(clone, path)?;
    let mut directory = clone.top.clone();
    let mut components = path.components().peekable();
    while let Some(component) = components.next() {
        if components.peek().is_some() {
            directory.push(os_path(component)?);
            if metadata_at(&directory)?.is_none() {
                fs::create_dir(&directory).with_context(|| format!("making {}", directory.display()))?;
            }
        }
    }
    match metadata_at(&place)? {
        Some(metadata) if metadata.is_dir() => remove_empty_directories(&place)?,
        Some(metadata) if matches_file(&place, &metadata, Some(&file))? => return Ok(()),
        _ => {}
    }
    let mode = if file.mode == FileMode::Executable { 0o777 } else { 0o666 };
    let mut builder = tempfile::Builder::new();
    // The person's umask is applied to these permissions.
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

/// Removes a directory that contains only directories.
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

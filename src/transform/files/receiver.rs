//! The receiver's side of the transfer: where the sent files land in dist-git, and which files go.

use std::collections::BTreeMap;

use bstr::{BStr, ByteSlice as _};

use crate::transform::files::filter::EntryKind;
use crate::transform::files::item::{Delete, MakePath};
use crate::transform::files::obstacle::{TransferEnd, not_a_directory, refuse_file_on_the_way};
use crate::transform::files::open_directories::OpenDirectories;
use crate::transform::files::plan::{PathForm, PlannedItem};
use crate::transform::files::sender::{SentEntries, SentFile};
use crate::transform::files::tree::{self, PathKind};
use crate::types::{FileMode, FileTree, Finding, Refusal, RepoPath, Subject};

/// Whether the transfer may change dist-git's own CI files, `sources` and top-level `.git*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiverFiles {
    /// They are copied, overwritten and deleted as the configuration says.
    Carried,
    /// They stay as they are in dist-git, whatever the configuration says, and none is created.
    ///
    /// Only `sources` and `.git*` other than `.gitlab*` are written if a `src` names exactly that file.
    StayOwn,
}

/// What [`crate::transform::files::sync()`] returns.
#[derive(Clone, Debug)]
pub struct CopiedFiles {
    /// The files of dist-git after the transfer.
    pub files: FileTree,
    /// All paths in dist-git of each file of source-git that an item put into `files`.
    pub placed: BTreeMap<RepoPath, Vec<RepoPath>>,
    pub findings: Vec<Finding>,
}

/// Where the sent files land.
#[derive(Debug)]
pub(super) enum TransferTarget {
    /// Below this directory; `None` means the top.
    Directory(Option<RepoPath>),
    /// At this path: there is only one file.
    File(RepoPath),
}

/// Returns what `dest` means, which depends on what is there and on how much is sent, as in rsync.
///
/// An item that sends nothing can be refused here too.
pub(super) fn transfer_target(
    item: &PlannedItem,
    sent: &SentEntries<'_>,
    dist: &FileTree,
) -> Result<TransferTarget, Refusal> {
    let Some(dest) = &item.dest.path else { return Ok(TransferTarget::Directory(None)) };
    refuse_file_on_the_way(dist, dest, TransferEnd::DistGit)?;
    let only_a_directory = sent.count == 1 && sent.files.is_empty();
    match tree::kind(dist, Some(dest)) {
        PathKind::Directory => Ok(TransferTarget::Directory(Some(dest.clone()))),
        // rsync would follow the link or replace it, depending on the target of the link.
        PathKind::File(file) if matches!(file.mode, FileMode::Symlink | FileMode::Gitlink) => {
            Err(not_a_directory(dest, file, TransferEnd::DistGit))
        }
        PathKind::File(file) if item.dest.form == PathForm::Directory => {
            Err(not_a_directory(dest, file, TransferEnd::DistGit))
        }
        PathKind::File(_) if sent.count > 1 || only_a_directory => Err(Refusal::new(
            format!("files_to_sync item {} needs a directory as `dest`, and dist-git has a file there", item.number),
            "give another `dest`, or delete the file in dist-git",
        )
        .about_file(dest)),
        PathKind::File(_) => Ok(TransferTarget::File(dest.clone())),
        PathKind::Nothing => {
            let parent = dest.parent();
            if item.mkpath == MakePath::LastComponent && matches!(tree::kind(dist, parent.as_ref()), PathKind::Nothing)
            {
                return Err(Refusal::new(
                    format!("the parent directory of `dest` of files_to_sync item {} does not exist", item.number),
                    "add `mkpath: true` to the item",
                )
                .about_file(dest));
            }
            Ok(if sent.count > 1 || item.dest.form == PathForm::Directory {
                TransferTarget::Directory(Some(dest.clone()))
            } else {
                TransferTarget::File(dest.clone())
            })
        }
    }
}

/// What the transfer does with a directory of dist-git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DirectoryFate {
    /// The directory is `dest`, and entries of it are transferred, but not the directory itself.
    OnlyEntries,
    /// The directory is transferred: files that the sender does not have may go.
    Transferred,
    /// The directory is below a transferred one and is not transferred: all files that no rule protects go.
    Doomed,
    /// The path of the directory is needed for a file.
    InTheWay,
    /// The directory is protected, or the transfer does not concern it.
    Stays,
}

/// dist-git while the items are applied to it.
#[derive(Debug)]
pub(super) struct Receiver<'a> {
    pub(super) files: FileTree,
    /// The file of source-git for each path of dist-git that an item wrote.
    origins: BTreeMap<RepoPath, &'a RepoPath>,
    receiver_files: ReceiverFiles,
    /// dist-git's own files that stay, each with what the items would have done to it.
    kept: BTreeMap<RepoPath, &'static str>,
    pub(super) findings: Vec<Finding>,
}

impl<'a> Receiver<'a> {
    pub(super) fn new(dist: &FileTree, receiver_files: ReceiverFiles) -> Self {
        Self {
            files: dist.clone(),
            origins: BTreeMap::new(),
            receiver_files,
            kept: BTreeMap::new(),
            findings: Vec::new(),
        }
    }

    /// Applies one item.
    pub(super) fn receive(
        &mut self,
        item: &PlannedItem,
        sent: &SentEntries<'a>,
        target: &TransferTarget,
    ) -> Result<(), Refusal> {
        let directory = match target {
            // rsync would make a single sent directory here, without files. git has no empty directories.
            TransferTarget::File(path) => {
                return sent.files.values().try_for_each(|sent| self.write(path.clone(), sent));
            }
            TransferTarget::Directory(directory) => directory.as_ref(),
        };
        for path in self.files_to_remove(item, sent, directory)? {
            if self.receiver_files == ReceiverFiles::StayOwn && ownership(&path) != Ownership::Shared {
                self.kept.insert(path, "deleted");
            } else {
                self.files.remove(&path);
                self.origins.remove(&path);
            }
        }
        for (name, sent) in &sent.files {
            // Name and directory come from two paths. Together they can be too long.
            let path = directory.map_or_else(|| RepoPath::parse(name), |directory| directory.join(name));
            let path = path.map_err(|error| {
                let text = format!("files_to_sync item {} would put this file where {error}", item.number);
                Refusal::new(text, "give a shorter `dest`").about_file(sent.path)
            })?;
            self.write(path, sent)?;
        }
        Ok(())
    }

    /// Returns the files of dist-git that are deleted, and those that make room for a directory or a file.
    fn files_to_remove(
        &self,
        item: &PlannedItem,
        sent: &SentEntries<'_>,
        directory: Option<&RepoPath>,
    ) -> Result<Vec<RepoPath>, Refusal> {
        let deletes = item.delete == Delete::Extraneous;
        let may_go = |name: &BStr, kind| deletes && !item.rules.protects(name, kind);
        let top = if sent.includes_dest { DirectoryFate::Transferred } else { DirectoryFate::OnlyEntries };
        let mut open = OpenDirectories::new(top);
        let mut to_remove = Vec::new();
        for (path, name, file) in tree::below(&self.files, directory) {
            let fate = open.enter(name, |parent, directory| match parent {
                DirectoryFate::OnlyEntries | DirectoryFate::Transferred if sent.directories.contains(directory) => {
                    DirectoryFate::Transferred
                }
                DirectoryFate::OnlyEntries | DirectoryFate::Transferred if sent.files.contains_key(directory) => {
                    DirectoryFate::InTheWay
                }
                DirectoryFate::Transferred | DirectoryFate::Doomed if may_go(directory, EntryKind::Directory) => {
                    DirectoryFate::Doomed
                }
                DirectoryFate::InTheWay if may_go(directory, EntryKind::Directory) => DirectoryFate::InTheWay,
                _ => DirectoryFate::Stays,
            });
            let goes = match fate {
                DirectoryFate::OnlyEntries | DirectoryFate::Transferred if sent.directories.contains(name) => {
                    if file.mode == FileMode::Gitlink {
                        return Err(not_a_directory(path, file, TransferEnd::DistGit));
                    }
                    true
                }
                DirectoryFate::OnlyEntries | DirectoryFate::Transferred if sent.files.contains_key(name) => false,
                DirectoryFate::Transferred | DirectoryFate::Doomed | DirectoryFate::InTheWay => {
                    may_go(name, EntryKind::File)
                }
                DirectoryFate::OnlyEntries | DirectoryFate::Stays => false,
            };
            if goes {
                to_remove.push(path.clone());
            }
        }
        Ok(to_remove)
    }

    fn write(&mut self, path: RepoPath, sent: &SentFile<'a>) -> Result<(), Refusal> {
        let stays = match ownership(&path) {
            Ownership::Shared => false,
            Ownership::ReceiversUnlessNamed => !sent.named,
            Ownership::Receivers => true,
        };
        let present = self.files.get(&path);
        if self.receiver_files == ReceiverFiles::StayOwn && stays {
            if present != Some(sent.file) {
                self.kept.insert(path, if present.is_some() { "overwritten" } else { "created" });
            }
            return Ok(());
        }
        if present.is_some_and(|file| file.mode == FileMode::Gitlink) {
            return Err(Refusal::new(
                "files_to_sync would put a file where dist-git has a submodule",
                "remove the submodule from dist-git, or exclude the file by a filter",
            )
            .about_file(&path));
        }
        if let Some((inside, _, _)) = tree::below(&self.files, Some(&path)).next() {
            return Err(Refusal::new(
                format!("files_to_sync would put a file where dist-git has a directory, and {inside} is to stay"),
                "delete the directory in dist-git, set `delete: true` without a filter that protects it, or exclude \
                 the file by a filter",
            )
            .about_file(&path));
        }
        self.files.insert(path.clone(), *sent.file);
        self.origins.insert(path, sent.path);
        Ok(())
    }

    pub(super) fn finish(mut self) -> CopiedFiles {
        self.findings.extend(self.kept.into_iter().map(|(path, what)| {
            Finding::note(format!("dist-git's own stays: files_to_sync would have {what} it"))
                .about(Subject::File(path))
        }));
        let mut placed = BTreeMap::<RepoPath, Vec<RepoPath>>::new();
        for (path, origin) in self.origins {
            placed.entry(origin.clone()).or_default().push(path);
        }
        CopiedFiles { files: self.files, placed, findings: self.findings }
    }
}

/// Who decides about a file of dist-git under [`ReceiverFiles::StayOwn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ownership {
    Shared,
    ReceiversUnlessNamed,
    Receivers,
}

/// dist-git owns the files at its top that GitLab or git read, and `sources`, the list of its archives.
fn ownership(path: &RepoPath) -> Ownership {
    match path.components().next().map(|top| top.as_bytes()) {
        Some(top) if top.starts_with(b".gitlab") => Ownership::Receivers,
        Some(top) if top == b"sources" || top.starts_with(b".git") => Ownership::ReceiversUnlessNamed,
        _ => Ownership::Shared,
    }
}

//! The transfer itself: for each item the list of what is sent, where it lands, and what goes.

use std::collections::{BTreeMap, BTreeSet};

use bstr::{BStr, BString, ByteSlice as _};

use crate::transform::files::filter::{FilterRules, Kind};
use crate::transform::files::tree::{self, Entry};
use crate::transform::files::{CopyPlan, Delete, Form, GivenPath, MakePath, PlannedItem, glob};
use crate::types::{File, FileMode, FileTree, Finding, Refusal, RepoPath, Subject};

/// Whether dist-git's own CI files, `sources` and top-level `.git*` are part of the transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiverFiles {
    /// They are carried, overwritten and deleted as the configuration says.
    Carried,
    /// They stay as they are in dist-git, whatever the configuration says, and are not created either. Only `sources`
    /// and `.git*` other than `.gitlab*` are written where an item names that very file as its `src`.
    StayOwn,
}

/// What [`fn@sync`] returns.
#[derive(Clone, Debug)]
pub struct CopiedFiles {
    /// The files of dist-git after the transfer.
    pub files: FileTree,
    /// For each file of source-git that is in `files` because an item put it there: all its places in dist-git.
    pub placed: BTreeMap<RepoPath, Vec<RepoPath>>,
    /// What a person should know.
    pub findings: Vec<Finding>,
}

/// Carries the files of `source` into `dist` as `plan` says, each item seeing the result of the one before.
///
/// Refused is what makes rsync end with an error: a `dest` whose parent is missing without `mkpath`, a file where a
/// directory must be, a directory with files in the way of a file where they are not to be deleted, a `src` below a
/// directory that does not exist; and paths through symbolic links, and submodules in the way.
pub fn sync(
    plan: &CopyPlan,
    source: &FileTree,
    dist: &FileTree,
    receiver_files: ReceiverFiles,
) -> Result<CopiedFiles, Refusal> {
    let mut state = State {
        files: dist.clone(),
        origins: BTreeMap::new(),
        receiver_files,
        kept: BTreeMap::new(),
        findings: Vec::new(),
    };
    for item in &plan.items {
        let sent = Sent::collect(item, source, &mut state.findings)?;
        if !item.sources.is_empty() {
            let target = target(item, &sent, &state.files)?;
            state.receive(item, &sent, &target)?;
        }
    }
    Ok(state.finish())
}

/// A file on its way.
#[derive(Clone, Copy, Debug)]
struct SentFile<'a> {
    path: &'a RepoPath,
    file: &'a File,
    /// Whether a `src` is this very file, without a glob.
    named: bool,
}

/// What the sender's side of one item comes to; names are those in the transfer, below `dest`.
#[derive(Debug, Default)]
struct Sent<'a> {
    files: BTreeMap<BString, SentFile<'a>>,
    directories: BTreeSet<BString>,
    /// Whether `dest` itself is one of the transferred directories, by a `src` that means the contents of one.
    contents: bool,
    /// All entries, directories too and those of equal names each: on their number depends what `dest` means.
    count: usize,
}

impl<'a> Sent<'a> {
    fn collect(item: &PlannedItem, source: &'a FileTree, findings: &mut Vec<Finding>) -> Result<Self, Refusal> {
        let mut sent = Self::default();
        for given in &item.sources {
            let Some(path) = given.path.as_ref().filter(|path| glob::has_wildcard(path.as_bytes())) else {
                sent.add(item, given, source, true)?;
                continue;
            };
            let expansion = glob::expand(path, source, given.form == Form::Directory);
            findings.extend(expansion.links.iter().map(|link| {
                Finding::warning(format!("files_to_sync item {} does not follow this symbolic link", item.number))
                    .about(Subject::File(link.clone()))
                    .remedy("name the link's target in `src`")
            }));
            if expansion.paths.is_empty() {
                sent.add(item, given, source, true)?;
            }
            for path in expansion.paths {
                sent.add(item, &GivenPath { path: Some(path), form: given.form }, source, false)?;
            }
        }
        // Of two equal names rsync takes the first, but a directory before all files.
        sent.files.retain(|name, _| !sent.directories.contains(name));
        Ok(sent)
    }

    fn add(&mut self, item: &PlannedItem, given: &GivenPath, source: &'a FileTree, named: bool) -> Result<(), Refusal> {
        if let Some(path) = &given.path {
            refuse_file_on_the_way(source, path, Repository::SourceGit)?;
        }
        let path = given.path.as_ref();
        match (tree::entry(source, path), path, given.form) {
            (Entry::Directory, None, _) | (Entry::Directory, Some(_), Form::Directory) => {
                self.contents = true;
                self.count = self.count.saturating_add(1);
                self.walk(&item.rules, 0, tree::below(source, path))
            }
            (Entry::Directory, Some(path), Form::Plain) => {
                let above = path.as_bytes().len().saturating_sub(path.file_name().len());
                let below = tree::below(source, Some(path));
                self.walk(&item.rules, above, below.map(|(path, _, file)| (path, path.as_bstr(), file)))
            }
            (Entry::File(_), Some(path), Form::Plain) => match source.get_key_value(path) {
                Some((path, file)) => self.add_file(&item.rules, path, path.file_name(), file, named),
                None => Ok(()),
            },
            (Entry::File(file), Some(path), Form::Directory) => Err(not_a_directory(path, file, Repository::SourceGit)),
            (Entry::Nothing, Some(path), form) => {
                // rsync's --ignore-missing-args is about the last component alone.
                let directory = if form == Form::Directory { Some(path.clone()) } else { path.parent() };
                match directory {
                    Some(directory) if matches!(tree::entry(source, Some(&directory)), Entry::Nothing) => {
                        Err(Refusal::new(
                            format!(
                                "files_to_sync item {} reads a directory that source-git does not have",
                                item.number
                            ),
                            "correct its `src`, or take it out of files_to_sync",
                        )
                        .about_file(&directory))
                    }
                    _ => Ok(()),
                }
            }
            (Entry::File(_) | Entry::Nothing, None, _) => Ok(()),
        }
    }

    /// Adds what the rules show of files in path order, each with a name of which the first `skip` bytes are not part.
    fn walk(
        &mut self,
        rules: &FilterRules,
        skip: usize,
        files: impl Iterator<Item = (&'a RepoPath, &'a BStr, &'a File)>,
    ) -> Result<(), Refusal> {
        let mut open = OpenDirectories::new(Seen::Shown);
        for (path, name, file) in files {
            let name = name.get(skip..).unwrap_or_default().as_bstr();
            let seen = open.enter(name, |parent, directory| {
                if parent == Seen::Hidden || rules.hides(directory, Kind::Directory) {
                    return Seen::Hidden;
                }
                self.count = self.count.saturating_add(1);
                self.directories.insert(directory.to_owned());
                Seen::Shown
            });
            if seen == Seen::Shown {
                self.add_file(rules, path, name, file, false)?;
            }
        }
        Ok(())
    }

    fn add_file(
        &mut self,
        rules: &FilterRules,
        path: &'a RepoPath,
        name: &BStr,
        file: &'a File,
        named: bool,
    ) -> Result<(), Refusal> {
        if rules.hides(name, Kind::File) {
            return Ok(());
        }
        if file.mode == FileMode::Gitlink {
            return Err(Refusal::new(
                "files_to_sync would carry a submodule, whose content is not in source-git",
                "put the files themselves there, or exclude the submodule by a filter",
            )
            .about_file(path));
        }
        self.count = self.count.saturating_add(1);
        self.files.entry(name.to_owned()).or_insert(SentFile { path, file, named });
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Shown,
    Hidden,
}

/// The directories that lead to the current one of a series of names in path order, and what is known of each.
///
/// All that is below a directory stands together in such a series, so that each directory is asked about once.
#[derive(Debug)]
struct OpenDirectories<T> {
    top: T,
    /// The name entered last; the directories are beginnings of it.
    name: BString,
    /// Where the name of each directory ends, outermost first.
    stack: Vec<(usize, T)>,
}

impl<T: Copy> OpenDirectories<T> {
    fn new(top: T) -> Self {
        Self { top, name: BString::default(), stack: Vec::new() }
    }

    /// Goes to the directory of `name` and returns what is known of it; `judge` is asked about each one entered,
    /// with what is known of its parent.
    fn enter(&mut self, name: &BStr, mut judge: impl FnMut(T, &BStr) -> T) -> T {
        let shared = self.name.iter().zip(name.iter()).take_while(|(old, new)| old == new).count();
        // A directory stays open where its slash too is shared.
        while self.stack.last().is_some_and(|(end, _)| *end >= shared) {
            self.stack.pop();
        }
        let (entered, mut known) =
            self.stack.last().map_or((0, self.top), |(end, known)| (end.saturating_add(1), *known));
        for (end, _) in name.bytes().enumerate().skip(entered).filter(|(_, byte)| *byte == b'/') {
            known = judge(known, name.get(..end).unwrap_or_default().as_bstr());
            self.stack.push((end, known));
        }
        self.name = name.to_owned();
        known
    }
}

/// Where the sent names go.
#[derive(Debug)]
enum Target {
    /// Below this directory; `None` is the top.
    Directory(Option<RepoPath>),
    /// The only file takes this path.
    File(RepoPath),
}

/// Decides what `dest` means, by what is there and how much is sent, as rsync does; so even where nothing is sent.
fn target(item: &PlannedItem, sent: &Sent<'_>, dist: &FileTree) -> Result<Target, Refusal> {
    let Some(dest) = &item.dest.path else { return Ok(Target::Directory(None)) };
    refuse_file_on_the_way(dist, dest, Repository::DistGit)?;
    let only_a_directory = sent.count == 1 && sent.files.is_empty();
    match tree::entry(dist, Some(dest)) {
        Entry::Directory => Ok(Target::Directory(Some(dest.clone()))),
        // rsync would go where the link leads, or replace it, by what is there.
        Entry::File(file) if matches!(file.mode, FileMode::Symlink | FileMode::Gitlink) => {
            Err(not_a_directory(dest, file, Repository::DistGit))
        }
        Entry::File(file) if item.dest.form == Form::Directory => Err(not_a_directory(dest, file, Repository::DistGit)),
        Entry::File(_) if sent.count > 1 || only_a_directory => Err(Refusal::new(
            format!("files_to_sync item {} needs a directory as `dest`, and dist-git has a file there", item.number),
            "give another `dest`, or delete the file in dist-git",
        )
        .about_file(dest)),
        Entry::File(_) => Ok(Target::File(dest.clone())),
        Entry::Nothing => {
            let parent = dest.parent();
            if item.mkpath == MakePath::LastComponent && matches!(tree::entry(dist, parent.as_ref()), Entry::Nothing) {
                return Err(Refusal::new(
                    format!("the parent directory of `dest` of files_to_sync item {} does not exist", item.number),
                    "add `mkpath: true` to the item",
                )
                .about_file(dest));
            }
            Ok(if sent.count > 1 || item.dest.form == Form::Directory {
                Target::Directory(Some(dest.clone()))
            } else {
                Target::File(dest.clone())
            })
        }
    }
}

/// What is known of a directory of dist-git while its files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// `dest` where only some of its entries are in the transfer, not itself.
    Beside,
    /// In the transfer: what the source does not have may go.
    Transferred,
    /// Not in the transfer, below one that is: all that is not protected goes.
    Doomed,
    /// A file is to be where this directory is.
    InTheWay,
    /// Protected, or none of the transfer's business.
    Left,
}

struct State<'a> {
    files: FileTree,
    /// Where each file of dist-git that an item placed is from.
    origins: BTreeMap<RepoPath, &'a RepoPath>,
    receiver_files: ReceiverFiles,
    /// The receiver's own files that the items would have changed, and what they would have done.
    kept: BTreeMap<RepoPath, &'static str>,
    findings: Vec<Finding>,
}

impl<'a> State<'a> {
    fn receive(&mut self, item: &PlannedItem, sent: &Sent<'a>, target: &Target) -> Result<(), Refusal> {
        let directory = match target {
            // A lone directory would be made under this name, with nothing in it.
            Target::File(path) => return sent.files.values().try_for_each(|sent| self.place(path.clone(), sent)),
            Target::Directory(directory) => directory.as_ref(),
        };
        for path in self.leaving(item, sent, directory)? {
            if self.receiver_files == ReceiverFiles::StayOwn && ownership(&path) != Ownership::Shared {
                self.kept.insert(path, "deleted");
            } else {
                self.files.remove(&path);
                self.origins.remove(&path);
            }
        }
        for (name, sent) in &sent.files {
            // A name is the end of a path, and `directory` is another: together they can be too long.
            let path = directory.map_or_else(|| RepoPath::parse(name), |directory| directory.join(name));
            let path = path.map_err(|error| {
                let text = format!("files_to_sync item {} would put this file where {error}", item.number);
                Refusal::new(text, "give a shorter `dest`").about_file(sent.path)
            })?;
            self.place(path, sent)?;
        }
        Ok(())
    }

    /// Returns the files of dist-git that go: deleted, or replaced by something of another type.
    fn leaving(
        &self,
        item: &PlannedItem,
        sent: &Sent<'_>,
        directory: Option<&RepoPath>,
    ) -> Result<Vec<RepoPath>, Refusal> {
        let deletes = item.delete == Delete::Extraneous;
        let goes = |name: &BStr, kind| deletes && !item.rules.protects(name, kind);
        let top = if sent.contents { Standing::Transferred } else { Standing::Beside };
        let mut open = OpenDirectories::new(top);
        let mut leaving = Vec::new();
        for (path, name, file) in tree::below(&self.files, directory) {
            let standing = open.enter(name, |parent, directory| match parent {
                Standing::Beside | Standing::Transferred if sent.directories.contains(directory) => {
                    Standing::Transferred
                }
                Standing::Beside | Standing::Transferred if sent.files.contains_key(directory) => Standing::InTheWay,
                Standing::Transferred | Standing::Doomed if goes(directory, Kind::Directory) => Standing::Doomed,
                Standing::InTheWay if goes(directory, Kind::Directory) => Standing::InTheWay,
                _ => Standing::Left,
            });
            let goes = match standing {
                Standing::Beside | Standing::Transferred if sent.directories.contains(name) => {
                    if file.mode == FileMode::Gitlink {
                        return Err(not_a_directory(path, file, Repository::DistGit));
                    }
                    true
                }
                Standing::Beside | Standing::Transferred if sent.files.contains_key(name) => false,
                Standing::Transferred | Standing::Doomed | Standing::InTheWay => goes(name, Kind::File),
                Standing::Beside | Standing::Left => false,
            };
            if goes {
                leaving.push(path.clone());
            }
        }
        Ok(leaving)
    }

    fn place(&mut self, path: RepoPath, sent: &SentFile<'a>) -> Result<(), Refusal> {
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

    fn finish(mut self) -> CopiedFiles {
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

/// Who has the say over a file of dist-git under [`ReceiverFiles::StayOwn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ownership {
    Shared,
    ReceiversUnlessNamed,
    Receivers,
}

/// What GitLab or git read at the top of dist-git is dist-git's own, and so is the list of its archives.
fn ownership(path: &RepoPath) -> Ownership {
    match path.components().next().map(|top| top.as_bytes()) {
        Some(top) if top.starts_with(b".gitlab") => Ownership::Receivers,
        Some(top) if top == b"sources" || top.starts_with(b".git") => Ownership::ReceiversUnlessNamed,
        _ => Ownership::Shared,
    }
}

#[derive(Clone, Copy, Debug)]
enum Repository {
    SourceGit,
    DistGit,
}

fn refuse_file_on_the_way(tree: &FileTree, path: &RepoPath, repository: Repository) -> Result<(), Refusal> {
    match tree::file_on_the_way(tree, path) {
        Some((path, file)) => Err(not_a_directory(&path, file, repository)),
        None => Ok(()),
    }
}

fn not_a_directory(path: &RepoPath, file: &File, repository: Repository) -> Refusal {
    let (repository, key) = match repository {
        Repository::SourceGit => ("source-git", "src"),
        Repository::DistGit => ("dist-git", "dest"),
    };
    let what = match file.mode {
        FileMode::Regular | FileMode::Executable => "a file",
        FileMode::Symlink => "a symbolic link",
        FileMode::Gitlink => "a submodule",
    };
    Refusal::new(
        format!("files_to_sync needs a directory here, and {repository} has {what}"),
        format!("give a `{key}` that does not lead through it"),
    )
    .about_file(path)
}

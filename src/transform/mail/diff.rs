//! What a diff in git's extended format changes, file by file.

use std::collections::HashSet;

use bstr::{BString, ByteSlice as _};

use crate::transform::mail::format::{MailError, diff_start};
use crate::types::{FileMode, RepoPath};

/// The first line of a Git LFS pointer. The rest of its format does not matter here.
const LFS_VERSION: &[u8] = b"version https://git-lfs.github.com/spec/v1";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchedFile {
    /// The path before the change; `None` for a new file.
    pub old: Option<RepoPath>,
    /// The path after the change; `None` for a deleted file.
    pub new: Option<RepoPath>,
    /// The mode before the change, if the diff shows it.
    pub old_mode: Option<FileMode>,
    /// The mode after the change, if the diff shows it.
    pub new_mode: Option<FileMode>,
    /// The change is a `GIT binary patch`, or git found binary content and left it out.
    pub binary: bool,
    /// The file was renamed or copied from `old`.
    pub renamed: bool,
    /// The old or the new content is a Git LFS pointer.
    pub lfs_pointer: bool,
    /// There is a hunk of text.
    pub has_hunks: bool,
}

impl PatchedFile {
    /// Returns the path after the change, or the path before it if the file is deleted.
    pub fn path(&self) -> Option<&RepoPath> {
        self.new.as_ref().or(self.old.as_ref())
    }

    /// Returns the path before the change and the path after it, without those that do not exist.
    pub fn paths(&self) -> impl Iterator<Item = &RepoPath> {
        self.old.iter().chain(&self.new)
    }

    /// Whether the path is a submodule, before or after the change.
    pub fn is_gitlink(&self) -> bool {
        [self.old_mode, self.new_mode].contains(&Some(FileMode::Gitlink))
    }

    /// Whether the mode changes of a file that exists before and after.
    pub fn changes_mode(&self) -> bool {
        self.old.is_some() && self.new.is_some() && self.old_mode != self.new_mode
    }
}

/// Returns the files that a defused mail changes, in their order.
///
/// Names may have `a/` and `b/` or not, and may be quoted or not. git-diff(1) describes the format.
pub fn diff_of(mail: &[u8]) -> Result<Vec<PatchedFile>, MailError> {
    let mut files = Vec::new();
    let mut current: Option<FileDiffReader<'_>> = None;
    for line in mail.get(diff_start(mail)..).unwrap_or_default().lines() {
        if let Some(names) = line.strip_prefix(b"diff --git ") {
            let file = current.replace(FileDiffReader { names, ..FileDiffReader::default() });
            files.extend(file.map(FileDiffReader::finish).transpose()?);
        } else if let Some(file) = &mut current {
            file.read(line)?;
        }
    }
    files.extend(current.map(FileDiffReader::finish).transpose()?);
    Ok(files)
}

/// Returns the first file that a mail creates, deletes or renames after an earlier mail changed it.
///
/// `mails` share one patch file. `git apply` takes a patch file for a single change, in which all names are those from
/// before the change. `git am` applies one mail after the other.
pub fn moved_after_a_change(mails: &[Vec<PatchedFile>]) -> Option<&PatchedFile> {
    let mut touched = HashSet::new();
    for files in mails {
        let names = |file: &'_ PatchedFile| [file.old.clone(), file.new.clone()].into_iter().flatten();
        let moved = files.iter().find(|file| file.old != file.new && names(file).any(|name| touched.contains(&name)));
        if moved.is_some() {
            return moved;
        }
        touched.extend(files.iter().flat_map(names));
    }
    None
}

/// What was read so far of the part of a diff that is about one file.
#[derive(Default)]
struct FileDiffReader<'a> {
    names: &'a [u8],
    file: PatchedFile,
    from: Option<BString>,
    to: Option<BString>,
    is_new: bool,
    is_deleted: bool,
    /// The next old line is the first line of the file.
    first_old: bool,
    /// The next new line is the first line of the file.
    first_new: bool,
}

impl FileDiffReader<'_> {
    fn read(&mut self, line: &[u8]) -> Result<(), MailError> {
        if line.starts_with(b"@@ -") {
            self.file.has_hunks = true;
            (self.first_old, self.first_new) = (begins_at_first_line(line, b"@@ -"), begins_at_first_line(line, b" +"));
        } else if self.file.has_hunks {
            self.read_content(line);
        } else if !self.file.binary {
            self.read_header(line)?;
        }
        Ok(())
    }

    fn read_content(&mut self, line: &[u8]) {
        let (old, new) = match line.first() {
            Some(b'-') => (true, false),
            Some(b'+') => (false, true),
            Some(b' ') => (true, true),
            _ => return,
        };
        if (old && self.first_old) || (new && self.first_new) {
            self.file.lfs_pointer |= line.get(1..).is_some_and(|line| line.trim_end() == LFS_VERSION);
        }
        self.first_old &= !old;
        self.first_new &= !new;
    }

    fn read_header(&mut self, line: &[u8]) -> Result<(), MailError> {
        let file = &mut self.file;
        if let Some(mode) = line.strip_prefix(b"old mode ") {
            file.old_mode = Some(parse_mode(mode)?);
        } else if let Some(mode) = line.strip_prefix(b"new mode ") {
            file.new_mode = Some(parse_mode(mode)?);
        } else if let Some(mode) = line.strip_prefix(b"new file mode ") {
            file.new_mode = Some(parse_mode(mode)?);
            self.is_new = true;
        } else if let Some(mode) = line.strip_prefix(b"deleted file mode ") {
            file.old_mode = Some(parse_mode(mode)?);
            self.is_deleted = true;
        } else if let Some(name) = line.strip_prefix(b"rename from ").or(line.strip_prefix(b"copy from ")) {
            self.from = Some(parse_name(name)?);
        } else if let Some(name) = line.strip_prefix(b"rename to ").or(line.strip_prefix(b"copy to ")) {
            self.to = Some(parse_name(name)?);
        } else if let Some(rest) = line.strip_prefix(b"index ") {
            if let Some((_, mode)) = rest.split_once_str(" ") {
                file.old_mode = Some(parse_mode(mode)?);
                file.new_mode = file.old_mode;
            }
        } else if line == b"GIT binary patch" || (line.starts_with(b"Binary files ") && line.ends_with(b" differ")) {
            file.binary = true;
        }
        Ok(())
    }

    fn finish(self) -> Result<PatchedFile, MailError> {
        let path = |name: BString| RepoPath::parse(name).map_err(|_| MailError::Diff);
        let mut file = self.file;
        if let (Some(from), Some(to)) = (self.from, self.to) {
            (file.old, file.new) = (Some(path(from)?), Some(path(to)?));
            file.renamed = true;
        } else {
            let path = path(common_name(self.names).ok_or(MailError::Diff)?)?;
            file.old = (!self.is_new).then(|| path.clone());
            file.new = (!self.is_deleted).then_some(path);
        }
        Ok(file)
    }
}

fn begins_at_first_line(hunk: &[u8], sign: &[u8]) -> bool {
    let number = hunk.find(sign).and_then(|at| hunk.get(at + sign.len()..));
    number.is_some_and(|number| matches!(number, [b'1'] | [b'1', b' ' | b',', ..]))
}

fn parse_mode(mode: &[u8]) -> Result<FileMode, MailError> {
    let number = std::str::from_utf8(mode).ok().and_then(|mode| u32::from_str_radix(mode.trim(), 8).ok());
    number.and_then(FileMode::from_git).ok_or(MailError::Diff)
}

/// Reads a name that is the whole rest of its line.
fn parse_name(name: &[u8]) -> Result<BString, MailError> {
    if !name.starts_with(b"\"") {
        return Ok(name.into());
    }
    match unquote(name) {
        Some((name, b"")) => Ok(name),
        _ => Err(MailError::Diff),
    }
}

/// Returns the name that both halves of `diff --git a/name b/name` have in common.
fn common_name(names: &[u8]) -> Option<BString> {
    let (left, right) = if names.starts_with(b"\"") {
        let (left, rest) = unquote(names)?;
        (left, parse_name(rest.strip_prefix(b" ")?).ok()?)
    } else {
        let (left, right) = names.split_at_checked(names.len() / 2)?;
        (left.into(), right.strip_prefix(b" ")?.into())
    };
    if left == right {
        return Some(left);
    }
    let name = left.strip_prefix(b"a/")?;
    (right.strip_prefix(b"b/")? == name).then(|| name.into())
}

/// Reads a name that git has put in C-style quotes, and returns it with the text after it.
fn unquote(text: &[u8]) -> Option<(BString, &[u8])> {
    let mut name = BString::default();
    let mut rest = text.strip_prefix(b"\"")?;
    loop {
        let byte;
        (byte, rest) = match rest {
            [b'"', after @ ..] => return Some((name, after)),
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] => {
                let digit = |d: &u8| d & 7;
                ((digit(a) << 6) | (digit(b) << 3) | digit(c), after)
            }
            [b'\\', escaped, after @ ..] => (escape(*escaped)?, after),
            [plain, after @ ..] => (*plain, after),
            [] => return None,
        };
        name.push(byte);
    }
}

fn escape(letter: u8) -> Option<u8> {
    Some(match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b't' => b'\t',
        b'n' => b'\n',
        b'v' => 0x0b,
        b'f' => 0x0c,
        b'r' => b'\r',
        b'"' | b'\\' => letter,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(diff: &str) -> PatchedFile {
        let files = diff_of(format!("From x\n\ntext\n---\n f | 1 +\n\n{diff}").as_bytes()).unwrap();
        assert_eq!(files.len(), 1);
        files.into_iter().next().unwrap()
    }

    fn path(path: &str) -> Option<RepoPath> {
        Some(RepoPath::parse(path).unwrap())
    }

    #[test]
    fn an_edit_has_one_name_and_one_mode() {
        let file =
            one("diff --git a/my file b/my file\nindex 1..2 100755\n--- a/my file\t\n+++ b/my file\t\n@@ -1 +1 @@\n\
             --- a/x\n+++ b/y\n");
        assert_eq!((&file.old, &file.new), (&path("my file"), &path("my file")));
        assert_eq!((file.old_mode, file.new_mode), (Some(FileMode::Executable), Some(FileMode::Executable)));
        assert!(file.has_hunks && !file.binary && !file.renamed && !file.changes_mode() && !file.lfs_pointer);
    }

    #[test]
    fn a_name_may_be_quoted_or_without_prefix() {
        let name =
            |names: &str| one(&format!("diff --git {names}\nnew file mode 100644\n")).new.unwrap().as_bytes().to_vec();
        assert_eq!(name(r#""a/\303\244\t\"" "b/\303\244\t\"""#), "ä\t\"".as_bytes());
        assert_eq!(name("a/x a/x"), b"a/x");
        assert_eq!(name("a/a b/b b/a b/b"), b"a b/b");
        assert_eq!(name("x x"), b"x");
    }

    #[test]
    fn files_are_created_deleted_renamed_and_change_their_mode() {
        let new = one("diff --git a/n b/n\nnew file mode 120000\nindex 0..1\n");
        assert_eq!((new.old.as_ref(), new.path(), new.new_mode), (None, path("n").as_ref(), Some(FileMode::Symlink)));
        let gone = one("diff --git a/n b/n\ndeleted file mode 100644\nindex 1..0\n");
        assert_eq!((gone.path(), gone.new.as_ref()), (path("n").as_ref(), None));
        let moved = one("diff --git a/x b/\"y\nsimilarity index 100%\nrename from x\nrename to \"y\\\\z\"\n");
        assert_eq!((moved.old, moved.new, moved.renamed), (path("x"), path("y\\z"), true));
        assert!(one("diff --git a/x b/x\nold mode 100644\nnew mode 100755\n").changes_mode());
    }

    #[test]
    fn submodules_and_binary_changes_are_recognized() {
        let update = "diff --git a/s b/s\nindex 1..2 160000\n--- a/s\n+++ b/s\n@@ -1 +1 @@\n-Subproject commit 1\n\
                      +Subproject commit 2\n";
        assert!(one(update).is_gitlink());
        assert!(one("diff --git a/s b/s\nnew file mode 160000\n").is_gitlink());
        assert!(one("diff --git a/b b/b\nindex 1..2 100644\nGIT binary patch\nliteral 1\nrename from x\n").binary);
    }

    #[test]
    fn a_large_file_pointer_is_recognized_by_its_first_line() {
        let head = "diff --git a/b b/b\nindex 1..2 100644\n--- a/b\n+++ b/b\n";
        let version = "version https://git-lfs.github.com/spec/v1";
        assert!(
            one(&format!("{head}@@ -1,3 +1,3 @@\n {version}\n-oid sha256:1\n+oid sha256:2\n size 1\n")).lfs_pointer
        );
        assert!(one(&format!("{head}@@ -1,3 +1 @@\n-{version}\n-oid sha256:1\n-size 1\n+content\n")).lfs_pointer);
        assert!(one(&format!("{head}@@ -1 +1,3 @@\n-content\n+{version}\n+oid sha256:1\n+size 1\n")).lfs_pointer);
        assert!(one(&format!("{head}@@ -0,0 +1,3 @@\n+{version}\n+oid sha256:1\n+size 1\n")).lfs_pointer);
        assert!(!one(&format!("{head}@@ -1,2 +1,2 @@\n a\n-b\n+{version}\n")).lfs_pointer);
        assert!(!one(&format!("{head}@@ -10 +10 @@\n-{version}\n+x\n")).lfs_pointer);
    }

    #[test]
    fn what_git_does_not_write_is_an_error_or_nothing() {
        assert_eq!(diff_of(b""), Ok(vec![]));
        for names in ["", "a", "a/x b/y", "\"a/x", "\"a/\\9\" \"b/\\9\"", "a/../x b/../x", "a/ b/"] {
            assert_eq!(diff_of(format!("diff --git {names}\n").as_bytes()), Err(MailError::Diff), "{names}");
        }
        assert_eq!(diff_of(b"diff --git a/x b/x\nold mode 9\n"), Err(MailError::Diff));
    }
}

//! The downstream commits: those between the upstream ref and the commit that becomes dist-git content.

use std::collections::BTreeSet;

use bstr::{BString, ByteSlice as _};

use crate::git::Store;
use crate::types::error::{Context as _, Result, bail};
use crate::types::{CommitId, Refusal, RepoPath, TreeId};

/// The most bytes that `git log` may print for all commits together.
const LOG_LIMIT: usize = 192 << 20;

/// The longest message of one commit, in bytes: a hundred times the longest that people write.
const MESSAGE_LIMIT: usize = 1 << 20;

/// A commit between the upstream ref and the head.
#[derive(Clone, Debug)]
pub struct DownstreamCommit {
    pub id: CommitId,
    /// More than one for a merge.
    pub parents: Vec<CommitId>,
    pub tree: TreeId,
    /// In UTF-8 if git knows the encoding.
    pub author_name: BString,
    pub author_email: BString,
    /// In UTF-8 if git knows the encoding.
    pub message: BString,
    /// The subject in the form that git uses in file names (`%f` of git-log(1)).
    pub file_subject: BString,
    /// The files it changes, a renamed file under both its names; empty for a merge.
    pub files: Vec<RepoPath>,
}

impl DownstreamCommit {
    pub fn is_merge(&self) -> bool {
        self.parents.len() > 1
    }

    /// Returns what git takes as the subject: the first paragraph of the message, on one line.
    pub fn subject(&self) -> BString {
        let lines = self.message.lines().skip_while(|line| line.trim().is_empty());
        let lines: Vec<_> = lines.take_while(|line| !line.trim().is_empty()).map(|line| line.trim()).collect();
        bstr::join(" ", lines).into()
    }
}

/// The commits of `upstream..head`, including merges, in topological order, oldest first.
#[derive(Clone, Debug)]
pub struct History {
    /// The commit that the upstream ref leads to.
    pub upstream: CommitId,
    /// The commit that becomes dist-git content.
    pub head: CommitId,
    pub commits: Vec<DownstreamCommit>,
}

impl History {
    /// Reads the commits from `store`.
    ///
    /// A history in which `upstream` is not an ancestor of `head` is refused: patches against something that the head
    /// does not contain would revert upstream's own changes. A history that was cut (`shallow`) in between is refused
    /// as well, because then neither this nor the list of commits can be determined.
    pub fn read(store: &Store, upstream: &CommitId, head: &CommitId, shallow: &[CommitId]) -> Result<Self> {
        let log = store
            .command()
            .args(["log", "--topo-order", "--reverse", "-z", "--raw", "-r", "--no-abbrev", "--no-renames"])
            .args([
                "--no-show-signature",
                "--encoding=UTF-8",
                "--format=tformat:%H%x00%P%x00%T%x00%an%x00%ae%x00%f%x00%B%x00",
            ])
            .args([format!("{upstream}..{head}"), "--".to_owned()])
            .output_limit(LOG_LIMIT)
            .run()?;
        let commits = parse(&log.stdout)?;
        if log.truncated {
            let text = format!("the messages of upstream..head are longer than {} MiB together", LOG_LIMIT >> 20);
            bail!(Refusal::new(text, "shorten the commit messages"));
        }
        if !log.status.success() {
            bail!("listing the commits of upstream..head failed: {}", log.stderr);
        }
        // A commit without its parents would count its whole tree as a change, so it is refused in any case.
        let cut: BTreeSet<_> = shallow.iter().collect();
        if commits.iter().any(|commit| cut.contains(&commit.id)) {
            bail!(Refusal::new(
                "cannot tell which commits lie between the upstream ref and the head: the clone is shallow",
                "fetch more of the history, for example with `git fetch --unshallow`",
            ));
        }
        let reached = head == upstream || commits.iter().any(|commit| commit.parents.contains(upstream));
        if !reached {
            bail!(not_an_ancestor(store, upstream, head)?);
        }
        Ok(Self { upstream: *upstream, head: *head, commits })
    }

    pub fn merges(&self) -> impl Iterator<Item = &DownstreamCommit> {
        self.commits.iter().filter(|commit| commit.is_merge())
    }
}

/// Returns the refusal for an upstream ref that is not an ancestor of the head.
fn not_an_ancestor(store: &Store, upstream: &CommitId, head: &CommitId) -> Result<Refusal> {
    let base = store.command().args(["merge-base", &upstream.to_string(), &head.to_string()]).run()?;
    Ok(if base.stdout.trim().is_empty() {
        Refusal::new(
            format!(
                "commit {} and the upstream ref (commit {}) have no history in common",
                head.short(),
                upstream.short()
            ),
            "set `upstream_ref` in .distro/source-git.yaml to the tag or branch that the downstream commits sit on",
        )
    } else {
        Refusal::new(
            format!("commit {} does not contain the upstream ref (commit {})", head.short(), upstream.short()),
            "rebase the downstream commits on it, or set `upstream_ref` in .distro/source-git.yaml to the tag or commit \
             that they sit on",
        )
    })
}

/// Parses the output of `git log -z --raw` with the format above.
///
/// It has seven fields and an empty one, each ended by NUL, and then for each file `:mode mode blob blob status` and
/// its path (git-diff(1), RAW OUTPUT FORMAT). No field can contain a NUL.
fn parse(log: &[u8]) -> Result<Vec<DownstreamCommit>> {
    let mut fields = log.split(|b| *b == 0).peekable();
    let mut commits: Vec<DownstreamCommit> = Vec::new();
    while let Some(id) = fields.next() {
        if id.is_empty() {
            continue;
        }
        let id = CommitId::parse(id).context("reading the list of commits")?;
        let mut next = |what: &str| fields.next().with_context(|| format!("commit {id} has no {what} in the list"));
        let parents = next("parents")?.fields().map(CommitId::parse).collect::<Result<_, _>>();
        let parents = parents.context("reading the list of commits")?;
        let tree = TreeId::parse(next("tree")?).context("reading the list of commits")?;
        let (author_name, author_email) = (next("author")?.into(), next("address")?.into());
        let file_subject = next("subject")?.into();
        let message = next("message")?;
        if message.len() > MESSAGE_LIMIT {
            let text = format!("its message has more than {MESSAGE_LIMIT} bytes");
            bail!(Refusal::new(text, "shorten the message (`git rebase -i`, `reword`)").about_commit(&id));
        }
        let mut commit = DownstreamCommit {
            id,
            parents,
            tree,
            author_name,
            author_email,
            message: message.into(),
            file_subject,
            files: Vec::new(),
        };
        fields.next_if(|field| field.is_empty());
        while fields.next_if(|field| field.trim_start().starts_with(b":")).is_some() {
            let path = fields.next().with_context(|| format!("commit {id} has a change without a file"))?;
            let path = RepoPath::parse(path).map_err(|error| {
                let remedy = "remove that file from the history";
                Refusal::new(format!("it changes {}: {error}", crate::types::finding::quoted(path)), remedy)
                    .about_commit(&id)
            })?;
            commit.files.push(path);
        }
        commits.push(commit);
    }
    Ok(commits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    #[test]
    fn commits_are_read_with_their_files() {
        let log = format!(
            "{A}\0{B}\0{A}\0An Author\0a@example.com\0Subject\0Subject\n\nBody\n\0\0\n:100644 160000 {A} {B} T\0lib\0:000000 100644 {A} {B} A\0:odd\0\
             {B}\0{A} {B}\0{A}\0\0\0\0\0\0"
        );
        let commits = parse(log.as_bytes()).unwrap();
        assert_eq!(commits.len(), 2);
        assert_eq!(commits[0].files.iter().map(ToString::to_string).collect::<Vec<_>>(), ["lib", ":odd"]);
        assert_eq!(commits[0].subject(), "Subject");
        assert!(commits[1].is_merge());
        assert!(commits[1].files.is_empty());
    }

    #[test]
    fn a_list_cut_short_is_an_error_not_a_panic() {
        let log = format!("{A}\0{B}\0{A}\0An Author\0a@example.com\0Subject\0Subject\0\0\n:100644 100644 {A} {B} M");
        assert!(parse(log.as_bytes()).is_err());
        for end in 0..log.len() {
            drop(parse(&log.as_bytes()[..end]));
        }
    }

    #[test]
    fn a_message_without_end_is_refused_by_its_commit() {
        let log = format!("{A}\0{B}\0{A}\0An Author\0a@example.com\0Subject\0{}", "x".repeat(MESSAGE_LIMIT + 1));
        let error = parse(log.as_bytes()).unwrap_err();
        assert_eq!(error.into_refusal().unwrap().subject.unwrap().to_string(), "commit aaaaaaaaaa");
    }
}

//! A clone that a person keeps on this machine: what it has, without changing it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bstr::ByteSlice as _;

use super::process::Git;
use super::store::os_path;
use crate::exit::UsageError;
use crate::transform::{CommitId, Refusal};

/// A clone, and what was checked out in it when it was opened.
#[derive(Clone, Debug)]
pub struct LocalRepository {
    /// The directory that the person named.
    pub directory: PathBuf,
    /// The top of the work tree.
    pub top: PathBuf,
    /// The commit that is checked out.
    pub head: CommitId,
    /// Where its objects are.
    pub objects: PathBuf,
    /// Commits whose parents were not fetched.
    pub shallow: Vec<CommitId>,
    git: Git,
}

/// What a name in `upstream_ref` was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedRef {
    /// The name, without `refs/tags/` and the like.
    pub name: String,
    /// The object it names: a commit, or a tag that leads to one.
    pub object: CommitId,
}

impl LocalRepository {
    /// Opens the clone whose work tree holds `directory`. An error names `role`, which is what the person calls it.
    pub fn open(git: &Git, directory: &Path, role: &str) -> Result<Self> {
        let named = format!("{role} {}", directory.display());
        if !directory.is_dir() {
            bail!(UsageError {
                text: format!("{named} is not a directory"),
                hint: format!("name the directory of a {role} clone"),
            });
        }
        let finished = git
            .in_clone(directory)
            .args([
                "rev-parse",
                "--path-format=absolute",
                "--show-object-format",
                "--show-toplevel",
                "--git-common-dir",
            ])
            .args(["--verify", "--end-of-options", "HEAD^{commit}"])
            .run()?;
        let lines: Vec<_> = finished.stdout.lines().collect();
        let [format, top, common, .., head] = lines[..] else {
            let without_commit = finished.stdout.lines().count() == 3;
            bail!(match without_commit {
                true => UsageError {
                    text: format!("{named} has no commit checked out"),
                    hint: "check out the branch that is meant".into()
                },
                false => UsageError {
                    text: format!("{named} is not a git clone with a work tree: {}", finished.stderr),
                    hint: format!("name the directory of a {role} clone that is not bare"),
                },
            });
        };
        if format != b"sha1" {
            bail!(UsageError {
                text: format!("{named} uses {} for object names", format.as_bstr()),
                hint: "use a clone with sha1 names: no other are supported".into(),
            });
        }
        let common = os_path(common.as_bstr())?;
        let shallow = match std::fs::read(common.join("shallow")) {
            Ok(lines) => lines.lines().map(CommitId::parse).collect::<Result<_, _>>().context("reading `shallow`")?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).with_context(|| format!("reading {}", common.join("shallow").display())),
        };
        Ok(Self {
            directory: directory.to_owned(),
            top: os_path(top.as_bstr())?,
            head: CommitId::parse(head).with_context(|| format!("reading HEAD of {}", directory.display()))?,
            objects: common.join("objects"),
            shallow,
            git: git.clone(),
        })
    }

    /// A git command in the clone, with its configuration and nobody's else.
    pub fn command(&self) -> super::process::GitCommand {
        self.git.in_clone(&self.top)
    }

    /// A git command in the clone as the person would type it.
    pub fn persons_command(&self) -> super::process::GitCommand {
        self.git.as_person(&self.top)
    }

    /// Finds what `upstream_ref` names: a tag before a branch, one of the clone's own branches before one of a
    /// remote's; a pattern has to fit exactly one; else a commit's full name.
    pub fn resolve(&self, upstream_ref: &str) -> Result<ResolvedRef> {
        if !is_ref_name_or_pattern(upstream_ref) {
            let text = format!("`upstream_ref` is {}, which cannot be a tag or branch", quoted(upstream_ref));
            bail!(Refusal::new(text, "set it to a tag, a branch or a full commit id"));
        }
        let listed = self
            .command()
            .args(["for-each-ref", "--format=%(objectname) %(refname)"])
            .args(
                ["refs/tags/", "refs/heads/", "refs/remotes/", "refs/remotes/*/"]
                    .map(|place| format!("{place}{upstream_ref}")),
            )
            .output()?;
        let (mut tags, mut branches, mut remote_branches) = (Vec::new(), Vec::new(), Vec::new());
        for line in listed.lines() {
            let Some((object, name)) = line.split_once_str(b" ") else { continue };
            let object = CommitId::parse(object).context("reading the list of refs")?;
            let name = name.to_str_lossy();
            if let Some(tag) = name.strip_prefix("refs/tags/") {
                tags.push(ResolvedRef { name: tag.to_owned(), object });
            } else if let Some(branch) = name.strip_prefix("refs/heads/") {
                branches.push(ResolvedRef { name: branch.to_owned(), object });
            } else if let Some(branch) = name.strip_prefix("refs/remotes/") {
                remote_branches.push(ResolvedRef { name: branch.to_owned(), object });
            }
        }
        if !upstream_ref.contains(['*', '?', '[']) {
            // A name without a pattern also lists what lies below a directory of that name.
            tags.retain(|tag| tag.name == upstream_ref);
            branches.retain(|branch| branch.name == upstream_ref);
            let origin = format!("origin/{upstream_ref}");
            remote_branches.retain(|branch| {
                branch.name == upstream_ref || branch.name.split_once('/').is_some_and(|(_, name)| name == upstream_ref)
            });
            if remote_branches.iter().any(|branch| branch.name == origin) {
                remote_branches.retain(|branch| branch.name == origin);
            }
        }
        for found in [tags, branches, remote_branches] {
            match &found[..] {
                [] => {}
                [one] => return Ok(one.clone()),
                [one, rest @ ..] if rest.iter().all(|other| other.object == one.object) => return Ok(one.clone()),
                many => {
                    let names: Vec<_> = many.iter().take(5).map(|one| quoted(&one.name)).collect();
                    let text = format!("`upstream_ref` {} fits {} refs", quoted(upstream_ref), many.len());
                    let remedy = format!("set it to exactly one of them, such as {}", names.join(", "));
                    bail!(Refusal::new(text, remedy));
                }
            }
        }
        if let Ok(object) = upstream_ref.parse() {
            return Ok(ResolvedRef { name: upstream_ref.to_owned(), object });
        }
        let text = format!(
            "`upstream_ref` {} is neither a tag nor a branch of {}",
            quoted(upstream_ref),
            self.directory.display()
        );
        bail!(Refusal::new(
            text,
            "fetch it (`git fetch --tags`), or correct `upstream_ref` in .distro/source-git.yaml"
        ));
    }
}

fn quoted(text: &str) -> String {
    crate::transform::finding::quoted(text.as_bytes())
}

/// Says whether git could have a ref of this name (git-check-ref-format(1)), or of a name that fits this pattern.
fn is_ref_name_or_pattern(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name.contains("..")
        && !name.contains("//")
        && !name.contains("@{")
        && !name.starts_with(['/', '-'])
        && !name.ends_with(['/', '.'])
        && !name.chars().any(|c| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_git_could_have_as_a_ref_is_looked_up() {
        for good in ["v1", "24.10", "upstream/main", "v1.*", "release-[0-9]", "v1@x"] {
            assert!(is_ref_name_or_pattern(good), "{good}");
        }
        for bad in ["", "-v", "a..b", "HEAD^{/x}", "a b", "v1~1", "HEAD@{1}", "a:b", "/v1", "v1/", "x\ny", "a\\b"] {
            assert!(!is_ref_name_or_pattern(bad), "{bad}");
        }
    }
}

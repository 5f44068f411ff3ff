//! Resolves the `upstream_ref` of a package configuration.
//!
//! Clones and servers share one rule. Tags come before branches, and local branches before those of a remote. A pattern
//! must match exactly one ref. Anything else must be a full commit id. Pure: callers list the refs.

use crate::types::finding::quoted;
use crate::types::{CommitId, Refusal};

/// What an `upstream_ref` was resolved to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedRef {
    /// The name without a prefix such as `refs/tags/`.
    pub name: String,
    /// The full name of the ref; `None` for a commit id.
    pub full_name: Option<String>,
    /// The object that the ref points to: a commit, or a tag that leads to one.
    pub object: CommitId,
}

/// Where the refs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefPlace {
    /// In a person's clone, where the branches of its remotes count too.
    Clone,
    Server,
}

/// Returns patterns (git-for-each-ref(1), git-ls-remote(1)) that match every ref that `upstream_ref` can mean.
pub fn patterns(upstream_ref: &str, place: RefPlace) -> Result<Vec<String>, Refusal> {
    if !is_ref_name_or_pattern(upstream_ref) {
        let text = format!("`upstream_ref` is {}, which cannot be a tag or branch", quoted(upstream_ref.as_bytes()));
        return Err(Refusal::new(text, "set it to a tag, a branch or a full commit id"));
    }
    if short_name(upstream_ref) != upstream_ref {
        return Ok(vec![upstream_ref.to_owned()]);
    }
    let places: &[&str] = match place {
        RefPlace::Clone => &["refs/tags/", "refs/heads/", "refs/remotes/", "refs/remotes/*/"],
        RefPlace::Server => &["refs/tags/", "refs/heads/"],
    };
    Ok(places.iter().map(|place| format!("{place}{upstream_ref}")).collect())
}

/// Chooses the ref that `upstream_ref` means among `refs` (full names and objects), which match its [`patterns`].
///
/// `place` says where they were listed, for messages.
pub fn choose(upstream_ref: &str, refs: Vec<(String, CommitId)>, place: &str) -> Result<ResolvedRef, Refusal> {
    let upstream_ref = short_name(upstream_ref);
    let (mut tags, mut branches, mut remote_branches) = (Vec::new(), Vec::new(), Vec::new());
    for (full_name, object) in refs {
        for (start, list) in
            [("refs/tags/", &mut tags), ("refs/heads/", &mut branches), ("refs/remotes/", &mut remote_branches)]
        {
            if let Some(name) = full_name.strip_prefix(start) {
                list.push(ResolvedRef { name: name.to_owned(), full_name: Some(full_name.clone()), object });
            }
        }
    }
    if !upstream_ref.contains(['*', '?', '[']) {
        // A plain name also matches refs below a directory of that name, and refs whose names end in it.
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
            [one, rest @ ..] if rest.iter().all(|other| other.object == one.object) => return Ok(one.clone()),
            many => {
                let names: Vec<_> = many.iter().take(5).map(|one| quoted(one.name.as_bytes())).collect();
                let text = format!("`upstream_ref` {} fits {} refs", quoted(upstream_ref.as_bytes()), many.len());
                let remedy = format!("set it to exactly one of them, such as {}", names.join(", "));
                return Err(Refusal::new(text, remedy));
            }
        }
    }
    if let Ok(object) = upstream_ref.parse() {
        return Ok(ResolvedRef { name: upstream_ref.to_owned(), full_name: None, object });
    }
    let text = format!("`upstream_ref` {} is neither a tag nor a branch of {place}", quoted(upstream_ref.as_bytes()));
    Err(Refusal::new(text, "fetch it (`git fetch --tags`), or correct `upstream_ref` in .distro/source-git.yaml"))
}

/// Removes `refs/tags/` or `refs/heads/` from the start of a name.
fn short_name(upstream_ref: &str) -> &str {
    let rest = upstream_ref.strip_prefix("refs/tags/").or_else(|| upstream_ref.strip_prefix("refs/heads/"));
    rest.unwrap_or(upstream_ref)
}

/// Whether `name` is a valid name of a ref (git-check-ref-format(1)), or a pattern that such a name can match.
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

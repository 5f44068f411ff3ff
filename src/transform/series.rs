//! The patch series: which patch files there are, what they hold, in which order, and what the spec is told of them.
//!
//! Commits become patch files one by one, in their order, unless their messages say otherwise. Whether a series
//! applies is not known here: that is proven with git, on the bytes that come out of this module.

use std::collections::BTreeMap;

use bstr::BString;
use serde::Serialize;

use crate::transform::message::{MetadataSource, PatchFileName, PatchMetadata};
use crate::types::finding::quoted;
use crate::types::{CommitId, Finding, Refusal, RepoPath, Subject};

/// Whether paths in a patch begin with `a/` and `b/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefix {
    /// They do: the patch is applied with `-p1`.
    Shown,
    /// They do not: the patch is applied with `-p0`.
    Omitted,
}

/// What becomes of a patch file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchPlace {
    /// It is written, and named in the spec.
    InSpec,
    /// It is written; the spec names it already (`Patch-present-in-specfile`).
    PresentInSpec,
    /// It is not written (`Ignore-patch`).
    Ignored,
}

/// A downstream commit with its patch and what its message says about it.
#[derive(Clone, Debug)]
pub struct DownstreamPatch {
    /// The commit.
    pub commit: CommitId,
    /// Its subject, for people.
    pub subject: BString,
    /// The subject as git makes part of a file name of it.
    pub file_subject: BString,
    /// The mail that `git format-patch` writes; `None` for a commit that changes nothing.
    pub mail: Option<Vec<u8>>,
    /// Symbolic links that it renames and leaves as they are: the mail does not say what they are.
    pub renamed_links: Vec<RepoPath>,
    /// What the message says about the patch.
    pub metadata: PatchMetadata,
    /// The lines of the comment in the spec.
    pub comment: Vec<BString>,
}

/// A patch file of the series.
#[derive(Clone, Debug)]
pub struct SeriesPatch {
    /// Its name.
    pub file_name: PatchFileName,
    /// Its mails, one after the other.
    pub content: Vec<u8>,
    /// The commits it was made from, oldest first, with their subjects.
    pub commits: Vec<(CommitId, BString)>,
    /// The number that the oldest commit asks for.
    pub number: Option<u32>,
    /// The lines of the comment in the spec.
    pub comment: Vec<BString>,
    /// Symbolic links that it renames and leaves as they are: the mails do not say what they are.
    pub renamed_links: Vec<RepoPath>,
    /// How its paths are written.
    pub prefix: Prefix,
    /// What becomes of it.
    pub place: PatchPlace,
    /// The file of dist-git whose bytes it keeps, where it keeps any.
    pub kept: Option<BString>,
}

impl SeriesPatch {
    /// The first commit, for messages.
    pub fn subject(&self) -> Option<Subject> {
        self.commits.first().map(|(commit, _)| Subject::Commit(*commit))
    }
}

/// Makes the series: neighbours that ask for the same name share a file, in which the oldest one's metadata counts.
pub fn assemble(patches: Vec<DownstreamPatch>) -> Result<(Vec<SeriesPatch>, Vec<Finding>), Refusal> {
    let mut findings = Vec::new();
    let mut series: Vec<SeriesPatch> = Vec::new();
    let mut mails = 0;
    for group in groups(patches) {
        mails += group.iter().filter(|patch| patch.mail.is_some()).count();
        let Some(patch) = joined(group, mails, &mut findings)? else { continue };
        series.push(patch);
    }
    let mut names: BTreeMap<&PatchFileName, &SeriesPatch> = BTreeMap::new();
    for patch in &series {
        if let Some(other) = names.insert(&patch.file_name, patch) {
            let commits =
                [other, patch].map(|patch| patch.commits.first().map(|(id, _)| id.short()).unwrap_or_default());
            let text = format!(
                "commits {} and {} would both be {}, with other patches between them",
                commits[0],
                commits[1],
                quoted(patch.file_name.as_str().as_bytes())
            );
            let remedy = "give one of them another `Patch-name`, or move the commits next to each other";
            let refusal = Refusal::new(text, remedy);
            return Err(match patch.subject() {
                Some(subject) => refusal.about(subject),
                None => refusal,
            });
        }
    }
    Ok((series, findings))
}

/// Puts together what goes into one file.
fn groups(patches: Vec<DownstreamPatch>) -> Vec<Vec<DownstreamPatch>> {
    let mut groups: Vec<Vec<DownstreamPatch>> = Vec::new();
    for patch in patches {
        if patch.metadata.squash_legacy {
            // The older notation: a commit that squashes takes in those before it that say nothing.
            let mut group = vec![patch];
            while let Some(before) =
                groups.pop_if(|before| before.iter().all(|patch| patch.metadata.source == MetadataSource::None))
            {
                group.splice(0..0, before);
            }
            groups.push(group);
            continue;
        }
        let name = patch.metadata.file_name.as_ref();
        match groups.last_mut() {
            Some(group) if name.is_some() && leader(group).is_some_and(|l| l.metadata.file_name.as_ref() == name) => {
                group.push(patch);
            }
            _ => groups.push(vec![patch]),
        }
    }
    groups
}

/// The patch whose metadata counts for its file: the oldest one that has any.
fn leader(group: &[DownstreamPatch]) -> Option<&DownstreamPatch> {
    group.iter().find(|patch| patch.metadata.source != MetadataSource::None).or(group.first())
}

/// Returns the name that `git format-patch` gives the patch of this number: the number, the subject, `.patch`, cut to
/// 64 bytes with the NUL that ends it in C (git-config(1), `format.filenameMaxLength`).
fn git_name(number: usize, file_subject: &[u8]) -> BString {
    const SUFFIX: &[u8] = b".patch";
    let mut name = format!("{number:04}-").into_bytes();
    name.extend_from_slice(file_subject);
    name.truncate(64 - SUFFIX.len() - 1);
    name.extend_from_slice(SUFFIX);
    name.into()
}

/// Makes one patch file of `group`, whose last mail is number `last` of all mails, counted from 1.
fn joined(
    group: Vec<DownstreamPatch>,
    last: usize,
    findings: &mut Vec<Finding>,
) -> Result<Option<SeriesPatch>, Refusal> {
    let Some(leader) = leader(&group) else { return Ok(None) };
    let metadata = leader.metadata.clone();
    let commit = leader.commit;
    let last_mail = group.iter().rev().find(|patch| patch.mail.is_some());
    let file_name = match (metadata.file_name, last_mail) {
        (Some(name), _) => name,
        (None, Some(patch)) => {
            let name = git_name(last, &patch.file_subject);
            PatchFileName::parse(&name).map_err(|error| {
                Refusal::new(format!("git names its patch {}: {error}", quoted(&name)), "give it a `Patch-name`")
                    .about_commit(&commit)
            })?
        }
        (None, None) => return Ok(None),
    };
    for patch in &group {
        let other = &patch.metadata;
        if other.source == MetadataSource::None {
            continue;
        }
        if other.no_prefix != metadata.no_prefix {
            let text =
                format!("it shares {} with commits that differ in `No-prefix`", quoted(file_name.as_str().as_bytes()));
            return Err(Refusal::new(text, "set `No-prefix` alike in all of them").about_commit(&patch.commit));
        }
        let ignored = [
            ("Patch-id", other.number.is_some() && other.number != metadata.number),
            ("Patch-status", other.status.is_some() && other.status != metadata.status),
            ("Ignore-patch", other.ignore != metadata.ignore),
            ("Patch-present-in-specfile", other.present_in_spec != metadata.present_in_spec),
        ];
        for (token, _) in ignored.iter().filter(|(_, differs)| *differs) {
            let text = format!(
                "its `{token}` does not count: commit {} begins {}",
                commit.short(),
                quoted(file_name.as_str().as_bytes())
            );
            let remedy = format!("move `{token}` to commit {}", commit.short());
            findings.push(Finding::warning(text).about(Subject::Commit(patch.commit)).remedy(remedy));
        }
    }
    let place = match (metadata.ignore, metadata.present_in_spec) {
        (true, _) => PatchPlace::Ignored,
        (false, true) => PatchPlace::PresentInSpec,
        (false, false) => PatchPlace::InSpec,
    };
    let content: Vec<u8> = group.iter().filter_map(|patch| patch.mail.as_deref()).flatten().copied().collect();
    if content.is_empty() && place != PatchPlace::PresentInSpec {
        return Ok(None);
    }
    Ok(Some(SeriesPatch {
        file_name,
        content,
        number: metadata.number,
        comment: leader.comment.clone(),
        renamed_links: group.iter().flat_map(|patch| &patch.renamed_links).cloned().collect(),
        kept: None,
        prefix: if metadata.no_prefix { Prefix::Omitted } else { Prefix::Shown },
        place,
        commits: group.into_iter().map(|patch| (patch.commit, patch.subject)).collect(),
    }))
}

//! The patch series: which patch files there are, what they hold, in which order, and what the spec says about them.
//!
//! Each commit becomes a patch file, in order, unless commit messages say otherwise. This module does not know whether
//! a series applies: git proves that, on the bytes that come out of here.

use std::collections::BTreeMap;

use bstr::BString;
use serde::Serialize;

use crate::transform::message::{MetadataSource, PatchFileName, PatchMetadata};
use crate::types::finding::quoted;
use crate::types::{CommitId, Finding, Refusal, RepoPath, Subject};

/// Whether the paths in a patch begin with `a/` and `b/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefix {
    /// The patch is applied with `-p1`.
    Shown,
    /// The patch is applied with `-p0`.
    Omitted,
}

/// Where a patch file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchPlace {
    /// It is written, and the spec gets a Patch tag for it.
    InSpec,
    /// It is written; the spec names it already (`Patch-present-in-specfile`).
    PresentInSpec,
    /// It is not written (`Ignore-patch`).
    Ignored,
}

/// A downstream commit, its patch, and what its message says about the patch.
#[derive(Clone, Debug)]
pub struct DownstreamPatch {
    pub commit: CommitId,
    /// The subject of the message, for people.
    pub subject: BString,
    /// The subject as git writes it into the name of a patch file.
    pub file_subject: BString,
    /// The mail that `git format-patch` writes; `None` when the commit changes nothing.
    pub mail: Option<Vec<u8>>,
    /// Symbolic links that it only renames. The mail does not show that they are links.
    pub renamed_links: Vec<RepoPath>,
    pub metadata: PatchMetadata,
    /// The lines of the comment above the Patch tag.
    pub comment: Vec<BString>,
}

/// A patch file of the series.
#[derive(Clone, Debug)]
pub struct SeriesPatch {
    pub file_name: PatchFileName,
    /// One mail after the other.
    pub content: Vec<u8>,
    /// The commits that it was made from, oldest first, with their subjects.
    pub commits: Vec<(CommitId, BString)>,
    /// The `Patch-id` of the commit whose metadata counts.
    pub number: Option<u32>,
    /// The lines of the comment above the Patch tag.
    pub comment: Vec<BString>,
    /// Symbolic links that it only renames. The mails do not show that they are links.
    pub renamed_links: Vec<RepoPath>,
    pub prefix: Prefix,
    pub place: PatchPlace,
    /// The patch file of dist-git whose bytes it keeps (see [`crate::transform::keep`]).
    pub kept: Option<BString>,
}

impl SeriesPatch {
    /// Returns the oldest commit, as the subject of findings and refusals.
    pub fn subject(&self) -> Option<Subject> {
        self.commits.first().map(|(commit, _)| Subject::Commit(*commit))
    }
}

/// Makes the series.
///
/// Neighbors that ask for the same file name share a file. The metadata of the oldest one counts for the file.
pub fn assemble(patches: Vec<DownstreamPatch>) -> Result<(Vec<SeriesPatch>, Vec<Finding>), Refusal> {
    let mut findings = Vec::new();
    let mut series: Vec<SeriesPatch> = Vec::new();
    let mut mails = 0;
    for group in groups(patches) {
        mails += group.iter().filter(|patch| patch.mail.is_some()).count();
        let Some(patch) = join(group, mails, &mut findings)? else { continue };
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

/// Puts patches that share a file together.
fn groups(patches: Vec<DownstreamPatch>) -> Vec<Vec<DownstreamPatch>> {
    let mut groups: Vec<Vec<DownstreamPatch>> = Vec::new();
    for patch in patches {
        if patch.metadata.squash_legacy {
            // In the older notation, a commit that squashes takes the commits without metadata directly before it.
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
            Some(group)
                if name.is_some() && leader(group).is_some_and(|patch| patch.metadata.file_name.as_ref() == name) =>
            {
                group.push(patch);
            }
            _ => groups.push(vec![patch]),
        }
    }
    groups
}

/// Returns the patch whose metadata counts for the file: the oldest one that has metadata.
fn leader(group: &[DownstreamPatch]) -> Option<&DownstreamPatch> {
    group.iter().find(|patch| patch.metadata.source != MetadataSource::None).or(group.first())
}

/// Returns the file name that `git format-patch` gives to patch number `number`.
///
/// It is the number, the subject and `.patch`, cut to 64 bytes with the terminating NUL of C (git-config(1),
/// `format.filenameMaxLength`).
fn git_name(number: usize, file_subject: &[u8]) -> BString {
    const SUFFIX: &[u8] = b".patch";
    let mut name = format!("{number:04}-").into_bytes();
    name.extend_from_slice(file_subject);
    name.truncate(64 - SUFFIX.len() - 1);
    name.extend_from_slice(SUFFIX);
    name.into()
}

/// Makes a patch file from `group`, whose last mail is number `last` of the series, counted from 1.
fn join(group: Vec<DownstreamPatch>, last: usize, findings: &mut Vec<Finding>) -> Result<Option<SeriesPatch>, Refusal> {
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

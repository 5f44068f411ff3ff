//! Reads the metadata of a patch from the message of its commit, in either notation.

use bstr::{BString, ByteSlice as _};

use crate::transform::message::metadata::{MetadataSource, PatchMetadata, PatchToken};
use crate::transform::message::value::{MetadataKey, boolean, file_name, number};
use crate::transform::message::{legacy, near_miss, scalar, trailers};
use crate::types::{CommitId, Finding, Refusal, Subject};

/// The longest message, in bytes. The longest ones in real repositories have a hundredth of it.
const LONGEST_MESSAGE: usize = 1024 * 1024;

/// Reads what `message` says about the patch of `commit`.
///
/// `message` is what `git log --format=%B` prints. The findings are warnings about lines that look like metadata but do
/// not count. Refused are values that cannot be used, with their line, and messages of more than 1 MiB.
pub fn read(commit: &CommitId, message: &[u8]) -> Result<(PatchMetadata, Vec<Finding>), Refusal> {
    if message.len() > LONGEST_MESSAGE {
        return Err(Refusal::new("the message is longer than 1 MiB", "shorten the message").about_commit(commit));
    }
    let mut findings = Vec::new();
    let block = trailers::find(message);
    let known: Vec<_> =
        block.iter().flat_map(|b| &b.trailers).filter_map(|t| Some((PatchToken::parse(t.token)?, t))).collect();
    let mut legacy_start = None;
    let metadata = if !known.is_empty() {
        from_trailers(&known, &mut findings)
    } else if let Some(found) = legacy::find(message) {
        legacy_start = Some(found.first_line);
        from_legacy(&found)
    } else {
        Ok(PatchMetadata::default())
    }
    .map_err(|refusal| refusal.about_commit(commit))?;
    findings.extend(near_miss::find(message, block.as_ref(), legacy_start));
    let findings = findings.into_iter().map(|finding| finding.about(Subject::Commit(*commit))).collect();
    Ok((metadata, findings))
}

fn from_trailers(
    known: &[(PatchToken, &trailers::Trailer<'_>)],
    findings: &mut Vec<Finding>,
) -> Result<PatchMetadata, Refusal> {
    let mut metadata = PatchMetadata { source: MetadataSource::Trailers, ..PatchMetadata::default() };
    for token in PatchToken::ALL {
        let mut same = known.iter().filter(|(t, _)| *t == token).map(|(_, trailer)| *trailer);
        let Some(trailer) = same.next_back() else { continue };
        let key = MetadataKey { name: token.as_str(), line: trailer.line };
        if same.next().is_some() {
            findings.push(
                Finding::warning(format!("`{}:` is there more than once, the last one counts", key.name))
                    .remedy(format!("keep one `{}:` line in the message", key.name)),
            );
        }
        let value = scalar::read(&key, trailer.value)?;
        match token {
            PatchToken::Name => metadata.file_name = Some(file_name(&key, &value)?),
            PatchToken::Id => metadata.number = Some(number(&key, &value)?),
            PatchToken::Status => metadata.status = Some(value).filter(|v| !v.trim().is_empty()),
            PatchToken::PresentInSpecfile => metadata.present_in_spec = boolean(&key, &value)?,
            PatchToken::Ignore => metadata.ignore = boolean(&key, &value)?,
            PatchToken::NoPrefix => metadata.no_prefix = boolean(&key, &value)?,
        }
    }
    Ok(metadata)
}

fn from_legacy(found: &legacy::LegacyMetadata) -> Result<PatchMetadata, Refusal> {
    let key = |name| MetadataKey { name, line: found.first_line };
    let flag = |name, value: &Option<BString>| match value {
        Some(value) => boolean(&key(name), value),
        None => Ok(false),
    };
    Ok(PatchMetadata {
        file_name: found.patch_name.as_ref().map(|v| file_name(&key("patch_name"), v)).transpose()?,
        number: found.patch_id.as_ref().map(|v| number(&key("patch_id"), v)).transpose()?,
        status: found.description.clone().filter(|v| !v.trim().is_empty()),
        present_in_spec: flag("present_in_specfile", &found.present_in_specfile)?,
        ignore: flag("ignore", &found.ignore)?,
        no_prefix: flag("no_prefix", &found.no_prefix)?,
        squash_legacy: flag("squash_commits", &found.squash_commits)?,
        source: MetadataSource::Legacy,
    })
}

//! The patch series of a history, made by git and proven by git.
//!
//! Commits are formatted, put together by [`series::assemble`], given the bytes that dist-git has where those last, and
//! applied to upstream: what comes out of here reproduces the source tree, or is refused.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bstr::{BString, ByteSlice as _};

use crate::git::history::{DownstreamCommit, History};
use crate::git::patches::{self, FormattedPatch};
use crate::git::proof::{PatchFile, Proof, TreeProof};
use crate::git::{Store, TreeEntry};
use crate::transform::keep;
use crate::transform::mail::{self, PatchedFile};
use crate::transform::message::{self, CommentStyle, PatchMetadata};
use crate::transform::report::MergeReport;
use crate::transform::series::{self, DownstreamPatch, PatchPlace, Prefix, SeriesPatch};
use crate::types::error::{Result, bail};
use crate::types::finding::quoted;
use crate::types::{CommitId, File, FileMode, Finding, Refusal, RepoPath, TreeId};

/// What the message of a commit says.
pub(crate) struct Said<'a> {
    commit: &'a DownstreamCommit,
    known_as: CommitId,
    metadata: PatchMetadata,
    comment: Vec<BString>,
}

pub(crate) fn read_messages<'a>(
    history: &'a History,
    originals: &HashMap<CommitId, CommitId>,
    comments: CommentStyle,
    findings: &mut Vec<Finding>,
) -> Result<HashMap<CommitId, Said<'a>>> {
    let mut said = HashMap::new();
    for commit in &history.commits {
        let known_as = *originals.get(&commit.id).unwrap_or(&commit.id);
        let (metadata, found) = message::read(&known_as, &commit.message)?;
        findings.extend(found);
        let comment = message::comment(&commit.message, &metadata, comments);
        said.insert(commit.id, Said { commit, known_as, metadata, comment });
    }
    Ok(said)
}

/// One patch to be made: of `origin`, by asking git for `formatted`, which has the content of that step.
struct Step {
    origin: CommitId,
    formatted: CommitId,
    /// The message of `formatted`, where it is not that of `origin`; what `origin` says about its patch is void then.
    message: Option<BString>,
}

/// The first line of a patch that stands for everything, and what git makes part of a file name of it.
const ONE_PATCH_SUBJECT: (&str, &str) = ("All downstream changes", "All-downstream-changes");

/// A series that gives the source tree.
pub(crate) struct Proven {
    pub(crate) series: Vec<SeriesPatch>,
    pub(crate) tree: TreeId,
    pub(crate) merges: MergeReport,
    pub(crate) findings: Vec<Finding>,
}

/// Makes series from the history.
pub(crate) struct Maker<'a> {
    pub(crate) store: &'a Store,
    pub(crate) history: &'a History,
    pub(crate) commits: &'a HashMap<CommitId, Said<'a>>,
    pub(crate) comments: CommentStyle,
    pub(crate) ignored: &'a [BString],
    pub(crate) old: &'a BTreeMap<BString, Vec<u8>>,
}

/// Finds the finest series that gives the source tree: every commit a patch; else, where there are merges, every step
/// of the first-parent line; else everything in one.
pub(crate) fn prove(maker: &Maker<'_>, measure: &TreeProof, upstream: &str) -> Result<Proven> {
    let merges = maker.history.merges().count();
    let every_commit = maker.history.commits.iter().filter(|commit| !commit.is_merge());
    let every_commit: Vec<_> =
        every_commit.map(|commit| Step { origin: commit.id, formatted: commit.id, message: None }).collect();
    let mut proven = match maker.attempt(measure, &every_commit)? {
        Ok(mut proven) => {
            proven.merges = if merges == 0 { MergeReport::None } else { MergeReport::EveryCommit { merges } };
            proven
        }
        Err(reason) if merges == 0 => {
            let text =
                format!("the patches do not reproduce the source tree on {}: {reason}", quoted(upstream.as_bytes()));
            // git's own patches of commits in a row apply; what can fail is several of them in one file.
            bail!(Refusal::new(
                text,
                "give each commit that shares a `Patch-name` a name of its own, or make one commit of those that share it"
            ));
        }
        Err(reason) => coarser(maker, measure, merges, &reason)?,
    };
    check_without_ignored(maker, measure, &proven.series)?;
    for patch in &proven.series {
        proven.findings.extend(refused_content(patch)?);
    }
    Ok(proven)
}

fn coarser(maker: &Maker<'_>, measure: &TreeProof, merges: usize, reason: &str) -> Result<Proven> {
    let reason = reason.to_owned();
    if let Some(steps) = maker.first_parent_steps()? {
        let line: BTreeSet<_> = steps.iter().map(|step| step.origin).collect();
        if let Ok(mut proven) = maker.attempt(measure, &steps)? {
            proven.findings.extend(maker.lost_metadata(&line));
            proven.merges = MergeReport::FirstParent { merges, reason };
            return Ok(proven);
        }
    }
    match maker.attempt(measure, &[maker.one_step()?])? {
        Ok(mut proven) => {
            proven.findings.extend(maker.lost_metadata(&BTreeSet::new()));
            proven.merges = MergeReport::OnePatch { merges, reason };
            Ok(proven)
        }
        Err(reason) => {
            let text = format!("not even one patch of everything gives the source tree: {reason}");
            bail!(Refusal::new(text, "rebase the downstream commits on the upstream ref"))
        }
    }
}

impl Maker<'_> {
    /// Makes a series of `steps` and proves it; the reason where it does not hold.
    fn attempt(&self, measure: &TreeProof, steps: &[Step]) -> Result<Result<Proven, String>> {
        let (mut series, findings) = self.make(steps)?;
        self.keep(&mut series);
        let files: Vec<_> = series.iter().filter(|patch| !patch.content.is_empty()).map(patch_file).collect();
        Ok(match measure.prove(self.store, &files)? {
            Proof::Holds(tree) => Ok(Proven { series, tree, merges: MergeReport::None, findings }),
            Proof::DoesNotApply { patch, reason } => Err(format!("{} does not apply ({reason})", quoted(&patch))),
            Proof::Differs(paths) => {
                let paths: Vec<_> = paths.iter().map(ToString::to_string).collect();
                Err(format!("they give something else in {}", paths.join(", ")))
            }
        })
    }

    /// What the message of the step's commit says about its patch: nothing where the patch has a message of its own.
    fn said(&self, step: &Step) -> Option<Said<'_>> {
        let said = self.commits.get(&step.origin)?;
        Some(match &step.message {
            Some(message) => {
                let metadata = PatchMetadata::default();
                let comment = message::comment(message, &metadata, self.comments);
                Said { commit: said.commit, known_as: said.known_as, metadata, comment }
            }
            None => Said {
                commit: said.commit,
                known_as: said.known_as,
                metadata: said.metadata.clone(),
                comment: said.comment.clone(),
            },
        })
    }

    fn make(&self, steps: &[Step]) -> Result<(Vec<SeriesPatch>, Vec<Finding>)> {
        let formatted: Vec<_> = steps.iter().map(|step| step.formatted).collect();
        let head = &self.history.head;
        let mut mails = by_commit(patches::format(self.store, head, &formatted, self.ignored, Prefix::Shown)?);
        let without_prefix: Vec<_> = steps
            .iter()
            .filter(|step| self.said(step).is_some_and(|said| said.metadata.no_prefix))
            .map(|step| step.formatted)
            .collect();
        mails.extend(by_commit(patches::format(self.store, head, &without_prefix, self.ignored, Prefix::Omitted)?));
        let mut downstream = Vec::new();
        let mut findings = Vec::new();
        for step in steps {
            let Some(said) = self.said(step) else { continue };
            let mail = match mails.remove(&step.formatted) {
                Some(mail) => {
                    let mail = with_commit(mail, &step.formatted, &said.known_as);
                    let message = step.message.as_ref().unwrap_or(&said.commit.message);
                    let defused = mail::defuse(&mail, message).map_err(|error| {
                        Refusal::new(format!("its patch cannot be read: {error}"), "reword the commit message in UTF-8")
                            .about_commit(&step.origin)
                    })?;
                    findings.extend(defused_finding(&step.origin, &defused.indented));
                    Some(defused.mail.into_owned())
                }
                None => None,
            };
            let (subject, file_subject) = match &step.message {
                Some(_) => (ONE_PATCH_SUBJECT.0.into(), ONE_PATCH_SUBJECT.1.into()),
                None => (said.commit.subject(), said.commit.file_subject.clone()),
            };
            let renamed_links = self.renamed_links(&step.formatted, mail.as_deref().unwrap_or_default())?;
            downstream.push(DownstreamPatch {
                commit: said.known_as,
                subject,
                file_subject,
                mail,
                renamed_links,
                metadata: said.metadata,
                comment: said.comment,
            });
        }
        let (series, found) = series::assemble(downstream)?;
        findings.extend(found);
        Ok((series, findings))
    }

    /// Finds the symbolic links that `mail` renames without a word about their mode.
    fn renamed_links(&self, formatted: &CommitId, mail: &[u8]) -> Result<Vec<RepoPath>> {
        let mut links = Vec::new();
        if mail.find(b"\nrename to ").is_none() {
            return Ok(links);
        }
        let tree = self.store.tree_of(formatted)?;
        let renamed = mail::diff_of(mail)
            .map_err(mail::unreadable)?
            .into_iter()
            .filter(|file| file.renamed && !file.has_hunks && !file.binary);
        for path in renamed.filter_map(|file| file.new) {
            if let Some(TreeEntry::File(File { mode: FileMode::Symlink, .. })) = self.store.entry(&tree, &path)? {
                links.push(path);
            }
        }
        Ok(links)
    }

    /// Lets patches that dist-git has keep their bytes where only volatile parts would change.
    fn keep(&self, series: &mut [SeriesPatch]) {
        let written: Vec<_> = series.iter_mut().filter(|patch| patch.place != PatchPlace::Ignored).collect();
        let new: Vec<_> = written.iter().map(|patch| (patch.file_name.clone(), patch.content.clone())).collect();
        let mut found = keep::find_kept(&new, self.old).into_iter();
        for patch in written {
            if let Some((name, old)) = found.next().flatten().and_then(|name| self.old.get_key_value(name)) {
                patch.content.clone_from(old);
                patch.kept = Some(name.clone());
            }
        }
    }

    /// One step for each commit of the first-parent line from the head down to the upstream ref; `None` where that
    /// line does not reach it.
    fn first_parent_steps(&self) -> Result<Option<Vec<Step>>> {
        let by_id: HashMap<_, _> = self.history.commits.iter().map(|commit| (commit.id, commit)).collect();
        let mut steps = Vec::new();
        let mut at = self.history.head;
        while at != self.history.upstream {
            let Some(commit) = by_id.get(&at) else { return Ok(None) };
            let Some(parent) = commit.parents.first() else { return Ok(None) };
            let formatted = match commit.is_merge() {
                true => self.store.commit_like(&commit.id, &commit.tree, parent, None)?,
                false => commit.id,
            };
            steps.push(Step { origin: commit.id, formatted, message: None });
            at = *parent;
        }
        steps.reverse();
        Ok(Some(steps))
    }

    /// One step that makes the head of the upstream ref.
    fn one_step(&self) -> Result<Step> {
        let History { upstream, head, commits } = self.history;
        let mut message = BString::from(format!("{}\n\n", ONE_PATCH_SUBJECT.0));
        for commit in commits.iter().filter(|commit| !commit.is_merge()).take(200) {
            // No commit ids: the same changes, committed again, give the same patch.
            message.extend_from_slice(b"* ");
            message.extend_from_slice(crate::types::text::printable(&commit.subject()).as_bytes());
            message.push(b'\n');
        }
        let formatted = self.store.commit_like(head, &self.store.tree_of(head)?, upstream, Some(&message))?;
        Ok(Step { origin: *head, formatted, message: Some(message) })
    }

    /// Says which commits' metadata has no effect since they have no patch of their own.
    fn lost_metadata(&self, steps: &BTreeSet<CommitId>) -> Vec<Finding> {
        let absorbed = self.history.commits.iter().filter(|commit| !commit.is_merge() && !steps.contains(&commit.id));
        let lost = absorbed.filter(|commit| {
            self.commits.get(&commit.id).is_some_and(|said| said.metadata.source != message::MetadataSource::None)
        });
        let finding = |commit: &DownstreamCommit| {
            Finding::warning("what its message says about its patch is lost: it is part of a merge's patch")
                .about(crate::types::Subject::Commit(commit.id))
                .remedy("rebase the branch so that it has no merges, or repeat the trailers in the merge commit")
        };
        lost.map(finding).collect()
    }
}

fn by_commit(patches: Vec<FormattedPatch>) -> HashMap<CommitId, Vec<u8>> {
    patches.into_iter().map(|patch| (patch.commit, patch.mail)).collect()
}

/// Writes the commit that a patch stands for into its first line, where git was asked for another.
fn with_commit(mut mail: Vec<u8>, formatted: &CommitId, known_as: &CommitId) -> Vec<u8> {
    let id = known_as.to_string();
    if formatted != known_as
        && let Some(place) = mail.get_mut(5..45)
    {
        place.copy_from_slice(id.as_bytes());
    }
    mail
}

fn defused_finding(commit: &CommitId, lines: &[BString]) -> Option<Finding> {
    let first = lines.first()?;
    let text = format!(
        "{} of its message would be taken for part of a patch or mail, so indented in the patch file, such as {}",
        if lines.len() == 1 { "one line".to_owned() } else { format!("{} lines", lines.len()) },
        quoted(first)
    );
    Some(Finding::note(text).about(crate::types::Subject::Commit(*commit)))
}

fn patch_file(patch: &SeriesPatch) -> PatchFile<'_> {
    PatchFile { name: patch.file_name.as_str().as_bytes(), content: &patch.content, prefix: patch.prefix }
}

/// The series as it is written has to apply as well, without the patches that are ignored.
fn check_without_ignored(maker: &Maker<'_>, measure: &TreeProof, series: &[SeriesPatch]) -> Result<()> {
    if series.iter().all(|patch| patch.place != PatchPlace::Ignored) {
        return Ok(());
    }
    let emitted = series.iter().filter(|patch| patch.place != PatchPlace::Ignored && !patch.content.is_empty());
    let emitted: Vec<_> = emitted.map(patch_file).collect();
    if let Some((name, reason)) = measure.first_failure(maker.store, &emitted)? {
        let text = format!("{} does not apply without the ignored patches before it ({reason})", quoted(&name));
        let commit = series.iter().find(|patch| patch.file_name.as_str().as_bytes() == name.as_bytes());
        let refusal =
            Refusal::new(text, "remove `Ignore-patch` from the commit that it builds on, or ignore it as well");
        bail!(match commit.and_then(SeriesPatch::subject) {
            Some(subject) => refusal.about(subject),
            None => refusal,
        });
    }
    Ok(())
}

/// The series has to apply in the spec's order as well, where `Patch-present-in-specfile` makes that another one.
pub(crate) fn check_order(store: &Store, measure: &TreeProof, series: &[SeriesPatch], order: &[BString]) -> Result<()> {
    let places: HashMap<&[u8], usize> = order.iter().zip(0..).map(|(name, place)| (name.as_bytes(), place)).collect();
    let emitted = series.iter().filter(|patch| patch.place != PatchPlace::Ignored && !patch.content.is_empty());
    let mut emitted: Vec<_> = emitted.map(patch_file).collect();
    let place = |patch: &PatchFile<'_>| places.get(patch.name).copied().unwrap_or(usize::MAX);
    if emitted.is_sorted_by_key(place) {
        return Ok(());
    }
    emitted.sort_by_key(place);
    if let Some((name, reason)) = measure.first_failure(store, &emitted)? {
        let text = format!("{} does not apply where the spec has it among the others ({reason})", quoted(&name));
        let remedy =
            "remove its `Patch-present-in-specfile` and its Patch tag, or move its commit to where the spec has it";
        bail!(Refusal::new(text, remedy));
    }
    Ok(())
}

/// Refuses what the build would never see: the content of a submodule, or of a file that Git LFS keeps elsewhere.
fn refused_content(patch: &SeriesPatch) -> Result<Option<Finding>> {
    if patch.place == PatchPlace::Ignored {
        return Ok(None);
    }
    for file in patched_files(patch)? {
        let commit = patch.subject();
        let path = file.path().map(ToString::to_string).unwrap_or_default();
        let refusal = if file.is_gitlink() {
            Refusal::new(
                format!("it changes the submodule {path}, whose content a patch cannot carry"),
                "bring the submodule's files by an archive in `sources`, or set `Ignore-patch: true` in the commit",
            )
        } else if file.lfs_pointer {
            Refusal::new(
                format!("it changes {path}, which Git LFS keeps elsewhere: the patch would hold a pointer"),
                "commit the file itself, bring it by an archive in `sources`, or set `Ignore-patch: true` in the commit",
            )
        } else {
            continue;
        };
        bail!(match commit {
            Some(subject) => refusal.about(subject),
            None => refusal,
        });
    }
    Ok(None)
}

fn patched_files(patch: &SeriesPatch) -> Result<Vec<PatchedFile>> {
    let mut files = Vec::new();
    for mail in mail::split(&patch.content) {
        files.extend(
            mail::diff_of(mail).map_err(|error| mail::unreadable(format!("reading {}: {error}", patch.file_name)))?,
        );
    }
    Ok(files)
}

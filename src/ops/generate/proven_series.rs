//! The patch series of a history, made by git and proven by git.
//!
//! git formats the commits, and [`series::assemble`] makes a series of them. Patches that dist-git has keep their bytes
//! if nothing but volatile parts would change. git then applies the series to upstream: a series that does not
//! reproduce the source tree is refused.

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

/// What the message of a commit says about its patch.
pub(crate) struct CommitMetadata<'a> {
    commit: &'a DownstreamCommit,
    known_as: CommitId,
    patch: PatchMetadata,
    comment: Vec<BString>,
}

pub(crate) fn read_messages<'a>(
    history: &'a History,
    originals: &HashMap<CommitId, CommitId>,
    comments: CommentStyle,
    findings: &mut Vec<Finding>,
) -> Result<HashMap<CommitId, CommitMetadata<'a>>> {
    let mut commits = HashMap::new();
    for commit in &history.commits {
        let known_as = *originals.get(&commit.id).unwrap_or(&commit.id);
        let (patch, found) = message::read(&known_as, &commit.message)?;
        findings.extend(found);
        let comment = message::comment(&commit.message, &patch, comments);
        commits.insert(commit.id, CommitMetadata { commit, known_as, patch, comment });
    }
    Ok(commits)
}

/// One patch to make. It stands for `origin`; git formats `formatted`, which has the content of this step.
struct PatchStep {
    origin: CommitId,
    formatted: CommitId,
    /// The message of `formatted`, if it is not that of `origin`. Then what `origin` says about its patch does not
    /// apply.
    message: Option<BString>,
}

/// The subject of a patch that holds all changes, and the same as git writes it in a file name.
const ONE_PATCH_SUBJECT: (&str, &str) = ("All downstream changes", "All-downstream-changes");

/// A series that reproduces the source tree.
pub(crate) struct ProvenSeries {
    pub(crate) series: Vec<SeriesPatch>,
    pub(crate) tree: TreeId,
    pub(crate) merges: MergeReport,
    pub(crate) findings: Vec<Finding>,
}

/// Builds patch series from a history.
pub(crate) struct SeriesBuilder<'a> {
    pub(crate) store: &'a Store,
    pub(crate) history: &'a History,
    pub(crate) commits: &'a HashMap<CommitId, CommitMetadata<'a>>,
    pub(crate) comments: CommentStyle,
    pub(crate) ignored: &'a [BString],
    pub(crate) old: &'a BTreeMap<BString, Vec<u8>>,
}

/// Finds the finest series that reproduces the source tree: a patch for each commit. If there are merges and that
/// fails, a patch for each step of the first-parent line. If that fails too, one patch for everything.
pub(crate) fn prove(builder: &SeriesBuilder<'_>, proof: &TreeProof, upstream: &str) -> Result<ProvenSeries> {
    let merges = builder.history.merges().count();
    let every_commit = builder.history.commits.iter().filter(|commit| !commit.is_merge());
    let every_commit: Vec<_> =
        every_commit.map(|commit| PatchStep { origin: commit.id, formatted: commit.id, message: None }).collect();
    let mut proven = match builder.attempt(proof, &every_commit)? {
        Ok(mut proven) => {
            proven.merges = if merges == 0 { MergeReport::None } else { MergeReport::EveryCommit { merges } };
            proven
        }
        Err(reason) if merges == 0 => {
            let text =
                format!("the patches do not reproduce the source tree on {}: {reason}", quoted(upstream.as_bytes()));
            // Patches that git makes of consecutive commits apply. Only several commits in one patch file can fail.
            bail!(Refusal::new(
                text,
                "give each commit that shares a `Patch-name` a name of its own, or make one commit of those that share \
                 it"
            ));
        }
        Err(reason) => prove_coarser(builder, proof, merges, &reason)?,
    };
    check_without_ignored(builder, proof, &proven.series)?;
    for patch in &proven.series {
        proven.findings.extend(check_content(patch)?);
    }
    Ok(proven)
}

fn prove_coarser(builder: &SeriesBuilder<'_>, proof: &TreeProof, merges: usize, reason: &str) -> Result<ProvenSeries> {
    let reason = reason.to_owned();
    if let Some(steps) = builder.first_parent_steps()? {
        let line: BTreeSet<_> = steps.iter().map(|step| step.origin).collect();
        if let Ok(mut proven) = builder.attempt(proof, &steps)? {
            proven.findings.extend(builder.lost_metadata(&line));
            proven.merges = MergeReport::FirstParent { merges, reason };
            return Ok(proven);
        }
    }
    match builder.attempt(proof, &[builder.single_step()?])? {
        Ok(mut proven) => {
            proven.findings.extend(builder.lost_metadata(&BTreeSet::new()));
            proven.merges = MergeReport::OnePatch { merges, reason };
            Ok(proven)
        }
        Err(reason) => {
            let text = format!("not even one patch of everything gives the source tree: {reason}");
            bail!(Refusal::new(text, "rebase the downstream commits on the upstream ref"))
        }
    }
}

impl SeriesBuilder<'_> {
    /// Builds a series from `steps` and proves it. Returns the reason if it does not reproduce the source tree.
    fn attempt(&self, proof: &TreeProof, steps: &[PatchStep]) -> Result<Result<ProvenSeries, String>> {
        let (mut series, findings) = self.build(steps)?;
        self.keep_old_bytes(&mut series);
        let files: Vec<_> = series.iter().filter(|patch| !patch.content.is_empty()).map(patch_file).collect();
        Ok(match proof.prove(self.store, &files)? {
            Proof::Holds(tree) => Ok(ProvenSeries { series, tree, merges: MergeReport::None, findings }),
            Proof::DoesNotApply { patch, reason } => Err(format!("{} does not apply ({reason})", quoted(&patch))),
            Proof::Differs(paths) => {
                let paths: Vec<_> = paths.iter().map(ToString::to_string).collect();
                Err(format!("they give something else in {}", paths.join(", ")))
            }
        })
    }

    /// Returns what the message of the step's commit says about its patch. A step with a message of its own has no such
    /// metadata.
    fn metadata_of(&self, step: &PatchStep) -> Option<CommitMetadata<'_>> {
        let metadata = self.commits.get(&step.origin)?;
        Some(match &step.message {
            Some(message) => {
                let patch = PatchMetadata::default();
                let comment = message::comment(message, &patch, self.comments);
                CommitMetadata { commit: metadata.commit, known_as: metadata.known_as, patch, comment }
            }
            None => CommitMetadata {
                commit: metadata.commit,
                known_as: metadata.known_as,
                patch: metadata.patch.clone(),
                comment: metadata.comment.clone(),
            },
        })
    }

    fn build(&self, steps: &[PatchStep]) -> Result<(Vec<SeriesPatch>, Vec<Finding>)> {
        let formatted: Vec<_> = steps.iter().map(|step| step.formatted).collect();
        let head = &self.history.head;
        let mut mails = by_commit(patches::format(self.store, head, &formatted, self.ignored, Prefix::Shown)?);
        let without_prefix: Vec<_> = steps
            .iter()
            .filter(|step| self.metadata_of(step).is_some_and(|metadata| metadata.patch.no_prefix))
            .map(|step| step.formatted)
            .collect();
        mails.extend(by_commit(patches::format(self.store, head, &without_prefix, self.ignored, Prefix::Omitted)?));
        let mut downstream = Vec::new();
        let mut findings = Vec::new();
        for step in steps {
            let Some(metadata) = self.metadata_of(step) else { continue };
            let mail = match mails.remove(&step.formatted) {
                Some(mail) => {
                    let mail = with_commit(mail, &step.formatted, &metadata.known_as);
                    let message = step.message.as_ref().unwrap_or(&metadata.commit.message);
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
                None => (metadata.commit.subject(), metadata.commit.file_subject.clone()),
            };
            let renamed_links = self.renamed_links(&step.formatted, mail.as_deref().unwrap_or_default())?;
            downstream.push(DownstreamPatch {
                commit: metadata.known_as,
                subject,
                file_subject,
                mail,
                renamed_links,
                metadata: metadata.patch,
                comment: metadata.comment,
            });
        }
        let (series, found) = series::assemble(downstream)?;
        findings.extend(found);
        Ok((series, findings))
    }

    /// Returns the symbolic links that `mail` renames without saying their mode.
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

    /// Lets patches that dist-git has keep their bytes if only volatile parts would change.
    fn keep_old_bytes(&self, series: &mut [SeriesPatch]) {
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

    /// Returns one step for each commit of the first-parent line from the upstream ref up to the head; `None` if that
    /// line does not reach the upstream ref.
    fn first_parent_steps(&self) -> Result<Option<Vec<PatchStep>>> {
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
            steps.push(PatchStep { origin: commit.id, formatted, message: None });
            at = *parent;
        }
        steps.reverse();
        Ok(Some(steps))
    }

    /// Returns one step that turns the upstream ref into the head.
    fn single_step(&self) -> Result<PatchStep> {
        let History { upstream, head, commits } = self.history;
        let mut message = BString::from(format!("{}\n\n", ONE_PATCH_SUBJECT.0));
        for commit in commits.iter().filter(|commit| !commit.is_merge()).take(200) {
            // Without commit ids, the same changes give the same patch when they are committed again.
            message.extend_from_slice(b"* ");
            message.extend_from_slice(crate::types::text::printable(&commit.subject()).as_bytes());
            message.push(b'\n');
        }
        let formatted = self.store.commit_like(head, &self.store.tree_of(head)?, upstream, Some(&message))?;
        Ok(PatchStep { origin: *head, formatted, message: Some(message) })
    }

    /// Warns about commits whose metadata has no effect, because they have no patch of their own.
    fn lost_metadata(&self, steps: &BTreeSet<CommitId>) -> Vec<Finding> {
        let absorbed = self.history.commits.iter().filter(|commit| !commit.is_merge() && !steps.contains(&commit.id));
        let lost = absorbed.filter(|commit| {
            self.commits.get(&commit.id).is_some_and(|metadata| metadata.patch.source != message::MetadataSource::None)
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

/// Writes the commit that a patch stands for into its first line, if git formatted another commit.
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

/// Checks that the series also applies as it is written, without the ignored patches.
fn check_without_ignored(builder: &SeriesBuilder<'_>, proof: &TreeProof, series: &[SeriesPatch]) -> Result<()> {
    if series.iter().all(|patch| patch.place != PatchPlace::Ignored) {
        return Ok(());
    }
    let emitted = series.iter().filter(|patch| patch.place != PatchPlace::Ignored && !patch.content.is_empty());
    let emitted: Vec<_> = emitted.map(patch_file).collect();
    if let Some((name, reason)) = proof.first_failure(builder.store, &emitted)? {
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

/// Checks that the series also applies in the order of the spec file, which `Patch-present-in-specfile` can change.
pub(crate) fn check_order(store: &Store, proof: &TreeProof, series: &[SeriesPatch], order: &[BString]) -> Result<()> {
    let places: HashMap<&[u8], usize> = order.iter().zip(0..).map(|(name, place)| (name.as_bytes(), place)).collect();
    let emitted = series.iter().filter(|patch| patch.place != PatchPlace::Ignored && !patch.content.is_empty());
    let mut emitted: Vec<_> = emitted.map(patch_file).collect();
    let place = |patch: &PatchFile<'_>| places.get(patch.name).copied().unwrap_or(usize::MAX);
    if emitted.is_sorted_by_key(place) {
        return Ok(());
    }
    emitted.sort_by_key(place);
    if let Some((name, reason)) = proof.first_failure(store, &emitted)? {
        let text = format!("{} does not apply where the spec has it among the others ({reason})", quoted(&name));
        let remedy =
            "remove its `Patch-present-in-specfile` and its Patch tag, or move its commit to where the spec has it";
        bail!(Refusal::new(text, remedy));
    }
    Ok(())
}

/// Refuses changes that the build would never see: the content of a submodule, or of a file that Git LFS stores
/// elsewhere.
fn check_content(patch: &SeriesPatch) -> Result<Option<Finding>> {
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
                "commit the file itself, bring it by an archive in `sources`, or set `Ignore-patch: true` in the \
                 commit",
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

//! Turns a source-git commit into dist-git files, inside a store: reads with git, decides with `transform`, proves with
//! git. Nothing outside the store changes; what is done with the outcome is up to the command.

pub(crate) mod diffs;
mod proven_series;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bstr::{BString, ByteSlice as _};

use crate::git::history::History;
use crate::git::proof::TreeProof;
use crate::git::{Store, TreeEntry};
use crate::ops::generate::proven_series::{Maker, check_order, prove, read_messages};
use crate::transform::config::{self, PackageConfig};
use crate::transform::dist_git::{self, Inputs, Outputs, SpecPlace};
use crate::transform::files::{self, CopyPlan, ReceiverFiles, SourcesNeeded};
use crate::transform::message::CommentStyle;
use crate::transform::report::{
    self, AppliedBySpec, PatchChange, PatchCommit, PatchReport, ProofReport, TransformReport, Upstream,
};
use crate::transform::series::{PatchPlace, SeriesPatch};
use crate::types::error::{Result, bail};
use crate::types::finding::quoted;
use crate::types::{CommitId, File, FileTree, Finding, Refusal, RepoPath, Subject, TreeId};

/// What to turn into what.
#[derive(Debug)]
pub(crate) struct GenerateRequest<'a> {
    /// The package configuration of the source commit.
    pub(crate) config: &'a PackageConfig,
    /// What the configuration had to say.
    pub(crate) findings: Vec<Finding>,
    /// The commit of source-git whose content is turned into dist-git content.
    pub(crate) source: CommitId,
    /// The commit that people know for it: the head of the merge request that was put on its target.
    pub(crate) known_as: CommitId,
    /// The commits that people know, for those that stand for them.
    pub(crate) originals: HashMap<CommitId, CommitId>,
    /// What it sits on.
    pub(crate) upstream: Upstream,
    /// Commits whose parents the store lacks.
    pub(crate) shallow: &'a [CommitId],
    /// dist-git's files, as they are.
    pub(crate) dist_git: TreeId,
    /// What to write above new patches in the spec.
    pub(crate) comments: CommentStyle,
    /// What becomes of files that are dist-git's own.
    pub(crate) receiver_files: ReceiverFiles,
}

/// dist-git before and after, and what there is to say about it.
#[derive(Debug)]
pub(crate) struct Generated {
    /// dist-git's files, as they are.
    pub(crate) before: FileTree,
    /// dist-git's files, as they become; the store has their content.
    pub(crate) after: FileTree,
    /// Where the spec is in dist-git.
    pub(crate) spec: RepoPath,
    /// What changes and what was proven.
    pub(crate) report: TransformReport,
}

/// Reads the package configuration of a source-git commit.
pub(crate) fn read_config(store: &Store, source: &CommitId) -> Result<(PackageConfig, Vec<Finding>)> {
    let path = RepoPath::parse(config::PATH)?;
    let Some(TreeEntry::File(file)) = store.entry(&store.tree_of(source)?, &path)? else {
        let text = format!("commit {} has no package configuration", source.short());
        let remedy = format!("commit {path}; packit's documentation describes its format under \"Configuration\"");
        bail!(Refusal::new(text, remedy));
    };
    Ok(PackageConfig::parse(&store.read_at(&path, &file)?)?)
}

/// Turns the source commit into dist-git's files.
pub(crate) fn generate(store: &Store, request: GenerateRequest<'_>) -> Result<Generated> {
    let config = request.config;
    let mut findings = request.findings;
    let plan = CopyPlan::parse(&config.files_to_sync)?;
    let ignored: Vec<BString> = config.ignored_paths.iter().cloned().chain(plan.excluded_pathspecs()).collect();

    let source_tree = store.tree_of(&request.source)?;
    let sent = source_files(store, &source_tree, &plan)?;
    let before = store.files(&request.dist_git, None)?;
    let synced = files::sync(&plan, &sent, &before, request.receiver_files)?;
    findings.extend(synced.findings);
    let place = SpecPlace::find(config, &synced.placed)?;
    let carried: BTreeSet<RepoPath> = synced.placed.into_values().flatten().collect();
    let Some(spec_file) = sent.get(&config.spec_path) else {
        bail!(
            Refusal::new("the spec file is not there", "commit it, or correct `specfile_path`")
                .about_file(&config.spec_path)
        );
    };
    let source_spec = store.read_at(&config.spec_path, spec_file)?;
    let dist_spec = before.get(place.path()).map(|file| store.read_at(place.path(), file)).transpose()?;

    let history = History::read(store, &request.upstream.commit, &request.source, request.shallow)?;
    tracing::info!("downstream commits on {}: {}", quoted(request.upstream.name.as_bytes()), history.commits.len());
    let old = old_patches(store, &before, &place)?;
    let commits = read_messages(&history, &request.originals, request.comments, &mut findings)?;
    let maker =
        Maker { store, history: &history, commits: &commits, comments: request.comments, ignored: &ignored, old: &old };
    let measure = TreeProof::read(store, &history, &ignored)?;
    let proven = prove(&maker, &measure, &request.upstream.name)?;
    findings.extend(proven.findings);
    findings.extend(nothing_but_ignored(&history, proven.series.is_empty()));

    let outputs = dist_git::assemble(&Inputs {
        config,
        series: &proven.series,
        synced: &synced.files,
        carried: &carried,
        before: &before,
        place: &place,
        source_spec: &source_spec,
        dist_spec: dist_spec.as_deref(),
    })?;
    check_order(store, &measure, &proven.series, &outputs.order)?;
    let mut after = outputs.files.clone();
    for (path, made) in &outputs.made {
        after.insert(path.clone(), File { mode: made.mode, blob: store.add_blob(&made.content)? });
    }
    findings.extend(outputs.findings.iter().cloned());
    let in_series = proven.series.iter().map(|patch| place.patch(&patch.file_name));
    let in_series: BTreeSet<_> = in_series.collect::<Result<_, _>>()?;
    let report = TransformReport {
        package: config.package_name.clone(),
        source: request.known_as,
        upstream: request.upstream,
        patches: patch_reports(&proven.series, &outputs, &place, &before, &after)?,
        files: report::file_changes(&before, &after, |path| {
            in_series.contains(path) || (place.holds_patch(path) && !after.contains_key(path))
        }),
        merges: proven.merges,
        proof: ProofReport {
            patches: proven.series.len(),
            tree: proven.tree,
            verified: outputs.applied_by_spec == AppliedBySpec::Yes,
            applied_by_spec: outputs.applied_by_spec,
            outside: outputs.outside.iter().map(|name| crate::types::text::printable(name)).collect(),
        },
        findings,
    };
    Ok(Generated { before, after, spec: place.path().clone(), report })
}

/// A configuration that keeps every change out of the patches is seldom meant.
fn nothing_but_ignored(history: &History, has_no_patches: bool) -> Option<Finding> {
    let in_distro = |path: &RepoPath| path.components().next().is_some_and(|first| first == config::DISTRO);
    let changed =
        history.commits.iter().find(|commit| !commit.files.iter().all(in_distro)).filter(|_| has_no_patches)?;
    let text = "no commit gets a patch: all that they change is copied by `files_to_sync` or ignored";
    let remedy =
        "see whether `files_to_sync` and `patch_generation_ignore_paths` in .distro/source-git.yaml reach too far";
    Some(Finding::warning(text).about(Subject::Commit(changed.id)).remedy(remedy))
}

/// Reads the files of source-git that `files_to_sync` may copy, and no others.
fn source_files(store: &Store, tree: &TreeId, plan: &CopyPlan) -> Result<FileTree> {
    match plan.sources_needed() {
        SourcesNeeded::Everything => store.files(tree, None),
        SourcesNeeded::TopLevel(paths) => store.files_below(tree, &paths),
    }
}

/// Reads the patches that dist-git has beside the spec.
fn old_patches(store: &Store, before: &FileTree, place: &SpecPlace) -> Result<BTreeMap<BString, Vec<u8>>> {
    let patches = before.iter().filter(|(path, file)| {
        place.holds_patch(path)
            && matches!(file.mode, crate::types::FileMode::Regular | crate::types::FileMode::Executable)
    });
    patches.map(|(path, file)| Ok((path.file_name().to_owned(), store.read_at(path, file)?))).collect()
}

fn patch_reports(
    series: &[SeriesPatch],
    outputs: &Outputs,
    place: &SpecPlace,
    before: &FileTree,
    after: &FileTree,
) -> Result<Vec<PatchReport>> {
    let mut reports = Vec::new();
    for patch in series {
        let path = place.patch(&patch.file_name)?;
        let change = match (patch.place, &patch.kept, before.get(&path)) {
            (PatchPlace::Ignored, ..) => PatchChange::Ignored,
            (_, Some(old), _) if old.as_bytes() != patch.file_name.as_str().as_bytes() => {
                PatchChange::Renamed { from: RepoPath::parse(old)? }
            }
            (_, _, Some(old)) if after.get(&path) == Some(old) => PatchChange::Kept,
            (_, _, Some(_)) => PatchChange::Changed,
            (_, _, None) => PatchChange::Added,
        };
        let commits = patch.commits.iter().map(|(id, subject)| PatchCommit { id: *id, subject: subject.clone() });
        reports.push(PatchReport {
            file: patch.file_name.to_string(),
            change,
            number: outputs.numbers.get(patch.file_name.as_str().as_bytes().as_bstr()).copied().flatten(),
            commits: commits.collect(),
        });
    }
    let renamed: BTreeSet<_> = series.iter().filter_map(|patch| patch.kept.as_ref()).collect();
    let gone = before.keys().filter(|path| place.holds_patch(path) && !after.contains_key(*path));
    for path in gone.filter(|path| !renamed.contains(&path.file_name().to_owned())) {
        let file = crate::types::text::printable(path.file_name());
        reports.push(PatchReport { file, change: PatchChange::Dropped, number: None, commits: Vec::new() });
    }
    Ok(reports)
}

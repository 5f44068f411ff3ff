//! Turns a source-git commit into dist-git files, inside a store: reads with git, decides with `transform`, and proves
//! the result with git.
//!
//! Nothing outside the store changes. The caller decides what to do with the result.

pub(crate) mod diffs;
mod proven_series;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bstr::{BString, ByteSlice as _};

use crate::git::history::History;
use crate::git::proof::TreeProof;
use crate::git::{Store, TreeEntry};
use crate::ops::generate::proven_series::{SeriesBuilder, check_order, prove, read_messages};
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

#[derive(Debug)]
pub(crate) struct GenerateRequest<'a> {
    /// The package configuration of the source commit.
    pub(crate) config: &'a PackageConfig,
    /// The findings from parsing the configuration.
    pub(crate) findings: Vec<Finding>,
    /// The commit of source-git whose content is turned into dist-git content.
    pub(crate) source: CommitId,
    /// The commit that people know instead of `source`: the head of the merge request, before the bot put it on its
    /// target.
    pub(crate) known_as: CommitId,
    /// Maps commits that the bot made to the commits that people know instead.
    pub(crate) originals: HashMap<CommitId, CommitId>,
    /// The upstream ref below the downstream commits.
    pub(crate) upstream: Upstream,
    /// Commits whose parents the store does not have.
    pub(crate) shallow: &'a [CommitId],
    /// The tree of dist-git as it is now.
    pub(crate) dist_git: TreeId,
    /// What to write above new patches in the spec file.
    pub(crate) comments: CommentStyle,
    /// What to do with files that are dist-git's own.
    pub(crate) receiver_files: ReceiverFiles,
}

/// The files of dist-git before and after, with a report.
#[derive(Debug)]
pub(crate) struct Generated {
    /// The files of dist-git as they are now.
    pub(crate) before: FileTree,
    /// The files that dist-git should have. The store has their content.
    pub(crate) after: FileTree,
    /// The path of the spec file in dist-git.
    pub(crate) spec: RepoPath,
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
    let sources = source_files(store, &source_tree, &plan)?;
    let before = store.files(&request.dist_git, None)?;
    let synced = files::sync(&plan, &sources, &before, request.receiver_files)?;
    findings.extend(synced.findings);
    let spec_place = SpecPlace::find(config, &synced.placed)?;
    let carried: BTreeSet<RepoPath> = synced.placed.into_values().flatten().collect();
    let Some(spec_file) = sources.get(&config.spec_path) else {
        bail!(
            Refusal::new("the spec file is not there", "commit it, or correct `specfile_path`")
                .about_file(&config.spec_path)
        );
    };
    let source_spec = store.read_at(&config.spec_path, spec_file)?;
    let dist_spec = before.get(spec_place.path()).map(|file| store.read_at(spec_place.path(), file)).transpose()?;

    let history = History::read(store, &request.upstream.commit, &request.source, request.shallow)?;
    tracing::info!("downstream commits on {}: {}", quoted(request.upstream.name.as_bytes()), history.commits.len());
    let old = old_patches(store, &before, &spec_place)?;
    let commits = read_messages(&history, &request.originals, request.comments, &mut findings)?;
    let builder = SeriesBuilder {
        store,
        history: &history,
        commits: &commits,
        comments: request.comments,
        ignored: &ignored,
        old: &old,
    };
    let proof = TreeProof::read(store, &history, &ignored)?;
    let proven = prove(&builder, &proof, &request.upstream.name)?;
    findings.extend(proven.findings);
    findings.extend(nothing_but_ignored(&history, proven.series.is_empty()));

    let outputs = dist_git::assemble(&Inputs {
        config,
        series: &proven.series,
        synced: &synced.files,
        carried: &carried,
        before: &before,
        place: &spec_place,
        source_spec: &source_spec,
        dist_spec: dist_spec.as_deref(),
    })?;
    check_order(store, &proof, &proven.series, &outputs.order)?;
    let mut after = outputs.files.clone();
    for (path, file) in &outputs.made {
        after.insert(path.clone(), File { mode: file.mode, blob: store.add_blob(&file.content)? });
    }
    findings.extend(outputs.findings.iter().cloned());
    let in_series = proven.series.iter().map(|patch| spec_place.patch(&patch.file_name));
    let in_series: BTreeSet<_> = in_series.collect::<Result<_, _>>()?;
    let report = TransformReport {
        package: config.package_name.clone(),
        source: request.known_as,
        upstream: request.upstream,
        patches: patch_reports(&proven.series, &outputs, &spec_place, &before, &after)?,
        files: report::file_changes(&before, &after, |path| {
            in_series.contains(path) || (spec_place.holds_patch(path) && !after.contains_key(path))
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
    Ok(Generated { before, after, spec: spec_place.path().clone(), report })
}

/// Warns if the configuration keeps every change out of the patches, because that is rarely intended.
fn nothing_but_ignored(history: &History, has_no_patches: bool) -> Option<Finding> {
    let in_distro = |path: &RepoPath| path.components().next().is_some_and(|first| first == config::DISTRO);
    let changed =
        history.commits.iter().find(|commit| !commit.files.iter().all(in_distro)).filter(|_| has_no_patches)?;
    let text = "no commit gets a patch: all that they change is copied by `files_to_sync` or ignored";
    let remedy =
        "see whether `files_to_sync` and `patch_generation_ignore_paths` in .distro/source-git.yaml reach too far";
    Some(Finding::warning(text).about(Subject::Commit(changed.id)).remedy(remedy))
}

/// Lists the files of source-git that `files_to_sync` may copy, and no others.
fn source_files(store: &Store, tree: &TreeId, plan: &CopyPlan) -> Result<FileTree> {
    match plan.sources_needed() {
        SourcesNeeded::Everything => store.files(tree, None),
        SourcesNeeded::TopLevel(paths) => store.files_below(tree, &paths),
    }
}

/// Reads the patches beside the spec file in dist-git.
fn old_patches(store: &Store, before: &FileTree, spec_place: &SpecPlace) -> Result<BTreeMap<BString, Vec<u8>>> {
    let patches = before.iter().filter(|(path, file)| {
        spec_place.holds_patch(path)
            && matches!(file.mode, crate::types::FileMode::Regular | crate::types::FileMode::Executable)
    });
    patches.map(|(path, file)| Ok((path.file_name().to_owned(), store.read_at(path, file)?))).collect()
}

fn patch_reports(
    series: &[SeriesPatch],
    outputs: &Outputs,
    spec_place: &SpecPlace,
    before: &FileTree,
    after: &FileTree,
) -> Result<Vec<PatchReport>> {
    let mut reports = Vec::new();
    for patch in series {
        let path = spec_place.patch(&patch.file_name)?;
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
    let gone = before.keys().filter(|path| spec_place.holds_patch(path) && !after.contains_key(*path));
    for path in gone.filter(|path| !renamed.contains(&path.file_name().to_owned())) {
        let file = crate::types::text::printable(path.file_name());
        reports.push(PatchReport { file, change: PatchChange::Dropped, number: None, commits: Vec::new() });
    }
    Ok(reports)
}

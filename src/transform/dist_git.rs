//! The new content of dist-git: the synced files, the patch files beside the spec, and the spec that names them.

use std::collections::{BTreeMap, BTreeSet};

use bstr::BString;

use crate::transform::config::{Changelog, PackageConfig};
use crate::transform::mail::{self, PatchLimit};
use crate::transform::message::PatchFileName;
use crate::transform::report::AppliedBySpec;
use crate::transform::series::{PatchPlace, Prefix, SeriesPatch};
use crate::transform::spec::{self, ApplyStyle, NewPatch, SpecPatch, Strip, Tool};
use crate::types::finding::quoted;
use crate::types::{FileMode, FileTree, Finding, Refusal, RepoPath, Subject};

/// The path of the spec file in dist-git. The patch files lie beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecPlace(RepoPath);

impl SpecPlace {
    /// Returns the one path to which `files_to_sync` copies the spec.
    ///
    /// `placed` has the paths in dist-git for each file of source-git that is copied.
    pub fn find(config: &PackageConfig, placed: &BTreeMap<RepoPath, Vec<RepoPath>>) -> Result<Self, Refusal> {
        let spec = &config.spec_path;
        match placed.get(spec).map(Vec::as_slice) {
            Some([place]) => Ok(Self(place.clone())),
            None | Some([]) => Err(Refusal::new(
                "the spec file is not copied to dist-git: no item of `files_to_sync` reaches it, or a filter leaves it \
                 out",
                "correct `files_to_sync` or `specfile_path` in .distro/source-git.yaml",
            )
            .about_file(spec)),
            Some([first, second, ..]) => Err(Refusal::new(
                format!("the spec file is copied to dist-git twice, as {first} and {second}"),
                "let one item of `files_to_sync` in .distro/source-git.yaml copy it",
            )
            .about_file(spec)),
        }
    }

    pub fn path(&self) -> &RepoPath {
        &self.0
    }

    /// Returns the path of a patch file.
    pub fn patch(&self, name: &PatchFileName) -> Result<RepoPath, Refusal> {
        self.beside(name.as_str().as_bytes()).ok_or_else(|| {
            let text = format!("{} cannot be the name of a patch file", quoted(name.as_str().as_bytes()));
            Refusal::new(text, "choose another `Patch-name`")
        })
    }

    fn beside(&self, name: &[u8]) -> Option<RepoPath> {
        match self.0.parent() {
            Some(directory) => directory.join(name),
            None => RepoPath::parse(name),
        }
        .ok()
    }

    /// Whether a file of dist-git lies beside the spec and has the name of a patch file.
    pub fn holds_patch(&self, path: &RepoPath) -> bool {
        path.parent() == self.0.parent()
            && [".patch", ".diff"].iter().any(|end| path.as_bytes().ends_with(end.as_bytes()))
    }
}

#[derive(Debug)]
pub struct Inputs<'a> {
    pub config: &'a PackageConfig,
    /// The proven series.
    pub series: &'a [SeriesPatch],
    /// dist-git's files after the items of `files_to_sync`.
    pub synced: &'a FileTree,
    /// Those of `synced` that came from source-git.
    pub carried: &'a BTreeSet<RepoPath>,
    /// dist-git's present files.
    pub before: &'a FileTree,
    pub place: &'a SpecPlace,
    /// The content of the spec in source-git.
    pub source_spec: &'a [u8],
    /// The content of the file that dist-git has at `place`.
    pub dist_spec: Option<&'a [u8]>,
}

#[derive(Debug)]
pub struct Outputs {
    /// The files that stay as the items of `files_to_sync` leave them.
    pub files: FileTree,
    /// The files that are made here. They replace any other file at their path.
    pub made: BTreeMap<RepoPath, GeneratedFile>,
    /// The patch files that the spec names, in the order in which the spec applies them.
    pub order: Vec<BString>,
    /// The number of each patch file in the spec, keyed by file name.
    pub numbers: BTreeMap<BString, Option<u32>>,
    /// Files that dist-git loses, because the new spec no longer names them.
    pub stale: Vec<RepoPath>,
    /// Patches that the spec names but no commit makes.
    pub outside: Vec<BString>,
    pub applied_by_spec: AppliedBySpec,
    pub findings: Vec<Finding>,
}

/// A file that the transformation makes: a patch file or the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedFile {
    pub mode: FileMode,
    pub content: Vec<u8>,
}

pub fn assemble(inputs: &Inputs<'_>) -> Result<Outputs, Refusal> {
    let Inputs { config, series, synced, carried, before, place, source_spec, dist_spec } = *inputs;
    let mut findings = Vec::new();
    let spec_mode = match synced.get(place.path()) {
        Some(file) if matches!(file.mode, FileMode::Regular | FileMode::Executable) => file.mode,
        _ => {
            let refusal = Refusal::new("the spec is not a regular file", "replace it by the spec file itself");
            return Err(refusal.about_file(&config.spec_path));
        }
    };
    let mut changelog_findings = Vec::new();
    let base_spec = match (config.changelog, dist_spec) {
        (Changelog::DistGits, Some(dist_spec)) => {
            let (spec, found) = spec::take_changelog(source_spec, dist_spec, &config.spec_path)?;
            changelog_findings = found;
            spec
        }
        _ => source_spec.to_vec(),
    };
    let wanted: Vec<_> = series.iter().filter(|patch| patch.place == PatchPlace::InSpec).map(new_patch).collect();
    let edited = spec::add_patches(&base_spec, &config.spec_path, &wanted, config.patch_id_digits)?;
    // Do not repeat findings about a changelog that dist-git already has.
    if dist_spec != Some(&edited.spec) {
        findings.extend(changelog_findings);
    }
    findings.extend(edited.findings);
    let named = spec::patches(&edited.spec);

    let mut made = BTreeMap::new();
    for patch in series.iter().filter(|patch| patch.place != PatchPlace::Ignored) {
        let path = place.patch(&patch.file_name)?;
        check_path_is_free(patch, &path, synced, carried)?;
        if patch.place == PatchPlace::PresentInSpec
            && !named.iter().any(|one| one.may_be(patch.file_name.as_str().as_bytes()))
        {
            let text = format!(
                "the spec does not name {}, which its commit says it does",
                quoted(patch.file_name.as_str().as_bytes())
            );
            let remedy = "add the Patch tag to the spec, or remove `Patch-present-in-specfile`";
            let finding = Finding::problem(text).remedy(remedy);
            findings.push(about(finding, patch.subject()));
        }
        let mode = before.get(&path).map_or(FileMode::Regular, |file| match file.mode {
            FileMode::Executable => FileMode::Executable,
            _ => FileMode::Regular,
        });
        made.insert(path, GeneratedFile { mode, content: patch.content.clone() });
    }

    let stale = stale_patches(inputs, &named, &made);
    let mut files = synced.clone();
    for path in &stale {
        files.remove(path);
    }
    let style = spec::apply_style(&edited.spec);
    let problems: Vec<_> = series
        .iter()
        .filter(|patch| patch.place != PatchPlace::Ignored)
        .flat_map(|patch| problems_of_applying(patch, number_of(&named, patch), &style))
        .collect();
    let unknown = series.iter().filter(|patch| patch.place != PatchPlace::Ignored).any(|patch| {
        let ways = style.ways(number_of(&named, patch));
        ways.is_empty() || ways.iter().any(|way| way.tool == Tool::Unknown)
    });
    let applied_by_spec = match (problems.is_empty(), unknown) {
        (false, _) => AppliedBySpec::No,
        (true, true) => AppliedBySpec::Unknown,
        (true, false) => AppliedBySpec::Yes,
    };
    findings.extend(problems);
    if let Some(dist_spec) = dist_spec {
        findings.extend(version_without_sources(dist_spec, &edited.spec, inputs));
    }
    let in_series = |name: &SpecPatch| series.iter().any(|patch| name.may_be(patch.file_name.as_str().as_bytes()));
    let outside = named.iter().filter(|name| !in_series(name)).map(|name| name.written().to_owned()).collect();
    let order = named.iter().filter_map(|one| Some(one.file_name()?.to_owned())).collect();
    let numbers = named.iter().filter_map(|one| Some((one.file_name()?.to_owned(), one.number))).collect();
    made.insert(place.path().clone(), GeneratedFile { mode: spec_mode, content: edited.spec });
    Ok(Outputs { files, made, order, numbers, stale, outside, applied_by_spec, findings })
}

fn new_patch(patch: &SeriesPatch) -> NewPatch {
    NewPatch {
        file_name: patch.file_name.as_str().as_bytes().into(),
        number: patch.number,
        commit: patch.commits.first().map_or(crate::types::CommitId::from_bytes([0; 20]), |(commit, _)| *commit),
        comment: patch.comment.clone(),
        strip: strip_of(patch),
    }
}

fn number_of(named: &[SpecPatch], patch: &SeriesPatch) -> Option<u32> {
    named
        .iter()
        .find(|one| one.file_name().is_some_and(|name| name == patch.file_name.as_str()))
        .and_then(|one| one.number)
}

fn about(finding: Finding, subject: Option<Subject>) -> Finding {
    match subject {
        Some(subject) => finding.about(subject),
        None => finding,
    }
}

/// Refuses a patch file whose path belongs to a file from source-git or to a directory.
fn check_path_is_free(
    patch: &SeriesPatch,
    path: &RepoPath,
    synced: &FileTree,
    carried: &BTreeSet<RepoPath>,
) -> Result<(), Refusal> {
    let refusal = if carried.contains(path) {
        Refusal::new(format!("its patch would overwrite {path}, which .distro brings"), "give it another `Patch-name`")
    } else if synced.keys().any(|other| other.below(path).is_some()) {
        Refusal::new(format!("its patch would be {path}, which is a directory"), "give it another `Patch-name`")
    } else {
        return Ok(());
    };
    Err(match patch.subject() {
        Some(subject) => refusal.about(subject),
        None => refusal,
    })
}

/// Returns the patch files of dist-git that only the old spec names and that nothing writes.
fn stale_patches(inputs: &Inputs<'_>, named: &[SpecPatch], made: &BTreeMap<RepoPath, GeneratedFile>) -> Vec<RepoPath> {
    let Some(dist_spec) = inputs.dist_spec else { return Vec::new() };
    let old = spec::patches(dist_spec);
    inputs
        .synced
        .keys()
        .filter(|path| path.parent() == inputs.place.path().parent())
        .filter(|path| *path != inputs.place.path() && !inputs.carried.contains(*path) && !made.contains_key(*path))
        .filter(|path| old.iter().any(|one| one.may_be(path.file_name())))
        .filter(|path| !named.iter().any(|one| one.may_be(path.file_name())))
        .cloned()
        .collect()
}

/// The remedy for patches that git can apply and `patch` cannot.
const GIT_IN_SPEC: &str = "write `%autosetup -S git -p1` and `BuildRequires: git-core` in the spec";

/// Returns a finding for each reason why the spec's own way of applying patches fails for this patch.
fn problems_of_applying(patch: &SeriesPatch, number: Option<u32>, style: &ApplyStyle) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = quoted(patch.file_name.as_str().as_bytes());
    let strip = strip_of(patch);
    let mut problem = |text: String, remedy: &str| {
        findings.push(about(Finding::problem(text).remedy(remedy), patch.subject()));
    };
    let ways = style.ways(number);
    if ways.iter().any(|way| !way.finds(strip)) {
        problem(
            format!("{name} needs `-p{}`, and the spec applies it otherwise", strip.level()),
            match strip {
                Strip::P1 => "write `%autosetup -p1` in the spec's %prep, or `-p1` on the line that applies it",
                Strip::P0 => "remove `No-prefix` from the commit, or apply the patch by a `%patch -p0` line of its own",
            },
        );
    }
    let mails = mail::split(&patch.content).into_iter().map(|mail| mail::diff_of(mail).unwrap_or_default());
    let mails: Vec<_> = mails.collect();
    if ways.iter().any(|way| way.tool == Tool::GitApply)
        && let Some(file) = mail::moved_after_a_change(&mails)
    {
        let path = file.path().map(ToString::to_string).unwrap_or_default();
        problem(
            format!(
                "{name} moves, makes or deletes {path} after an earlier commit in it changes that, which `git apply` \
                 gets wrong"
            ),
            "give the commits `Patch-name`s that differ, or write `%autosetup -S git_am -p1` in the spec",
        );
    }
    if ways.iter().any(|way| way.tool == Tool::Patch) {
        for (path, limit) in mail::files_beyond_patch(&patch.content).unwrap_or_default() {
            problem(
                match limit {
                    PatchLimit::Binary => format!("{name} changes {path}, a binary file, which `patch` cannot apply"),
                    PatchLimit::SpaceAtEnd => {
                        format!("{name} changes {path}, whose name ends in a space, which `patch` does not see")
                    }
                    PatchLimit::SpaceWithoutHunks => format!(
                        "{name} changes no line of {path}, and `patch` cannot read a name with a space where no line \
                         changes"
                    ),
                    PatchLimit::FileAndDirectory => format!(
                        "{name} changes {path}, and what was or becomes a file in the place of its directory, which \
                         `patch` cannot apply"
                    ),
                    PatchLimit::RenamedAndChanged => format!(
                        "{name} renames {path} and changes it in another of its commits, which `patch` cannot apply"
                    ),
                },
                GIT_IN_SPEC,
            );
        }
        for path in &patch.renamed_links {
            problem(
                format!("{name} renames {path}, a symbolic link, without changing it, which `patch` cannot apply"),
                GIT_IN_SPEC,
            );
        }
        if let Some(line) = mail::message_line_read_by_patch(&patch.content) {
            problem(
                format!("the message in {name} holds {}, which `patch` takes for part of a patch", quoted(line)),
                "reword the message, or write `%autosetup -S git_am -p1` in the spec",
            );
        }
    }
    findings
}

fn strip_of(patch: &SeriesPatch) -> Strip {
    match patch.prefix {
        Prefix::Shown => Strip::P1,
        Prefix::Omitted => Strip::P0,
    }
}

/// Returns a warning when the spec has a new version and `sources` is unchanged, because a version has its own
/// archives.
fn version_without_sources(dist_spec: &[u8], new_spec: &[u8], inputs: &Inputs<'_>) -> Option<Finding> {
    let old = spec::version(dist_spec)?;
    let new = spec::version(new_spec)?;
    let sources = inputs.place.beside(b"sources")?;
    if old == new || inputs.before.get(&sources) != inputs.synced.get(&sources) {
        return None;
    }
    let text = format!("`Version` changes from {} to {}, and `sources` does not change", quoted(&old), quoted(&new));
    let remedy =
        "upload the new archives and update `sources` in dist-git (`centpkg new-sources`, `fedpkg new-sources`)";
    Some(Finding::warning(text).about(Subject::File(inputs.config.spec_path.clone())).remedy(remedy))
}

//! What dist-git becomes: the synced files, the patch files beside the spec, and the spec that names them.

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

/// Where the spec file goes, and so the patches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecPlace(RepoPath);

impl SpecPlace {
    /// Finds the one place to which `files_to_sync` copies the spec.
    ///
    /// `placed` has, for each file of source-git that is copied, where it goes.
    pub fn find(config: &PackageConfig, placed: &BTreeMap<RepoPath, Vec<RepoPath>>) -> Result<Self, Refusal> {
        let spec = &config.spec_path;
        match placed.get(spec).map(Vec::as_slice) {
            Some([place]) => Ok(Self(place.clone())),
            None | Some([]) => Err(Refusal::new(
                "the spec file is not copied to dist-git: no item of `files_to_sync` reaches it, or a filter leaves it out",
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

    /// The spec file in dist-git.
    pub fn path(&self) -> &RepoPath {
        &self.0
    }

    /// The place of a patch file: beside the spec.
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

    /// Whether a file of dist-git lies beside the spec and is named like a patch.
    pub fn holds_patch(&self, path: &RepoPath) -> bool {
        path.parent() == self.0.parent()
            && [".patch", ".diff"].iter().any(|end| path.as_bytes().ends_with(end.as_bytes()))
    }
}

/// What goes into dist-git.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// The package configuration.
    pub config: &'a PackageConfig,
    /// The series, as it was proven.
    pub series: &'a [SeriesPatch],
    /// dist-git's files after `files_to_sync`.
    pub synced: &'a FileTree,
    /// Which of them came from source-git.
    pub carried: &'a BTreeSet<RepoPath>,
    /// dist-git's files before.
    pub before: &'a FileTree,
    /// Where the spec is.
    pub place: &'a SpecPlace,
    /// The spec in source-git.
    pub source_spec: &'a [u8],
    /// The spec that dist-git has at that place.
    pub dist_spec: Option<&'a [u8]>,
}

/// What dist-git becomes.
#[derive(Debug)]
pub struct Outputs {
    /// The files that stay as `files_to_sync` leaves them.
    pub files: FileTree,
    /// The files that are made here; they take the place of any other.
    pub made: BTreeMap<RepoPath, Made>,
    /// The patch files that the spec names, in the order in which it applies them.
    pub order: Vec<BString>,
    /// The number of each patch file in the spec, by name.
    pub numbers: BTreeMap<BString, Option<u32>>,
    /// Files of dist-git that go because the new spec no longer names them.
    pub stale: Vec<RepoPath>,
    /// Patches that the spec names and no commit stands for.
    pub outside: Vec<BString>,
    /// Whether the spec applies each patch.
    pub applied_by_spec: AppliedBySpec,
    /// What a person should know.
    pub findings: Vec<Finding>,
}

/// A file that the transformation makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its mode.
    pub mode: FileMode,
    /// Its content.
    pub content: Vec<u8>,
}

/// Puts dist-git together.
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
    // What dist-git has already was said when it came there.
    if dist_spec != Some(&edited.spec) {
        findings.extend(changelog_findings);
    }
    findings.extend(edited.findings);
    let named = spec::patches(&edited.spec);

    let mut made = BTreeMap::new();
    for patch in series.iter().filter(|patch| patch.place != PatchPlace::Ignored) {
        let path = place.patch(&patch.file_name)?;
        check_free(patch, &path, synced, carried)?;
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
        made.insert(path, Made { mode, content: patch.content.clone() });
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
        .flat_map(|patch| unappliable(patch, number_of(&named, patch), &style))
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
    made.insert(place.path().clone(), Made { mode: spec_mode, content: edited.spec });
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

/// Refuses a patch that would take the place of a file, or of a directory, that is not the bot's to replace.
fn check_free(
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

/// Returns the patch files of dist-git that its old spec names, that the new one does not, and that nothing brings.
fn stale_patches(inputs: &Inputs<'_>, named: &[SpecPatch], made: &BTreeMap<RepoPath, Made>) -> Vec<RepoPath> {
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

/// What to do where `patch` cannot do what git can.
const GIT_IN_SPEC: &str = "write `%autosetup -S git -p1` and `BuildRequires: git-core` in the spec";

/// Says why the spec's own way of applying patches cannot apply this one.
fn unappliable(patch: &SeriesPatch, number: Option<u32>, style: &ApplyStyle) -> Vec<Finding> {
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
                "{name} moves, makes or deletes {path} after an earlier commit in it changes that, which `git apply` gets wrong"
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
                        "{name} changes no line of {path}, and `patch` cannot read a name with a space where no line changes"
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

/// A new version needs new archives, and so another `sources`.
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

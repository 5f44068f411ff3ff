//! The two repositories of a package that is a copy: projects, branches, settings, CI files, protection.

use crate::forge::{FeatureAccess, FileActionKind, ProjectEdit, ProjectSettings};
use crate::setup::ci_file::{DIST_GIT_PATH, SOURCE_GIT_PATH};
use crate::setup::package_facts::{CiFile, OriginalFacts, RepositoryFacts};
use crate::setup::plan::Planner;
use crate::setup::step::{Need, SetupPlace, SetupStep, Side, counted};
use crate::setup::todo::Todo;
use crate::types::{BranchName, CommitId};

impl Planner<'_> {
    pub(super) fn repository(&mut self, repository: &RepositoryFacts) {
        let Some(original) = &repository.original else {
            self.present(format!("{}: the project", repository.path));
            return;
        };
        match &repository.project {
            None => self.new_project(repository, original),
            Some(project) => self.settings(repository, original, project),
        }
        self.refs(repository, original);
        self.default_branch(repository, original);
    }

    fn new_project(&mut self, repository: &RepositoryFacts, original: &OriginalFacts) {
        let RepositoryFacts { which, path, .. } = repository;
        match repository.namespace {
            Some(namespace) => self.step(SetupStep::CreateProject {
                which: *which,
                path: path.clone(),
                namespace,
                visibility: original.visibility,
                settings: wanted(*which),
            }),
            None => {
                let namespace = path.namespace();
                self.missing.0.insert(Need::Project(*which));
                self.left(Todo::undone(format!(
                    "@{} does not see the group {namespace}, or there is none: making {path} there takes the role \
                     Developer or Maintainer, as the group is set, which an Owner of it can give",
                    self.seen.operator
                )));
            }
        }
    }

    fn settings(&mut self, repository: &RepositoryFacts, original: &OriginalFacts, project: &ProjectSettings) {
        let RepositoryFacts { which, path, .. } = repository;
        self.present(format!("{path}: the project"));
        if project.archived == Some(true) {
            self.missing.0.insert(Need::Project(*which));
            self.left(Todo::undone(format!("{path} is archived: an Owner of it can take it back")));
            return;
        }
        let shows_more = project.visibility.is_some_and(|visibility| visibility > original.visibility);
        if shows_more && original.refs.keys().any(|name| !repository.refs.contains_key(name)) {
            self.missing.0.insert(Need::Project(*which));
            self.left(Todo::undone(format!(
                "more people can see {path} than {}, so that nothing more is copied: a Maintainer can set its visibility to \
                 that of the original",
                original.path
            )));
            return;
        }
        if shows_more {
            self.left(Todo::for_a_person(format!(
                "more people can see {path} than {}: a Maintainer can set its visibility to that of the original, if \
                 that was not meant",
                original.path
            )));
        }
        let settings = missing(&wanted(*which), project);
        match settings.is_empty() {
            true => self.present(format!("{path}: settings")),
            false => self.step(SetupStep::EditSettings {
                place: SetupPlace::Repository(*which),
                path: path.clone(),
                settings,
            }),
        }
    }

    fn refs(&mut self, repository: &RepositoryFacts, original: &OriginalFacts) {
        let RepositoryFacts { which, path, refs: there, .. } = repository;
        let first = original.default_branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
        let mut refs: Vec<(String, CommitId)> = original.refs.iter().map(|(name, id)| (name.clone(), *id)).collect();
        // What is pushed to an empty project first becomes the branch that a clone checks out.
        refs.sort_by_key(|(name, _)| Some(name) != first.as_ref());
        let is_there = |name: &String| there.contains_key(name);
        let differs = |(name, id): &&(String, CommitId)| {
            there.get(name).is_some_and(|there| there != id) && !repository.ahead.contains(name)
        };
        let is_kept_out = |name: &String| repository.has_no_room_for(name);
        let stays = |one: &&(String, CommitId)| differs(one) || is_kept_out(&one.0);
        let other: Vec<&str> = refs.iter().filter(stays).map(|(name, _)| short(name)).collect();
        let present: Vec<&str> =
            refs.iter().map(|(name, _)| name.as_str()).filter(|n| there.contains_key(*n)).collect();
        if !present.is_empty() {
            self.present(format!("{path}: {}", counted(present.iter().copied())));
        }
        if !other.is_empty() {
            let left = Todo::for_a_person(format!(
                "not all that {} has is in {path}: people have changed it there, or it was changed in the original since. \
                 It stays as it is; merge by hand what is wanted, of",
                original.path
            ));
            self.left(other.into_iter().fold(left, Todo::line));
        }
        refs.retain(|(name, _)| !is_there(name) && !is_kept_out(name));
        if !refs.is_empty() {
            let from = original.path.clone();
            let is_empty = there.is_empty();
            self.step(SetupStep::CopyRefs { which: *which, path: path.clone(), from, is_empty, refs });
        }
    }

    fn default_branch(&mut self, repository: &RepositoryFacts, original: &OriginalFacts) {
        let RepositoryFacts { which, path, refs, .. } = repository;
        let Some(wanted) = &original.default_branch else { return };
        let Ok(branch) = wanted.parse::<BranchName>() else { return };
        let has = |branch: &str| refs.contains_key(&format!("refs/heads/{branch}"));
        let now = repository.project.as_ref().and_then(|project| project.default_branch.as_deref());
        // One that people chose stays.
        if now == Some(wanted) || !repository.will_have(wanted) || (has(wanted) && now.is_some_and(has)) {
            return;
        }
        self.step(SetupStep::SetDefaultBranch { which: *which, path: path.clone(), branch });
    }

    /// The CI files on all branches that are maintained, and their protection.
    pub(super) fn ci_files(&mut self) {
        if !self.is_copy() {
            return;
        }
        let seen = self.seen;
        if seen.maintained.is_empty() {
            self.left(Todo::for_a_person(format!(
                "no branch is maintained yet: none that {} and {} have in common has `.distro/source-git.yaml` in \
                 source-git. Add that, then run this again",
                seen.source_git.path, seen.dist_git.path
            )));
            return;
        }
        if let Err(lacking) = &seen.templates {
            self.left(Todo::undone(format!(
                "where the CI templates are is not known, so that no CI file can be written: of the CI file of {}, {lacking}. \
                 Mend that, or name them with `--templates PROJECT@REF` and `--image IMAGE`",
                seen.hub.path
            )));
        }
        for repository in self.both() {
            for branch in &seen.maintained {
                self.ci_file(repository, branch);
                self.protection(repository, branch);
            }
        }
        if !seen.not_carried.is_empty() {
            let left = Todo::for_a_person(
                "`files_to_sync` in `.distro/source-git.yaml` does not name the CI file, so that changes of it in merge \
                 requests do not get to dist-git; add `- src: .distro/.gitlab-ci.yml` with `dest: .gitlab-ci.yml` on",
            );
            self.left(seen.not_carried.iter().fold(left, |left, branch| left.line(branch.as_str())));
        }
    }

    fn ci_file(&mut self, repository: &RepositoryFacts, branch: &BranchName) {
        let Ok(templates) = &self.seen.templates else { return };
        let RepositoryFacts { which, path, .. } = repository;
        let package = self.package();
        let text = package.ci_file(templates);
        let file = match which {
            Side::SourceGit => SOURCE_GIT_PATH,
            Side::DistGit => DIST_GIT_PATH,
        };
        let change = match repository.ci_files.get(branch).unwrap_or(&CiFile::Missing) {
            CiFile::Missing => FileActionKind::Create,
            CiFile::Original(there) | CiFile::Other(there) if *there == text.as_bytes() => {
                self.present(format!("{path}: {file} on {branch}"));
                return;
            }
            CiFile::Original(_) => FileActionKind::Update,
            CiFile::Other(there) if package.wrote(there) => FileActionKind::Update,
            CiFile::Other(_) => {
                self.left(Todo::for_a_person(format!(
                    "{path} has a {file} of somebody's own on {branch}. It stays as it is; whether it includes the bot's \
                     templates is theirs to see to"
                )));
                return;
            }
        };
        let (path, branch) = (path.clone(), branch.clone());
        self.step(SetupStep::CommitCiFile { which: *which, path, branch, file, change, text });
    }

    fn protection(&mut self, repository: &RepositoryFacts, branch: &BranchName) {
        let RepositoryFacts { which, path, protected, .. } = repository;
        let is_protected = protected.iter().flatten().any(|rule| matches(rule, branch.as_str()));
        match is_protected {
            true => self.present(format!("{path}: protection of {branch}")),
            false => self.step(SetupStep::Protect { which: *which, path: path.clone(), branch: branch.clone() }),
        }
    }
}

/// The settings of a copy.
fn wanted(which: Side) -> ProjectEdit<'static> {
    ProjectEdit {
        ci_config_path: match which {
            Side::SourceGit => Some(SOURCE_GIT_PATH),
            Side::DistGit => None,
        },
        merge_requests_access_level: Some(FeatureAccess::Enabled),
        builds_access_level: Some(FeatureAccess::Enabled),
        forking_access_level: Some(FeatureAccess::Enabled),
        ..ProjectEdit::default()
    }
}

/// Those of the wanted settings that a project does not have. What is for members only is as people want it.
fn missing(wanted: &ProjectEdit<'static>, project: &ProjectSettings) -> ProjectEdit<'static> {
    let off = |now: Option<FeatureAccess>, wanted: Option<FeatureAccess>| {
        wanted.filter(|_| now == Some(FeatureAccess::Disabled))
    };
    ProjectEdit {
        ci_config_path: wanted.ci_config_path.filter(|path| project.ci_config_path.as_deref() != Some(*path)),
        merge_requests_access_level: off(project.merge_requests_access_level, wanted.merge_requests_access_level),
        builds_access_level: off(project.builds_access_level, wanted.builds_access_level),
        forking_access_level: off(project.forking_access_level, wanted.forking_access_level),
        ..ProjectEdit::default()
    }
}

/// `c9s` of `refs/heads/c9s`, and `tags/v1` of `refs/tags/v1`.
fn short(name: &str) -> &str {
    name.strip_prefix("refs/heads/").unwrap_or_else(|| name.strip_prefix("refs/").unwrap_or(name))
}

/// Whether a rule for branches fits one: `*` stands for anything.
fn matches(rule: &str, branch: &str) -> bool {
    let parts: Vec<String> = rule.split('*').map(regex::escape).collect();
    regex::Regex::new(&format!(r"\A{}\z", parts.join(".*"))).is_ok_and(|rule| rule.is_match(branch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_fits_as_gitlab_takes_it() {
        for (rule, branch, fits) in [
            ("c9s", "c9s", true),
            ("c9s", "c9s-src-7", false),
            ("c*s", "c10s", true),
            ("*", "next/c10s", true),
            ("release-*", "main", false),
            ("c.s", "c9s", false),
        ] {
            assert_eq!(matches(rule, branch), fits, "{rule} {branch}");
        }
    }

    #[test]
    fn a_project_for_members_only_keeps_that() {
        let project = |json: &str| serde_json::from_str::<ProjectSettings>(json).unwrap();
        let own = project(
            r#"{"id": 1, "path_with_namespace": "g/p", "ci_config_path": ".distro/.gitlab-ci.yml",
                "merge_requests_access_level": "private", "builds_access_level": "enabled", "forking_access_level": "disabled"}"#,
        );
        let edit = missing(&wanted(Side::SourceGit), &own);
        assert_eq!(edit, ProjectEdit { forking_access_level: Some(FeatureAccess::Enabled), ..ProjectEdit::default() });
        let bare = project(r#"{"id": 1, "path_with_namespace": "g/p"}"#);
        assert_eq!(missing(&wanted(Side::SourceGit), &bare).ci_config_path, Some(SOURCE_GIT_PATH));
        assert!(missing(&wanted(Side::DistGit), &bare).is_empty(), "what GitLab does not tell is not guessed");
    }
}

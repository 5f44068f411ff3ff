//! The two repositories of a copied package: projects, settings, branches, CI files, protection.

use crate::forge::{FeatureAccess, FileActionKind, ProjectEdit, ProjectSettings};
use crate::setup::ci_file::{DIST_GIT_PATH, SOURCE_GIT_PATH};
use crate::setup::package_facts::{CiFile, OriginalFacts, RepositoryFacts, Side};
use crate::setup::plan::Planner;
use crate::setup::step::{Need, SetupPlace, SetupStep, count_refs};
use crate::setup::todo::Todo;
use crate::types::{BranchName, CommitId};

impl Planner<'_> {
    pub(super) fn plan_repository(&mut self, repository: &RepositoryFacts) {
        let Some(original) = &repository.original else {
            self.add_present(format!("{}: the project", repository.path));
            return;
        };
        match &repository.project {
            None => self.plan_project(repository, original),
            Some(project) => self.plan_settings(repository, original, project),
        }
        self.plan_refs(repository, original);
        self.plan_default_branch(repository, original);
    }

    fn plan_project(&mut self, repository: &RepositoryFacts, original: &OriginalFacts) {
        let RepositoryFacts { side, path, .. } = repository;
        match repository.namespace_id {
            Some(namespace_id) => self.add_step(SetupStep::CreateProject {
                side: *side,
                path: path.clone(),
                namespace_id,
                visibility: original.visibility,
                settings: copy_settings(*side),
            }),
            None => {
                let namespace = path.namespace();
                self.add_unmet(Need::Project(*side));
                self.add_todo(Todo::undone(format!(
                    "@{} does not see the group {namespace}, or there is none: making {path} there takes the role \
                     Developer or Maintainer, as the group is set, which an Owner of it can give",
                    self.facts.operator
                )));
            }
        }
    }

    fn plan_settings(&mut self, repository: &RepositoryFacts, original: &OriginalFacts, project: &ProjectSettings) {
        let RepositoryFacts { side, path, .. } = repository;
        self.add_present(format!("{path}: the project"));
        if project.archived == Some(true) {
            self.add_unmet(Need::Project(*side));
            self.add_todo(Todo::undone(format!("{path} is archived: an Owner of it can take it back")));
            return;
        }
        let is_more_visible = project.visibility.is_some_and(|visibility| visibility > original.visibility);
        if is_more_visible && original.refs.keys().any(|name| !repository.refs.contains_key(name)) {
            self.add_unmet(Need::Project(*side));
            self.add_todo(Todo::undone(format!(
                "more people can see {path} than {}, so that nothing more is copied: a Maintainer can set its visibility to \
                 that of the original",
                original.path
            )));
            return;
        }
        if is_more_visible {
            self.add_todo(Todo::for_a_person(format!(
                "more people can see {path} than {}: a Maintainer can set its visibility to that of the original, if \
                 that was not meant",
                original.path
            )));
        }
        let settings = missing_settings(&copy_settings(*side), project);
        match settings.is_empty() {
            true => self.add_present(format!("{path}: settings")),
            false => self.add_step(SetupStep::EditSettings {
                place: SetupPlace::Repository(*side),
                path: path.clone(),
                settings,
            }),
        }
    }

    fn plan_refs(&mut self, repository: &RepositoryFacts, original: &OriginalFacts) {
        let RepositoryFacts { side, path, refs: there, .. } = repository;
        let first = original.default_branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
        let mut refs: Vec<(String, CommitId)> = original.refs.iter().map(|(name, id)| (name.clone(), *id)).collect();
        // GitLab takes the first branch that is pushed to an empty project for the default branch.
        refs.sort_by_key(|(name, _)| Some(name) != first.as_ref());
        let differs = |(name, id): &&(String, CommitId)| {
            there.get(name).is_some_and(|there| there != id) && !repository.ahead.contains(name)
        };
        let is_excluded = |name: &String| repository.excludes(name);
        let is_not_copied = |one: &&(String, CommitId)| differs(one) || is_excluded(&one.0);
        let not_copied: Vec<&str> = refs.iter().filter(is_not_copied).map(|(name, _)| short_name(name)).collect();
        let present: Vec<&str> =
            refs.iter().map(|(name, _)| name.as_str()).filter(|n| there.contains_key(*n)).collect();
        if !present.is_empty() {
            self.add_present(format!("{path}: {}", count_refs(present.iter().copied())));
        }
        if !not_copied.is_empty() {
            let todo = Todo::for_a_person(format!(
                "not all that {} has is in {path}: people have changed it there, or it was changed in the original since. \
                 It stays as it is; merge by hand what is wanted, of",
                original.path
            ));
            self.add_todo(not_copied.into_iter().fold(todo, Todo::line));
        }
        refs.retain(|(name, _)| !there.contains_key(name) && !is_excluded(name));
        if !refs.is_empty() {
            let from = original.path.clone();
            let is_empty = there.is_empty();
            self.add_step(SetupStep::CopyRefs { side: *side, path: path.clone(), from, is_empty, refs });
        }
    }

    fn plan_default_branch(&mut self, repository: &RepositoryFacts, original: &OriginalFacts) {
        let RepositoryFacts { side, path, refs, .. } = repository;
        let Some(wanted) = &original.default_branch else { return };
        let Ok(branch) = wanted.parse::<BranchName>() else { return };
        let has = |branch: &str| refs.contains_key(&format!("refs/heads/{branch}"));
        let now = repository.project.as_ref().and_then(|project| project.default_branch.as_deref());
        // A default branch that people chose stays.
        if now == Some(wanted) || !repository.will_have(wanted) || (has(wanted) && now.is_some_and(has)) {
            return;
        }
        self.add_step(SetupStep::SetDefaultBranch { side: *side, path: path.clone(), branch });
    }

    /// Plans the CI file and the protection of each maintained branch.
    pub(super) fn plan_ci_files(&mut self) {
        if !self.is_copy() {
            return;
        }
        let facts = self.facts;
        if facts.maintained.is_empty() {
            self.add_todo(Todo::for_a_person(format!(
                "no branch is maintained yet: none that {} and {} have in common has `.distro/source-git.yaml` in \
                 source-git. Add that, then run this again",
                facts.source_git.path, facts.dist_git.path
            )));
            return;
        }
        if let Err(lacking) = &facts.templates {
            self.add_todo(Todo::undone(format!(
                "where the CI templates are is not known, so that no CI file can be written: of the CI file of {}, {lacking}. \
                 Mend that, or name them with `--templates PROJECT@REF` and `--image IMAGE`",
                facts.bot_project.path
            )));
        }
        for repository in self.repositories() {
            for branch in &facts.maintained {
                self.plan_ci_file(repository, branch);
                self.plan_protection(repository, branch);
            }
        }
        if !facts.not_carried.is_empty() {
            let todo = Todo::for_a_person(
                "`files_to_sync` in `.distro/source-git.yaml` does not name the CI file, so that changes of it in merge \
                 requests do not get to dist-git; add `- src: .distro/.gitlab-ci.yml` with `dest: .gitlab-ci.yml` on",
            );
            self.add_todo(facts.not_carried.iter().fold(todo, |todo, branch| todo.line(branch.as_str())));
        }
    }

    fn plan_ci_file(&mut self, repository: &RepositoryFacts, branch: &BranchName) {
        let Ok(templates) = &self.facts.templates else { return };
        let RepositoryFacts { side, path, .. } = repository;
        let package_ci_file = self.package_ci_file();
        let text = package_ci_file.text(templates);
        let file = match side {
            Side::SourceGit => SOURCE_GIT_PATH,
            Side::DistGit => DIST_GIT_PATH,
        };
        let change = match repository.ci_files.get(branch).unwrap_or(&CiFile::Missing) {
            CiFile::Missing => FileActionKind::Create,
            CiFile::Original(there) | CiFile::Other(there) if *there == text.as_bytes() => {
                self.add_present(format!("{path}: {file} on {branch}"));
                return;
            }
            CiFile::Original(_) => FileActionKind::Update,
            CiFile::Other(there) if package_ci_file.is_generated(there) => FileActionKind::Update,
            CiFile::Other(_) => {
                self.add_todo(Todo::for_a_person(format!(
                    "{path} has a {file} of somebody's own on {branch}. It stays as it is; whether it includes the bot's \
                     templates is theirs to see to"
                )));
                return;
            }
        };
        let (path, branch) = (path.clone(), branch.clone());
        self.add_step(SetupStep::CommitCiFile { side: *side, path, branch, file, change, text });
    }

    fn plan_protection(&mut self, repository: &RepositoryFacts, branch: &BranchName) {
        let RepositoryFacts { side, path, protected, .. } = repository;
        let is_protected = protected.iter().flatten().any(|rule| rule_matches(rule, branch.as_str()));
        match is_protected {
            true => self.add_present(format!("{path}: protection of {branch}")),
            false => self.add_step(SetupStep::Protect { side: *side, path: path.clone(), branch: branch.clone() }),
        }
    }
}

/// Returns the settings that a copy needs.
fn copy_settings(side: Side) -> ProjectEdit<'static> {
    ProjectEdit {
        ci_config_path: match side {
            Side::SourceGit => Some(SOURCE_GIT_PATH),
            Side::DistGit => None,
        },
        merge_requests_access_level: Some(FeatureAccess::Enabled),
        builds_access_level: Some(FeatureAccess::Enabled),
        forking_access_level: Some(FeatureAccess::Enabled),
        ..ProjectEdit::default()
    }
}

/// Returns the wanted settings that a project lacks. A feature that people limited to members stays limited.
fn missing_settings(wanted: &ProjectEdit<'static>, project: &ProjectSettings) -> ProjectEdit<'static> {
    let if_disabled = |now: Option<FeatureAccess>, wanted: Option<FeatureAccess>| {
        wanted.filter(|_| now == Some(FeatureAccess::Disabled))
    };
    ProjectEdit {
        ci_config_path: wanted.ci_config_path.filter(|path| project.ci_config_path.as_deref() != Some(*path)),
        merge_requests_access_level: if_disabled(
            project.merge_requests_access_level,
            wanted.merge_requests_access_level,
        ),
        builds_access_level: if_disabled(project.builds_access_level, wanted.builds_access_level),
        forking_access_level: if_disabled(project.forking_access_level, wanted.forking_access_level),
        ..ProjectEdit::default()
    }
}

/// Returns `c9s` for `refs/heads/c9s`, and `tags/v1` for `refs/tags/v1`.
fn short_name(name: &str) -> &str {
    name.strip_prefix("refs/heads/").unwrap_or_else(|| name.strip_prefix("refs/").unwrap_or(name))
}

/// Whether a rule for protected branches matches a branch. `*` stands for any text.
fn rule_matches(rule: &str, branch: &str) -> bool {
    let parts: Vec<String> = rule.split('*').map(regex::escape).collect();
    regex::Regex::new(&format!(r"\A{}\z", parts.join(".*"))).is_ok_and(|rule| rule.is_match(branch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protection_rules_match_branches_as_in_gitlab() {
        for (rule, branch, fits) in [
            ("c9s", "c9s", true),
            ("c9s", "c9s-src-7", false),
            ("c*s", "c10s", true),
            ("*", "next/c10s", true),
            ("release-*", "main", false),
            ("c.s", "c9s", false),
        ] {
            assert_eq!(rule_matches(rule, branch), fits, "{rule} {branch}");
        }
    }

    #[test]
    fn a_feature_for_members_only_stays_so() {
        let project = |json: &str| serde_json::from_str::<ProjectSettings>(json).unwrap();
        let own = project(
            r#"{"id": 1, "path_with_namespace": "g/p", "ci_config_path": ".distro/.gitlab-ci.yml",
                "merge_requests_access_level": "private", "builds_access_level": "enabled", "forking_access_level": "disabled"}"#,
        );
        let edit = missing_settings(&copy_settings(Side::SourceGit), &own);
        assert_eq!(edit, ProjectEdit { forking_access_level: Some(FeatureAccess::Enabled), ..ProjectEdit::default() });
        let bare = project(r#"{"id": 1, "path_with_namespace": "g/p"}"#);
        assert_eq!(missing_settings(&copy_settings(Side::SourceGit), &bare).ci_config_path, Some(SOURCE_GIT_PATH));
        assert!(
            missing_settings(&copy_settings(Side::DistGit), &bare).is_empty(),
            "what GitLab does not tell is not guessed"
        );
    }
}

//! The CI file of a package in staging: one for both repositories, which is there before the first merge request.

use regex::Regex;

use crate::ci::{Template, TemplateUse, template_uses};
use crate::transform::config::PackageConfig;
use crate::transform::files::{self, CopyPlan, ReceiverFiles};
use crate::types::{BlobId, File, FileMode, FileTree, ProjectPath, RepoPath};

/// Where source-git has it, and its setting "CI/CD configuration file" points.
pub const SOURCE_GIT_PATH: &str = ".distro/.gitlab-ci.yml";
/// Where dist-git has it, as GitLab looks for it.
pub const DIST_GIT_PATH: &str = ".gitlab-ci.yml";

/// What is written, with the names of an example.
const EXAMPLE: &str = include_str!("../../ci-templates/examples/staging.distro.gitlab-ci.yml");
/// What the example calls the image, the project of the templates, their version, and the two namespaces.
const IMAGE: &str = "registry.example.com/group/source-git-bot:0.1.0";
const PROJECT: &str = "group/source-git-bot";
const REFERENCE: &str = "v0.1.0";
const SOURCE_GIT: &str = "packit-service/src";
const DIST_GIT: &str = "packit-service/rpms";
const INSTANCE: &str = "instance: staging";

/// The beginning of what is written, in the place of the example's own.
const HEADING: &str = "\
# Written by `source-git-bot onboard`: one file for both repositories of a package, because the bot carries it from
# source-git, where the setting \"CI/CD configuration file\" names it, to dist-git, where it is at the top.
";

/// The form of an image that the templates take.
const IMAGE_FORM: &str = r"\A[A-Za-z0-9][A-Za-z0-9._:/-]*(:[0-9][A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})\z";
/// The form of a version that can stand in a CI file as it is.
const REFERENCE_FORM: &str = r"\A[A-Za-z0-9][A-Za-z0-9._/-]*\z";

/// Where the bot's templates are, and the image that their jobs run in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Templates {
    project: ProjectPath,
    reference: String,
    image: String,
}

impl Templates {
    /// Takes these values; an error says which of them cannot be written.
    pub fn new(project: &str, reference: &str, image: &str) -> Result<Self, String> {
        let has_form = |text: &str, form: &str| Regex::new(form).is_ok_and(|form| form.is_match(text));
        let project =
            project.parse().map_err(|_| "the project of the templates has to be a path such as `group/project`")?;
        if !has_form(reference, REFERENCE_FORM) {
            return Err("the version of the templates has to be a tag, a branch or a commit".to_owned());
        }
        if !has_form(image, IMAGE_FORM) {
            return Err("the image has to have a version (`:0.1.0`) or a digest (`@sha256:…`)".to_owned());
        }
        Ok(Self { project, reference: reference.to_owned(), image: image.to_owned() })
    }

    /// Reads what the CI file of the bot project includes; an error says what it lacks.
    pub fn of_bot_project(yaml: &[u8]) -> Result<Self, String> {
        Self::of(template_uses(yaml)?.into_iter().find(|found| found.template == Template::Bot))
    }

    /// Returns the project that the templates are in.
    pub const fn project(&self) -> &ProjectPath {
        &self.project
    }

    fn of(found: Option<TemplateUse>) -> Result<Self, String> {
        let found = found.ok_or("it does not include `bot.yml`")?;
        let reference = found.reference.as_deref().ok_or("its include of `bot.yml` names no version (`ref`)")?;
        let image = found.image().ok_or("its include of `bot.yml` names no image")?;
        Self::new(&found.project, reference, image)
    }
}

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CiFilePackage<'a> {
    /// The namespace of the source-git project.
    pub source_git: &'a str,
    /// The namespace of the dist-git project.
    pub dist_git: &'a str,
    /// The preset that the jobs know the instance by.
    pub instance: &'a str,
}

impl CiFilePackage<'_> {
    /// Returns the file's text.
    pub fn ci_file(&self, templates: &Templates) -> String {
        let body = EXAMPLE.lines().skip_while(|line| line.starts_with('#'));
        let body: String = body.map(|line| format!("{line}\n")).collect();
        // The image goes first, for its name holds the project's.
        let body = body.replace(IMAGE, "\u{1}").replace(PROJECT, templates.project.as_str());
        let body = body.replace(&format!("ref: {REFERENCE}"), &format!("ref: {}", templates.reference));
        let body = body.replace(&in_pattern(SOURCE_GIT), &in_pattern(self.source_git));
        let body = body.replace(&in_pattern(DIST_GIT), &in_pattern(self.dist_git));
        let body = body.replace(&format!("\"{DIST_GIT}\""), &format!("\"{}\"", self.dist_git));
        let body = body.replace(INSTANCE, &format!("instance: {}", self.instance));
        format!("{HEADING}{}", body.replace('\u{1}', &templates.image))
    }

    /// Whether a text is this file as it was written for some version of the bot, so that nothing of anybody else's is
    /// lost with it.
    pub fn wrote(&self, text: &[u8]) -> bool {
        let Ok(uses) = template_uses(text) else { return false };
        let templates = Templates::of(uses.into_iter().find(|found| found.template == Template::SourceGit));
        templates.is_ok_and(|templates| self.ci_file(&templates).as_bytes() == text)
    }
}

/// Whether a package's `.distro/source-git.yaml` has the file carried to dist-git where source-git's changes; also
/// where it cannot be read, which is told elsewhere.
pub fn is_carried(source_git_yaml: &[u8]) -> bool {
    fn carried(yaml: &[u8]) -> Option<bool> {
        let file = |number| File { mode: FileMode::Regular, blob: BlobId::from_bytes([number; 20]) };
        let (config, _) = PackageConfig::parse(yaml).ok()?;
        let plan = CopyPlan::parse(&config.files_to_sync).ok()?;
        let (from, to) = (RepoPath::parse(SOURCE_GIT_PATH).ok()?, RepoPath::parse(DIST_GIT_PATH).ok()?);
        let source_git = FileTree::from([(config.spec_path, file(3)), (from, file(1))]);
        let dist_git = FileTree::from([(to.clone(), file(2))]);
        let synced = files::sync(&plan, &source_git, &dist_git, ReceiverFiles::Carried).ok()?;
        Some(synced.files.get(&to) == Some(&file(1)))
    }
    carried(source_git_yaml).unwrap_or(true)
}

/// A namespace as it stands in the file's regular expressions.
fn in_pattern(namespace: &str) -> String {
    namespace.replace('.', "\\.").replace('/', "\\/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGE: CiFilePackage<'_> =
        CiFilePackage { source_git: "a.b/src", dist_git: "a.b/x/rpms", instance: "production" };

    fn templates() -> Templates {
        Templates::new("ops/the.bot", "v1.2.3", "host:5000/ops/the.bot:1.2.3").unwrap()
    }

    #[test]
    fn every_name_of_the_example_is_replaced() {
        let text = PACKAGE.ci_file(&templates());
        for gone in ["example.com", "group/", "0.1.0", "packit", "staging", "Replace"] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
        let uses = template_uses(text.as_bytes()).unwrap();
        assert_eq!(
            uses.iter().map(|found| found.template).collect::<Vec<_>>(),
            [Template::SourceGit, Template::FakeCi, Template::DistGit]
        );
        for found in &uses {
            assert_eq!((found.project.as_str(), found.reference.as_deref()), ("ops/the.bot", Some("v1.2.3")));
        }
        assert_eq!(uses[0].image(), Some("host:5000/ops/the.bot:1.2.3"));
        assert_eq!(uses[2].image(), Some("host:5000/ops/the.bot:1.2.3"));
        assert!(text.contains(r"=~ /^a\.b\/src\//") && text.contains(r"=~ /^a\.b\/x\/rpms\//"), "{text}");
        assert!(text.contains("$CI_PROJECT_NAMESPACE == \"a.b/x/rpms\""), "{text}");
    }

    #[test]
    fn with_the_examples_own_names_it_is_the_example() {
        let package = CiFilePackage { source_git: SOURCE_GIT, dist_git: DIST_GIT, instance: "staging" };
        let text = package.ci_file(&Templates::new(PROJECT, REFERENCE, IMAGE).unwrap());
        let without_heading =
            |text: &str| text.lines().skip_while(|l| l.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(without_heading(&text), without_heading(EXAMPLE));
    }

    #[test]
    fn its_own_file_is_known_whatever_the_version_and_no_other_is() {
        let older = Templates::new("ops/bot", "v0.9.0", "host/ops/bot:0.9.0").unwrap();
        let text = PACKAGE.ci_file(&older);
        assert!(PACKAGE.wrote(text.as_bytes()));
        assert!(!PACKAGE.wrote(format!("{text}\nlint: {{script: [make]}}\n").as_bytes()));
        assert!(!PACKAGE.wrote(EXAMPLE.as_bytes()));
        assert!(!PACKAGE.wrote(b"include: []\n") && !PACKAGE.wrote(b"\xff"));
    }

    #[test]
    fn whether_the_file_is_carried_follows_from_files_to_sync() {
        let with =
            |items: &str| is_carried(format!("specfile_path: .distro/x.spec\nfiles_to_sync:\n{items}").as_bytes());
        assert!(with("- {src: .distro/, dest: ., delete: true, filters: [protect .git*, exclude source-git.yaml]}"));
        assert!(with("- {src: .distro/.gitlab-ci.yml, dest: .gitlab-ci.yml}"));
        assert!(!with("- {src: .distro/, dest: ., filters: [exclude .git*]}"));
        assert!(!with("- {src: .distro/x.spec, dest: x.spec}"));
        assert!(!is_carried(b"specfile_path: .distro/x.spec"));
        assert!(is_carried(b"[") && is_carried(b"files_to_sync: [{src: ../x, dest: .}]"));
    }

    #[test]
    fn the_bot_project_says_where_the_templates_are_and_what_it_lacks() {
        let example = include_str!("../../ci-templates/examples/bot-project.gitlab-ci.yml");
        let found = Templates::of_bot_project(example.as_bytes()).unwrap();
        assert_eq!(found, Templates::new(PROJECT, REFERENCE, IMAGE).unwrap());
        for (yaml, lacking) in [
            ("job: {script: [make]}", "does not include"),
            ("include: {project: g/b, file: /ci-templates/bot.yml}", "(`ref`)"),
            ("include: {project: g/b, ref: v1, file: /ci-templates/bot.yml}", "names no image"),
            ("include: {project: g/b, ref: v1, file: /ci-templates/bot.yml, inputs: {image: x}}", "a version"),
            (
                "include: {project: g/b, ref: v1, file: /ci-templates/bot.yml, inputs: {image: \"x:1\\n  a: b\"}}",
                "a version",
            ),
            (
                "include: {project: ../b, ref: v1, file: /ci-templates/bot.yml, inputs: {image: 'x:1'}}",
                "`group/project`",
            ),
            ("include: {project: g/b, ref: '{x}', file: /ci-templates/bot.yml, inputs: {image: 'x:1'}}", "a tag"),
        ] {
            let error = Templates::of_bot_project(yaml.as_bytes()).unwrap_err();
            assert!(error.contains(lacking), "{yaml}: {error}");
        }
    }
}

//! The CI file of a package in staging. Both repositories have the same file, before the first merge request.

use regex::Regex;

use crate::ci::{Template, TemplateUse, template_uses};
use crate::types::ProjectPath;

/// The file's place in source-git, for which the project needs the setting "CI/CD configuration file": the rest of the
/// tree is upstream's.
pub const SOURCE_GIT_PATH: &str = ".distro/.gitlab-ci.yml";
/// The file's place in dist-git, which is GitLab's default.
pub const DIST_GIT_PATH: &str = ".gitlab-ci.yml";

/// The text of the file, with example names.
const EXAMPLE: &str = include_str!("../../ci-templates/examples/staging.distro.gitlab-ci.yml");
/// The names in the example: the image, the project and version of the templates, the two namespaces, and the instance.
const IMAGE: &str = "registry.example.com/group/source-git-bot:0.1.0";
const PROJECT: &str = "group/source-git-bot";
const REFERENCE: &str = "v0.1.0";
const SOURCE_GIT: &str = "packit-service/src";
const DIST_GIT: &str = "packit-service/rpms";
const INSTANCE: &str = "instance: staging";

/// The heading of the file, in place of the example's.
const HEADING: &str = "\
# Written by `source-git-bot onboard`: one file for both repositories of a package, because the bot carries it from
# source-git, where the setting \"CI/CD configuration file\" names it, to dist-git, where it is at the top.
";

/// The form of an image that the templates accept.
const IMAGE_FORM: &str = r"\A[A-Za-z0-9][A-Za-z0-9._:/-]*(:[0-9][A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})\z";
/// The form of a version that needs no quotes in a CI file.
const REFERENCE_FORM: &str = r"\A[A-Za-z0-9][A-Za-z0-9._/-]*\z";

/// Where the bot's templates are, in which version, and the image that their jobs run in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Templates {
    project: ProjectPath,
    reference: String,
    image: String,
}

impl Templates {
    /// Checks that these values can stand in a CI file.
    ///
    /// # Errors
    ///
    /// Says which of them cannot.
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

    /// Reads which templates and image the CI file of the bot project uses.
    ///
    /// # Errors
    ///
    /// Says what the file lacks.
    pub fn of_bot_project(yaml: &[u8]) -> Result<Self, String> {
        Self::of(template_uses(yaml)?.into_iter().find(|found| found.template == Template::Bot))
    }

    fn of(found: Option<TemplateUse>) -> Result<Self, String> {
        let found = found.ok_or("it does not include `bot.yml`")?;
        let reference = found.reference.as_deref().ok_or("its include of `bot.yml` names no version (`ref`)")?;
        let image = found.image().ok_or("its include of `bot.yml` names no image")?;
        Self::new(&found.project, reference, image)
    }
}

/// The CI file of one package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackageCiFile<'a> {
    /// The namespace of the source-git project.
    pub source_git: &'a str,
    /// The namespace of the dist-git project.
    pub dist_git: &'a str,
    /// The preset that stands for the instance in the jobs.
    pub instance: &'a str,
}

impl PackageCiFile<'_> {
    pub fn text(&self, templates: &Templates) -> String {
        let body = EXAMPLE.lines().skip_while(|line| line.starts_with('#'));
        let body: String = body.map(|line| format!("{line}\n")).collect();
        // The image goes first, because its name contains the project's.
        let body = body.replace(IMAGE, "\u{1}").replace(PROJECT, templates.project.as_str());
        let body = body.replace(&format!("ref: {REFERENCE}"), &format!("ref: {}", templates.reference));
        let body = body.replace(&in_pattern(SOURCE_GIT), &in_pattern(self.source_git));
        let body = body.replace(&in_pattern(DIST_GIT), &in_pattern(self.dist_git));
        let body = body.replace(&format!("\"{DIST_GIT}\""), &format!("\"{}\"", self.dist_git));
        let body = body.replace(INSTANCE, &format!("instance: {}", self.instance));
        format!("{HEADING}{}", body.replace('\u{1}', &templates.image))
    }

    /// Whether the bot wrote this text as the package's file, for any version of the templates. Then overwriting it
    /// loses nobody's work.
    pub fn is_generated(&self, text: &[u8]) -> bool {
        let Ok(uses) = template_uses(text) else { return false };
        let templates = Templates::of(uses.into_iter().find(|found| found.template == Template::SourceGit));
        templates.is_ok_and(|templates| self.text(&templates).as_bytes() == text)
    }
}

/// Returns a namespace as the file's regular expressions spell it.
fn in_pattern(namespace: &str) -> String {
    namespace.replace('.', "\\.").replace('/', "\\/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: PackageCiFile<'_> =
        PackageCiFile { source_git: "a.b/src", dist_git: "a.b/x/rpms", instance: "production" };

    fn templates() -> Templates {
        Templates::new("ops/the.bot", "v1.2.3", "host:5000/ops/the.bot:1.2.3").unwrap()
    }

    #[test]
    fn every_name_of_the_example_is_replaced() {
        let text = FILE.text(&templates());
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
    fn with_the_names_of_the_example_the_file_is_the_example() {
        let file = PackageCiFile { source_git: SOURCE_GIT, dist_git: DIST_GIT, instance: "staging" };
        let text = file.text(&Templates::new(PROJECT, REFERENCE, IMAGE).unwrap());
        let without_heading =
            |text: &str| text.lines().skip_while(|l| l.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(without_heading(&text), without_heading(EXAMPLE));
    }

    #[test]
    fn the_bot_knows_its_own_file_in_any_version_and_no_other_file() {
        let older = Templates::new("ops/bot", "v0.9.0", "host/ops/bot:0.9.0").unwrap();
        let text = FILE.text(&older);
        assert!(FILE.is_generated(text.as_bytes()));
        assert!(!FILE.is_generated(format!("{text}\nlint: {{script: [make]}}\n").as_bytes()));
        assert!(!FILE.is_generated(EXAMPLE.as_bytes()));
        assert!(!FILE.is_generated(b"include: []\n") && !FILE.is_generated(b"\xff"));
    }

    #[test]
    fn templates_are_read_from_the_bot_project_or_an_error_says_what_is_missing() {
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

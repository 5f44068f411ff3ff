//! Which of the bot's templates a project's CI file includes, from which project and with which inputs.
//!
//! Somebody else wrote the file. This module only reads its includes and runs nothing. It skips whatever GitLab would
//! refuse: reporting that is GitLab's job ("CI/CD YAML syntax reference", `include`).

use std::collections::BTreeMap;

use serde::Deserialize as _;
use yaml_serde::{Deserializer, Value};

use crate::types::text::printable;

/// The longest file that is read, in bytes. That is many times more than anybody writes. A longer file could take too
/// much time: the YAML parser's time for nested brackets grows with the square of their number.
const SIZE_LIMIT: usize = 64 << 10;

/// A template of the bot that a CI file can include.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Template {
    /// `bot.yml`: for the bot project.
    Bot,
    /// `source-git.yml`: for source-git projects.
    SourceGit,
    /// `dist-git.yml`: for dist-git projects and the bot's forks.
    DistGit,
    /// `fake-ci.yml`: for dist-git in staging.
    FakeCi,
}

impl Template {
    const ALL: [Self; 4] = [Self::Bot, Self::SourceGit, Self::DistGit, Self::FakeCi];

    /// Returns the name as a component: that of the file without its extension.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bot => "bot",
            Self::SourceGit => "source-git",
            Self::DistGit => "dist-git",
            Self::FakeCi => "fake-ci",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.name() == name)
    }

    /// Returns the template that a file of the bot's project holds: `ci-templates/bot.yml`, or `templates/bot.yml` for
    /// components.
    fn from_file(file: &str) -> Option<Self> {
        let file = file.trim_start_matches('/');
        let file = file.strip_prefix("ci-templates/").or_else(|| file.strip_prefix("templates/"))?;
        Self::from_name(file.strip_suffix(".yml")?)
    }
}

/// An include of one of the bot's templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateUse {
    pub template: Template,
    /// The path of the project that has the template.
    pub project: String,
    /// The tag, branch or commit there; `None` for the default branch.
    pub reference: Option<String>,
    /// The inputs. Texts, numbers and booleans are as in the file; other values are left out.
    pub inputs: BTreeMap<String, String>,
}

impl TemplateUse {
    /// Returns the input `image`: the bot's image.
    pub fn image(&self) -> Option<&str> {
        self.input("image")
    }

    /// Returns the input `instance`: in the bot project a file, elsewhere a name; `None` where the template's default
    /// applies.
    pub fn instance(&self) -> Option<&str> {
        self.input("instance")
    }

    fn input(&self, name: &str) -> Option<&str> {
        self.inputs.get(name).map(String::as_str)
    }

    /// Returns the version of the tag: `0.1.0` for `v0.1.0`; `None` where the reference is no version tag.
    pub fn version(&self) -> Option<&str> {
        let version = self.reference.as_deref()?.strip_prefix('v')?;
        version.starts_with(|c: char| c.is_ascii_digit()).then_some(version)
    }

    /// Returns the version of the image's tag; `None` for another tag, and for an image with only a digest.
    pub fn image_version(&self) -> Option<&str> {
        let image = self.image()?;
        let image = image.split_once('@').map_or(image, |(image, _)| image);
        let (_, tag) = image.rsplit('/').next()?.split_once(':')?;
        tag.starts_with(|c: char| c.is_ascii_digit()).then_some(tag)
    }

    /// Whether the include is pinned, so that later commits do not change it: to a version tag or a whole commit id.
    pub fn is_pinned(&self) -> bool {
        let is_commit = |text: &str| text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
        self.version().is_some() || self.reference.as_deref().is_some_and(is_commit)
    }
}

/// Finds the includes of the bot's templates in a CI file, in the file's order.
///
/// # Errors
///
/// Says why the text is no CI file.
pub fn template_uses(yaml: &[u8]) -> Result<Vec<TemplateUse>, String> {
    if yaml.len() > SIZE_LIMIT {
        return Err(format!("longer than {} KiB", SIZE_LIMIT >> 10));
    }
    let mut found = Vec::new();
    // A document with a header, `spec`, may precede the one with the configuration.
    for document in Deserializer::from_slice(yaml) {
        let value = Value::deserialize(document).map_err(|error| printable(error.to_string().as_bytes()))?;
        match value.get("include") {
            Some(Value::Sequence(includes)) => found.extend(includes.iter().flat_map(included)),
            Some(include) => found.extend(included(include)),
            None => {}
        }
    }
    Ok(found)
}

fn included(include: &Value) -> Vec<TemplateUse> {
    let text = |key| include.get(key).and_then(scalar);
    let inputs: BTreeMap<_, _> = match include.get("inputs") {
        Some(Value::Mapping(inputs)) => {
            inputs.iter().filter_map(|(name, value)| Some((scalar(name)?, scalar(value)?))).collect()
        }
        _ => BTreeMap::new(),
    };
    if let Some((template, project, reference)) = text("component").as_deref().and_then(component) {
        return vec![TemplateUse { template, project, reference, inputs }];
    }
    let Some(project) = text("project") else { return Vec::new() };
    let reference = text("ref").filter(|reference| !reference.is_empty());
    let files = match include.get("file") {
        Some(Value::Sequence(files)) => files.iter().filter_map(scalar).collect(),
        Some(file) => scalar(file).into_iter().collect(),
        None => Vec::new(),
    };
    let templates = files.iter().filter_map(|file| Template::from_file(file));
    let of = |template| TemplateUse {
        template,
        project: project.clone(),
        reference: reference.clone(),
        inputs: inputs.clone(),
    };
    templates.map(of).collect()
}

/// Parses the address of a component: `gitlab.example.com/group/source-git-bot/bot@v0.1.0`.
fn component(address: &str) -> Option<(Template, String, Option<String>)> {
    let (location, version) = address.rsplit_once('@')?;
    let (_host, path) = location.split_once('/')?;
    let (project, name) = path.rsplit_once('/')?;
    Some((Template::from_name(name)?, project.to_owned(), Some(version.to_owned())))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(yaml: &str) -> Vec<TemplateUse> {
        template_uses(yaml.as_bytes()).unwrap()
    }

    fn one(yaml: &str) -> TemplateUse {
        let [one] = <[_; 1]>::try_from(uses(yaml)).unwrap();
        one
    }

    #[test]
    fn the_example_of_a_bot_project_includes_its_template() {
        let found = one(include_str!("../../ci-templates/examples/bot-project.gitlab-ci.yml"));
        assert_eq!((found.template, found.project.as_str()), (Template::Bot, "group/source-git-bot"));
        assert_eq!((found.reference.as_deref(), found.version()), (Some("v0.1.0"), Some("0.1.0")));
        assert_eq!(found.image(), Some("registry.example.com/group/source-git-bot:0.1.0"));
        assert_eq!((found.image_version(), found.instance()), (Some("0.1.0"), Some("instance.yaml")));
        assert_eq!(found.inputs.get("merge_request").map(String::as_str), Some("$[[ inputs.merge_request ]]"));
    }

    #[test]
    fn the_example_of_a_package_in_staging_includes_three_templates() {
        let found = uses(include_str!("../../ci-templates/examples/staging.distro.gitlab-ci.yml"));
        let templates: Vec<_> = found.iter().map(|used| used.template).collect();
        assert_eq!(templates, [Template::SourceGit, Template::FakeCi, Template::DistGit]);
        assert_eq!(found[0].instance(), Some("staging"));
    }

    #[test]
    fn a_component_names_project_and_version() {
        let found = one("include:\n- component: $CI_SERVER_FQDN/group/sub/source-git-bot/bot@v0.2.0\n");
        assert_eq!((found.template, found.project.as_str()), (Template::Bot, "group/sub/source-git-bot"));
        assert_eq!((found.version(), found.image()), (Some("0.2.0"), None));
    }

    #[test]
    fn an_include_may_have_any_form() {
        for yaml in [
            "include: {project: g/b, file: ci-templates/bot.yml}",
            "include: [{project: g/b, file: [/x.yml, /ci-templates/bot.yml]}]",
            "include: ['/local.yml', {local: a.yml}, {project: g/b, file: /templates/bot.yml}]",
            "job: {script: !reference [.x, script]}\ninclude: {project: g/b, file: /ci-templates/bot.yml}",
        ] {
            let found = one(yaml);
            assert_eq!((found.template, found.project.as_str()), (Template::Bot, "g/b"), "{yaml}");
            assert_eq!((found.reference.as_deref(), found.is_pinned()), (None, false), "{yaml}");
        }
    }

    #[test]
    fn other_includes_are_skipped() {
        for yaml in [
            "",
            "include: /ci-templates/bot.yml",
            "include: {project: g/b, file: /bot.yml}",
            "include: {project: g/b, file: /ci-templates/bot.yaml}",
            "include: {component: host/g/b/other@v1}",
            "include: {component: bot@v1}",
            "include: {project: [g/b], file: /ci-templates/bot.yml}",
            "include: 7",
            "- include",
        ] {
            assert_eq!(uses(yaml), [], "{yaml}");
        }
    }

    #[test]
    fn only_a_version_or_a_commit_counts_as_pinned() {
        let with = |reference: &str| {
            one(&format!("include: {{project: g/b, ref: {reference}, file: /ci-templates/bot.yml}}")).is_pinned()
        };
        assert!(with("v0.1.0") && with("v1") && with(&"a1".repeat(20)));
        assert!(!with("main") && !with("vnext") && !with("1.0") && !with("a1b2c3d4"));
    }

    #[test]
    fn the_version_of_an_image_is_that_of_its_tag() {
        let of = |image: &str| {
            let inputs = BTreeMap::from([("image".to_owned(), image.to_owned())]);
            let used = TemplateUse { template: Template::Bot, project: "g/b".to_owned(), reference: None, inputs };
            used.image_version().map(str::to_owned)
        };
        let version = Some("0.1.0".to_owned());
        assert_eq!(of("registry.example.com:5000/group/source-git-bot:0.1.0"), version);
        assert_eq!(of("registry.example.com/group/source-git-bot:0.1.0@sha256:0123"), version);
        for image in ["registry.example.com:5000/group/bot@sha256:0123", "host:5000/bot", "bot:latest", "bot", ""] {
            assert_eq!(of(image), None, "{image}");
        }
    }

    #[test]
    fn a_hostile_file_is_refused_in_one_line() {
        let bomb = format!(
            "a0: &a0 [x,x,x,x,x,x,x,x,x]\n{}include: *a8\n",
            (1..9)
                .map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(",")))
                .collect::<String>()
        );
        for text in [bomb.as_bytes(), &vec![b'['; 4096], &vec![b'x'; SIZE_LIMIT + 1], b"include: \x1b[31m{", b"\xff"] {
            let error = template_uses(text).unwrap_err();
            assert!(!error.is_empty() && !error.contains(|c: char| c.is_control()), "{error:?}");
        }
    }
}

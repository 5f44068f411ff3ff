use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::*;

fn parse(yaml: &str) -> Result<Instance, ConfigError> {
    examine(yaml).map(|examined| examined.instance).map_err(|errors| *errors.first)
}

fn examine(yaml: &str) -> Result<ExaminedInstance, ConfigErrors> {
    Instance::parse("x.yaml", Some(Path::new("/etc/bot")), yaml.as_bytes())
}

/// Returns all that a person reads about a file with an error.
fn error_text(yaml: &str) -> String {
    let error = parse(yaml).unwrap_err();
    error.hint().map_or_else(|| error.to_string(), |hint| format!("{error} | {hint}"))
}

fn load(name: &str) -> Instance {
    Instance::load(name, &Environment::default()).unwrap()
}

#[test]
fn production_is_centos_stream() {
    let instance = load("production");
    assert_eq!(instance.gitlab.url.as_str(), "https://gitlab.com/");
    assert_eq!(
        instance.namespaces.dist_git_of("redhat/centos-stream/src/bash").as_deref(),
        Some("redhat/centos-stream/rpms/bash")
    );
    assert!(instance.targets.handle("redhat/centos-stream/src/bash", "c10s"));
    assert!(!instance.targets.handle("redhat/centos-stream/src/bash", "c9"));
    assert_eq!((instance.forks, instance.ci_files), (Forks::BotUser, CiFiles::DistGit));
    assert_eq!(instance.test_package.as_deref(), Some("redhat-internal-test-package"));
    assert!(instance.namespaces.pairs().iter().all(|pair| pair.copy_of.is_none()));
}

#[test]
fn staging_handles_any_branch_of_a_few_packages_and_copies_ci_files() {
    let instance = load("staging");
    for package in ["open-vm-tools", "luksmeta", "glibc", "cloud-init"] {
        let source_git = format!("packit-service/src/{package}");
        assert_eq!(instance.namespaces.dist_git_of(&source_git), Some(format!("packit-service/rpms/{package}")));
        assert!(instance.targets.handle(&source_git, "whatever"), "{package}");
    }
    for other in ["packit-service/src/bash", "packit-service/src/glibc32", "packit-service/src/x/glibc"] {
        assert!(!instance.targets.handle(other, "c9s"), "{other}");
    }
    let copy_of = instance.namespaces.pairs()[0].copy_of.as_ref().unwrap();
    assert_eq!(copy_of.source_git.as_str(), "redhat/centos-stream/src");
    assert_eq!(copy_of.dist_git.as_str(), "redhat/centos-stream/rpms");
    assert_eq!(instance.ci_files, CiFiles::SourceGit);
}

#[test]
fn centos_stream_staging_has_its_own_namespaces() {
    let instance = load("centos-stream-staging");
    assert_eq!(
        instance.namespaces.dist_git_of("redhat/centos-stream/staging/src/x").as_deref(),
        Some("redhat/centos-stream/staging/rpms/x")
    );
    assert_eq!(instance.namespaces.dist_git_of("redhat/centos-stream/src/x"), None);
}

#[test]
fn a_file_overrides_its_preset() {
    let instance = parse(
        "extends: production\ngitlab:\n  url: https://gitlab.example.com/git\n  ca_file: ca.pem\n  proxy: http://p:3128\n\
         forks: {group: some/forks}\nresults: jobs\nlabel: ''\n",
    )
    .unwrap();
    assert_eq!(instance.gitlab.url.as_str(), "https://gitlab.example.com/git");
    assert_eq!(instance.gitlab.ca_file.as_deref(), Some(Path::new("/etc/bot/ca.pem")));
    assert_eq!(instance.gitlab.proxy.unwrap().as_str(), "http://p:3128/");
    assert_eq!(instance.forks, Forks::Group("some/forks".parse().unwrap()));
    assert_eq!((instance.results, instance.label), (Results::Jobs, None));
    assert!(!instance.targets.handle("g/p", "main"));
}

#[test]
fn webhook_tokens_are_required_only_where_the_file_says_so() {
    assert_eq!(parse("extends: production\n").unwrap().webhook_tokens, WebhookTokens::Ignored);
    assert_eq!(load("staging").webhook_tokens, WebhookTokens::Ignored);
    for (word, meaning) in [("required", WebhookTokens::Required), ("ignored", WebhookTokens::Ignored)] {
        let instance = parse(&format!("extends: production\nwebhook_tokens: {word}\n")).unwrap();
        assert_eq!(instance.webhook_tokens, meaning);
    }
}

#[test]
fn the_timeout_is_in_whole_seconds() {
    let timeout = |value: &str| parse(&format!("extends: production\ngitlab: {{timeout: {value}}}\n"));
    assert_eq!(timeout("").unwrap().gitlab.timeout, Duration::from_secs(75));
    assert_eq!(timeout("1").unwrap().gitlab.timeout, Duration::from_secs(1));
    assert_eq!(timeout("600").unwrap().gitlab.timeout, Duration::from_secs(600));
    for bad in ["0", "601", "-1", "1.5", "10s", "'75'", "[1]"] {
        let error = timeout(bad).unwrap_err().to_string();
        assert_eq!(error, "x.yaml:2: `gitlab.timeout`: must be a whole number of seconds from 1 to 600", "{bad}");
    }
}

#[test]
fn an_empty_list_of_targets_replaces_the_presets_targets() {
    assert!(parse("extends: production\ntargets: []\n").unwrap().targets.handle("g/p", "main"));
}

#[test]
fn a_file_that_extends_nothing_must_name_gitlab_and_namespaces() {
    let instance = parse(
        "gitlab: {url: 'http://127.0.0.1:8080'}\nnamespaces: [{source_git: a, dist_git: b}, {source_git: c, dist_git: d}]\n",
    )
    .unwrap();
    assert_eq!(instance.namespaces.pairs().len(), 2);
    assert_eq!((instance.forks, instance.results), (Forks::BotUser, Results::Pipeline));
    assert_eq!(error_text(""), "x.yaml: `gitlab.url`: missing | set it, or let the file extend a preset");
    assert_eq!(
        error_text("gitlab: {url: 'https://x'}"),
        "x.yaml: `namespaces`: missing | set it, or let the file extend a preset"
    );
}

#[test]
fn an_unknown_key_is_reported_with_the_nearest_known_one() {
    for (yaml, expected) in [
        ("target: []", "x.yaml:1: `target`: unknown key | did you mean `targets`?"),
        ("gitlab: {ulr: x}", "x.yaml:1: `gitlab.ulr`: unknown key | did you mean `url`?"),
        ("gitlab: {ca-file: x}", "x.yaml:1: `gitlab.ca-file`: unknown key | did you mean `ca_file`?"),
        (
            "namespaces: [{source-git: a}]",
            "x.yaml:1: `namespaces.source-git`: unknown key | did you mean `source_git`?",
        ),
        ("targets: [{branches: a}]", "x.yaml:1: `targets.branches`: unknown key | did you mean `branch`?"),
        ("webhook_token: required", "x.yaml:1: `webhook_token`: unknown key | did you mean `webhook_tokens`?"),
        (
            "namespaces: [{source_git: a, dist_git: b, copy_of: {source: c}}]",
            "x.yaml:1: `namespaces.copy_of.source`: unknown key | did you mean `source_git`?",
        ),
        ("forks: {groups: a}", "x.yaml:1: `forks.groups`: unknown key | did you mean `group`?"),
        (
            "gitlab: {colour: x}",
            "x.yaml:1: `gitlab.colour`: unknown key | the keys here are `url`, `ca_file`, `proxy`, `timeout`",
        ),
        (
            "1: x",
            "x.yaml:1: `1`: unknown key | the keys here are `extends`, `gitlab`, `namespaces`, `forks`, `targets`, \
         `ci_files`, `results`, `label`, `webhook_tokens`, `bot_project`, `test_package`, \
         `keep_branches`",
        ),
    ] {
        assert_eq!(error_text(yaml), expected, "{yaml}");
    }
}

#[test]
fn an_invalid_value_is_reported_with_what_it_must_be() {
    for (yaml, expected) in [
        (
            "extends: prodution",
            "x.yaml:1: `extends`: must be one of `production`, `staging`, `centos-stream-staging` | \
             did you mean `production`?",
        ),
        ("extends: other.yaml", "x.yaml:1: `extends`: must be one of `production`, `staging`, `centos-stream-staging`"),
        ("gitlab: {url: gitlab.com}", "x.yaml:1: `gitlab.url`: must be an address such as `https://gitlab.com`"),
        ("gitlab: {url: 'ssh://x'}", "x.yaml:1: `gitlab.url`: must begin with `https://` or `http://`"),
        ("gitlab: {url: 'https://a:b@x'}", "x.yaml:1: `gitlab.url`: must hold neither user name nor password"),
        ("gitlab: {url: 'https://x/?t=1'}", "x.yaml:1: `gitlab.url`: must end with its path, without `?` or `#`"),
        ("gitlab: {proxy: 'http://u:p@x'}", "x.yaml:1: `gitlab.proxy`: must hold neither user name nor password"),
        ("gitlab: {timeout: 0}", "x.yaml:1: `gitlab.timeout`: must be a whole number of seconds from 1 to 600"),
        ("gitlab: {ca_file: ''}", "x.yaml:1: `gitlab.ca_file`: must be the path of a file"),
        (
            "namespaces: [{source_git: a/, dist_git: b}]",
            "x.yaml:1: `namespaces.source_git`: must be the path of a group or user, such as `redhat/centos-stream/src`",
        ),
        (
            "namespaces: [{source_git: a, dist_git: a/b}]",
            "x.yaml:1: `namespaces`: `a` and `a/b` overlap, so that a project could be in both",
        ),
        (
            "namespaces: [{source_git: a, dist_git: b, copy_of: {source_git: c, dist_git: b/d}}]",
            "x.yaml:1: `namespaces`: `b` and `b/d`, which it is a copy of, overlap",
        ),
        (
            "namespaces: [{source_git: a, dist_git: b, copy_of: {source_git: /c, dist_git: d}}]",
            "x.yaml:1: `namespaces.copy_of.source_git`: must be the path of a group or user, such as \
             `redhat/centos-stream/src`",
        ),
        ("namespaces: []", "x.yaml:1: `namespaces`: must name at least one pair of namespaces"),
        ("forks: nowhere", "x.yaml:1: `forks`: must be one of `bot`, `dist-git` or `group: PATH`"),
        (
            "forks: {group: ../x}",
            "x.yaml:1: `forks.group`: must be the path of a group or user, such as `redhat/centos-stream/src`",
        ),
        ("targets: [{branch: '('}]", "x.yaml:1: `targets.branch`: is not a regular expression: unclosed group"),
        ("ci_files: both", "x.yaml:1: `ci_files`: must be one of `dist-git`, `source-git`"),
        ("webhook_tokens: true", "x.yaml:1: `webhook_tokens`: must be one of `required`, `ignored`"),
        ("results: all", "x.yaml:1: `results`: must be one of `pipeline`, `jobs`"),
        ("bot_project: bot", "x.yaml:1: `bot_project`: must be a project's path: `group/project`"),
        ("bot_project: https://x/y/z", "x.yaml:1: `bot_project`: must be a project's path: `group/project`"),
        (
            "test_package: src/bash",
            "x.yaml:1: `test_package`: must be a project's name, the last part of its path, such as `bash`",
        ),
        (
            "test_package: bash.git",
            "x.yaml:1: `test_package`: must be a project's name, the last part of its path, such as `bash`",
        ),
        ("label: a,b", "x.yaml:1: `label`: must be a label of at most 255 characters without comma; or empty for none"),
    ] {
        assert_eq!(error_text(yaml), expected, "{yaml}");
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_reported_with_its_line() {
    for (yaml, expected) in [
        ("label: x\ngitlab:\n  url: [1]\n", "`gitlab.url`: must be text"),
        ("label: x\n\ntest_package: 7\n", "`test_package`: must be text | put the value in quotes"),
        (
            "label: x\n\ngitlab: here\n",
            "`gitlab`: must be a mapping with the keys `url`, `ca_file`, `proxy`, `timeout`",
        ),
        ("label: x\n\ntargets: all\n", "`targets`: must be a list of mappings with the keys `project`, `branch`"),
        ("label: x\n\ntargets: [c9s]\n", "`targets`: must be a mapping with the keys `project`, `branch`"),
        ("targets:\n- branch: c9s\n- branch: 9\n", "`targets.branch`: must be text | put the value in quotes"),
        ("targets:\n- branch: c9s\n-\n", "`targets`: must be a mapping with the keys `project`, `branch`"),
        ("label: x\n\nnamespaces: [{source_git: a}]\n", "`namespaces.dist_git`: missing"),
        ("label: x\n\nforks: {}\n", "`forks.group`: missing"),
        ("label: x\n\nkeep_branches: 0\n", "`keep_branches`: must be a whole number of days from 1 to 3650"),
    ] {
        assert_eq!(error_text(yaml), format!("x.yaml:3: {expected}"), "{yaml}");
    }
}

#[test]
fn all_errors_are_reported_from_top_to_bottom() {
    let errors = examine(
        "targets:\n- branch: '('\n  projects: x\n- project: '['\ngitlab: {url: 'ssh://x'}\nnamespaces:\n- source_git: a b\n  \
         dist_git: c\n- dist_gti: d\n  source_git: /\nlabel: a,b\nextend: staging\n",
    )
    .unwrap_err();
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let no_group = "must be the path of a group or user, such as `redhat/centos-stream/src`";
    assert_eq!(
        lines,
        [
            "x.yaml:2: `targets.branch`: is not a regular expression: unclosed group",
            "x.yaml:3: `targets.projects`: unknown key",
            "x.yaml:4: `targets.project`: is not a regular expression: unclosed character class",
            "x.yaml:5: `gitlab.url`: must begin with `https://` or `http://`",
            &format!("x.yaml:7: `namespaces.source_git`: {no_group}"),
            "x.yaml:9: `namespaces.dist_gti`: unknown key",
            &format!("x.yaml:10: `namespaces.source_git`: {no_group}"),
            "x.yaml:11: `label`: must be a label of at most 255 characters without comma; or empty for none",
            "x.yaml:12: `extend`: unknown key",
        ]
    );
}

#[test]
fn a_file_that_is_no_instance_is_refused() {
    for yaml in ["[]", "text", "a: [", "\u{1}", "a: &a [*a]", "label: [\n", "--- a\n--- b\n"] {
        assert!(error_text(yaml).starts_with("x.yaml: "), "{yaml}");
    }
    assert_eq!(error_text("forks: []"), "x.yaml:1: `forks`: must be one of `bot`, `dist-git` or `group: PATH`");
    assert_eq!(error_text(&"#".repeat(20_000)), "x.yaml: longer than 16 KiB");
    let invalid = Instance::parse("x.yaml", None, b"label: \xff").unwrap_err().first;
    assert!(invalid.to_string().starts_with("x.yaml: "), "{invalid}");
    let nested = format!("forks: {}{}", "[".repeat(8_000), "]".repeat(8_000));
    assert!(error_text(&nested).starts_with("x.yaml: recursion limit exceeded"), "{}", error_text(&nested));
}

#[test]
fn copy_of_names_both_namespaces() {
    let pairs = |copy_of: &str| {
        let yaml = format!(
            "extends: production\nnamespaces: [{{source_git: a, dist_git: b}}, {{source_git: c, dist_git: d, copy_of: {copy_of}}}]"
        );
        parse(&yaml).map(|instance| instance.namespaces.pairs().to_vec())
    };
    // A package may be copied from another namespace pair of the same instance.
    let pairs_found = pairs("{source_git: a, dist_git: b}").unwrap();
    assert_eq!(pairs_found[0].copy_of, None);
    let copy_of = CopyOf { source_git: "a".parse().unwrap(), dist_git: "b".parse().unwrap() };
    assert_eq!(pairs_found[1].copy_of, Some(copy_of));
    assert!(pairs("{source_git: a}").unwrap_err().to_string().contains("dist_git"));
}

#[test]
fn for_a_preset_the_environment_says_how_to_reach_gitlab() {
    let environment = Environment {
        gitlab_url: Some("http://127.0.0.1:9/git".into()),
        ca_file: Some("/ca.pem".into()),
        proxy: Some("http://p".into()),
        bot_project: Some("ops/bot".into()),
        ..Environment::default()
    };
    let instance = Instance::load("staging", &environment).unwrap();
    assert_eq!(instance.bot_project, Some("ops/bot".parse().unwrap()));
    let gitlab = instance.gitlab;
    assert_eq!(gitlab.url.as_str(), "http://127.0.0.1:9/git");
    assert_eq!(gitlab.ca_file, Some(PathBuf::from("/ca.pem")));
    assert_eq!(gitlab.proxy.unwrap().as_str(), "http://p/");

    let bad = Environment { gitlab_url: Some("https://user:secret@x".into()), ..Environment::default() };
    let error = Instance::load("staging", &bad).unwrap_err().to_string();
    assert_eq!(error, "SGB_GITLAB_URL: must hold neither user name nor password");
}

#[test]
fn a_file_alone_decides_how_to_reach_gitlab() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bot.yaml");
    fs::write(&path, "extends: staging\n").unwrap();
    let environment = Environment {
        gitlab_url: Some("https://evil.example".into()),
        ca_file: Some("/evil.pem".into()),
        proxy: Some("http://evil".into()),
        bot_project: Some("evil/bot".into()),
        ..Environment::default()
    };
    let instance = Instance::load(path.to_str().unwrap(), &environment).unwrap();
    assert_eq!(instance.gitlab, load("staging").gitlab);
    assert_eq!(instance.bot_project, None);
    assert_eq!(instance.name, path.to_str().unwrap());
}

#[test]
fn a_misspelled_preset_is_reported_with_the_nearest_one() {
    let error = Instance::load("prodction", &Environment::default()).unwrap_err();
    assert_eq!(error.hint(), Some("did you mean the preset `production`?"));
    let error = Instance::load("no/such/file.yaml", &Environment::default()).unwrap_err();
    assert!(error.to_string().starts_with("no/such/file.yaml: cannot be read: "), "{error}");
    assert!(error.hint().unwrap().contains("`staging`"));
}

/// Returns each key with the origin of its value.
fn origins(examined: &ExaminedInstance) -> Vec<(&str, String)> {
    examined.settings.iter().map(|setting| (setting.key, setting.origin.to_string())).collect()
}

#[test]
fn the_origin_of_a_value_is_the_last_layer_that_sets_it() {
    let examined =
        examine("extends: production\ngitlab:\n  proxy: http://p\n  timeout:\n\nforks:\n  group: some/forks\n")
            .unwrap();
    let preset = || "preset production".to_owned();
    let default = || "default".to_owned();
    assert_eq!(
        origins(&examined),
        [
            ("gitlab.url", preset()),
            ("gitlab.ca_file", default()),
            ("gitlab.proxy", "x.yaml:3".to_owned()),
            ("gitlab.timeout", default()),
            ("namespaces", preset()),
            ("forks", "x.yaml:6".to_owned()),
            ("targets", preset()),
            ("ci_files", preset()),
            ("results", preset()),
            ("label", preset()),
            ("webhook_tokens", default()),
            ("bot_project", default()),
            ("test_package", preset()),
            ("keep_branches", default()),
        ]
    );
}

#[test]
fn a_value_equal_to_the_presets_still_has_the_file_as_its_origin() {
    let examined = examine("extends: production\nresults: pipeline\n").unwrap();
    assert!(origins(&examined).contains(&("results", "x.yaml:2".to_owned())));
}

#[test]
fn a_variable_is_the_origin_of_the_value_that_it_sets() {
    let environment = Environment {
        gitlab_url: Some("https://x".into()),
        ca_file: Some("/ca.pem".into()),
        proxy: Some("http://p".into()),
        bot_project: Some("ops/bot".into()),
        ..Environment::default()
    };
    let examined = Instance::examine("production", &environment).unwrap();
    let variables: Vec<_> = origins(&examined).into_iter().filter(|(_, origin)| origin.contains("SGB_")).collect();
    let expected = [
        ("gitlab.url", "SGB_GITLAB_URL"),
        ("gitlab.ca_file", "SGB_CA_FILE"),
        ("gitlab.proxy", "SGB_PROXY"),
        ("bot_project", "SGB_BOT_PROJECT"),
    ];
    assert_eq!(variables, expected.map(|(key, variable)| (key, format!("variable {variable}"))));
    let bad = Environment { bot_project: Some("bot".into()), ..Environment::default() };
    let error = Instance::load("production", &bad).unwrap_err().to_string();
    assert_eq!(error, "SGB_BOT_PROJECT: must be a project's path: `group/project`");
}

/// Returns each lint with its remedy.
fn lints(yaml: &str) -> Vec<String> {
    let lints = examine(yaml).unwrap().lints;
    lints.iter().map(|lint| format!("{lint} | {}", lint.hint().unwrap())).collect()
}

#[test]
fn the_presets_have_no_lints() {
    for preset in PRESETS {
        let examined = Instance::examine(preset.name, &Environment::default()).unwrap();
        assert_eq!(examined.lints, [], "{}", preset.name);
        assert_eq!(examined.preset, Some(instance::preset(preset.name).unwrap()));
    }
}

#[test]
fn values_that_are_probably_not_meant_have_a_lint() {
    for (yaml, expected) in [
        (
            "gitlab: {url: 'http://gitlab.example.com'}",
            "`gitlab.url`: everybody on the way to GitLab can read the bot's token",
        ),
        ("gitlab: {ca_file: no-such-file.pem}", "`gitlab.ca_file`: there is no file /etc/bot/no-such-file.pem here"),
        (
            "forks: {group: redhat/centos-stream/rpms}",
            "`forks.group`: the forks in `redhat/centos-stream/rpms` would be among",
        ),
        ("targets: [{project: bash}]", "`targets.project`: `bash` matches no project of any source-git namespace"),
        (
            "bot_project: redhat/centos-stream/src/bot",
            "`bot_project`: it is in `redhat/centos-stream/src`, whose webhooks",
        ),
        (
            "bot_project: redhat/centos-stream/rpms/bot",
            "`bot_project`: it is in `redhat/centos-stream/rpms`, whose webhooks",
        ),
        ("results:", "`results`: has no value, and counts as not there"),
        ("gitlab:", "`gitlab`: has no value, and counts as not there"),
        (
            "targets: [{project: redhat/centos-stream/src/bash}]",
            "`test_package`: no target is for the project `redhat-internal-test-package`",
        ),
    ] {
        let found = lints(&format!("extends: production\n{yaml}\n"));
        assert!(found.iter().any(|lint| lint.contains(expected)), "{yaml}: {found:?}");
        let in_file = !expected.contains("test_package");
        assert_eq!(found[0].starts_with("x.yaml:2: "), in_file, "{yaml}: {found:?}");
    }
    let own_namespaces = lints("extends: staging\nnamespaces: [{source_git: a, dist_git: b}]\n");
    assert_eq!(own_namespaces.len(), 4);
    assert_eq!(
        own_namespaces[0],
        "staging: `targets.project`: `packit-service/src/open-vm-tools` matches no project of any source-git namespace | \
         this is the preset's: set `targets` in the file too"
    );
}

#[test]
fn values_that_may_be_meant_have_no_lint() {
    for yaml in [
        "gitlab: {url: 'http://127.0.0.1:8080'}",
        "gitlab: {url: 'http://[::1]:8080'}",
        "gitlab: {url: 'http://localhost'}",
        "forks: {group: redhat/centos-stream/forks}",
        "bot_project: redhat/centos-stream/bot",
        "targets: []",
        "targets: [{branch: main}]",
    ] {
        assert_eq!(lints(&format!("extends: production\n{yaml}\n")), [""; 0], "{yaml}");
    }
}

#[test]
fn the_defaults_agree_with_the_table_of_keys() {
    let examined = examine("gitlab: {url: 'https://x'}\nnamespaces: [{source_git: a, dist_git: b}]\n").unwrap();
    let schema = schema();
    for setting in examined.settings.iter().filter(|setting| setting.origin == Origin::Default) {
        let pointer = format!("/properties/{}/default", setting.key.replace('.', "/properties/"));
        let value = serde_json::to_value(&setting.value).unwrap();
        match schema.pointer(&pointer) {
            Some(default) => assert_eq!(*default, value, "{}", setting.key),
            None => assert!(value.is_null() || value == "", "{}: {value}", setting.key),
        }
    }
    assert_eq!(examined.settings.iter().filter(|setting| setting.origin == Origin::Default).count(), 12);
}

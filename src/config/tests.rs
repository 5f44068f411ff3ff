use std::fs;

use super::*;

fn parse(yaml: &str) -> Result<Instance, ConfigError> {
    Instance::parse("x.yaml", Some(PathBuf::from("/etc/bot")), yaml.as_bytes())
}

/// The whole of what a person reads about a file that cannot be used.
fn complaint(yaml: &str) -> String {
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
fn staging_takes_any_branch_of_a_few_copies_and_carries_ci_files() {
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
fn centos_stream_staging_is_beside_production() {
    let instance = load("centos-stream-staging");
    assert_eq!(
        instance.namespaces.dist_git_of("redhat/centos-stream/staging/src/x").as_deref(),
        Some("redhat/centos-stream/staging/rpms/x")
    );
    assert_eq!(instance.namespaces.dist_git_of("redhat/centos-stream/src/x"), None);
}

#[test]
fn a_file_says_how_it_differs() {
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
fn webhook_tokens_are_demanded_where_the_file_says_so() {
    assert_eq!(parse("extends: production\n").unwrap().webhook_tokens, WebhookTokens::Ignored);
    assert_eq!(load("staging").webhook_tokens, WebhookTokens::Ignored);
    for (word, meaning) in [("required", WebhookTokens::Required), ("ignored", WebhookTokens::Ignored)] {
        let instance = parse(&format!("extends: production\nwebhook_tokens: {word}\n")).unwrap();
        assert_eq!(instance.webhook_tokens, meaning);
    }
}

#[test]
fn the_time_that_gitlab_may_take_is_in_whole_seconds() {
    let timeout = |value: &str| parse(&format!("extends: production\ngitlab: {{timeout: {value}}}\n"));
    assert_eq!(timeout("").unwrap().gitlab.timeout, Duration::from_secs(75));
    assert_eq!(timeout("1").unwrap().gitlab.timeout, Duration::from_secs(1));
    assert_eq!(timeout("600").unwrap().gitlab.timeout, Duration::from_secs(600));
    for bad in ["0", "601", "-1", "1.5", "10s", "'75'", "[1]"] {
        let error = timeout(bad).unwrap_err().to_string();
        assert_eq!(error, "x.yaml: `gitlab.timeout`: must be a whole number of seconds from 1 to 600", "{bad}");
    }
}

#[test]
fn an_empty_list_of_targets_replaces_the_presets() {
    assert!(parse("extends: production\ntargets: []\n").unwrap().targets.handle("g/p", "main"));
}

#[test]
fn a_file_that_extends_nothing_has_to_say_where() {
    let instance = parse(
        "gitlab: {url: 'http://127.0.0.1:8080'}\nnamespaces: [{source_git: a, dist_git: b}, {source_git: c, dist_git: d}]\n",
    )
    .unwrap();
    assert_eq!(instance.namespaces.pairs().len(), 2);
    assert_eq!((instance.forks, instance.results), (Forks::BotUser, Results::Pipeline));
    assert_eq!(complaint(""), "x.yaml: `gitlab.url`: missing | set it, or let the file extend a preset");
    assert_eq!(
        complaint("gitlab: {url: 'https://x'}"),
        "x.yaml: `namespaces`: missing | set it, or let the file extend a preset"
    );
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    for (yaml, expected) in [
        ("target: []", "x.yaml: `target`: unknown key | did you mean `targets`?"),
        ("gitlab: {ulr: x}", "x.yaml: `gitlab.ulr`: unknown key | did you mean `url`?"),
        ("gitlab: {ca-file: x}", "x.yaml: `gitlab.ca-file`: unknown key | did you mean `ca_file`?"),
        ("namespaces: [{source-git: a}]", "x.yaml: `namespaces.source-git`: unknown key | did you mean `source_git`?"),
        ("targets: [{branches: a}]", "x.yaml: `targets.branches`: unknown key | did you mean `branch`?"),
        ("webhook_token: required", "x.yaml: `webhook_token`: unknown key | did you mean `webhook_tokens`?"),
        (
            "namespaces: [{copy_of: {source: a}}]",
            "x.yaml: `namespaces.copy_of.source`: unknown key | did you mean `source_git`?",
        ),
        ("forks: {groups: a}", "x.yaml: `forks.groups`: unknown key | did you mean `group`?"),
        (
            "gitlab: {colour: x}",
            "x.yaml: `gitlab.colour`: unknown key | the keys here are `url`, `ca_file`, `proxy`, `timeout`",
        ),
        (
            "1: x",
            "x.yaml: `1`: unknown key | the keys here are `extends`, `gitlab`, `namespaces`, `forks`, `targets`, \
         `ci_files`, `results`, `label`, `webhook_tokens`, `bot_project`, `test_package`, \
         `keep_branches`",
        ),
    ] {
        assert_eq!(complaint(yaml), expected, "{yaml}");
    }
}

#[test]
fn a_bad_value_is_named_with_what_it_has_to_be() {
    for (yaml, expected) in [
        ("extends: prodution", "x.yaml: `extends`: must be the name of a preset | did you mean `production`?"),
        (
            "extends: other.yaml",
            "x.yaml: `extends`: must be the name of a preset | the presets are `production`, `staging`, \
             `centos-stream-staging`",
        ),
        ("gitlab: {url: gitlab.com}", "x.yaml: `gitlab.url`: must be an address such as `https://gitlab.com`"),
        ("gitlab: {url: 'ssh://x'}", "x.yaml: `gitlab.url`: must begin with `https://` or `http://`"),
        ("gitlab: {url: 'https://a:b@x'}", "x.yaml: `gitlab.url`: must hold neither user name nor password"),
        ("gitlab: {url: 'https://x/?t=1'}", "x.yaml: `gitlab.url`: must end with its path, without `?` or `#`"),
        ("gitlab: {proxy: 'http://u:p@x'}", "x.yaml: `gitlab.proxy`: must hold neither user name nor password"),
        ("gitlab: {timeout: 0}", "x.yaml: `gitlab.timeout`: must be a whole number of seconds from 1 to 600"),
        ("gitlab: {ca_file: ''}", "x.yaml: `gitlab.ca_file`: must be the path of a file"),
        (
            "namespaces: [{source_git: a/, dist_git: b}]",
            "x.yaml: `namespaces.source_git`: must be the path of a group or user, such as `redhat/centos-stream/src`",
        ),
        (
            "namespaces: [{source_git: a, dist_git: a/b}]",
            "x.yaml: `namespaces`: `a` and `a/b` overlap, so that a project could be in both",
        ),
        (
            "namespaces: [{source_git: a, dist_git: b, copy_of: {source_git: c, dist_git: b/d}}]",
            "x.yaml: `namespaces`: `b` and `b/d`, which it is a copy of, overlap",
        ),
        (
            "namespaces: [{source_git: a, dist_git: b, copy_of: {source_git: /c, dist_git: d}}]",
            "x.yaml: `namespaces.copy_of.source_git`: must be the path of a group or user, such as \
             `redhat/centos-stream/src`",
        ),
        ("namespaces: []", "x.yaml: `namespaces`: must name at least one pair of namespaces"),
        ("forks: nowhere", "x.yaml: `forks`: must be one of `bot`, `dist-git` or `group: PATH`"),
        (
            "forks: {group: ../x}",
            "x.yaml: `forks.group`: must be the path of a group or user, such as `redhat/centos-stream/src`",
        ),
        ("targets: [{branch: '('}]", "x.yaml: `targets.branch`: is not a regular expression: unclosed group"),
        ("ci_files: both", "x.yaml: `ci_files`: must be one of `dist-git`, `source-git`"),
        ("webhook_tokens: true", "x.yaml: `webhook_tokens`: must be one of `required`, `ignored`"),
        ("results: all", "x.yaml: `results`: must be one of `pipeline`, `jobs`"),
        ("bot_project: bot", "x.yaml: `bot_project`: must be a project's path: `group/project`"),
        ("bot_project: https://x/y/z", "x.yaml: `bot_project`: must be a project's path: `group/project`"),
        (
            "test_package: src/bash",
            "x.yaml: `test_package`: must be a project's name, the last part of its path, such as `bash`",
        ),
        (
            "test_package: bash.git",
            "x.yaml: `test_package`: must be a project's name, the last part of its path, such as `bash`",
        ),
        ("label: a,b", "x.yaml: `label`: must be a label of at most 255 characters without comma; or empty for none"),
    ] {
        assert_eq!(complaint(yaml), expected, "{yaml}");
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_named_with_its_line() {
    for (yaml, key) in [
        ("label: x\ngitlab:\n  url: [1]\n", "gitlab.url"),
        ("label: x\n\ntargets: all\n", "targets"),
        ("label: x\n\nnamespaces: {source_git: a, dist_git: b}\n", "namespaces"),
        ("label: x\n\ntargets: [c9s]\n", "targets[0]"),
        ("label: x\n\nlabel: [x]\n", "label"),
        ("label: x\n\nnamespaces: [{source_git: a}]\n", "namespaces[0]"),
    ] {
        let complaint = complaint(yaml);
        assert!(complaint.starts_with("x.yaml: ") && complaint.contains(key), "{complaint}");
        assert!(complaint.contains("line 3") || yaml.contains("label: [x]"), "{complaint}");
    }
}

#[test]
fn what_is_no_instance_is_refused() {
    for yaml in ["[]", "text", "a: [", "forks: []", "\u{1}", "a: &a [*a]", "label: [\n", "--- a\n--- b\n"] {
        assert!(complaint(yaml).starts_with("x.yaml: "), "{yaml}");
    }
    assert_eq!(complaint(&"#".repeat(20_000)), "x.yaml: longer than 16 KiB");
    let invalid = Instance::parse("x.yaml", None, b"label: \xff").unwrap_err();
    assert!(invalid.to_string().starts_with("x.yaml: "), "{invalid}");
    let nested = format!("forks: {}{}", "[".repeat(8_000), "]".repeat(8_000));
    assert!(complaint(&nested).starts_with("x.yaml: "));
}

#[test]
fn what_packages_are_copied_from_is_said_for_both_repositories() {
    let pairs = |copy_of: &str| {
        let yaml = format!(
            "extends: production\nnamespaces: [{{source_git: a, dist_git: b}}, {{source_git: c, dist_git: d, copy_of: {copy_of}}}]"
        );
        parse(&yaml).map(|instance| instance.namespaces.pairs().to_vec())
    };
    // A copy of what the instance serves too is no circle.
    let pairs_found = pairs("{source_git: a, dist_git: b}").unwrap();
    assert_eq!(pairs_found[0].copy_of, None);
    let copy_of = CopyOf { source_git: "a".parse().unwrap(), dist_git: "b".parse().unwrap() };
    assert_eq!(pairs_found[1].copy_of, Some(copy_of));
    assert!(pairs("{source_git: a}").unwrap_err().to_string().contains("dist_git"));
}

#[test]
fn the_environment_says_how_to_reach_gitlab_for_a_preset() {
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
    assert_eq!(error, "the environment: `gitlab.url`: must hold neither user name nor password");
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
fn a_name_that_is_neither_preset_nor_file_is_told_the_nearest() {
    let error = Instance::load("prodction", &Environment::default()).unwrap_err();
    assert_eq!(error.hint(), Some("did you mean the preset `production`?"));
    let error = Instance::load("no/such/file.yaml", &Environment::default()).unwrap_err();
    assert!(error.to_string().starts_with("no/such/file.yaml: cannot be read: "), "{error}");
    assert!(error.hint().unwrap().contains("`staging`"));
}

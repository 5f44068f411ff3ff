//! Lints: values of an instance that are valid but probably not meant.

use url::Host;

use crate::config::file::Mistake;
use crate::config::instance::{Forks, Instance};
use crate::config::namespaces::Namespace;
use crate::config::targets::Target;

/// Returns the lints for an instance. Reports only what is certain: no lint for a pattern that might match.
pub(super) fn lint(instance: &Instance) -> Vec<Mistake> {
    let mut lints = Vec::new();
    let mut report = |path: String, text: String, remedy: &str| {
        lints.push(Mistake { path, text, remedy: Some(remedy.to_owned()) });
    };
    if instance.gitlab.url.scheme() == "http" && !is_this_machine(instance.gitlab.url.host().as_ref()) {
        let text = "everybody on the way to GitLab can read the bot's token, because it is not encrypted";
        report("gitlab.url".to_owned(), text.to_owned(), "begin the address with `https://`");
    }
    if let Some(ca_file) = instance.gitlab.ca_file.as_ref().filter(|file| !file.is_file()) {
        let text =
            format!("there is no file {} here", crate::types::text::printable(ca_file.as_os_str().as_encoded_bytes()));
        report("gitlab.ca_file".to_owned(), text, "a relative path starts from the instance file's directory");
    }
    let pairs = instance.namespaces.pairs();
    let namespaces = || pairs.iter().flat_map(|pair| [&pair.source_git, &pair.dist_git]);
    if let Forks::Group(group) = &instance.forks
        && let Some(namespace) = namespaces().find(|namespace| namespace.overlaps(group))
    {
        let text = format!("the forks in `{group}` would be among the packages of `{namespace}`");
        report("forks.group".to_owned(), text, "name a group for the forks alone");
    }
    for (index, Target { project, .. }) in instance.targets.0.iter().enumerate() {
        let Some(project) = project else { continue };
        if !pairs.iter().any(|pair| can_match(project.as_str(), &pair.source_git)) {
            let text =
                format!("`{project}` matches no project of any source-git namespace", project = project.as_str());
            let path = format!("targets[{index}].project");
            report(path, text, "write a pattern for the whole path of projects, such as `group/src/.+`");
        }
    }
    if let Some(project) = &instance.bot_project
        && let Some(namespace) = namespaces().find(|namespace| namespace.name_within(project.as_str()).is_some())
    {
        let text = format!(
            "it is in `{namespace}`, whose webhooks would start a pipeline here for what the pipeline does itself; GitLab \
             stops that, and events are lost"
        );
        report("bot_project".to_owned(), text, "keep the project that runs the bot in a group without webhooks");
    }
    if let Some(name) = &instance.test_package {
        let is_handled = |target: &Target| {
            let project = target.project.as_ref();
            project.is_none_or(|p| pairs.iter().any(|pair| p.matches(&format!("{}/{name}", pair.source_git))))
        };
        if !instance.targets.0.is_empty() && !instance.targets.0.iter().any(is_handled) {
            let text = format!("no target is for the project `{name}`, so that the bot leaves it alone");
            report("test_package".to_owned(), text, "add a target for it, or name another package");
        }
    }
    lints
}

/// Whether data sent to `host` stays on this machine.
fn is_this_machine(host: Option<&Host<&str>>) -> bool {
    match host {
        Some(Host::Domain(name)) => *name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether a pattern for whole paths can match a project in `namespace`; true where that is not certain.
fn can_match(pattern: &str, namespace: &Namespace) -> bool {
    let beginning = format!("{namespace}/");
    let (prefix, is_whole) = literal_prefix(pattern);
    if is_whole {
        return namespace.name_within(&prefix).is_some();
    }
    prefix.starts_with(&beginning) || beginning.starts_with(&prefix)
}

/// Returns the prefix of every text that a pattern matches, and whether the pattern matches that prefix alone.
fn literal_prefix(pattern: &str) -> (String, bool) {
    let mut prefix = String::new();
    // An alternative may begin differently, and flags in a group may change the meaning of characters.
    if pattern.contains('|') || pattern.contains("(?") {
        return (prefix, false);
    }
    let mut rest = pattern.chars().peekable();
    while let Some(character) = rest.next() {
        let literal = match character {
            '\\' => rest.next_if(char::is_ascii_punctuation),
            c if "^$.[]()*+?{}".contains(c) => None,
            c => Some(c),
        };
        let Some(literal) = literal else { return (prefix, false) };
        // A repetition may follow, and it may be for zero times.
        if rest.peek().is_some_and(|next| "*?{+".contains(*next)) {
            return (prefix, false);
        }
        prefix.push(literal);
    }
    (prefix, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::targets::NameRegex;

    #[test]
    fn a_lint_is_reported_only_for_a_pattern_that_cannot_match() {
        let namespace: Namespace = "g/src".parse().unwrap();
        for (pattern, expected) in [
            ("g/src/bash", true),
            ("g/src/.+", true),
            ("g/.+", true),
            (".*", true),
            ("", false),
            ("bash", false),
            ("g/src", false),
            ("g/srcs/.+", false),
            ("g/rpms/bash", false),
            ("g/rpms/.+", false),
            (r"g/s\.rc/.+", false),
            (r"g\/src/x", true),
            ("x?g/src/bash", true),
            ("g/srx?c/bash", true),
            ("g/srx*c/bash", true),
            ("g/srx{0}c/bash", true),
            ("(x|g/src/bash)", true),
            ("(?i)G/SRC/bash", true),
            (r"\x67/src/bash", true),
            (r"\w/src/bash", true),
            ("[g]/src/bash", true),
            ("^g/src/bash$", true),
        ] {
            assert_eq!(can_match(pattern, &namespace), expected, "{pattern}");
            // A pattern with a lint matches no project.
            let compiled = NameRegex::new(pattern).unwrap();
            let matches = ["g/src/bash", "g/src/x", "g/src/a/b"].iter().any(|project| compiled.matches(project));
            assert!(expected || !matches, "{pattern}");
        }
    }
}

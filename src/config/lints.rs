//! What an instance may say and hardly means.

use url::Host;

use crate::config::file::Wrong;
use crate::config::instance::{Forks, Instance};
use crate::config::namespaces::Namespace;
use crate::config::targets::Target;

/// Returns what is doubtful about an instance. Only what is certain counts: a pattern that may match is not doubted.
pub(super) fn doubts(instance: &Instance) -> Vec<Wrong> {
    let mut doubts = Vec::new();
    let mut doubt = |path: String, text: String, remedy: &str| {
        doubts.push(Wrong { path, text, remedy: Some(remedy.to_owned()) });
    };
    if instance.gitlab.url.scheme() == "http" && !is_this_machine(instance.gitlab.url.host().as_ref()) {
        let text = "everybody on the way to GitLab can read the bot's token, because it is not encrypted";
        doubt("gitlab.url".to_owned(), text.to_owned(), "begin the address with `https://`");
    }
    if let Some(ca_file) = instance.gitlab.ca_file.as_ref().filter(|file| !file.is_file()) {
        let text =
            format!("there is no file {} here", crate::types::text::printable(ca_file.as_os_str().as_encoded_bytes()));
        doubt("gitlab.ca_file".to_owned(), text, "a relative path starts from the instance file's directory");
    }
    let pairs = instance.namespaces.pairs();
    let namespaces = || pairs.iter().flat_map(|pair| [&pair.source_git, &pair.dist_git]);
    if let Forks::Group(group) = &instance.forks
        && let Some(namespace) = namespaces().find(|namespace| namespace.overlaps(group))
    {
        let text = format!("the forks in `{group}` would be among the packages of `{namespace}`");
        doubt("forks.group".to_owned(), text, "name a group for the forks alone");
    }
    for (index, Target { project, .. }) in instance.targets.0.iter().enumerate() {
        let Some(project) = project else { continue };
        if !pairs.iter().any(|pair| can_match(project.as_str(), &pair.source_git)) {
            let text =
                format!("`{project}` matches no project of any source-git namespace", project = project.as_str());
            let path = format!("targets[{index}].project");
            doubt(path, text, "write a pattern for the whole path of projects, such as `group/src/.+`");
        }
    }
    if let Some(project) = &instance.bot_project
        && let Some(namespace) = namespaces().find(|namespace| namespace.name_within(project.as_str()).is_some())
    {
        let text = format!(
            "it is in `{namespace}`, whose webhooks would start a pipeline here for what the pipeline does itself; GitLab \
             stops that, and events are lost"
        );
        doubt("bot_project".to_owned(), text, "keep the project that runs the bot in a group without webhooks");
    }
    if let Some(name) = &instance.test_package {
        let is_handled = |target: &Target| {
            let project = target.project.as_ref();
            project.is_none_or(|p| pairs.iter().any(|pair| p.matches(&format!("{}/{name}", pair.source_git))))
        };
        if !instance.targets.0.is_empty() && !instance.targets.0.iter().any(is_handled) {
            let text = format!("no target is for the project `{name}`, so that the bot leaves it alone");
            doubt("test_package".to_owned(), text, "add a target for it, or name another package");
        }
    }
    doubts
}

/// Whether what is sent there stays on this machine.
fn is_this_machine(host: Option<&Host<&str>>) -> bool {
    match host {
        Some(Host::Domain(name)) => *name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether a pattern for whole paths may match a project in `namespace`; where that is not plain, that it may.
fn can_match(pattern: &str, namespace: &Namespace) -> bool {
    let beginning = format!("{namespace}/");
    let (prefix, is_whole) = literal_prefix(pattern);
    if is_whole {
        return namespace.name_within(&prefix).is_some();
    }
    prefix.starts_with(&beginning) || beginning.starts_with(&prefix)
}

/// Returns what everything begins with that a pattern matches, and whether that is all that it matches.
fn literal_prefix(pattern: &str) -> (String, bool) {
    let mut prefix = String::new();
    // An alternative may begin otherwise, and in a group there may be flags that give characters another meaning.
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
        // What follows may say how often the character is there, which may be never.
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
    use crate::config::targets::NamePattern;

    #[test]
    fn a_pattern_is_doubted_only_where_it_cannot_match() {
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
            // What is doubted does not match.
            let compiled = NamePattern::new(pattern).unwrap();
            let matches = ["g/src/bash", "g/src/x", "g/src/a/b"].iter().any(|project| compiled.matches(project));
            assert!(expected || !matches, "{pattern}");
        }
    }
}

//! The table of an instance file's keys. It checks files, and the schema is made from it.
//!
//! The table states the kind of a value and a pattern for texts. `builder` reads the meaning of a text, and may refuse
//! more than a pattern can express.

use crate::config::instance::PRESETS;

#[derive(Debug)]
pub(super) struct KeySpec {
    pub(super) name: &'static str,
    /// The description in the schema, in sentences.
    pub(super) about: &'static str,
    pub(super) kind: ValueKind,
    pub(super) default: KeyDefault,
}

/// What applies where a file does not have the key.
#[derive(Clone, Copy, Debug)]
pub(super) enum KeyDefault {
    /// The file must have the key.
    Required,
    /// The value stays unset.
    Unset,
    Word(&'static str),
    Number(u64),
    EmptyList,
}

/// What a value must look like.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValueKind {
    Text(TextRule),
    /// One of some words, each with its meaning.
    Word(&'static [(&'static str, &'static str)]),
    /// A whole number.
    Number {
        unit: &'static str,
        least: u64,
        most: u64,
    },
    /// A mapping with these keys.
    Mapping(&'static [KeySpec]),
    /// A list of mappings with these keys.
    List {
        items: &'static [KeySpec],
        at_least: u64,
    },
    /// One of some words, or a mapping. `called` names the mapping in errors.
    WordOrMapping {
        words: &'static [(&'static str, &'static str)],
        mapping: &'static [KeySpec],
        called: &'static str,
    },
}

/// What a text must look like.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextRule {
    /// In the syntax of ECMA 262, which JSON Schema demands.
    pub(super) pattern: Option<&'static str>,
    /// In characters.
    pub(super) longest: Option<u64>,
    pub(super) example: &'static str,
}

/// One part of a project's path, followed by `/` or the end. `.` and `..` do not match.
macro_rules! part {
    () => {
        r"(?!\.{1,2}(?:/|$))[A-Za-z0-9_.][A-Za-z0-9_.-]*"
    };
}

const NAMESPACE: &str = concat!("^", part!(), "(?:/", part!(), ")*$");
const PROJECT: &str = concat!("^", part!(), "(?:/", part!(), ")+$");
const PROJECT_NAME: &str = concat!(r"^(?!.*\.(?:git|atom)$)", part!(), "$");
const ADDRESS: &str = r"^https?://[^\s/?#@]+(?:/[^?#]*)?$";
/// No comma, no control characters, no blanks at the beginning and end.
const LABEL: &str = r"^(?!\s)[^,\u0000-\u001f\u007f-\u009f]*(?<!\s)$";

const fn text(pattern: &'static str, example: &'static str) -> ValueKind {
    ValueKind::Text(TextRule { pattern: Some(pattern), longest: None, example })
}

const fn namespace(example: &'static str) -> ValueKind {
    ValueKind::Text(TextRule { pattern: Some(NAMESPACE), longest: Some(1024), example })
}

const fn regular_expression(example: &'static str) -> ValueKind {
    ValueKind::Text(TextRule { pattern: None, longest: None, example })
}

const GITLAB: &[KeySpec] = &[
    KeySpec {
        name: "url",
        about: "GitLab's address, with the path that it is installed below, if any. It holds no user name and no \
                password.",
        kind: text(ADDRESS, "https://gitlab.example.com"),
        default: KeyDefault::Unset,
    },
    KeySpec {
        name: "ca_file",
        about: "A file with the certificates (PEM) of the authorities to trust instead of the system's. A relative path \
                starts from the directory of the instance file.",
        kind: text("^.", "ca.pem"),
        default: KeyDefault::Unset,
    },
    KeySpec {
        name: "proxy",
        about: "The address of the proxy that GitLab is reached through, for its API and for git alike. It holds no user \
                name and no password.",
        kind: text(ADDRESS, "http://proxy.example.com:3128"),
        default: KeyDefault::Unset,
    },
    KeySpec {
        name: "timeout",
        about: "How many seconds one request to GitLab's API may take, and how long git may receive nothing.",
        kind: ValueKind::Number { unit: "seconds", least: 1, most: 600 },
        default: KeyDefault::Number(75),
    },
];

const COPY_OF: &[KeySpec] = &[
    KeySpec {
        name: "source_git",
        about: "The namespace that the source-git projects are copies from.",
        kind: namespace("redhat/centos-stream/src"),
        default: KeyDefault::Required,
    },
    KeySpec {
        name: "dist_git",
        about: "The namespace that the dist-git projects are copies from.",
        kind: namespace("redhat/centos-stream/rpms"),
        default: KeyDefault::Required,
    },
];

const PAIR: &[KeySpec] = &[
    KeySpec {
        name: "source_git",
        about: "The path of the group or user that has the source-git projects.",
        kind: namespace("packages/src"),
        default: KeyDefault::Required,
    },
    KeySpec {
        name: "dist_git",
        about: "The path of the group or user that has the dist-git projects.",
        kind: namespace("packages/rpms"),
        default: KeyDefault::Required,
    },
    KeySpec {
        name: "copy_of",
        about: "For packages to try the bot on: the namespaces of the repositories that theirs are copies of.",
        kind: ValueKind::Mapping(COPY_OF),
        default: KeyDefault::Unset,
    },
];

const FORKS: &[KeySpec] = &[KeySpec {
    name: "group",
    about: "The path of the group that has the forks.",
    kind: namespace("packages/forks"),
    default: KeyDefault::Required,
}];

const TARGET: &[KeySpec] = &[
    KeySpec {
        name: "project",
        about: "A regular expression for the whole path of the source-git project, in the syntax of Rust's crate `regex`. \
                Without it, any project will do.",
        kind: regular_expression("packages/src/.+"),
        default: KeyDefault::Unset,
    },
    KeySpec {
        name: "branch",
        about: "A regular expression for the whole name of the target branch. Without it, any branch will do.",
        kind: regular_expression("c[0-9]+s"),
        default: KeyDefault::Unset,
    },
];

const EXTENDED: [(&str, &str); 3] = {
    let [production, staging, centos_stream_staging] = PRESETS;
    [
        (production.name, production.about),
        (staging.name, staging.about),
        (centos_stream_staging.name, centos_stream_staging.about),
    ]
};

/// The keys of an instance file.
pub(super) const INSTANCE: &[KeySpec] = &[
    KeySpec {
        name: "extends",
        about: "The preset whose values hold where the file says nothing.",
        kind: ValueKind::Word(&EXTENDED),
        default: KeyDefault::Unset,
    },
    KeySpec {
        name: "gitlab",
        about: "How GitLab is reached.",
        kind: ValueKind::Mapping(GITLAB),
        default: KeyDefault::Unset,
    },
    KeySpec {
        name: "namespaces",
        about: "Which source-git namespace belongs to which dist-git namespace. A project keeps its path below them. No \
                namespace may be in another.",
        kind: ValueKind::List { items: PAIR, at_least: 1 },
        default: KeyDefault::Unset,
    },
    KeySpec {
        name: "forks",
        about: "Where the bot's branches live.",
        kind: ValueKind::WordOrMapping {
            words: &[
                ("bot", "In forks in the namespace of the bot's user"),
                ("dist-git", "In the dist-git projects themselves, where the bot's user has to be Developer"),
            ],
            mapping: FORKS,
            called: "`group: PATH`",
        },
        default: KeyDefault::Word("bot"),
    },
    KeySpec {
        name: "targets",
        about: "Which merge requests are handled: those that one of the items matches. With an empty list, all are.",
        kind: ValueKind::List { items: TARGET, at_least: 0 },
        default: KeyDefault::EmptyList,
    },
    KeySpec {
        name: "ci_files",
        about: "Whose CI files, `sources` and `.git*` dist-git has.",
        kind: ValueKind::Word(&[
            ("dist-git", "It keeps its own, whatever `files_to_sync` says"),
            ("source-git", "Those of source-git are carried over"),
        ]),
        default: KeyDefault::Word("dist-git"),
    },
    KeySpec {
        name: "results",
        about: "How dist-git's results are shown on a source-git commit.",
        kind: ValueKind::Word(&[
            ("pipeline", "One status for the pipeline"),
            ("jobs", "One status for the pipeline and one for each of its jobs"),
        ]),
        default: KeyDefault::Word("pipeline"),
    },
    KeySpec {
        name: "label",
        about: "The label of the dist-git merge requests; empty for none.",
        kind: ValueKind::Text(TextRule { pattern: Some(LABEL), longest: Some(255), example: "source-git" }),
        default: KeyDefault::Unset,
    },
    KeySpec {
        name: "webhook_tokens",
        about: "Whether events have to carry a webhook token that is good for the project that they are about.",
        kind: ValueKind::Word(&[
            ("required", "They have to; others are not followed"),
            ("ignored", "A token that one carries is not looked at"),
        ]),
        default: KeyDefault::Word("ignored"),
    },
    KeySpec {
        name: "bot_project",
        about: "The path of the project that runs the bot. There `reconcile` keeps its status issue and what it remembers; \
                without it, it remembers nothing.",
        kind: ValueKind::Text(TextRule { pattern: Some(PROJECT), longest: Some(1024), example: "packages/bot" }),
        default: KeyDefault::Unset,
    },
    KeySpec {
        name: "test_package",
        about: "The package to try things on, by the name of its projects: the last part of their paths.",
        kind: ValueKind::Text(TextRule { pattern: Some(PROJECT_NAME), longest: Some(1024), example: "hello" }),
        default: KeyDefault::Unset,
    },
    KeySpec {
        name: "keep_branches",
        about: "For how many days the bot's branch stays once its dist-git merge request is closed or merged.",
        kind: ValueKind::Number { unit: "days", least: 1, most: 3650 },
        default: KeyDefault::Number(14),
    },
];

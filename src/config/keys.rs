//! The keys of an instance file: the one table that files are checked by and that their schema is made of.
//!
//! It says of what kind a value is and, in a pattern, how a text looks; what a text means is up to `parts`, which may
//! refuse more than a pattern can say.

use crate::config::instance::PRESETS;

/// A key of a mapping.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What it says, in sentences.
    pub(super) about: &'static str,
    pub(super) form: Form,
    pub(super) absent: Absent,
}

/// What holds where a key is not there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Absent {
    /// It has to be there.
    Refused,
    /// Nothing.
    Nothing,
    /// This word.
    Word(&'static str),
    /// This number.
    Number(u64),
    /// A list of nothing.
    EmptyList,
}

/// What a value looks like.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// A text.
    Text(Text),
    /// One of some words, each with what it means.
    Word(&'static [(&'static str, &'static str)]),
    /// A whole number of so many of a unit.
    Number { unit: &'static str, least: u64, most: u64 },
    /// Further keys.
    Mapping(&'static [Key]),
    /// A list of mappings with these keys.
    List { items: &'static [Key], at_least: u64 },
    /// One of some words, or a mapping; and how an error calls the mapping.
    WordOrMapping { words: &'static [(&'static str, &'static str)], mapping: &'static [Key], called: &'static str },
}

/// How a text looks: a pattern in the syntax of ECMA 262, which JSON Schema demands, and the most characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    pub(super) pattern: Option<&'static str>,
    pub(super) longest: Option<u64>,
    pub(super) example: &'static str,
}

/// One part of a project's path, other than `.` and `..`, which `/` or the end follows.
macro_rules! part {
    () => {
        r"(?!\.{1,2}(?:/|$))[A-Za-z0-9_.][A-Za-z0-9_.-]*"
    };
}

const NAMESPACE: &str = concat!("^", part!(), "(?:/", part!(), ")*$");
const PROJECT: &str = concat!("^", part!(), "(?:/", part!(), ")+$");
const PROJECT_NAME: &str = concat!(r"^(?!.*\.(?:git|atom)$)", part!(), "$");
const ADDRESS: &str = r"^https?://[^\s/?#@]+(?:/[^?#]*)?$";
/// Without comma and control characters, and without blanks around it.
const LABEL: &str = r"^(?!\s)[^,\u0000-\u001f\u007f-\u009f]*(?<!\s)$";

const fn text(pattern: &'static str, example: &'static str) -> Form {
    Form::Text(Text { pattern: Some(pattern), longest: None, example })
}

const fn namespace(example: &'static str) -> Form {
    Form::Text(Text { pattern: Some(NAMESPACE), longest: Some(1024), example })
}

const fn regular_expression(example: &'static str) -> Form {
    Form::Text(Text { pattern: None, longest: None, example })
}

const GITLAB: &[Key] = &[
    Key {
        name: "url",
        about: "GitLab's address, with the path that it is installed below, if any. It holds no user name and no \
                password.",
        form: text(ADDRESS, "https://gitlab.example.com"),
        absent: Absent::Nothing,
    },
    Key {
        name: "ca_file",
        about: "A file with the certificates (PEM) of the authorities to trust instead of the system's. A relative path \
                starts from the directory of the instance file.",
        form: text("^.", "ca.pem"),
        absent: Absent::Nothing,
    },
    Key {
        name: "proxy",
        about: "The address of the proxy that GitLab is reached through, for its API and for git alike. It holds no user \
                name and no password.",
        form: text(ADDRESS, "http://proxy.example.com:3128"),
        absent: Absent::Nothing,
    },
    Key {
        name: "timeout",
        about: "How many seconds one request to GitLab's API may take, and how long git may receive nothing.",
        form: Form::Number { unit: "seconds", least: 1, most: 600 },
        absent: Absent::Number(75),
    },
];

const COPY_OF: &[Key] = &[
    Key {
        name: "source_git",
        about: "The namespace that the source-git projects are copies from.",
        form: namespace("redhat/centos-stream/src"),
        absent: Absent::Refused,
    },
    Key {
        name: "dist_git",
        about: "The namespace that the dist-git projects are copies from.",
        form: namespace("redhat/centos-stream/rpms"),
        absent: Absent::Refused,
    },
];

const PAIR: &[Key] = &[
    Key {
        name: "source_git",
        about: "The path of the group or user that has the source-git projects.",
        form: namespace("packages/src"),
        absent: Absent::Refused,
    },
    Key {
        name: "dist_git",
        about: "The path of the group or user that has the dist-git projects.",
        form: namespace("packages/rpms"),
        absent: Absent::Refused,
    },
    Key {
        name: "copy_of",
        about: "For packages to try the bot on: the namespaces of the repositories that theirs are copies of.",
        form: Form::Mapping(COPY_OF),
        absent: Absent::Nothing,
    },
];

const FORKS: &[Key] = &[Key {
    name: "group",
    about: "The path of the group that has the forks.",
    form: namespace("packages/forks"),
    absent: Absent::Refused,
}];

const TARGET: &[Key] = &[
    Key {
        name: "project",
        about: "A regular expression for the whole path of the source-git project, in the syntax of Rust's crate `regex`. \
                Without it, any project will do.",
        form: regular_expression("packages/src/.+"),
        absent: Absent::Nothing,
    },
    Key {
        name: "branch",
        about: "A regular expression for the whole name of the target branch. Without it, any branch will do.",
        form: regular_expression("c[0-9]+s"),
        absent: Absent::Nothing,
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
pub(super) const INSTANCE: &[Key] = &[
    Key {
        name: "extends",
        about: "The preset whose values hold where the file says nothing.",
        form: Form::Word(&EXTENDED),
        absent: Absent::Nothing,
    },
    Key { name: "gitlab", about: "How GitLab is reached.", form: Form::Mapping(GITLAB), absent: Absent::Nothing },
    Key {
        name: "namespaces",
        about: "Which source-git namespace belongs to which dist-git namespace. A project keeps its path below them. No \
                namespace may be in another.",
        form: Form::List { items: PAIR, at_least: 1 },
        absent: Absent::Nothing,
    },
    Key {
        name: "forks",
        about: "Where the bot's branches live.",
        form: Form::WordOrMapping {
            words: &[
                ("bot", "In forks in the namespace of the bot's user"),
                ("dist-git", "In the dist-git projects themselves, where the bot's user has to be Developer"),
            ],
            mapping: FORKS,
            called: "`group: PATH`",
        },
        absent: Absent::Word("bot"),
    },
    Key {
        name: "targets",
        about: "Which merge requests are handled: those that one of the items matches. With an empty list, all are.",
        form: Form::List { items: TARGET, at_least: 0 },
        absent: Absent::EmptyList,
    },
    Key {
        name: "ci_files",
        about: "Whose CI files, `sources` and `.git*` dist-git has.",
        form: Form::Word(&[
            ("dist-git", "It keeps its own, whatever `files_to_sync` says"),
            ("source-git", "Those of source-git are carried over"),
        ]),
        absent: Absent::Word("dist-git"),
    },
    Key {
        name: "results",
        about: "How dist-git's results are shown on a source-git commit.",
        form: Form::Word(&[
            ("pipeline", "One status for the pipeline"),
            ("jobs", "One status for the pipeline and one for each of its jobs"),
        ]),
        absent: Absent::Word("pipeline"),
    },
    Key {
        name: "label",
        about: "The label of the dist-git merge requests; empty for none.",
        form: Form::Text(Text { pattern: Some(LABEL), longest: Some(255), example: "source-git" }),
        absent: Absent::Nothing,
    },
    Key {
        name: "webhook_tokens",
        about: "Whether events have to carry a webhook token that is good for the project that they are about.",
        form: Form::Word(&[
            ("required", "They have to; others are not followed"),
            ("ignored", "A token that one carries is not looked at"),
        ]),
        absent: Absent::Word("ignored"),
    },
    Key {
        name: "bot_project",
        about: "The path of the project that runs the bot. There `reconcile` keeps its status issue and what it remembers; \
                without it, it remembers nothing.",
        form: Form::Text(Text { pattern: Some(PROJECT), longest: Some(1024), example: "packages/bot" }),
        absent: Absent::Nothing,
    },
    Key {
        name: "test_package",
        about: "The package to try things on, by the name of its projects: the last part of their paths.",
        form: Form::Text(Text { pattern: Some(PROJECT_NAME), longest: Some(1024), example: "hello" }),
        absent: Absent::Nothing,
    },
    Key {
        name: "keep_branches",
        about: "For how many days the bot's branch stays once its dist-git merge request is closed or merged.",
        form: Form::Number { unit: "days", least: 1, most: 3650 },
        absent: Absent::Number(14),
    },
];

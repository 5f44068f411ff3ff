//! The variables of the environment that the program reads, for the reference of its users.
//!
//! For reading them, `main` hands all variables on; `config` reads ours, `ci` those of a job. A test holds this table
//! against the names that stand in the source.

/// A variable, as its users know it.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it says and when it counts, in sentences.
    pub about: &'static str,
    /// Who reads it: names of commands, or `all`.
    pub read_by: &'static str,
}

/// Those that whoever runs the program sets. One that is set to nothing counts as not set.
pub const OURS: [Variable; 13] = [
    Variable {
        name: "SGB_INSTANCE",
        about: "The instance, as `--instance` names it: a preset or a file. The option takes its place; without both it is \
                `production`.",
        read_by: "all that talk to GitLab, `config`",
    },
    Variable {
        name: "SGB_TOKEN",
        about: "The access token of the bot's user, with the scope `api`. Secret.",
        read_by: "`sync`, `report`, `event`, `reconcile`, `retest`, `recreate`, `doctor`, `onboard`",
    },
    Variable {
        name: "SGB_OPERATOR_TOKEN",
        about: "The access token of whoever sets a package up, with the scope `api`, for all that the bot's user need not do. \
                Without it, the bot's token is used. Secret.",
        read_by: "`onboard`",
    },
    Variable {
        name: "SGB_TRIGGER_URL",
        about: "The address at which a pipeline of the bot project is triggered: \
                `https://gitlab.example.com/api/v4/projects/42/ref/main/trigger/pipeline`.",
        read_by: "`notify`",
    },
    Variable { name: "SGB_TRIGGER_TOKEN", about: "A trigger token of the bot project. Secret.", read_by: "`notify`" },
    Variable {
        name: "SGB_WEBHOOK_TOKEN",
        about: "The webhook token that is sent along, for instances that require one. Secret.",
        read_by: "`notify`",
    },
    Variable {
        name: "SGB_WEBHOOK_SECRET",
        about: "What webhook tokens are signed with: one line of at least 32 characters. Secret.",
        read_by: "`event`, `onboard`, `webhook-token`",
    },
    Variable {
        name: "SGB_GITLAB_URL",
        about: "GitLab's address, instead of the preset's. It counts only where the instance is a preset; a file alone \
                decides, and the variable is warned of. The same goes for the three below.",
        read_by: "all that talk to GitLab, `config`",
    },
    Variable {
        name: "SGB_CA_FILE",
        about: "A file with the certificates (PEM) of the authorities to trust instead of the system's.",
        read_by: "all that talk to GitLab, `config`",
    },
    Variable {
        name: "SGB_PROXY",
        about: "The address of the proxy that GitLab is reached through. `https_proxy` and its like never count.",
        read_by: "all that talk to GitLab, `config`",
    },
    Variable {
        name: "SGB_BOT_PROJECT",
        about: "The path of the project that runs the bot, for presets, which name none.",
        read_by: "`reconcile`, `doctor`, `onboard`, `config`",
    },
    Variable {
        name: "NO_COLOR",
        about: "Where it is set, nothing is coloured unless `--color always` says so (no-color.org).",
        read_by: "all",
    },
    Variable { name: "PATH", about: "Where git is looked for.", read_by: "all that need git" },
];

/// Those that GitLab sets in a job: numbers and paths, which say where to look and nothing else.
pub const OF_THE_JOB: [Variable; 13] = [
    Variable {
        name: "GITLAB_CI",
        about: "`true` in every job. The log then has sections that GitLab folds.",
        read_by: "all that talk to GitLab",
    },
    Variable {
        name: "CI_MERGE_REQUEST_PROJECT_PATH",
        about: "The path of the project that the pipeline's merge request is for. With `CI_MERGE_REQUEST_IID` it stands for \
                `--merge-request`.",
        read_by: "`sync`, `report`, `retest`, `recreate`",
    },
    Variable {
        name: "CI_MERGE_REQUEST_IID",
        about: "The number of that merge request in its project.",
        read_by: "`sync`, `report`, `retest`, `recreate`, `notify`",
    },
    Variable {
        name: "CI_MERGE_REQUEST_PROJECT_ID",
        about: "The number of the project that the merge request is for.",
        read_by: "`notify`",
    },
    Variable {
        name: "CI_PROJECT_PATH",
        about: "The path of the job's project. With `CI_PIPELINE_ID` it stands for `--pipeline`, unless the pipeline is a merge \
                request's.",
        read_by: "`report`",
    },
    Variable { name: "CI_PROJECT_ID", about: "The number of the job's project.", read_by: "`notify`" },
    Variable { name: "CI_PIPELINE_ID", about: "The number of the job's pipeline.", read_by: "`report`, `notify`" },
    Variable {
        name: "CI_PIPELINE_IID",
        about: "The number of the job's pipeline in its project.",
        read_by: "`notify`",
    },
    Variable {
        name: "CI_NODE_INDEX",
        about: "Which of the jobs that `parallel` made this one is. With `CI_NODE_TOTAL` it stands for `--shard`.",
        read_by: "`reconcile`",
    },
    Variable { name: "CI_NODE_TOTAL", about: "How many jobs `parallel` made.", read_by: "`reconcile`" },
    Variable {
        name: "CI_JOB_TIMEOUT",
        about: "After how many seconds GitLab ends the job. After three quarters of them no further merge request is begun.",
        read_by: "`reconcile`",
    },
    Variable {
        name: "CI_JOB_STARTED_AT",
        about: "When the job began: `CI_JOB_TIMEOUT` counts from there, or else from when the program began.",
        read_by: "`reconcile`",
    },
    Variable {
        name: "TRIGGER_PAYLOAD",
        about: "The file with what the caller of a trigger sent. It stands for `--payload`.",
        read_by: "`event`",
    },
];

/// Those that a CI template reads, and the program does not.
pub const OF_TEMPLATES: [Variable; 1] = [Variable {
    name: "FAKE_CI",
    about: "Outcomes of the checks of `fake-ci.yml`, instead of its input.",
    read_by: "`fake-ci.yml`",
}];

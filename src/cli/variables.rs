//! The environment variables that the program reads, for the reference documentation.
//!
//! `main` passes on all variables; [`crate::config`] reads the program's own, and [`crate::ci`] those of a job. A test
//! compares these tables with the names in the source.

/// An environment variable, as the reference documents it.
#[derive(Clone, Copy, Debug)]
pub struct VariableDoc {
    pub name: &'static str,
    /// What it means and when it applies, in sentences.
    pub about: &'static str,
    /// Who reads it: names of commands, or `all`.
    pub read_by: &'static str,
}

/// The variables that the caller of the program sets. An empty one counts as not set.
pub const USER_VARIABLES: [VariableDoc; 13] = [
    VariableDoc {
        name: "SGB_INSTANCE",
        about: "The instance, as `--instance` names it: a preset or a file. The option takes its place; without both it is \
                `production`.",
        read_by: "all that talk to GitLab, `config`",
    },
    VariableDoc {
        name: "SGB_TOKEN",
        about: "The access token of the bot's user, with the scope `api`. Secret.",
        read_by: "`sync`, `report`, `event`, `reconcile`, `retest`, `recreate`, `doctor`, `onboard`",
    },
    VariableDoc {
        name: "SGB_OPERATOR_TOKEN",
        about: "The access token of whoever sets a package up, with the scope `api`, for all that the bot's user need not do. \
                Without it, the bot's token is used. Secret.",
        read_by: "`onboard`",
    },
    VariableDoc {
        name: "SGB_TRIGGER_URL",
        about: "The address at which a pipeline of the bot project is triggered: \
                `https://gitlab.example.com/api/v4/projects/42/ref/main/trigger/pipeline`.",
        read_by: "`notify`",
    },
    VariableDoc {
        name: "SGB_TRIGGER_TOKEN",
        about: "A trigger token of the bot project. Secret.",
        read_by: "`notify`",
    },
    VariableDoc {
        name: "SGB_WEBHOOK_TOKEN",
        about: "The webhook token that is sent along, for instances that require one. Secret.",
        read_by: "`notify`",
    },
    VariableDoc {
        name: "SGB_WEBHOOK_SECRET",
        about: "What webhook tokens are signed with: one line of at least 32 characters. Secret.",
        read_by: "`event`, `onboard`, `webhook-token`",
    },
    VariableDoc {
        name: "SGB_GITLAB_URL",
        about: "GitLab's address, instead of the preset's. It counts only where the instance is a preset; a file alone \
                decides, and the variable is warned of. The same goes for the three below.",
        read_by: "all that talk to GitLab, `config`",
    },
    VariableDoc {
        name: "SGB_CA_FILE",
        about: "A file with the certificates (PEM) of the authorities to trust instead of the system's.",
        read_by: "all that talk to GitLab, `config`",
    },
    VariableDoc {
        name: "SGB_PROXY",
        about: "The address of the proxy that GitLab is reached through. `https_proxy` and its like never count.",
        read_by: "all that talk to GitLab, `config`",
    },
    VariableDoc {
        name: "SGB_BOT_PROJECT",
        about: "The path of the project that runs the bot, for presets, which name none.",
        read_by: "`reconcile`, `doctor`, `onboard`, `config`",
    },
    VariableDoc {
        name: "NO_COLOR",
        about: "Where it is set, nothing is coloured unless `--color always` says so (no-color.org).",
        read_by: "all",
    },
    VariableDoc { name: "PATH", about: "Where git is looked for.", read_by: "all that need git" },
];

/// The variables that GitLab sets in a job: numbers and paths that only say where to look.
pub const JOB_VARIABLES: [VariableDoc; 13] = [
    VariableDoc {
        name: "GITLAB_CI",
        about: "`true` in every job. The log then has sections that GitLab folds.",
        read_by: "all that talk to GitLab",
    },
    VariableDoc {
        name: "CI_MERGE_REQUEST_PROJECT_PATH",
        about: "The path of the project that the pipeline's merge request is for. With `CI_MERGE_REQUEST_IID` it stands for \
                `--merge-request`.",
        read_by: "`sync`, `report`, `retest`, `recreate`",
    },
    VariableDoc {
        name: "CI_MERGE_REQUEST_IID",
        about: "The number of that merge request in its project.",
        read_by: "`sync`, `report`, `retest`, `recreate`, `notify`",
    },
    VariableDoc {
        name: "CI_MERGE_REQUEST_PROJECT_ID",
        about: "The number of the project that the merge request is for.",
        read_by: "`notify`",
    },
    VariableDoc {
        name: "CI_PROJECT_PATH",
        about: "The path of the job's project. With `CI_PIPELINE_ID` it stands for `--pipeline`, unless the pipeline is a merge \
                request's.",
        read_by: "`report`",
    },
    VariableDoc { name: "CI_PROJECT_ID", about: "The number of the job's project.", read_by: "`notify`" },
    VariableDoc { name: "CI_PIPELINE_ID", about: "The number of the job's pipeline.", read_by: "`report`, `notify`" },
    VariableDoc {
        name: "CI_PIPELINE_IID",
        about: "The number of the job's pipeline in its project.",
        read_by: "`notify`",
    },
    VariableDoc {
        name: "CI_NODE_INDEX",
        about: "Which of the jobs that `parallel` made this one is. With `CI_NODE_TOTAL` it stands for `--shard`.",
        read_by: "`reconcile`",
    },
    VariableDoc { name: "CI_NODE_TOTAL", about: "How many jobs `parallel` made.", read_by: "`reconcile`" },
    VariableDoc {
        name: "CI_JOB_TIMEOUT",
        about: "After how many seconds GitLab ends the job. After three quarters of them no further merge request is begun.",
        read_by: "`reconcile`",
    },
    VariableDoc {
        name: "CI_JOB_STARTED_AT",
        about: "When the job began: `CI_JOB_TIMEOUT` counts from there, or else from when the program began.",
        read_by: "`reconcile`",
    },
    VariableDoc {
        name: "TRIGGER_PAYLOAD",
        about: "The file with what the caller of a trigger sent. It stands for `--payload`.",
        read_by: "`event`",
    },
];

/// The variables that only a CI template reads, not the program.
pub const TEMPLATE_VARIABLES: [VariableDoc; 1] = [VariableDoc {
    name: "FAKE_CI",
    about: "Outcomes of the checks of `fake-ci.yml`, instead of its input.",
    read_by: "`fake-ci.yml`",
}];

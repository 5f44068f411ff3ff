//! The command line as users type it. The doc comments are the help texts that clap prints.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr as _;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, value_parser};

use crate::cli::terminal::Color;
use crate::ops::reconcile::scope::{Shard, Since};
use crate::transform::message;

/// Keeps source-git and dist-git repositories of RPM packages in step.
#[derive(Debug, Parser)]
#[command(name = "source-git-bot", version, about, max_term_width = 100, disable_help_subcommand = true, after_help = EXIT_STATUS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: CliCommand,

    /// What goes for all commands.
    #[command(flatten)]
    pub global: GlobalArgs,
}

const EXIT_STATUS: &str = "Exit status: 0 done, or nothing to do; 1 failed; 2 bad usage or configuration; \
    3 the input cannot be synced, and the message says why; 4 no credentials here; 5 GitLab unreachable or overloaded.";

/// Options of all commands.
#[derive(Clone, Debug, Args)]
pub struct GlobalArgs {
    /// Show what would be done, and do nothing
    #[arg(long, global = true)]
    pub dry_run: bool,

    /// The instance to work for: `production`, `staging`, `centos-stream-staging`, or a file that extends one
    #[arg(long, global = true, value_name = "NAME|FILE")]
    pub instance: Option<String>,

    /// How to show what was done
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: OutputFormat,

    /// Say more about what is done; given twice, also name every git command
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
}

/// How a result is shown on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// As data; docs/json-output.md describes the format
    Json,
}

/// What stands above a new patch in the spec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PatchCommentsArg {
    /// Nothing but a `Patch-status`
    None,
    /// The first line of the commit message
    Subject,
    /// The commit message without its trailers
    #[default]
    Message,
}

impl From<PatchCommentsArg> for message::CommentStyle {
    fn from(comments: PatchCommentsArg) -> Self {
        match comments {
            PatchCommentsArg::None => Self::None,
            PatchCommentsArg::Subject => Self::Subject,
            PatchCommentsArg::Message => Self::Message,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// Open or update the dist-git merge request of a source-git merge request
    Sync(SyncArgs),
    /// Bring dist-git's CI results to the source-git merge request
    Report(ReportArgs),
    /// Handle an event from a webhook or a job: sync or report what it names
    Event(EventArgs),
    /// Look at every merge request of the instance, and bring up to date what is behind
    Reconcile(ReconcileArgs),
    /// Start a new pipeline for the dist-git merge request of a source-git merge request
    Retest(RetestArgs),
    /// Rebuild a dist-git merge request, discarding what people pushed to its branch
    Recreate(RecreateArgs),
    /// Check whether an instance is set up right, and say what to do where it is not
    Doctor(DoctorArgs),
    /// From a job, ask the bot project to look at the job's pipeline or merge request
    Notify(NotifyArgs),
    /// Put a package under the instance's care: projects, the bot's fork, webhooks
    Onboard(OnboardArgs),
    /// Turn a source-git clone's commit into patches, spec and files of a dist-git clone
    UpdateDistGit(UpdateDistGitArgs),
    /// Make the token that webhooks of a namespace or project carry, or check one
    WebhookToken(WebhookTokenArgs),
    /// Show the settings of an instance and where each comes from, or check them
    Config(ConfigArgs),
    /// Print the completions for a shell
    Completions(CompletionsArgs),
}

/// Arguments of `sync`.
#[derive(Debug, Args)]
#[command(after_help = SYNC_HELP)]
pub struct SyncArgs {
    /// The source-git merge request, by its address or as `group/project!7`; in its own pipeline it is known
    #[arg(long, value_name = "URL|PATH!IID")]
    pub merge_request: Option<String>,
}

/// Arguments of `retest`.
#[derive(Debug, Args)]
#[command(after_help = RETEST_HELP)]
pub struct RetestArgs {
    /// The source-git merge request, by its address or as `group/project!7`; in its own pipeline it is known
    #[arg(long, value_name = "URL|PATH!IID")]
    pub merge_request: Option<String>,
}

const RETEST_HELP: &str = "At most one pipeline in ten minutes is started for a merge request. Where that is not over, or GitLab \
    lets the bot's user start none, the exit status is 3. The token of the bot's user is read from the variable SGB_TOKEN.";

/// Arguments of `recreate`.
#[derive(Debug, Args)]
#[command(after_help = RECREATE_HELP)]
pub struct RecreateArgs {
    /// The source-git merge request, by its address or as `group/project!7`; in its own pipeline it is known
    #[arg(long, value_name = "URL|PATH!IID")]
    pub merge_request: Option<String>,
}

const RECREATE_HELP: &str = "The bot's branch is rebuilt, discarding what people pushed to it. A merge request that they closed is \
    reopened; where they merged it, a new one is opened. The token of the bot's user is read from the variable SGB_TOKEN.";

/// Arguments of `event`.
#[derive(Debug, Args)]
#[command(after_help = EVENT_HELP)]
pub struct EventArgs {
    /// The file with the event's payload; in a triggered pipeline, TRIGGER_PAYLOAD names it
    #[arg(long, value_name = "FILE")]
    pub payload: Option<PathBuf>,
}

const EVENT_HELP: &str = "The token of the bot's user is read from the variable SGB_TOKEN; where the instance requires webhook \
    tokens, the secret that they are signed with from SGB_WEBHOOK_SECRET.";

/// Arguments of `reconcile`.
#[derive(Debug, Args)]
#[command(after_help = SYNC_HELP)]
pub struct ReconcileArgs {
    /// End after this many merge requests were changed, and leave the others for the next run
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub max_changes: Option<u32>,

    /// Only what has changed since then: a day (2026-11-22), a time (2026-11-22T18:00:00Z), or how long ago (90m, 2h, 3d)
    #[arg(long, value_name = "TIME", value_parser = Since::from_str)]
    pub since: Option<Since>,

    /// Only the merge requests of this source-git project; may be given several times
    #[arg(long, value_name = "PROJECT")]
    pub only: Vec<String>,

    /// Only the Kth of N parts of the projects; in a job that GitLab runs in parallel, that job's part
    #[arg(long, value_name = "K/N", value_parser = Shard::from_str)]
    pub shard: Option<Shard>,

    /// How many projects to work on at a time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = value_parser!(u32).range(1..=32))]
    pub jobs: u32,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = DOCTOR_HELP)]
pub struct DoctorArgs {
    /// The name of the bot's user, where the token is somebody else's
    #[arg(long, value_name = "USER")]
    pub bot: Option<String>,

    /// How many packages to look into one by one; all of them are compared with dist-git
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u32).range(1..))]
    pub packages: u32,
}

const DOCTOR_HELP: &str = "Nothing is written. Most settings are shown to Maintainers and Owners alone: with the token of one, \
    and `--bot`, more of them are seen than with the bot's own. The token is read from the variable SGB_TOKEN. The exit \
    status is 1 where something is wrong; what is unseen is not wrong.";

/// Arguments of `notify`.
#[derive(Debug, Args)]
#[command(after_help = NOTIFY_HELP)]
pub struct NotifyArgs {
    /// The number of the project whose pipeline to look at, instead of the job's own
    #[arg(long, value_name = "ID", requires = "pipeline", value_parser = value_parser!(u64).range(GITLAB_IDS))]
    pub project: Option<u64>,

    /// The number of that pipeline
    #[arg(long, value_name = "ID", requires = "project", value_parser = value_parser!(u64).range(GITLAB_IDS))]
    pub pipeline: Option<u64>,
}

/// What is a number of a project or pipeline: as many digits as the bot project reads.
const GITLAB_IDS: RangeInclusive<u64> = 1..=999_999_999_999;

const NOTIFY_HELP: &str = "The bot project's trigger URL is read from the variable SGB_TRIGGER_URL, the trigger token from \
    SGB_TRIGGER_TOKEN, and a webhook token, for instances that require one, from SGB_WEBHOOK_TOKEN.";

/// Arguments of `report`.
#[derive(Debug, Args)]
#[command(after_help = SYNC_HELP)]
pub struct ReportArgs {
    /// A pipeline of dist-git or of the bot's fork, by its address; in its own jobs it is known
    #[arg(long, value_name = "URL|PATH", conflicts_with = "merge_request")]
    pub pipeline: Option<String>,

    /// The source-git merge request, by its address or as `group/project!7`
    #[arg(long, value_name = "URL|PATH!IID")]
    pub merge_request: Option<String>,
}

const SYNC_HELP: &str = "The token of the bot's user is read from the variable SGB_TOKEN.";

/// Arguments of `onboard`.
#[derive(Debug, Args)]
#[command(after_help = ONBOARD_HELP)]
pub struct OnboardArgs {
    /// The package, by the name of its projects
    pub package: String,

    /// The source-git namespace that it is in, or is to be, where the instance has several
    #[arg(long, value_name = "PATH")]
    pub namespace: Option<String>,

    /// The bot's image for the package's CI file, instead of the bot project's
    #[arg(long, value_name = "IMAGE", requires = "templates")]
    pub image: Option<String>,

    /// The project with the CI templates and their version, instead of the bot project's
    #[arg(long, value_name = "PROJECT@REF", requires = "image")]
    pub templates: Option<String>,
}

const ONBOARD_HELP: &str = "The token of the bot's user is read from the variable SGB_TOKEN: its fork is made with it. \
    All else is done with SGB_OPERATOR_TOKEN, the token of whoever sets up, or with the bot's where that is not set. Both \
    need the scope `api`. Nothing is done twice: it can be run again at any time.";

/// Arguments of `update-dist-git`.
#[derive(Debug, Args)]
#[command(after_help = UPDATE_DIST_GIT_HELP)]
pub struct UpdateDistGitArgs {
    /// The source-git clone; the commit that is checked out is read, never the work tree
    pub source_git: PathBuf,

    /// The dist-git clone; its work tree and index are written
    pub dist_git: PathBuf,

    /// Commit the result with this message
    #[arg(short, long, value_name = "MESSAGE", conflicts_with = "file")]
    pub message: Option<String>,

    /// Commit the result with the message in this file (`-` for standard input)
    #[arg(short = 'F', long, value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// The tag, branch or commit that the downstream commits sit on, instead of the one in source-git.yaml
    #[arg(long, value_name = "REF")]
    pub upstream_ref: Option<String>,

    /// What to write above each new patch in the spec
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub patch_comments: PatchCommentsArg,

    /// Accepted for packit's sake; changes nothing
    #[arg(short, long)]
    pub force: bool,
}

const UPDATE_DIST_GIT_HELP: &str = "The commit gets the trailer `From-source-git-commit` with the source-git commit's id. \
    Without -m or -F nothing is committed. Files with uncommitted changes are never overwritten.";

/// Arguments of `webhook-token`.
#[derive(Debug, Args)]
#[command(after_help = WEBHOOK_TOKEN_HELP)]
pub struct WebhookTokenArgs {
    /// The group or user whose projects it is for, those in subgroups too, by its whole path
    #[arg(required_unless_present = "verify")]
    pub namespace: Option<String>,

    /// The one project of it that it is for, by its name
    pub project: Option<String>,

    /// Say what this token is for and whether its signature holds (`-` to read it from standard input), and whether it is
    /// good for NAMESPACE or PROJECT where they are named
    #[arg(long, value_name = "TOKEN")]
    pub verify: Option<String>,

    /// The file with the secret, instead of the variable SGB_WEBHOOK_SECRET
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
}

const WEBHOOK_TOKEN_HELP: &str = "The secret is read from the variable SGB_WEBHOOK_SECRET or a file: one line of at least 32 \
    characters, such as those of `openssl rand -hex 32`. A token that is not good ends with exit status 1.";

/// Arguments of `config`.
#[derive(Debug, Args)]
#[command(after_help = CONFIG_HELP)]
pub struct ConfigArgs {
    /// Instead of showing the instance, name everything that is wrong in it, and what looks like a mistake
    #[arg(long)]
    pub validate: bool,

    /// Instead, list the presets
    #[arg(long, conflicts_with_all = ["validate", "schema"])]
    pub list: bool,

    /// Instead, print the JSON schema of instance files, which editors check and complete them by
    #[arg(long, conflicts_with = "validate")]
    pub schema: bool,
}

const CONFIG_HELP: &str = "What is shown is an instance file itself. Nothing is asked of GitLab. An instance that cannot be used \
    ends with exit status 2; what only looks like a mistake is a warning.";

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_HELP)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

const COMPLETIONS_HELP: &str = "For bash, the output goes into the file `~/.local/share/bash-completion/completions/source-git-bot`; for fish, into \
    `~/.config/fish/completions/source-git-bot.fish`; for zsh, into `_source-git-bot` in a directory of `$fpath`.";

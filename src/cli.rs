//! The command line, as it is typed. What it means is up to `commands`.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, value_parser};

use crate::terminal::Color;
use crate::transform::message;

/// Keeps source-git and dist-git repositories of RPM packages in step.
#[derive(Debug, Parser)]
#[command(name = "source-git-bot", version, about, max_term_width = 100, disable_help_subcommand = true, after_help = EXIT_STATUS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// What goes for all commands.
    #[command(flatten)]
    pub global: Global,
}

const EXIT_STATUS: &str = "Exit status: 0 done, or nothing to do; 1 failed; 2 bad usage or configuration; \
    3 the input cannot be synced, and the message says why; 4 no credentials here; 5 GitLab unreachable or overloaded.";

/// Options of all commands.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Show what would be done, and do nothing
    #[arg(long, global = true)]
    pub dry_run: bool,

    /// The instance to work for: `production`, `staging`, `centos-stream-staging`, or a file that extends one
    #[arg(long, global = true, value_name = "NAME|FILE")]
    pub instance: Option<String>,

    /// How to show what was done
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Output,

    /// Say more about what is done; twice for every git command
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// When to use colors
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
}

/// How a result is shown on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    #[default]
    Text,
    /// As data; README.md describes the format
    Json,
}

/// What stands above a new patch in the spec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PatchComments {
    /// Nothing but a `Patch-status`
    None,
    /// The first line of the commit message
    Subject,
    /// The commit message without its trailers
    #[default]
    Message,
}

impl From<PatchComments> for message::PatchComments {
    fn from(comments: PatchComments) -> Self {
        match comments {
            PatchComments::None => Self::None,
            PatchComments::Subject => Self::Subject,
            PatchComments::Message => Self::Message,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open or update the dist-git merge request of a source-git merge request
    Sync(Sync),
    /// Bring dist-git's CI results to the source-git merge request
    Report(Report),
    /// Look where a webhook or a job says, and do what is due there
    Event(Event),
    /// Look at every merge request of the instance, and bring what is behind up to date
    #[command(after_help = SYNC_HELP)]
    Reconcile,
    /// From a job, ask the bot project to look at the job's pipeline or merge request
    Notify(Notify),
    /// Turn a source-git clone's commit into patches, spec and files of a dist-git clone
    UpdateDistGit(UpdateDistGit),
    /// Make the token that webhooks of a namespace or project carry, or check one
    WebhookToken(WebhookToken),
}

/// Arguments of `sync`.
#[derive(Debug, Args)]
#[command(after_help = SYNC_HELP)]
pub struct Sync {
    /// The source-git merge request, by its address or as `group/project!7`; in its own pipeline it is known
    #[arg(long, value_name = "URL|PATH!IID")]
    pub merge_request: Option<String>,
}

/// Arguments of `event`.
#[derive(Debug, Args)]
#[command(after_help = EVENT_HELP)]
pub struct Event {
    /// The file with the event's payload; in a triggered pipeline, TRIGGER_PAYLOAD names it
    #[arg(long, value_name = "FILE")]
    pub payload: Option<PathBuf>,
}

const EVENT_HELP: &str = "The token of the bot's user is read from the variable SGB_TOKEN; where the instance requires webhook \
    tokens, the secret that they are signed with from SGB_WEBHOOK_SECRET.";

/// Arguments of `notify`.
#[derive(Debug, Args)]
#[command(after_help = NOTIFY_HELP)]
pub struct Notify {
    /// The number of the project whose pipeline to look at, instead of the job's own
    #[arg(long, value_name = "ID", requires = "pipeline", value_parser = value_parser!(u64).range(GITLAB_IDS))]
    pub project: Option<u64>,

    /// The number of that pipeline
    #[arg(long, value_name = "ID", requires = "project", value_parser = value_parser!(u64).range(GITLAB_IDS))]
    pub pipeline: Option<u64>,
}

/// What is a number of a project or pipeline: as many digits as the bot project reads.
const GITLAB_IDS: RangeInclusive<u64> = 1..=999_999_999_999;

const NOTIFY_HELP: &str = "The bot project's trigger address is read from the variable SGB_TRIGGER_URL, the trigger token from \
    SGB_TRIGGER_TOKEN, and a webhook token, for instances that require one, from SGB_WEBHOOK_TOKEN.";

/// Arguments of `report`.
#[derive(Debug, Args)]
#[command(after_help = SYNC_HELP)]
pub struct Report {
    /// A pipeline of dist-git or of the bot's fork, by its address; in its own jobs it is known
    #[arg(long, value_name = "URL|PATH", conflicts_with = "merge_request")]
    pub pipeline: Option<String>,

    /// The source-git merge request, by its address or as `group/project!7`
    #[arg(long, value_name = "URL|PATH!IID")]
    pub merge_request: Option<String>,
}

const SYNC_HELP: &str = "The token of the bot's user is read from the variable SGB_TOKEN.";

/// Arguments of `update-dist-git`.
#[derive(Debug, Args)]
#[command(after_help = UPDATE_DIST_GIT_HELP)]
pub struct UpdateDistGit {
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
    pub patch_comments: PatchComments,

    /// Update even where the two repositories have diverged (this is not checked yet: it changes nothing)
    #[arg(short, long)]
    pub force: bool,
}

const UPDATE_DIST_GIT_HELP: &str = "The commit gets the trailer `From-source-git-commit` with the source-git commit's id. \
    Without -m or -F nothing is committed. Files with uncommitted changes are never overwritten.";

/// Arguments of `webhook-token`.
#[derive(Debug, Args)]
#[command(after_help = WEBHOOK_TOKEN_HELP)]
pub struct WebhookToken {
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

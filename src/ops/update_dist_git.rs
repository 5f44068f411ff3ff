//! `update-dist-git`: the transformation on two local clones.
//!
//! Takes what is checked out in source-git (the commit, never the work tree) and in dist-git, and writes the result
//! into dist-git's work tree and index. Commits it if a message is given.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::git::work_tree::{self, Changes, Purpose};
use crate::git::{Git, LocalRepository, Store};
use crate::ops::ProcessContext;
use crate::ops::generate::diffs::{self, FileDiff};
use crate::ops::generate::{self, GenerateRequest, Generated};
use crate::ops::session::Mode;
use crate::transform::config::PackageConfig;
use crate::transform::files::ReceiverFiles;
use crate::transform::message::CommentStyle;
use crate::transform::report::{TransformReport, Upstream};
use crate::types::Refusal;
use crate::types::error::{Result, UsageError, bail};

#[derive(Clone, Debug)]
pub(crate) struct UpdateDistGitRequest {
    pub(crate) source_git: PathBuf,
    pub(crate) dist_git: PathBuf,
    /// The message of the commit to make, if any.
    pub(crate) message: Option<Vec<u8>>,
    /// The ref below the downstream commits, instead of the one in the package configuration.
    pub(crate) upstream_ref: Option<String>,
    /// What to write above new patches in the spec file.
    pub(crate) comments: CommentStyle,
}

/// What was done, or would be done.
#[derive(Debug)]
pub(crate) struct Updated {
    pub(crate) report: TransformReport,
    /// The changes line by line, in a dry run only.
    pub(crate) diffs: Vec<FileDiff>,
}

/// What to do to dist-git.
#[derive(Debug)]
struct UpdatePlan {
    generated: Generated,
    changes: Changes,
}

/// Brings dist-git up to date with source-git.
pub(crate) fn update_dist_git(request: &UpdateDistGitRequest, context: &ProcessContext, mode: Mode) -> Result<Updated> {
    let git = Git::find(&context.search_path)?;
    let source_git = LocalRepository::open(&git, &request.source_git, "source-git")?;
    let dist_git = LocalRepository::open(&git, &request.dist_git, "dist-git")?;
    if source_git.top == dist_git.top {
        bail!(UsageError::new(
            format!("{} is named both as source-git and as dist-git", source_git.top.display()),
            "name two clones; source-git's own files would give way to dist-git's"
        ));
    }
    let mut store = Store::create(&git)?;
    store.borrow(&[source_git.objects.clone(), dist_git.objects.clone()], &source_git.shallow)?;

    let plan = plan(&store, &source_git, &dist_git, request)?;
    let diffs = match mode {
        Mode::DryRun => diffs::diffs(&store, &plan.generated)?,
        Mode::Apply => {
            apply(&plan, request.message.as_deref(), &store, &source_git, &dist_git)?;
            Vec::new()
        }
    };
    Ok(Updated { report: plan.generated.report, diffs })
}

fn plan(
    store: &Store,
    source_git: &LocalRepository,
    dist_git: &LocalRepository,
    request: &UpdateDistGitRequest,
) -> Result<UpdatePlan> {
    let (config, findings) = generate::read_config(store, &source_git.head)?;
    let generated = generate::generate(
        store,
        GenerateRequest {
            config: &config,
            findings,
            source: source_git.head,
            known_as: source_git.head,
            originals: HashMap::new(),
            upstream: resolve_upstream(store, source_git, &config, request.upstream_ref.as_deref())?,
            shallow: &source_git.shallow,
            dist_git: store.tree_of(&dist_git.head)?,
            comments: request.comments,
            receiver_files: ReceiverFiles::Carried,
        },
    )?;
    let changes = work_tree::changes(&generated.before, &generated.after);
    let purpose = if request.message.is_some() { Purpose::Commit } else { Purpose::Write };
    work_tree::check(dist_git, &generated.before, &changes, purpose)?;
    Ok(UpdatePlan { generated, changes })
}

fn apply(
    plan: &UpdatePlan,
    message: Option<&[u8]>,
    store: &Store,
    source_git: &LocalRepository,
    dist_git: &LocalRepository,
) -> Result<()> {
    if plan.changes.is_empty() {
        return Ok(());
    }
    work_tree::write(dist_git, store, &plan.changes)?;
    tracing::info!("files written into {}: {}", dist_git.directory.display(), plan.changes.len());
    if let Some(message) = message {
        work_tree::commit(dist_git, &source_git.head, message)?;
        tracing::info!("committed them");
    }
    Ok(())
}

fn resolve_upstream(
    store: &Store,
    source_git: &LocalRepository,
    config: &PackageConfig,
    named: Option<&str>,
) -> Result<Upstream> {
    let Some(name) = named.or(config.upstream_ref.as_deref()) else {
        let remedy = "add `upstream_ref: TAG` to .distro/source-git.yaml, or give `--upstream-ref`";
        bail!(Refusal::new("the package configuration has no `upstream_ref`", remedy));
    };
    let found = source_git.resolve(name)?;
    let commit = store.peel_to_commit(&found.object)?;
    let Some(commit) = commit else {
        let text = format!(
            "`upstream_ref` {} is no commit that source-git has",
            crate::types::finding::quoted(name.as_bytes())
        );
        bail!(Refusal::new(text, "fetch it, or set `upstream_ref` to a tag, a branch or a full commit id"));
    };
    Ok(Upstream { name: found.name, commit })
}

//! `update-dist-git`: the transformation on two local clones.
//!
//! Takes what is checked out in source-git (the commit, never the work tree) and in dist-git, and writes the outcome
//! into dist-git's work tree and index; commits it where a message is given.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;

use crate::cli::args::{Global, Output, UpdateDistGit};
use crate::cli::render::transformation;
use crate::git::work_tree::{self, Changes, Purpose};
use crate::git::{Git, LocalRepository, Store};
use crate::ops::Surroundings;
use crate::ops::generate::{self, Generated, Request};
use crate::transform::config::PackageConfig;
use crate::transform::files::ReceiverFiles;
use crate::transform::report::Upstream;
use crate::types::Refusal;
use crate::types::error::{Context as _, Result, UsageError, bail};

/// The longest commit message that is read from a file.
const MESSAGE_LIMIT: u64 = 1 << 20;

/// What is to be done to dist-git.
#[derive(Debug)]
struct Plan {
    generated: Generated,
    changes: Changes,
    /// The message of the commit, where one is to be made.
    message: Option<Vec<u8>>,
}

/// Runs the command.
pub(crate) fn run(arguments: &UpdateDistGit, global: &Global, surroundings: &Surroundings) -> Result<()> {
    let message = read_message(arguments)?;
    let git = Git::find(&surroundings.search_path)?;
    let source_git = LocalRepository::open(&git, &arguments.source_git, "source-git")?;
    let dist_git = LocalRepository::open(&git, &arguments.dist_git, "dist-git")?;
    if source_git.top == dist_git.top {
        bail!(UsageError::new(
            format!("{} is named both as source-git and as dist-git", source_git.top.display()),
            "name two clones; source-git's own files would give way to dist-git's"
        ));
    }
    let mut store = Store::create(&git)?;
    store.borrow(&[source_git.objects.clone(), dist_git.objects.clone()], &source_git.shallow)?;

    let plan = plan(&store, &source_git, &dist_git, arguments, message)?;
    if global.dry_run {
        return transformation::print(
            &store,
            &plan.generated,
            transformation::Diffs::Shown,
            global.output,
            surroundings.paint,
        );
    }
    apply(&plan, &store, &source_git, &dist_git)?;
    if !global.quiet || global.output == Output::Json {
        transformation::print(
            &store,
            &plan.generated,
            transformation::Diffs::Hidden,
            global.output,
            surroundings.paint,
        )?;
    }
    Ok(())
}

fn plan(
    store: &Store,
    source_git: &LocalRepository,
    dist_git: &LocalRepository,
    arguments: &UpdateDistGit,
    message: Option<Vec<u8>>,
) -> Result<Plan> {
    let (config, findings) = generate::read_config(store, &source_git.head)?;
    let generated = generate::generate(
        store,
        Request {
            config: &config,
            findings,
            source: source_git.head,
            known_as: source_git.head,
            originals: HashMap::new(),
            upstream: resolve(store, source_git, &config, arguments.upstream_ref.as_deref())?,
            shallow: &source_git.shallow,
            dist_git: store.tree_of(&dist_git.head)?,
            comments: arguments.patch_comments.into(),
            receiver_files: ReceiverFiles::Carried,
        },
    )?;
    let changes = work_tree::changes(&generated.before, &generated.after);
    let purpose = if message.is_some() { Purpose::Commit } else { Purpose::Write };
    work_tree::check(dist_git, &generated.before, &changes, purpose)?;
    Ok(Plan { generated, changes, message })
}

fn apply(plan: &Plan, store: &Store, source_git: &LocalRepository, dist_git: &LocalRepository) -> Result<()> {
    if plan.changes.is_empty() {
        return Ok(());
    }
    work_tree::write(dist_git, store, &plan.changes)?;
    tracing::info!("files written into {}: {}", dist_git.directory.display(), plan.changes.len());
    if let Some(message) = &plan.message {
        work_tree::commit(dist_git, &source_git.head, message)?;
        tracing::info!("committed them");
    }
    Ok(())
}

fn resolve(
    store: &Store,
    source_git: &LocalRepository,
    config: &PackageConfig,
    given: Option<&str>,
) -> Result<Upstream> {
    let Some(name) = given.or(config.upstream_ref.as_deref()) else {
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

fn read_message(arguments: &UpdateDistGit) -> Result<Option<Vec<u8>>> {
    let message = match (&arguments.message, &arguments.file) {
        (Some(message), _) => message.clone().into_bytes(),
        (None, Some(path)) => read_file(path).with_context(|| format!("reading the message in {}", path.display()))?,
        (None, None) => return Ok(None),
    };
    if message.trim_ascii().is_empty() {
        bail!(UsageError::new("the commit message is empty", "say what changes and why"));
    }
    Ok(Some(message))
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let mut message = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(MESSAGE_LIMIT + 1).read_to_end(&mut message)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MESSAGE_LIMIT + 1).read_to_end(&mut message))
    };
    let size = read.map_err(|error| UsageError::new(error.to_string(), "name a file that can be read"))?;
    if size as u64 > MESSAGE_LIMIT {
        bail!(UsageError::new(format!("it has more than {MESSAGE_LIMIT} bytes"), "shorten it"));
    }
    Ok(message)
}

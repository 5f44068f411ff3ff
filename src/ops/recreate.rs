//! `recreate`: the dist-git merge request of a source-git merge request, made anew whatever people did there. A person asks
//! for it, with this command or with a comment; the bot does so on its own account never.
use crate::cli::args::{self, Global};
use crate::forge::MergeRequestState;
use crate::git::Git;
use crate::ops::Surroundings;
use crate::ops::merge_request_reference::MergeRequestReference;
use crate::ops::named::Named;
use crate::ops::session::{Bot, Setting};
use crate::ops::sync::{self, Synced};
use crate::pair::facts::SyncMode;
use crate::types::Refusal;
use crate::types::error::{Result, bail};

/// Runs the command.
pub(crate) fn run(arguments: &args::Recreate, global: &Global, surroundings: &Surroundings) -> Result<()> {
    let setting = Setting::read(global, surroundings)?;
    let Some(named) = Named::read(arguments.merge_request.as_deref(), &setting)? else { return Ok(()) };
    let bot = setting.connect(global)?;
    if let Some(refusal) = objection(&bot, &named.reference)? {
        bail!(refusal);
    }
    recreate(&bot, named, global, surroundings)?.finish()
}

/// Returns why there is nothing to make anew, where that is so.
pub(crate) fn objection(bot: &Bot, reference: &MergeRequestReference) -> Result<Option<Refusal>> {
    let MergeRequestReference { project, iid } = reference;
    let is_closed = bot.forge.merge_request(project, *iid)?.state == MergeRequestState::Closed;
    let refusal = || {
        Refusal::new(
            format!("{project}!{iid} is closed: there is nothing to recreate"),
            format!("reopen {project}!{iid} first"),
        )
    };
    Ok(is_closed.then(refusal))
}

/// Makes it anew.
pub(crate) fn recreate(bot: &Bot, named: Named, global: &Global, surroundings: &Surroundings) -> Result<Synced> {
    let git = Git::find(&surroundings.search_path)?;
    let work = sync::Work::new(bot, &git, named.reference, named.dist_path);
    sync::Work { manner: SyncMode::Recreate, ..work }.run(global, surroundings)
}

//! Observes an instance, in as few requests as possible.

use std::time::SystemTime;

use chrono::{DateTime, Utc};

use crate::config::NamespacePair;
use crate::forge::{HookEvent, HookOwner};
use crate::ops::doctor::observer::Observer;
use crate::ops::doctor::{bot_project, packages};
use crate::setup::check::is_ours;
use crate::setup::instance_facts::{
    BotProjectFacts, HookFacts, HookPlace, HookPlaceKind, InstanceFacts, PackageOverview, Unseen,
};
use crate::types::ProjectPath;
use crate::types::error::Result;

/// How many of a webhook's newest deliveries are read: one page.
const MAX_DELIVERIES: usize = 20;

/// The events that need a webhook, in each source-git project or in a group around it.
const EVENTS: [HookEvent; 2] = [HookEvent::MergeRequests, HookEvent::Comments];

pub(crate) fn observe(observer: &Observer<'_>) -> Result<InstanceFacts> {
    let forge = &observer.session.forge;
    let token = if observer.is_bot_token() { observer.visible(forge.access_token())? } else { Err(Unseen::NotAsked) };
    let gitlab_version = observer.visible(forge.version())?;
    let bot_project = bot_project::observe(observer)?;
    let (packages, forks) = packages::observe(observer)?;
    let examined: &[PackageOverview] = match &packages {
        Ok(packages) => packages.all.get(..observer.max_packages).unwrap_or(&packages.all),
        Err(_) => &[],
    };
    let known = bot_project.as_ref().and_then(|project| project.as_ref().ok());
    let hooks = hooks(observer, known, examined)?;
    Ok(InstanceFacts {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        now: forge.server_time().unwrap_or_else(|| DateTime::<Utc>::from(SystemTime::now())),
        instance: observer.session.instance.clone(),
        bot: observer.bot_name.clone(),
        user: observer.token_user.clone(),
        token,
        gitlab_version,
        rate_limit: forge.rate_limit(),
        bot_project,
        hooks,
        packages,
        forks,
    })
}

/// Returns the webhooks of the groups, of the groups around them if those lack some, and of the examined packages.
fn hooks(
    observer: &Observer<'_>,
    bot_project: Option<&BotProjectFacts>,
    packages: &[PackageOverview],
) -> Result<Vec<HookPlace>> {
    observer.progress("webhooks");
    let mut places = Vec::new();
    for NamespacePair { source_git, .. } in observer.session.instance.namespaces.pairs() {
        let mut lacking = EVENTS.to_vec();
        let mut group = Some(source_git.as_str());
        while let Some(path) = group.filter(|_| !lacking.is_empty()) {
            let is_this_group = |place: &HookPlace| place.kind == HookPlaceKind::Group && place.path == path;
            // Several namespaces may be in the same group.
            if !places.iter().any(is_this_group) {
                places.push(hook_place(observer, bot_project, HookOwner::Group(path), HookPlaceKind::Group, path)?);
            }
            let hooks =
                places.iter().filter(|place| is_this_group(place)).flat_map(|place| place.hooks.iter().flatten());
            let ours = hooks.map(|hook| &hook.webhook).filter(|hook| is_ours(hook, bot_project));
            ours.for_each(|hook| lacking.retain(|event| !hook.events.contains(event)));
            group = path.rsplit_once('/').map(|(around, _)| around);
        }
        for package in packages.iter().filter(|package| source_git.name_within(&package.source_git).is_some()) {
            let path: ProjectPath = package.source_git.parse()?;
            let place =
                hook_place(observer, bot_project, HookOwner::Project(&path), HookPlaceKind::Project, path.as_str())?;
            let is_shown = place.hooks.is_ok();
            places.push(place);
            // Roles come with the group: if the webhooks of one project are not shown, those of the next are not
            // either.
            if !is_shown {
                break;
            }
        }
    }
    Ok(places)
}

fn hook_place(
    observer: &Observer<'_>,
    bot_project: Option<&BotProjectFacts>,
    owner: HookOwner<'_>,
    kind: HookPlaceKind,
    path: &str,
) -> Result<HookPlace> {
    observer.progress(path);
    let facts = |webhook| HookFacts { webhook, deliveries: Err(Unseen::NotAsked) };
    let mut hooks = observer
        .visible_list(observer.session.forge.webhooks(owner))?
        .map(|all| all.into_iter().map(facts).collect::<Vec<_>>());
    for hook in hooks.iter_mut().flatten().filter(|hook| is_ours(&hook.webhook, bot_project)) {
        let newest = observer.session.forge.webhook_deliveries(owner, hook.webhook.id).take(MAX_DELIVERIES);
        hook.deliveries = observer.visible_list(newest)?;
    }
    Ok(HookPlace { path: path.to_owned(), kind, hooks })
}

//! What is to be seen of an instance, in as few requests as will do.

use std::time::SystemTime;

use chrono::{DateTime, Utc};

use crate::config::NamespacePair;
use crate::forge::{HookEvent, HookOwner, Webhook, WebhookDelivery};
use crate::ops::doctor::look::Look;
use crate::ops::doctor::{bot_project, packages};
use crate::setup::check::is_ours;
use crate::setup::instance_facts::{
    Alert, BotProjectFacts, GitlabVersion, HookFacts, HookPlace, InstanceFacts, PackageOverview, PlaceKind, RateLimit,
    TokenFacts, Unseen,
};
use crate::types::ProjectPath;
use crate::types::error::Result;

/// How many of its newest deliveries tell how a webhook fares: one page.
const DELIVERIES: usize = 20;

/// What a webhook has to be called for, somewhere around each source-git project.
const EVENTS: [HookEvent; 2] = [HookEvent::MergeRequests, HookEvent::Comments];

/// Looks at everything.
pub(crate) fn observe(look: &Look<'_>) -> Result<InstanceFacts> {
    let forge = &look.bot.forge;
    let token = if look.is_the_bot() { look.seen(forge.access_token())? } else { Err(Unseen::NotAsked) };
    let gitlab = look.seen(forge.version())?;
    let bot_project = bot_project::observe(look)?;
    let (packages, forks) = packages::observe(look)?;
    let looked_at: &[PackageOverview] = match &packages {
        Ok(packages) => packages.all.get(..look.packages).unwrap_or(&packages.all),
        Err(_) => &[],
    };
    let known = bot_project.as_ref().and_then(|project| project.as_ref().ok());
    let hooks = hooks(look, known, looked_at)?;
    let left = forge.rate_limit();
    Ok(InstanceFacts {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        now: forge.server_time().unwrap_or_else(|| DateTime::<Utc>::from(SystemTime::now())),
        instance: look.bot.instance.clone(),
        bot: look.bot_name.clone(),
        user: look.user.clone(),
        token: token.map(|token| TokenFacts { scopes: token.scopes.into_iter().collect(), expires: token.expires_at }),
        gitlab: gitlab.map(|version| GitlabVersion { release: version.release(), text: version.text }),
        rate_limit: left.map(|left| RateLimit { limit: left.limit, remaining: left.remaining }),
        bot_project,
        hooks,
        packages,
        forks,
    })
}

/// The webhooks of the groups, of groups around them where those lack some, and of the packages that are looked into.
fn hooks(
    look: &Look<'_>,
    bot_project: Option<&BotProjectFacts>,
    packages: &[PackageOverview],
) -> Result<Vec<HookPlace>> {
    look.at("webhooks");
    let mut places = Vec::new();
    for NamespacePair { source_git, .. } in look.bot.instance.namespaces.pairs() {
        let mut lacking: Vec<_> = EVENTS.iter().map(|event| event.setting().to_owned()).collect();
        let mut group = Some(source_git.as_str());
        while let Some(path) = group.filter(|_| !lacking.is_empty()) {
            let is_it = |place: &HookPlace| place.kind == PlaceKind::Group && place.of == path;
            // Several namespaces may be in one group.
            if !places.iter().any(is_it) {
                places.push(place(look, bot_project, HookOwner::Group(path), PlaceKind::Group, path)?);
            }
            let hooks = places.iter().filter(|place| is_it(place)).flat_map(|place| place.hooks.iter().flatten());
            let ours = hooks.filter(|hook| is_ours(hook, bot_project));
            ours.for_each(|hook| lacking.retain(|event| !hook.events.contains(event)));
            group = path.rsplit_once('/').map(|(around, _)| around);
        }
        for package in packages.iter().filter(|package| source_git.name_within(&package.source_git).is_some()) {
            let path: ProjectPath = package.source_git.parse()?;
            let place = place(look, bot_project, HookOwner::Project(&path), PlaceKind::Project, path.as_str())?;
            let is_shown = place.hooks.is_ok();
            places.push(place);
            // Who may not see those of one may not see those of the next: roles come with the group.
            if !is_shown {
                break;
            }
        }
    }
    Ok(places)
}

fn place(
    look: &Look<'_>,
    bot_project: Option<&BotProjectFacts>,
    owner: HookOwner<'_>,
    kind: PlaceKind,
    path: &str,
) -> Result<HookPlace> {
    look.at(path);
    let mut hooks =
        look.listed(look.bot.forge.webhooks(owner))?.map(|all| all.into_iter().map(hook).collect::<Vec<_>>());
    for hook in hooks.iter_mut().flatten().filter(|hook| is_ours(hook, bot_project)) {
        let newest = look.bot.forge.webhook_deliveries(owner, hook.id).take(DELIVERIES);
        hook.deliveries = look.listed(newest)?.map(|all| all.iter().map(status).collect());
    }
    Ok(HookPlace { of: path.to_owned(), kind, hooks })
}

fn hook(shown: Webhook) -> HookFacts {
    let alert = match (shown.is_disabled(), shown.disabled_until) {
        (false, _) => Alert::Called,
        (true, Some(until)) => Alert::Until(until),
        (true, None) => Alert::Never,
    };
    HookFacts {
        id: shown.id,
        url: shown.url,
        masked: shown.url_variables,
        events: shown.events.iter().map(|event| event.setting().to_owned()).collect(),
        template: shown.template,
        // GitLab has always said it; where it does not, nothing is claimed.
        verifies_tls: shown.enable_ssl_verification.unwrap_or(true),
        alert,
        deliveries: Err(Unseen::NotAsked),
    }
}

fn status(delivery: &WebhookDelivery) -> Option<u16> {
    delivery.response_status.parse().ok()
}

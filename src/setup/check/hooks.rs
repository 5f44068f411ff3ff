//! The webhooks that start the bot: one for merge requests and one for comments. Each has to be called, and to get
//! through.

use std::collections::BTreeSet;

use serde_json::Value;
use url::Url;

use crate::config::WebhookTokens;
use crate::forge::{HookEvent, Webhook};
use crate::setup::check::result::{CheckResult, Verdict, summarize};
use crate::setup::instance_facts::{BotProjectFacts, HookFacts, HookPlace, HookPlaceKind, InstanceFacts, Unseen};
use crate::setup::webhook::{self, HookKind};

/// The key that only the bot's templates have.
const KEY: &str = "source_git_bot";
/// The field that the template has besides if the instance requires webhook tokens.
const WEBHOOK_TOKEN: &str = "webhook_token";

/// The events that a webhook may be called for. Comments that only members may read are comments too.
const KNOWN_EVENTS: [HookEvent; 3] = [HookEvent::MergeRequests, HookEvent::Comments, HookEvent::ConfidentialComments];

/// How many failures among the newest deliveries are too many. GitLab stops calling a webhook after the fourth failure
/// in a row (`auto_disabling.rb`).
const FAILURES: usize = 4;

const WHERE: &str = "Settings, Webhooks";

/// A webhook that starts the bot, or was meant to.
struct BotHook<'a> {
    place: &'a HookPlace,
    hook: &'a HookFacts,
}

impl BotHook<'_> {
    fn name(&self) -> String {
        format!("webhook {} of {}", self.hook.webhook.id, self.place.path)
    }

    fn is_for(&self, kind: HookKind) -> bool {
        self.hook.webhook.events.contains(&kind.event())
    }
}

/// Whether a webhook starts the bot, or was meant to. What it sends tells that, or the URL that it calls.
pub fn is_ours(hook: &Webhook, bot_project: Option<&BotProjectFacts>) -> bool {
    let sends = hook.template.as_deref().is_some_and(|template| template.contains(KEY));
    let url = hook.url.split('?').next().unwrap_or_default();
    let triggers = |project: &str| {
        let below = url.split_once(&format!("/api/v4/projects/{project}/")).map(|(_, below)| below);
        below.is_some_and(|below| below.ends_with("trigger/pipeline"))
    };
    sends || bot_project.is_some_and(|project| names_of(project).iter().any(|name| triggers(name)))
}

/// Returns the ways in which a URL can name the bot project.
fn names_of(project: &BotProjectFacts) -> [String; 3] {
    let (id, path) = (project.settings.id, project.path());
    [id.to_string(), path.replace('/', "%2F"), path.replace('/', "%2f")]
}

fn bot_project(facts: &InstanceFacts) -> Option<&BotProjectFacts> {
    facts.bot_project.as_ref().and_then(|project| project.as_ref().ok())
}

fn bot_hooks(facts: &InstanceFacts) -> Vec<BotHook<'_>> {
    let project = bot_project(facts);
    let places = facts.hooks.iter();
    let all = places.flat_map(|place| place.hooks.iter().flatten().map(move |hook| BotHook { place, hook }));
    all.filter(|ours| is_ours(&ours.hook.webhook, project)).collect()
}

/// Returns the groups that have webhooks of the bot.
pub(super) fn groups_with_hooks(facts: &InstanceFacts) -> impl Iterator<Item = &str> {
    let groups = bot_hooks(facts).into_iter().filter(|ours| ours.place.kind == HookPlaceKind::Group);
    groups.map(|ours| ours.place.path.as_str()).collect::<Vec<_>>().into_iter()
}

/// Whether `path` is the group itself, or a project or group anywhere in it.
pub(super) fn is_within(path: &str, group: &str) -> bool {
    path.strip_prefix(group).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(super) fn judge(facts: &InstanceFacts) -> Vec<CheckResult> {
    let mut results = Vec::new();
    results.extend(called_for(facts, "hooks.merge-requests", HookKind::MergeRequests));
    results.extend(called_for(facts, "hooks.comments", HookKind::Comments));
    let ours = bot_hooks(facts);
    let each = |check: &'static str, right: &str, verdict: &dyn Fn(&BotHook<'_>) -> Verdict| {
        summarize(check, "webhooks", right, ours.iter().map(|ours| (ours.name(), verdict(ours))))
    };
    results.extend(each("hooks.address", "the address is the bot project's, and hides its token", &|ours| {
        url(facts, &ours.hook.webhook)
    }));
    results.extend(each("hooks.events", "called for one kind of event each", &|ours| events(&ours.hook.webhook)));
    results.extend(each("hooks.template", "identifiers alone are sent", &|ours| template(facts, &ours.hook.webhook)));
    results.extend(each("hooks.tls", "certificates are verified", &|ours| tls(&ours.hook.webhook)));
    results.extend(each("hooks.called", "GitLab calls them", &|ours| called(&ours.hook.webhook)));
    results.extend(each("hooks.deliveries", "deliveries arrive", &|ours| deliveries(ours.hook)));
    results.extend(duplicates(&ours));
    results.extend(tokens(facts, ours.len()));
    results
}

/// Checks that each source-git namespace has a webhook of a kind: in a group that contains it, or in each of its
/// projects.
fn called_for(facts: &InstanceFacts, check: &'static str, kind: HookKind) -> Vec<CheckResult> {
    let ours = bot_hooks(facts);
    let remedy = format!(
        "run `source-git-bot onboard PACKAGE`; or {WHERE} of the group: add one with `{}` (ci-templates/examples/\
         bot-project.gitlab-ci.yml)",
        kind.form_label()
    );
    let mut verdicts = Vec::new();
    for pair in facts.instance.namespaces.pairs() {
        let namespace = pair.source_git.as_str();
        let contains_it = |place: &HookPlace| place.kind == HookPlaceKind::Group && is_within(namespace, &place.path);
        if ours.iter().any(|ours| contains_it(ours.place) && ours.is_for(kind)) {
            verdicts.push((namespace.to_owned(), Verdict::Right));
            continue;
        }
        let unseen_above = facts.hooks.iter().filter(|place| contains_it(place)).find_map(|place| {
            let why = place.hooks.as_ref().err()?;
            Some(Verdict::Unseen(why.clone(), format!("Owners of the group {} see them: {WHERE}", place.path)))
        });
        let is_in = |place: &&HookPlace| place.kind == HookPlaceKind::Project && is_within(&place.path, namespace);
        let projects: Vec<_> = facts.hooks.iter().filter(is_in).collect();
        if !projects.iter().any(|place| place.hooks.is_ok()) {
            let missing = || Verdict::wrong(format!("no webhook starts the bot for {kind}"), remedy.clone());
            verdicts.push((namespace.to_owned(), unseen_above.unwrap_or_else(missing)));
            continue;
        }
        for place in projects {
            let has = ours.iter().any(|ours| std::ptr::eq(ours.place, place) && ours.is_for(kind));
            let verdict = match (&place.hooks, &unseen_above) {
                _ if has => Verdict::Right,
                (_, Some(unseen)) => unseen.clone(),
                (Err(why), None) => {
                    Verdict::Unseen(why.clone(), format!("Maintainers of the project see them: {WHERE}"))
                }
                (Ok(_), None) => Verdict::wrong(
                    format!("no webhook starts the bot for {kind}, neither of the project nor of a group around it"),
                    remedy.clone(),
                ),
            };
            verdicts.push((place.path.clone(), verdict));
        }
    }
    summarize(check, "places", &format!("a webhook starts the bot for {kind}"), verdicts)
}

/// Returns the trigger URL that a webhook has to call, without a token.
fn wanted_url(gitlab: &Url, project: &BotProjectFacts) -> Option<String> {
    let branch = project.branch()?.parse().ok()?;
    Some(webhook::trigger_url(gitlab, project.settings.id, &branch))
}

/// Checks the URL. No text may show it: somebody may have written a token into it.
fn url(facts: &InstanceFacts, hook: &Webhook) -> Verdict {
    let gitlab = &facts.instance.gitlab.url;
    let known = bot_project(facts).and_then(|project| Some((project, wanted_url(gitlab, project)?)));
    let Some((project, wanted)) = known else {
        return Verdict::Unseen(Unseen::NotAsked, "members of the bot project know its number and branch".to_owned());
    };
    let remedy = format!(
        "{WHERE}, URL: {}, with a trigger token as the value of `{{token}}` (`Mask portions of URL`)",
        webhook::hook_url(&wanted)
    );
    let wrong = |says: &str| Verdict::wrong(says, remedy.clone());
    let (url, query) = hook.url.split_once('?').unwrap_or((&hook.url, ""));
    let gitlab = gitlab.as_str().trim_end_matches('/');
    let Some(below) = url.strip_prefix(gitlab).and_then(|rest| rest.strip_prefix("/api/v4/projects/")) else {
        return wrong("does not call this GitLab's API");
    };
    let (named, rest) = below.split_once('/').unwrap_or((below, ""));
    if !names_of(project).iter().any(|name| name == named) {
        return wrong("calls another project than the bot project");
    }
    if rest == "trigger/pipeline" {
        return wrong("names no branch in its path: what it sends could choose another");
    }
    let wanted_rest = wanted.split_once("/projects/").and_then(|(_, rest)| rest.split_once('/')).map(|(_, rest)| rest);
    if Some(rest) != wanted_rest {
        let triggers = rest.starts_with("ref/") && rest.ends_with("/trigger/pipeline");
        return wrong(if triggers {
            "starts pipelines on another branch than the bot project's protected one"
        } else {
            "is not a trigger URL"
        });
    }
    let token = query.strip_prefix("token=").unwrap_or_default();
    let masked = token.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
    match masked {
        Some(name) if hook.url_variables.contains(name) => Verdict::Right,
        _ if token.is_empty() || token.contains('&') => wrong("does not end in `?token={token}`"),
        _ => Verdict::wrong(
            "shows its token to whoever sees its settings",
            format!("revoke that token (Settings, CI/CD, Pipeline trigger tokens, of the bot project), then {remedy}"),
        ),
    }
}

fn events(hook: &Webhook) -> Verdict {
    let is_for = |event: &HookEvent| hook.events.contains(event);
    if is_for(&HookEvent::Pipelines) {
        return Verdict::wrong(
            "is called for pipelines too: GitLab refuses that at a trigger URL, and then stops calling it at all",
            format!("{WHERE}: switch `Pipeline events` off"),
        );
    }
    if is_for(&HookEvent::MergeRequests) && is_for(&HookEvent::Comments) {
        return Verdict::wrong(
            "is for merge requests and comments: a flood of comments would stop both",
            format!("{WHERE}: switch `Comments` off, and add another webhook for them, with a token of another user"),
        );
    }
    let useless = hook.events.iter().filter(|event| !KNOWN_EVENTS.contains(event));
    let useless: BTreeSet<&str> = useless.map(HookEvent::setting).collect();
    if !useless.is_empty() {
        let useless = useless.into_iter().collect::<Vec<_>>().join(", ");
        return Verdict::wrong(
            format!("is called for what the bot has no use for: {useless}"),
            format!("{WHERE}: leave `Merge request events` or `Comments` on, and nothing else"),
        );
    }
    Verdict::of(
        is_for(&HookEvent::MergeRequests) || is_for(&HookEvent::Comments),
        "is called for nothing that the bot has a use for",
        &format!("{WHERE}: switch `Merge request events` or `Comments` on, or delete it"),
    )
}

fn template(facts: &InstanceFacts, hook: &Webhook) -> Verdict {
    let wants_token = facts.instance.webhook_tokens == WebhookTokens::Required;
    let remedy = format!(
        "{WHERE}, `Custom webhook template`: that of ci-templates/examples/bot-project.gitlab-ci.yml{}",
        if wants_token { ", and a field `webhook_token` in it" } else { "" }
    );
    let Some(text) = &hook.template else {
        return Verdict::wrong("sends all of an event, free text included: a `$NAME` in it is expanded", remedy);
    };
    let mut sent: Value = serde_json::from_str(text).unwrap_or_default();
    let token = sent.get_mut(KEY).and_then(Value::as_object_mut).and_then(|fields| fields.remove(WEBHOOK_TOKEN));
    let wanted: Value = serde_json::from_str(&webhook::template(None)).unwrap_or_default();
    if sent != wanted {
        return Verdict::wrong("sends something else than the bot's template", remedy);
    }
    Verdict::of(
        token.is_some_and(|token| token.is_string()) || !wants_token,
        "sends no webhook token, which the instance requires",
        &format!("make one (`source-git-bot webhook-token NAMESPACE`), then {remedy}"),
    )
}

fn tls(hook: &Webhook) -> Verdict {
    let remedy = format!("{WHERE}: switch `Enable SSL verification` on");
    Verdict::of(
        // So far, every GitLab reports this. If one does not, nothing is known to be wrong.
        hook.enable_ssl_verification != Some(false),
        "does not verify certificates: its token could go to anybody",
        &remedy,
    )
}

/// Checks that GitLab has not stopped calling the webhook.
fn called(hook: &Webhook) -> Verdict {
    let remedy = format!("{WHERE}: see under `Recent events` what failed, mend that, and press Test");
    match (hook.is_disabled(), &hook.disabled_until) {
        (false, _) => Verdict::Right,
        (true, Some(time)) => Verdict::wrong(format!("failed, and GitLab does not call it until {time}"), remedy),
        (true, None) => Verdict::wrong("failed, and GitLab does not call it any more", remedy),
    }
}

fn deliveries(hook: &HookFacts) -> Verdict {
    let deliveries = match &hook.deliveries {
        Ok(deliveries) => deliveries,
        Err(why) => return Verdict::Unseen(why.clone(), format!("{WHERE}, `Recent events`, shows them")),
    };
    let failed: Vec<_> = deliveries.iter().filter(|delivery| !delivery.has_arrived()).collect();
    let has_newest_failed = deliveries.first().is_some_and(|delivery| !delivery.has_arrived());
    let is_wrong = has_newest_failed || failed.len() >= FAILURES;
    let Some(newest) = failed.first().filter(|_| is_wrong) else { return Verdict::Right };
    let status = newest.response_status.parse::<u16>().ok();
    let answer = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let cause = match status {
        Some(400) => "the branch is missing, or more than 25 pipelines were started in a minute",
        Some(403) => "it is called for pipelines, which GitLab refuses",
        Some(404) => "its trigger token was revoked, or is another project's",
        Some(422) => "GitLab finds the bot project's `.gitlab-ci.yml` wrong",
        _ => "GitLab was not to be reached or failed",
    };
    Verdict::wrong(
        format!("{} of its {} newest deliveries failed ({answer}): {cause}", failed.len(), deliveries.len()),
        format!("{WHERE}, `Recent events`, shows what GitLab answered; mend that, and press Test"),
    )
}

/// Finds webhooks that start a second pipeline for every event: one of a project whose group has one too, or one of two
/// alike.
fn duplicates(ours: &[BotHook<'_>]) -> Vec<CheckResult> {
    let is_duplicate = |own: &&BotHook<'_>| {
        let only_kind =
            |ours: &BotHook<'_>| match (ours.is_for(HookKind::MergeRequests), ours.is_for(HookKind::Comments)) {
                (true, false) => Some(HookKind::MergeRequests),
                (false, true) => Some(HookKind::Comments),
                // `events` reports a webhook for both.
                _ => None,
            };
        let is_same = |other: &BotHook<'_>| only_kind(own).is_some() && only_kind(own) == only_kind(other);
        ours.iter().any(|other| {
            let contains_it = other.place.kind == HookPlaceKind::Group && is_within(&own.place.path, &other.place.path);
            other.hook.webhook.id != own.hook.webhook.id
                && is_same(other)
                && (contains_it || other.place.path == own.place.path && other.hook.webhook.id < own.hook.webhook.id)
        })
    };
    let verdicts = ours.iter().filter(is_duplicate).map(|own| {
        let says = "is called for the same as another one, so that each event starts two pipelines";
        (own.name(), Verdict::wrong(says, format!("{WHERE}: delete it")))
    });
    summarize("hooks.once", "webhooks", "", verdicts)
}

/// Checks that each webhook has its own trigger token, so that one can be revoked alone, and that two users own them:
/// GitLab limits how many pipelines one user's tokens start in a minute.
fn tokens(facts: &InstanceFacts, hooks: usize) -> Vec<CheckResult> {
    const EACH: &str = "hooks.tokens";
    const OWNERS: &str = "hooks.token-owners";
    const TOKENS: &str = "Settings, CI/CD, Pipeline trigger tokens";
    let Some(project) = bot_project(facts).filter(|_| hooks > 0) else { return Vec::new() };
    let path = project.path();
    let tokens = match &project.trigger_tokens {
        Ok(tokens) => tokens,
        Err(why) => {
            let who = format!("its Maintainers see it: {TOKENS}");
            return vec![CheckResult::unseen(EACH, path, why, &who), CheckResult::unseen(OWNERS, path, why, &who)];
        }
    };
    let owners: BTreeSet<_> = tokens.iter().filter_map(|token| token.username.as_deref()).collect();
    let number = tokens.len();
    if number < hooks {
        let says = format!("has fewer trigger tokens ({number}) than webhooks ({hooks}), so that some share one");
        let remedy = format!("{TOKENS}: add one for each webhook, by two users, and put it there");
        return vec![CheckResult::wrong(EACH, path, says, remedy)];
    }
    let each = CheckResult::right(EACH, path, format!("has {number} trigger tokens for {hooks} webhooks"));
    let owned_by_two = if hooks > 1 && owners.len() < 2 {
        let says = "all trigger tokens are of one user: a flood of comments uses up that user's pipelines of a minute";
        let remedy = format!("let another Maintainer make the token of the webhook for comments ({TOKENS})");
        CheckResult::wrong(OWNERS, path, says, remedy)
    } else {
        CheckResult::right(OWNERS, path, format!("the trigger tokens are of {} users", owners.len()))
    };
    vec![each, owned_by_two]
}

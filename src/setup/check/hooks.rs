//! The webhooks that start the bot: one for merge requests and another one for comments, each called and heard.

use std::collections::BTreeSet;

use serde_json::Value;
use url::Url;

use crate::config::WebhookTokens;
use crate::setup::check::finding::{CheckResult, Verdict, summed};
use crate::setup::instance_facts::{Alert, BotProjectFacts, HookFacts, HookPlace, InstanceFacts, PlaceKind, Unseen};
use crate::setup::webhook;
use crate::types::ProjectId;

/// What a template of ours holds, and no other.
const KEY: &str = "source_git_bot";
/// The field that it has besides where webhook tokens are required.
const WEBHOOK_TOKEN: &str = "webhook_token";

const MERGE_REQUESTS: &str = "merge_requests_events";
const COMMENTS: &str = "note_events";
const PIPELINES: &str = "pipeline_events";
/// What does no harm: comments that only members read are comments too.
const TOLERATED: [&str; 1] = ["confidential_note_events"];

/// How many of the newest deliveries may have failed: GitLab stops calling after the fourth in a row (`auto_disabling.rb`).
const FAILURES: usize = 4;

const WHERE: &str = "Settings, Webhooks";

/// A webhook that starts the bot, or was meant to.
struct Ours<'a> {
    place: &'a HookPlace,
    hook: &'a HookFacts,
}

impl Ours<'_> {
    fn name(&self) -> String {
        format!("webhook {} of {}", self.hook.id, self.place.of)
    }

    fn is_for(&self, event: &str) -> bool {
        self.hook.events.contains(event)
    }
}

/// Whether a webhook starts the bot, or was meant to: by what it sends, or where.
pub fn is_ours(hook: &HookFacts, bot_project: Option<&BotProjectFacts>) -> bool {
    let sends = hook.template.as_deref().is_some_and(|template| template.contains(KEY));
    let address = hook.url.split('?').next().unwrap_or_default();
    let triggers = |project: &str| {
        let below = address.split_once(&format!("/api/v4/projects/{project}/")).map(|(_, below)| below);
        below.is_some_and(|below| below.ends_with("trigger/pipeline"))
    };
    sends || bot_project.is_some_and(|project| names_of(project).iter().any(|name| triggers(name)))
}

/// How an address can name a project.
fn names_of(project: &BotProjectFacts) -> [String; 3] {
    [project.id.to_string(), project.path.replace('/', "%2F"), project.path.replace('/', "%2f")]
}

fn bot_project(facts: &InstanceFacts) -> Option<&BotProjectFacts> {
    facts.bot_project.as_ref().and_then(|project| project.as_ref().ok())
}

fn ours(facts: &InstanceFacts) -> Vec<Ours<'_>> {
    let project = bot_project(facts);
    let places = facts.hooks.iter();
    let all = places.flat_map(|place| place.hooks.iter().flatten().map(move |hook| Ours { place, hook }));
    all.filter(|ours| is_ours(ours.hook, project)).collect()
}

/// Returns the groups that have webhooks of ours.
pub(super) fn groups_with_ours(facts: &InstanceFacts) -> impl Iterator<Item = &str> {
    let groups = ours(facts).into_iter().filter(|ours| ours.place.kind == PlaceKind::Group);
    groups.map(|ours| ours.place.of.as_str()).collect::<Vec<_>>().into_iter()
}

/// Whether a project or group is `group`, or somewhere in it.
pub(super) fn is_within(path: &str, group: &str) -> bool {
    path.strip_prefix(group).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(super) fn judge(facts: &InstanceFacts) -> Vec<CheckResult> {
    let mut findings = Vec::new();
    findings.extend(called_for(facts, "hooks.merge-requests", MERGE_REQUESTS, "merge requests"));
    findings.extend(called_for(facts, "hooks.comments", COMMENTS, "comments"));
    let ours = ours(facts);
    let each = |check: &'static str, right: &str, verdict: &dyn Fn(&Ours<'_>) -> Verdict| {
        summed(check, "webhooks", right, ours.iter().map(|ours| (ours.name(), verdict(ours))))
    };
    findings.extend(each("hooks.address", "the address is the bot project's, and hides its token", &|ours| {
        address(facts, ours.hook)
    }));
    findings.extend(each("hooks.events", "called for one kind of event each", &|ours| events(ours.hook)));
    findings.extend(each("hooks.template", "identifiers alone are sent", &|ours| template(facts, ours.hook)));
    findings.extend(each("hooks.tls", "certificates are verified", &|ours| tls(ours.hook)));
    findings.extend(each("hooks.called", "GitLab calls them", &|ours| alert(ours.hook)));
    findings.extend(each("hooks.deliveries", "deliveries arrive", &|ours| deliveries(ours.hook)));
    findings.extend(once(&ours));
    findings.extend(tokens(facts, ours.len()));
    findings
}

/// Whether each source-git namespace has a webhook for an event: of a group around it, or of each of its projects.
fn called_for(facts: &InstanceFacts, check: &'static str, event: &str, what: &str) -> Vec<CheckResult> {
    let ours = ours(facts);
    let box_name = if event == COMMENTS { "Comments" } else { "Merge request events" };
    let remedy = format!(
        "run `source-git-bot onboard PACKAGE`; or {WHERE} of the group: add one with `{box_name}` (ci-templates/examples/\
         bot-project.gitlab-ci.yml)"
    );
    let mut all = Vec::new();
    for pair in facts.instance.namespaces.pairs() {
        let namespace = pair.source_git.as_str();
        let is_around = |place: &HookPlace| place.kind == PlaceKind::Group && is_within(namespace, &place.of);
        if ours.iter().any(|ours| is_around(ours.place) && ours.is_for(event)) {
            all.push((namespace.to_owned(), Verdict::Right));
            continue;
        }
        let unseen_around = facts.hooks.iter().filter(|place| is_around(place)).find_map(|place| {
            let why = place.hooks.as_ref().err()?;
            Some(Verdict::Unseen(why.clone(), format!("Owners of the group {} see them: {WHERE}", place.of)))
        });
        let is_in = |place: &&HookPlace| place.kind == PlaceKind::Project && is_within(&place.of, namespace);
        let projects: Vec<_> = facts.hooks.iter().filter(is_in).collect();
        if !projects.iter().any(|place| place.hooks.is_ok()) {
            let missing = || Verdict::wrong(format!("no webhook starts the bot for {what}"), remedy.clone());
            all.push((namespace.to_owned(), unseen_around.unwrap_or_else(missing)));
            continue;
        }
        for place in projects {
            let has = ours.iter().any(|ours| std::ptr::eq(ours.place, place) && ours.is_for(event));
            let verdict = match (&place.hooks, &unseen_around) {
                _ if has => Verdict::Right,
                (_, Some(unseen)) => unseen.clone(),
                (Err(why), None) => {
                    Verdict::Unseen(why.clone(), format!("Maintainers of the project see them: {WHERE}"))
                }
                (Ok(_), None) => Verdict::wrong(
                    format!("no webhook starts the bot for {what}, neither of the project nor of a group around it"),
                    remedy.clone(),
                ),
            };
            all.push((place.of.clone(), verdict));
        }
    }
    summed(check, "places", &format!("a webhook starts the bot for {what}"), all)
}

/// Returns the address that a webhook has to have, without its token.
fn wanted(gitlab: &Url, project: &BotProjectFacts) -> Option<String> {
    let branch = project.branch()?.parse().ok()?;
    Some(webhook::trigger_url(gitlab, ProjectId(project.id), &branch))
}

/// The address is never told: somebody may have written a token into it.
fn address(facts: &InstanceFacts, hook: &HookFacts) -> Verdict {
    let gitlab = &facts.instance.gitlab.url;
    let known = bot_project(facts).and_then(|project| Some((project, wanted(gitlab, project)?)));
    let Some((project, wanted)) = known else {
        return Verdict::Unseen(Unseen::NotAsked, "members of the bot project know its number and branch".to_owned());
    };
    let remedy = format!(
        "{WHERE}, URL: {}, with a trigger token as the value of `{{token}}` (`Mask portions of URL`)",
        webhook::hook_url(&wanted)
    );
    let wrong = |says: &str| Verdict::wrong(says, remedy.clone());
    let (address, query) = hook.url.split_once('?').unwrap_or((&hook.url, ""));
    let gitlab = gitlab.as_str().trim_end_matches('/');
    let Some(below) = address.strip_prefix(gitlab).and_then(|rest| rest.strip_prefix("/api/v4/projects/")) else {
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
        Some(name) if hook.masked.contains(name) => Verdict::Right,
        _ if token.is_empty() || token.contains('&') => wrong("does not end in `?token={token}`"),
        _ => Verdict::wrong(
            "shows its token to whoever sees its settings",
            format!("revoke that token (Settings, CI/CD, Pipeline trigger tokens, of the bot project), then {remedy}"),
        ),
    }
}

fn events(hook: &HookFacts) -> Verdict {
    let is_on = |event: &str| hook.events.contains(event);
    if is_on(PIPELINES) {
        return Verdict::wrong(
            "is called for pipelines too: GitLab refuses that at a trigger URL, and then stops calling it at all",
            format!("{WHERE}: switch `Pipeline events` off"),
        );
    }
    if is_on(MERGE_REQUESTS) && is_on(COMMENTS) {
        return Verdict::wrong(
            "is for merge requests and comments: a flood of comments would stop both",
            format!("{WHERE}: switch `Comments` off, and add another webhook for them, with a token of another user"),
        );
    }
    let known = [MERGE_REQUESTS, COMMENTS].into_iter().chain(TOLERATED);
    let known: BTreeSet<&str> = known.collect();
    let more: Vec<_> = hook.events.iter().filter(|event| !known.contains(event.as_str())).map(String::as_str).collect();
    if !more.is_empty() {
        return Verdict::wrong(
            format!("is called for what the bot has no use for: {}", more.join(", ")),
            format!("{WHERE}: leave `Merge request events` or `Comments` on, and nothing else"),
        );
    }
    Verdict::of(
        is_on(MERGE_REQUESTS) || is_on(COMMENTS),
        "is called for nothing that the bot has a use for",
        &format!("{WHERE}: switch `Merge request events` or `Comments` on, or delete it"),
    )
}

fn template(facts: &InstanceFacts, hook: &HookFacts) -> Verdict {
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

fn tls(hook: &HookFacts) -> Verdict {
    let remedy = format!("{WHERE}: switch `Enable SSL verification` on");
    Verdict::of(hook.verifies_tls, "does not verify certificates: its token could go to anybody", &remedy)
}

fn alert(hook: &HookFacts) -> Verdict {
    let remedy = format!("{WHERE}: see under `Recent events` what failed, mend that, and press Test");
    match &hook.alert {
        Alert::Called => Verdict::Right,
        Alert::Until(moment) => Verdict::wrong(format!("failed, and GitLab does not call it until {moment}"), remedy),
        Alert::Never => Verdict::wrong("failed, and GitLab does not call it any more", remedy),
    }
}

fn deliveries(hook: &HookFacts) -> Verdict {
    let deliveries = match &hook.deliveries {
        Ok(deliveries) => deliveries,
        Err(why) => return Verdict::Unseen(why.clone(), format!("{WHERE}, `Recent events`, shows them")),
    };
    let has_failed = |status: &Option<u16>| !status.is_some_and(|status| (200..400).contains(&status));
    let failed: Vec<_> = deliveries.iter().filter(|status| has_failed(status)).collect();
    let newest = deliveries.first().is_some_and(has_failed);
    let Some(first) = failed.first().filter(|_| newest || failed.len() >= FAILURES) else { return Verdict::Right };
    let answer = first.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let cause = match first {
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

/// A project's own webhook beside its group's starts everything twice.
fn once(ours: &[Ours<'_>]) -> Vec<CheckResult> {
    let is_double = |own: &&Ours<'_>| {
        let kind = |ours: &Ours<'_>| match (ours.is_for(MERGE_REQUESTS), ours.is_for(COMMENTS)) {
            (true, false) => Some(MERGE_REQUESTS),
            (false, true) => Some(COMMENTS),
            // One that is for both is told of already.
            _ => None,
        };
        let same = |other: &Ours<'_>| kind(own).is_some() && kind(own) == kind(other);
        ours.iter().any(|other| {
            let is_around = other.place.kind == PlaceKind::Group && is_within(&own.place.of, &other.place.of);
            other.hook.id != own.hook.id
                && same(other)
                && (is_around || other.place.of == own.place.of && other.hook.id < own.hook.id)
        })
    };
    let double = ours.iter().filter(is_double).map(|own| {
        let says = "is called for the same as another one, so that each event starts two pipelines";
        (own.name(), Verdict::wrong(says, format!("{WHERE}: delete it")))
    });
    summed("hooks.once", "webhooks", "", double)
}

/// One trigger token for each webhook, so that one can be revoked; of two users, because GitLab counts the pipelines that a
/// user's tokens start in a minute.
fn tokens(facts: &InstanceFacts, hooks: usize) -> Vec<CheckResult> {
    const EACH: &str = "hooks.tokens";
    const OWNERS: &str = "hooks.token-owners";
    const TOKENS: &str = "Settings, CI/CD, Pipeline trigger tokens";
    let Some(project) = bot_project(facts).filter(|_| hooks > 0) else { return Vec::new() };
    let path = &project.path;
    let triggers = match &project.triggers {
        Ok(triggers) => triggers,
        Err(why) => {
            let who = format!("its Maintainers see it: {TOKENS}");
            return vec![CheckResult::unseen(EACH, path, why, &who), CheckResult::unseen(OWNERS, path, why, &who)];
        }
    };
    let owners: BTreeSet<_> = triggers.iter().filter_map(|trigger| trigger.owner.as_deref()).collect();
    let number = triggers.len();
    if number < hooks {
        let says = format!("has fewer trigger tokens ({number}) than webhooks ({hooks}), so that some share one");
        let remedy = format!("{TOKENS}: add one for each webhook, by two users, and put it there");
        return vec![CheckResult::wrong(EACH, path, says, remedy)];
    }
    let each = CheckResult::right(EACH, path, format!("has {number} trigger tokens for {hooks} webhooks"));
    let of_two = if hooks > 1 && owners.len() < 2 {
        let says = "all trigger tokens are of one user: a flood of comments uses up that user's pipelines of a minute";
        let remedy = format!("let another Maintainer make the token of the webhook for comments ({TOKENS})");
        CheckResult::wrong(OWNERS, path, says, remedy)
    } else {
        CheckResult::right(OWNERS, path, format!("the trigger tokens are of {} users", owners.len()))
    };
    vec![each, of_two]
}

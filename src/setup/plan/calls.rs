//! What calls the bot: webhooks, and the variables of jobs; each with a trigger token of its own.

use secrecy::{ExposeSecret as _, SecretString};

use crate::forge::{ANY_ENVIRONMENT, AccessLevel, HookEvent, Variable, VariableType, Webhook};
use crate::setup::package_facts::{Proofs, RepositoryFacts};
use crate::setup::plan::Planner;
use crate::setup::step::{Actor, Need, SetupChange, SetupPlace, SetupSetting, SetupStep, Side, TokenUse};
use crate::setup::todo::Todo;
use crate::setup::webhook::{self, HookKind, TOKEN_PART};

/// The variables of a job that calls the bot.
const TRIGGER_URL: &str = "SGB_TRIGGER_URL";
const TRIGGER_TOKEN: &str = "SGB_TRIGGER_TOKEN";
const WEBHOOK_TOKEN: &str = "SGB_WEBHOOK_TOKEN";

impl Planner<'_> {
    /// The variables of the job that reports dist-git's results.
    pub(super) fn report_job(&mut self) {
        let seen = self.seen;
        let (place, path) = match &seen.fork {
            Some(fork) => (SetupPlace::Fork, &fork.path),
            None => (SetupPlace::Repository(Side::DistGit), &seen.dist_git.path),
        };
        let proof = match &seen.proofs {
            Proofs::Made { report, .. } => Some(report),
            Proofs::NotAsked | Proofs::NoSecret => None,
        };
        let there = seen.report_variables.as_deref().unwrap_or_default();
        self.variables(place, path, there, TokenUse::Report, proof);
    }

    /// The variables of the job in source-git's pipelines, where its CI file has it.
    pub(super) fn source_job(&mut self) {
        let seen = self.seen;
        let gets_the_job = self.is_copy() && seen.templates.is_ok() && !seen.maintained.is_empty();
        if !seen.calls_the_bot && !gets_the_job {
            return;
        }
        let proof = match &seen.proofs {
            Proofs::Made { source_git, .. } => Some(source_git),
            Proofs::NotAsked | Proofs::NoSecret => None,
        };
        let there = seen.source_variables.as_deref().unwrap_or_default();
        let place = SetupPlace::Repository(Side::SourceGit);
        self.variables(place, &seen.source_git.path, there, TokenUse::SourceJob, proof);
    }

    fn variables(
        &mut self,
        place: SetupPlace,
        path: &crate::types::ProjectPath,
        there: &[Variable],
        usage: TokenUse,
        proof: Option<&SecretString>,
    ) {
        let seen = self.seen;
        let Some(url) = &seen.hub.trigger_url else { return };
        let mut wanted =
            vec![(TRIGGER_URL, SetupSetting::Value(url.as_str().into())), (TRIGGER_TOKEN, SetupSetting::Token(usage))];
        wanted.extend(proof.map(|proof| (WEBHOOK_TOKEN, SetupSetting::Value(proof.clone()))));
        wanted.extend(seen.reach.iter().map(|reach| {
            let value = reach.value.clone();
            (reach.key, if reach.is_file { SetupSetting::File(value) } else { SetupSetting::Plain(value) })
        }));
        for (key, setting) in wanted {
            let now = there.iter().find(|now| now.key == key && now.environment_scope == ANY_ENVIRONMENT);
            let change = match now {
                Some(now) if self.is_right(now, &setting) => {
                    self.present(format!("{path}: the variable {key}"));
                    continue;
                }
                Some(_) => SetupChange::Alter,
                None => SetupChange::Make,
            };
            if let SetupSetting::Token(usage) = setting {
                self.token(usage, place);
            }
            self.step(SetupStep::SetVariable { place, path: path.clone(), key, change, setting });
        }
    }

    /// Whether a variable is as it is to be. A token that is not known here may be a good one.
    fn is_right(&self, now: &Variable, setting: &SetupSetting) -> bool {
        let same = |wanted: &SecretString| {
            now.value.as_ref().is_none_or(|value| value.expose_secret() == wanted.expose_secret())
        };
        let (is_value, kind) = match setting {
            SetupSetting::Value(value) | SetupSetting::Plain(value) => (same(value), VariableType::EnvVar),
            SetupSetting::File(value) => (same(value), VariableType::File),
            SetupSetting::Token(usage) => {
                let known = self.seen.tokens.get(usage).and_then(|seen| seen.token.as_ref());
                (known.is_none_or(same), VariableType::EnvVar)
            }
        };
        let hides = now.masked || matches!(setting, SetupSetting::File(_) | SetupSetting::Plain(_));
        is_value && now.variable_type == kind && now.raw && !now.protected && hides
    }

    /// Sees to it that there is a trigger token.
    fn token(&mut self, usage: TokenUse, at: SetupPlace) {
        let hub = &self.seen.hub;
        let description = self.description(usage);
        match self.seen.tokens.get(&usage) {
            Some(seen) if seen.token.is_some() => {}
            Some(seen) => {
                self.missing.0.insert(Need::Token(usage));
                self.left(Todo::undone(format!(
                    "the trigger token `{description}` in {} is @{}'s, and GitLab shows it to nobody else: run this with \
                     their token, or revoke it there and run this again",
                    hub.path, seen.owner
                )));
            }
            None => {
                let by = self.maker(usage);
                self.step(SetupStep::CreateTriggerToken { usage, at, by, hub: hub.path.clone(), description });
            }
        }
    }

    /// Who makes a token. GitLab limits how many pipelines the tokens of one user start in a minute: what strangers can
    /// fire at will is to use up another user's.
    fn maker(&self, usage: TokenUse) -> Actor {
        match usage {
            TokenUse::Hook(HookKind::MergeRequests) => Actor::Operator,
            _ if self.seen.hub.bot >= AccessLevel::MAINTAINER && self.seen.bot != self.seen.operator => Actor::Bot,
            _ => Actor::Operator,
        }
    }

    fn owner(&self, usage: TokenUse) -> &str {
        match self.seen.tokens.get(&usage) {
            Some(seen) => &seen.owner,
            None => self.name(self.maker(usage)),
        }
    }

    fn description(&self, usage: TokenUse) -> String {
        let seen = self.seen;
        let report = seen.fork.as_ref().map_or(&seen.dist_git.path, |fork| &fork.path);
        let hooks = if self.is_copy() { seen.source_git.path.as_str() } else { seen.source_git.path.namespace() };
        description(usage, hooks, seen.source_git.path.as_str(), report.as_str())
    }

    pub(super) fn webhooks(&mut self) {
        let seen = self.seen;
        let Some(trigger_url) = &seen.hub.trigger_url else {
            self.left(Todo::undone(format!(
                "neither @{} nor @{} sees {}, or it has no branch: a Maintainer or Owner of it can give them the role \
                 Maintainer; then run this again, for webhooks and variables",
                seen.operator, seen.bot, seen.hub.path
            )));
            return;
        };
        let proof = match &seen.proofs {
            Proofs::NotAsked => None,
            Proofs::Made { hooks, .. } => Some(hooks),
            Proofs::NoSecret => {
                self.left(Todo::undone(
                    "the instance requires webhook tokens, and there is no secret to make them with: set \
                     SGB_WEBHOOK_SECRET and run this again, for webhooks and for the variable SGB_WEBHOOK_TOKEN",
                ));
                return;
            }
        };
        let wanted = Wanted {
            url: webhook::hook_url(trigger_url),
            trigger_url,
            hub: seen.hub.path.as_str(),
            template: webhook::template(proof).into(),
        };
        let mut made = true;
        for kind in HookKind::ALL {
            made &= self.webhook(kind, &wanted, proof.is_some());
        }
        let [merge_requests, comments] = HookKind::ALL.map(|kind| self.owner(TokenUse::Hook(kind)).to_owned());
        let knows = |kind| seen.tokens.contains_key(&TokenUse::Hook(kind));
        let counts = made || HookKind::ALL.into_iter().all(knows);
        if merge_requests == comments && counts {
            self.left(Todo::for_a_person(format!(
                "the trigger tokens of both webhooks are @{merge_requests}'s. GitLab limits how many pipelines one user's \
                 tokens start in a minute, so that a flood of comments keeps merge requests waiting for `reconcile`. \
                 Revoke `{}`, remove that webhook, and have another Maintainer of {} run this with an SGB_OPERATOR_TOKEN of \
                 their own",
                self.description(TokenUse::Hook(HookKind::Comments)),
                seen.hub.path
            )));
        }
    }

    /// One webhook; says whether this is the one to see to it.
    fn webhook(&mut self, kind: HookKind, wanted: &Wanted<'_>, has_proof: bool) -> bool {
        let seen = self.seen;
        let RepositoryFacts { path, .. } = &seen.source_git;
        let group = path.namespace();
        if let Some((around, _)) = seen.hooks_around.iter().find(|(_, hook)| wanted.is_for(kind, hook)) {
            self.present(format!("{around}: the webhook for {kind}"));
            return false;
        }
        let of_group = seen.group_hooks.iter().flatten();
        if self.is_copy() {
            if of_group.clone().any(|hook| wanted.is_for(kind, hook)) {
                self.present(format!("{group}: the webhook for {kind}"));
                return false;
            }
            let of_project = wanted.found(kind, seen.project_hooks.iter().flatten());
            self.set_webhook(SetupPlace::Repository(Side::SourceGit), path.as_str(), kind, of_project, wanted);
            return true;
        }
        if seen.group_hooks.is_some() {
            self.set_webhook(SetupPlace::Group, group, kind, wanted.found(kind, of_group), wanted);
            return true;
        }
        let left = Todo::for_a_person(format!(
            "an Owner of the group {group} adds a webhook for {kind}, if there is none (Settings, Webhooks; @{} may not see \
             them)",
            seen.operator
        ));
        let left = left.with("URL", &wanted.url).with(
            TOKEN_PART,
            format!(
                "a trigger token of {} for this webhook alone, as a masked part of the URL{}",
                seen.hub.path,
                if kind == HookKind::Comments { "; another user's than the other webhook's" } else { "" }
            ),
        );
        let shown = webhook::template(has_proof.then(|| "WEBHOOK_TOKEN".into()).as_ref());
        let left = left.with("events", kind.event()).with("template", shown);
        let made_by = format!("`source-git-bot webhook-token {group}` makes it");
        self.left(if has_proof { left.with("WEBHOOK_TOKEN", made_by) } else { left });
        false
    }

    fn set_webhook(
        &mut self,
        place: SetupPlace,
        path: &str,
        kind: HookKind,
        now: Option<&Webhook>,
        wanted: &Wanted<'_>,
    ) {
        if now.is_some_and(|hook| wanted.is_right(hook)) {
            self.present(format!("{path}: the webhook for {kind}"));
            return;
        }
        // A changed webhook keeps its token, where it has one in its place.
        if !now.is_some_and(|hook| wanted.keeps_token(hook)) {
            self.token(TokenUse::Hook(kind), place);
        }
        self.step(SetupStep::SetWebhook {
            place,
            path: path.to_owned(),
            kind,
            id: now.map(|hook| hook.id),
            url: wanted.url.clone(),
            template: wanted.template.clone(),
        });
    }
}

/// Returns how a trigger token is found again.
pub fn description(usage: TokenUse, hooks: &str, source_git: &str, report: &str) -> String {
    match usage {
        TokenUse::Hook(HookKind::MergeRequests) => format!("source-git-bot: merge requests of {hooks}"),
        TokenUse::Hook(HookKind::Comments) => format!("source-git-bot: comments in {hooks}"),
        TokenUse::Report => format!("source-git-bot: dist-git results from {report}"),
        TokenUse::SourceJob => format!("source-git-bot: pipelines of {source_git}"),
    }
}

/// What a webhook is to be.
struct Wanted<'a> {
    trigger_url: &'a str,
    hub: &'a str,
    url: String,
    template: SecretString,
}

impl Wanted<'_> {
    fn is_for(&self, kind: HookKind, hook: &Webhook) -> bool {
        webhook::calls(&self.address(hook), self.trigger_url) && hook.events.contains(&event(kind))
    }

    /// Returns the webhook for a kind. One for both that has to be changed becomes the one for merge requests.
    fn found<'h>(&self, kind: HookKind, mut hooks: impl Iterator<Item = &'h Webhook>) -> Option<&'h Webhook> {
        let is_anothers = |hook| kind != HookKind::MergeRequests && self.is_for(HookKind::MergeRequests, hook);
        hooks.find(|hook| self.is_for(kind, hook) && (self.is_right(hook) || !is_anothers(*hook)))
    }

    /// Whether it has its token still once it is changed: with another address GitLab forgets that.
    fn keeps_token(&self, hook: &Webhook) -> bool {
        hook.url == self.url && hook.url_variables.contains(TOKEN_PART)
    }

    /// Its address, whichever way that names the bot project.
    fn address(&self, hook: &Webhook) -> String {
        webhook::by_number(&hook.url, self.trigger_url, self.hub)
    }

    /// One webhook for both is not what is made here, but it works, as does one for comments that only members may read.
    fn is_right(&self, hook: &Webhook) -> bool {
        let is_used = |on: &HookEvent| *on == HookEvent::ConfidentialComments || HookKind::ALL.map(event).contains(on);
        self.address(hook) == self.url
            && hook.url_variables.contains(TOKEN_PART)
            && hook.template.as_deref() == Some(self.template.expose_secret())
            && hook.events.iter().all(is_used)
            && hook.enable_ssl_verification != Some(false)
    }
}

/// Returns GitLab's event.
pub const fn event(kind: HookKind) -> HookEvent {
    match kind {
        HookKind::MergeRequests => HookEvent::MergeRequests,
        HookKind::Comments => HookEvent::Comments,
    }
}

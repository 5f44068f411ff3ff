//! What starts the bot: webhooks, and jobs by means of variables. Each has a trigger token of its own.

use secrecy::{ExposeSecret as _, SecretString};

use crate::forge::{ANY_ENVIRONMENT, HookEvent, Variable, VariableType, Webhook};
use crate::setup::package_facts::{RepositoryFacts, Side, SignedTokens, TokenUse};
use crate::setup::plan::Planner;
use crate::setup::step::{Actor, Need, SetupPlace, SetupStep, VariableChange, VariableValue};
use crate::setup::todo::Todo;
use crate::setup::webhook::{self, HookKind, TOKEN_PART};
use crate::types::{AccessLevel, ProjectPath};

/// The variables of a job that starts the bot.
const TRIGGER_URL: &str = "SGB_TRIGGER_URL";
const TRIGGER_TOKEN: &str = "SGB_TRIGGER_TOKEN";
const WEBHOOK_TOKEN: &str = "SGB_WEBHOOK_TOKEN";

impl Planner<'_> {
    /// Plans the variables of the job that reports dist-git's results.
    pub(super) fn plan_report_job(&mut self) {
        let facts = self.facts;
        let (place, path) = match &facts.fork {
            Some(fork) => (SetupPlace::Fork, &fork.path),
            None => (SetupPlace::Repository(Side::DistGit), &facts.dist_git.path),
        };
        let webhook_token = match &facts.webhook_tokens {
            SignedTokens::Signed { report, .. } => Some(report),
            SignedTokens::NotRequired | SignedTokens::NoSecret => None,
        };
        let present = facts.report_variables.as_deref().unwrap_or_default();
        self.plan_variables(place, path, present, TokenUse::Report, webhook_token);
    }

    /// Plans the variables of the job in source-git's pipelines, if the CI file has that job.
    pub(super) fn plan_source_job(&mut self) {
        let facts = self.facts;
        let gets_the_job = self.is_copy() && facts.templates.is_ok() && !facts.maintained.is_empty();
        if !facts.calls_the_bot && !gets_the_job {
            return;
        }
        let webhook_token = match &facts.webhook_tokens {
            SignedTokens::Signed { source_git, .. } => Some(source_git),
            SignedTokens::NotRequired | SignedTokens::NoSecret => None,
        };
        let present = facts.source_variables.as_deref().unwrap_or_default();
        let place = SetupPlace::Repository(Side::SourceGit);
        self.plan_variables(place, &facts.source_git.path, present, TokenUse::SourceJob, webhook_token);
    }

    fn plan_variables(
        &mut self,
        place: SetupPlace,
        path: &ProjectPath,
        present: &[Variable],
        usage: TokenUse,
        webhook_token: Option<&SecretString>,
    ) {
        let facts = self.facts;
        let Some(url) = &facts.bot_project.trigger_url else { return };
        let mut wanted = vec![
            (TRIGGER_URL, VariableValue::Masked(url.as_str().into())),
            (TRIGGER_TOKEN, VariableValue::TriggerToken(usage)),
        ];
        wanted.extend(webhook_token.map(|token| (WEBHOOK_TOKEN, VariableValue::Masked(token.clone()))));
        wanted.extend(facts.connection.iter().map(|variable| {
            let value = variable.value.clone();
            (variable.key, if variable.is_file { VariableValue::File(value) } else { VariableValue::Plain(value) })
        }));
        for (key, value) in wanted {
            let now = present.iter().find(|now| now.key == key && now.environment_scope == ANY_ENVIRONMENT);
            let change = match now {
                Some(now) if self.is_variable_right(now, &value) => {
                    self.add_present(format!("{path}: the variable {key}"));
                    continue;
                }
                Some(_) => VariableChange::Update,
                None => VariableChange::Create,
            };
            if let VariableValue::TriggerToken(usage) = value {
                self.plan_trigger_token(usage, place);
            }
            self.add_step(SetupStep::SetVariable { place, path: path.clone(), key, change, value });
        }
    }

    /// Whether a variable is as wanted. A trigger token is taken to be right if nobody at hand sees which one is right.
    fn is_variable_right(&self, now: &Variable, wanted: &VariableValue) -> bool {
        let has_value = |wanted: &SecretString| {
            now.value.as_ref().is_none_or(|value| value.expose_secret() == wanted.expose_secret())
        };
        let (has_value, variable_type) = match wanted {
            VariableValue::Masked(value) | VariableValue::Plain(value) => (has_value(value), VariableType::EnvVar),
            VariableValue::File(value) => (has_value(value), VariableType::File),
            VariableValue::TriggerToken(usage) => {
                let known = self.facts.tokens.get(usage).and_then(|known| known.token.as_ref());
                (known.is_none_or(has_value), VariableType::EnvVar)
            }
        };
        let is_hidden = now.masked || matches!(wanted, VariableValue::File(_) | VariableValue::Plain(_));
        has_value && now.variable_type == variable_type && now.raw && !now.protected && is_hidden
    }

    /// Plans the trigger token for a use, if there is none. Adds a todo if it exists and nobody at hand sees it.
    fn plan_trigger_token(&mut self, usage: TokenUse, used_in: SetupPlace) {
        let bot_project = &self.facts.bot_project;
        let description = self.token_description(usage);
        match self.facts.tokens.get(&usage) {
            Some(known) if known.token.is_some() => {}
            Some(known) => {
                self.add_unmet(Need::Token(usage));
                self.add_todo(Todo::undone(format!(
                    "the trigger token `{description}` in {} is @{}'s, and GitLab shows it to nobody else: run this with \
                     their token, or revoke it there and run this again",
                    bot_project.path, known.owner
                )));
            }
            None => {
                let (by, bot_project) = (self.token_creator(usage), bot_project.path.clone());
                self.add_step(SetupStep::CreateTriggerToken { usage, used_in, by, bot_project, description });
            }
        }
    }

    /// Returns who creates a token. GitLab limits how many pipelines the tokens of one user start in a minute.
    /// Strangers can write comments at will, so comments and merge requests must not share one user's limit.
    fn token_creator(&self, usage: TokenUse) -> Actor {
        match usage {
            TokenUse::Hook(HookKind::MergeRequests) => Actor::Operator,
            _ if self.facts.bot_project.bot_role >= AccessLevel::MAINTAINER
                && self.facts.bot != self.facts.operator =>
            {
                Actor::Bot
            }
            _ => Actor::Operator,
        }
    }

    /// Returns the name of the user who owns a token, or will own it.
    fn token_owner(&self, usage: TokenUse) -> &str {
        match self.facts.tokens.get(&usage) {
            Some(known) => &known.owner,
            None => self.user_name(self.token_creator(usage)),
        }
    }

    fn token_description(&self, usage: TokenUse) -> String {
        let facts = self.facts;
        let report = facts.fork.as_ref().map_or(&facts.dist_git.path, |fork| &fork.path);
        let hooks = if self.is_copy() { facts.source_git.path.as_str() } else { facts.source_git.path.namespace() };
        token_description(usage, hooks, facts.source_git.path.as_str(), report.as_str())
    }

    pub(super) fn plan_webhooks(&mut self) {
        let facts = self.facts;
        let Some(trigger_url) = &facts.bot_project.trigger_url else {
            self.add_todo(Todo::undone(format!(
                "neither @{} nor @{} sees {}, or it has no branch: a Maintainer or Owner of it can give them the role \
                 Maintainer; then run this again, for webhooks and variables",
                facts.operator, facts.bot, facts.bot_project.path
            )));
            return;
        };
        let webhook_token = match &facts.webhook_tokens {
            SignedTokens::NotRequired => None,
            SignedTokens::Signed { hooks, .. } => Some(hooks),
            SignedTokens::NoSecret => {
                self.add_todo(Todo::undone(
                    "the instance requires webhook tokens, and there is no secret to make them with: set \
                     SGB_WEBHOOK_SECRET and run this again, for webhooks and for the variable SGB_WEBHOOK_TOKEN",
                ));
                return;
            }
        };
        let wanted = WantedWebhook {
            url: webhook::hook_url(trigger_url),
            trigger_url,
            bot_project: facts.bot_project.path.as_str(),
            template: webhook::template(webhook_token).into(),
        };
        let mut sets_all = true;
        for kind in HookKind::ALL {
            sets_all &= self.plan_webhook(kind, &wanted, webhook_token.is_some());
        }
        let [merge_requests, comments] = HookKind::ALL.map(|kind| self.token_owner(TokenUse::Hook(kind)).to_owned());
        let has_token = |kind| facts.tokens.contains_key(&TokenUse::Hook(kind));
        let are_owners_known = sets_all || HookKind::ALL.into_iter().all(has_token);
        if merge_requests == comments && are_owners_known {
            self.add_todo(Todo::for_a_person(format!(
                "the trigger tokens of both webhooks are @{merge_requests}'s. GitLab limits how many pipelines one user's \
                 tokens start in a minute, so that a flood of comments keeps merge requests waiting for `reconcile`. \
                 Revoke `{}`, remove that webhook, and have another Maintainer of {} run this with an SGB_OPERATOR_TOKEN of \
                 their own",
                self.token_description(TokenUse::Hook(HookKind::Comments)),
                facts.bot_project.path
            )));
        }
    }

    /// Plans one webhook. Returns whether this run sets it: not if a group has it, and not if only the group's Owners
    /// may.
    fn plan_webhook(&mut self, kind: HookKind, wanted: &WantedWebhook<'_>, has_webhook_token: bool) -> bool {
        let facts = self.facts;
        let RepositoryFacts { path, .. } = &facts.source_git;
        let group = path.namespace();
        if let Some((ancestor, _)) = facts.ancestor_hooks.iter().find(|(_, hook)| wanted.is_for(kind, hook)) {
            self.add_present(format!("{ancestor}: the webhook for {kind}"));
            return false;
        }
        let of_group = facts.group_hooks.iter().flatten();
        if self.is_copy() {
            if of_group.clone().any(|hook| wanted.is_for(kind, hook)) {
                self.add_present(format!("{group}: the webhook for {kind}"));
                return false;
            }
            let of_project = wanted.found(kind, facts.project_hooks.iter().flatten());
            self.plan_webhook_at(SetupPlace::Repository(Side::SourceGit), path.as_str(), kind, of_project, wanted);
            return true;
        }
        if facts.group_hooks.is_some() {
            self.plan_webhook_at(SetupPlace::Group, group, kind, wanted.found(kind, of_group), wanted);
            return true;
        }
        let todo = Todo::for_a_person(format!(
            "an Owner of the group {group} adds a webhook for {kind}, if there is none (Settings, Webhooks; @{} may not see \
             them)",
            facts.operator
        ));
        let todo = todo.with("URL", &wanted.url).with(
            TOKEN_PART,
            format!(
                "a trigger token of {} for this webhook alone, as a masked part of the URL{}",
                facts.bot_project.path,
                if kind == HookKind::Comments { "; another user's than the other webhook's" } else { "" }
            ),
        );
        let template = webhook::template(has_webhook_token.then(|| "WEBHOOK_TOKEN".into()).as_ref());
        let todo = todo.with("events", kind.form_label()).with("template", template);
        let made_by = format!("`source-git-bot webhook-token {group}` makes it");
        self.add_todo(if has_webhook_token { todo.with("WEBHOOK_TOKEN", made_by) } else { todo });
        false
    }

    /// Plans the webhook of one group or project. `now` is the webhook of that kind that it has.
    fn plan_webhook_at(
        &mut self,
        place: SetupPlace,
        path: &str,
        kind: HookKind,
        now: Option<&Webhook>,
        wanted: &WantedWebhook<'_>,
    ) {
        if now.is_some_and(|hook| wanted.is_right(hook)) {
            self.add_present(format!("{path}: the webhook for {kind}"));
            return;
        }
        // A webhook that is corrected needs no token if it keeps the one that it has.
        if !now.is_some_and(|hook| wanted.keeps_token(hook)) {
            self.plan_trigger_token(TokenUse::Hook(kind), place);
        }
        self.add_step(SetupStep::SetWebhook {
            place,
            path: path.to_owned(),
            kind,
            id: now.map(|hook| hook.id),
            url: wanted.url.clone(),
            template: wanted.template.clone(),
        });
    }
}

/// Returns the description by which a later run finds a trigger token. `hooks` is the path of the group or project that
/// has the webhooks, and `report` that of the project whose pipelines report.
pub fn token_description(usage: TokenUse, hooks: &str, source_git: &str, report: &str) -> String {
    match usage {
        TokenUse::Hook(HookKind::MergeRequests) => format!("source-git-bot: merge requests of {hooks}"),
        TokenUse::Hook(HookKind::Comments) => format!("source-git-bot: comments in {hooks}"),
        TokenUse::Report => format!("source-git-bot: dist-git results from {report}"),
        TokenUse::SourceJob => format!("source-git-bot: pipelines of {source_git}"),
    }
}

/// The webhook that the bot needs, whichever its kind.
struct WantedWebhook<'a> {
    trigger_url: &'a str,
    /// The bot project's path.
    bot_project: &'a str,
    url: String,
    template: SecretString,
}

impl WantedWebhook<'_> {
    /// Whether a webhook starts the bot for events of a kind.
    fn is_for(&self, kind: HookKind, hook: &Webhook) -> bool {
        webhook::calls(&self.url_by_id(hook), self.trigger_url) && hook.events.contains(&kind.event())
    }

    /// Returns the webhook for a kind. A wrong webhook for both kinds becomes the one for merge requests.
    fn found<'h>(&self, kind: HookKind, mut hooks: impl Iterator<Item = &'h Webhook>) -> Option<&'h Webhook> {
        let belongs_to_other = |hook| kind != HookKind::MergeRequests && self.is_for(HookKind::MergeRequests, hook);
        hooks.find(|hook| self.is_for(kind, hook) && (self.is_right(hook) || !belongs_to_other(*hook)))
    }

    /// Whether a webhook keeps its token when it is corrected. GitLab forgets the token if the URL changes.
    fn keeps_token(&self, hook: &Webhook) -> bool {
        hook.url == self.url && hook.url_variables.contains(TOKEN_PART)
    }

    /// Returns a webhook's URL with the bot project's id, even if the URL has the path instead.
    fn url_by_id(&self, hook: &Webhook) -> String {
        webhook::with_project_id(&hook.url, self.trigger_url, self.bot_project)
    }

    /// Whether a webhook needs no change. One for both kinds is not what `onboard` creates, but it works; so does one
    /// that is called for confidential comments too.
    fn is_right(&self, hook: &Webhook) -> bool {
        let is_useful = |event: &HookEvent| {
            *event == HookEvent::ConfidentialComments || HookKind::ALL.map(HookKind::event).contains(event)
        };
        self.url_by_id(hook) == self.url
            && hook.url_variables.contains(TOKEN_PART)
            && hook.template.as_deref() == Some(self.template.expose_secret())
            && hook.events.iter().all(is_useful)
            && hook.enable_ssl_verification != Some(false)
    }
}

//! Observes the project that runs the bot: its CI file and its trigger tokens.

use std::collections::BTreeMap;

use crate::ci::{Template, TemplateUse, template_uses};
use crate::forge::{ProjectSettings, TriggerToken};
use crate::ops::onboard::run::{DEFAULT_CI_FILE, OnboardRun, if_found, if_readable};
use crate::setup::package_facts::{BotProject, TokenUse, TriggerTokenFacts};
use crate::setup::webhook::trigger_url;
use crate::types::error::{ForgeError, Result};
use crate::types::{AccessLevel, BranchName, ProjectPath};

/// The instance file in the bot project, unless its CI file names another.
const INSTANCE_FILE: &str = "instance.yaml";

impl OnboardRun<'_> {
    /// Observes the bot project. Also returns its CI file, or why there is none.
    pub(super) fn bot_project(&self, path: &ProjectPath) -> Result<(BotProject, Result<Vec<u8>, String>)> {
        let as_operator = if_found(self.operator().project_settings(path))?;
        let as_bot = match self.operator {
            Some(_) => if_found(self.session.forge.project_settings(path))?,
            None => as_operator.clone(),
        };
        let role = |settings: &Option<ProjectSettings>| settings.as_ref().and_then(|s| s.access).unwrap_or_default();
        let (operator_role, bot_role) = (role(&as_operator), role(&as_bot));
        let reader = if as_operator.is_some() { self.operator() } else { &self.session.forge };
        let settings = as_operator.or(as_bot);
        let branch: Option<BranchName> =
            settings.as_ref().and_then(|settings| settings.default_branch.as_deref()?.parse().ok());
        let mut bot_project = BotProject {
            path: path.clone(),
            instance_file: INSTANCE_FILE.to_owned(),
            trigger_url: None,
            operator_role,
            bot_role,
        };
        let Some((settings, branch)) = settings.zip(branch) else {
            return Ok((bot_project, Err("it cannot be read".to_owned())));
        };
        bot_project.trigger_url = Some(trigger_url(&self.session.instance.gitlab.url, settings.id, &branch));
        let yaml = match reader.raw_file(path, &branch, DEFAULT_CI_FILE) {
            Ok(Some(yaml)) => yaml,
            Ok(None) => return Ok((bot_project, Err(format!("there is none on {branch}")))),
            Err(ForgeError::NotFoundOrNoAccess(_) | ForgeError::Forbidden(_)) => {
                return Ok((bot_project, Err("it cannot be read".to_owned())));
            }
            Err(error) => return Err(error.into()),
        };
        let uses = template_uses(&yaml).unwrap_or_default();
        let instance = uses.iter().find(|used| used.template == Template::Bot).and_then(TemplateUse::instance);
        if let Some(instance) = instance {
            bot_project.instance_file = crate::types::text::printable(instance.as_bytes());
        }
        Ok((bot_project, Ok(yaml)))
    }

    /// Returns the existing trigger tokens. GitLab shows a token in full only to its owner, so each is read as its
    /// owner if that is the operator or the bot.
    pub(super) fn tokens(
        &self,
        bot_project: &BotProject,
        description: impl Fn(TokenUse) -> String,
    ) -> Result<BTreeMap<TokenUse, TriggerTokenFacts>> {
        let viewers = [(self.operator, bot_project.operator_role), (Some(&self.session.forge), bot_project.bot_role)];
        let mut found = BTreeMap::new();
        for (forge, role) in viewers {
            let Some(forge) = forge.filter(|_| role >= AccessLevel::MAINTAINER) else { continue };
            let viewer = forge.current_user()?.user.id;
            let tokens: Vec<TriggerToken> = if_readable(forge.trigger_tokens(&bot_project.path))?.unwrap_or_default();
            for usage in TokenUse::ALL {
                let wanted = description(usage);
                let for_usage = tokens.iter().filter(|token| token.description == wanted);
                for token in for_usage {
                    let is_own = token.owner.as_ref().is_some_and(|owner| owner.id == viewer);
                    let owner = token.owner.as_ref().map(|owner| owner.username.clone()).unwrap_or_default();
                    let seen = TriggerTokenFacts { owner, token: is_own.then(|| token.token.clone()) };
                    let slot = found.entry(usage).or_insert_with(|| seen.clone());
                    if slot.token.is_none() && seen.token.is_some() {
                        *slot = seen;
                    }
                }
            }
        }
        Ok(found)
    }
}

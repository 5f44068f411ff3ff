//! `onboard`: puts a package under an instance's care, whatever is done already, and says what is left to a person.
//!
//! This module observes what exists, `setup` makes the plan, and the plan is shown or applied. `onboard` can be run
//! again at any time: it finds what was created, creates nothing twice, and undoes nothing that people did.

pub(crate) mod apply;
mod bot_project;
mod carried;
pub(crate) mod copy;
pub(crate) mod observe;
mod repository;
mod run;

use crate::forge::TokenKind;
use crate::ops::onboard::apply::OnboardSteps;
use crate::ops::onboard::run::{OnboardRun, PackageProjects};
use crate::ops::session::{Mode, SessionSettings};
use crate::setup::ci_file::Templates;
use crate::setup::package_name::PackageName;
use crate::setup::plan;
use crate::types::error::{Error, NoCredentials, Result, bail};

/// Which package to put under an instance's care.
#[derive(Clone, Debug)]
pub(crate) struct OnboardRequest {
    pub(crate) package: PackageName,
    /// The source-git namespace of the package. Needed if the instance has several.
    pub(crate) namespace: Option<String>,
    /// Where the package's CI file takes the templates from. By default, as the bot project.
    pub(crate) templates: Option<Templates>,
}

pub(crate) struct Onboarded {
    /// The instance's short name.
    pub(crate) instance: String,
    pub(crate) projects: PackageProjects,
    pub(crate) steps: OnboardSteps,
    /// What ended the run before everything was done.
    pub(crate) error: Option<Error>,
}

/// Puts a package under the instance's care.
pub(crate) fn onboard(request: &OnboardRequest, settings: SessionSettings, mode: Mode) -> Result<Onboarded> {
    let projects = PackageProjects::of(&request.package, &settings.instance, request.namespace.as_deref())?;
    let environment = settings.environment();
    let secret = environment.webhook_secret.clone();
    let operator_token = environment.operator_token.clone();
    if environment.token.is_none() {
        bail!(NoCredentials::AccessToken);
    }
    let operator = operator_token.clone().map(|token| settings.forge(token, TokenKind::Access, mode)).transpose()?;
    let session = settings.connect(mode)?;
    let git = session.git()?;
    let run = OnboardRun { session: &session, operator: operator.as_ref(), operator_token, git, projects };
    let seen = run.observe(request.templates.clone(), secret.as_ref())?;
    let plan = plan::plan(&seen);
    let (steps, error) = match mode {
        Mode::DryRun => (OnboardSteps::planned(plan), None),
        Mode::Apply => run.apply(&seen, plan),
    };
    Ok(Onboarded { instance: session.instance.short_name(), projects: run.projects, steps, error })
}

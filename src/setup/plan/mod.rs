//! What to do for a package: the steps that are missing, what was there already, and what is left to a person.
//!
//! The order is one in which whatever breaks, the next run completes it: a project before its branches, these before what
//! is committed to them, a fork's settings before a token is put into it, a token before what carries it, and webhooks
//! last, when all that they set off is in place.

pub mod calls;
pub mod fork;
mod repository;

use std::collections::{BTreeMap, BTreeSet};

use crate::forge::AccessLevel;
use crate::setup::ci_file::CiFilePackage;
use crate::setup::package_facts::{PackageFacts, RepositoryFacts};
use crate::setup::step::{Actor, Need, SetupPlace, SetupStep, Side};
use crate::setup::todo::Todo;

/// What to do.
#[derive(Debug, Default)]
pub struct SetupPlan {
    /// The writes, in their order.
    pub steps: Vec<SetupStep>,
    /// What was there already.
    pub present: Vec<String>,
    /// What is left to a person.
    pub left: Vec<Todo>,
}

/// What is missing, because a step was not done that had to come first.
#[derive(Clone, Debug, Default)]
pub struct Missing(BTreeSet<Need>);

impl Missing {
    /// Notes that a step was not done.
    pub fn note(&mut self, step: &SetupStep) {
        self.0.extend(step.provides());
    }

    /// Whether a step cannot be done therefore.
    pub fn blocks(&self, step: &SetupStep) -> bool {
        step.needs().iter().any(|need| self.0.contains(need))
    }
}

/// Returns what to do.
pub fn plan(seen: &PackageFacts) -> SetupPlan {
    let mut planner = Planner { seen, plan: SetupPlan::default(), missing: Missing::default() };
    planner.repository(&seen.source_git);
    planner.repository(&seen.dist_git);
    planner.ci_files();
    planner.fork();
    planner.report_job();
    planner.source_job();
    planner.webhooks();
    planner.targets();
    planner.keep_to_rights();
    planner.plan
}

struct Planner<'a> {
    seen: &'a PackageFacts,
    plan: SetupPlan,
    missing: Missing,
}

impl<'a> Planner<'a> {
    fn step(&mut self, step: SetupStep) {
        self.plan.steps.push(step);
    }

    fn present(&mut self, what: String) {
        self.plan.present.push(what);
    }

    fn left(&mut self, left: Todo) {
        self.plan.left.push(left);
    }

    /// Whose the CI file is.
    fn package(&self) -> CiFilePackage<'a> {
        CiFilePackage {
            source_git: self.seen.source_git.path.namespace(),
            dist_git: self.seen.dist_git.path.namespace(),
            instance: self.seen.preset,
        }
    }

    const fn both(&self) -> [&'a RepositoryFacts; 2] {
        [&self.seen.source_git, &self.seen.dist_git]
    }

    /// Whether the package is a copy that is the operator's to make, or people's own.
    const fn is_copy(&self) -> bool {
        self.seen.source_git.original.is_some()
    }

    const fn name(&self, actor: Actor) -> &'a str {
        match actor {
            Actor::Operator => self.seen.operator.as_str(),
            Actor::Bot => self.seen.bot.as_str(),
        }
    }

    /// What the instance file has to say, where it does not.
    fn targets(&mut self) {
        if self.seen.is_handled {
            return;
        }
        let PackageFacts { hub, source_git, .. } = self.seen;
        self.left(
            Todo::for_a_person(format!(
                "the instance handles no merge request of {}: add to the list `targets` of {} in {} (a file without that \
                 list has its preset's, which it then has to repeat)",
                source_git.path, hub.instance_file, hub.path
            ))
            .line(format!("- project: {}", regex::escape(source_git.path.as_str()).replace("\\-", "-"))),
        );
    }

    /// Takes away what a right is missing for, as far as GitLab tells roles, and what cannot be done without it.
    fn keep_to_rights(&mut self) {
        let mut lacking: BTreeMap<(Actor, String, SetupPlace), Vec<String>> = BTreeMap::new();
        let mut blocked = Vec::new();
        for step in std::mem::take(&mut self.plan.steps) {
            if self.missing.blocks(&step) {
                blocked.push(step.to_string());
                self.missing.note(&step);
            } else if self.role(&step).is_some_and(|role| role < AccessLevel::MAINTAINER) {
                let key = (step.actor(), step.path().to_owned(), step.place());
                lacking.entry(key).or_default().push(step.to_string());
                self.missing.note(&step);
            } else {
                self.plan.steps.push(step);
            }
        }
        for ((actor, path, place), steps) in lacking {
            let name = self.name(actor);
            let what = format!(
                "@{name} needs the role Maintainer in {path}, which a Maintainer or Owner of it can give; then run this \
                 again, for"
            );
            let is_peoples = !self.is_copy() && matches!(place, SetupPlace::Repository(_));
            let left = if is_peoples { Todo::for_a_person(what) } else { Todo::undone(what) };
            self.left(steps.into_iter().fold(left, Todo::line));
        }
        if !blocked.is_empty() {
            self.left(blocked.into_iter().fold(Todo::undone("what has to come first is missing for"), Todo::line));
        }
    }

    /// The role of whoever does a step, as far as it is known.
    fn role(&self, step: &SetupStep) -> Option<AccessLevel> {
        match (step.place(), step.actor()) {
            (SetupPlace::Hub, Actor::Operator) => Some(self.seen.hub.operator),
            (SetupPlace::Hub, Actor::Bot) => Some(self.seen.hub.bot),
            (SetupPlace::Repository(which), _) => {
                let [source_git, dist_git] = self.both();
                let repository = if which == Side::SourceGit { source_git } else { dist_git };
                repository.project.as_ref()?.access
            }
            (SetupPlace::Fork, _) => self.seen.fork.as_ref()?.there.as_ref()?.settings.access,
            (SetupPlace::Group, _) => None,
        }
    }
}

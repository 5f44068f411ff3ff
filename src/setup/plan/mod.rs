//! What to do for a package: the missing steps, what exists already, and what a person has to do.
//!
//! The order of the steps lets the next run complete what an interrupted run began. A project comes before its
//! branches, and the branches before commits to them. A fork's settings come before a token is put into it, and a token
//! before whatever holds it. Webhooks come last, when everything that they set off is in place.

pub mod fork;
mod repository;
pub mod triggers;

use std::collections::{BTreeMap, BTreeSet};

use crate::setup::ci_file::PackageCiFile;
use crate::setup::package_facts::{PackageFacts, RepositoryFacts, Side};
use crate::setup::step::{Actor, Need, SetupPlace, SetupStep};
use crate::setup::todo::Todo;
use crate::types::AccessLevel;

/// What to do for a package.
#[derive(Debug, Default)]
pub struct SetupPlan {
    /// The steps, in the order in which they are done.
    pub steps: Vec<SetupStep>,
    /// What exists already.
    pub present: Vec<String>,
    /// What a person has to do.
    pub todos: Vec<Todo>,
}

/// The needs that no step has met, because it failed or was never planned.
#[derive(Clone, Debug, Default)]
pub struct UnmetNeeds(BTreeSet<Need>);

impl UnmetNeeds {
    /// Notes that a step was not done.
    pub fn note(&mut self, step: &SetupStep) {
        self.0.extend(step.provides());
    }

    /// Whether a step depends on one of these needs, so that it cannot be done.
    pub fn blocks(&self, step: &SetupStep) -> bool {
        step.needs().iter().any(|need| self.0.contains(need))
    }
}

/// Returns what to do for a package.
pub fn plan(facts: &PackageFacts) -> SetupPlan {
    let mut planner = Planner { facts, plan: SetupPlan::default(), unmet: UnmetNeeds::default() };
    planner.plan_repository(&facts.source_git);
    planner.plan_repository(&facts.dist_git);
    planner.plan_ci_files();
    planner.plan_fork();
    planner.plan_report_job();
    planner.plan_source_job();
    planner.plan_webhooks();
    planner.plan_targets();
    planner.drop_impossible_steps();
    planner.plan
}

struct Planner<'a> {
    facts: &'a PackageFacts,
    plan: SetupPlan,
    unmet: UnmetNeeds,
}

impl<'a> Planner<'a> {
    fn add_step(&mut self, step: SetupStep) {
        self.plan.steps.push(step);
    }

    fn add_present(&mut self, what: String) {
        self.plan.present.push(what);
    }

    fn add_todo(&mut self, todo: Todo) {
        self.plan.todos.push(todo);
    }

    fn add_unmet(&mut self, need: Need) {
        self.unmet.0.insert(need);
    }

    fn package_ci_file(&self) -> PackageCiFile<'a> {
        PackageCiFile {
            source_git: self.facts.source_git.path.namespace(),
            dist_git: self.facts.dist_git.path.namespace(),
            instance: self.facts.preset,
        }
    }

    const fn repositories(&self) -> [&'a RepositoryFacts; 2] {
        [&self.facts.source_git, &self.facts.dist_git]
    }

    /// Whether the package is a copy, which the operator makes. Else its projects belong to other people.
    const fn is_copy(&self) -> bool {
        self.facts.source_git.original.is_some()
    }

    const fn user_name(&self, actor: Actor) -> &'a str {
        match actor {
            Actor::Operator => self.facts.operator.as_str(),
            Actor::Bot => self.facts.bot.as_str(),
        }
    }

    /// Adds a todo if the instance file does not list the source-git project.
    fn plan_targets(&mut self) {
        if self.facts.is_handled {
            return;
        }
        let PackageFacts { bot_project, source_git, .. } = self.facts;
        self.add_todo(
            Todo::for_a_person(format!(
                "the instance handles no merge request of {}: add to the list `targets` of {} in {} (a file without that \
                 list has its preset's, which it then has to repeat)",
                source_git.path, bot_project.instance_file, bot_project.path
            ))
            .line(format!("- project: {}", regex::escape(source_git.path.as_str()).replace("\\-", "-"))),
        );
    }

    /// Drops each step whose user lacks the right, as far as GitLab shows roles, and each step that depends on a
    /// dropped one. Adds todos for them.
    fn drop_impossible_steps(&mut self) {
        let mut without_right: BTreeMap<(Actor, String, SetupPlace), Vec<String>> = BTreeMap::new();
        let mut blocked = Vec::new();
        for step in std::mem::take(&mut self.plan.steps) {
            if self.unmet.blocks(&step) {
                blocked.push(step.to_string());
                self.unmet.note(&step);
            } else if self.role(&step).is_some_and(|role| role < AccessLevel::MAINTAINER) {
                let key = (step.actor(), step.path().to_owned(), step.place());
                without_right.entry(key).or_default().push(step.to_string());
                self.unmet.note(&step);
            } else {
                self.plan.steps.push(step);
            }
        }
        for ((actor, path, place), steps) in without_right {
            let name = self.user_name(actor);
            let what = format!(
                "@{name} needs the role Maintainer in {path}, which a Maintainer or Owner of it can give; then run this \
                 again, for"
            );
            let is_others_project = !self.is_copy() && matches!(place, SetupPlace::Repository(_));
            let todo = if is_others_project { Todo::for_a_person(what) } else { Todo::undone(what) };
            self.add_todo(steps.into_iter().fold(todo, Todo::line));
        }
        if !blocked.is_empty() {
            self.add_todo(blocked.into_iter().fold(Todo::undone("what has to come first is missing for"), Todo::line));
        }
    }

    /// Returns the role of the user who does a step, in the project that it changes; `None` if unknown.
    fn role(&self, step: &SetupStep) -> Option<AccessLevel> {
        match (step.place(), step.actor()) {
            (SetupPlace::BotProject, Actor::Operator) => Some(self.facts.bot_project.operator_role),
            (SetupPlace::BotProject, Actor::Bot) => Some(self.facts.bot_project.bot_role),
            (SetupPlace::Repository(side), _) => {
                let [source_git, dist_git] = self.repositories();
                let repository = if side == Side::SourceGit { source_git } else { dist_git };
                repository.project.as_ref()?.access
            }
            (SetupPlace::Fork, _) => self.facts.fork.as_ref()?.existing.as_ref()?.settings.access,
            (SetupPlace::Group, _) => None,
        }
    }
}

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
use crate::setup::ci_file::Package;
use crate::setup::package_facts::{Observed, Repository};
use crate::setup::step::{Actor, Need, Place, Step, Which};
use crate::setup::todo::Left;

/// What to do.
#[derive(Debug, Default)]
pub struct Plan {
    /// The writes, in their order.
    pub steps: Vec<Step>,
    /// What was there already.
    pub present: Vec<String>,
    /// What is left to a person.
    pub left: Vec<Left>,
}

/// What is missing, because a step was not done that had to come first.
#[derive(Clone, Debug, Default)]
pub struct Missing(BTreeSet<Need>);

impl Missing {
    /// Notes that a step was not done.
    pub fn note(&mut self, step: &Step) {
        self.0.extend(step.provides());
    }

    /// Says whether a step cannot be done therefore.
    pub fn blocks(&self, step: &Step) -> bool {
        step.needs().iter().any(|need| self.0.contains(need))
    }
}

/// Returns what to do.
pub fn plan(seen: &Observed) -> Plan {
    let mut planner = Planner { seen, plan: Plan::default(), missing: Missing::default() };
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
    seen: &'a Observed,
    plan: Plan,
    missing: Missing,
}

impl<'a> Planner<'a> {
    fn step(&mut self, step: Step) {
        self.plan.steps.push(step);
    }

    fn present(&mut self, what: String) {
        self.plan.present.push(what);
    }

    fn left(&mut self, left: Left) {
        self.plan.left.push(left);
    }

    /// Whose the CI file is.
    fn package(&self) -> Package<'a> {
        Package {
            source_git: self.seen.source_git.path.namespace(),
            dist_git: self.seen.dist_git.path.namespace(),
            instance: self.seen.preset,
        }
    }

    const fn both(&self) -> [&'a Repository; 2] {
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
        let Observed { hub, source_git, .. } = self.seen;
        self.left(
            Left::for_a_person(format!(
                "the instance handles no merge request of {}: add to the list `targets` of {} in {} (a file without that \
                 list has its preset's, which it then has to repeat)",
                source_git.path, hub.instance_file, hub.path
            ))
            .line(format!("- project: {}", regex::escape(source_git.path.as_str()).replace("\\-", "-"))),
        );
    }

    /// Takes away what a right is missing for, as far as GitLab tells roles, and what cannot be done without it.
    fn keep_to_rights(&mut self) {
        let mut lacking: BTreeMap<(Actor, String, Place), Vec<String>> = BTreeMap::new();
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
            let is_peoples = !self.is_copy() && matches!(place, Place::Repository(_));
            let left = if is_peoples { Left::for_a_person(what) } else { Left::undone(what) };
            self.left(steps.into_iter().fold(left, Left::line));
        }
        if !blocked.is_empty() {
            self.left(blocked.into_iter().fold(Left::undone("what has to come first is missing for"), Left::line));
        }
    }

    /// The role of whoever does a step, as far as it is known.
    fn role(&self, step: &Step) -> Option<AccessLevel> {
        match (step.place(), step.actor()) {
            (Place::Hub, Actor::Operator) => Some(self.seen.hub.operator),
            (Place::Hub, Actor::Bot) => Some(self.seen.hub.bot),
            (Place::Repository(which), _) => {
                let [source_git, dist_git] = self.both();
                let repository = if which == Which::SourceGit { source_git } else { dist_git };
                repository.project.as_ref()?.access
            }
            (Place::Fork, _) => self.seen.fork.as_ref()?.there.as_ref()?.settings.access,
            (Place::Group, _) => None,
        }
    }
}

//! The program as CI runs it, and whatever comes in between.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use gitlab_sandbox::{Fault, State};

use super::actions::{Action, Failure, Job, Memory, Trouble, Which};
use super::people::{People, Reason};
use crate::reconcile::world::watch;
use crate::support::Run;
use crate::support::world::{DIST, SOURCE, World};

/// What people did while a job ran.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    Anything,
}

/// A package, its people and the bot.
pub(crate) struct Life {
    pub(crate) world: World,
    people: Arc<Mutex<People>>,
}

impl Life {
    /// The contributor has opened a merge request that the bot has not seen.
    pub(crate) fn new(memory: Memory) -> Self {
        let world = World::new();
        if memory == Memory::Kept {
            watch(&world);
        }
        let sandbox = &world.sandbox;
        sandbox.branch_at(SOURCE, "c10s", "c9s");
        sandbox.commit(SOURCE, "c10s", "Add a guide", &[("GUIDE", Some("Read.\n"))]);
        sandbox.branch_at(DIST, "c10s", "c9s");
        let iid = world.contribute();
        let people = Arc::new(Mutex::new(People::new(sandbox.handle(), iid, memory)));
        Self { world, people }
    }

    pub(crate) fn people(&self) -> MutexGuard<'_, People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn happen(&self, action: &Action) {
        match action {
            Action::Job(job, trouble) => self.run(*job, trouble),
            other => self.people().act(other),
        }
    }

    /// The program's call; nothing where there is no such merge request.
    pub(crate) fn command(&self, job: Job) -> Option<Command> {
        let people = self.people();
        let reference = |which: Which| Some(format!("{SOURCE}!{}", people.sources.get(&which)?.iid));
        let mut command = self.world.program();
        match job {
            Job::Sync(which) => command.args(["sync", "--merge-request", &reference(which)?]),
            Job::Report(which) => command.args(["report", "--merge-request", &reference(which)?]),
            Job::Reconcile => command.arg("reconcile"),
            Job::Event(number) => {
                let payload = &people.events[number % people.events.len()];
                let file = self.world.home.path().join(format!("{number}.json"));
                fs::write(&file, payload.to_string()).unwrap();
                command.arg("event").arg("--payload").arg(file)
            }
        };
        Some(command)
    }

    fn run(&self, job: Job, trouble: &Trouble) {
        let Some(mut command) = self.command(job) else { return };
        self.people().begin();
        let (statuses, meanwhile): (&[Option<i32>], _) = match trouble {
            Trouble::None => (&[Some(0), Some(3)], Meanwhile::Nothing),
            Trouble::Killed(write) => {
                self.killed_after(command, *write);
                self.taken_up(Meanwhile::Nothing);
                return;
            }
            Trouble::Fault(failure, method, nth, times) => {
                let fault = Fault::on(method, "*").nth(*nth).times(*times);
                self.world.sandbox.fail(match failure {
                    Failure::Error => fault.status(500),
                    Failure::ErrorAfter => fault.status_after(500),
                    Failure::Limited => fault.rate_limited(7),
                    Failure::CutBefore => fault.cut_before(),
                    Failure::CutAfter => fault.cut_after(),
                });
                (&[Some(0), Some(3), Some(5)], Meanwhile::Nothing)
            }
            Trouble::Meanwhile(nth, action) => {
                let (people, action) = (Arc::clone(&self.people), action.clone());
                self.world.sandbox.fail(Fault::on("*", "*").nth(*nth).meanwhile(move || {
                    people.lock().unwrap_or_else(PoisonError::into_inner).act(&action);
                }));
                (&[Some(0), Some(3)], Meanwhile::Anything)
            }
        };
        let run = self.world.run(&mut command);
        self.world.sandbox.clear_faults();
        assert!(statuses.contains(&run.status), "{job:?}, {trouble:?}: {:?}\n{}", run.status, run.stderr);
        self.taken_up(meanwhile);
    }

    /// Runs jobs that are started together.
    pub(crate) fn together(&self, jobs: &[Job]) {
        self.people().begin();
        let start = |job: &Job| {
            let mut command = self.command(*job).unwrap();
            (*job, command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        };
        let running: Vec<_> = jobs.iter().map(start).collect();
        for (job, child) in running {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(matches!(output.status.code(), Some(0 | 3 | 5)), "{job:?}: {:?}: {said}", output.status);
        }
        self.taken_up(Meanwhile::Nothing);
    }

    /// Runs a job and kills it right after its write of this number, where it comes to that.
    fn killed_after(&self, mut command: Command, write: usize) {
        let pid = Arc::new(OnceLock::new());
        let (count, victim) = (AtomicUsize::new(0), Arc::clone(&pid));
        self.world.sandbox.after_each_write(move |_| {
            if count.fetch_add(1, Ordering::SeqCst) + 1 == write {
                let pid: &u32 = victim.wait();
                assert!(Command::new("sh").args(["-c", &format!("kill -KILL {pid}")]).status().unwrap().success());
            }
        });
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        pid.set(child.id()).unwrap();
        let status = child.wait().unwrap();
        self.world.sandbox.clear_write_hooks();
        assert!(matches!(status.code(), None | Some(0 | 3)), "{status}");
    }

    /// Takes up what a job has done. A job may have begun another turn where the source-git merge request is not as it was
    /// when a person opened the dist-git one again.
    fn taken_up(&self, meanwhile: Meanwhile) {
        let mut people = self.people();
        people.adopt();
        let seen = people.seen.clone();
        for dist in people.dists.values_mut() {
            let Some(kept) = &mut dist.kept else { continue };
            let Some((state, target)) = seen.get(&dist.which) else { continue };
            let is_over = match kept.reason {
                Reason::Closed => *state != State::Closed || *target != dist.target,
                Reason::Retargeted => *target == dist.target,
            };
            if is_over || meanwhile == Meanwhile::Anything {
                kept.sure = false;
            }
        }
    }

    /// Reconciles, which has to succeed, and says what was written.
    pub(crate) fn reconciled(&self) -> Run {
        self.people().begin();
        let run = self.world.run(self.world.program().arg("reconcile"));
        run.ends_with(0);
        self.taken_up(Meanwhile::Nothing);
        run
    }
}

//! A source-git merge request that is synced under adverse conditions, and what must be the case afterwards.

use std::process::Command;

use gitlab_sandbox::{Fault, Write};

use crate::support::Run;
use crate::support::world::{DIST, SOURCE, World};

/// The contributor's fork and branch, and the bot's fork.
pub(crate) const FROM: (&str, &str) = ("contributor/hello", "fix");
pub(crate) const BOT_FORK: &str = "bot/hello";

/// A merge request in a world of its own.
pub(crate) struct Case {
    pub(crate) world: World,
    pub(crate) iid: u64,
    changes: u32,
}

impl Case {
    /// One that the bot has not seen.
    pub(crate) fn new() -> Self {
        let (world, iid) = World::with_merge_request();
        let _ = world.sandbox.take_writes();
        Self { world, iid, changes: 0 }
    }

    /// One that is in step.
    pub(crate) fn synced() -> Self {
        let case = Self::new();
        case.sync().ends_with(0);
        case.forget();
        case
    }

    /// The program's call for this merge request.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.world.program();
        command.args(["sync", "--merge-request", &format!("{SOURCE}!{}", self.iid)]);
        command
    }

    pub(crate) fn sync(&self) -> Run {
        Run::of(&mut self.command())
    }

    /// The contributor pushes another commit and changes the title.
    pub(crate) fn change(&mut self) {
        self.changes += 1;
        change(&self.world.sandbox.handle(), self.iid, self.changes);
    }

    /// Takes all writes as looked at, and forgets the requests.
    pub(crate) fn forget(&self) -> Vec<Write> {
        self.world.sandbox.clear_log();
        self.world.sandbox.take_writes()
    }

    /// Checks that the pair is as it should be: one branch with the head's content, one merge request, one note.
    #[track_caller]
    pub(crate) fn is_in_step(&self, circumstances: &str) {
        let sandbox = &self.world.sandbox;
        let branch = format!("c9s-src-{}", self.iid);
        let pattern = format!("refs/heads/c9s-src-{}*", self.iid);
        let branches = sandbox.git(BOT_FORK, &["for-each-ref", "--format=%(refname:short)", &pattern]);
        assert_eq!(branches.trim(), branch, "{circumstances}");
        let head = sandbox.tip(FROM.0, FROM.1).unwrap();
        let message = sandbox.git(BOT_FORK, &["log", "-1", "--format=%B", &branch]);
        assert!(message.contains(&format!("From-source-git-commit: {head}")), "{circumstances}: {message}");
        let pairs = sandbox.merge_requests(DIST);
        let pairs: Vec<_> = pairs.iter().filter(|pair| pair.source_branch == branch).collect();
        assert_eq!(pairs.len(), 1, "{circumstances}");
        assert_eq!(pairs[0].title, sandbox.merge_request(SOURCE, self.iid).title, "{circumstances}");
        let notes = sandbox.notes(SOURCE, self.iid);
        let notes: Vec<_> = notes.iter().filter(|note| note.body.contains("source-git-bot v1: note")).collect();
        assert_eq!(notes.len(), 1, "{circumstances}");
        assert!(notes[0].body.contains(&head), "{circumstances}: {}", notes[0].body);
        assert!(notes[0].body.contains(&format!("{DIST}!{}", pairs[0].iid)), "{circumstances}: {}", notes[0].body);
    }

    /// Checks that a further run finds nothing to do.
    #[track_caller]
    pub(crate) fn is_settled(&self, circumstances: &str) {
        self.forget();
        let run = self.sync();
        assert_eq!(run.status, Some(0), "{circumstances}: {}", run.stderr);
        assert_eq!(self.forget(), [], "{circumstances}");
    }

    /// Runs with faults until they are over: each run has to complete, or to end with "worth a retry".
    #[track_caller]
    pub(crate) fn survives<const N: usize>(&self, circumstances: &str, faults: [Fault; N]) {
        for fault in faults {
            self.world.sandbox.fail(fault);
        }
        for _ in 0..=N {
            let run = self.sync();
            match run.status {
                Some(0) => {
                    self.is_in_step(circumstances);
                    self.forget();
                    return;
                }
                Some(5) => assert!(run.stderr.contains("error: "), "{circumstances}: {}", run.stderr),
                status => panic!("{circumstances}: ended with {status:?}: {}", run.stderr),
            }
        }
        panic!("{circumstances}: no run completed");
    }
}

/// The contributor pushes their change number `number` and changes the title.
pub(crate) fn change(sandbox: &gitlab_sandbox::Handle, iid: u64, number: u32) {
    let content = format!("Hello, {number}.\n");
    sandbox.commit(FROM.0, FROM.1, &format!("Change {number}\n"), &[("README", Some(&content))]);
    sandbox.set_title(SOURCE, iid, "contributor", &format!("Return success, and change {number}"));
}

//! `onboard` interrupted at each of its writes, killed or cut off, and repeated: it comes to the same end, and nothing is
//! there twice.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use gitlab_sandbox::Fault;

use super::world::World;
use crate::support::Run;

/// The end state of a run that nothing interrupts, and how many requests that write it takes.
fn undisturbed() -> (Vec<String>, usize) {
    let world = World::new();
    world.onboard(&[]).ends_with(0);
    let mut writes = world.written();
    // What one push moves is one interruption.
    writes.dedup_by_key(|write| (write.method == "PUSH").then(|| write.path.clone()).unwrap_or(format!("{write:?}")));
    (world.state(), writes.len())
}

#[track_caller]
fn has_come_to_its_end(world: &World, expected: &[String], circumstances: &str) {
    assert_eq!(world.state(), expected, "{circumstances}");
    world.tokens_are_in_their_places();
    let _ = world.written();
    let run = world.onboard(&[]);
    run.ends_with(0);
    assert_eq!(world.written(), [], "{circumstances}");
}

/// Runs the program and kills it right after its first write, before that is answered; says whether there was one.
fn killed_after_a_write(world: &World) -> bool {
    let pid = Arc::new(OnceLock::new());
    let (is_dead, victim) = (Arc::new(AtomicBool::new(false)), Arc::clone(&pid));
    let killed = Arc::clone(&is_dead);
    world.sandbox.after_each_write(move |_| {
        if !killed.swap(true, Ordering::SeqCst) {
            let pid: &u32 = victim.wait();
            assert!(Command::new("sh").args(["-c", &format!("kill -KILL {pid}")]).status().unwrap().success());
        }
    });
    let mut child = world.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    pid.set(child.id()).unwrap();
    let status = child.wait().unwrap();
    world.sandbox.clear_write_hooks();
    let is_dead = is_dead.load(Ordering::SeqCst);
    assert_eq!(status.code(), if is_dead { None } else { Some(0) });
    is_dead
}

#[test]
fn killed_after_every_write_it_comes_to_the_same_end() {
    let (expected, writes) = undisturbed();
    let world = World::new();
    let mut killed = 0;
    while killed_after_a_write(&world) {
        killed += 1;
        assert!(killed <= writes + 2, "it does something again and again: {:#?}", world.written());
    }
    assert!(killed >= writes, "{killed} of {writes}");
    has_come_to_its_end(&world, &expected, "killed");
}

/// The requests that write, in their order.
const WRITES: [(&str, &str); 16] = [
    ("POST", "/projects"),
    ("POST", "*/src/cloud-init.git/git-receive-pack"),
    ("POST", "/projects"),
    ("POST", "*/rpms/cloud-init.git/git-receive-pack"),
    ("POST", "*src%2Fcloud-init/repository/commits"),
    ("POST", "*src%2Fcloud-init/protected_branches"),
    ("POST", "*rpms%2Fcloud-init/repository/commits"),
    ("POST", "*/fork"),
    ("PUT", "/projects/bot%2Fcloud-init"),
    ("POST", "*bot%2Fcloud-init/variables"),
    ("POST", "*/triggers"),
    ("POST", "*src%2Fcloud-init/variables"),
    ("POST", "*/triggers"),
    ("POST", "*/hooks"),
    ("POST", "*/triggers"),
    ("POST", "*/hooks"),
];

#[test]
fn cut_off_before_and_after_each_write_it_comes_to_the_same_end() {
    let (expected, _) = undisturbed();
    for (name, failure) in [("before", Fault::cut_before as fn(Fault) -> Fault), ("after", Fault::cut_after)] {
        let world = World::new();
        for (method, path) in WRITES {
            world.sandbox.fail(failure(Fault::on(method, path)));
        }
        let mut runs = 0;
        loop {
            let run: Run = world.onboard(&[]);
            runs += 1;
            match run.status {
                Some(0) => break,
                Some(5) => assert!(run.stdout.contains("not done yet"), "{name}: {}", run.stdout),
                status => panic!("{name}: ended with {status:?}: {}{}", run.stdout, run.stderr),
            }
            assert!(runs <= WRITES.len() + 1, "{name}: {}", run.stderr);
        }
        assert!(runs > 10, "{name}: {runs}");
        has_come_to_its_end(&world, &expected, name);
    }
}

#[test]
fn a_gitlab_that_is_overloaded_is_worth_a_retry_and_what_was_done_is_told() {
    let world = World::new();
    world.sandbox.fail(Fault::on("POST", "*/protected_branches").status(503).always());
    let run = world.onboard(&[]);
    run.ends_with(5);
    assert!(run.stdout.contains("\ndone\n") && run.stdout.contains("\nnot done yet\n"), "{}", run.stdout);
    assert!(run.stderr.contains("503"), "{}", run.stderr);
    world.sandbox.clear_faults();
    let _ = world.written();
}

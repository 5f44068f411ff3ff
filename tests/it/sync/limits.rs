//! What a contributor makes too large, too deep or too many ends with a note that says so, and never takes the job down.

use crate::support::CONFIG;
use crate::support::world::{DIST, FORK, NOTED, OPENED, PUSHED, World};

const CONFIG_FILE: &str = ".distro/source-git.yaml";

/// The configuration with another item in `files_to_sync`.
fn with_item(item: &str) -> String {
    format!("{CONFIG}- {item}\n")
}

#[test]
fn a_path_deeper_than_any_is_refused() {
    let (world, iid) = World::with_merge_request();
    world.change("Add a file", &[(".distro/y", Some("y\n"))]);
    let deep = with_item(&format!("{{src: .distro/y, dest: \"{}\", mkpath: true}}", "d/".repeat(10_000)));
    world.change("Configure", &[(CONFIG_FILE, Some(&deep))]);
    world.refused(iid, &["`dest`", "item 2", "has more than 4095 bytes", "give a shorter path"]);
    let deep = with_item(&format!("{{src: .distro/y, dest: \"{}\", mkpath: true}}", "d/".repeat(201)));
    world.change("Configure", &[(CONFIG_FILE, Some(&deep))]);
    world.refused(iid, &["item 2", "has more than 200 components"]);
    // The end of the path is that of the file.
    let deep = with_item(&format!("{{src: .distro/y, dest: \"{}\", mkpath: true}}", "d/".repeat(200)));
    world.change("Configure", &[(CONFIG_FILE, Some(&deep))]);
    world.refused(iid, &[".distro/y", "has more than 200 components", "give a shorter `dest`"]);
    assert!(world.sandbox.merge_requests(DIST).is_empty());
    let deep = with_item(&format!("{{src: .distro/y, dest: \"{}\", mkpath: true}}", "d/".repeat(199)));
    world.change("Configure", &[(CONFIG_FILE, Some(&deep))]);
    assert_eq!(world.synced(iid), ["POST rpms/hello/fork", "PUT bot/hello", PUSHED, OPENED, NOTED]);
}

/// Has the contributor push a commit with a directory of that many levels, each of which has the next one ten times.
fn push_bomb(world: &World, directory: &str, levels: u32) {
    let tree = |branch: &str| world.sandbox.git(FORK, &["rev-parse", &format!("{branch}^{{tree}}")]).trim().to_owned();
    let begin =
        |branch: &str| format!("commit refs/heads/{branch}\ncommitter C <c@example.com> 1700000000 +0000\ndata 1\nx\n");
    let mut stream = format!("{}M 100644 inline f\ndata 1\nx\n", begin("level"));
    for _ in 0..levels {
        world.sandbox.import(FORK, stream.as_bytes());
        let id = tree("level");
        let ten: String = (0..10).map(|number| format!("M 040000 {id} {number}\n")).collect();
        stream = format!("{}deleteall\n{ten}", begin("level"));
    }
    world.sandbox.import(FORK, stream.as_bytes());
    let id = tree("level");
    world.sandbox.delete_branch(FORK, "level");
    let stream = format!("{}from refs/heads/fix^0\nM 040000 {id} {directory}\n", begin("fix"));
    world.sandbox.import(FORK, stream.as_bytes());
}

#[test]
fn a_few_trees_with_paths_without_number_are_refused() {
    let (world, iid) = World::with_merge_request();
    push_bomb(&world, ".distro/bomb", 5);
    let said = "`.distro` holds more than 50000 files and directories";
    world.refused(iid, &[said, "remove what the package does not need"]);
    assert!(world.sandbox.merge_requests(DIST).is_empty());
}

#[test]
fn more_changes_than_are_read_are_refused() {
    let (world, iid) = World::with_merge_request();
    push_bomb(&world, "bomb", 6);
    world.refused(iid, &["change too much", "64 MiB", "take large numbers of files out of the branch"]);
}

#[test]
fn directories_deeper_than_any_are_refused() {
    for (levels, said) in [(250, "has more than 200 components"), (3000, "git does not take what was committed")] {
        let (world, iid) = World::with_merge_request();
        let (deep, file) = ("d/".repeat(levels), "M 100644 inline ");
        let begin = "commit refs/heads/fix\ncommitter C <c@example.com> 1700000000 +0000\ndata 1\nx\n";
        let stream = format!("{begin}from refs/heads/fix^0\n{file}{deep}f\ndata 1\nx\n");
        world.sandbox.import(FORK, stream.as_bytes());
        world.refused(iid, &[said, "How to fix it:** "]);
    }
}

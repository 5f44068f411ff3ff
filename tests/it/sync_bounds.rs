//! What a contributor makes too large, too deep or too many ends with a note that says so, and never takes the job down.

use crate::support::CONFIG;
use crate::world::{DIST, World};

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
    assert_eq!(world.synced(iid), ["POST", "PUT", "PUSH", "POST", "PUT"]);
}

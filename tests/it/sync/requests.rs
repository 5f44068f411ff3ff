//! How little `sync` asks of GitLab, counted by the sandbox.

use std::fmt::Write as _;
use std::process::Command;

use gitlab_sandbox::{RequestRecord, Role, Visibility};

use super::world::{BOT_FORK, Case};
use crate::support::world::{DIST, FIRST_SYNC, SOURCE, World};
use crate::support::{CONFIG, SPEC};

/// The API requests so far, but for the creation of a fork: asking for it, and looking whether it is there.
fn api_requests(case: &Case) -> Vec<String> {
    let all = case.world.sandbox.api_requests();
    let path = |request: &RequestRecord| request.path.trim_start_matches("/api/v4").to_owned();
    let forked = all.iter().position(|request| request.path.ends_with("/fork"));
    let opened = all.iter().find(|request| request.method == "POST" && request.path.ends_with("/merge_requests"));
    let fork = opened.map(|request| path(request).trim_end_matches("/merge_requests").to_owned());
    let counted = all.iter().enumerate().filter(|(number, request)| {
        let is_look = forked.is_some_and(|forked| *number > forked) && Some(path(request)) == fork;
        !request.path.ends_with("/fork") && !is_look
    });
    counted.map(|(_, request)| format!("{} {}", request.method, path(request))).collect()
}

#[track_caller]
fn sync_within(case: &Case, limit: usize) -> Vec<String> {
    case.forget();
    case.sync().ends_with(0);
    let asked = api_requests(case);
    assert!(asked.len() <= limit, "{} requests: {asked:#?}", asked.len());
    case.is_in_step("counting");
    let _ = case.world.sandbox.take_writes();
    asked
}

/// Other people's forks of dist-git and merge requests there: 30 and 40.
fn crowd(case: &Case) {
    let sandbox = &case.world.sandbox;
    for number in 0..30 {
        let user = format!("user{number}");
        sandbox.user(&user);
        let fork = sandbox.fork(DIST, &user);
        for branch in ["a", "b"].iter().take(if number < 10 { 2 } else { 1 }) {
            sandbox.commit(&fork, branch, "Change", &[(branch, Some("x\n"))]);
            sandbox.open(&user).from(&fork, branch).into(DIST, "c9s").create();
        }
    }
}

fn talk(case: &Case, notes: u32) {
    for number in 0..notes {
        case.world.sandbox.note(SOURCE, case.iid, "contributor", &format!("What about {number}?"));
    }
}

#[test]
fn a_first_sync_an_update_and_a_rerun_stay_within_their_numbers_of_requests_in_a_crowd() {
    let mut case = Case::new();
    crowd(&case);
    talk(&case, 20);
    sync_within(&case, 10);
    talk(&case, 150);
    sync_within(&case, 5);
    case.change();
    sync_within(&case, 8);
    talk(&case, 150);
    sync_within(&case, 5);
    case.change();
    sync_within(&case, 8);
}

#[test]
fn a_first_sync_where_the_fork_exists_stays_within_ten_requests() {
    let case = Case::new();
    case.world.sandbox.fork(DIST, "bot");
    assert!(!sync_within(&case, 10).iter().any(|request| request.ends_with("/fork")));
    case.is_settled("with a fork that was there");
}

#[test]
fn private_projects_cost_no_more() {
    let mut case = Case::new();
    let sandbox = &case.world.sandbox;
    for project in [SOURCE, DIST, "contributor/hello"] {
        sandbox.set_visibility(project, Visibility::Private);
        sandbox.member(project, "bot", Role::Reporter);
    }
    sync_within(&case, 10);
    sync_within(&case, 5);
    case.change();
    sync_within(&case, 8);
}

#[test]
fn internal_projects_cost_no_more() {
    let mut case = Case::new();
    for project in [SOURCE, DIST, "contributor/hello"] {
        case.world.sandbox.set_visibility(project, Visibility::Internal);
    }
    sync_within(&case, 10);
    sync_within(&case, 5);
    case.change();
    sync_within(&case, 8);
}

#[test]
fn projects_that_few_may_see_cost_no_more_where_the_fork_exists() {
    for visibility in [Visibility::Internal, Visibility::Private] {
        let case = Case::new();
        let sandbox = &case.world.sandbox;
        for project in [SOURCE, DIST, "contributor/hello"] {
            sandbox.set_visibility(project, visibility);
            sandbox.member(project, "bot", Role::Reporter);
        }
        sandbox.fork(DIST, "bot");
        sync_within(&case, 10);
    }
}

/// The number of upstream's files, of its commits, and of files that each commit changes.
const FILES: usize = 50_000;
const COMMITS: usize = 800;
const CHANGED: usize = 3;

/// Text that compresses no better than source code, from a generator that needs no crate (xorshift).
fn text(state: &mut u64, length: usize) -> String {
    let mut text = String::with_capacity(length + 1);
    while text.len() < length {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        let _ = writeln!(text, "{:x}", *state);
    }
    text
}

/// A history for `git fast-import`: upstream with its tag, the packaging, and 20 commits of a merge request.
fn large_history() -> String {
    let mut state = 0x2545_f491_4f6c_dd1d;
    let mut stream = String::new();
    let mut mark = 0;
    let mut commit = |stream: &mut String, branch: &str, files: &[(String, String)]| {
        mark += 1;
        let seconds = 1_700_000_000 + mark * 60;
        let message = format!("Commit {mark}\n");
        let _ = write!(
            stream,
            "commit refs/heads/{branch}\nmark :{mark}\ncommitter Dev <dev@example.com> {seconds} +0000\ndata {}\n{message}",
            message.len(),
        );
        if mark > 1 {
            let _ = writeln!(stream, "from :{}", mark - 1);
        }
        for (path, content) in files {
            let _ = write!(stream, "M 100644 inline {path}\ndata {}\n{content}\n", content.len());
        }
    };
    let path = |number: usize| format!("dir{}/sub{}/file{number}.c", number % 40, number / 40 % 25);
    let mut files: Vec<_> = (0..FILES).map(|number| (path(number), text(&mut state, 3000))).collect();
    commit(&mut stream, "main", &files);
    for number in 1..COMMITS {
        let changed: Vec<_> = (0..CHANGED)
            .map(|change| {
                let (path, content) = &mut files[(number * 37 + change * 211) % FILES];
                content.push_str(&text(&mut state, 200));
                (path.clone(), content.clone())
            })
            .collect();
        commit(&mut stream, "main", &changed);
    }
    let _ = write!(stream, "reset refs/tags/v1.0\nfrom :{COMMITS}\n\n");
    let packaging = [(".distro/hello.spec", SPEC), (".distro/source-git.yaml", CONFIG)];
    commit(&mut stream, "c9s", &packaging.map(|(path, content)| (path.to_owned(), content.to_owned())));
    #[expect(clippy::needless_range_loop, reason = "the number is that of the commit as well")]
    for number in 0..20 {
        let (path, content) = &mut files[number];
        content.push_str("a fix\n");
        commit(&mut stream, "fix", &[(path.clone(), content.clone())]);
    }
    stream
}

#[test]
fn a_branch_of_twenty_commits_moves_little_of_a_large_upstream() {
    let world = World::new();
    let sandbox = &world.sandbox;
    sandbox.import(SOURCE, large_history().as_bytes());
    let fork = sandbox.fork(SOURCE, "contributor");
    sandbox.delete_branch(SOURCE, "fix");
    let iid = sandbox.open("contributor").from(&fork, "fix").into(SOURCE, "c9s").title("Twenty fixes").create();
    sandbox.clear_log();
    world.sync(iid, &[]).ends_with(0);
    assert_eq!(world.written(), FIRST_SYNC);
    let patches = sandbox.git(BOT_FORK, &["ls-tree", "--name-only", &format!("c9s-src-{iid}")]);
    assert_eq!(patches.matches(".patch").count(), 20);
    let moved = sandbox.traffic(SOURCE);
    sandbox.clear_log();
    let url = sandbox.git_url(SOURCE);
    let mut clone = Command::new("git");
    clone.args(["clone", "-q", "--bare", &url, "clone.git"]).current_dir(world.home.path());
    clone.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    assert!(clone.status().unwrap().success());
    let clone = sandbox.traffic(SOURCE);
    let (moved, clone) = (moved.fetch_sent + moved.fetch_received, clone.fetch_sent + clone.fetch_received);
    assert!(moved * 100 < clone * 2, "{moved} bytes of {clone}");
    println!("{moved} bytes of {clone}: {} per mille", moved * 1000 / clone);
}

#[test]
fn the_first_status_fits_into_the_numbers() {
    let mut case = Case::new();
    case.world.sandbox.member(SOURCE, "bot", Role::Developer);
    let of_maintainer = |case: &Case| case.world.sandbox.mr_pipeline(SOURCE, case.iid).by("maintainer").create();
    of_maintainer(&case);
    let first = sync_within(&case, 10);
    assert!(first.iter().any(|request| request.contains("/statuses/")), "{first:#?}");
    sync_within(&case, 5);
    case.change();
    of_maintainer(&case);
    let update = sync_within(&case, 8);
    assert!(update.iter().any(|request| request.contains("/statuses/")), "{update:#?}");
}

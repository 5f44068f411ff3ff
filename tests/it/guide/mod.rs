//! README.md, CONTRIBUTING.md and the pages of docs/: every command line in them is run, in the order of the page, and what
//! they link to and name is there.
//!
//! A page says in hidden comments in which scene its lines are run and what happens in between (`guide/page.rs`). What a
//! page writes for something that only the reader knows is put in by the scene.

mod by_hand;
mod json;
mod moving;
mod names;
mod operating;
mod package;
mod page;
mod shell;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use page::{Page, Piece};
use shell::Shell;

/// Lines that are run by nothing here, and why.
const NOT_RUN: [(&str, &str); 11] = [
    ("cargo run --release --example demo", "tests/run does it"),
    ("tests/run", "it runs this test"),
    ("cargo install --locked --path .", "it builds everything once more"),
    ("container/build source-git-bot:dev", "tests/container/run does it"),
    ("cargo build", "tests/run builds everything"),
    ("cargo run --example demo", "tests/run does it"),
    ("cargo test --lib pair::", "tests/run runs all tests"),
    ("cargo test --test it sync::", "it is a part of these tests"),
    ("cargo test --test it layers", "it is a part of these tests"),
    ("cargo build --release", "tests/run builds a release for the image"),
    ("benches/update-dist-git", "it takes minutes, and measures nothing on a busy machine"),
];

/// Where lines are run, and what people and GitLab do there.
trait Scene {
    /// Does what the page says happens next, or looks whether it did.
    fn then(&mut self, shell: &mut Shell, what: &str);
}

fn scene(name: &str, shell: &mut Shell) -> Box<dyn Scene> {
    match name {
        "local" => Box::new(by_hand::Local::new(shell)),
        "by hand" => Box::new(by_hand::ByHand::new(shell)),
        "results" => Box::new(by_hand::ByHand::tested(shell)),
        "secret" => Box::new(by_hand::Secret),
        "production" => Box::new(operating::Operating::production(shell)),
        "doctor" => Box::new(operating::Operating::running(shell)),
        "onboard" => Box::new(operating::Operating::preset(shell)),
        "staging" => Box::new(operating::Operating::staging(shell)),
        "moving" => Box::new(moving::Moving::new(shell)),
        other => panic!("there is no scene `{other}`"),
    }
}

/// Runs all lines of a page.
fn play(path: &str) {
    let page = Page::read(Path::new(path));
    let mut scenes: BTreeMap<&str, (Shell, Box<dyn Scene>)> = BTreeMap::new();
    let mut current = None;
    for piece in &page.pieces {
        match piece {
            Piece::Scene(name) => {
                current = Some(name.as_str());
                scenes.entry(name).or_insert_with(|| {
                    let mut shell = Shell::new();
                    let scene = scene(name, &mut shell);
                    (shell, scene)
                });
            }
            Piece::Line(line) if NOT_RUN.iter().any(|(text, _)| *text == line.text) => {}
            Piece::Line(line) => {
                let scene = current.and_then(|name| scenes.get_mut(name));
                let (shell, _) = scene.unwrap_or_else(|| panic!("{path}:{}: in no scene", line.number));
                shell.run(line, &page.path);
            }
            Piece::Then(what) => {
                let (shell, scene) = current.and_then(|name| scenes.get_mut(name)).expect("a scene comes first");
                scene.then(shell, what);
            }
        }
    }
}

#[test]
fn the_lines_of_the_readme_do_what_it_says() {
    play("README.md");
}

#[test]
fn the_lines_about_the_local_command_do_what_they_say() {
    play("docs/update-dist-git.md");
}

#[test]
fn the_lines_about_commands_do_what_they_say() {
    play("docs/commands.md");
}

#[test]
fn the_lines_about_onboard_and_doctor_do_what_they_say() {
    play("docs/onboard-and-doctor.md");
}

#[test]
fn the_lines_about_templates_do_what_they_say() {
    play("docs/ci-templates.md");
}

#[test]
fn the_lines_about_instances_do_what_they_say() {
    play("docs/instances.md");
}

#[test]
fn the_lines_about_results_do_what_they_say() {
    play("docs/results.md");
}

#[test]
fn the_lines_about_secrets_do_what_they_say() {
    play("docs/security.md");
}

#[test]
fn the_lines_about_moving_do_what_they_say() {
    play("docs/moving-from-packit.md");
}

#[test]
fn the_lines_about_production_do_what_they_say() {
    play("docs/operating-production.md");
}

#[test]
fn the_lines_about_staging_do_what_they_say() {
    play("docs/operating-staging.md");
}

#[test]
fn the_lines_about_contributing_do_what_they_say() {
    play("CONTRIBUTING.md");
}

#[test]
fn every_page_with_lines_is_played() {
    let this = page::top().join("tests/it/guide/mod.rs");
    let played = std::fs::read_to_string(this).unwrap();
    for path in page::guide() {
        let page = Page::read(&path);
        let has_lines = page.pieces.iter().any(|piece| matches!(piece, Piece::Line(_)));
        let is_played = played.contains(&format!("\n    play(\"{}\");", path.display()));
        assert_eq!(has_lines, is_played, "{}", path.display());
    }
}

#[test]
fn every_line_that_is_not_run_is_there() {
    let pages: Vec<_> = page::guide().iter().map(|path| Page::read(path)).collect();
    for (text, _) in NOT_RUN {
        let is_it = |piece: &Piece| matches!(piece, Piece::Line(line) if line.text == text);
        assert!(pages.iter().flat_map(|page| &page.pieces).any(is_it), "{text}");
    }
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => assert!(plain.pop(), "{}", path.display()),
            Component::CurDir => {}
            part => plain.push(part),
        }
        plain
    })
}

#[test]
fn every_link_leads_somewhere() {
    let pages: BTreeMap<_, _> = page::paths().into_iter().map(|path| (path.clone(), Page::read(&path))).collect();
    let anchors: BTreeMap<_, BTreeSet<String>> =
        pages.iter().map(|(path, page)| (path.clone(), page.anchors())).collect();
    for (path, page) in &pages {
        for link in page.links() {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').map_or((&*link, None), |(file, anchor)| (file, Some(anchor)));
            let target = match file {
                "" => path.clone(),
                file => plain(&path.parent().unwrap().join(file)),
            };
            assert!(page::top().join(&target).exists(), "{}: {link}", path.display());
            if let Some(anchor) = anchor {
                let known = anchors.get(&target).unwrap_or_else(|| panic!("{}: {link} is no page", path.display()));
                assert!(known.contains(anchor), "{}: {link}", path.display());
            }
        }
    }
}

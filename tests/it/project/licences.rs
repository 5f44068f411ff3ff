//! The licences of everything that is built into the program.

use std::collections::VecDeque;
use std::process::Command;

/// What may be part of a program under MIT or Apache-2.0. libgit2, in `libgit2-sys`, is under the GPL with an exception
/// that allows linking it without limits; the crate names its own licence only.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

#[test]
fn every_dependency_has_a_licence_that_fits() {
    // What other platforms need is not built in, nor on every machine.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", &host()])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 20, "{}", packages.len());
    for package in packages {
        let licence = package["license"].as_str().unwrap_or("none stated");
        assert!(fits(licence), "{} {}: {licence}", package["name"], package["version"]);
    }
}

/// The platform that this is built for, as rustc calls it.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

/// Evaluates an SPDX expression, in which `AND` binds closer than `OR`; the old `/` means `OR`.
fn fits(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    // An exception belongs to the licence that it goes with.
    let spaced = spaced.replace(" WITH ", "+WITH+");
    let mut words = spaced.split_whitespace().collect::<VecDeque<_>>();
    any(&mut words) && words.is_empty()
}

fn any(words: &mut VecDeque<&str>) -> bool {
    let mut fits = all(words);
    while words.front() == Some(&"OR") {
        words.pop_front();
        fits |= all(words);
    }
    fits
}

fn all(words: &mut VecDeque<&str>) -> bool {
    let mut fits = one(words);
    while words.front() == Some(&"AND") {
        words.pop_front();
        fits &= one(words);
    }
    fits
}

fn one(words: &mut VecDeque<&str>) -> bool {
    match words.pop_front() {
        Some("(") => {
            let fits = any(words);
            words.pop_front() == Some(")") && fits
        }
        Some(licence) => ALLOWED.contains(&licence.replace("+WITH+", " WITH ").as_str()),
        None => false,
    }
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    for good in ["MIT", "MIT OR GPL-3.0", "GPL-2.0/MIT", "(MIT OR GPL-2.0) AND Unicode-3.0"] {
        assert!(fits(good), "{good}");
    }
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "(GPL-2.0 OR GPL-3.0) AND MIT", "none stated"] {
        assert!(!fits(bad), "{bad}");
    }
}

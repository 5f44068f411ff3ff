//! The container image: what it is, what is in it and what is not, and that the program works there as in a CI job.
//!
//! `tests/container/run` builds the image and names it in `SGB_TEST_IMAGE`; without one every test fails.

#![allow(
    missing_docs,
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise, runs the tools that it asks, and takes what it needs of another's parts"
)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use gitlab_sandbox::{Scheme, Settings, Visibility};
use serde_json::{Value, json};
use tempfile::TempDir;

use support::Run;
use support::world::{FIRST_SYNC, SOURCE, World};

#[path = "../it/support/mod.rs"]
mod support;

/// What the layers may have together, as they are sent: 60 MB.
const MOST_BYTES: u64 = 60_000_000;

fn image() -> String {
    std::env::var("SGB_TEST_IMAGE").expect("`tests/container/run` builds the image and runs these tests")
}

#[track_caller]
fn buildah(arguments: &[&str]) -> String {
    let run = Run::of(Command::new("buildah").args(arguments));
    run.ends_with(0);
    run.stdout
}

/// A container made of the image.
struct Container {
    name: String,
    said: TempDir,
}

impl Container {
    fn new() -> Self {
        let said = TempDir::new().unwrap();
        // For whatever user.
        fs::set_permissions(said.path(), fs::Permissions::from_mode(0o777)).unwrap();
        Self { name: buildah(&["from", "--pull=never", &image()]).trim().to_owned(), said }
    }

    /// Runs a command with further options of `buildah run`. What it says goes to files: buildah's own pipes may lose it.
    fn run(&self, options: &[&str], command: &[&str]) -> Run {
        let volume = format!("{}:/said", self.said.path().display());
        let said = r#"exec "$@" >/said/stdout 2>/said/stderr"#;
        let mut buildah = Command::new("buildah");
        buildah.args(["run", "--volume", &volume]).args(options).args([&self.name, "--", "sh", "-c", said, "sh"]);
        let buildah = Run::of(buildah.args(command));
        let [stdout, stderr] = ["stdout", "stderr"].map(|stream| {
            let path = self.said.path().join(stream);
            let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{stream}: {e}: {buildah:?}"));
            fs::remove_file(path).unwrap();
            text
        });
        Run { status: buildah.status, stdout, stderr }
    }

    /// What a command prints, which has to succeed.
    #[track_caller]
    fn says(&self, command: &[&str]) -> String {
        let run = self.run(&[], command);
        run.ends_with(0);
        run.stdout
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        buildah(&["rm", &self.name]);
    }
}

/// The text between `version = "` and `"` of our own manifest.
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[test]
fn it_is_described_as_the_readme_says() {
    let inspected: Value = serde_json::from_str(&buildah(&["inspect", "--type", "image", &image()])).unwrap();
    let described = &inspected["OCIv1"]["config"];
    assert_eq!(described["User"], "10001:0");
    assert_eq!(described["Entrypoint"], Value::Null);
    assert_eq!(described["Cmd"], json!(["source-git-bot", "--help"]));
    assert_eq!(described["WorkingDir"], "/home/source-git-bot");
    assert_eq!(described["Env"], json!(["PATH=/usr/bin", "HOME=/home/source-git-bot"]));
    assert_eq!(described.get("ExposedPorts"), None);
    assert_eq!(described.get("Volumes"), None);
    let labels = described["Labels"].as_object().unwrap();
    let expected = [
        ("title", "source-git-bot"),
        ("description", "Keeps source-git and dist-git repositories of RPM distributions in step"),
        ("licenses", "MIT OR Apache-2.0"),
        ("version", version()),
        ("source", "https://gitlab.example.com/group/source-git-bot"),
        ("base.name", "localhost/debian:trixie-slim"),
    ];
    for (name, value) in expected {
        assert_eq!(labels[&format!("org.opencontainers.image.{name}")], value, "{name}");
    }
    let head = Run::of(Command::new("git").args(["rev-parse", "HEAD"]).current_dir(env!("CARGO_MANIFEST_DIR")));
    assert_eq!(labels["org.opencontainers.image.revision"], head.stdout.trim());
    let history = inspected["OCIv1"]["rootfs"]["diff_ids"].as_array().unwrap();
    assert_eq!(history.len(), 1, "{history:?}");
}

#[test]
fn it_is_small() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("image");
    buildah(&["push", "--quiet", &image(), &format!("oci:{}:it", path.display())]);
    let blob = |digest: &Value| path.join("blobs").join(digest.as_str().unwrap().replace(':', "/"));
    let read = |path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let index = read(path.join("index.json"));
    let manifest = read(blob(&index["manifests"][0]["digest"]));
    let layers = manifest["layers"].as_array().unwrap();
    for layer in layers {
        assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
        assert_eq!(fs::metadata(blob(&layer["digest"])).unwrap().len(), layer["size"].as_u64().unwrap());
    }
    let size: u64 = layers.iter().map(|layer| layer["size"].as_u64().unwrap()).sum();
    println!("the image has {:.1} MB, compressed", size as f64 / 1e6);
    assert!((1_000_000..MOST_BYTES).contains(&size), "{size} bytes");
}

#[test]
fn nothing_is_in_it_that_no_job_needs() {
    let container = Container::new();
    let list = |test: &str| -> BTreeSet<String> {
        container.says(&["sh", "-c", &format!("busybox find / -xdev {test}")]).lines().map(str::to_owned).collect()
    };
    // Whatever can be run: the rest is links to these.
    let programs = list("-type f -perm -1 ! -name '*.so' ! -name '*.so.*' ! -path '/run/*'");
    let named = ["/usr/bin/busybox", "/usr/bin/git", "/usr/bin/source-git-bot", "/usr/lib/git-core/git-remote-http"];
    let loader = |path: &&String| !path.contains("/ld-linux");
    assert_eq!(programs.iter().filter(loader).collect::<Vec<_>>(), named);
    assert_eq!(list("-type f -perm /6000"), BTreeSet::new());
    // Nor is anything writable but where everybody may write, and that is empty.
    let places = ["/home/source-git-bot", "/tmp"];
    assert_eq!(
        list("-type d -perm -2 ! -path '/dev*' ! -path '/proc*' ! -path '/said*'").iter().collect::<Vec<_>>(),
        places
    );
    assert_eq!(list("-type f -perm -2 ! -path '/dev/*' ! -path '/proc/*' ! -path '/said/*'"), BTreeSet::new());
    for place in places {
        assert_eq!(container.says(&["ls", "-A", place]), "");
    }
    let links = list("-type l -path '*/*bin/*' -o -type l -path '*/git-core/*'");
    let links: BTreeSet<&str> = links.iter().map(|path| path.rsplit_once('/').unwrap().1).collect();
    for there in ["sh", "cat", "chmod", "mkdir", "rm", "git-remote-https"] {
        assert!(links.contains(there), "{links:?}");
    }
    for absent in ["python3", "perl", "bash", "apt", "apt-get", "dpkg", "curl", "wget", "nc", "vi", "su", "ssh"] {
        assert!(!links.contains(absent), "{absent}");
    }
}

#[test]
fn licences_and_packages_are_listed() {
    let container = Container::new();
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        let ours = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/").to_owned() + licence).unwrap();
        assert_eq!(container.says(&["cat", &format!("/usr/share/doc/source-git-bot/{licence}")]), ours);
    }
    let crates = container.says(&["ls", "/usr/share/doc/source-git-bot/crates"]);
    let crates: BTreeSet<&str> = crates.lines().map(|name| name.rsplit_once('-').unwrap().0).collect();
    for built_in in ["anyhow", "clap", "git2", "reqwest", "rustls", "serde"] {
        assert!(crates.contains(built_in), "{crates:?}");
    }
    assert!(!crates.contains("proptest"), "{crates:?}");
    let libgit2 =
        container.says(&["sh", "-c", "cat /usr/share/doc/source-git-bot/crates/libgit2-sys-*/libgit2/COPYING"]);
    assert!(libgit2.contains("LINKING EXCEPTION"), "{libgit2}");

    let packages = container.says(&["ls", "/var/lib/dpkg/status.d"]);
    let packages: Vec<&str> = packages.lines().collect();
    for installed in ["base-files", "busybox-static", "ca-certificates", "git", "libc6", "libcurl3t64-gnutls", "zlib1g"]
    {
        assert!(packages.contains(&installed), "{packages:?}");
    }
    for package in packages {
        let entry = container.says(&["cat", &format!("/var/lib/dpkg/status.d/{package}")]);
        assert!(entry.starts_with(&format!("Package: {package}\n")), "{entry}");
        assert!(entry.contains("\nStatus: install ok installed\n") && entry.contains("\nVersion: "), "{entry}");
        assert_ne!(container.says(&["cat", &format!("/usr/share/doc/{package}/copyright")]), "");
    }
    assert!(container.says(&["cat", "/etc/os-release"]).contains("VERSION_CODENAME=trixie\n"));
}

#[test]
fn the_program_and_git_start() {
    let container = Container::new();
    assert_eq!(container.says(&["source-git-bot", "--version"]), format!("source-git-bot {}\n", version()));
    let help = container.says(&["source-git-bot", "--help"]);
    assert!(help.contains("Usage: source-git-bot"), "{help}");
    assert!(container.says(&["git", "--version"]).starts_with("git version 2.47."));
    assert_eq!(container.says(&["id", "-u"]), "10001\n");
    assert_eq!(container.says(&["id", "-g"]), "0\n");
}

/// What GitLab Runner has a shell do: look for a better one, read a script from standard input, unquote `$'…'`, and stop
/// where a command of a pipe fails.
#[test]
fn a_job_has_a_shell() {
    let container = Container::new();
    let script = r#"
        exec 2>&1
        set -o pipefail
        set -o noclobber
        : | eval $'export FILE_VARIABLE="$HOME/a b"\nmkdir -p "$HOME/builds/group"\necho \'$ it\'"\'s"'
        cd ~/builds/group && printf '%s\n' "$PWD"
        echo content > "$HOME/a b" && chmod 600 "$HOME/a b" && cat "$HOME/a b" && rm -r -f "$HOME/a b"
        git init --quiet repository && git -C repository rev-parse --is-inside-work-tree
        (false | true) || exit 7
    "#;
    let file = TempDir::new().unwrap();
    fs::write(file.path().join("script"), script).unwrap();
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let volume = format!("{}:/scripts:ro", file.path().display());
    let look = "if [ -x /bin/bash ]; then exec /bin/bash; elif [ -x /bin/sh ]; then exec /bin/sh; else exit 1; fi";
    let look = format!("({look}) </scripts/script");
    for user in ["10001:0", "1234567:0", "1234567:7654321", "0:0"] {
        let run = container.run(&["--user", user, "--volume", &volume], &["sh", "-c", &look]);
        run.ends_with(7);
        assert_eq!(run.stdout, "$ it's\n/home/source-git-bot/builds/group\ncontent\ntrue\n");
        container.run(&["--user", "0:0"], &["rm", "-r", "/home/source-git-bot/builds"]).ends_with(0);
    }
}

/// A GitLab with a certificate of its own authority, and a merge request there.
fn world() -> (World, u64) {
    let settings = Settings { scheme: Scheme::Https, ..Settings::default() };
    let world = World::with(&settings, Visibility::Public);
    let iid = world.contribute();
    fs::write(world.home.path().join("ca.pem"), world.sandbox.ca_pem()).unwrap();
    // The runner checks out so that every user can read it.
    fs::set_permissions(world.home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    (world, iid)
}

/// Syncs in a container as a user, with a further option of `buildah run`.
fn sync(world: &World, iid: u64, user: &str, option: &[&str]) -> Run {
    let container = Container::new();
    let volume = format!("{}:/builds/operators/bot:ro", world.home.path().display());
    let token = format!("SGB_TOKEN={}", world.token);
    let options = [&["--user", user, "--volume", &volume, "--env", &token], option].concat();
    let merge_request = format!("{SOURCE}!{iid}");
    let command = ["--instance", "/builds/operators/bot/instance.yaml", "sync", "--merge-request", &merge_request];
    container.run(&options, &[&["source-git-bot"], &command[..]].concat())
}

#[track_caller]
fn is_synced(world: &World, iid: u64, run: &Run) {
    run.ends_with(0);
    assert_eq!(world.written(), FIRST_SYNC);
    assert_eq!(world.patches(iid), ["0001-Return-success.patch"]);
    assert_eq!(world.opened().title, "Return success");
}

#[test]
fn the_images_own_user_syncs_with_a_ca_file() {
    let (world, iid) = world();
    world.instance_reaching("ca_file: ca.pem", "");
    is_synced(&world, iid, &sync(&world, iid, "10001:0", &[]));
}

#[test]
fn a_user_whom_nobody_knows_syncs_with_a_ca_file() {
    for user in ["1234567:0", "1234567:7654321"] {
        let (world, iid) = world();
        world.instance_reaching("ca_file: ca.pem", "");
        is_synced(&world, iid, &sync(&world, iid, user, &[]));
    }
}

/// The image's own list of authorities is the one that the program and git read.
#[test]
fn authorities_are_the_systems_where_there_is_no_ca_file() {
    let (world, iid) = world();
    let run = sync(&world, iid, "10001:0", &[]);
    run.ends_with(2);
    assert!(run.stderr.contains("certificate is not trusted"), "{}", run.stderr);
    let bundle = format!("{}:/etc/ssl/certs/ca-certificates.crt:ro", world.home.path().join("ca.pem").display());
    is_synced(&world, iid, &sync(&world, iid, "10001:0", &["--volume", &bundle]));
}

#[test]
fn it_has_certificates_of_authorities() {
    let bundle = Container::new().says(&["cat", "/etc/ssl/certs/ca-certificates.crt"]);
    assert!(bundle.matches("-----BEGIN CERTIFICATE-----").count() > 100, "{}", bundle.len());
}

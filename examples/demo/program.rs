//! The program itself, as a person or a job runs it: built beside the demo, started as a process of its own.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

const NAME: &str = "source-git-bot";

/// The built program.
pub(crate) struct Program {
    path: PathBuf,
}

/// How it ended and what it said.
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    /// Lets cargo see to it that the program is what its source says: examples are built without it.
    pub(crate) fn build() -> Result<Self> {
        let demo = env::current_exe().context("looking where the demo is")?;
        let profile = demo.ancestors().nth(2).context("the demo is not where cargo builds examples")?;
        let target = profile.parent().context("the demo is not where cargo builds examples")?;
        let profile_name = match profile.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        eprintln!("Seeing to it that {NAME} is built: examples come without it.");
        // With the example named too, the dependencies have the features that they were just built with.
        let output = Command::new(env!("CARGO"))
            .args(["build", "--locked", "--quiet", "--message-format=json-render-diagnostics", "--profile"])
            .args([profile_name, "--bin", NAME, "--example", "demo", "--target-dir"])
            .arg(target)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .context("starting cargo")?;
        ensure!(output.status.success(), "cargo cannot build {NAME}");
        let messages = String::from_utf8_lossy(&output.stdout);
        let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut built = artifacts.filter(|artifact| artifact.pointer("/target/name").is_some_and(|name| name == NAME));
        let path = built.find_map(|artifact| artifact.get("executable")?.as_str().map(PathBuf::from));
        Ok(Self { path: path.context("cargo does not say where the program is")? })
    }

    /// Runs it with these arguments and with nothing in its environment but `PATH` and these variables.
    pub(crate) fn run(&self, directory: &Path, arguments: &[&str], variables: &[(&str, String)]) -> Result<Ended> {
        let output = Command::new(&self.path)
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .output()
            .context("starting the program")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Ended { status: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) })
    }
}

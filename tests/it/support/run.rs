//! A run of the program: how it ended and what it printed.

use std::process::{Command, Output};

/// How the program ended and what it said.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { status: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    #[track_caller]
    pub(crate) fn ends_with(&self, status: i32) {
        assert_eq!(self.status, Some(status), "{}{}", self.stdout, self.stderr);
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// What the JSON report says of each patch: its file and the change.
    pub(crate) fn patches(&self) -> Vec<(String, String)> {
        let report = self.json();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        report["patches"]
            .as_array()
            .unwrap()
            .iter()
            .map(|patch| (text(&patch["file"]), text(&patch["change"])))
            .collect()
    }
}

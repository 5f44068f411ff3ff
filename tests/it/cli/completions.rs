//! `completions`, sourced by a real bash.

use std::process::Command;

use tempfile::TempDir;

use crate::support::Run;

fn script(shell: &str) -> Run {
    Run::of(Command::new(env!("CARGO_BIN_EXE_source-git-bot")).env_clear().args(["completions", shell]))
}

/// Does what bash does when somebody presses Tab behind `words`, the last of which is being written.
const PRESS_TAB: &str = r#"
set -eu
. "$1"
shift
registered=$(complete -p source-git-bot)
function=${registered##*-F }
function=${function%% *}
COMP_WORDS=(source-git-bot "$@")
COMP_CWORD=$#
previous=${COMP_WORDS[COMP_CWORD - 1]}
set +eu
"$function" source-git-bot "${COMP_WORDS[COMP_CWORD]}" "$previous"
printf '%s\n' "${COMPREPLY[@]}"
"#;

#[test]
fn bash_completes_commands_options_and_values() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("completions");
    let made = script("bash");
    made.ends_with(0);
    std::fs::write(&file, &made.stdout).unwrap();
    Run::of(Command::new("bash").arg("-n").arg(&file)).ends_with(0);
    for (words, expected) in [
        (&["rec"][..], &["reconcile", "recreate"][..]),
        (&["up"], &["update-dist-git"]),
        (&["config", "--val"], &["--validate"]),
        (&["config", "--output", ""], &["text", "json"]),
        (&["completions", "f"], &["fish"]),
        (&["update-dist-git", "--patch-comments", "s"], &["subject"]),
    ] {
        let run = Run::of(
            Command::new("bash").args(["--norc", "--noprofile", "-c", PRESS_TAB, "bash"]).arg(&file).args(words),
        );
        run.ends_with(0);
        assert_eq!(run.stdout.lines().collect::<Vec<_>>(), expected, "{words:?}: {}", run.stderr);
    }
}

#[test]
fn there_are_completions_for_other_shells() {
    for shell in ["elvish", "fish", "powershell", "zsh"] {
        let made = script(shell);
        made.ends_with(0);
        for command in ["reconcile", "webhook-token", "config"] {
            assert!(made.stdout.contains(command), "{shell}: {command}");
        }
    }
    script("csh").ends_with(2);
    script("").ends_with(2);
}

//! The texts about commands: the list at the end of the bot's note, and the comment that explains them.

use std::fmt::Write as _;

use crate::pair::markers;
use crate::pair::slash_command::SlashCommand;

/// The commands, the most useful first.
const ALL: [SlashCommand; 4] = [SlashCommand::Retest, SlashCommand::Sync, SlashCommand::Recreate, SlashCommand::Help];

/// The bot's reaction to a comment: an emoji.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    Begun,
    Done,
    /// The author may not ask for it, or there is nothing to do it to.
    Refused,
    /// The bot does not understand the comment.
    Unknown,
    /// The bot tried it, and failed.
    Failed,
}

impl Reaction {
    /// Returns GitLab's name of the emoji, without colons.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Begun => "eyes",
            Self::Done => "white_check_mark",
            Self::Refused => "no_entry_sign",
            Self::Unknown => "question",
            Self::Failed => "x",
        }
    }
}

/// Returns the list for the end of the note, folded up.
pub(super) fn section() -> String {
    let mut text = format!(
        "{}\n<details><summary>Commands</summary>\n\nWrite one as a comment here, on a line of its own. The bot answers with a \
         reaction.\n\n",
        markers::COMMANDS
    );
    for command in ALL {
        let _ = writeln!(text, "- `/dist-git {}`: {}", command.word(), brief(command));
    }
    text.push_str(
        "\nDevelopers of this project, and higher roles, can use all of them; the author of this merge request can use `sync`.\n\n</details>",
    );
    text
}

/// Returns the comment that explains the commands.
pub fn help() -> String {
    let mut text =
        "**What you can ask the bot for**, with a comment on this merge request:\n\n| Command | Effect | Who |\n| --- \
                    | --- | --- |\n"
            .to_owned();
    for command in ALL {
        let _ = writeln!(text, "| `/dist-git {}` | {} | {} |", command.word(), in_full(command), who(command));
    }
    let meanings = [
        (Reaction::Begun, "begun"),
        (Reaction::Done, "done"),
        (
            Reaction::Refused,
            "refused: you may not give it, the comment is older than a day, or there is nothing to do it to",
        ),
        (Reaction::Unknown, "not understood"),
        (Reaction::Failed, "tried and failed: if this merge request is the cause, the bot's note says why"),
    ];
    let meanings: Vec<_> =
        meanings.iter().map(|(reaction, meaning)| format!(":{}: {meaning}", reaction.name())).collect();
    let _ = write!(
        text,
        "\nA command stands at the start of a line, with nothing after it; upper or lower case. Of several in one \
         comment the first counts, and none in code or in a quotation does. The bot answers with reactions: {}. To ask again, \
         write another comment. This explanation comes once.\n\n{}",
        meanings.join("; "),
        markers::HELP
    );
    text
}

/// Whether a comment of the bot is the one that explains the commands.
pub fn is_help(body: &str) -> bool {
    body.contains(markers::HELP)
}

const fn brief(command: SlashCommand) -> &'static str {
    match command {
        SlashCommand::Retest => "run dist-git's CI again",
        SlashCommand::Recreate => {
            "rebuild the dist-git merge request, discarding what people pushed to its branch, and reopen it"
        }
        SlashCommand::Sync => "bring dist-git and this note up to date",
        SlashCommand::Help => "explain these commands",
    }
}

const fn in_full(command: SlashCommand) -> &'static str {
    match command {
        SlashCommand::Retest => {
            "Starts a new pipeline for the dist-git merge request, at most one in ten minutes. Where the bot may not start one, \
             its note says who can."
        }
        SlashCommand::Recreate => {
            "Rebuilds the bot's branch in dist-git, discarding what people pushed to it. Where people closed the merge request, it \
             is reopened; where they merged it, a new one is opened."
        }
        SlashCommand::Sync => {
            "Looks at everything again, and brings dist-git and the bot's note up to date, as each push does."
        }
        SlashCommand::Help => "Explains these commands.",
    }
}

const fn who(command: SlashCommand) -> &'static str {
    match command {
        SlashCommand::Retest | SlashCommand::Recreate => "Developers of this project",
        SlashCommand::Sync | SlashCommand::Help => "Developers of this project, and who opened the merge request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::slash_command;

    #[test]
    fn lists_the_commands() {
        insta::assert_snapshot!(section(), @r#"
        <!-- source-git-bot v1: commands -->
        <details><summary>Commands</summary>

        Write one as a comment here, on a line of its own. The bot answers with a reaction.

        - `/dist-git retest`: run dist-git's CI again
        - `/dist-git sync`: bring dist-git and this note up to date
        - `/dist-git recreate`: rebuild the dist-git merge request, discarding what people pushed to its branch, and reopen it
        - `/dist-git help`: explain these commands

        Developers of this project, and higher roles, can use all of them; the author of this merge request can use `sync`.

        </details>
        "#);
    }

    #[test]
    fn explains_the_commands() {
        insta::assert_snapshot!(help(), @r#"
        **What you can ask the bot for**, with a comment on this merge request:

        | Command | Effect | Who |
        | --- | --- | --- |
        | `/dist-git retest` | Starts a new pipeline for the dist-git merge request, at most one in ten minutes. Where the bot may not start one, its note says who can. | Developers of this project |
        | `/dist-git sync` | Looks at everything again, and brings dist-git and the bot's note up to date, as each push does. | Developers of this project, and who opened the merge request |
        | `/dist-git recreate` | Rebuilds the bot's branch in dist-git, discarding what people pushed to it. Where people closed the merge request, it is reopened; where they merged it, a new one is opened. | Developers of this project |
        | `/dist-git help` | Explains these commands. | Developers of this project, and who opened the merge request |

        A command stands at the start of a line, with nothing after it; upper or lower case. Of several in one comment the first counts, and none in code or in a quotation does. The bot answers with reactions: :eyes: begun; :white_check_mark: done; :no_entry_sign: refused: you may not give it, the comment is older than a day, or there is nothing to do it to; :question: not understood; :x: tried and failed: if this merge request is the cause, the bot's note says why. To ask again, write another comment. This explanation comes once.

        <!-- source-git-bot v1: help -->
        "#);
        assert!(is_help(&help()) && !is_help(&section()));
    }

    #[test]
    fn the_bots_own_texts_are_no_commands() {
        assert_eq!(slash_command::parse(&section()), None);
        assert_eq!(slash_command::parse(&help()), None);
    }
}

//! What GitLab does with the text of a description or note: how it is stored, and what it sets off by itself.
//!
//! Quick actions are taken out of the text, carriage returns and white space at the end as well
//! (`lib/gitlab/quick_actions/extractor.rb`); mentions and closing words stay and act. Where versions differ
//! (HTML blocks), the sandbox takes the one in which more acts: a client must be safe on all of them.

use super::Model;

/// Where a text stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The title of a merge request.
    Title,
    /// The description of a merge request.
    Description,
    /// A note.
    Note,
    /// The message of a commit that a merge request brings.
    Commit,
}

/// What kind of thing a text set off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActKind {
    /// A line `/command …`.
    QuickAction,
    /// `@name` of somebody who exists, or `@all`.
    Mention,
    /// `Closes #1`: the issue closes when the merge request is merged.
    ClosingWord,
}

/// Something that a text set off by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// The name of the user in whose name it happened.
    pub user: String,
    /// The project's full path and the merge request's number, for example `rpms/curl!3`.
    pub merge_request: String,
    /// Where the text stood.
    pub place: Place,
    /// What kind of thing it was.
    pub kind: ActKind,
    /// The words that did it.
    pub text: String,
}

/// Commands that merge requests know, from GitLab's documentation of quick actions.
const COMMANDS: &[&str] = &[
    "add_contacts",
    "approve",
    "assign",
    "assign_reviewer",
    "award",
    "cc",
    "clear_health_status",
    "close",
    "confidential",
    "copy_metadata",
    "create_merge_request",
    "done",
    "draft",
    "due",
    "duplicate",
    "estimate",
    "estimate_time",
    "invite_email",
    "label",
    "labels",
    "lock",
    "merge",
    "milestone",
    "move",
    "promote",
    "react",
    "ready",
    "reassign",
    "reassign_reviewer",
    "rebase",
    "relabel",
    "relate",
    "remove_due_date",
    "remove_estimate",
    "remove_milestone",
    "remove_parent",
    "remove_time_spent",
    "reopen",
    "request_changes",
    "request_review",
    "reviewer",
    "shrug",
    "spend",
    "spend_time",
    "spent",
    "ship",
    "submit_review",
    "subscribe",
    "tableflip",
    "target_branch",
    "title",
    "todo",
    "unapprove",
    "unassign",
    "unassign_reviewer",
    "unlabel",
    "unlock",
    "unsubscribe",
    "wip",
];

/// The text as GitLab stores it, and the quick actions taken out of it (without their slash).
pub(crate) fn stored(text: &str) -> (String, Vec<String>) {
    let text = text.replace('\r', "");
    let (mut kept, mut commands) = (String::new(), Vec::new());
    let mut fence = Fence::default();
    for line in text.split_inclusive('\n') {
        let command = (!fence.covers(line)).then(|| quick_action(line)).flatten();
        match command {
            Some(command) => commands.push(command),
            None => kept.push_str(line),
        }
    }
    (kept.trim_end().to_owned(), commands)
}

fn quick_action(line: &str) -> Option<String> {
    let rest = line.trim_end().strip_prefix('/')?;
    let name = rest.split([' ', '\t']).next()?.to_ascii_lowercase();
    COMMANDS.contains(&name.as_str()).then(|| rest.to_owned())
}

/// Follows fenced code blocks and `>>>` quotations, inside which nothing acts.
#[derive(Default)]
struct Fence {
    open: Option<String>,
}

impl Fence {
    /// Whether the line is inside a block, its first and last line included.
    fn covers(&mut self, line: &str) -> bool {
        let line = line.trim_end();
        if let Some(open) = &self.open {
            let mark = open.chars().next().unwrap_or('`');
            let closes = line.len() >= open.len() && line.chars().all(|character| character == mark);
            if closes {
                self.open = None;
            }
            return true;
        }
        let run = |mark: char| -> String { line.chars().take_while(|character| *character == mark).collect() };
        self.open = ['`', '~', '>'].into_iter().map(run).find(|run| run.len() >= 3);
        if self.open.as_ref().is_some_and(|open| open.starts_with('>') && line.len() > open.len()) {
            self.open = None;
        }
        self.open.is_some()
    }
}

/// The text without code blocks and code spans, character references resolved: what references are looked for in.
fn readable(text: &str) -> String {
    let mut fence = Fence::default();
    let lines: Vec<&str> = text.lines().filter(|line| !fence.covers(line) || line.starts_with('>')).collect();
    let mut plain = String::new();
    for (position, piece) in lines.join("\n").split('`').enumerate() {
        if position % 2 == 0 {
            plain.push_str(piece);
        } else {
            plain.push(' ');
        }
    }
    for (reference, character) in [("&#64;", "@"), ("&#x40;", "@"), ("&commat;", "@"), ("&#35;", "#"), ("&#x23;", "#")]
    {
        plain = plain.replace(reference, character);
    }
    plain
}

/// Names after an `@` that does not follow a word character or a backslash.
fn mentions(plain: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (position, _) in plain.match_indices('@') {
        let before = plain.get(..position).and_then(|before| before.chars().next_back());
        if before.is_some_and(|before| before.is_alphanumeric() || before == '_' || before == '\\') {
            continue;
        }
        let after = plain.get(position + 1..).unwrap_or_default();
        let name: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || "_-./".contains(*c)).collect();
        found.push(name.trim_end_matches(['.', '/', '-']).to_owned());
    }
    found
}

/// Closing words and the references after them, for example `Closes #1`, `fixes group/project#2`.
fn closing_words(plain: &str, base_url: &str) -> Vec<String> {
    const STEMS: &[&str] = &[
        "close",
        "closes",
        "closed",
        "closing",
        "fix",
        "fixes",
        "fixed",
        "fixing",
        "resolve",
        "resolves",
        "resolved",
        "resolving",
        "implement",
        "implements",
        "implemented",
        "implementing",
    ];
    let words: Vec<&str> = plain.split_whitespace().collect();
    let mut found = Vec::new();
    for pair in words.windows(3).chain(words.len().checked_sub(2).and_then(|start| words.get(start..))) {
        let [word, rest @ ..] = pair else { continue };
        let word = word.trim_end_matches(':').trim_start_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
        let target = rest.iter().find(|next| !matches!(next.to_ascii_lowercase().as_str(), "issue" | "issues"));
        let Some(target) = target.filter(|_| STEMS.contains(&word.as_str())) else { continue };
        let number = target.split_once('#').map(|(_, number)| number);
        let is_reference = number.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()));
        let is_link = target.starts_with(base_url) && target.contains("/issues/");
        if (is_reference && !target.contains('\\')) || is_link {
            found.push(format!("{word} {target}"));
        }
    }
    found.dedup();
    found
}

impl Model {
    /// Does what a text sets off, and writes it down. Quick actions that change the merge request are executed.
    pub(crate) fn act_on(&mut self, user: u64, merge_request: u64, place: Place, text: &str, commands: &[String]) {
        let Some(request) = self.merge_requests.get(&merge_request) else { return };
        let Some(project) = self.projects.get(&request.target_project) else { return };
        let base = Act {
            user: self.username(user).to_owned(),
            merge_request: format!("{}!{}", self.path_of(project), request.iid),
            place,
            kind: ActKind::QuickAction,
            text: String::new(),
        };
        let plain = readable(text);
        let mut acts: Vec<Act> =
            commands.iter().map(|command| Act { text: format!("/{command}"), ..base.clone() }).collect();
        for name in mentions(&plain) {
            // Commits set off references, but notify nobody.
            if place == Place::Commit {
                break;
            }
            if name == "all" || self.user(&name).is_some() || self.namespace(&name).is_some() {
                acts.push(Act { kind: ActKind::Mention, text: format!("@{name}"), ..base.clone() });
            }
        }
        if matches!(place, Place::Description | Place::Commit) {
            for words in closing_words(&plain, &self.base_url) {
                acts.push(Act { kind: ActKind::ClosingWord, text: words, ..base.clone() });
            }
        }
        self.acts.extend(acts);
        for command in commands {
            self.execute(user, merge_request, command);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_actions_leave_the_text_and_white_space_at_its_end_too() {
        let (text, commands) = stored("Hello\r\n/label ~bug\n```\n/close\n```\n/etc/passwd\n /merge\n/Merge  \n\n");
        assert_eq!(text, "Hello\n```\n/close\n```\n/etc/passwd\n /merge");
        assert_eq!(commands, ["label ~bug", "Merge"]);
    }

    #[test]
    fn quotations_and_longer_fences_do_not_act() {
        let (_, commands) = stored(">>>\n/close\n>>>\n````\n```\n/close\n````\n/reopen");
        assert_eq!(commands, ["reopen"]);
    }

    #[test]
    fn mentions_are_found_where_markdown_would_find_them() {
        assert_eq!(mentions(&readable("hi @all, `@code` me@example.com \\@no &#64;yes.")), ["all", "yes"]);
    }

    #[test]
    fn closing_words_need_a_reference() {
        let found = closing_words("This fixes #12 and Resolves: a/b#3; closes the door. fixing issue #4", "http://x");
        assert_eq!(found, ["fixes #12", "resolves a/b#3;", "fixing #4"]);
    }
}

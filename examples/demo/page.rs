//! What people see in the browser: a merge request, a note, a job's log. Framed, so that it is told from what is typed.

use gitlab_sandbox::{Handle, MergeRequest, Note, ShownStatus, State};
use source_git_bot::cli::terminal::Paint;

use crate::markdown;

/// The widest line.
const WIDTH: usize = 100;

/// Shows a merge request as its page does.
pub(crate) fn merge_request(gitlab: &Handle, shown: &MergeRequest, paint: Paint) {
    let (from, into) = gitlab.inspect(|model| {
        let path = |id| model.projects.get(&id).map(|project| model.path_of(project)).unwrap_or_default();
        (path(shown.source_project), path(shown.target_project))
    });
    let author = gitlab.inspect(|model| model.users.get(&shown.author).map(|user| user.name.clone()));
    let state = match shown.state {
        State::Opened => paint.green("Open"),
        State::Closed => paint.red("Closed"),
        State::Merged => paint.cyan("Merged"),
    };
    let mut lines = vec![
        paint.bold(&shown.title),
        format!(
            "{state} · {} requested to merge {} into {}",
            author.unwrap_or_default(),
            paint.cyan(format_args!("{from}:{}", shown.source_branch)),
            paint.cyan(&shown.target_branch),
        ),
    ];
    let labels = shown.labels.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    lines.push(format!("Labels: {}", if labels.is_empty() { "none" } else { &labels }));
    lines.push(String::new());
    lines.extend(markdown::rendered(&shown.description, WIDTH - 2, paint));
    frame(&format!("merge request {into}!{}", shown.iid), &lines, paint);
}

/// Shows a note on a merge request, and returns the lines shown.
pub(crate) fn note(on: &str, note: &Note, paint: Paint) -> Vec<String> {
    let lines = markdown::rendered(&note.body, WIDTH - 2, paint);
    frame(&note_title(on, note), &lines, paint);
    lines
}

/// Shows what is new in a note that was edited.
pub(crate) fn edited_note(on: &str, note: &Note, before: &Note, paint: Paint) {
    let old = markdown::rendered(&before.body, WIDTH - 2, paint);
    let left_out = paint.dim("…");
    let mut lines: Vec<String> = Vec::new();
    for line in markdown::rendered(&note.body, WIDTH - 2, paint) {
        let is_known = old.contains(&line);
        let after_gap = lines.last() == Some(&left_out);
        match (is_known, line.is_empty()) {
            (true, _) if after_gap => {}
            (true, false) => {
                lines.pop_if(|last| last.is_empty());
                lines.push(left_out.clone());
            }
            (true, true) | (false, _) => lines.push(line),
        }
    }
    frame(&note_title(on, note), &lines, paint);
}

/// Shows commit statuses as the pipeline on a merge request's page lists them, and returns them in that order.
pub(crate) fn statuses(on: &str, mut statuses: Vec<ShownStatus>, paint: Paint) -> Vec<ShownStatus> {
    statuses.sort_by(|one, other| one.name.cmp(&other.name));
    let width = statuses.iter().map(|status| status.name.chars().count()).max().unwrap_or_default();
    let lines = statuses.iter().map(|status| {
        let state = match status.state.as_str() {
            "success" => paint.green("passed  "),
            "failed" => paint.red("failed  "),
            other => format!("{other:8}"),
        };
        let said = status.description.as_deref().unwrap_or_default();
        format!("{state} {:width$}  {}", status.name, paint.dim(said))
    });
    frame(&format!("the statuses on {on}"), &lines.collect::<Vec<_>>(), paint);
    statuses
}

fn note_title(on: &str, note: &Note) -> String {
    let edited = if note.edits > 0 { ", edited" } else { "" };
    format!("the bot's note on {on}{edited}")
}

/// Shows a job's log with its sections open.
pub(crate) fn job_log(log: &str) {
    let mut indent = "";
    for line in log.lines() {
        let shown = line.rsplit("\x1b[0K").next().unwrap_or_default();
        if line.contains("section_start:") {
            println!("▾ {shown}");
            indent = "  ";
        } else if line.contains("section_end:") {
            indent = "";
        } else {
            println!("{indent}{shown}");
        }
    }
}

/// Shows a diff.
pub(crate) fn diff(text: &str, paint: Paint) {
    for line in text.lines() {
        match line.chars().next() {
            Some('+') => println!("{}", paint.green(line)),
            Some('-') => println!("{}", paint.red(line)),
            Some('@') => println!("{}", paint.cyan(line)),
            _ => println!("{line}"),
        }
    }
}

fn frame(title: &str, lines: &[String], paint: Paint) {
    let rule = "─".repeat(WIDTH.saturating_sub(title.chars().count() + 4));
    println!("\n{} {} {}", paint.dim("╭─"), paint.bold(title), paint.dim(rule));
    for line in lines {
        println!("{}", format!("{} {line}", paint.dim("│")).trim_end());
    }
    println!("{}{}", paint.dim("╰"), paint.dim("─".repeat(WIDTH - 1)));
}

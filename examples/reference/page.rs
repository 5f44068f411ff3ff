//! The reference as Markdown. The tests make it too, to see that the committed one is fresh.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::{Arg, Command, CommandFactory as _};
use regex::Regex;
use source_git_bot::cli::args::Cli;
use source_git_bot::cli::exit::ExitStatus;
use source_git_bot::cli::variables::{JOB_VARIABLES, TEMPLATE_VARIABLES, USER_VARIABLES, VariableDoc};
use yaml_serde::Value;

/// The templates, in the order in which somebody sets the bot up.
const TEMPLATES: [&str; 4] = ["bot", "source-git", "dist-git", "fake-ci"];

const HEAD: &str = "\
# Reference

All commands with their options, the variables that they read, the inputs of the CI templates, and the exit statuses. What the
commands do and why is in [the guide](README.md).

<!-- Made by `cargo run --quiet --example reference > docs/reference.md`. Change what it is made from instead. -->
";

/// Returns the whole page, for the repository at `repository`.
pub(crate) fn reference(repository: &Path) -> Result<String> {
    let mut cli = Cli::command();
    cli.build();
    let commands: Vec<&Command> = cli.get_subcommands().collect();
    let mut page = HEAD.to_owned();
    contents(&mut page, &commands)?;
    page.push_str("\n## Commands\n\nEvery command takes these options besides its own:\n\n");
    let of_all: Vec<&Arg> = cli.get_arguments().filter(|argument| argument.is_global_set()).collect();
    arguments(&mut page, &of_all)?;
    page.push_str("\n`--help` shows a command's options, `-h` in short; `--version` shows the program's version.\n");
    for command in commands {
        self::command(&mut page, command)?;
    }
    variables(&mut page)?;
    templates(&mut page, repository)?;
    exit_statuses(&mut page)?;
    Ok(page)
}

fn contents(page: &mut String, commands: &[&Command]) -> Result<()> {
    let links: Vec<String> = commands.iter().map(|command| format!("[`{0}`](#{0})", command.get_name())).collect();
    writeln!(page, "\n- [Commands](#commands): {}", links.join(", "))?;
    page.push_str("- [Variables](#variables)\n");
    let links: Vec<String> = TEMPLATES.map(|name| format!("[`{name}.yml`](#{name}yml)")).to_vec();
    writeln!(page, "- [CI templates](#ci-templates): {}", links.join(", "))?;
    page.push_str("- [Exit statuses](#exit-statuses)\n");
    Ok(())
}

fn command(page: &mut String, command: &Command) -> Result<()> {
    let name = command.get_name();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let positional: Vec<&Arg> = command.get_positionals().collect();
    let own: Vec<&Arg> = positional
        .iter()
        .copied()
        .chain(command.get_opts().filter(|argument| !argument.is_positional()))
        .chain(
            command
                .get_arguments()
                .filter(|argument| !argument.is_positional() && !argument.get_action().takes_values()),
        )
        .filter(|argument| !argument.is_global_set() && !matches!(argument.get_id().as_str(), "help" | "version"))
        .collect();
    let usage: String = positional
        .iter()
        .map(|argument| {
            let name = value_name(argument);
            if argument.is_required_set() { format!(" {name}") } else { format!(" [{name}]") }
        })
        .collect();
    let options = if own.len() > positional.len() { " [OPTIONS]" } else { "" };
    write!(page, "\n### {name}\n\n{}\n\n```sh\nsource-git-bot {name}{options}{usage}\n```\n", sentence(&about))?;
    if !own.is_empty() {
        page.push('\n');
        arguments(page, &own)?;
    }
    if let Some(more) = command.get_after_help() {
        write!(page, "\n{}\n", markdown(more.to_string().trim()))?;
    }
    Ok(())
}

fn arguments(page: &mut String, arguments: &[&Arg]) -> Result<()> {
    page.push_str("| argument | meaning |\n| --- | --- |\n");
    for argument in arguments {
        let mut names = Vec::new();
        names.extend(argument.get_short().map(|short| format!("-{short}")));
        names.extend(argument.get_long().map(|long| format!("--{long}")));
        let takes_value = argument.get_action().takes_values();
        if names.is_empty() {
            names.push(value_name(argument));
        } else if takes_value && let Some(last) = names.last_mut() {
            write!(last, " {}", value_name(argument))?;
        }
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let mut meaning = sentence(&argument.get_help().map(ToString::to_string).unwrap_or_default());
        if takes_value {
            let values: Vec<String> = argument
                .get_possible_values()
                .iter()
                .map(|value| match value.get_help() {
                    Some(help) => format!("`{}`: {}", value.get_name(), lower_case_start(&markdown(&help.to_string()))),
                    None => format!("`{}`", value.get_name()),
                })
                .collect();
            if !values.is_empty() {
                let joint = if values.iter().any(|value| value.contains(": ")) { "; " } else { ", " };
                write!(meaning, " {}.", values.join(joint))?;
            }
            if let Some(default) = argument.get_default_values().first() {
                write!(meaning, " Default: `{}`.", default.to_string_lossy())?;
            }
        }
        row(page, &[&names.join(", "), &meaning])?;
    }
    Ok(())
}

fn value_name(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn variables(page: &mut String) -> Result<()> {
    page.push_str(
        "\n## Variables\n\nA variable that is set to nothing counts as not set. Other variables that begin with `SGB_` mean \
         nothing. The value of a secret is told nowhere.\n\n",
    );
    variable_rows(page, &USER_VARIABLES)?;
    page.push_str("\nIn a job GitLab sets these. They only say where to look: nothing that decides about trust is taken from them.\n\n");
    variable_rows(page, &JOB_VARIABLES)
}

fn variable_rows(page: &mut String, variables: &[VariableDoc]) -> Result<()> {
    page.push_str("| variable | meaning | read by |\n| --- | --- | --- |\n");
    for VariableDoc { name, about, read_by } in variables {
        row(page, &[&format!("`{name}`"), about, read_by])?;
    }
    Ok(())
}

fn templates(page: &mut String, repository: &Path) -> Result<()> {
    page.push_str(
        "\n## CI templates\n\nFiles of `ci-templates/`, to be included as `project`, and of `templates/`, to be included as \
         `component`. Each begins with an example and what else there is to know. An input without a default has to be given.\n",
    );
    for name in TEMPLATES {
        let path = format!("ci-templates/{name}.yml");
        let text = fs::read_to_string(repository.join(&path)).with_context(|| format!("reading {path}"))?;
        template(page, name, &text).with_context(|| format!("reading the inputs of {path}"))?;
    }
    Ok(())
}

fn template(page: &mut String, name: &str, text: &str) -> Result<()> {
    let (header, _) = text.split_once("\n---\n").context("it has no header")?;
    let comment: Vec<&str> = header.lines().map_while(|line| line.strip_prefix('#')).map(str::trim).collect();
    let about = comment.split(|line| line.is_empty()).next().unwrap_or_default().join(" ");
    write!(page, "\n### {name}.yml\n\n{}\n\n", markdown(&about))?;
    page.push_str("| input | meaning | values | default |\n| --- | --- | --- | --- |\n");
    let parsed: Value = yaml_serde::from_str(header)?;
    let inputs = parsed.get("spec").and_then(|spec| spec.get("inputs")).and_then(Value::as_mapping);
    for (input, keys) in inputs.context("it has no inputs")? {
        let text = |key: &str| keys.get(key).and_then(Value::as_str).unwrap_or_default();
        let values = match keys.get("options").and_then(Value::as_sequence) {
            Some(options) => options.iter().map(code).collect::<Vec<_>>().join(", "),
            None if !text("regex").is_empty() => format!("text like `{}`", text("regex")),
            None => match text("type") {
                "number" => "a number".to_owned(),
                _ => "text".to_owned(),
            },
        };
        let default = keys.get("default").map_or_else(|| "none".to_owned(), code);
        row(page, &[&code(input), &markdown(text("description")), &values, &default])?;
    }
    let mentioned: Vec<String> = USER_VARIABLES
        .iter()
        .filter(|variable| variable.name.starts_with("SGB_"))
        .chain(&TEMPLATE_VARIABLES)
        .filter(|variable| mentions(header, variable.name))
        .map(|variable| match TEMPLATE_VARIABLES.iter().find(|own| own.name == variable.name) {
            Some(own) => format!("`{}` ({})", own.name, lower_case_start(own.about.trim_end_matches('.'))),
            None => format!("`{}`", variable.name),
        })
        .collect();
    if !mentioned.is_empty() {
        write!(page, "\n[Variables](#variables) of the project: {}.\n", mentioned.join(", "))?;
    }
    Ok(())
}

/// Says whether a template's comments or inputs name a variable.
fn mentions(text: &str, variable: &str) -> bool {
    Regex::new(&format!(r"\b{variable}\b")).is_ok_and(|name| name.is_match(text))
}

fn exit_statuses(page: &mut String) -> Result<()> {
    page.push_str("\n## Exit statuses\n\n| status | meaning |\n| --- | --- |\n");
    for status in ExitStatus::ALL {
        row(page, &[&(status as u8).to_string(), status.meaning()])?;
    }
    Ok(())
}

fn row(page: &mut String, cells: &[&str]) -> Result<()> {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    writeln!(page, "| {} |", cells.join(" | "))?;
    Ok(())
}

/// Returns a YAML scalar as code.
fn code(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{}`", yaml_serde::to_string(other).unwrap_or_default().trim()),
    }
}

/// Returns a plain text as Markdown: outside of code, angle brackets are no HTML, and names of variables become code.
fn markdown(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index > 0 {
            out.push('`');
        }
        if index % 2 == 1 {
            out.push_str(part);
            continue;
        }
        for (index, word) in part.split(' ').enumerate() {
            if index > 0 {
                out.push(' ');
            }
            let name = word.trim_end_matches(['.', ',', ';', ':']);
            let is_variable = name.contains('_') && name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            if is_variable {
                out.push_str(&word.replace(name, &format!("`{name}`")));
            } else {
                out.push_str(&word.replace('<', "&lt;"));
            }
        }
    }
    out
}

/// Returns a text that begins within a sentence.
fn lower_case_start(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

/// Returns a help text, which has no full stop, as a sentence.
fn sentence(help: &str) -> String {
    let help = markdown(help);
    if help.ends_with('.') { help } else { help + "." }
}

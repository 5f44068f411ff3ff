//! `config`: shows the settings of an instance and their origins, checks it, and describes the format of instance
//! files.
//!
//! It sends no requests to GitLab and reads no token. It shows what the other commands work with: the values come from
//! the parsed instance, not from the text of its file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use yaml_serde::Value;

use crate::cli::args::ConfigArgs;
use crate::cli::printer::{self, Printer};
use crate::cli::{Invocation, terminal};
use crate::config::{self, ConfigError, Environment, ExaminedInstance, Instance, Origin, PRESETS, Setting};
use crate::ops::session::DEFAULT_INSTANCE;
use crate::types::error::{Context as _, Result, UsageError, bail};
use crate::types::text::{is_unseen, printable};

/// The last column (from 0) in which origins are aligned. The origin of a longer line follows right behind it.
const MAX_ORIGIN_COLUMN: usize = 60;

/// What names the instance.
#[derive(Clone, Copy, Serialize)]
enum NamedBy {
    #[serde(rename = "--instance")]
    Option,
    #[serde(rename = "SGB_INSTANCE")]
    Variable,
    #[serde(rename = "default")]
    Default,
}

pub(crate) fn run(arguments: &ConfigArgs, invocation: &Invocation<'_>) -> Result<()> {
    if arguments.schema {
        return invocation.printer.print_verbatim(&printer::escaped(&config::schema())?);
    }
    if arguments.list {
        return list(invocation.printer);
    }
    let environment = Environment::read(invocation.context.variables.clone())?;
    let (name, named_by) = match (&invocation.global.instance, &environment.instance) {
        (Some(name), _) => (&**name, NamedBy::Option),
        (None, Some(name)) => (&**name, NamedBy::Variable),
        (None, None) => (DEFAULT_INSTANCE, NamedBy::Default),
    };
    let examined = Instance::examine(name, &environment);
    if arguments.validate {
        let (errors, doubts): (Vec<_>, Vec<_>) = match &examined {
            Ok(examined) => (Vec::new(), examined.lints.iter().collect()),
            Err(errors) => (errors.iter().collect(), Vec::new()),
        };
        return validate(name, &errors, &doubts, invocation.printer);
    }
    match examined {
        Ok(examined) => show(&examined, named_by, invocation.printer),
        Err(errors) => {
            if !errors.others.is_empty() {
                tracing::error!("`config --validate` names {} more errors", errors.others.len());
            }
            bail!(*errors.first)
        }
    }
}

fn show(examined: &ExaminedInstance, named_by: NamedBy, printer: &Printer) -> Result<()> {
    #[derive(Serialize)]
    struct JsonSettings<'a> {
        instance: &'a str,
        named_by: NamedBy,
        #[serde(skip_serializing_if = "Option::is_none")]
        preset: Option<&'a str>,
        settings: BTreeMap<&'a str, JsonSetting<'a>>,
    }
    #[derive(Serialize)]
    struct JsonSetting<'a> {
        value: &'a Value,
        origin: &'a Origin,
    }
    let name = &examined.instance.name;
    let preset = examined.preset.map(|preset| preset.name);
    let what = match preset {
        Some(preset) if preset == name => "a preset".to_owned(),
        Some(preset) => format!("a file that extends the preset {preset}"),
        None => "a file that extends no preset".to_owned(),
    };
    let by = match named_by {
        NamedBy::Option => "named by --instance",
        NamedBy::Variable => "named by SGB_INSTANCE",
        NamedBy::Default => "which is taken where neither --instance nor SGB_INSTANCE names one",
    };
    let head = format!("# {}: {what}, {by}\n", printable(name.as_bytes()));
    let text = head + &yaml(&examined.settings)?;
    let settings = examined.settings.iter();
    let data = JsonSettings {
        instance: name,
        named_by,
        preset,
        settings: settings.map(|Setting { key, value, origin }| (*key, JsonSetting { value, origin })).collect(),
    };
    printer.print(&data, |_| text)
}

/// Returns the settings as an instance file that extends nothing, with the origin of each in a comment.
fn yaml(settings: &[Setting]) -> Result<String> {
    let mut entries = Vec::new();
    let mut above = "";
    for Setting { key, value, origin } in settings {
        let (parent, name) = key.rsplit_once('.').unwrap_or(("", key));
        if parent != above && !parent.is_empty() {
            entries.push((format!("{parent}:\n"), None));
        }
        above = parent;
        let indent = if parent.is_empty() { "" } else { "  " };
        entries.push((entry(indent, name, value)?, Some(origin)));
    }
    let width = |text: &str| text.lines().next().unwrap_or_default().chars().count();
    let origins = entries.iter().filter(|(_, origin)| origin.is_some()).map(|(text, _)| width(text));
    let column = origins.filter(|width| *width <= MAX_ORIGIN_COLUMN).max().unwrap_or_default();
    let mut out = String::new();
    for (text, origin) in entries {
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        match origin {
            Some(origin) => writeln!(out, "{first:column$}  # {origin}")?,
            None => writeln!(out, "{first}")?,
        }
        out.push_str(rest);
    }
    Ok(out)
}

/// Returns the lines for one key.
fn entry(indent: &str, name: &str, value: &Value) -> Result<String> {
    if value.is_null() {
        // `config --validate` would warn of a key without a value.
        return Ok(format!("{indent}# {name}: none\n"));
    }
    let text = yaml_serde::to_string(&BTreeMap::from([(name, value)])).context("writing YAML")?;
    let text = if text.contains(|c| c != '\n' && is_unseen(c)) {
        // JSON can escape in any string what a terminal would interpret, and JSON is YAML.
        format!("{name}: {}\n", terminal::escaped(&serde_json::to_string(value).context("writing JSON")?))
    } else {
        text
    };
    Ok(text.lines().fold(String::new(), |lines, line| lines + indent + line + "\n"))
}

fn list(printer: &Printer) -> Result<()> {
    #[derive(Serialize)]
    struct JsonPresets {
        presets: Vec<JsonPreset>,
    }
    #[derive(Serialize)]
    struct JsonPreset {
        name: &'static str,
        about: &'static str,
    }
    let presets = PRESETS.iter().map(|preset| JsonPreset { name: preset.name, about: preset.about });
    let width = PRESETS.iter().map(|preset| preset.name.len()).max().unwrap_or_default();
    let line = |JsonPreset { name, about }: &JsonPreset| format!("{name:width$}  {about}\n");
    let data = JsonPresets { presets: presets.collect() };
    printer.print(&data, |_| data.presets.iter().map(line).collect())
}

fn validate(name: &str, errors: &[&ConfigError], doubts: &[&ConfigError], printer: &Printer) -> Result<()> {
    #[derive(Serialize)]
    struct JsonValidation<'a> {
        instance: &'a str,
        good: bool,
        errors: &'a [&'a ConfigError],
        doubts: &'a [&'a ConfigError],
    }
    let shown = printable(name.as_bytes());
    let data = JsonValidation { instance: name, good: errors.is_empty(), errors, doubts };
    printer.print(&data, |paint| {
        let mut text = String::new();
        for (label, found) in [(paint.red("error"), errors), (paint.yellow("warning"), doubts)] {
            for one in found {
                text.push_str(&format!("{label}: {one}\n"));
                if let Some(hint) = one.hint() {
                    text.push_str(&format!("  {}: {hint}\n", paint.cyan("hint")));
                }
            }
        }
        if errors.is_empty() {
            let warnings = match doubts.len() {
                0 => String::new(),
                1 => ", with a warning".to_owned(),
                number => format!(", with {number} warnings"),
            };
            text.push_str(&format!("{shown} can be used{warnings}\n"));
        }
        text
    })?;
    if errors.is_empty() {
        return Ok(());
    }
    let number = if let [_] = errors { "an error".to_owned() } else { format!("{} errors", errors.len()) };
    bail!(UsageError::new(
        format!("{shown} cannot be used as an instance: it has {number}"),
        "mend what is named, and check again"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped_and_still_the_same_text() {
        let value = Value::from("a\u{202e}b\u{e0001}\n");
        let json = printer::escaped(&value).unwrap();
        assert_eq!(json, "\"a\\u202eb\\udb40\\udc01\\n\"\n");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), "a\u{202e}b\u{e0001}\n");
        assert_eq!(entry("  ", "branch", &value).unwrap(), "  branch: \"a\\u202eb\\udb40\\udc01\\n\"\n");
    }

    #[test]
    fn a_long_line_does_not_push_the_others_origins_aside() {
        let setting = |key, value: &str| Setting { key, value: value.into(), origin: Origin::Default };
        let long = "x".repeat(70);
        let shown = yaml(&[setting("gitlab.url", "http://x"), setting("gitlab.proxy", &long), setting("label", "y")]);
        assert_eq!(
            shown.unwrap(),
            format!("gitlab:\n  url: http://x  # default\n  proxy: {long}  # default\nlabel: y         # default\n")
        );
    }
}

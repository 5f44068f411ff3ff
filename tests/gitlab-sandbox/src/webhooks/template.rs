//! Custom webhook templates (`web_hook_service.rb`): fields of the event's body put into a text that has to be JSON.
//!
//! Since 18.6 what is put in is serialised: a text as in JSON, without its quotes, and a field that is not there as `null`.
//! Before, it was put in as Ruby writes it: a text as it is, quotes and all, and a field that is not there as nothing.

use serde_json::Value;

/// How fields are put in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Interpolation {
    /// As JSON (`custom_webhook_template_serialization`, the rule since 18.6).
    #[default]
    Serialised,
    /// As they are.
    Plain,
}

/// Renders a template.
pub(crate) fn render(template: &str, body: &Value, how: Interpolation) -> Result<Value, String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, name, after)) = next_field(rest) {
        text.push_str(before);
        text.push_str(&shown(field(body, name)?, how));
        rest = after;
    }
    text.push_str(rest);
    serde_json::from_str(&text).map_err(|error| failed(&error.to_string()))
}

fn failed(why: &str) -> String {
    format!("Error while parsing rendered custom webhook template: {why}")
}

/// The text before the first `{{name}}`, the name, and what comes after. A name has one character at least, whatever that
/// is, and is on one line.
fn next_field(text: &str) -> Option<(&str, &str, &str)> {
    for (start, _) in text.match_indices("{{") {
        let (before, rest) = (text.get(..start)?, text.get(start + 2..)?);
        let first = rest.chars().next()?;
        let Some(end) = rest.get(first.len_utf8()..).and_then(|later| later.find("}}")) else { continue };
        let end = end + first.len_utf8();
        let name = rest.get(..end)?;
        if !name.contains('\n') {
            return Some((before, name, rest.get(end + 2..)?));
        }
    }
    None
}

/// A field by its path; what is not there is null. Whoever reaches into a list, a text or a number is refused.
fn field<'a>(body: &'a Value, path: &str) -> Result<&'a Value, String> {
    let mut found = body;
    for name in path.split('.') {
        found = match found {
            Value::Object(fields) => fields.get(name).unwrap_or(&Value::Null),
            Value::Null => &Value::Null,
            _ => return Err(failed("You may be trying to access an array value, which is not supported.")),
        };
    }
    Ok(found)
}

fn shown(value: &Value, how: Interpolation) -> String {
    match (value, how) {
        (Value::String(text), Interpolation::Plain) => text.clone(),
        (Value::Null, Interpolation::Plain) => String::new(),
        (Value::String(_), Interpolation::Serialised) => {
            let quoted = value.to_string();
            quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use Interpolation::{Plain, Serialised};

    fn body() -> Value {
        json!({ "kind": "note", "title": "a \"quoted\" $X", "id": 7, "none": null, "list": [{ "id": 1 }], "in": { "id": 8 } })
    }

    #[test]
    fn fields_are_put_in_and_what_is_not_there_is_empty_or_null() {
        let template = r#"{"kind": "{{kind}}", "id": {{in.id}}, "text": "{{id}}", "none": "{{in.none.at.all}}"}"#;
        let shown = |none| Ok(json!({ "kind": "note", "id": 8, "text": "7", "none": none }));
        assert_eq!(render(template, &body(), Serialised), shown("null"));
        assert_eq!(render(template, &body(), Plain), shown(""));
    }

    #[test]
    fn a_quote_in_a_title_breaks_the_older_form_only() {
        let template = r#"{"title": "{{title}}"}"#;
        assert_eq!(render(template, &body(), Serialised), Ok(json!({ "title": "a \"quoted\" $X" })));
        let error = render(template, &body(), Plain).err().unwrap_or_default();
        assert!(error.starts_with("Error while parsing rendered custom webhook template: "), "{error}");
        assert!(render(r#"{"id": {{none}}}"#, &body(), Plain).is_err(), "a field that lacks breaks what is not quoted");
        assert_eq!(render(r#"{"id": {{none}}}"#, &body(), Serialised), Ok(json!({ "id": null })));
    }

    #[test]
    fn lists_cannot_be_reached_into() {
        let error = render(r#"{"x": "{{list.0.id}}"}"#, &body(), Serialised).err().unwrap_or_default();
        assert!(error.ends_with("You may be trying to access an array value, which is not supported."), "{error}");
        assert_eq!(render(r#"{"x": {{list}}}"#, &body(), Serialised), Ok(json!({ "x": [{ "id": 1 }] })));
    }
}

//! The JSON schema of instance files, for editors and for whoever writes such files by program.
//!
//! Made of the table of keys. What a schema cannot say (namespaces that overlap, regular expressions, the length of the
//! file) the program alone checks.

use serde_json::{Map, Value, json};

use crate::config::keys::{Absent, Form, INSTANCE, Key, Text};

/// Returns the schema, in the dialect of 2020-12.
pub fn schema() -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".into(), json!("Instance of source-git-bot"));
    let about = "Which GitLab the bot works on, which projects it serves there, and how. A key without a value counts as not \
                 there. A default holds where neither the file nor the preset that it extends says anything.";
    schema.insert("description".into(), json!(about));
    schema.extend(mapping(INSTANCE));
    // A file that extends nothing has to say where it works.
    schema.insert("if".into(), json!({"required": ["extends"], "properties": {"extends": {"type": "string"}}}));
    let gitlab = json!({"type": "object", "required": ["url"], "properties": {"url": {"type": "string"}}});
    schema.insert(
        "else".into(),
        json!({"required": ["gitlab", "namespaces"], "properties": {"gitlab": gitlab, "namespaces": {"type": "array"}}}),
    );
    Value::Object(schema)
}

fn mapping(keys: &[Key]) -> Map<String, Value> {
    let properties: Map<String, Value> = keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let is_required = |key: &&Key| matches!(key.absent, Absent::Refused);
    let required: Vec<&str> = keys.iter().filter(is_required).map(|key| key.name).collect();
    let mut schema = Map::new();
    schema.insert("type".into(), json!("object"));
    schema.insert("properties".into(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".into(), json!(required));
    }
    schema.insert("additionalProperties".into(), json!(false));
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = Map::new();
    schema.insert("description".into(), json!(key.about));
    schema.extend(form(&key.form));
    match key.absent {
        Absent::Refused => return Value::Object(schema),
        Absent::Nothing => None,
        Absent::Word(word) => schema.insert("default".into(), json!(word)),
        Absent::Number(number) => schema.insert("default".into(), json!(number)),
        Absent::EmptyList => schema.insert("default".into(), json!([])),
    };
    // A key without a value counts as not there.
    if let Some(kind) = schema.get("type").filter(|kind| kind.is_string()).cloned() {
        schema.insert("type".into(), json!([kind, "null"]));
    } else if let Some(Value::Array(forms)) = schema.get_mut("oneOf") {
        forms.push(json!({"type": "null"}));
    }
    Value::Object(schema)
}

fn form(form: &Form) -> Map<String, Value> {
    let mut schema = Map::new();
    match form {
        Form::Text(Text { pattern, longest, example }) => {
            schema.insert("type".into(), json!("string"));
            if let Some(pattern) = pattern {
                schema.insert("pattern".into(), json!(pattern));
            }
            if let Some(longest) = longest {
                schema.insert("maxLength".into(), json!(longest));
            }
            schema.insert("examples".into(), json!([example]));
        }
        Form::Word(words) => {
            schema.insert("oneOf".into(), Value::Array(constants(words)));
        }
        Form::Number { least, most, .. } => {
            schema.insert("type".into(), json!("integer"));
            schema.insert("minimum".into(), json!(least));
            schema.insert("maximum".into(), json!(most));
        }
        Form::Mapping(keys) => schema = mapping(keys),
        Form::List { items, at_least } => {
            schema.insert("type".into(), json!("array"));
            schema.insert("items".into(), Value::Object(mapping(items)));
            if *at_least > 0 {
                schema.insert("minItems".into(), json!(at_least));
            }
        }
        Form::WordOrMapping { words, mapping: keys, .. } => {
            let mut forms = constants(words);
            forms.push(Value::Object(mapping(keys)));
            schema.insert("oneOf".into(), Value::Array(forms));
        }
    }
    schema
}

/// Each word with what it means: editors show that beside the word.
fn constants(words: &[(&str, &str)]) -> Vec<Value> {
    words.iter().map(|(word, about)| json!({"const": word, "description": about})).collect()
}

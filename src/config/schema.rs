//! The JSON schema of instance files, for editors and for programs that write such files.
//!
//! It is made from the table of keys. What a schema cannot express (overlapping namespaces, regular expressions, the
//! length of the file), only the program checks.

use serde_json::{Map, Value, json};

use crate::config::keys::{INSTANCE, KeyDefault, KeySpec, TextRule, ValueKind};

/// Returns the schema, in the dialect of 2020-12.
pub fn schema() -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".into(), json!("Instance of source-git-bot"));
    let about = "Which GitLab the bot works on, which projects it serves there, and how. A key without a value counts as not \
                 there. A default holds where neither the file nor the preset that it extends says anything.";
    schema.insert("description".into(), json!(about));
    schema.extend(mapping(INSTANCE));
    // A file that extends nothing must say where the bot works.
    schema.insert("if".into(), json!({"required": ["extends"], "properties": {"extends": {"type": "string"}}}));
    let gitlab = json!({"type": "object", "required": ["url"], "properties": {"url": {"type": "string"}}});
    schema.insert(
        "else".into(),
        json!({"required": ["gitlab", "namespaces"], "properties": {"gitlab": gitlab, "namespaces": {"type": "array"}}}),
    );
    Value::Object(schema)
}

fn mapping(keys: &[KeySpec]) -> Map<String, Value> {
    let properties: Map<String, Value> = keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let is_required = |key: &&KeySpec| matches!(key.default, KeyDefault::Required);
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

fn property(key: &KeySpec) -> Value {
    let mut schema = Map::new();
    schema.insert("description".into(), json!(key.about));
    schema.extend(value(&key.kind));
    match key.default {
        KeyDefault::Required => return Value::Object(schema),
        KeyDefault::Unset => None,
        KeyDefault::Word(word) => schema.insert("default".into(), json!(word)),
        KeyDefault::Number(number) => schema.insert("default".into(), json!(number)),
        KeyDefault::EmptyList => schema.insert("default".into(), json!([])),
    };
    // A key without a value counts as not there.
    if let Some(kind) = schema.get("type").filter(|kind| kind.is_string()).cloned() {
        schema.insert("type".into(), json!([kind, "null"]));
    } else if let Some(Value::Array(forms)) = schema.get_mut("oneOf") {
        forms.push(json!({"type": "null"}));
    }
    Value::Object(schema)
}

fn value(kind: &ValueKind) -> Map<String, Value> {
    let mut schema = Map::new();
    match kind {
        ValueKind::Text(TextRule { pattern, longest, example }) => {
            schema.insert("type".into(), json!("string"));
            if let Some(pattern) = pattern {
                schema.insert("pattern".into(), json!(pattern));
            }
            if let Some(longest) = longest {
                schema.insert("maxLength".into(), json!(longest));
            }
            schema.insert("examples".into(), json!([example]));
        }
        ValueKind::Word(words) => {
            schema.insert("oneOf".into(), Value::Array(constants(words)));
        }
        ValueKind::Number { least, most, .. } => {
            schema.insert("type".into(), json!("integer"));
            schema.insert("minimum".into(), json!(least));
            schema.insert("maximum".into(), json!(most));
        }
        ValueKind::Mapping(keys) => schema = mapping(keys),
        ValueKind::List { items, at_least } => {
            schema.insert("type".into(), json!("array"));
            schema.insert("items".into(), Value::Object(mapping(items)));
            if *at_least > 0 {
                schema.insert("minItems".into(), json!(at_least));
            }
        }
        ValueKind::WordOrMapping { words, mapping: keys, .. } => {
            let mut forms = constants(words);
            forms.push(Value::Object(mapping(keys)));
            schema.insert("oneOf".into(), Value::Array(forms));
        }
    }
    schema
}

/// Returns each word with its meaning: editors show that beside the word.
fn constants(words: &[(&str, &str)]) -> Vec<Value> {
    words.iter().map(|(word, about)| json!({"const": word, "description": about})).collect()
}

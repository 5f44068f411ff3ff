//! What becomes of `$VAR` in the value of a variable that is not raw, as `TRIGGER_PAYLOAD` is not.
//!
//! GitLab puts in the job's variables first (`lib/gitlab/ci/variables/collection.rb`), the runner then once more, by the
//! rules of Go's `os.Expand`. A variable that is "not expanded" itself is put into others by the runner nevertheless.

use std::collections::BTreeMap;

/// Expands as GitLab and then the runner do.
pub(crate) fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    by_runner(&by_server(text, variables), variables)
}

const fn starts_name(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_'
}

const fn in_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// The name that a text starts with, if any.
fn name(text: &str) -> Option<&str> {
    let end = text.find(|character| !in_name(character)).unwrap_or(text.len());
    text.get(..end).filter(|name| name.starts_with(starts_name))
}

/// `$$` and `%%` stay, `$VAR`, `${VAR}` and `%VAR%` are replaced where there is such a variable, and stay otherwise.
fn by_server(text: &str, variables: &BTreeMap<String, String>) -> String {
    let (mut expanded, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(['$', '%']) {
        let (before, from) = rest.split_at(at);
        expanded.push_str(before);
        let sign = if from.starts_with('$') { '$' } else { '%' };
        let after = from.get(1..).unwrap_or_default();
        let (found, length) = if after.starts_with(sign) {
            (None, 2)
        } else if sign == '%' {
            let found = name(after).filter(|name| after.get(name.len()..).is_some_and(|end| end.starts_with('%')));
            (found, found.map_or(1, |name| name.len() + 2))
        } else if let Some(braced) = after.strip_prefix('{') {
            let found = name(braced).filter(|name| braced.get(name.len()..).is_some_and(|end| end.starts_with('}')));
            (found, found.map_or(1, |name| name.len() + 3))
        } else {
            let found = name(after);
            (found, found.map_or(1, |name| name.len() + 1))
        };
        let (whole, later) = from.split_at(length.min(from.len()));
        expanded.push_str(found.and_then(|name| variables.get(name)).map_or(whole, String::as_str));
        rest = later;
    }
    expanded + rest
}

/// `os.Expand`: what is not there is empty, `${` takes all up to the next brace, and vanishes where there is none.
fn by_runner(text: &str, variables: &BTreeMap<String, String>) -> String {
    let (mut expanded, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        rest = after;
        let Some(first) = after.chars().next() else {
            expanded.push('$');
            break;
        };
        let value = |name: &str| variables.get(name).map(String::as_str).unwrap_or_default();
        if let Some(braced) = after.strip_prefix('{') {
            rest = braced;
            if let Some((name, later)) = braced.split_once('}') {
                expanded.push_str(if name == "$" { "$" } else { value(name) });
                rest = later;
            }
        } else if first.is_ascii_digit() || "*#$@!?-".contains(first) {
            expanded.push_str(if first == '$' { "$" } else { "" });
            rest = after.get(1..).unwrap_or_default();
        } else {
            let end = after.find(|character| !in_name(character)).unwrap_or(after.len());
            let (name, later) = after.split_at(end);
            expanded.push_str(if name.is_empty() { "$" } else { value(name) });
            rest = later;
        }
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> String {
        let variables = [("A", "one"), ("B_2", "two"), ("C", "$A")];
        expand(text, &variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    #[test]
    fn variables_are_put_in_in_all_three_spellings() {
        assert_eq!(expanded("<$A> <${B_2}> <%A%> <%B_2%>"), "<one> <two> <one> <two>");
        assert_eq!(expanded("<$C>"), "<one>", "the runner goes over what GitLab has put in");
        assert_eq!(expanded("100 % of 5 %, %NO%"), "100 % of 5 %, %NO%");
    }

    /// The examples of merge request 146242 of GitLab: `{"key1":"$MYVAR"}`, and `${ text` that breaks the JSON.
    #[test]
    fn what_is_no_variable_is_lost() {
        assert_eq!(expanded(r#"{"key1":"$MYVAR","key2":"5 $ or $5"}"#), r#"{"key1":"","key2":"5 $ or "}"#);
        assert_eq!(expanded(r#"{"a":"${ text","b":{}}"#), r#"{"a":"}"#);
        assert_eq!(expanded("no end: ${A"), "no end: A");
        assert_eq!(expanded("$"), "$");
        assert_eq!(expanded("$$A"), "$A");
    }
}

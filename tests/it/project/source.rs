//! Reads Rust source as far as the rules about layers need it: what a file uses, re-exports and defines.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

/// A path that a file names, in a `use` or where it is needed, from the crate's root: `crate::pair::note::Note` is
/// `["pair", "note", "Note"]`. A glob ends with `*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path {
    pub(super) segments: Vec<String>,
    pub(super) line: usize,
}

/// A file below `src`.
#[derive(Debug)]
pub(super) struct File {
    /// Such as `pair/note/mod.rs`.
    pub(super) name: String,
    /// Its module: `["pair", "note"]`.
    pub(super) module: Vec<String>,
    /// What it uses. What it merely re-exports is not there.
    pub(super) used: Vec<Path>,
    /// What it re-exports: by the name that others know, and with globs under `*`.
    pub(super) exported: Vec<(String, Path)>,
    /// The names of the items that it defines.
    pub(super) defined: BTreeSet<String>,
}

/// A word, a `::` or another character of code, and its line.
type Token = (String, usize);

/// One name of a `use`: the path as written and the name that it gets.
struct Import {
    written: Vec<String>,
    name: String,
    line: usize,
}

/// An import, the inline modules around it, and whether it is for others too.
type Use = (Import, Vec<String>, bool);

impl File {
    pub(super) fn parse(name: &str, text: &str) -> Self {
        let mut module: Vec<String> = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
            module.pop();
        }
        let tokens = tokens(text);
        let (imports, rest) = imports(&tokens);
        let children = defined(&tokens, &["mod"]);
        let mut file = Self { name: name.to_owned(), module, used: vec![], exported: vec![], defined: BTreeSet::new() };
        let words = rest.iter().map(|((word, _), _)| word.as_str());
        // `mod plan;` beside `pub use plan::plan;` needs nothing.
        let needed: BTreeSet<&str> = iter::once("")
            .chain(words.clone())
            .zip(words)
            .filter(|(before, _)| *before != "mod")
            .map(|(_, word)| word)
            .collect();
        for (import, within, is_public) in &imports {
            let Some(segments) = file.absolute(&import.written, within, &children) else { continue };
            let path = Path { segments, line: import.line };
            if *is_public && within.is_empty() {
                file.exported.push((import.name.clone(), path.clone()));
            }
            // What is re-exported and not needed here is for others alone.
            if !is_public || (import.name != "*" && needed.contains(import.name.as_str())) {
                file.used.push(path);
            }
        }
        for (written, within, line) in inline_paths(&rest) {
            if let Some(segments) = file.absolute(&written, &within, &children) {
                file.used.push(Path { segments, line });
            }
        }
        file.defined = defined(&tokens, &["fn", "struct", "enum", "union", "trait", "type", "const", "static", "mod"]);
        file
    }

    /// A path as written in a module `within` this file, from the crate's root; nothing for other crates' paths.
    fn absolute(&self, written: &[String], within: &[String], children: &BTreeSet<String>) -> Option<Vec<String>> {
        let mut base: Vec<String> = self.module.iter().chain(within).cloned().collect();
        let rest = match written.first()?.as_str() {
            "crate" => {
                base.clear();
                &written[1..]
            }
            "self" => &written[1..],
            "super" => {
                let levels = written.iter().take_while(|part| *part == "super").count();
                base.truncate(base.len().checked_sub(levels)?);
                &written[levels..]
            }
            first if children.contains(first) => {
                base.truncate(self.module.len());
                written
            }
            _ => return None,
        };
        base.extend(rest.iter().cloned());
        Some(base)
    }
}

/// Splits code into tokens; comments, strings and characters are left out.
fn tokens(text: &str) -> Vec<Token> {
    let (bytes, mut tokens, mut at, mut line) = (text.as_bytes(), Vec::new(), 0, 1);
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    while at < bytes.len() {
        let begin = at;
        let (here, next) = (bytes[at], bytes.get(at + 1).copied().unwrap_or_default());
        if text[at..].starts_with("//") {
            at += text[at..].find('\n').unwrap_or(text.len() - at);
        } else if text[at..].starts_with("/*") {
            at = end_of_comment(text, at);
        } else if here == b'"' {
            at = end_of_string(bytes, at);
        } else if here == b'\'' {
            at = end_of_character_or_lifetime(text, at);
        } else if is_word(here) {
            at += bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
            let word = &text[begin..at];
            let prefix = ["r", "b", "br", "c", "cr"].contains(&word);
            let hashes = bytes[at..].iter().take_while(|byte| **byte == b'#').count();
            if prefix && word.contains('r') && bytes.get(at + hashes) == Some(&b'"') {
                let end = format!("\"{}", "#".repeat(hashes));
                let inside = at + hashes + 1;
                at = text[inside..].find(&end).map_or(text.len(), |found| inside + found + end.len());
            } else if prefix && bytes.get(at) == Some(&b'"') {
                at = end_of_string(bytes, at);
            } else if word == "b" && bytes.get(at) == Some(&b'\'') {
                at = end_of_character_or_lifetime(text, at);
            } else {
                tokens.push((word.to_owned(), line));
            }
        } else if here == b':' && next == b':' {
            tokens.push(("::".to_owned(), line));
            at += 2;
        } else {
            if !here.is_ascii_whitespace() {
                tokens.push((char::from(here).to_string(), line));
            }
            at += 1;
        }
        line += bytes[begin..at].iter().filter(|byte| **byte == b'\n').count();
    }
    tokens
}

/// Block comments nest.
fn end_of_comment(text: &str, mut at: usize) -> usize {
    let mut depth = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        let step = match rest {
            [b'/', b'*', ..] => 1,
            [b'*', b'/', ..] => -1,
            _ => 0,
        };
        depth += step;
        at += if step == 0 { 1 } else { 2 };
        if depth == 0 {
            break;
        }
    }
    at
}

fn end_of_string(bytes: &[u8], begin: usize) -> usize {
    let mut at = begin + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// The end of `'x'`, `'\n'`, or of the quote of a lifetime, whose name is then a word.
fn end_of_character_or_lifetime(text: &str, begin: usize) -> usize {
    let mut rest = text[begin + 1..].chars();
    match rest.next() {
        Some('\\') => begin + 3 + text[begin + 3..].find('\'').map_or(0, |found| found + 1),
        Some(character) if rest.next() == Some('\'') => begin + 2 + character.len_utf8(),
        _ => begin + 1,
    }
}

/// The inline modules (`mod tests { … }`) around each token.
fn modules(tokens: &[Token]) -> Vec<Vec<String>> {
    let (mut open, mut all): (Vec<Option<String>>, Vec<Vec<String>>) = (Vec::new(), Vec::new());
    for (number, (token, _)) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => {
                let is_module = number >= 2 && tokens[number - 2].0 == "mod";
                open.push(is_module.then(|| tokens[number - 1].0.clone()));
            }
            "}" => drop(open.pop()),
            _ => {}
        }
        all.push(open.iter().flatten().cloned().collect());
    }
    all
}

/// A token and the inline modules around it.
type Placed = (Token, Vec<String>);

/// What the `use` declarations import, and the tokens that are left.
fn imports(tokens: &[Token]) -> (Vec<Use>, Vec<Placed>) {
    let (modules, mut found, mut rest, mut at) = (modules(tokens), Vec::new(), Vec::new(), 0);
    while at < tokens.len() {
        // `impl Trait + use<'a>` imports nothing.
        let is_use = tokens[at].0 == "use" && tokens.get(at + 1).is_some_and(|(next, _)| next != "<");
        if !is_use {
            rest.push((tokens[at].clone(), modules[at].clone()));
            at += 1;
            continue;
        }
        let is_public = at > 0 && ["pub", ")"].contains(&tokens[at - 1].0.as_str());
        let end = at + tokens[at..].iter().position(|(token, _)| token == ";").unwrap();
        let mut names = Vec::new();
        tree(&tokens[at + 1..end], &[], &mut names);
        found.extend(names.into_iter().map(|name| (name, modules[at].clone(), is_public)));
        at = end + 1;
    }
    (found, rest)
}

/// Reads `a::b::{c, d as e, f::*}` and what may be nested in it.
fn tree(tokens: &[Token], prefix: &[String], found: &mut Vec<Import>) {
    let mut written = prefix.to_vec();
    for (number, (token, line)) in tokens.iter().enumerate() {
        match token.as_str() {
            "::" => {}
            "as" => {
                let name = tokens[number + 1].0.clone();
                return found.push(Import { written, name, line: *line });
            }
            "{" => {
                let mut depth = 0;
                let inside = &tokens[number + 1..tokens.len() - 1];
                let parts = inside.split(|(token, _)| {
                    depth += i32::from(token == "{") - i32::from(token == "}");
                    token == "," && depth == 0
                });
                return parts.filter(|part| !part.is_empty()).for_each(|part| tree(part, &written, found));
            }
            // `a::{self, b}` names `a`.
            "self" if !written.is_empty() => {}
            part => written.push(part.to_owned()),
        }
    }
    let line = tokens.last().map_or(0, |(_, line)| *line);
    let name = written.last().cloned().unwrap_or_default();
    found.push(Import { written, name, line });
}

/// The paths in code that is no `use`: `crate::pair::title::of(…)`, with the modules around and the line.
fn inline_paths(tokens: &[Placed]) -> Vec<(Vec<String>, Vec<String>, usize)> {
    let text = |at: usize| tokens.get(at).map_or("", |((token, _), _)| token.as_str());
    let is_name = |token: &str| token.starts_with(|first: char| first.is_alphabetic() || first == '_');
    let (mut found, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let begin = at;
        at += 1;
        if !is_name(text(begin)) || text(at) != "::" || (begin > 0 && text(begin - 1) == "::") {
            continue;
        }
        let mut written = vec![text(begin).to_owned()];
        while text(at) == "::" && is_name(text(at + 1)) {
            written.push(text(at + 1).to_owned());
            at += 2;
        }
        let ((_, line), within) = &tokens[begin];
        found.push((written, within.clone(), *line));
    }
    found
}

/// The names that stand behind one of these words.
fn defined(tokens: &[Token], words: &[&str]) -> BTreeSet<String> {
    let pairs = tokens.windows(2).filter(|pair| words.contains(&pair[0].0.as_str()));
    pairs.map(|pair| pair[1].0.clone()).collect()
}

/// The files by their modules, so that paths can be followed to the file that they lead to.
#[derive(Debug)]
pub(super) struct Crate<'a>(BTreeMap<&'a [String], &'a File>);

impl<'a> Crate<'a> {
    pub(super) fn of(files: &'a [File]) -> Self {
        Self(files.iter().map(|file| (file.module.as_slice(), file)).collect())
    }

    /// The file that has what a path names, through re-exports.
    pub(super) fn follow(&self, segments: &[String]) -> Option<&'a File> {
        self.follow_at_most(segments, 10)
    }

    fn follow_at_most(&self, segments: &[String], steps: usize) -> Option<&'a File> {
        let length = (0..=segments.len()).rev().find(|length| self.0.contains_key(&segments[..*length]))?;
        let file = self.0[&segments[..length]];
        let Some(name) = segments.get(length).filter(|name| *name != "*" && steps > 0) else { return Some(file) };
        if let Some((_, path)) = file.exported.iter().find(|(exported, _)| exported == name) {
            let further: Vec<String> = path.segments.iter().chain(&segments[length + 1..]).cloned().collect();
            return self.follow_at_most(&further, steps - 1);
        }
        if file.defined.contains(name) {
            return Some(file);
        }
        let globs = file.exported.iter().filter(|(exported, _)| exported == "*");
        let through = globs.filter_map(|(_, path)| {
            let of = &path.segments[..path.segments.len() - 1];
            let further: Vec<String> = of.iter().cloned().chain([name.clone()]).collect();
            self.follow_at_most(&further, steps - 1).filter(|found| found.defined.contains(name))
        });
        Some(through.into_iter().next().unwrap_or(file))
    }
}

//! Which merge requests an instance handles: by project and target branch.

use regex::{Regex, RegexBuilder};

/// The most memory that a compiled pattern may take, in bytes: enough for any list of names, too little for a pattern
/// made to exhaust memory.
const PATTERN_LIMIT: usize = 256 << 10;

/// A regular expression that must match a whole name, like Python's `re.fullmatch`.
#[derive(Clone, Debug)]
pub struct NameRegex {
    text: String,
    whole: Regex,
}

impl NameRegex {
    /// Compiles a pattern. The error says what is wrong with it.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let compile = |pattern: &str| RegexBuilder::new(pattern).size_limit(PATTERN_LIMIT).build();
        // Compile it on its own first: wrapping must not make `a)|(b` a valid pattern.
        compile(text)
            .and_then(|_| compile(&format!(r"\A(?:{text})\z")))
            .map(|whole| Self { text: text.to_owned(), whole })
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => "is too large a regular expression".to_owned(),
                error => {
                    // The last line names the mistake; the lines before it draw the pattern.
                    let text = error.to_string();
                    let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                    format!("is not a regular expression: {}", crate::types::text::printable(why.as_bytes()))
                }
            })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn matches(&self, name: &str) -> bool {
        self.whole.is_match(name)
    }
}

impl PartialEq for NameRegex {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for NameRegex {}

/// The merge requests of some projects into some branches. `None` matches anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    pub project: Option<NameRegex>,
    pub branch: Option<NameRegex>,
}

/// The merge requests that an instance handles: those that match one of its targets. An instance without targets
/// handles all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets(pub(super) Vec<Target>);

impl Targets {
    /// Whether the instance handles merge requests of the source-git project `project` into `branch`.
    pub fn handle(&self, project: &str, branch: &str) -> bool {
        let matches = |pattern: &Option<NameRegex>, name| pattern.as_ref().is_none_or(|pattern| pattern.matches(name));
        self.0.is_empty()
            || self.0.iter().any(|target| matches(&target.project, project) && matches(&target.branch, branch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(project: Option<&str>, branch: Option<&str>) -> Target {
        let pattern = |text: &str| NameRegex::new(text).unwrap();
        Target { project: project.map(pattern), branch: branch.map(pattern) }
    }

    #[test]
    fn a_pattern_matches_the_whole_name() {
        let pattern = NameRegex::new("c[0-9]+s|c9").unwrap();
        assert!(pattern.matches("c9s") && pattern.matches("c10s") && pattern.matches("c9"));
        for name in ["c9s-src-7", "xc9s", "c9s\n", "c9s\nc9s", ""] {
            assert!(!pattern.matches(name), "{name:?}");
        }
        assert!(!NameRegex::new("(?m)^c9s$").unwrap().matches("c9s\nx"));
        assert!(NameRegex::new("a|ab").unwrap().matches("ab"));
    }

    #[test]
    fn without_targets_everything_is_handled() {
        assert!(Targets::default().handle("any/project", "any"));
        assert!(Targets(vec![target(None, None)]).handle("any/project", "any"));
    }

    #[test]
    fn project_and_branch_must_match_the_same_target() {
        let targets = Targets(vec![target(Some("g/src/.+"), Some("c9s")), target(Some("g/src/bash"), None)]);
        assert!(targets.handle("g/src/perl", "c9s"));
        assert!(targets.handle("g/src/bash", "main"));
        assert!(!targets.handle("g/src/perl", "main"));
        assert!(!targets.handle("g/srcs/perl", "c9s"));
    }

    #[test]
    fn an_invalid_pattern_is_refused_in_one_line() {
        for bad in ["(", "a)|(b", "[", "*", r"\", "(?x)a # comment", "a{1,100000}{1,100000}"] {
            let error = NameRegex::new(bad).unwrap_err();
            assert!(error.starts_with("is ") && !error.contains('\n'), "{bad}: {error}");
        }
        assert_eq!(NameRegex::new("(").unwrap_err(), "is not a regular expression: unclosed group");
    }
}

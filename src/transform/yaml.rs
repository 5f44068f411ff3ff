//! The one way to the YAML parser.
//!
//! For each token, libyaml (below `yaml_serde`) looks at every bracket that is open there
//! (`yaml_parser_stale_simple_keys`). Its time grows with the size of the text times the number of open brackets. A
//! hostile text therefore has to be limited in both before it comes here.

use serde::de::DeserializeOwned;

/// Parses `text`, in which the caller has limited the size and the number of [`brackets`].
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, yaml_serde::Error> {
    #[cfg(test)]
    work::count(text);
    yaml_serde::from_str(text)
}

/// Returns how many brackets open in `text`; those in quotes and comments count too.
///
/// It does not count how many are open at once: a closing bracket in quotes closes nothing.
pub(super) fn brackets(text: &[u8]) -> usize {
    text.iter().filter(|byte| is_opening(**byte)).count()
}

fn is_opening(byte: u8) -> bool {
    b"[{".contains(&byte)
}

/// What the parser has to do, in steps instead of seconds.
#[cfg(test)]
pub(super) mod work {
    use std::cell::Cell;

    thread_local! {
        static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    /// Adds an upper bound of the parser's steps: for each byte one, and one for each bracket that was opened before
    /// it.
    pub(super) fn count(text: &str) {
        let mut open = 0;
        let steps = text.bytes().map(|byte| {
            open += usize::from(super::is_opening(byte));
            1 + open
        });
        STEPS.set(STEPS.get() + steps.sum::<usize>());
    }

    /// Returns the parser's steps while `task` runs.
    fn steps_of(task: impl FnOnce()) -> usize {
        STEPS.set(0);
        task();
        STEPS.get()
    }

    /// Checks that `task` gives the parser no more than twice the work when its text has twice the size.
    ///
    /// `slack` steps more are allowed. They are for limits that a text reaches between the two sizes.
    pub(in crate::transform) fn assert_linear(name: &str, size: usize, slack: usize, task: impl Fn(usize)) {
        let [half, whole] = [size / 2, size].map(|size| steps_of(|| task(size)));
        assert!(whole <= 2 * half + slack, "{name:?}: {half} steps for {} bytes, {whole} for {size}", size / 2);
    }

    #[test]
    fn steps_follow_the_brackets() {
        assert_eq!(steps_of(|| drop(super::parse::<serde::de::IgnoredAny>("a: b"))), 4);
        assert_eq!(steps_of(|| drop(super::parse::<serde::de::IgnoredAny>("[[]]"))), 2 + 3 + 3 + 3);
    }
}

//! What the process passes to operations. `main` reads it once; nothing below reads the process itself.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// The environment's variables, and where to look for programs.
#[derive(Clone, Debug)]
pub struct ProcessContext {
    /// The variable `PATH`: where to look for git.
    pub search_path: OsString,
    /// All variables whose names and values are valid UTF-8.
    pub variables: BTreeMap<String, String>,
}

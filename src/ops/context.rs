//! What the process hands to an operation.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::cli::terminal::Paint;

/// What a command has from the process it runs in.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The variable `PATH`: where git is looked for.
    pub search_path: OsString,
    /// All variables that are text.
    pub variables: BTreeMap<String, String>,
    /// How standard output is painted.
    pub paint: Paint,
}

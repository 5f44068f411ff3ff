//! What the process hands to operations. `main` reads it once; nothing below reads the process itself.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// The variables of the environment, and where programs are looked for.
#[derive(Clone, Debug)]
pub struct ProcessContext {
    /// The variable `PATH`: where git is looked for.
    pub search_path: OsString,
    /// All variables that are text.
    pub variables: BTreeMap<String, String>,
}

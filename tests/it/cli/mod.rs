//! The command line as a whole: usage errors, help, completions, and the reference that is generated from it.

mod completions;
mod json_output;
mod reference;
mod usage;

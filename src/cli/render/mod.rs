//! Turns the results of operations into text for people and data for programs: one file for each command.

pub(crate) mod change;
pub(crate) mod doctor;
pub(crate) mod onboard;
pub(crate) mod preview;
pub(crate) mod reconcile;
pub(crate) mod report;
pub(crate) mod sync;
pub(crate) mod transformation;

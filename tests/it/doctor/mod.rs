//! `doctor`.

mod checks;
mod instances;
mod world;

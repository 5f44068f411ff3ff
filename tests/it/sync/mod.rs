//! `sync`.

mod dry_run;
mod faults;
mod hangs;
mod limits;
mod refusals;
mod requests;
mod world;
mod writes;

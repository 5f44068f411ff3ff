//! `report`.

mod any_order;
mod changes_meanwhile;
mod dry_run;
mod faults;
mod jobs;
mod note;
mod places;
mod requests;
mod statuses;
mod trust;
mod world;

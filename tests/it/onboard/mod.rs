//! `onboard`.

mod copies;
mod faults;
mod production;
mod rights;
mod staging;
mod webhooks;
mod world;

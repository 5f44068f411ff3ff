//! `update-dist-git`.

mod histories;
mod refusals;
mod writes;

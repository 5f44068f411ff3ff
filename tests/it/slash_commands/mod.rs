//! Comment commands, such as `/dist-git retest`.

mod commands;
mod faults;
mod world;

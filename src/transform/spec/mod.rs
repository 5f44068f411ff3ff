//! A spec edited as text: patches are named in it, everything else stays as it is, byte for byte.
//!
//! No macro is ever expanded by running anything; the spec may be in any encoding and need not even be one that rpm
//! can parse. What cannot be known without running it is said, not guessed.
//!
//! `lines` takes a spec apart, `macros` and `entries` read the patches it names, `insert` says where further ones go,
//! `comment` makes text harmless, `prep` reads how `%prep` applies patches, `add` puts it all together, and
//! `changelog` and `version` serve packages that keep a changelog of their own in dist-git.

mod add;
mod calls;
mod changelog;
mod comment;
mod entries;
mod insert;
mod lines;
mod macros;
mod new_patch;
mod prep;
mod version;

use crate::transform::spec::entries::Entries;
use crate::transform::spec::lines::Lines;
use crate::transform::spec::macros::Macros;

pub use crate::transform::spec::add::{Edited, add_patches};
pub use crate::transform::spec::changelog::take_changelog;
pub use crate::transform::spec::entries::SpecPatch;
pub use crate::transform::spec::new_patch::{NewPatch, Strip};
pub use crate::transform::spec::prep::{ApplyStyle, Tool, Way};
pub use crate::transform::spec::version::{release, version};

/// Returns the patches that `spec` names, in the order of their numbers; those without one stay where they are in the
/// text.
pub fn patches(spec: &[u8]) -> Vec<SpecPatch> {
    let lines = Lines::parse(spec);
    let macros = Macros::collect(&lines);
    Entries::read(&lines, &macros).in_order()
}

/// Returns how `%prep` of `spec` applies patches.
pub fn apply_style(spec: &[u8]) -> ApplyStyle {
    let lines = Lines::parse(spec);
    ApplyStyle::read(&lines, &Macros::collect(&lines))
}

//! Operations on git objects, against git itself.

mod replay;

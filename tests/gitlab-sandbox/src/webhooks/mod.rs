//! Webhooks at work: what an event's body is, and how it gets to where a hook points.
//!
//! GitLab sends them a moment later. Here they go out, by real HTTP, when the request that caused them has taken effect and
//! before it is answered; what a test did itself goes out when somebody looks, or by [`crate::Handle::deliver_webhooks`].
//! The model is not locked meanwhile.

pub(crate) mod bodies;
pub(crate) mod delivery;
mod post;
pub(crate) mod template;

//! A GitLab that is reached in a certain way.

use gitlab_sandbox::{Scheme, Settings, Visibility};

use crate::support::world::World;

/// A GitLab with a merge request.
pub(super) fn world(scheme: Scheme, external_url: Option<&str>) -> (World, u64) {
    let settings = Settings { scheme, external_url: external_url.map(str::to_owned), ..Settings::default() };
    let world = World::with(&settings, Visibility::Public);
    let iid = world.contribute();
    (world, iid)
}

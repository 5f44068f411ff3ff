//! The repositories themselves, for tests that ask git more than one question about them.

use std::path::PathBuf;

use super::project_mut;
use crate::sandbox::Handle;

impl Handle {
    /// Where a project's bare repository is. To be read only: what moves a branch here, nobody notices.
    #[must_use]
    pub fn repository(&self, project: &str) -> PathBuf {
        project_mut(&mut self.0.model(), project).repository.path().to_owned()
    }
}

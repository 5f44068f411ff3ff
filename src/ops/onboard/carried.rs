//! Whether a package's packaging has its CI file copied to dist-git.

use crate::setup::ci_file::{DIST_GIT_PATH, SOURCE_GIT_PATH};
use crate::transform::config::PackageConfig;
use crate::transform::files::{self, CopyPlan, ReceiverFiles};
use crate::types::{BlobId, File, FileMode, FileTree, RepoPath};

/// Whether a change of the CI file in source-git gets to dist-git, by the package's `.distro/source-git.yaml`. True as
/// well for a file that cannot be read: the user learns of that elsewhere.
pub(crate) fn is_carried(source_git_yaml: &[u8]) -> bool {
    fn carried(yaml: &[u8]) -> Option<bool> {
        let file = |number| File { mode: FileMode::Regular, blob: BlobId::from_bytes([number; 20]) };
        let (config, _) = PackageConfig::parse(yaml).ok()?;
        let plan = CopyPlan::parse(&config.files_to_sync).ok()?;
        let (from, to) = (RepoPath::parse(SOURCE_GIT_PATH).ok()?, RepoPath::parse(DIST_GIT_PATH).ok()?);
        let source_git = FileTree::from([(config.spec_path, file(3)), (from, file(1))]);
        let dist_git = FileTree::from([(to.clone(), file(2))]);
        let synced = files::sync(&plan, &source_git, &dist_git, ReceiverFiles::Carried).ok()?;
        Some(synced.files.get(&to) == Some(&file(1)))
    }
    carried(source_git_yaml).unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_to_sync_decides_whether_the_ci_file_is_carried() {
        let with =
            |items: &str| is_carried(format!("specfile_path: .distro/x.spec\nfiles_to_sync:\n{items}").as_bytes());
        assert!(with("- {src: .distro/, dest: ., delete: true, filters: [protect .git*, exclude source-git.yaml]}"));
        assert!(with("- {src: .distro/.gitlab-ci.yml, dest: .gitlab-ci.yml}"));
        assert!(!with("- {src: .distro/, dest: ., filters: [exclude .git*]}"));
        assert!(!with("- {src: .distro/x.spec, dest: x.spec}"));
        assert!(!is_carried(b"specfile_path: .distro/x.spec"));
        assert!(is_carried(b"[") && is_carried(b"files_to_sync: [{src: ../x, dest: .}]"));
    }
}

//! Keys that have no effect on the transformation, and what to tell people about them.

use crate::transform::config::file::KEYS;
use crate::types::Finding;
use crate::types::finding::quoted;

/// The longest key that is compared with the known ones, in bytes. The cost grows with the product of the lengths.
const LONGEST_COMPARED: usize = 64;

/// How many characters of a key may be wrong for a hint at a known key.
const MOST_WRONG: usize = 3;

/// Keys of packit's configuration that have no effect on the transformation.
const WITHOUT_EFFECT: &[&str] = &[
    "additional_initial_checkout_branches",
    "allowed_gpg_keys",
    "allowed_pr_authors",
    "allowed_committers",
    "archive_root_dir_template",
    "command_handler",
    "command_handler_image_reference",
    "command_handler_k8s_namespace",
    "command_handler_pvc_volume_specs",
    "command_handler_pvc_env_var",
    "command_handler_work_dir",
    "copy_upstream_release_description",
    "create_pr",
    "create_sync_note",
    "create_tarball_command",
    "current_version_command",
    "debug",
    "deployment",
    "dist_git_base_url",
    "dist_git_namespace",
    "downstream_branch_name",
    "downstream_project_url",
    "dry_run",
    "files_to_sync_after",
    "fas_password",
    "fas_user",
    "follow_fedora_branches",
    "issue_repository",
    "jobs",
    "merge_pr_in_ci",
    "metadata",
    "monitoring",
    "notifications",
    "packages",
    "parse_time_macros",
    "paths",
    "pkg_tool",
    "prerelease_suffix_macro",
    "prerelease_suffix_pattern",
    "release_suffix",
    "require",
    "spec_source_id",
    "srpm_build_deps",
    "status_name_template",
    "sync_test_job_statuses_with_builds",
    "test_command",
    "update_release",
    "upstream_package_name",
    "upstream_project_name",
    "upstream_tag_exclude",
    "upstream_tag_include",
    "upstream_tag_template",
    "use_local_content",
    "version_update_mask",
];

/// Returns what to say about a key that [`crate::transform::config::file`] does not read.
pub(super) fn finding_about(key: &str) -> Finding {
    if key == "actions" {
        return Finding::warning("`actions` are never run")
            .remedy("remove them, or run them by hand where they matter");
    }
    if WITHOUT_EFFECT.contains(&key) {
        return Finding::note(format!("`{key}` has no effect here"));
    }
    let finding = Finding::warning(format!("{} is no key of a package configuration", quoted(key.as_bytes())));
    match closest(key) {
        Some(known) => finding.remedy(format!("correct it to `{known}`, or remove it")),
        None => finding.remedy("remove it"),
    }
}

/// Returns the known key that `key` is probably meant to be.
fn closest(key: &str) -> Option<&'static str> {
    if key.len() > LONGEST_COMPARED {
        return None;
    }
    let known = KEYS.iter().chain(WITHOUT_EFFECT).map(|known| (strsim::levenshtein(key, known), *known));
    known.min_by_key(|(distance, _)| *distance).filter(|(distance, _)| *distance <= MOST_WRONG).map(|(_, known)| known)
}

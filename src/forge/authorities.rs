//! The certificate authorities whose word counts for GitLab's own certificate.
//!
//! Those of a file, or those that the system comes with, found without the environment: whoever can set variables of a
//! CI job must not be able to add an authority (`SSL_CERT_FILE`). git gets neither, so both trust the same.

use std::path::Path;

use reqwest::Certificate;

use crate::types::error::ForgeError;

/// Where systems keep all authorities in one file: Debian, Alpine and Arch; Fedora and its kin, of late and before;
/// openSUSE; macOS.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Returns the authorities that an instance's own file names.
pub(super) fn of_file(path: &Path) -> Result<Vec<Certificate>, ForgeError> {
    let wrong = |what: String| ForgeError::Misconfigured(format!("CA file `{}`{what}", path.display()));
    let pem = std::fs::read(path).map_err(|e| wrong(format!(": {e}")))?;
    let certificates = Certificate::from_pem_bundle(&pem).ok().filter(|certificates| !certificates.is_empty());
    certificates.ok_or_else(|| wrong(" holds no certificate in PEM form".to_owned()))
}

/// Returns the system's authorities; none where it has no bundle in any of the usual places.
pub(super) fn of_system() -> Vec<Certificate> {
    let bundles = BUNDLES.iter().filter_map(|path| std::fs::read(path).ok());
    let mut certificates = bundles.filter_map(|pem| Certificate::from_pem_bundle(&pem).ok());
    certificates.find(|certificates| !certificates.is_empty()).unwrap_or_default()
}

//! What can go wrong with a repository on a server, in kinds that a caller can branch on.

/// Why a repository could not be reached or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// The network or the server failed, and went on to fail.
    #[error("{role}: the git server cannot be reached: {said}")]
    Unavailable {
        /// Which repository.
        role: &'static str,
        /// What git says.
        said: String,
    },
    /// The server does not let this user in, or there is no such repository: GitLab does not tell which.
    #[error("{role}: no access to the repository, or there is none: {said}")]
    Denied {
        /// Which repository.
        role: &'static str,
        /// What git says.
        said: String,
    },
    /// A ref that was asked for is not there.
    #[error("{role}: {said}")]
    MissingRef {
        /// Which repository.
        role: &'static str,
        /// What git says.
        said: String,
    },
    /// The branch is no longer where it was seen.
    #[error("{role}: the branch was changed by somebody else meanwhile")]
    Stale {
        /// Which repository.
        role: &'static str,
    },
    /// The server lacks history that the pushed commit builds on, and the clone does not have it either.
    #[error("{role}: the server lacks the commit that the new one builds on")]
    TooShallow {
        /// Which repository.
        role: &'static str,
    },
    /// The server's certificate comes from no authority that is trusted.
    #[error("{role}: the server's certificate is not trusted: {said}")]
    Untrusted {
        /// Which repository.
        role: &'static str,
        /// What git says.
        said: String,
    },
    /// The server refuses, for its own reason.
    #[error("{role}: the server refuses: {said}")]
    Refused {
        /// Which repository.
        role: &'static str,
        /// What git and the server say.
        said: String,
    },
}

impl RemoteError {
    /// Returns what to do about it, where that is known.
    pub fn remedy(&self) -> Option<&'static str> {
        let is_untrusted = matches!(self, Self::Untrusted { .. });
        is_untrusted.then_some(
            "set `gitlab.ca_file` of the instance to a file with the certificate (PEM) of the authority behind the server's",
        )
    }

    /// Whether it is about what was committed: objects that git does not take, or not any more.
    pub fn is_about_content(&self) -> bool {
        match self {
            Self::Refused { said, .. } | Self::Unavailable { said, .. } => {
                ["maximum allowed tree depth", "fsck error"].iter().any(|part| said.contains(part))
            }
            _ => false,
        }
    }
}

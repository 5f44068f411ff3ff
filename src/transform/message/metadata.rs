//! The metadata of a patch, and the trailer tokens that carry it.

use bstr::BString;

use crate::transform::message::file_name::PatchFileName;

/// What the message of a commit says about its patch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchMetadata {
    /// `Patch-name`: the name of the patch file. Without it, git names the file.
    pub file_name: Option<PatchFileName>,
    /// `Patch-id`: the number of the Patch tag. Without it, the tag gets the next free number.
    pub number: Option<u32>,
    /// `Patch-status`, or the older `description`: the text of the comment in the spec, as it was written.
    pub status: Option<BString>,
    /// `Patch-present-in-specfile`: the spec names the patch already, and is not edited for it.
    pub present_in_spec: bool,
    /// `Ignore-patch`: the commit gets no patch file.
    pub ignore: bool,
    /// `No-prefix`: the patch names files without `a/` and `b/`.
    pub no_prefix: bool,
    /// `squash_commits` of the older notation: the commits without metadata directly before this one join its patch.
    pub squash_legacy: bool,
    pub source: MetadataSource,
}

/// The notation that a commit uses for its metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetadataSource {
    /// The message says nothing about the patch.
    #[default]
    None,
    Trailers,
    /// YAML at the end of the message.
    Legacy,
}

/// A trailer token that says something about the patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PatchToken {
    Name,
    Id,
    Status,
    PresentInSpecfile,
    Ignore,
    NoPrefix,
}

impl PatchToken {
    pub(super) const ALL: [Self; 6] =
        [Self::Name, Self::Id, Self::Status, Self::PresentInSpecfile, Self::Ignore, Self::NoPrefix];

    /// Returns the token as packit defines it. Upper and lower case matter.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "Patch-name",
            Self::Id => "Patch-id",
            Self::Status => "Patch-status",
            Self::PresentInSpecfile => "Patch-present-in-specfile",
            Self::Ignore => "Ignore-patch",
            Self::NoPrefix => "No-prefix",
        }
    }

    pub(super) fn parse(token: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str().as_bytes() == token)
    }
}

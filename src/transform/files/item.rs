//! An item of `files_to_sync` as the configuration has it.

use bstr::BString;

/// What to do if more than the last component of `dest` is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MakePath {
    /// Refuse the item, as rsync does without `--mkpath`.
    #[default]
    LastComponent,
    /// Create all missing components.
    All,
}

/// What to do with files in a transferred directory that the sender does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delete {
    #[default]
    Nothing,
    /// Delete those that no filter rule protects, as rsync does with `--delete`.
    Extraneous,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyItem {
    /// Paths or globs in source-git. A trailing slash means the contents of a directory, not itself.
    ///
    /// A path whose last component does not exist is ignored. As with rsync, the directory above it must exist, and so
    /// must a directory whose contents are meant.
    pub src: Vec<BString>,
    /// A path in dist-git. A trailing slash means that it is a directory.
    pub dest: BString,
    pub mkpath: MakePath,
    pub delete: Delete,
    /// rsync filter rules. The first one that matches decides.
    pub filters: Vec<BString>,
}

//! Files of a branch: reads one, or writes several in one commit, without a clone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gitlab::api::common::{NameOrId, path_escaped};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::forge::client::Forge;
use crate::forge::projects::ProjectRef;
use crate::forge::request::RawRequest;
use crate::types::error::ForgeError;
use crate::types::{BranchName, CommitId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileActionKind {
    /// GitLab refuses the commit where the file exists.
    Create,
    /// GitLab refuses the commit where the file does not exist.
    Update,
}

/// A file of a new commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileAction<'a> {
    pub change: FileActionKind,
    /// The path from the repository's root.
    pub path: &'a str,
    /// The new content.
    pub content: &'a [u8],
}

/// The author of a new commit. The committer is always the token's user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewCommitAuthor<'a> {
    pub name: &'a str,
    pub email: &'a str,
}

#[derive(Deserialize)]
struct Committed {
    id: CommitId,
}

impl Forge {
    /// Returns a file's content; `None` where the branch has no such file, or the project has no such branch.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] where the project does not exist, or this user may not read its repository;
    /// [`ForgeError::TooLong`] where the file is longer than 32 MiB.
    pub fn raw_file<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        branch: &BranchName,
        path: &str,
    ) -> Result<Option<Vec<u8>>, ForgeError> {
        let project = NameOrId::from(project.into());
        let path = format!("projects/{project}/repository/files/{}/raw", path_escaped(path));
        match self.transport.send(&RawRequest::get(path).with("ref", branch.as_str()), &[]) {
            Ok(answer) => Ok(Some(answer.body)),
            // Only GitLab's sentence distinguishes a missing file or branch ("404 File Not Found", "404 Commit Not
            // Found") from a missing project.
            Err(ForgeError::NotFoundOrNoAccess(failure))
                if failure.message.contains("File Not Found") || failure.message.contains("Commit Not Found") =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Commits files to a branch in one commit, and returns the commit. In an empty project GitLab creates the branch
    /// and makes it the default.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Refused`] where the branch does not exist, a file to create exists, or a file to update does not;
    /// [`ForgeError::Forbidden`] where this user may not push to the branch.
    pub fn commit_files<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        branch: &BranchName,
        message: &str,
        files: &[FileAction<'_>],
        author: Option<NewCommitAuthor<'_>>,
    ) -> Result<CommitId, ForgeError> {
        let actions: Vec<Value> = files.iter().map(action).collect();
        let mut body = json!({
            "branch": branch.as_str(),
            "commit_message": message,
            "actions": actions,
            "stats": false,
        });
        if let (Some(author), Some(body)) = (author, body.as_object_mut()) {
            body.insert("author_name".to_owned(), json!(author.name));
            body.insert("author_email".to_owned(), json!(author.email));
        }
        let path = format!("projects/{}/repository/commits", NameOrId::from(project.into()));
        let committed: Committed = self.query(&RawRequest::post(path, body))?;
        Ok(committed.id)
    }
}

fn action(file: &FileAction<'_>) -> Value {
    let action = match file.change {
        FileActionKind::Create => "create",
        FileActionKind::Update => "update",
    };
    json!({
        "action": action,
        "file_path": file.path,
        "encoding": "base64",
        "content": STANDARD.encode(file.content),
    })
}

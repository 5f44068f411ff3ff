//! What the bot announces in the dist-git merge request: the few things that its reviewers need to know, each once.
//!
//! Each such note ends in a hidden line with its announcement. So if a run breaks off, the next one does not repeat it.

use serde::{Deserialize, Serialize};

use crate::pair::{markers, sanitize};
use crate::types::{BranchName, CommitId, MergeRequestIid, ProjectPath};

/// Something that happened to the source-git merge request or to the bot's branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum Announcement {
    /// The source-git merge request was closed.
    Closed,
    /// It was reopened.
    Reopened,
    /// Somebody asked the bot to reopen the dist-git merge request.
    AskedFor,
    /// The source-git merge request is for the branch of this dist-git merge request again.
    Returned,
    /// The source-git merge request is for another branch now.
    Retargeted { to: BranchName },
    /// The bot's branches are in another project now.
    Moved,
    /// The source-git merge request was merged.
    Merged {
        /// The commit by which the target branch got it, if GitLab says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<CommitId>,
    },
    /// The source-git merge request was merged, and the dist-git one cannot follow it.
    MergedApart {
        /// The commit by which the target branch got it, if GitLab says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<CommitId>,
    },
    /// The source-git merge request does not exist any more.
    Gone,
    /// The bot rebuilds its branch, over what people pushed to it.
    Overwritten {
        /// The commit that the branch held.
        was: CommitId,
    },
}

/// The source-git merge request, as an announcement names it.
#[derive(Clone, Copy, Debug)]
pub struct AnnouncedMergeRequest<'a> {
    /// The source-git project.
    pub path: &'a ProjectPath,
    pub merge_request: MergeRequestIid,
    /// The address of its page.
    pub url: &'a str,
}

/// Returns the note with `announcement`.
pub fn note(announcement: &Announcement, about: AnnouncedMergeRequest<'_>) -> String {
    let AnnouncedMergeRequest { path, merge_request, url } = about;
    let source = format!("The source-git merge request [{path}!{merge_request}]({url})");
    let text = match announcement {
        Announcement::Closed => format!(
            "{source} was closed, so the bot closes this merge request too, and reopens it if the source-git one is reopened. To \
             keep the change all the same, reopen this merge request: the bot then leaves it alone."
        ),
        Announcement::Reopened => format!("{source} was reopened, so the bot reopens this merge request too."),
        Announcement::AskedFor => format!(
            "The bot reopens this merge request: somebody asked for it with the command `recreate` in [{path}!{merge_request}]({url})."
        ),
        Announcement::Returned => format!("{source} is for this branch again, so the bot reopens this merge request."),
        Announcement::Retargeted { to } => format!(
            "{source} is for the branch {} now, so the bot closes this merge request. The change continues in a merge request for \
             that branch.",
            sanitize::code(to.as_str().as_bytes())
        ),
        Announcement::Moved => {
            "The bot's branches are in another project now, so the bot closes this merge request. The change continues \
                        in a new one from there."
                .to_owned()
        }
        Announcement::Merged { commit } => format!(
            "{source} was merged{}. You can merge this merge request now. Until you do, the bot keeps it in step with the target \
             branch in source-git.",
            merged_as(commit)
        ),
        Announcement::MergedApart { commit } => format!(
            "{source} was merged{}. This merge request may differ from what was merged: the bot's note on the source-git one says \
             why, and what to do.",
            merged_as(commit)
        ),
        Announcement::Gone => format!(
            "The source-git merge request {path}!{merge_request} does not exist any more, so the bot closes this one. To keep the \
             change all the same, reopen this merge request: the bot then leaves it alone."
        ),
        Announcement::Overwritten { was } => format!(
            "The bot rebuilds its branch, because somebody asked for it with the command `recreate`. The branch held commit {}, \
             which the versions of this merge request still show.",
            sanitize::code(was.to_string().as_bytes())
        ),
    };
    format!("{text}\n\n{}", markers::announcement_line(announcement))
}

fn merged_as(commit: &Option<CommitId>) -> String {
    let name = commit.map(|commit| format!(" as {}", sanitize::code(commit.short().as_bytes())));
    name.unwrap_or_default()
}

/// Reads the announcement from a note of the bot; `None` if the note is not an announcement.
pub fn read(body: &str) -> Option<Announcement> {
    markers::read_announcement(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_every_announcement_and_each_names_what_it_is_about() {
        let path: ProjectPath = "src/hello".parse().unwrap();
        let url = "https://gitlab.example/src/hello/-/merge_requests/7";
        let about = AnnouncedMergeRequest { path: &path, merge_request: MergeRequestIid(7), url };
        let commit = CommitId::from_bytes([0xab; 20]);
        for announcement in [
            Announcement::Closed,
            Announcement::Reopened,
            Announcement::AskedFor,
            Announcement::Returned,
            Announcement::Retargeted { to: "c10s".parse().unwrap() },
            Announcement::Moved,
            Announcement::Merged { commit: Some(commit) },
            Announcement::Merged { commit: None },
            Announcement::MergedApart { commit: Some(commit) },
            Announcement::MergedApart { commit: None },
            Announcement::Gone,
            Announcement::Overwritten { was: commit },
        ] {
            let note = note(&announcement, about);
            assert_eq!(read(&note), Some(announcement));
            assert!(
                note.contains("src/hello!7") || note.contains("abababababab") || note.contains("\"moved\""),
                "{note}"
            );
        }
        assert_eq!(read("The source-git merge request was closed."), None);
    }

    #[test]
    fn announces_a_merge() {
        let path: ProjectPath = "src/hello".parse().unwrap();
        let url = "https://gitlab.example/src/hello/-/merge_requests/7";
        let about = AnnouncedMergeRequest { path: &path, merge_request: MergeRequestIid(7), url };
        let announcement = Announcement::Merged { commit: Some(CommitId::from_bytes([0xab; 20])) };
        insta::assert_snapshot!(note(&announcement, about), @r#"
        The source-git merge request [src/hello!7](https://gitlab.example/src/hello/-/merge_requests/7) was merged as `ababababab`. You can merge this merge request now. Until you do, the bot keeps it in step with the target branch in source-git.

        <!-- source-git-bot v1: told {"news":"merged","commit":"abababababababababababababababababababab"} -->
        "#);
    }
}

//! Notes on merge requests, and reactions to them.

use super::Model;
use super::text::{Place, stored};
use crate::clock::Moment;

/// A note, by a person or by GitLab itself.
#[derive(Debug, Clone)]
pub struct Note {
    /// The note's id.
    pub id: u64,
    /// The global id of the merge request.
    pub merge_request: u64,
    /// Who wrote it.
    pub author: u64,
    /// The text as stored: quick actions taken out.
    pub body: String,
    /// Whether GitLab wrote it (`changed the description`).
    pub system: bool,
    /// Whether only project members see it.
    pub internal: bool,
    /// When it was written.
    pub created_at: Moment,
    /// When it was last edited.
    pub updated_at: Moment,
    /// How often it was edited.
    pub edits: u32,
    /// Not readable for anyone (a system note about something private): GitLab leaves it out of a page after
    /// paging, so that the page is short.
    pub withheld: bool,
    /// Reactions: id, user and name.
    pub reactions: Vec<(u64, u64, String)>,
}

/// The longest note, in characters.
pub(crate) const MAX_NOTE: usize = 1_000_000;

/// What came of a text that somebody wanted to add as a note.
pub(crate) enum Added {
    Note(u64),
    /// Only quick actions: no note is left.
    CommandsOnly(Vec<String>),
    Blank,
    TooLong,
}

impl Model {
    pub(crate) fn add_note(&mut self, merge_request: u64, author: u64, text: &str, internal: bool) -> Added {
        if text.trim().is_empty() {
            return Added::Blank;
        }
        if text.chars().count() > MAX_NOTE {
            return Added::TooLong;
        }
        let (body, commands) = stored(text);
        self.act_on(author, merge_request, Place::Note, &body, &commands);
        if body.is_empty() {
            return Added::CommandsOnly(commands);
        }
        let id = self.push_note(merge_request, author, body, false, internal);
        self.tell_note(id, "create");
        Added::Note(id)
    }

    pub(crate) fn update_note(&mut self, id: u64, text: &str) -> Added {
        if text.trim().is_empty() {
            return Added::Blank;
        }
        if text.chars().count() > MAX_NOTE {
            return Added::TooLong;
        }
        let (body, commands) = stored(text);
        let Some((merge_request, author)) = self.notes.get(&id).map(|note| (note.merge_request, note.author)) else {
            return Added::Blank;
        };
        self.act_on(author, merge_request, Place::Note, &body, &commands);
        let now = self.now();
        let mut edited = false;
        if let Some(note) = self.notes.get_mut(&id) {
            edited = note.body != body;
            if edited {
                note.edits += 1;
            }
            note.body = body;
            note.updated_at = now;
        }
        if edited {
            self.tell_note(id, "update");
        }
        Added::Note(id)
    }

    /// Adds a note in GitLab's own words.
    pub(crate) fn system_note(&mut self, merge_request: u64, author: u64, text: &str) {
        self.push_note(merge_request, author, text.to_owned(), true, false);
    }

    pub(crate) fn push_note(
        &mut self,
        merge_request: u64,
        author: u64,
        body: String,
        system: bool,
        internal: bool,
    ) -> u64 {
        let (id, now) = (self.next_id(), self.now());
        let note = Note {
            id,
            merge_request,
            author,
            body,
            system,
            internal,
            created_at: now,
            updated_at: now,
            edits: 0,
            withheld: false,
            reactions: Vec::new(),
        };
        self.notes.insert(id, note);
        if let Some(request) = self.merge_requests.get_mut(&merge_request) {
            request.updated_at = now;
        }
        id
    }
}

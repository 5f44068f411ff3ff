//! What `report` has to do for one source-git commit, as a plain value computed from what was observed.
//!
//! Statuses come before the note, which remembers what became of them: so nothing is asked or refused twice. What was
//! observed says everything; which call came first or how often does not matter.

use crate::pair::ci::{CiResults, MergeRequestPhase};
use crate::pair::facts::SourceNote;
use crate::pair::note;
use crate::pair::note::ci_results::{Acceptance, CiSection, StatusesState};
use crate::pair::statuses::{
    self, PostedStatus, StatusDetail, StatusFingerprint, StatusPlace, StatusPost, WantedStatus,
};
use crate::types::{CommitId, NoteId, UserId};

/// Everything that the plan depends on, but for the statuses that are there.
#[derive(Clone, Debug)]
pub struct ReportFacts {
    /// The bot's own user.
    pub bot: UserId,
    /// What dist-git's CI says.
    pub results: CiResults,
    /// Whether dist-git still holds the commit that the results are for.
    pub commit_age: CommitAge,
    /// The newest commit of the source-git merge request.
    pub head: CommitId,
    /// The bot's note on it, where there is one.
    pub note: Option<SourceNote>,
    /// Whether the statuses are as the note remembers them.
    pub remembered: RememberedResults,
    /// Where statuses for the commit are seen, if anywhere.
    pub place: Option<StatusPlace>,
    /// How much the statuses show.
    pub detail: StatusDetail,
    /// The address of the dist-git merge request.
    pub merge_request: String,
}

/// Whether the statuses are as the note remembers them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RememberedResults {
    /// They are.
    #[default]
    Trusted,
    /// Another job has written the note while this one posted statuses: they have to be looked at.
    Doubted,
}

/// Whether dist-git still holds a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitAge {
    /// It is what dist-git holds now.
    Newest,
    /// dist-git has moved on: what has not ended does not matter any more.
    Older,
}

/// What to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportPlan {
    /// The statuses to post, in this order.
    pub posts: Vec<StatusPost>,
    /// What the note is to say then.
    pub note: Option<NoteEdit>,
}

impl ReportPlan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A note with other results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteEdit {
    /// Which one.
    pub id: NoteId,
    /// What it says now.
    pub before: String,
    /// What it is to say.
    pub after: String,
}

impl ReportFacts {
    /// Returns the statuses that should be there.
    pub fn wanted(&self) -> Vec<WantedStatus> {
        let mut results = self.results.clone();
        if self.commit_age == CommitAge::Older {
            results.merge_request = MergeRequestPhase::MovedOn;
        }
        statuses::wanted(&results, self.detail, &self.merge_request)
    }

    /// Returns the results that the note shows.
    pub fn section(&self) -> Option<CiSection> {
        self.note.as_ref().and_then(|note| CiSection::read(&note.body))
    }

    /// Returns where it has to be looked which statuses are there: here, and where older ones were left open.
    ///
    /// What the note remembers to have been posted is there, and what GitLab refused it would refuse again.
    pub fn places_to_look_at(&self) -> Vec<StatusPlace> {
        let is_known = |place: &&StatusPlace| {
            let known = self.known_at(place);
            known.is_some_and(|known| {
                let is_same = self.remembered == RememberedResults::Trusted
                    && known.fingerprint == StatusFingerprint::of(&self.wanted());
                known.acceptance == Acceptance::No || is_same
            })
        };
        let here = self.place.iter().filter(|place| !is_known(place)).cloned();
        here.chain(self.left_open()).collect()
    }

    /// What the note remembers of the statuses at a place.
    fn known_at(&self, place: &StatusPlace) -> Option<StatusesState> {
        let known = self.section().and_then(|section| section.state.statuses);
        known.filter(|known| known.place == *place)
    }

    /// Where statuses may be open that nobody looks at any more: of older commits, and of this one where they would be
    /// seen elsewhere by now, on a merge of it or nowhere.
    fn left_open(&self) -> Vec<StatusPlace> {
        let Some(CiSection { state, .. }) = self.section().filter(|_| self.commit_age == CommitAge::Newest) else {
            return Vec::new();
        };
        let mut places = state.left_open_beside(self.results.commit);
        if state.commit == self.results.commit
            && let Some(known) = state.statuses.filter(|known| known.acceptance != Acceptance::No)
        {
            places.push(known.place);
        }
        places.retain(|place| self.place.as_ref().map(StatusPlace::sha) != Some(place.sha()));
        places
    }

    /// Returns what is to be posted. `posted` are the statuses at each of the places to look at.
    pub fn posts(&self, posted: &[(StatusPlace, Vec<PostedStatus>)]) -> Vec<StatusPost> {
        let mut posts = Vec::new();
        let left_open = self.left_open();
        for (place, there) in posted {
            if self.commit_age == CommitAge::Older && self.results.pipeline.is_none() {
                // How it ended cannot be known any more: what has ended stays as it is.
                posts.extend(statuses::to_end(there, place, self.bot));
            } else if Some(place) == self.place.as_ref() {
                let acceptance = self.known_at(place).map(|known| known.acceptance).unwrap_or_default();
                let new = statuses::to_post(&self.wanted(), there, place, self.bot).into_iter();
                posts.extend(new.filter(|post| statuses::may_be_taken(post, acceptance, there, self.bot)));
            } else if left_open.contains(place) {
                posts.extend(statuses::to_end(there, place, self.bot));
            }
        }
        posts
    }

    /// Returns how the note changes once the statuses are posted, where it does. `acceptance` says whether GitLab took those
    /// for this commit.
    pub fn note_edit(&self, acceptance: Acceptance) -> Option<NoteEdit> {
        let note = self.note.as_ref()?;
        if self.commit_age == CommitAge::Older {
            return None;
        }
        let statuses = self.place.clone().map(|place| match self.known_at(&place) {
            Some(known) if known.acceptance == Acceptance::No => known,
            known => {
                let before = known.map(|known| known.acceptance).unwrap_or_default();
                StatusesState {
                    place,
                    fingerprint: StatusFingerprint::of(&self.wanted()),
                    acceptance: acceptance.max(before),
                }
            }
        });
        let section = CiSection::of(&self.results, statuses);
        // That the pipeline itself changed is no reason for an edit: its last job may have been the one that reports.
        let mut same = section.clone();
        same.state.updated = self.section().and_then(|known| known.state.updated);
        if note::same(&same.replace_in(&note.body, &self.head), &note.body) {
            return None;
        }
        let after = section.replace_in(&note.body, &self.head);
        Some(NoteEdit { id: note.id, before: note.body.clone(), after })
    }

    /// Returns the whole plan, as it is as long as GitLab takes every status.
    pub fn plan(&self, posted: &[(StatusPlace, Vec<PostedStatus>)]) -> ReportPlan {
        ReportPlan { posts: self.posts(posted), note: self.note_edit(Acceptance::Yes) }
    }
}

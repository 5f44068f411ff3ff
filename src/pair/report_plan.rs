//! The plan of `report` for one source-git commit, as a plain value computed from facts.
//!
//! Statuses come before the note, because the note records whether GitLab accepted them. So the bot asks nothing twice,
//! and GitLab refuses nothing twice. The plan depends only on the facts, not on how often or in which order reports
//! run.

use crate::pair::ci::{CiResults, MergeRequestPhase};
use crate::pair::facts::SourceNote;
use crate::pair::note;
use crate::pair::note::ci_results::CiSection;
use crate::pair::statuses::{
    self, Acceptance, PostedStatus, StatusDetail, StatusFingerprint, StatusPlace, StatusPost, StatusesState,
    WantedStatus,
};
use crate::types::{CommitId, NoteId, UserId};

/// Everything that the plan depends on, except the statuses that are there.
#[derive(Clone, Debug)]
pub struct ReportFacts {
    /// The bot's own user.
    pub bot: UserId,
    pub results: CiResults,
    /// Whether dist-git still holds the commit of the results.
    pub commit_age: CommitAge,
    /// The newest commit of the source-git merge request.
    pub head: CommitId,
    /// The bot's note on that merge request, if there is one.
    pub note: Option<SourceNote>,
    pub remembered: RememberedResults,
    /// Where people see statuses for the commit, if anywhere.
    pub place: Option<StatusPlace>,
    pub detail: StatusDetail,
    /// The address of the dist-git merge request.
    pub merge_request: String,
}

/// Whether to trust what the note remembers about the statuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RememberedResults {
    #[default]
    Trusted,
    /// Another job wrote the note while this one posted statuses. So look at the statuses themselves.
    Doubted,
}

/// Whether dist-git still holds a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitAge {
    Newest,
    /// dist-git holds a newer commit. Results that have not ended do not matter any more.
    Older,
}

/// What to do, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportPlan {
    /// The statuses to post, in this order.
    pub posts: Vec<StatusPost>,
    /// The edit of the note after that, if it has to change.
    pub note: Option<NoteEdit>,
}

impl ReportPlan {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// An edit of the bot's note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteEdit {
    pub id: NoteId,
    /// Its present text.
    pub before: String,
    /// Its new text.
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

    /// Returns the section of the note with the results.
    pub fn section(&self) -> Option<CiSection> {
        self.note.as_ref().and_then(|note| CiSection::read(&note.body))
    }

    /// Returns the places whose statuses the caller has to read: the place for this commit, and places with open
    /// statuses of older ones.
    ///
    /// The caller need not read a place where the note remembers the same statuses, or that GitLab refused them.
    pub fn places_to_look_at(&self) -> Vec<StatusPlace> {
        let is_known = |place: &&StatusPlace| {
            let remembered = self.remembered_at(place);
            remembered.is_some_and(|remembered| {
                let is_same = self.remembered == RememberedResults::Trusted
                    && remembered.fingerprint == StatusFingerprint::of(&self.wanted());
                remembered.acceptance == Acceptance::No || is_same
            })
        };
        let here = self.place.iter().filter(|place| !is_known(place)).cloned();
        here.chain(self.left_open()).collect()
    }

    /// Returns what the note remembers of the statuses at a place.
    fn remembered_at(&self, place: &StatusPlace) -> Option<StatusesState> {
        let remembered = self.section().and_then(|section| section.state.statuses);
        remembered.filter(|remembered| remembered.place == *place)
    }

    /// Returns places that may have open statuses which are out of date: those of older commits, and those of this
    /// commit if people see its statuses elsewhere by now (on a merge of it) or nowhere.
    fn left_open(&self) -> Vec<StatusPlace> {
        let Some(CiSection { state, .. }) = self.section().filter(|_| self.commit_age == CommitAge::Newest) else {
            return Vec::new();
        };
        let mut places = state.left_open_beside(self.results.commit);
        if state.commit == self.results.commit
            && let Some(remembered) = state.statuses.filter(|remembered| remembered.acceptance != Acceptance::No)
        {
            places.push(remembered.place);
        }
        places.retain(|place| self.place.as_ref().map(StatusPlace::sha) != Some(place.sha()));
        places
    }

    /// Returns what to post. `posted` are the statuses at each of [`Self::places_to_look_at`].
    pub fn posts(&self, posted: &[(StatusPlace, Vec<PostedStatus>)]) -> Vec<StatusPost> {
        let mut posts = Vec::new();
        let left_open = self.left_open();
        for (place, there) in posted {
            if self.commit_age == CommitAge::Older && self.results.pipeline.is_none() {
                // Nobody can find out any more how it ended. Statuses that have ended stay as they are.
                posts.extend(statuses::to_end(there, place, self.bot));
            } else if Some(place) == self.place.as_ref() {
                let acceptance = self.remembered_at(place).map(|remembered| remembered.acceptance).unwrap_or_default();
                let new = statuses::to_post(&self.wanted(), there, place, self.bot).into_iter();
                posts.extend(new.filter(|post| statuses::may_be_accepted(post, acceptance, there, self.bot)));
            } else if left_open.contains(place) {
                posts.extend(statuses::to_end(there, place, self.bot));
            }
        }
        posts
    }

    /// Returns the edit of the note after the statuses are posted, if it has to change. `acceptance` says whether
    /// GitLab accepted the statuses for this commit.
    pub fn note_edit(&self, acceptance: Acceptance) -> Option<NoteEdit> {
        let note = self.note.as_ref()?;
        if self.commit_age == CommitAge::Older {
            return None;
        }
        let statuses = self.place.clone().map(|place| match self.remembered_at(&place) {
            Some(remembered) if remembered.acceptance == Acceptance::No => remembered,
            remembered => {
                let before = remembered.map(|remembered| remembered.acceptance).unwrap_or_default();
                StatusesState {
                    place,
                    fingerprint: StatusFingerprint::of(&self.wanted()),
                    acceptance: acceptance.max(before),
                }
            }
        });
        let section = CiSection::of(&self.results, statuses);
        // If only the time of the pipeline changed, do not edit: its last job may have been the one that reports.
        let mut same = section.clone();
        same.state.updated = self.section().and_then(|remembered| remembered.state.updated);
        if note::same(&same.replace_in(&note.body, &self.head), &note.body) {
            return None;
        }
        let after = section.replace_in(&note.body, &self.head);
        Some(NoteEdit { id: note.id, before: note.body.clone(), after })
    }

    /// Returns the whole plan, for the case that GitLab accepts every status.
    pub fn plan(&self, posted: &[(StatusPlace, Vec<PostedStatus>)]) -> ReportPlan {
        ReportPlan { posts: self.posts(posted), note: self.note_edit(Acceptance::Yes) }
    }
}

//! Observes what dist-git's CI says now, about which source-git commit, and what the source-git merge request shows
//! already.

use std::collections::BTreeMap;

use crate::ci::LogSection;
use crate::config;
use crate::forge::{self, MergeRequestState, Pipeline};
use crate::ops::find_pair::MergeRequestPair;
use crate::ops::session::Session;
use crate::ops::{commit_statuses, notes};
use crate::pair::ci::{self, Begun, CiResults, MergeRequestPhase, OnFailure};
use crate::pair::facts::SourceNote;
use crate::pair::note::ci_results::CiSection;
use crate::pair::report_plan::{CommitAge, RememberedResults, ReportFacts};
use crate::pair::statuses::{PostedStatus, StatusDetail, StatusPlace};
use crate::pair::{commit, markers, note};
use crate::types::error::{ForgeError, Result};
use crate::types::{CiState, CommitId, ProjectId};

/// The most pipelines of a merge request, jobs of a pipeline and versions of a merge request that are read.
const MAX_PIPELINES: usize = 100;
const MAX_JOBS: usize = 2000;
const MAX_VERSIONS: usize = 1000;

/// The most pipelines whose commits are read to find the right one, and the most downstream pipelines whose jobs are
/// read.
const MAX_COMMITS_READ: usize = 10;
const MAX_DOWNSTREAM: usize = 10;

pub(crate) struct ReportSeen {
    pub(crate) facts: ReportFacts,
    /// The statuses that exist, for each place where they were read.
    pub(crate) posted: Vec<(StatusPlace, Vec<PostedStatus>)>,
    /// The reported pipeline.
    pub(crate) pipeline: Option<Pipeline>,
    /// The source-git project.
    pub(crate) project: ProjectId,
}

struct ReportSubject {
    /// The source-git commit.
    commit: CommitId,
    /// The dist-git commit that was made from it.
    tested: CommitId,
    pipeline: Option<Pipeline>,
    commit_age: CommitAge,
}

/// Observes the results. Returns `None`, and logs why, if there is nothing to report or nothing new.
pub(crate) fn observe(session: &Session, pair: &mut MergeRequestPair) -> Result<Option<ReportSeen>> {
    let title = format!("reading the CI results of {}!{}", pair.dist_path, pair.dist.iid);
    let _section = LogSection::begin(session.log, "results", &title);
    let note = match pair.note.take() {
        Some(note) => Some(note),
        None => {
            let recorded = markers::read(&pair.dist.description).and_then(|record| record.note);
            notes::find(session, pair.source.target_project_id, pair.source.iid, recorded)?.into_iter().next()
        }
    };
    let note = note.map(|note| SourceNote { id: note.id, author: note.author.id, body: note.body });
    let known = note.as_ref().and_then(|note| CiSection::read(&note.body));
    let Some(subject) = SubjectSearch { session, pair, known: known.as_ref(), sources: BTreeMap::new() }.find()? else {
        return Ok(None);
    };
    // After the merge, dist-git holds the target branch. The bot's note says up to which commit.
    let held = note.as_ref().and_then(|note| markers::read_note(&note.body)).map(|recorded| recorded.commit);
    let held = held.filter(|_| pair.source.state == MergeRequestState::Merged);
    let head = held.or(pair.source.sha).unwrap_or(subject.commit);
    if held != Some(subject.commit) && !was_head(session, pair, &subject.commit)? {
        tracing::warn!("dist-git holds commit {}, which the merge request never had: not reported", subject.commit);
        return Ok(None);
    }
    let is_of_target = held == Some(subject.commit) && pair.source.sha != held;
    let place = match (subject.commit_age, subject.commit == head) {
        // A commit of the target branch is not part of the merge request: only the note shows its results.
        _ if is_of_target => None,
        (CommitAge::Newest, true) => {
            let of_head = known.as_ref().filter(|known| known.state.commit == head);
            let statuses = of_head.and_then(|known| known.state.statuses.as_ref());
            commit_statuses::place_for_head(&session.forge, &pair.source, &head, statuses.map(|known| &known.place))?
        }
        _ => commit_statuses::place_for_older(&session.forge, &pair.source, &subject.commit)?,
    };
    if let (Some(known), Some(note)) = (&known, &note)
        && pair.remembered == RememberedResults::Trusted
        && is_reported(known, &subject, place.as_ref())
        && note::same(&known.replace_in(&note.body, &head), &note.body)
    {
        tracing::info!("everything is as it should be");
        return Ok(None);
    }
    let is_open = |state| matches!(state, MergeRequestState::Opened | MergeRequestState::Locked);
    let merge_request = match is_open(pair.dist.state) && pair.source.state != MergeRequestState::Closed {
        true => MergeRequestPhase::Open,
        false => MergeRequestPhase::Ended,
    };
    let facts = ReportFacts {
        bot: session.current_user()?.user.id,
        results: CiResults {
            commit: subject.commit,
            tested: subject.tested,
            pipeline: subject
                .pipeline
                .as_ref()
                .map(|pipeline| read_pipeline(session, pipeline, pair.pipeline.as_ref()))
                .transpose()?,
            merge_request,
        },
        commit_age: subject.commit_age,
        head,
        note,
        remembered: pair.remembered,
        place,
        detail: match session.instance.results {
            config::Results::Pipeline => StatusDetail::Pipeline,
            config::Results::Jobs => StatusDetail::Jobs,
        },
        merge_request: pair.dist.web_url.clone(),
    };
    let project = pair.source.target_project_id;
    let mut posted = Vec::new();
    for place in facts.places_to_look_at() {
        let existing = match commit_statuses::list(&session.forge, &pair.source, &place.sha()) {
            // The commit no longer exists. That can happen to the commit of a merged-results pipeline.
            Err(ForgeError::NotFoundOrNoAccess(_)) => continue,
            existing => existing?,
        };
        posted.push((place, existing));
    }
    Ok(Some(ReportSeen { facts, posted, pipeline: subject.pipeline, project }))
}

/// Whether the pipeline still is as it was when it was observed.
pub(crate) fn is_unchanged(session: &Session, seen: &ReportSeen) -> Result<bool> {
    let Some(pipeline) = &seen.pipeline else { return Ok(true) };
    match session.forge.pipeline(pipeline.project_id, pipeline.id) {
        Ok(now) => Ok((now.status, now.updated_at) == (pipeline.status, pipeline.updated_at)),
        // The pipeline was deleted with its project.
        Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Whether the note already shows everything about a finished pipeline. Then its jobs need not be read again.
fn is_reported(known: &CiSection, subject: &ReportSubject, place: Option<&StatusPlace>) -> bool {
    let Some(pipeline) = &subject.pipeline else { return false };
    let is_same = pipeline.updated_at.is_some_and(|updated| known.state.updated == Some(updated.timestamp_millis()));
    let has_open = !known.state.left_open_beside(subject.commit).is_empty();
    is_same
        && !has_open
        && subject.commit_age == CommitAge::Newest
        && pipeline.status.is_final()
        && known.state.state == Some(pipeline.status)
        && known.state.pipeline == Some(pipeline.id)
        && known.state.commit == subject.commit
        && known.state.tested == Some(subject.tested)
        && known.state.statuses.as_ref().map(|statuses| &statuses.place) == place
}

/// Whether a commit is, or was, the head of the source-git merge request.
fn was_head(session: &Session, pair: &MergeRequestPair, commit: &CommitId) -> Result<bool> {
    if pair.source.sha == Some(*commit) {
        return Ok(true);
    }
    let versions = session.forge.merge_request_versions(pair.source.target_project_id, pair.source.iid);
    for version in versions.take(MAX_VERSIONS) {
        if version?.head == *commit {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Finds what a report is about.
struct SubjectSearch<'a> {
    session: &'a Session,
    pair: &'a MergeRequestPair,
    /// What the note shows. It saves requests for commits that are known already.
    known: Option<&'a CiSection>,
    /// The source-git commits of the dist-git commits that were read.
    sources: BTreeMap<CommitId, Option<CommitId>>,
}

impl SubjectSearch<'_> {
    fn find(mut self) -> Result<Option<ReportSubject>> {
        let dist = &self.pair.dist;
        if dist.source_project_id.is_none() {
            // GitLab lists no pipelines for such a merge request, and there will be no new ones.
            tracing::info!(
                "the bot's fork that {}!{} is from is gone: nothing to report",
                self.pair.dist_path,
                dist.iid
            );
            return Ok(self.last_reported(Vec::new()));
        }
        let pipelines = self.session.forge.merge_request_pipelines(dist.target_project_id, dist.iid);
        let pipelines: Vec<Pipeline> = pipelines.take(MAX_PIPELINES).collect::<Result<_, _>>()?;
        let Some(head) = dist.sha else {
            tracing::info!("GitLab is still preparing {}!{}: nothing to report yet", self.pair.dist_path, dist.iid);
            return Ok(None);
        };
        let newest = self.source_of(head)?;
        if let Some(requested) = &self.pair.pipeline
            && let Some(tested) = self.tested_by(requested, &head)?
            && tested != head
            && let Some(commit) = self.source_of(tested)?
            && Some(commit) != newest
        {
            let pipeline = self.newest_for_commit(commit, requested, &pipelines)?;
            let commit_age = CommitAge::Older;
            return Ok(Some(ReportSubject { commit, tested, pipeline: Some(pipeline), commit_age }));
        }
        let Some(commit) = newest else {
            let dist_path = &self.pair.dist_path;
            tracing::info!("the last commit of {dist_path}!{} is not the bot's: nothing to report", dist.iid);
            return Ok(self.last_reported(pipelines));
        };
        let pipeline = self.newest_of_head(&head, pipelines)?;
        Ok(Some(ReportSubject { commit, tested: head, pipeline, commit_age: CommitAge::Newest }))
    }

    /// Returns the last commit that was reported on, if any. Its open results end, because dist-git no longer holds it.
    fn last_reported(&self, pipelines: Vec<Pipeline>) -> Option<ReportSubject> {
        let known = self.known?;
        let commit = known.state.commit;
        let tested = known.state.tested.unwrap_or(commit);
        let pipeline = pipelines.into_iter().find(|pipeline| pipeline.sha == tested);
        Some(ReportSubject { commit, tested, pipeline, commit_age: CommitAge::Older })
    }

    /// Returns the source-git commit that a dist-git commit was made from; `None` if the bot did not make it.
    fn source_of(&mut self, tested: CommitId) -> Result<Option<CommitId>> {
        if let Some(known) = self.known.filter(|known| known.state.tested == Some(tested)) {
            return Ok(Some(known.state.commit));
        }
        if let Some(known) = self.sources.get(&tested) {
            return Ok(*known);
        }
        let identity = self.session.identity()?;
        let found = match self.session.forge.commit(self.pair.dist.target_project_id, &tested) {
            Ok(found) if found.committer_email == identity.email && found.parent_ids.len() == 1 => {
                commit::source_of(&found.message)
            }
            // Somebody else made it, whatever its trailers say.
            Ok(_) => None,
            Err(ForgeError::NotFoundOrNoAccess(_)) => None,
            Err(error) => return Err(error.into()),
        };
        self.sources.insert(tested, found);
        Ok(found)
    }

    /// Returns the dist-git commit that a pipeline tests. For merged results, that is the parent that was the head of
    /// the merge request.
    fn tested_by(&self, pipeline: &Pipeline, head: &CommitId) -> Result<Option<CommitId>> {
        if !pipeline.is_of_merged_results() {
            return Ok(Some(pipeline.sha));
        }
        if let Some(known) = self.known.filter(|known| known.state.pipeline == Some(pipeline.id)) {
            return Ok(known.state.tested);
        }
        let merge = match self.session.forge.commit(pipeline.project_id, &pipeline.sha) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => return Ok(None),
            merge => merge?,
        };
        if merge.parent_ids.contains(head) {
            return Ok(Some(*head));
        }
        let dist = &self.pair.dist;
        for version in self.session.forge.merge_request_versions(dist.target_project_id, dist.iid).take(MAX_VERSIONS) {
            let version = version?;
            if merge.parent_ids.contains(&version.head) {
                return Ok(Some(version.head));
            }
        }
        Ok(None)
    }

    /// Returns the pipeline that the merge request's page shows for its head.
    fn newest_of_head(&self, head: &CommitId, pipelines: Vec<Pipeline>) -> Result<Option<Pipeline>> {
        let mut commits_read = 0;
        for pipeline in pipelines {
            if pipeline.sha == *head {
                return Ok(Some(pipeline));
            }
            if pipeline.is_of_merged_results() && commits_read < MAX_COMMITS_READ {
                commits_read += 1;
                if self.tests_merge_of(&pipeline, head)? {
                    return Ok(Some(pipeline));
                }
            }
        }
        Ok(None)
    }

    /// Whether a pipeline for merged results tests `head`.
    fn tests_merge_of(&self, pipeline: &Pipeline, head: &CommitId) -> Result<bool> {
        if let Some(known) = self.known.filter(|known| known.state.pipeline == Some(pipeline.id)) {
            return Ok(known.state.tested == Some(*head));
        }
        match self.session.forge.commit(pipeline.project_id, &pipeline.sha) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(false),
            merge => Ok(merge?.parent_ids.contains(head)),
        }
    }

    /// Returns the newest pipeline for an older source-git commit: `requested`, or a later one.
    fn newest_for_commit(
        &mut self,
        commit: CommitId,
        requested: &Pipeline,
        pipelines: &[Pipeline],
    ) -> Result<Pipeline> {
        let later = pipelines.iter().filter(|pipeline| pipeline.id > requested.id && !pipeline.is_of_merged_results());
        for pipeline in later.take(MAX_COMMITS_READ) {
            if pipeline.sha == requested.sha || self.source_of(pipeline.sha)? == Some(commit) {
                return Ok(pipeline.clone());
            }
        }
        Ok(requested.clone())
    }
}

/// Reads the jobs of a pipeline, and those of its downstream pipelines. `requested` is the pipeline that was named,
/// with all its details.
fn read_pipeline(session: &Session, pipeline: &Pipeline, requested: Option<&Pipeline>) -> Result<ci::CiPipeline> {
    let mut jobs = Vec::new();
    let own = session.forge.pipeline_jobs(pipeline.project_id, pipeline.id);
    let bridges = session.forge.pipeline_bridges(pipeline.project_id, pipeline.id);
    let mut downstream_read = 0;
    for job in own.chain(bridges).take(MAX_JOBS) {
        let job = job?;
        let downstream = match &job.downstream_pipeline {
            // Jobs in other projects are not shown: the bot may see more of these projects than the people who read the
            // note.
            Some(downstream) if downstream.project_id == pipeline.project_id && downstream_read < MAX_DOWNSTREAM => {
                downstream_read += 1;
                downstream_jobs(session, downstream)?
            }
            _ => Vec::new(),
        };
        jobs.push(ci::CiJob { downstream, ..ci_job(job) });
    }
    jobs.sort_by_key(|job| job.id);
    if pipeline.status == CiState::Unknown || jobs.iter().any(|job| job.state == CiState::Unknown) {
        tracing::warn!("pipeline {} is in a state that this program does not know: taken for waiting", pipeline.id);
    }
    let mut facts = ci::CiPipeline {
        id: pipeline.id,
        url: pipeline.web_url.clone(),
        state: pipeline.status,
        begun: Begun::No,
        changed_at: pipeline.updated_at,
        configuration_error: None,
        jobs,
    };
    // Lists say neither when a pipeline began nor what is wrong with its configuration.
    if facts.jobs.is_empty() || facts.composite().state == CiState::Pending {
        let details = match requested.filter(|requested| requested.id == pipeline.id) {
            Some(requested) => requested.clone(),
            None => session.forge.pipeline(pipeline.project_id, pipeline.id)?,
        };
        facts.begun = if details.started_at.is_some() { Begun::Yes } else { Begun::No };
        facts.configuration_error = details.yaml_errors.filter(|error| !error.trim().is_empty());
    }
    Ok(facts)
}

/// Reads the jobs of a downstream pipeline; none if the bot may not see it.
fn downstream_jobs(session: &Session, pipeline: &Pipeline) -> Result<Vec<ci::CiJob>> {
    let mut jobs = Vec::new();
    for job in session.forge.pipeline_jobs(pipeline.project_id, pipeline.id).take(MAX_JOBS) {
        match job {
            Ok(job) => jobs.push(ci_job(job)),
            Err(ForgeError::NotFoundOrNoAccess(_) | ForgeError::Forbidden(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        }
    }
    jobs.sort_by_key(|job| job.id);
    Ok(jobs)
}

fn ci_job(job: forge::Job) -> ci::CiJob {
    ci::CiJob {
        id: job.id,
        stage: job.stage,
        name: job.name,
        state: job.status,
        on_failure: if job.allow_failure { OnFailure::Warns } else { OnFailure::Fails },
        failure_reason: job.failure_reason,
        seconds: job
            .started_at
            .zip(job.finished_at)
            .and_then(|(start, end)| (end - start).num_seconds().try_into().ok()),
        url: job.web_url,
        changed_at: job.started_at.max(job.finished_at),
        downstream: Vec::new(),
    }
}

//! What dist-git's CI says now, of which source-git commit, and what is on the source-git merge request already.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::ci::LogSection;
use crate::config;
use crate::forge::{self, ForgeError, MergeRequestState, Pipeline};
use crate::ops::report::Pair;
use crate::ops::session::Bot;
use crate::ops::{commit_statuses, notes};
use crate::pair::ci::{self, Begun, CiResults, MergeRequestPhase, OnFailure};
use crate::pair::facts::SourceNote;
use crate::pair::note::ci_results::CiSection;
use crate::pair::report_plan::{CommitAge, RememberedResults, ReportFacts};
use crate::pair::statuses::{PostedStatus, StatusDetail, StatusPlace};
use crate::pair::{commit, markers, note};
use crate::types::{CiState, CommitId, ProjectId};

/// The most pipelines of a merge request, jobs of a pipeline and versions of a merge request that are looked at.
const PIPELINES: usize = 100;
const JOBS: usize = 2000;
const VERSIONS: usize = 1000;

/// The most pipelines whose commit is asked for to find the right one, and pipelines started by jobs that are looked into.
const COMMITS_ASKED: usize = 10;
const DOWNSTREAM: usize = 10;

/// What was seen.
pub(crate) struct Seen {
    pub(crate) observed: ReportFacts,
    /// The statuses that are there, where that was asked.
    pub(crate) posted: Vec<(StatusPlace, Vec<PostedStatus>)>,
    /// The pipeline that is reported.
    pub(crate) pipeline: Option<Pipeline>,
    /// The source-git project.
    pub(crate) project: ProjectId,
}

/// What a report is about.
struct Subject {
    /// The source-git commit.
    commit: CommitId,
    /// The dist-git commit that holds it.
    tested: CommitId,
    pipeline: Option<Pipeline>,
    commit_is: CommitAge,
}

/// Looks; nothing, with a line in the log, where there is nothing to report or nothing new.
pub(crate) fn observe(bot: &Bot, pair: &mut Pair) -> Result<Option<Seen>> {
    let title = format!("reading the CI results of {}!{}", pair.dist_path, pair.dist.iid);
    let _section = LogSection::begin(bot.log, "results", &title);
    let note = match pair.note.take() {
        Some(note) => Some(note),
        None => {
            let recorded = markers::read(&pair.dist.description).and_then(|record| record.note);
            notes::find(bot, pair.source.target_project_id, pair.source.iid, recorded)?.into_iter().next()
        }
    };
    let note = note.map(|note| SourceNote { id: note.id, author: note.author.id, body: note.body });
    let known = note.as_ref().and_then(|note| CiSection::read(&note.body));
    let Some(subject) = Looking { bot, pair, known: known.as_ref(), sources: BTreeMap::new() }.subject()? else {
        return Ok(None);
    };
    // Once it is merged, dist-git holds the target branch: the bot's note says up to which commit.
    let held = note.as_ref().and_then(|note| markers::read_note(&note.body)).map(|told| told.commit);
    let held = held.filter(|_| pair.source.state == MergeRequestState::Merged);
    let head = held.or(pair.source.sha).unwrap_or(subject.commit);
    if held != Some(subject.commit) && !is_in(bot, pair, &subject.commit)? {
        tracing::warn!("dist-git holds commit {}, which the merge request never had: not reported", subject.commit);
        return Ok(None);
    }
    let is_of_target = held == Some(subject.commit) && pair.source.sha != held;
    let place = match (subject.commit_is, subject.commit == head) {
        // A commit of the target branch is none of the merge request's: the note alone tells.
        _ if is_of_target => None,
        (CommitAge::Newest, true) => {
            let of_head = known.as_ref().filter(|known| known.state.commit == head);
            let statuses = of_head.and_then(|known| known.state.statuses.as_ref());
            commit_statuses::place_of_head(&bot.forge, &pair.source, &head, statuses.map(|known| &known.place))?
        }
        _ => commit_statuses::place_of_older(&bot.forge, &pair.source, &subject.commit)?,
    };
    if let (Some(known), Some(note)) = (&known, &note)
        && pair.memory == RememberedResults::Trusted
        && is_told(known, &subject, place.as_ref())
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
    let observed = ReportFacts {
        bot: bot.myself()?.user.id,
        results: CiResults {
            commit: subject.commit,
            tested: subject.tested,
            pipeline: subject
                .pipeline
                .as_ref()
                .map(|pipeline| with_jobs(bot, pipeline, pair.pipeline.as_ref()))
                .transpose()?,
            merge_request,
        },
        commit_age: subject.commit_is,
        head,
        note,
        remembered: pair.memory,
        place,
        detail: match bot.instance.results {
            config::Results::Pipeline => StatusDetail::Pipeline,
            config::Results::Jobs => StatusDetail::Jobs,
        },
        merge_request: pair.dist.web_url.clone(),
    };
    let project = pair.source.target_project_id;
    let mut posted = Vec::new();
    for place in observed.places_to_look_at() {
        let there = match commit_statuses::posted(&bot.forge, &pair.source, &place.sha()) {
            // The commit is not there any more: a merged-results pipeline's may have gone.
            Err(ForgeError::NotFoundOrNoAccess(_)) => continue,
            there => there?,
        };
        posted.push((place, there));
    }
    Ok(Some(Seen { observed, posted, pipeline: subject.pipeline, project }))
}

/// Whether a pipeline is still as it was seen.
pub(crate) fn is_still_so(bot: &Bot, seen: &Seen) -> Result<bool> {
    let Some(pipeline) = &seen.pipeline else { return Ok(true) };
    match bot.forge.pipeline(pipeline.project_id, pipeline.id) {
        Ok(now) => Ok((now.status, now.updated_at) == (pipeline.status, pipeline.updated_at)),
        // It went with its project.
        Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Whether all that there is to tell of an ended pipeline has been told: it need not be read again then.
fn is_told(known: &CiSection, subject: &Subject, place: Option<&StatusPlace>) -> bool {
    let Some(pipeline) = &subject.pipeline else { return false };
    let unchanged = pipeline.updated_at.is_some_and(|updated| known.state.updated == Some(updated.timestamp_millis()));
    let has_open = !known.state.left_open_beside(subject.commit).is_empty();
    unchanged
        && !has_open
        && subject.commit_is == CommitAge::Newest
        && pipeline.status.is_final()
        && known.state.state == Some(pipeline.status)
        && known.state.pipeline == Some(pipeline.id)
        && known.state.commit == subject.commit
        && known.state.tested == Some(subject.tested)
        && known.state.statuses.as_ref().map(|statuses| &statuses.place) == place
}

/// Whether the source-git merge request has, or had, a commit as its head.
fn is_in(bot: &Bot, pair: &Pair, commit: &CommitId) -> Result<bool> {
    if pair.source.sha == Some(*commit) {
        return Ok(true);
    }
    let versions = bot.forge.merge_request_versions(pair.source.target_project_id, pair.source.iid);
    for version in versions.take(VERSIONS) {
        if version?.head == *commit {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The search for what a report is about.
struct Looking<'a> {
    bot: &'a Bot,
    pair: &'a Pair,
    /// What the note shows: it spares asking again which commit is which.
    known: Option<&'a CiSection>,
    /// The source-git commits of dist-git commits that were asked for.
    sources: BTreeMap<CommitId, Option<CommitId>>,
}

impl Looking<'_> {
    fn subject(mut self) -> Result<Option<Subject>> {
        let dist = &self.pair.dist;
        if dist.source_project_id.is_none() {
            // GitLab lists no pipelines of such a merge request, and none will come.
            tracing::info!(
                "the bot's fork that {}!{} is from is gone: nothing to report",
                self.pair.dist_path,
                dist.iid
            );
            return Ok(self.left(Vec::new()));
        }
        let pipelines = self.bot.forge.merge_request_pipelines(dist.target_project_id, dist.iid);
        let pipelines: Vec<Pipeline> = pipelines.take(PIPELINES).collect::<Result<_, _>>()?;
        let Some(head) = dist.sha else {
            tracing::info!("GitLab is still preparing {}!{}: nothing to report yet", self.pair.dist_path, dist.iid);
            return Ok(None);
        };
        let newest = self.source_of(head)?;
        if let Some(asked) = &self.pair.pipeline
            && let Some(tested) = self.tested_by(asked, &head)?
            && tested != head
            && let Some(commit) = self.source_of(tested)?
            && Some(commit) != newest
        {
            let pipeline = self.newest_for(commit, asked, &pipelines)?;
            let commit_is = CommitAge::Older;
            return Ok(Some(Subject { commit, tested, pipeline: Some(pipeline), commit_is }));
        }
        let Some(commit) = newest else {
            let dist_path = &self.pair.dist_path;
            tracing::info!("the last commit of {dist_path}!{} is not the bot's: nothing to report", dist.iid);
            return Ok(self.left(pipelines));
        };
        let pipeline = self.newest_of_head(&head, pipelines)?;
        Ok(Some(Subject { commit, tested: head, pipeline, commit_is: CommitAge::Newest }))
    }

    /// What the bot's own last commit left open: it ends, for dist-git does not hold that commit any more.
    fn left(&self, pipelines: Vec<Pipeline>) -> Option<Subject> {
        let known = self.known?;
        let commit = known.state.commit;
        let tested = known.state.tested.unwrap_or(commit);
        let pipeline = pipelines.into_iter().find(|pipeline| pipeline.sha == tested);
        Some(Subject { commit, tested, pipeline, commit_is: CommitAge::Older })
    }

    /// The source-git commit that a dist-git commit was made from; nothing where the bot did not make it.
    fn source_of(&mut self, tested: CommitId) -> Result<Option<CommitId>> {
        if let Some(known) = self.known.filter(|known| known.state.tested == Some(tested)) {
            return Ok(Some(known.state.commit));
        }
        if let Some(known) = self.sources.get(&tested) {
            return Ok(*known);
        }
        let person = self.bot.person()?;
        let found = match self.bot.forge.commit(self.pair.dist.target_project_id, &tested) {
            Ok(found) if found.committer_email == person.email && found.parent_ids.len() == 1 => {
                commit::source_of(&found.message)
            }
            // Somebody else's, whatever its trailers say.
            Ok(_) => None,
            Err(ForgeError::NotFoundOrNoAccess(_)) => None,
            Err(error) => return Err(error.into()),
        };
        self.sources.insert(tested, found);
        Ok(found)
    }

    /// The dist-git commit that a pipeline tests; of merged results, the parent that the merge request had as its head.
    fn tested_by(&self, pipeline: &Pipeline, head: &CommitId) -> Result<Option<CommitId>> {
        if !pipeline.is_of_merged_results() {
            return Ok(Some(pipeline.sha));
        }
        if let Some(known) = self.known.filter(|known| known.state.pipeline == Some(pipeline.id)) {
            return Ok(known.state.tested);
        }
        let merge = match self.bot.forge.commit(pipeline.project_id, &pipeline.sha) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => return Ok(None),
            merge => merge?,
        };
        if merge.parent_ids.contains(head) {
            return Ok(Some(*head));
        }
        let dist = &self.pair.dist;
        for version in self.bot.forge.merge_request_versions(dist.target_project_id, dist.iid).take(VERSIONS) {
            let version = version?;
            if merge.parent_ids.contains(&version.head) {
                return Ok(Some(version.head));
            }
        }
        Ok(None)
    }

    /// The pipeline that the merge request's page shows for its head.
    fn newest_of_head(&self, head: &CommitId, pipelines: Vec<Pipeline>) -> Result<Option<Pipeline>> {
        let mut asked = 0;
        for pipeline in pipelines {
            if pipeline.sha == *head {
                return Ok(Some(pipeline));
            }
            if pipeline.is_of_merged_results() && asked < COMMITS_ASKED {
                asked += 1;
                if self.merges(&pipeline, head)? {
                    return Ok(Some(pipeline));
                }
            }
        }
        Ok(None)
    }

    /// Whether a pipeline of merged results tests `head`.
    fn merges(&self, pipeline: &Pipeline, head: &CommitId) -> Result<bool> {
        if let Some(known) = self.known.filter(|known| known.state.pipeline == Some(pipeline.id)) {
            return Ok(known.state.tested == Some(*head));
        }
        match self.bot.forge.commit(pipeline.project_id, &pipeline.sha) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(false),
            merge => Ok(merge?.parent_ids.contains(head)),
        }
    }

    /// The newest pipeline for an older source-git commit: `asked`, or one after it.
    fn newest_for(&mut self, commit: CommitId, asked: &Pipeline, pipelines: &[Pipeline]) -> Result<Pipeline> {
        let later = pipelines.iter().filter(|pipeline| pipeline.id > asked.id && !pipeline.is_of_merged_results());
        for pipeline in later.take(COMMITS_ASKED) {
            if pipeline.sha == asked.sha || self.source_of(pipeline.sha)? == Some(commit) {
                return Ok(pipeline.clone());
            }
        }
        Ok(asked.clone())
    }
}

/// Reads the jobs of a pipeline, and those of the pipelines that its trigger jobs started. `asked` is a pipeline that was
/// read by itself.
fn with_jobs(bot: &Bot, pipeline: &Pipeline, asked: Option<&Pipeline>) -> Result<ci::CiPipeline> {
    let mut jobs = Vec::new();
    let own = bot.forge.pipeline_jobs(pipeline.project_id, pipeline.id);
    let bridges = bot.forge.pipeline_bridges(pipeline.project_id, pipeline.id);
    let mut looked_into = 0;
    for job in own.chain(bridges).take(JOBS) {
        let job = job?;
        let downstream = match &job.downstream_pipeline {
            // What runs in other projects is theirs to show: the bot may see more of it than who reads the note.
            Some(downstream) if downstream.project_id == pipeline.project_id && looked_into < DOWNSTREAM => {
                looked_into += 1;
                downstream_jobs(bot, downstream)?
            }
            _ => Vec::new(),
        };
        jobs.push(ci::CiJob { downstream, ..shown(job) });
    }
    jobs.sort_by_key(|job| job.id);
    if pipeline.status == CiState::Unknown || jobs.iter().any(|job| job.state == CiState::Unknown) {
        tracing::warn!("pipeline {} is in a state that this program does not know: taken for waiting", pipeline.id);
    }
    let mut read = ci::CiPipeline {
        id: pipeline.id,
        url: pipeline.web_url.clone(),
        state: pipeline.status,
        begun: Begun::No,
        changed_at: pipeline.updated_at,
        configuration_error: None,
        jobs,
    };
    // Lists tell neither when a pipeline began nor what is wrong with its configuration.
    if read.jobs.is_empty() || read.composite().state == CiState::Pending {
        let alone = match asked.filter(|asked| asked.id == pipeline.id) {
            Some(asked) => asked.clone(),
            None => bot.forge.pipeline(pipeline.project_id, pipeline.id)?,
        };
        read.begun = if alone.started_at.is_some() { Begun::Yes } else { Begun::No };
        read.configuration_error = alone.yaml_errors.filter(|error| !error.trim().is_empty());
    }
    Ok(read)
}

/// Reads the jobs of a pipeline that another one started. One that the bot may not see has none.
fn downstream_jobs(bot: &Bot, pipeline: &Pipeline) -> Result<Vec<ci::CiJob>> {
    let mut jobs = Vec::new();
    for job in bot.forge.pipeline_jobs(pipeline.project_id, pipeline.id).take(JOBS) {
        match job {
            Ok(job) => jobs.push(shown(job)),
            Err(ForgeError::NotFoundOrNoAccess(_) | ForgeError::Forbidden(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        }
    }
    jobs.sort_by_key(|job| job.id);
    Ok(jobs)
}

fn shown(job: forge::Job) -> ci::CiJob {
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

//! What there is: the merge request's content as dist-git content, and what the bot did for it before.

use std::collections::{BTreeSet, HashMap, HashSet};

use anyhow::{Result, bail};
use chrono::{TimeDelta, Utc};

use crate::ci::LogSection;
use crate::config::CiFiles;
use crate::forge::MergeRequest;
use crate::git::partial::PartialFetch;
use crate::git::remote::RemoteError;
use crate::git::replay::{self, Based};
use crate::git::store::{Store, TreeEntry};
use crate::git::work_tree;
use crate::ops::commit_statuses;
use crate::ops::generate::{self, Generated, Request};
use crate::ops::sync::bot_branch::BranchHome;
use crate::ops::sync::pair_facts::{self, Pairing};
use crate::ops::sync::visibility::BotFork;
use crate::ops::sync::{Due, Run, Unsynced, dist_notes};
use crate::pair::commit::SourceAuthor;
use crate::pair::facts::{
    Blocked, BranchOrigin, BranchState, DistGitContent, LastAnnouncement, PairVisibility, RequestState,
    SourceMergeRequest, SyncFacts, UpstreamChange, WantedContent,
};
use crate::pair::markers;
use crate::pair::note::ci_results::CiSection;
use crate::pair::sync_plan::{self, SyncStep};
use crate::transform::config;
use crate::transform::files::ReceiverFiles;
use crate::transform::mail::MailError;
use crate::transform::message::PatchComments;
use crate::transform::report::Upstream;
use crate::types::finding::quoted;
use crate::types::{BranchName, CiState, CommitId, Finding, Refusal, RepoPath, TreeId, Visibility};

/// The name in the store.
const DIST_TIP: &str = "refs/bot/dist-git";

/// For how long after a merge a merge request that never had a pair gets one: it may have been merged before any job
/// could see it open.
const MERGED_LATELY: TimeDelta = TimeDelta::days(3);

/// What was seen.
pub(crate) struct Seen {
    target: BranchName,
    /// The commit that was fetched as the merge request's head.
    head: CommitId,
    made: Making,
    branch: BranchState,
    branch_home: BranchHome,
    pub(crate) pair: Pairing,
    /// The tip of the target branch, where that was fetched.
    base: Option<CommitId>,
    authors: Vec<SourceAuthor>,
}

/// What came of making content for dist-git.
enum Making {
    /// This.
    Made(Box<Made>),
    /// Nothing that could be made.
    Blocked(Blocked),
    /// Nothing is to be made.
    NotDue,
}

/// The content for dist-git.
pub(crate) struct Made {
    generated: Generated,
    upstream: Option<UpstreamChange>,
    /// The tip of dist-git's target branch.
    base: CommitId,
    base_tree: TreeId,
    tree: TreeId,
}

impl Seen {
    /// What changes in dist-git, where that is known.
    pub(crate) fn generated(&self) -> Option<&Generated> {
        match &self.made {
            Making::Made(made) => Some(&made.generated),
            Making::Blocked(_) | Making::NotDue => None,
        }
    }

    /// Why nothing can be made of the merge request.
    pub(crate) fn unsynced(&self) -> Option<Unsynced> {
        match &self.made {
            Making::Blocked(Blocked::Refused(refusal)) => Some(Unsynced::Refused(refusal.clone())),
            Making::Blocked(Blocked::NoBranch { project, branch }) => Some(Unsynced::NoDistGit(Refusal::new(
                format!("the dist-git project {project} has no branch {}", quoted(branch.as_str().as_bytes())),
                "choose another target branch, or ask the package's maintainers to create the branch in dist-git",
            ))),
            Making::Blocked(Blocked::NoProject { project }) => Some(Unsynced::NoDistGit(Refusal::new(
                format!("there is no dist-git project {project} that the bot can see"),
                "ask the package's maintainers whether this package is meant to be kept in source-git",
            ))),
            Making::Blocked(Blocked::LessVisible) | Making::Made(_) | Making::NotDue => None,
        }
    }

    /// Whether the bot's branch was looked at.
    pub(crate) fn looked_at_branch(&self) -> bool {
        !matches!(self.made, Making::NotDue | Making::Blocked(Blocked::NoProject { .. }))
    }

    /// Whether statuses on the source-git merge request may wait for results.
    pub(crate) fn has_open_results(&self) -> bool {
        let known = self.pair.notes.iter().find_map(|note| CiSection::read(&note.body));
        known
            .is_some_and(|known| !known.state.state.is_some_and(CiState::is_final) || !known.state.left_open.is_empty())
    }

    pub(crate) fn branch_home_answers(&self) -> bool {
        self.branch_home == BranchHome::Answers
    }

    /// Whether GitLab has taken a merge request of the pair from the repository with the bot's branch: then that is a
    /// fork of dist-git, or dist-git itself.
    pub(crate) fn has_used_branch_home(&self) -> bool {
        let mut own = self.pair.merge_requests.iter().filter(|own| own.origin == BranchOrigin::Exists);
        own.any(|own| own.state == RequestState::Opened)
    }

    pub(crate) fn branch_at(&self) -> Option<CommitId> {
        match &self.branch {
            BranchState::At(tip) => Some(tip.commit),
            BranchState::Missing => None,
        }
    }

    /// What is known without asking who may see what, and where statuses are seen.
    fn observed_so_far<'a>(&'a self, run: &Run<'_>) -> SyncFacts<'a> {
        let content = match &self.made {
            Making::Made(made) => WantedContent::Content(DistGitContent {
                tree: made.tree,
                base: made.base,
                base_tree: made.base_tree,
                report: &made.generated.report,
                upstream: made.upstream.as_ref(),
            }),
            Making::Blocked(blocked) => WantedContent::Blocked(blocked.clone()),
            Making::NotDue if run.due == Due::NotHandled => WantedContent::NotHandled,
            Making::NotDue => WantedContent::Closed,
        };
        let everybody = Visibility::Public;
        SyncFacts {
            bot: run.myself.user.id,
            source: self.source(run),
            notes: self.pair.notes.clone(),
            visibility: PairVisibility {
                source: everybody,
                source_fork: everybody,
                dist_git: everybody,
                bot_fork: everybody,
            },
            branch: self.branch.clone(),
            branch_name: run.branch.clone(),
            dist_git: run.dist_path.clone(),
            merge_requests: self.pair.merge_requests.clone(),
            left_behind: self.pair.left_behind.clone(),
            announced: self.pair.told.clone(),
            labels: run.bot.instance.label.iter().cloned().collect(),
            content,
            mode: run.manner,
        }
    }

    /// Everything that the plan depends on. Who may see what is asked only where something is to be shown.
    pub(crate) fn observed<'a>(&'a self, run: &Run<'_>) -> Result<SyncFacts<'a>> {
        let mut observed = self.observed_so_far(run);
        let steps = sync_plan::plan(&observed).steps;
        let shows = steps.iter().any(SyncStep::shows_content);
        let pushes = steps.iter().any(|step| matches!(step, SyncStep::PushBranch { .. }));
        if shows && self.generated().is_some() {
            // A fork that is not there yet is made as visible as dist-git. One with an open merge request is no more
            // visible: GitLab cuts forks off, and closes their merge requests, where the original becomes less visible.
            let is_linked =
                self.pair.merge_requests.iter().any(|merge_request| merge_request.state == RequestState::Opened);
            let as_dist_git = is_linked || !self.branch_home_answers();
            observed.visibility = run.visibility(if as_dist_git { BotFork::AsDistGit } else { BotFork::OfItsOwn })?;
        }
        if pushes && run.source.sha == Some(self.head) {
            observed.source.statuses = commit_statuses::place_of_head(&run.bot.forge, &run.source, &self.head, None)?;
        }
        Ok(observed)
    }

    fn source(&self, run: &Run<'_>) -> SourceMergeRequest {
        SourceMergeRequest {
            authors: self.authors.clone(),
            base: self.base,
            ..pair_facts::source(&run.source, run.source_path.clone(), self.target.clone(), self.head)
        }
    }

    /// Asks what the bot has said already, where something is to be said.
    pub(crate) fn observe_told(&mut self, run: &Run<'_>) -> Result<()> {
        let observed = self.observed_so_far(run);
        let told = sync_plan::plan(&observed).steps.into_iter().filter_map(|step| match step {
            SyncStep::Announce { iid, .. } => Some(iid),
            _ => None,
        });
        let told: BTreeSet<_> = told.collect();
        let Some(project) = self.pair.dist_project else { return Ok(()) };
        let last =
            |iid| Ok(LastAnnouncement { merge_request: iid, announcement: dist_notes::last(run.bot, project, iid)? });
        self.pair.told = told.into_iter().map(last).collect::<Result<_>>()?;
        Ok(())
    }
}

impl Run<'_> {
    /// Looks at everything; `None` where the merge request's project is none of the bot's business.
    pub(crate) fn observe(&self, store: &mut Store, target: BranchName) -> Result<Option<Seen>> {
        match self.due {
            Due::MergeRequest | Due::Target => self.observe_content(store, target),
            Due::Close | Due::NotHandled => self.observe_end(target),
        }
    }

    /// Looks at what is left of a merge request from which nothing is carried over any more.
    fn observe_end(&self, target: BranchName) -> Result<Option<Seen>> {
        let Some(merge_requests) = self.merge_requests()? else { return Ok(None) };
        if merge_requests.is_empty() && self.known.is_none() {
            tracing::info!("the merge request is closed, and has no pair in dist-git: nothing to do");
            return Ok(None);
        }
        let pair = self.pairing(&merge_requests)?;
        let told = pair.notes.iter().find_map(|note| markers::read_note(&note.body));
        let Some(head) = self.source.sha.or(told.as_ref().map(|told| told.commit)) else { return Ok(None) };
        Ok(Some(Seen {
            made: Making::NotDue,
            target,
            head,
            base: told.and_then(|told| told.base),
            branch: BranchState::Missing,
            branch_home: BranchHome::Absent,
            pair,
            authors: Vec::new(),
        }))
    }

    fn observe_content(&self, store: &mut Store, target: BranchName) -> Result<Option<Seen>> {
        let merged_early = match self.due {
            Due::Target => Some(self.merge_requests()?),
            _ => None,
        };
        if let Some(merge_requests) = &merged_early
            && merge_requests.as_ref().is_none_or(Vec::is_empty)
            && !was_merged_lately(&self.source)
        {
            tracing::info!("it was merged some time ago, and has no pair in dist-git: nothing to do");
            return Ok(None);
        }
        let remote = self.remote("source-git", &self.source_path);
        let section = LogSection::begin(self.bot.log, "fetch_source_git", "fetching from source-git");
        let begun = match self.due {
            Due::Target => PartialFetch::begin_at_branch(store, &remote, target.as_str()),
            _ => PartialFetch::begin(store, &remote, self.source.iid.0, target.as_str()),
        };
        let mut fetched = match begun {
            Err(error) if self.has_lost_target(&error, &target)? => return self.observe_without_target(target),
            Err(error) => return self.observe_without_content(target, refusal_of(error)?),
            Ok(begun) => begun,
        };
        let path = RepoPath::parse(config::PATH)?;
        let is_configured = store.entry(&store.tree_of(&fetched.head)?, &path)?.is_some();
        drop(section);
        let mut authors = Vec::new();
        let (merge_requests, made) = match merged_early {
            Some(known) => (known, None),
            None if !is_configured => (self.merge_requests()?, None),
            // Making content takes a while. What people write in dist-git meanwhile is seen where it is read after that.
            None => {
                let made = self.make(store, &mut fetched, &target, &mut authors);
                (self.merge_requests()?, Some(made))
            }
        };
        let has_dist_git = merge_requests.is_some();
        let found = merge_requests.unwrap_or_default();
        let mut seen = Seen {
            made: Making::Blocked(Blocked::NoProject { project: self.dist_path.clone() }),
            target,
            head: fetched.head,
            base: Some(fetched.target),
            branch: BranchState::Missing,
            branch_home: BranchHome::Absent,
            pair: self.pairing(&found)?,
            authors: Vec::new(),
        };
        // Not every branch is one with packaging. Where the bot has said something, it says that this one is none now.
        if !is_configured && seen.pair.is_empty() {
            tracing::info!("{path} is not there: nothing to do");
            return Ok(None);
        }
        if has_dist_git {
            let made = made.unwrap_or_else(|| self.make(store, &mut fetched, &seen.target, &mut authors));
            seen.authors = authors;
            seen.made = match made {
                Ok(made) => made,
                Err(error) => Making::Blocked(Blocked::Refused(refusal_of(error)?)),
            };
            (seen.branch_home, seen.branch) = self.branch_state()?;
            let tip = seen.branch_at();
            self.set_apart_what_moved(&mut seen.pair, &found, tip)?;
        }
        Ok(Some(seen))
    }

    /// Whether what was not to be fetched is the target branch.
    fn has_lost_target(&self, error: &anyhow::Error, target: &BranchName) -> Result<bool> {
        let is_missing = matches!(error.downcast_ref(), Some(RemoteError::MissingRef { .. }));
        Ok(is_missing && self.bot.forge.branch(self.source.target_project_id, target)?.is_none())
    }

    /// Looks at what is left of a merge request whose target branch was deleted: nothing can be made of it.
    fn observe_without_target(&self, target: BranchName) -> Result<Option<Seen>> {
        let text = format!("its target branch {} is not there any more", quoted(target.as_str().as_bytes()));
        let remedy = "choose another target branch for the merge request, or have that one made again";
        self.observe_without_content(target, Refusal::new(text, remedy))
    }

    /// Looks at what is left of a merge request that cannot be fetched.
    fn observe_without_content(&self, target: BranchName, refusal: Refusal) -> Result<Option<Seen>> {
        let Some(head) = self.source.sha else { return Ok(None) };
        let Some(merge_requests) = self.merge_requests()? else { return Ok(None) };
        if merge_requests.is_empty() && !self.bot.forge.has_file(self.source.target_project_id, config::PATH, &head)? {
            tracing::info!("{} is not there: nothing to do", config::PATH);
            return Ok(None);
        }
        let (branch_home, branch) = self.branch_state()?;
        Ok(Some(Seen {
            made: Making::Blocked(Blocked::Refused(refusal)),
            target,
            head,
            base: None,
            branch,
            branch_home,
            pair: self.pairing(&merge_requests)?,
            authors: Vec::new(),
        }))
    }

    /// Turns the merge request, put on its target, into dist-git content. A [`Refusal`] in the error is the
    /// contributor's to mend.
    fn make(
        &self,
        store: &Store,
        fetched: &mut PartialFetch<'_>,
        target: &BranchName,
        authors: &mut Vec<SourceAuthor>,
    ) -> Result<Making> {
        let section = LogSection::begin(self.bot.log, "fetch_distro", "fetching the packaging");
        fetched.bring_directory(&fetched.head, &RepoPath::parse(config::DISTRO)?)?;
        drop(section);
        let section = LogSection::begin(self.bot.log, "fetch_dist_git", "fetching from dist-git");
        let dist_git = self.remote("dist-git", &self.dist_path);
        if let Err(error) = dist_git.fetch_tip(store, target.as_str(), DIST_TIP) {
            return match error.downcast::<RemoteError>()? {
                RemoteError::MissingRef { .. } => {
                    Ok(Making::Blocked(Blocked::NoBranch { project: self.dist_path.clone(), branch: target.clone() }))
                }
                other => Err(other.into()),
            };
        }
        drop(section);
        let base = store.commit_at(DIST_TIP)?;
        let base_tree = store.tree_of(&base)?;

        let section = LogSection::begin(self.bot.log, "generate", "turning source-git into dist-git");
        let (config, findings) = generate::read_config(store, &fetched.head)?;
        let Some(upstream_ref) = config.upstream_ref.clone() else {
            let remedy = "add `upstream_ref: TAG` to .distro/source-git.yaml";
            bail!(Refusal::new("the package configuration has no `upstream_ref`", remedy));
        };
        let (name, commit) = fetched.bring_upstream(&upstream_ref, |commit| {
            Ok(self.bot.forge.is_on_a_branch_or_tag(self.source.target_project_id, commit)?)
        })?;
        fetched.bring_changes(&commit)?;
        let before = self.upstream_ref_of_target(store, fetched)?;
        let on_target = self.on_target(store, fetched, before.as_deref(), &upstream_ref)?;
        *authors = match self.due {
            Due::Target => self.authors_of_merged()?,
            _ => authors_of(store, fetched, &commit)?,
        };
        // What was merged meanwhile counts for the configuration as for everything else.
        let (config, findings) = match on_target.tip == fetched.head {
            true => (config, findings),
            false => generate::read_config(store, &on_target.tip)?,
        };
        let tip_tree = store.tree_of(&on_target.tip)?;
        fetched.bring_directory(&on_target.tip, &RepoPath::parse(config::DISTRO)?)?;
        if let Some(TreeEntry::File(spec)) = store.entry(&tip_tree, &config.spec_path)? {
            fetched.bring_files([&spec])?;
        }
        let upstream = before
            .filter(|before| *before != upstream_ref)
            .map(|before| UpstreamChange { from: before, to: upstream_ref.clone() });
        let receiver_files = match self.bot.instance.ci_files {
            CiFiles::SourceGit => ReceiverFiles::Carried,
            CiFiles::DistGit => ReceiverFiles::StayOwn,
        };
        let mut generated = generate::generate(
            store,
            Request {
                config: &config,
                findings,
                source: on_target.tip,
                known_as: fetched.head,
                originals: on_target.originals,
                upstream: Upstream { name, commit },
                shallow: &store.shallow()?,
                dist_git: base_tree,
                comments: PatchComments::default(),
                receiver_files,
            },
        )?;
        generated.report.findings.extend(on_target.findings);
        // Of files that are no more than copied, only the names were known so far.
        fetched.bring_files(generated.after.values())?;
        drop(section);
        let tree = store.tree_with(&base_tree, &work_tree::changes(&generated.before, &generated.after))?;
        Ok(Making::Made(Box::new(Made { generated, upstream, base, base_tree, tree })))
    }

    /// What the target branch says that it sits on; `None` where it has no configuration that can be read.
    fn upstream_ref_of_target(&self, store: &Store, fetched: &PartialFetch<'_>) -> Result<Option<String>> {
        let path = RepoPath::parse(config::PATH)?;
        let Some(TreeEntry::File(file)) = store.entry(&store.tree_of(&fetched.target)?, &path)? else {
            return Ok(None);
        };
        fetched.bring_files([&file])?;
        let parsed = config::PackageConfig::parse(&store.read(&file.blob)?);
        Ok(parsed.ok().and_then(|(config, _)| config.upstream_ref))
    }

    /// Puts the merge request on the tip of its target, so that what was merged meanwhile is not taken back.
    fn on_target(
        &self,
        store: &Store,
        fetched: &PartialFetch<'_>,
        before: Option<&str>,
        upstream_ref: &str,
    ) -> Result<OnTarget> {
        let mut on_target = OnTarget { tip: fetched.head, originals: HashMap::new(), findings: Vec::new() };
        if before.is_some_and(|before| before != upstream_ref) {
            if !store.is_ancestor(&fetched.target, &fetched.head)? {
                let text = "it changes `upstream_ref`, and does not contain the tip of its target branch";
                bail!(Refusal::new(text, "rebase the merge request on its target branch"));
            }
            return Ok(on_target);
        }
        match replay::base_on_target(store, &fetched.head, &fetched.target)? {
            Based::Contains => {}
            Based::Replayed { steps, tip, .. } => {
                on_target.tip = tip;
                on_target.originals = steps.into_iter().map(|step| (step.replayed, step.original)).collect();
            }
            Based::Squashed { tip, reason, .. } => {
                let text = format!("the merge request became one patch: {reason}");
                on_target.findings.push(Finding::warning(text).remedy("rebase the merge request on its target branch"));
                on_target.tip = tip;
                on_target.originals = HashMap::from([(tip, fetched.head)]);
            }
            Based::Conflict { paths } => {
                let paths: Vec<_> = paths.iter().take(5).map(|path| quoted(path.as_bytes())).collect();
                let text = format!("the merge request conflicts with its target branch in {}", paths.join(", "));
                bail!(Refusal::new(text, format!("rebase it on {}", quoted(self.source.target_branch.as_bytes()))));
            }
        }
        Ok(on_target)
    }
}

/// What an error says of the merge request, where it is the contributor's to mend; else the error.
fn refusal_of(error: anyhow::Error) -> Result<Refusal> {
    let error = match error.downcast::<Refusal>() {
        Ok(refusal) => return Ok(refusal),
        Err(error) => error,
    };
    match error.downcast_ref::<RemoteError>() {
        Some(remote) if remote.is_about_content() => {
            let remedy = "take the commits that hold such directories or objects out of the branch and its history";
            Ok(Refusal::new(format!("git does not take what was committed: {remote}"), remedy))
        }
        _ if error.downcast_ref::<MailError>().is_some() => {
            let remedy = "rebase the downstream commits on the upstream ref, so that there are no merges among them";
            Ok(Refusal::new(format!("a patch cannot be read: {error:#}"), remedy))
        }
        _ => Err(error),
    }
}

/// Whether a merge request was merged so lately that nobody may have seen it open.
fn was_merged_lately(source: &MergeRequest) -> bool {
    source.merged_at.is_some_and(|merged| Utc::now().signed_duration_since(merged) < MERGED_LATELY)
}

/// Who wrote the commits of the merge request: not those who wrote what it takes over from upstream.
fn authors_of(store: &Store, fetched: &PartialFetch<'_>, upstream: &CommitId) -> Result<Vec<SourceAuthor>> {
    let downstream: HashSet<_> = store.commits_between(&[fetched.head], upstream)?.into_iter().collect();
    let commits = store.commits_between(&[fetched.head], &fetched.target)?;
    let mut authors = Vec::new();
    for commit in commits.iter().rev().filter(|commit| downstream.contains(commit)) {
        let described = store.describe(commit)?;
        if described.parents.len() < 2 {
            authors.push(SourceAuthor { name: described.author_name, email: described.author_email });
        }
    }
    Ok(authors)
}

/// The merge request on its target.
struct OnTarget {
    tip: CommitId,
    originals: HashMap<CommitId, CommitId>,
    findings: Vec<Finding>,
}

//! A pair of merge requests with pipelines on both sides, and what people see of the results.

use std::process::Command;

use gitlab_sandbox::{RequestRecord, Role, ShownStatus};

use crate::support::Run;
use crate::support::world::{DIST, FIXED, FORK, SOURCE, World};

/// The bot's fork of dist-git.
pub(crate) const BOT_FORK: &str = "bot/hello";

/// The jobs of most dist-git pipelines here, as stage and name.
pub(crate) const JOBS: [(&str, &str); 2] = [("build", "mock"), ("test", "rpminspect")];

/// A source-git merge request that is synced.
pub(crate) struct Case {
    pub(crate) world: World,
    pub(crate) iid: u64,
    /// The project that the merge request comes from.
    pub(crate) from: &'static str,
    changes: std::cell::Cell<u32>,
}

impl Case {
    /// From the contributor's fork; the bot may post statuses in source-git.
    pub(crate) fn from_fork() -> Self {
        let (world, iid) = World::with_merge_request();
        world.sandbox.member(SOURCE, "bot", Role::Developer);
        Self::synced(world, iid, FORK)
    }

    /// From a branch of source-git itself.
    pub(crate) fn from_branch() -> Self {
        let world = World::new();
        world.sandbox.member(SOURCE, "bot", Role::Developer);
        world.sandbox.member(SOURCE, "contributor", Role::Developer);
        world.sandbox.branch_at(SOURCE, "fix", "c9s");
        world.sandbox.commit(SOURCE, "fix", "Return success\n", &[("hello.c", Some(FIXED))]);
        let opened = world.sandbox.open("contributor").from(SOURCE, "fix").into(SOURCE, "c9s");
        let iid = opened.title("Return success").create();
        Self::synced(world, iid, SOURCE)
    }

    pub(crate) fn synced(world: World, iid: u64, from: &'static str) -> Self {
        let case = Self { world, iid, from, changes: std::cell::Cell::new(0) };
        case.sync();
        case
    }

    /// With one status for each job.
    pub(crate) fn with_jobs(self) -> Self {
        self.world.instance("results: jobs\n");
        self
    }

    pub(crate) fn sync(&self) {
        self.world.sync(self.iid, &[]).ends_with(0);
        self.forget();
    }

    /// The contributor pushes another commit.
    pub(crate) fn push(&self) -> String {
        self.changes.set(self.changes.get() + 1);
        let content = format!("Hello, {}.\n", self.changes.get());
        self.world.sandbox.commit(self.from, "fix", "Greet again\n", &[("README", Some(&content))])
    }

    /// The newest commit of the source-git merge request.
    pub(crate) fn head(&self) -> String {
        self.world.sandbox.tip(self.from, "fix").unwrap()
    }

    /// The number of the dist-git merge request.
    #[track_caller]
    pub(crate) fn dist(&self) -> u64 {
        self.world.opened().iid
    }

    /// A dist-git pipeline, in the bot's fork: the bot has no role in dist-git.
    pub(crate) fn pipeline(&self) -> u64 {
        self.world.sandbox.mr_pipeline(DIST, self.dist()).jobs(&JOBS).create()
    }

    /// A dist-git pipeline that a maintainer starts, which runs in dist-git.
    pub(crate) fn dist_git_pipeline(&self) -> u64 {
        self.world.sandbox.mr_pipeline(DIST, self.dist()).by("maintainer").jobs(&JOBS).create()
    }

    /// A pipeline of the source-git merge request that a maintainer starts, which runs in source-git.
    pub(crate) fn source_pipeline(&self) -> u64 {
        self.world.sandbox.mr_pipeline(SOURCE, self.iid).by("maintainer").jobs(&[("unit", "check")]).create()
    }

    /// A pipeline's page.
    pub(crate) fn url(&self, pipeline: u64) -> String {
        let project = self.world.sandbox.pipeline_now(pipeline).project;
        let path = self.world.sandbox.inspect(|model| model.path_of(&model.projects[&project]));
        format!("{}/{path}/-/pipelines/{pipeline}", self.world.sandbox.url())
    }

    /// The call for a pipeline.
    pub(crate) fn command(&self, pipeline: u64) -> Command {
        self.command_for(&self.url(pipeline))
    }

    pub(crate) fn command_for(&self, url: &str) -> Command {
        let mut command = self.world.program();
        command.args(["report", "--pipeline", url]);
        command
    }

    /// The call for the merge request.
    pub(crate) fn command_of_merge_request(&self) -> Command {
        let mut command = self.world.program();
        command.args(["report", "--merge-request", &format!("{SOURCE}!{}", self.iid)]);
        command
    }

    /// Reports a pipeline, which has to succeed.
    #[track_caller]
    pub(crate) fn report(&self, pipeline: u64) -> Run {
        let run = self.world.run(&mut self.command(pipeline));
        run.ends_with(0);
        run
    }

    /// Reports the merge request, which has to succeed.
    #[track_caller]
    pub(crate) fn report_merge_request(&self) -> Run {
        let run = self.world.run(&mut self.command_of_merge_request());
        run.ends_with(0);
        run
    }

    /// The statuses that the page shows with the head, of anybody: name and state, in order of their names.
    pub(crate) fn shown(&self) -> Vec<(String, String)> {
        pairs(&self.world.sandbox.shown_statuses(SOURCE, self.iid))
    }

    /// The statuses in one of the pipelines that the page lists.
    #[track_caller]
    pub(crate) fn shown_in(&self, pipeline: u64) -> Vec<(String, String)> {
        let listed = self.world.sandbox.pipelines_shown(SOURCE, self.iid);
        pairs(&listed.iter().find(|listed| listed.id == pipeline).unwrap().statuses)
    }

    /// The bot's statuses that have not ended, of each pipeline in source-git: commit and name.
    pub(crate) fn open_statuses(&self) -> Vec<(String, String)> {
        let sandbox = &self.world.sandbox;
        let pipelines = sandbox.pipelines(SOURCE);
        let open = pipelines.iter().flat_map(|pipeline| {
            let statuses = sandbox
                .jobs(pipeline.id)
                .into_iter()
                .filter(|job| job.stage == "external" && !job.retried && !job.status.is_complete());
            statuses.map(|status| (pipeline.sha.clone(), status.name))
        });
        open.collect()
    }

    pub(crate) fn note(&self) -> String {
        self.world.note(self.iid)
    }

    /// What the note says of dist-git's CI: the line that begins so.
    #[track_caller]
    pub(crate) fn summary(&self) -> String {
        let note = self.note();
        let line = note.lines().find(|line| line.starts_with("**dist-git CI"));
        line.unwrap_or_else(|| panic!("{note}")).to_owned()
    }

    /// The rows of the note's tables, without their links.
    pub(crate) fn rows(&self) -> Vec<String> {
        let note = self.note();
        let rows =
            note.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Job") && !line.contains("---"));
        rows.map(str::to_owned).collect()
    }

    /// Looks at what was written, and forgets the requests.
    pub(crate) fn forget(&self) {
        let _ = self.world.sandbox.take_writes();
        self.world.sandbox.clear_log();
    }

    /// The statuses that were tried to be posted, since somebody looked, with GitLab's answers.
    pub(crate) fn tries(&self) -> Vec<(String, u16)> {
        let all = self.world.sandbox.api_requests();
        let posts = all.iter().filter(|request| is_status(request));
        posts.map(|post| (String::from_utf8_lossy(&post.body).into_owned(), post.status.unwrap_or_default())).collect()
    }

    /// Checks that a further call writes nothing and tries nothing.
    #[track_caller]
    pub(crate) fn is_settled(&self, pipeline: u64) {
        self.forget();
        self.report(pipeline);
        self.report_merge_request();
        assert_eq!(self.world.written(), [""; 0]);
        assert_eq!(self.tries(), []);
        self.forget();
    }
}

fn is_status(request: &RequestRecord) -> bool {
    request.method == "POST" && request.path.contains("/statuses/")
}

fn pairs(statuses: &[ShownStatus]) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = statuses.iter().map(|status| (status.name.clone(), status.state.clone())).collect();
    pairs.sort();
    pairs
}

/// What the bot wrote is looked at on the page, not request by request.
impl Drop for Case {
    fn drop(&mut self) {
        let _ = self.world.sandbox.take_writes();
    }
}

/// Names and states as [`Case::shown`] gives them.
pub(crate) fn statuses(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned())).collect()
}

//! Whatever happens to a pair and whenever `report` is called in between, one call at the end leads to the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::thread;

use gitlab_sandbox::Moment;
use proptest::prelude::*;

use super::world::Case;
use crate::support::world::{DIST, FORK, SOURCE};

#[derive(Clone, Debug)]
enum Event {
    /// The contributor pushes, and the bot syncs.
    Push,
    /// dist-git's CI begins to test what dist-git holds.
    Pipeline,
    /// A job of one of dist-git's pipelines moves on.
    Job(usize, usize, &'static str),
    /// Somebody retries a job.
    Retry(usize, usize),
    /// A pipeline of the source-git merge request, in source-git.
    InParent,
    /// The same in the contributor's fork.
    InFork,
    /// A call for one of dist-git's pipelines, or for the merge request, this often.
    Report(Option<usize>, usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let state = prop::sample::select(vec!["pending", "running", "success", "failed", "canceled", "skipped", "manual"]);
    let event = prop_oneof![
        1 => Just(Event::Push),
        2 => Just(Event::Pipeline),
        6 => (0..8_usize, 0..2_usize, state).prop_map(|(pipeline, job, state)| Event::Job(pipeline, job, state)),
        1 => (0..8_usize, 0..2_usize).prop_map(|(pipeline, job)| Event::Retry(pipeline, job)),
        1 => Just(Event::InParent),
        1 => Just(Event::InFork),
        6 => (prop::option::of(0..8_usize), 1..3_usize).prop_map(|(pipeline, times)| Event::Report(pipeline, times)),
    ];
    prop::collection::vec(event, 4..16)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reports {
    AsTheyCome,
    AtTheEnd,
}

/// A pair with the pipelines of dist-git so far.
struct History {
    case: Case,
    pipelines: Vec<u64>,
}

impl History {
    fn new(from: &str, detail: &str) -> Self {
        let case = if from == FORK { Case::from_fork() } else { Case::from_branch() };
        case.world.instance(&format!("results: {detail}\n"));
        // Between two events there is more than a moment.
        case.world.sandbox.fix_clock(Moment(1_900_000_000_000));
        Self { case, pipelines: Vec::new() }
    }

    fn nth(&self, number: usize) -> Option<u64> {
        self.pipelines.get(number % self.pipelines.len().max(1)).copied()
    }

    /// The job of this number that is not retried.
    fn job(&self, pipeline: u64, number: usize) -> u64 {
        let jobs = self.case.world.sandbox.jobs(pipeline);
        let latest: Vec<_> = jobs.iter().filter(|job| !job.retried).collect();
        latest[number % latest.len()].id
    }

    fn happen(&mut self, event: &Event, reports: Reports) {
        let sandbox = &self.case.world.sandbox;
        match event {
            Event::Push => {
                self.case.push();
                self.case.world.sync(self.case.iid, &[]).ends_with(0);
            }
            Event::Pipeline => self.pipelines.push(self.case.pipeline()),
            Event::Job(pipeline, job, state) => {
                if let Some(pipeline) = self.nth(*pipeline) {
                    sandbox.set_job(self.job(pipeline, *job), state);
                }
            }
            Event::Retry(pipeline, job) => {
                if let Some(pipeline) = self.nth(*pipeline) {
                    sandbox.retry_job(self.job(pipeline, *job));
                }
            }
            Event::InParent => {
                self.case.source_pipeline();
            }
            Event::InFork if self.case.from == FORK => {
                sandbox.mr_pipeline(SOURCE, self.case.iid).jobs(&[("unit", "check")]).create();
            }
            Event::InFork => {}
            Event::Report(pipeline, times) if reports == Reports::AsTheyCome => {
                for _ in 0..*times {
                    match pipeline.and_then(|pipeline| self.nth(pipeline)) {
                        Some(pipeline) => self.case.report(pipeline),
                        None => self.case.report_merge_request(),
                    };
                }
            }
            Event::Report(..) => {}
        }
    }

    /// The addresses of dist-git's pipelines and jobs, by names that do not depend on what else got numbers.
    fn addresses(&self) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        let page = self.case.world.opened();
        names.insert(format!("{}/{DIST}/-/merge_requests/{}", self.case.world.sandbox.url(), page.iid), "!".to_owned());
        for (number, pipeline) in self.pipelines.iter().enumerate() {
            let url = self.case.url(*pipeline);
            for (job_number, job) in self.case.world.sandbox.jobs(*pipeline).iter().enumerate() {
                let (project, _) = url.split_once("/-/").unwrap();
                names.insert(format!("{project}/-/jobs/{}", job.id), format!("job {number}.{job_number}"));
            }
            names.insert(url, format!("pipeline {number}"));
        }
        names
    }

    /// What people see: the statuses, with links where they have ended, and what the note says of the results, but for
    /// times.
    fn seen(&self) -> String {
        let addresses = self.addresses();
        let mut seen = String::new();
        let mut shown = self.case.world.sandbox.shown_statuses(SOURCE, self.case.iid);
        shown.sort_by(|a, b| a.name.cmp(&b.name));
        for status in shown {
            let has_ended = !matches!(status.state.as_str(), "pending" | "running");
            let url = status.target_url.filter(|_| has_ended).map(|url| addresses[&url].clone());
            let _ = writeln!(seen, "{}: {} {}", status.name, status.state, url.unwrap_or_default());
        }
        let note = self.case.note();
        let outdated = note.contains("These results are for an older commit");
        let _ = writeln!(seen, "outdated: {outdated}");
        let mut said = vec![self.case.summary()];
        said.extend(self.case.rows());
        for line in said {
            let mut line = line.split(", as of ").next().unwrap().to_owned();
            for (address, name) in addresses.iter().rev() {
                let number = address.rsplit('/').next().unwrap();
                line = line.replace(&format!("pipeline {number}]"), "the pipeline]").replace(address, name);
            }
            // The last cell of a row is how long the job took.
            let cells: Vec<_> = line.split('|').collect();
            let _ = writeln!(seen, "{}", if cells.len() == 6 { cells[..4].join("|") } else { line.clone() });
        }
        seen
    }
}

/// Lets everything happen, reports at the end, and gives what people see then.
fn run(events: &[Event], from: &str, detail: &str, reports: Reports) -> String {
    let mut history = History::new(from, detail);
    history.case.forget();
    for event in events {
        history.happen(event, reports);
    }
    history.case.report_merge_request();
    let head = history.case.head();
    let open = history.case.open_statuses();
    assert!(open.iter().all(|(sha, _)| is_head(&history, sha, &head)), "{reports:?}: open on older commits: {open:#?}");
    let mut refused: Vec<_> = history.case.tries().into_iter().filter(|(_, status)| *status >= 400).collect();
    let all = refused.len();
    refused.sort();
    refused.dedup();
    assert_eq!(all, refused.len(), "refused twice: {refused:#?}");
    let seen = history.seen();
    history.case.forget();
    history.case.report_merge_request();
    assert_eq!(history.case.world.written(), [""; 0], "{reports:?}: not settled");
    seen
}

/// Whether a commit is the head, or GitLab's merge of it.
fn is_head(history: &History, sha: &str, head: &str) -> bool {
    sha == head || history.case.world.sandbox.git(SOURCE, &["rev-list", "--parents", "-1", sha]).contains(head)
}

fn cases() -> ProptestConfig {
    // Each case is two worlds; PROPTEST_CASES asks for more.
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig { failure_persistence: None, max_shrink_iters: 60, ..ProptestConfig::default() },
        None => {
            ProptestConfig { cases: 6, failure_persistence: None, max_shrink_iters: 60, ..ProptestConfig::default() }
        }
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_calls_in_between_lead_to_what_one_call_at_the_end_leads_to(
        events in events(),
        from in prop::sample::select(vec![FORK, SOURCE]),
        detail in prop::sample::select(vec!["pipeline", "jobs"]),
    ) {
        let (often, once) = thread::scope(|scope| {
            let often = scope.spawn(|| run(&events, from, detail, Reports::AsTheyCome));
            let once = scope.spawn(|| run(&events, from, detail, Reports::AtTheEnd));
            (often.join(), once.join())
        });
        let (often, once) = (often.unwrap(), once.unwrap());
        prop_assert_eq!(often, once);
    }
}

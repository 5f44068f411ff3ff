//! A contributor's merge request on GitLab, and what the bot's CI jobs make of it: `sync`, `report` and `reconcile`, as
//! people see them.

use anyhow::{Context as _, Result};
use gitlab_sandbox::{MergeRequest, Moment, Note, Role, Sandbox, Scope, Settings};
use source_git_bot::cli::exit::ExitStatus;
use source_git_bot::pair::ci::REPORT_JOB;

use crate::package::{self, BRANCH, GREETING, SUCCESS};
use crate::page;
use crate::program::Program;
use crate::stage::Stage;

const GITLAB: &str = "http://localhost";
const SOURCE: &str = "src/hello";
const DIST: &str = "rpms/hello";
const FORK: &str = "contributor/hello";
const BOT_FORK: &str = "bot/hello";

/// The job of dist-git's CI that the contributor's first commit does not pass.
const TEST: &str = "greets-by-name";

/// One that may fail.
const LINT: &str = "rpmlint";

/// A packager's change to a line that the contributor changes too.
const POLITE: (&str, &str) = ("\"Hello, world\"", "\"Good day, world\"");

/// Tells the story.
pub(crate) fn tell(stage: &Stage, program: &Program) -> Result<()> {
    let mut story = Story::begin(stage, program)?;
    story.contribute()?;
    story.first_sync()?;
    story.failure()?;
    story.second_push()?;
    let pipeline = story.success()?;
    story.rerun(pipeline)?;
    story.conflict()?;
    story.mend()?;
    story.reconcile()?;
    story.end()
}

struct Story<'a> {
    stage: &'a Stage,
    program: &'a Program,
    gitlab: Sandbox,
    token: String,
    /// The number of the contributor's merge request.
    iid: u64,
}

impl<'a> Story<'a> {
    /// Puts the package on a GitLab, with people and the bot.
    fn begin(stage: &'a Stage, program: &'a Program) -> Result<Self> {
        println!(
            "\nA distribution keeps its package hello twice. source-git ({SOURCE}) has upstream's history and,\n\
             as commits on top, the distribution's changes. dist-git ({DIST}) has the spec and the changes\n\
             as patches, and is what gets built. The contributor knows git and C, and nothing of dist-git."
        );
        // The port differs from run to run, and what is shown should not: so the way there is by proxy.
        let settings = Settings { external_url: Some(GITLAB.to_owned()), ..Settings::default() };
        let mut gitlab = Sandbox::start_with(&settings);
        gitlab.leave_unchecked();
        // The note tells times, which should be the same in every run.
        gitlab.fix_clock(Moment(1_700_000_000_000));
        for user in ["root", "bot", "contributor", "packager"] {
            gitlab.user(user);
        }
        package::make_upstream(stage)?;
        package::make_source_git(stage)?;
        package::make_dist_git(stage)?;
        for (project, clone, refs) in [(SOURCE, "source-git", &[BRANCH, "v1.0"][..]), (DIST, "dist-git", &[BRANCH][..])]
        {
            gitlab.project(project);
            gitlab.member(project, "packager", Role::Maintainer);
            gitlab.push(&stage.path(clone), project, refs);
        }
        // Who posts statuses has to be Developer.
        gitlab.member(SOURCE, "bot", Role::Developer);
        let token = gitlab.token("bot", &[Scope::Api]);
        let proxy = format!("http://{}", gitlab.address());
        stage.write(
            "instance.yaml",
            format!(
                "extends: production\ngitlab:\n  url: {GITLAB}\n  proxy: {proxy}\n\
                 namespaces:\n- source_git: src\n  dist_git: rpms\ntargets:\n- branch: c[0-9]+s\nresults: jobs\n"
            ),
        )?;
        let config = stage.read("gitconfig")?;
        stage.write("gitconfig", format!("{config}[http]\nproxy = {proxy}\n"))?;
        Ok(Self { stage, program, gitlab, token, iid: 0 })
    }

    fn contribute(&mut self) -> Result<()> {
        let stage = self.stage;
        stage.heading("A contributor forks source-git, commits a fix and opens a merge request");
        self.gitlab.fork(SOURCE, "contributor");
        stage.shown(".", &["clone", "-q", "-b", BRANCH, &format!("{GITLAB}/{FORK}.git")])?;
        stage.identify("hello", "A Contributor <contributor@example.com>")?;
        self.let_push("hello", "contributor")?;
        stage.shown("hello", &["checkout", "-q", "-b", "exit-status"])?;
        stage.shown_edit("hello/hello.c", SUCCESS)?;
        self.commit("Return success")?;
        stage.shown("hello", &["push", "-q", "origin", "exit-status"])?;
        let opened = self.gitlab.open("contributor").from(FORK, "exit-status").into(SOURCE, BRANCH);
        let description = "Callers test the exit status.\n\nJIRA: RHEL-123\n";
        self.iid = opened.title("Return success").description(description).create();
        page::merge_request(&self.gitlab, &self.gitlab.merge_request(SOURCE, self.iid), stage.paint);
        Ok(())
    }

    fn first_sync(&self) -> Result<()> {
        let stage = self.stage;
        stage.heading("The bot's CI job runs");
        println!("\nAll that it knows: its token, its instance file, and from GitLab which merge request it runs for:");
        for (name, value) in self.merge_request_job() {
            println!("    {name}={}", if name == "SGB_TOKEN" { "[MASKED]" } else { &value });
        }
        self.sync(ExitStatus::Done)?;

        stage.heading("For the package's maintainers, there is now a merge request in dist-git");
        let pair = self.pair()?;
        page::merge_request(&self.gitlab, &pair, stage.paint);
        stage.check("the title is the contributor's", pair.title == "Return success")?;
        stage.check("it is into the same branch", pair.target_branch == BRANCH)?;
        stage.check("the reference is converted", pair.description.contains("\nResolves: RHEL-123\n"))?;
        let branch = &pair.source_branch;
        println!("{}", self.shown(BOT_FORK, &["show", "--stat", "--format=%an <%ae>%n%n%B", branch]).trim_end());
        let diff = self.shown(BOT_FORK, &["show", "-U1", "--format=", branch, "--", "hello.spec"]);
        page::diff(&diff, stage.paint);
        stage.check("the spec names the patch", diff.contains("\n+Patch0001:      0001-Return-success.patch\n"))?;
        let patch = self.gitlab.git(BOT_FORK, &["show", &format!("{branch}:0001-Return-success.patch")]);
        let head = self.stage.quiet("hello", &["rev-parse", "HEAD"])?;
        stage.check("the patch is that of the contributor's commit", patch.starts_with(&format!("From {head} ")))?;

        stage.heading("For the contributor, there is a note on their merge request: all that they have to read");
        let note = self.note()?;
        let shown = page::note(&self.name(), &note, stage.paint);
        let signs = ["<!--", "**", "](", "####"];
        let hidden = |line: &String| signs.iter().all(|sign| !line.contains(sign));
        stage.check("no sign of Markdown is left", !shown.is_empty() && shown.iter().all(hidden))?;
        stage.check("the note names the merge request", note.body.contains(&format!("[{DIST}!{}]", pair.iid)))?;
        stage.check("the note names the patch", note.body.contains("`0001-Return-success.patch`"))
    }

    fn failure(&self) -> Result<()> {
        let stage = self.stage;
        stage.heading(
            "dist-git's CI tests it, and a job fails: its last job brings the results to the contributor's note",
        );
        let before = self.note()?;
        let pipeline = self.test(Some(TEST))?;
        self.report(pipeline)?;
        let note = self.note()?;
        page::edited_note(&self.name(), &note, &before, stage.paint);
        let job = format!("[`{TEST}`]({GITLAB}/{BOT_FORK}/-/jobs/{})", self.gitlab.job_named(pipeline, TEST));
        stage.check("the failed job comes first", first_row(&note).is_some_and(|row| row.contains(&job)))?;
        stage.check("the job that reports is none of the results", !note.body.contains(REPORT_JOB))?;
        stage.check("the note is all that is written", self.note_alone_is_written(&note))?;
        self.finish(pipeline);
        println!(
            "\nNo pipeline for the merge request has run in {SOURCE}, and of one from a fork GitLab shows commit\n\
             statuses nowhere else: so none is posted, and the note is the result."
        );
        stage.check("no statuses are shown", self.gitlab.shown_statuses(SOURCE, self.iid).is_empty())
    }

    fn second_push(&self) -> Result<()> {
        let stage = self.stage;
        stage.heading(
            "The contributor pushes what the test wants: the same merge request, the same note, brought up to date",
        );
        let (pair, note) = (self.pair()?, self.note()?);
        stage.shown_edit("hello/hello.c", GREETING)?;
        self.commit("Greet whoever is named")?;
        stage.shown("hello", &["push", "-q", "origin", "exit-status"])?;
        println!("\nThis time a packager starts a pipeline for it in {SOURCE}, where statuses are seen.");
        self.gitlab.mr_pipeline(SOURCE, self.iid).by("packager").jobs(&[("test", "sync")]).create();
        self.sync(ExitStatus::Done)?;
        println!("{}", self.shown(BOT_FORK, &["ls-tree", "--name-only", &pair.source_branch]).trim_end());
        stage.check("the merge request is the same", self.pair()?.iid == pair.iid)?;
        stage.check(
            "it holds both patches",
            self.patches(&pair) == ["0001-Return-success.patch", "0002-Greet-whoever-is-named.patch"],
        )?;
        let edited = self.note()?;
        page::edited_note(&self.name(), &edited, &note, stage.paint);
        stage.check("the note is the same, edited twice by now", (edited.id, edited.edits) == (note.id, 2))
    }

    fn success(&self) -> Result<u64> {
        let stage = self.stage;
        stage.heading("The next pipeline passes, but for a warning: the note says so, and now statuses do as well");
        let before = self.note()?;
        let pipeline = self.test(Some(LINT))?;
        self.report(pipeline)?;
        let note = self.note()?;
        page::edited_note(&self.name(), &note, &before, stage.paint);
        stage.check("the note says that it passed", note.body.contains("**dist-git CI: passed with warnings** for"))?;
        let shown = page::statuses(&self.name(), self.gitlab.shown_statuses(SOURCE, self.iid), stage.paint);
        let names =
            ["dist-git", "dist-git / build / rpm", "dist-git / test / greets-by-name", "dist-git / test / rpmlint"];
        stage.check("the pipeline and each job have one", shown.iter().map(|status| &status.name).eq(names))?;
        stage.check("none of them failed", shown.iter().all(|status| status.state == "success"))?;
        Ok(pipeline)
    }

    fn rerun(&self, pipeline: u64) -> Result<()> {
        self.stage.heading("Both jobs run again: nothing to do");
        self.sync(ExitStatus::Done)?;
        self.nothing_to_do(5)?;
        self.report(pipeline)?;
        self.nothing_to_do(8)?;
        self.finish(pipeline);
        Ok(())
    }

    fn conflict(&self) -> Result<()> {
        let stage = self.stage;
        stage.heading("Meanwhile a packager changes the same line, and brings that to dist-git by hand");
        self.let_push("source-git", "packager")?;
        self.let_push("dist-git", "packager")?;
        stage.shown_edit("source-git/hello.c", POLITE)?;
        stage.later();
        stage.shown("source-git", &["commit", "-q", "-a", "-m", "Be polite"])?;
        let arguments = ["-q", "update-dist-git", "source-git", "dist-git", "-m", "Be polite"];
        stage.command("source-git-bot", &arguments);
        let ended = self.program.run(&stage.path("."), &arguments, &stage.surroundings())?;
        stage.check("the packager's change gets to dist-git", ended.status == Some(0))?;
        for (clone, project) in [("source-git", SOURCE), ("dist-git", DIST)] {
            stage.shown(clone, &["push", "-q", &format!("{GITLAB}/{project}.git"), BRANCH])?;
        }

        stage.heading("Now the contributor's change cannot be carried over: the note says why, and what to do");
        let (before, branch) = (self.note()?, self.pair()?.source_branch);
        let tip = self.gitlab.tip(BOT_FORK, &branch);
        self.sync(ExitStatus::CannotBeSynced)?;
        let note = self.note()?;
        page::note(&self.name(), &note, stage.paint);
        stage.check("the note is all that is written", self.note_alone_is_written(&note))?;
        stage.check("the note is the same", note.id == before.id)?;
        stage.check("the note says what to do", note.body.contains("**How to fix it:**"))?;
        stage.check("dist-git is left as it was", self.gitlab.tip(BOT_FORK, &branch) == tip)
    }

    fn mend(&self) -> Result<()> {
        let stage = self.stage;
        stage.heading("The contributor does it, and keeps their own line where the two differ");
        stage.shown("hello", &["fetch", "-q", &format!("{GITLAB}/{SOURCE}.git"), BRANCH])?;
        stage.later();
        stage.shown("hello", &["rebase", "-q", "-X", "theirs", "FETCH_HEAD"])?;
        stage.shown("hello", &["push", "-q", "--force", "origin", "exit-status"])?;
        let blocked = self.note()?;
        self.sync(ExitStatus::Done)?;
        let (pair, note) = (self.pair()?, self.note()?);
        page::edited_note(&self.name(), &note, &blocked, stage.paint);
        stage.check("nothing is left to mend", !note.body.contains("**How to fix it:**"))?;
        let patches = self.patches(&pair);
        let wanted = ["0001-Be-polite.patch", "0002-Return-success.patch", "0003-Greet-whoever-is-named.patch"];
        stage.check("the contributor's patches come on top of the packager's", patches == wanted)
    }

    fn reconcile(&self) -> Result<()> {
        let stage = self.stage;
        stage.heading("dist-git's CI passes, and its word gets lost: the job that looks at everything makes that good");
        let pipeline = self.test(None)?;
        self.finish(pipeline);
        self.run(&["reconcile"], &self.job(&[]), ExitStatus::Done)?;
        stage.check("the note has the results now", self.note()?.body.contains("**dist-git CI: passed** for"))?;
        let said = self.run(&["reconcile"], &self.job(&[]), ExitStatus::Done)?;
        stage.check("all is as it should be", said.starts_with("1 merge request: 1 unchanged; "))?;
        stage.check("nothing is written", self.written().is_empty())
    }

    /// What holds for the whole story.
    fn end(&self) -> Result<()> {
        let unknown = self.gitlab.take_unknown();
        self.stage.check("nothing is asked of GitLab that it does not know", unknown.is_empty())?;
        let acts = self.gitlab.acts();
        self.stage.check("no text of the bot sets anything off", acts.iter().all(|act| act.user != "bot"))
    }

    /// Lets dist-git's CI test what the bot pushed, up to its last job, where `fails` does not pass. Returns the pipeline.
    fn test(&self, fails: Option<&str>) -> Result<u64> {
        let pipeline = self.gitlab.mr_pipeline(DIST, self.pair()?.iid).create();
        for (stage, name, seconds) in [("build", "rpm", 130), ("test", LINT, 10), ("test", TEST, 40)] {
            let job = self.gitlab.job(pipeline, stage, name).status("running");
            let job = if name == LINT { job.allow_failure() } else { job }.create();
            let now = self.gitlab.pipeline_now(pipeline).updated_at;
            self.gitlab.fix_clock(Moment(now.0 + 1000 * seconds));
            self.gitlab.set_job(job, if Some(name) == fails { "failed" } else { "success" });
        }
        self.gitlab.job(pipeline, ".post", REPORT_JOB).status("running").create();
        Ok(pipeline)
    }

    /// Lets the last job of a pipeline come to its end.
    fn finish(&self, pipeline: u64) {
        self.gitlab.set_job(self.gitlab.job_named(pipeline, REPORT_JOB), "success");
    }

    /// Runs the last job of a pipeline.
    fn report(&self, pipeline: u64) -> Result<()> {
        let place = [("CI_PROJECT_PATH", BOT_FORK.to_owned()), ("CI_PIPELINE_ID", pipeline.to_string())];
        let named: Vec<_> = place.iter().map(|(name, value)| format!("{name}={value}")).collect();
        println!("\nThe job knows its pipeline: {}", named.join(" "));
        self.run(&["report"], &self.job(&place), ExitStatus::Done).map(drop)
    }

    fn sync(&self, expected: ExitStatus) -> Result<()> {
        self.run(&["sync"], &self.merge_request_job(), expected).map(drop)
    }

    /// Runs a job, shows its log, checks how it ends, and returns what it prints.
    fn run(&self, arguments: &[&str], variables: &[(&str, String)], expected: ExitStatus) -> Result<String> {
        drop(self.gitlab.take_writes());
        self.gitlab.clear_log();
        self.stage.command("source-git-bot", arguments);
        let ended = self.program.run(&self.stage.path("."), arguments, variables)?;
        page::job_log(&ended.stderr);
        print!("{}", ended.stdout);
        if expected != ExitStatus::Done {
            println!("(exit status {})", expected as u8);
        }
        let told = [&ended.stdout, &ended.stderr].iter().any(|said| said.contains(&self.token));
        self.stage.check("the token is not told", !told)?;
        self.stage.check("the job ends as it should", ended.status == Some(i32::from(expected as u8)))?;
        Ok(ended.stdout)
    }

    fn nothing_to_do(&self, at_most: usize) -> Result<()> {
        let (asked, written) = (self.gitlab.api_requests().len(), self.written());
        println!("({asked} requests to GitLab's API; writes: {})", written.len());
        self.stage.check("nothing is written", written.is_empty())?;
        self.stage.check("little is asked", asked <= at_most)
    }

    /// Method and path of the writes since the last job began.
    fn written(&self) -> Vec<String> {
        self.gitlab.take_writes().into_iter().map(|write| format!("{} {}", write.method, write.path)).collect()
    }

    /// Whether the last job edited the note, and wrote nothing else.
    fn note_alone_is_written(&self, note: &Note) -> bool {
        let path = format!("/merge_requests/{}/notes/{}", self.iid, note.id);
        matches!(&self.written()[..], [only] if only.starts_with("PUT ") && only.ends_with(&path))
    }

    /// A job's variables: GitLab's predefined ones and the bot's own.
    fn job(&self, place: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
        let own = [("SGB_INSTANCE", "instance.yaml".to_owned()), ("SGB_TOKEN", self.token.clone())];
        [("GITLAB_CI", "true".to_owned())].iter().chain(place).chain(&own).cloned().collect()
    }

    /// The variables of a job for the contributor's merge request.
    fn merge_request_job(&self) -> Vec<(&'static str, String)> {
        let number = self.iid.to_string();
        self.job(&[("CI_MERGE_REQUEST_PROJECT_PATH", SOURCE.to_owned()), ("CI_MERGE_REQUEST_IID", number)])
    }

    fn name(&self) -> String {
        format!("{SOURCE}!{}", self.iid)
    }

    /// The one merge request in dist-git.
    fn pair(&self) -> Result<MergeRequest> {
        let found = self.gitlab.merge_requests(DIST);
        self.stage.check("there is one merge request in dist-git", found.len() == 1)?;
        found.into_iter().next().context("there is none")
    }

    /// The one note on the contributor's merge request.
    fn note(&self) -> Result<Note> {
        let found = self.gitlab.notes(SOURCE, self.iid);
        self.stage.check("there is one note", found.len() == 1)?;
        found.into_iter().next().context("there is none")
    }

    fn patches(&self, pair: &MergeRequest) -> Vec<String> {
        let files = self.gitlab.git(BOT_FORK, &["ls-tree", "--name-only", &pair.source_branch]);
        files.lines().filter(|name| name.ends_with(".patch")).map(str::to_owned).collect()
    }

    /// Asks git in a project on GitLab, as in a clone of it.
    fn shown(&self, project: &str, arguments: &[&str]) -> String {
        self.stage.command(&format!("git -C {project}"), arguments);
        self.gitlab.git(project, arguments)
    }

    /// The contributor commits what they changed.
    fn commit(&self, message: &str) -> Result<()> {
        self.stage.later();
        self.stage.shown("hello", &["commit", "-q", "-a", "-m", message])
    }

    /// Lets a clone push in the name of a user.
    fn let_push(&self, clone: &str, user: &str) -> Result<()> {
        let token = self.gitlab.token(user, &[Scope::Api]);
        let address = GITLAB.replace("://", &format!("://{user}:{token}@"));
        self.stage.quiet(clone, &["config", &format!("url.{address}/.insteadOf"), &format!("{GITLAB}/")]).map(drop)
    }
}

/// The first job in a note's table.
fn first_row(note: &Note) -> Option<&str> {
    note.body.lines().skip_while(|line| !line.starts_with("| --- ")).nth(1)
}

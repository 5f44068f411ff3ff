//! A pair with people who comment on its source-git merge request, and events that tell the bot of their comments.

use std::fs;
use std::process::Command;

use gitlab_sandbox::{Note, Role, State};
use serde_json::{Value, json};

use crate::support::Run;
use crate::support::world::{DIST, IN_2096, SOURCE, World};

/// The bot's fork of dist-git, where it may run pipelines.
pub(crate) const BOT_FORK: &str = "bot/hello";

/// A pair that is in step. The contributor who opened the merge request has no role in source-git.
pub(crate) struct Case {
    pub(crate) world: World,
    pub(crate) iid: u64,
}

impl Case {
    pub(crate) fn new() -> Self {
        let (world, iid) = World::with_merge_request();
        for user in ["developer", "reporter", "stranger"] {
            world.sandbox.user(user);
        }
        world.sandbox.member(SOURCE, "developer", Role::Developer);
        world.sandbox.member(SOURCE, "reporter", Role::Reporter);
        // A role in dist-git is none in source-git.
        world.sandbox.member(DIST, "stranger", Role::Maintainer);
        world.synced(iid);
        // From here on time passes only where a test lets it.
        world.sandbox.fix_clock(IN_2096);
        let case = Self { world, iid };
        case.forget();
        case
    }

    pub(crate) fn forget(&self) {
        let _ = self.world.sandbox.take_writes();
        self.world.sandbox.clear_log();
    }

    /// Somebody writes a comment.
    pub(crate) fn comment(&self, author: &str, text: &str) -> u64 {
        self.world.sandbox.note(SOURCE, self.iid, author, text)
    }

    /// What GitLab makes of the bot's webhook template when somebody comments.
    pub(crate) fn payload(&self, note: u64) -> Value {
        let project = self.world.sandbox.inspect(|model| model.project(SOURCE).unwrap().id).to_string();
        let notice = json!({
            "v": "1", "kind": "note", "project": project, "id": note.to_string(), "iid": "",
            "mr": self.iid.to_string(), "mr_project": project
        });
        json!({"source_git_bot": notice, "ref": "main", "variables": {}})
    }

    pub(crate) fn event(&self, payload: &Value) -> Command {
        let note = payload["source_git_bot"]["id"].as_str().unwrap();
        let file = self.world.home.path().join(format!("payload-{note}.json"));
        fs::write(&file, payload.to_string()).unwrap();
        let mut command = self.world.program();
        command.arg("event").env("TRIGGER_PAYLOAD", file);
        command
    }

    /// The bot hears of a comment.
    pub(crate) fn hear(&self, note: u64) -> Run {
        self.world.run(&mut self.event(&self.payload(note)))
    }

    /// Somebody writes a comment, and the bot hears of it: the bot's reactions to it.
    #[track_caller]
    pub(crate) fn says(&self, author: &str, text: &str) -> Vec<String> {
        let note = self.comment(author, text);
        self.hear(note).ends_with(0);
        self.reactions(note)
    }

    /// The bot's reactions to a comment, the first first.
    pub(crate) fn reactions(&self, note: u64) -> Vec<String> {
        self.world.sandbox.inspect(|model| {
            let bot = model.user("bot").unwrap().id;
            let reactions = &model.notes[&note].reactions;
            reactions.iter().filter(|(_, by, _)| *by == bot).map(|(_, _, name)| name.clone()).collect()
        })
    }

    /// How many pipelines there are for the dist-git merge request.
    pub(crate) fn pipelines(&self) -> usize {
        self.world.sandbox.pipelines(BOT_FORK).len() + self.world.sandbox.pipelines(DIST).len()
    }

    /// Lets time pass on GitLab, which tells the program what time it is.
    pub(crate) fn minutes_pass(&self, minutes: u64) {
        self.world.sandbox.pass_time(minutes * 60);
    }

    /// Changes a comment, as its author or a Maintainer can.
    pub(crate) fn edit(&self, note: u64, text: &str) {
        self.world.sandbox.arrange(|model| text.clone_into(&mut model.notes.get_mut(&note).unwrap().body));
    }

    /// The bot's comments: its one note, and what else there is.
    pub(crate) fn bots_comments(&self) -> Vec<Note> {
        let bot = self.world.sandbox.inspect(|model| model.user("bot").unwrap().id);
        let mut notes = self.world.sandbox.notes(SOURCE, self.iid);
        notes.retain(|note| note.author == bot);
        notes
    }

    /// The bot's note.
    pub(crate) fn note(&self) -> String {
        let mut notes = self.bots_comments();
        notes.retain(|note| note.body.contains("source-git-bot v1: note"));
        assert_eq!(notes.len(), 1, "{notes:#?}");
        notes.remove(0).body
    }

    /// What was written, but for reactions.
    pub(crate) fn written(&self) -> Vec<String> {
        let mut written = self.world.written();
        written.retain(|write| !write.contains("/award_emoji"));
        written
    }

    /// The states of the dist-git merge requests.
    pub(crate) fn dist_git(&self) -> Vec<State> {
        let mut found = self.world.sandbox.merge_requests(DIST);
        found.sort_by_key(|found| found.iid);
        found.into_iter().map(|found| found.state).collect()
    }

    /// Keeps everybody from running pipelines in the bot's fork, where they would run.
    pub(crate) fn set_pipelines_in_the_fork(&self, level: &str) {
        self.world.sandbox.arrange(|model| {
            let id = model.project(BOT_FORK).unwrap().id;
            let settings = &mut model.projects.get_mut(&id).unwrap().settings;
            settings.insert("builds_access_level".to_owned(), level.into());
        });
    }
}

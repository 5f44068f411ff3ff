//! The people around one package, what they do, and what they know to have become of it.
//!
//! Whatever the model needs to know of the past is written down here: who closed what, and which text is a person's.

use std::collections::BTreeMap;

use gitlab_sandbox::{Handle, MergeRequest, State};
use serde_json::{Value, json};

use super::actions::{Action, Deed, DistDeed, Edit, Memory, Which};
use super::git::Git;
use crate::support::SPEC;
use crate::support::world::{DIST, FORK, SOURCE};

pub(crate) const BOT_FORK: &str = "bot/hello";
pub(crate) const BEGIN: &str = "<!-- source-git-bot v1: begin -->";
const DRAFT: &str = "Draft: ";

/// A source-git merge request, as its author knows it.
pub(crate) struct Source {
    pub(crate) iid: u64,
    pub(crate) words: String,
    pub(crate) draft: bool,
    pub(crate) description: String,
    from: (&'static str, &'static str),
    author: &'static str,
}

/// Why the bot closes a dist-git merge request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Closed,
    Retargeted,
}

/// Who closed a dist-git merge request last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Person,
    Bot(Reason),
}

/// A person's will that a merge request stays open although the bot closed it for this reason.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) reason: Reason,
    /// Whether the bot may have begun another turn since, which would end this.
    pub(crate) sure: bool,
}

/// Whose the draft state of a dist-git merge request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DraftIs {
    Followed,
    Persons(bool),
    /// Both changed it in turn.
    Anybodys,
}

/// A dist-git merge request of the bot, and what people did there.
pub(crate) struct Dist {
    pub(crate) iid: u64,
    pub(crate) which: Which,
    pub(crate) target: String,
    pub(crate) branch: String,
    pub(crate) state: State,
    pub(crate) closed_by: Option<By>,
    pub(crate) kept: Option<Kept>,
    pub(crate) words: Option<String>,
    pub(crate) draft: DraftIs,
    /// What people wrote right before the block.
    pub(crate) between: String,
    /// The whole text before the block, once a person edited what was copied.
    pub(crate) before: Option<String>,
    /// What people wrote below the block.
    pub(crate) below: String,
    /// A person's commit on the bot's branch, and what was there before.
    pub(crate) pushed: Option<(String, String)>,
    pub(crate) comments: Vec<(u64, String)>,
}

/// Everybody.
pub(crate) struct People {
    pub(crate) sandbox: Handle,
    pub(crate) sources: BTreeMap<Which, Source>,
    pub(crate) dists: BTreeMap<u64, Dist>,
    pub(crate) comments: Vec<(Which, u64, String)>,
    /// The payloads of all events so far.
    pub(crate) events: Vec<Value>,
    /// State and target of the source-git merge requests when the last job began: it may act on what it saw then.
    pub(crate) seen: BTreeMap<Which, (State, String)>,
    memory: Memory,
    count: u32,
}

impl People {
    pub(crate) fn new(sandbox: Handle, fork_iid: u64, memory: Memory) -> Self {
        let source = Source {
            iid: fork_iid,
            words: "Return success".to_owned(),
            draft: false,
            description: "Callers need it.\n\nBugzilla: 123456".to_owned(),
            from: (FORK, "fix"),
            author: "contributor",
        };
        let mut people = Self {
            sandbox,
            sources: BTreeMap::from([(Which::Fork, source)]),
            dists: BTreeMap::new(),
            comments: Vec::new(),
            events: Vec::new(),
            seen: BTreeMap::new(),
            memory,
            count: 0,
        };
        people.announce(Which::Fork);
        people
    }

    fn next(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    pub(crate) fn git(&self, project: &str) -> Git {
        Git::new(self.sandbox.repository(project))
    }

    pub(crate) fn source(&self, which: Which) -> Option<(&Source, MergeRequest)> {
        let source = self.sources.get(&which)?;
        Some((source, self.sandbox.merge_request(SOURCE, source.iid)))
    }

    /// GitLab's webhook: identifiers only.
    fn announce(&mut self, which: Which) {
        let project = self.sandbox.inspect(|model| model.project(SOURCE).unwrap().id);
        let iid = self.sources[&which].iid;
        self.events.push(payload("merge_request", project, 7, &iid.to_string()));
    }

    /// Does something, where GitLab lets it be done.
    pub(crate) fn act(&mut self, action: &Action) {
        self.adopt();
        match action {
            Action::Source(which, deed) => self.in_source_git(*which, *deed),
            Action::Dist(number, deed) => {
                let iids: Vec<u64> = self.dists.keys().copied().collect();
                if let Some(iid) = iids.get(number % iids.len().max(1)) {
                    self.in_dist_git(*iid, *deed);
                }
            }
            Action::SourceMoves(branch, edit) => self.commit(SOURCE, branch, *edit),
            Action::DistMoves(branch) => {
                let content = format!("SHA512 (hello-1.0.tar.gz) = {}\n", self.next());
                self.sandbox.commit(DIST, branch, "Rebuild", &[("sources", Some(&content))]);
            }
            Action::Job(..) => {}
        }
        self.adopt();
    }

    fn commit(&mut self, project: &str, branch: &str, edit: Edit) {
        let number = self.next();
        let message = format!("Change {number}\n");
        let (path, content) = match edit {
            Edit::Code(number) => ("hello.c".to_owned(), format!("int main(void)\n{{\n    return {number};\n}}\n")),
            Edit::File(number) => (format!("file-{number}"), format!("File {number}.\n")),
            Edit::Spec(number) => (
                ".distro/hello.spec".to_owned(),
                SPEC.replace("Release:        1%", &format!("Release:        {number}%")),
            ),
            Edit::Nothing => {
                self.sandbox.commit(project, branch, &message, &[]);
                return;
            }
        };
        self.sandbox.commit(project, branch, &message, &[(&path, Some(&content))]);
    }

    fn open(&mut self, which: Which) {
        if which == Which::Fork || self.sources.contains_key(&which) {
            return;
        }
        self.sandbox.branch_at(SOURCE, "topic", "c10s");
        self.commit(SOURCE, "topic", Edit::File(9));
        let opened = self.sandbox.open("maintainer").from(SOURCE, "topic").into(SOURCE, "c10s");
        let (words, description) = ("Add a file".to_owned(), "It was missing.".to_owned());
        let iid = opened.title(&words).description(&description).create();
        let (from, author) = ((SOURCE, "topic"), "maintainer");
        self.sources.insert(which, Source { iid, words, draft: false, description, from, author });
        self.announce(which);
    }

    fn in_source_git(&mut self, which: Which, deed: Deed) {
        let number = self.next();
        let Some((source, now)) = self.source(which) else {
            if matches!(deed, Deed::Open) {
                self.open(which);
            }
            return;
        };
        let (iid, author, (project, branch)) = (source.iid, source.author, source.from);
        let sandbox = self.sandbox.clone();
        let is_open = now.state == State::Opened;
        match deed {
            Deed::Open => return,
            Deed::Push(edit) => self.commit(project, branch, edit),
            Deed::Rebase(edit) => {
                let tip = sandbox.tip(SOURCE, &now.target_branch).unwrap();
                sandbox.branch_at(project, "rebased", &tip);
                self.commit(project, "rebased", edit);
                sandbox.branch_at(project, branch, "rebased");
            }
            Deed::TakeOver => {
                let (tip, head) =
                    (sandbox.tip(SOURCE, &now.target_branch).unwrap(), sandbox.tip(project, branch).unwrap());
                let git = self.git(project);
                let Some(tree) = git.merged(&head, &tip) else { return };
                let message = format!("Merge branch '{}'", now.target_branch);
                let merge = git.say(&["commit-tree", &tree, "-p", &head, "-p", &tip, "-m", &message]);
                sandbox.branch_at(project, branch, &merge);
            }
            Deed::Retitle | Deed::Draft => {
                let Some(source) = self.sources.get_mut(&which) else { return };
                match deed {
                    Deed::Draft => source.draft = !source.draft,
                    _ => source.words = format!("Title {number}"),
                }
                let title = format!("{}{}", if source.draft { DRAFT } else { "" }, source.words);
                sandbox.set_title(SOURCE, iid, author, &title);
                if matches!(deed, Deed::Draft) {
                    for dist in self.dists.values_mut().filter(|dist| dist.which == which) {
                        if dist.draft != DraftIs::Followed {
                            dist.draft = DraftIs::Anybodys;
                        }
                    }
                }
            }
            Deed::Describe => {
                let Some(source) = self.sources.get_mut(&which) else { return };
                source.description = format!("Description {number}.");
                sandbox.set_description(SOURCE, iid, author, &source.description);
            }
            Deed::Retarget(target) => {
                if !is_open || now.target_branch == target {
                    return;
                }
                sandbox.set_target(SOURCE, iid, author, target);
            }
            Deed::Close if is_open => sandbox.close(SOURCE, iid, author),
            Deed::Reopen if now.state == State::Closed => sandbox.reopen(SOURCE, iid, author),
            Deed::Merge if is_open && self.is_mergeable(SOURCE, &now) => sandbox.merge(SOURCE, iid, "maintainer"),
            Deed::Close | Deed::Reopen | Deed::Merge => return,
            // No list shows that: whoever remembers sees it within a day.
            Deed::RemoveNote if self.memory == Memory::Kept => return,
            Deed::RemoveNote => {
                let bot = sandbox.inspect(|model| model.user("bot").unwrap().id);
                let own = sandbox.notes(SOURCE, iid).into_iter().find(|note| note.author == bot);
                own.map(|note| sandbox.arrange(|model| model.notes.remove(&note.id)));
            }
            Deed::Comment | Deed::Quote => {
                let quoted = sandbox.notes(SOURCE, iid).first().map(|note| note.body.clone());
                let text = quoted.filter(|_| matches!(deed, Deed::Quote)).unwrap_or(format!("Comment {number}."));
                let note = sandbox.note(SOURCE, iid, "contributor", &text);
                self.comments.push((which, note, text));
            }
        }
        self.announce(which);
    }

    /// GitLab merges no draft, no conflict, and nothing that is there already.
    fn is_mergeable(&self, project: &str, request: &MergeRequest) -> bool {
        let tip = self.sandbox.tip(project, &request.target_branch).unwrap();
        let head = request.head().unwrap();
        let git = self.git(project);
        !request.is_draft() && !git.is_ancestor(head, &tip) && git.merged(&tip, head).is_some()
    }

    fn in_dist_git(&mut self, iid: u64, deed: DistDeed) {
        let number = self.next();
        let sandbox = self.sandbox.clone();
        let now = sandbox.merge_request(DIST, iid);
        let is_open = now.state == State::Opened;
        let is_mergeable = is_open && self.is_mergeable(DIST, &now);
        let Some(dist) = self.dists.get_mut(&iid) else { return };
        match deed {
            DistDeed::Close if is_open => {
                sandbox.close(DIST, iid, "maintainer");
                (dist.state, dist.closed_by) = (State::Closed, Some(By::Person));
            }
            DistDeed::Reopen if now.state == State::Closed => {
                sandbox.reopen(DIST, iid, "maintainer");
                if let Some(By::Bot(reason)) = dist.closed_by {
                    dist.kept = Some(Kept { reason, sure: true });
                }
                dist.state = State::Opened;
            }
            DistDeed::Merge if is_mergeable => {
                sandbox.merge(DIST, iid, "maintainer");
                dist.state = State::Merged;
            }
            DistDeed::Close | DistDeed::Reopen | DistDeed::Merge => {}
            DistDeed::Retitle => {
                let words = format!("hello: maintainer's words {number}");
                let title = format!("{}{words}", if now.is_draft() { DRAFT } else { "" });
                dist.words = Some(words);
                sandbox.set_title(DIST, iid, "maintainer", &title);
            }
            DistDeed::Draft => {
                let title = match now.title.strip_prefix(DRAFT) {
                    Some(words) => words.to_owned(),
                    None => format!("{DRAFT}{}", now.title),
                };
                if dist.draft != DraftIs::Anybodys {
                    dist.draft = DraftIs::Persons(!now.is_draft());
                }
                sandbox.set_title(DIST, iid, "maintainer", &title);
            }
            DistDeed::WriteBetween | DistDeed::WriteBelow | DistDeed::EditCopied => {
                let (before, block) = now.description.split_once(BEGIN).unwrap();
                let (before, block) = (before.to_owned(), format!("{BEGIN}{block}"));
                let said = format!("Maintainer {number}:\tlook  here.");
                let description = match deed {
                    DistDeed::WriteBetween => {
                        dist.between.push_str(&format!("{said}\n\n"));
                        if let Some(theirs) = &mut dist.before {
                            theirs.push_str(&format!("{said}\n\n"));
                        }
                        format!("{before}{said}\n\n{block}")
                    }
                    DistDeed::WriteBelow => {
                        dist.below.push_str(&format!("\n\n{said}"));
                        format!("{before}{block}\n\n{said}")
                    }
                    _ => {
                        dist.before = Some(format!("{said} {before}"));
                        format!("{said} {before}{block}")
                    }
                };
                sandbox.set_description(DIST, iid, "maintainer", &description);
            }
            DistDeed::Push => {
                let was = sandbox.tip(BOT_FORK, &dist.branch).unwrap();
                let theirs = format!("By hand {number}\n");
                let tip = sandbox.commit(BOT_FORK, &dist.branch, &theirs, &[("by-hand", Some(&theirs))]);
                let was = dist.pushed.take().map_or(was, |(_, was)| was);
                dist.pushed = Some((tip, was));
            }
            DistDeed::TakeBack => {
                if let Some((_, was)) = dist.pushed.take() {
                    sandbox.branch_at(BOT_FORK, &dist.branch, &was);
                }
            }
            DistDeed::Test(state) if is_open => {
                let pipeline = sandbox.mr_pipeline(DIST, iid).jobs(&[("test", "tier0")]).create();
                sandbox.set_all_jobs(pipeline, state);
                let project = sandbox.pipeline_now(pipeline).project;
                self.events.push(payload("pipeline", project, pipeline, ""));
            }
            DistDeed::Test(_) => {}
            DistDeed::Comment => {
                let text = format!("Review {number}.");
                dist.comments.push((sandbox.note(DIST, iid, "maintainer", &text), text));
            }
        }
    }

    /// Writes down what a job begins with.
    pub(crate) fn begin(&mut self) {
        self.adopt();
        let now = |(which, source): (&Which, &Source)| {
            let now = self.sandbox.merge_request(SOURCE, source.iid);
            (*which, (now.state, now.target_branch))
        };
        self.seen = self.sources.iter().map(now).collect();
    }

    /// Takes up what the bot has done since somebody looked, which it must have had a reason for.
    pub(crate) fn adopt(&mut self) {
        for request in self.sandbox.merge_requests(DIST) {
            if !self.dists.contains_key(&request.iid) {
                let dist = self.opened(&request);
                self.dists.insert(request.iid, dist);
            }
            let dist = &self.dists[&request.iid];
            let turn = (dist.state, request.state);
            let (which, target) = (dist.which, dist.target.clone());
            if turn == (State::Opened, State::Closed) {
                let (_, source) = self.source(which).unwrap();
                let now = (source.state, source.target_branch);
                let reason = |(state, branch): &(State, String)| match state {
                    _ if *branch != target => Some(Reason::Retargeted),
                    State::Closed => Some(Reason::Closed),
                    State::Opened | State::Merged => None,
                };
                let reason = reason(&now).or_else(|| self.seen.get(&which).and_then(reason));
                let Some(reason) = reason else { panic!("the bot closed {DIST}!{} for no reason", request.iid) };
                let kept = self.dists[&request.iid].kept;
                assert!(
                    kept.is_none_or(|kept| !kept.sure || kept.reason != reason),
                    "the bot closed {DIST}!{} again, which a person had opened again",
                    request.iid
                );
                self.change(request.iid, |dist| dist.closed_by = Some(By::Bot(reason)));
                self.change(request.iid, |dist| dist.kept = None);
            } else if turn == (State::Closed, State::Opened) {
                assert!(
                    matches!(dist.closed_by, Some(By::Bot(_))),
                    "the bot opened {DIST}!{} again, which a person had closed",
                    request.iid
                );
            } else {
                assert_eq!(turn.0, turn.1, "the bot did that to {DIST}!{}", request.iid);
            }
            self.change(request.iid, |dist| dist.state = request.state);
            self.nothing_is_lost(&request);
        }
    }

    fn change(&mut self, iid: u64, change: impl FnOnce(&mut Dist)) {
        self.dists.get_mut(&iid).map(change);
    }

    /// A dist-git merge request that the bot has opened: the only one of its kind.
    fn opened(&self, request: &MergeRequest) -> Dist {
        let (target, number) = request.source_branch.rsplit_once("-src-").unwrap();
        assert_eq!(target, request.target_branch, "the branch says another target");
        let which = self.sources.iter().find(|(_, source)| source.iid.to_string() == number);
        let which = *which.unwrap_or_else(|| panic!("{} is of no merge request", request.source_branch)).0;
        let same = self.dists.values().find(|dist| dist.branch == request.source_branch);
        assert!(same.is_none(), "a second one for {}", request.source_branch);
        Dist {
            iid: request.iid,
            which,
            target: target.to_owned(),
            branch: request.source_branch.clone(),
            state: State::Opened,
            closed_by: None,
            kept: None,
            words: None,
            draft: DraftIs::Followed,
            between: String::new(),
            before: None,
            below: String::new(),
            pushed: None,
            comments: Vec::new(),
        }
    }

    /// What people wrote and pushed is there, at any time.
    fn nothing_is_lost(&self, request: &MergeRequest) {
        let dist = &self.dists[&request.iid];
        let name = format!("{DIST}!{}", request.iid);
        if let Some(words) = &dist.words {
            assert_eq!(request.title.strip_prefix(DRAFT).unwrap_or(&request.title), words, "the title of {name}");
        }
        let (before, after) = request.description.split_once(BEGIN).unwrap();
        let (_, below) = after.split_once("v1: end -->").unwrap();
        assert_eq!(below, dist.below, "below the block of {name}");
        assert!(before.ends_with(&dist.between), "before the block of {name}: {before}");
        if let Some(theirs) = &dist.before {
            assert_eq!(before, theirs, "before the block of {name}");
        }
        if let Some((commit, _)) = &dist.pushed {
            assert_eq!(self.sandbox.tip(BOT_FORK, &dist.branch).as_ref(), Some(commit), "the branch of {name}");
        }
        let bot = self.sandbox.inspect(|model| model.user("bot").unwrap().id);
        let notes = self.sandbox.notes(DIST, request.iid);
        let comments: Vec<_> =
            notes.iter().filter(|note| note.author != bot).map(|note| (note.id, note.body.clone())).collect();
        assert_eq!(comments, dist.comments, "comments in {name}");
    }
}

pub(crate) fn payload(kind: &str, project: u64, id: u64, iid: &str) -> Value {
    let notice = json!({
        "v": "1", "kind": kind, "project": project.to_string(), "id": id.to_string(), "iid": iid, "mr": "", "mr_project": "null"
    });
    json!({"source_git_bot": notice, "ref": "main", "id": "42", "variables": {}})
}

//! The REST API: one table of routes, and what all of them share. A route that is not in the table does not exist for
//! the sandbox; a request for it fails the test.

mod access_tokens;
mod commits;
mod groups;
mod hooks;
mod issues;
mod job_token_scope;
mod members;
mod merge_requests;
mod notes;
mod pipelines;
mod projects;
mod protected_branches;
mod repository;
mod runners;
mod schedules;
mod statuses;
mod triggers;
mod users;
mod variables;

use serde_json::Value;

pub(crate) use groups::with_subgroups;

use crate::clock::Moment;
use crate::http::auth::{Caller, api_caller};
use crate::http::dispatch::Answered;
use crate::http::parameters::{Parameters, decode};
use crate::http::reply::{Answer, Refusal};
use crate::http::{Request, paging};
use crate::log::Write;
use crate::model::Model;
use crate::model::access::Role;
use crate::model::merge_requests::MergeRequest;
use crate::model::projects::Project;
use crate::sandbox::Shared;

pub(crate) use hooks::new as new_hook;

/// What a route works with.
pub(crate) struct Context<'a> {
    pub(crate) model: &'a mut Model,
    pub(crate) caller: Caller,
    pub(crate) parameters: Parameters,
    /// The header `X-Gitlab-Event`, which GitLab's webhooks send.
    hook_event: Option<String>,
    /// The webhook whose test this request asks for.
    tested: Option<u64>,
    /// The request's URL without its query, for `Link` headers.
    url: String,
}

/// A route: what it does, and how callers show who they are.
type Route = (fn(&mut Context<'_>, &[&str]) -> Answer, JobToken);

#[derive(Clone, Copy, PartialEq, Eq)]
enum JobToken {
    Taken,
    Ignored,
    /// The route reads a token of its own from the parameters: nobody is logged in.
    AmongParameters,
}

/// The table. Job tokens open what GitLab's list of endpoints for `CI_JOB_TOKEN` names.
fn route(method: &str, segments: &[&str]) -> Option<Route> {
    use JobToken::{AmongParameters, Ignored, Taken};
    let method = if method == "HEAD" { "GET" } else { method };
    let route: Route = match (method, segments) {
        ("GET", ["version" | "metadata"]) => (users::version, Ignored),
        ("GET", ["user"]) => (users::current, Ignored),
        ("GET", ["users"]) => (users::list, Ignored),
        ("GET", ["users", _]) => (users::get, Ignored),
        ("GET", ["personal_access_tokens", "self"]) => (users::token, Ignored),
        ("GET", ["job"]) => (users::job, Taken),

        ("GET", ["groups", _]) => (groups::get, Ignored),
        ("GET", ["namespaces", _]) => (groups::namespace, Ignored),
        ("GET", ["groups", _, "projects"]) => (groups::projects, Ignored),
        ("GET", ["groups", _, "merge_requests"]) => (merge_requests::list_of_group, Ignored),
        ("GET", ["merge_requests"]) => (merge_requests::list_of_all, Ignored),

        ("GET", ["projects", _]) => (projects::get, Ignored),
        ("PUT", ["projects", _]) => (projects::update, Ignored),
        ("POST", ["projects"]) => (projects::create, Ignored),
        ("DELETE", ["projects", _]) => (projects::delete, Ignored),
        ("POST", ["projects", _, "access_tokens"]) => (access_tokens::create, Ignored),
        ("POST", ["projects", _, "fork"]) => (projects::fork, Ignored),
        ("GET", ["projects", _, "forks"]) => (projects::forks, Ignored),
        ("GET", ["projects", _, "labels"]) => (projects::labels, Ignored),
        ("POST", ["projects", _, "labels"]) => (projects::create_label, Ignored),

        ("GET", ["projects", _, "members", "all"]) => (members::list, Ignored),
        ("GET", ["projects", _, "members", "all", _]) => (members::get, Ignored),
        ("POST", ["projects", _, "members"]) => (members::add, Ignored),

        ("GET", ["projects", _, "repository", "branches"]) => (repository::branches, Taken),
        ("GET", ["projects", _, "repository", "branches", _]) => (repository::branch, Taken),
        ("POST", ["projects", _, "repository", "branches"]) => (commits::create_branch, Ignored),
        ("DELETE", ["projects", _, "repository", "branches", _]) => (repository::delete_branch, Taken),
        ("GET", ["projects", _, "repository", "tags"]) => (repository::tags, Taken),
        ("GET", ["projects", _, "repository", "tags", _]) => (repository::tag, Taken),
        ("POST", ["projects", _, "repository", "commits"]) => (commits::create, Ignored),
        ("GET", ["projects", _, "repository", "commits", _]) => (repository::commit, Taken),
        ("GET", ["projects", _, "repository", "commits", _, "refs"]) => (repository::commit_refs, Ignored),
        ("GET", ["projects", _, "repository", "commits", _, "statuses"]) => (statuses::list, Ignored),
        ("GET", ["projects", _, "repository", "tree"]) => (repository::tree, Ignored),
        ("GET", ["projects", _, "repository", "files", _]) => (repository::file, Ignored),
        ("GET", ["projects", _, "repository", "files", _, "raw"]) => (repository::raw_file, Taken),

        ("GET", ["projects", _, "merge_requests"]) => (merge_requests::list_of_project, Taken),
        ("POST", ["projects", _, "merge_requests"]) => (merge_requests::create, Ignored),
        ("GET", ["projects", _, "merge_requests", _]) => (merge_requests::get, Taken),
        ("PUT", ["projects", _, "merge_requests", _]) => (merge_requests::update, Ignored),
        ("GET", ["projects", _, "merge_requests", _, "commits"]) => (merge_requests::commits, Ignored),
        ("GET", ["projects", _, "merge_requests", _, "versions"]) => (merge_requests::versions, Ignored),
        ("GET", ["projects", _, "merge_requests", _, "pipelines"]) => (pipelines::of_merge_request, Ignored),
        ("POST", ["projects", _, "merge_requests", _, "pipelines"]) => (pipelines::create_for_merge_request, Ignored),

        ("GET", ["projects", _, "merge_requests", _, "notes"]) => (notes::list, Taken),
        ("POST", ["projects", _, "merge_requests", _, "notes"]) => (notes::create, Ignored),
        ("GET", ["projects", _, "merge_requests", _, "notes", _]) => (notes::get, Taken),
        ("PUT", ["projects", _, "merge_requests", _, "notes", _]) => (notes::update, Ignored),
        ("DELETE", ["projects", _, "merge_requests", _, "notes", _]) => (notes::delete, Ignored),
        ("GET", ["projects", _, "merge_requests", _, "notes", _, "award_emoji"]) => (notes::reactions, Ignored),
        ("POST", ["projects", _, "merge_requests", _, "notes", _, "award_emoji"]) => (notes::react, Ignored),
        ("DELETE", ["projects", _, "merge_requests", _, "notes", _, "award_emoji", _]) => (notes::unreact, Ignored),

        ("GET", ["projects", _, "issues"]) => (issues::list, Ignored),
        ("POST", ["projects", _, "issues"]) => (issues::create, Ignored),
        ("PUT", ["projects", _, "issues", _]) => (issues::update, Ignored),
        ("GET", ["projects", _, "issues", _, "notes"]) => (issues::notes, Ignored),
        ("POST", ["projects", _, "issues", _, "notes"]) => (issues::create_note, Ignored),
        ("PUT", ["projects", _, "issues", _, "notes", _]) => (issues::update_note, Ignored),
        ("DELETE", ["projects", _, "issues", _, "notes", _]) => (issues::delete_note, Ignored),

        ("GET", ["projects", _, "pipelines"]) => (pipelines::list, Ignored),
        ("GET", ["projects", _, "pipelines", _]) => (pipelines::get, Ignored),
        ("GET", ["projects", _, "pipelines", _, "variables"]) => (pipelines::variables, Ignored),
        ("GET", ["projects", _, "pipelines", _, "jobs"]) => (pipelines::jobs, Taken),
        ("GET", ["projects", _, "pipelines", _, "bridges" | "trigger_jobs"]) => (pipelines::bridges, Taken),
        ("GET", ["projects" | "groups", _, "hooks"]) => (hooks::list, Ignored),
        ("POST", ["projects" | "groups", _, "hooks"]) => (hooks::create, Ignored),
        ("GET", ["projects" | "groups", _, "hooks", _]) => (hooks::get, Ignored),
        ("PUT", ["projects" | "groups", _, "hooks", _]) => (hooks::update, Ignored),
        ("DELETE", ["projects" | "groups", _, "hooks", _]) => (hooks::delete, Ignored),
        ("GET", ["projects" | "groups", _, "hooks", _, "events"]) => (hooks::events, Ignored),
        ("POST", ["projects" | "groups", _, "hooks", _, "test", _]) => (hooks::test, Ignored),

        ("GET", ["projects" | "groups", _, "variables"]) => (variables::list, Ignored),
        ("POST", ["projects" | "groups", _, "variables"]) => (variables::create, Ignored),
        ("PUT", ["projects" | "groups", _, "variables", _]) => (variables::update, Ignored),
        ("GET", ["projects", _, "triggers"]) => (triggers::list, Ignored),
        ("POST", ["projects", _, "triggers"]) => (triggers::create, Ignored),
        ("GET", ["projects", _, "protected_branches"]) => (protected_branches::list, Ignored),
        ("POST", ["projects", _, "protected_branches"]) => (protected_branches::protect, Ignored),
        ("GET", ["projects", _, "pipeline_schedules"]) => (schedules::list, Ignored),
        ("GET", ["projects", _, "runners"]) => (runners::list, Ignored),
        ("GET", ["projects", _, "job_token_scope"]) => (job_token_scope::get, Ignored),
        ("GET", ["projects", _, "job_token_scope", "allowlist"]) => (job_token_scope::projects, Ignored),
        ("GET", ["projects", _, "job_token_scope", "groups_allowlist"]) => (job_token_scope::groups, Ignored),

        ("POST", ["projects", _, "pipeline"]) => (triggers::create_pipeline, Ignored),
        ("POST", ["projects", _, "statuses", _]) => (statuses::post, Ignored),
        ("POST", ["projects", _, "trigger", "pipeline"]) => (triggers::trigger, AmongParameters),
        ("POST", ["projects", _, "ref", _, "trigger", "pipeline"]) => (triggers::trigger_ref, AmongParameters),
        _ => return None,
    };
    Some(route)
}

/// Answers a request to the API; `path` is the one after `/api/v4`.
pub(crate) fn answer(shared: &Shared, request: &Request, path: &str) -> Answered {
    let decoded: Vec<String> = path.split('/').skip(1).map(decode).collect();
    let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
    let Some((run, job_token)) = route(&request.method, &segments) else {
        let unknown = vec![format!("{} /api/v4{path}", request.method)];
        return Answered { unknown, ..Answered::quiet(Refusal::NoRoute.reply()) };
    };
    let mut model = shared.model();
    let anonymous = job_token == JobToken::AmongParameters;
    let caller =
        if anonymous { Ok(Caller::default()) } else { api_caller(&model, request, job_token == JobToken::Taken) };
    let caller = match caller {
        Ok(caller) => caller,
        Err(refusal) => return Answered::quiet(refusal.reply()),
    };
    let user = caller.user.map(|user| model.username(user).to_owned());
    let parameters = match Parameters::of(request) {
        Ok(parameters) => parameters,
        Err(refusal) => return Answered { user, ..Answered::quiet(refusal.reply()) },
    };
    let url = format!("{}/api/v4{path}", model.base_url);
    let hook_event = request.header("x-gitlab-event").map(str::to_owned);
    model.chain = request.header("x-gitlab-event-uuid").map(str::to_owned);
    let mut context = Context { model: &mut model, caller, parameters, hook_event, tested: None, url };
    let answer = if !request.only_reads() && caller.user.is_none() && !anonymous {
        Err(Refusal::unauthorized())
    } else if !request.only_reads() && context.is_archived(&segments) {
        Err(Refusal::forbidden())
    } else {
        run(&mut context, &segments)
    };
    let (unread, tested) = (context.parameters.unread(), context.tested);
    context.model.chain = None;
    let body = String::from_utf8_lossy(&request.body);
    let body = if anonymous { context.model.without_trigger_tokens(&body) } else { body.into_owned() };
    let user = context.caller.user.map(|user| context.model.username(user).to_owned());
    match answer {
        Ok(reply) => {
            let unknown = unread.iter().map(|name| format!("{} /api/v4{path}: parameter {name}", request.method));
            let write = (!request.only_reads()).then(|| Write {
                method: request.method.clone(),
                path: path.to_owned(),
                user: user.clone(),
                status: reply.status,
                body,
            });
            Answered { reply, user, writes: write.into_iter().collect(), unknown: unknown.collect(), tested }
        }
        Err(refusal) => Answered { user, ..Answered::quiet(refusal.reply()) },
    }
}

impl Context<'_> {
    /// The user who is asking; 401 where nobody is logged in.
    fn user(&self) -> Result<u64, Refusal> {
        self.caller.user.ok_or_else(Refusal::unauthorized)
    }

    /// Finds a project by id or path; what the caller may not see does not exist.
    fn project(&self, id: &str) -> Result<&Project, Refusal> {
        let by_number = id.parse::<u64>().ok().and_then(|id| self.model.projects.get(&id));
        let project = by_number.or_else(|| self.model.project(id));
        let visible = project.filter(|project| self.model.can_see(self.caller.user, project));
        let in_reach =
            visible.filter(|project| self.caller.job.is_none_or(|job| self.model.job_token_reaches(project, job)));
        in_reach.ok_or_else(|| Refusal::not_found("Project"))
    }

    /// Says whether a request is about something of a project that can only be read once that is archived.
    fn is_archived(&self, segments: &[&str]) -> bool {
        match segments {
            ["projects", id, "merge_requests" | "statuses" | "pipeline", ..] => {
                self.project(id).is_ok_and(|project| project.archived)
            }
            _ => false,
        }
    }

    /// Like [`Context::project`], where code or merge requests are asked for: 403 for who sees the project only.
    fn code(&self, id: &str) -> Result<&Project, Refusal> {
        let project = self.project(id)?;
        if self.model.can_read_code(self.caller.user, project) { Ok(project) } else { Err(Refusal::forbidden()) }
    }

    /// Like [`Context::project`], and the caller must have a role in it.
    fn project_as(&self, id: &str, role: Role) -> Result<&Project, Refusal> {
        let (user, project) = (self.user()?, self.project(id)?);
        if self.model.has_role(user, project, role) { Ok(project) } else { Err(Refusal::forbidden()) }
    }

    /// Finds a merge request by project and number.
    fn merge_request(&self, project: &str, iid: &str) -> Result<&MergeRequest, Refusal> {
        let project = self.code(project)?.id;
        if iid.is_empty() || iid.contains(|character: char| !character.is_ascii_digit()) {
            return Err(Refusal::Parameter("merge_request_iid is invalid".to_owned()));
        }
        // A number too big for any merge request is one that does not exist.
        let found = iid.parse().ok().and_then(|iid| self.model.merge_request(project, iid));
        found.ok_or_else(|| Refusal::not_found(""))
    }

    /// One page of these records.
    fn page<T>(&self, records: &[T], render: impl FnMut(&T) -> Option<Value>) -> Answer {
        paging::page(&self.parameters, &self.url, records, render)
    }

    /// A moment that a parameter gives.
    fn moment(&self, name: &str) -> Result<Option<Moment>, Refusal> {
        let invalid = || Refusal::Parameter(format!("{name} is invalid"));
        self.parameters.text(name).map(|text| Moment::parse(&text).ok_or_else(invalid)).transpose()
    }

    /// Sorts by a key, as `sort` says; `default` is the direction where it says nothing.
    fn sort<T, K: Ord>(&self, records: &mut [T], default: &str, key: impl Fn(&T) -> K) -> Result<(), Refusal> {
        let words = if default == "desc" { ["desc", "asc"] } else { ["asc", "desc"] };
        let direction = self.parameters.choice("sort", &words)?;
        records.sort_by_key(key);
        if direction == "desc" {
            records.reverse();
        }
        Ok(())
    }
}

/// A segment of the path by its place; the table has checked that it is there.
fn segment<'a>(segments: &[&'a str], place: usize) -> &'a str {
    segments.get(place).copied().unwrap_or_default()
}

//! `POST /api/graphql`: the few queries that the program makes, checked against a small schema, with GitLab's limits.
//!
//! What is wrong with a query is answered as GitLab does, with 200 and `errors`; what the sandbox does not know of GraphQL
//! itself (fragments, mutations) fails the test.

mod schema;

use graphql_parser::query::{
    Definition, Field, OperationDefinition, Selection, SelectionSet, Value as Argument, parse_query,
};
use serde_json::{Map, Value, json};

use crate::http::Request;
use crate::http::auth::api_caller;
use crate::http::dispatch::Answered;
use crate::http::reply::{Refusal, Reply};
use crate::model::Model;
use crate::model::merge_requests::MergeRequest;
use crate::model::projects::{NamespaceKind, Visibility};
use crate::routes::with_subgroups;
use crate::sandbox::Shared;
use schema::Variables;

/// The most projects that may be asked for by their paths.
const PATHS: usize = 50;

fn errors(message: &str) -> Reply {
    Reply::json(200, &json!({ "errors": [{ "message": message, "locations": [], "path": [] }] }))
}

/// Answers a query.
pub(crate) fn answer(shared: &Shared, request: &Request) -> Answered {
    if request.method != "POST" {
        let unknown = vec![format!("{} /api/graphql", request.method)];
        return Answered { unknown, ..Answered::quiet(Refusal::NoRoute.reply()) };
    }
    let model = shared.model();
    // A query reads, whatever its method: the scope `read_api` is enough.
    let reading = Request {
        method: "GET".to_owned(),
        path: request.path.clone(),
        query: String::new(),
        headers: request.headers.clone(),
        body: request.body.clone(),
    };
    let Ok(caller) = api_caller(&model, &reading, false) else {
        return Answered::quiet(Reply::json(401, &json!({ "errors": [{ "message": "Invalid token" }] })));
    };
    let user = caller.user.map(|user| model.username(user).to_owned());
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let text = body.get("query").and_then(Value::as_str).unwrap_or_default();
    let values = body.get("variables").and_then(Value::as_object).cloned().unwrap_or_default();
    match run(&model, caller.user, text, &values) {
        Ok(data) => Answered { user, ..Answered::quiet(Reply::json(200, &json!({ "data": data }))) },
        Err(Trouble::Query(message)) => Answered { user, ..Answered::quiet(errors(&message)) },
        Err(Trouble::Unknown(what)) => Answered { user, unknown: vec![what.clone()], ..Answered::quiet(errors(&what)) },
    }
}

enum Trouble {
    /// GitLab would say so.
    Query(String),
    /// The sandbox does not know this.
    Unknown(String),
}

fn run(model: &Model, user: Option<u64>, text: &str, values: &Variables) -> Result<Value, Trouble> {
    let document = parse_query::<String>(text).map_err(|error| Trouble::Query(error.to_string()))?;
    let (variables, selection) = match document.definitions.as_slice() {
        [Definition::Operation(OperationDefinition::Query(query))] => {
            (query.variable_definitions.as_slice(), &query.selection_set)
        }
        [Definition::Operation(OperationDefinition::SelectionSet(selection))] => (&[][..], selection),
        _ => return Err(Trouble::Unknown("GraphQL: anything but one query".to_owned())),
    };
    schema::check(text, variables, selection, values).map_err(Trouble::Query)?;
    let asked = Asked { model, user, values };
    asked.select(&Thing::Query, selection).map_err(Trouble::Query)
}

/// Whatever has fields.
enum Thing<'a> {
    Query,
    User(u64),
    Group(u64),
    /// A page of a list, and the cursor of the next, where there is one.
    Page(Vec<Self>, Option<String>),
    PageInfo(Option<String>),
    MergeRequest(&'a MergeRequest),
    Pipeline(u64),
    Project(u64),
    Repository(u64),
    /// The tree of a commit.
    Tree(String),
    Commit(String),
}

struct Asked<'a> {
    model: &'a Model,
    user: Option<u64>,
    values: &'a Variables,
}

/// What a field holds.
enum Held<'a> {
    Scalar(Value),
    One(Option<Thing<'a>>),
}

impl<'a> Asked<'a> {
    fn select(&self, thing: &Thing<'a>, selection: &SelectionSet<'_, String>) -> Result<Value, String> {
        let mut object = Map::new();
        for item in &selection.items {
            let Selection::Field(field) = item else { continue };
            let held = match (thing, field.name.as_str()) {
                (Thing::Page(items, _), "nodes") => {
                    let items = items.iter().map(|item| self.select(item, &field.selection_set));
                    Held::Scalar(Value::Array(items.collect::<Result<_, _>>()?))
                }
                (Thing::Page(_, next), "pageInfo") => Held::One(Some(Thing::PageInfo(next.clone()))),
                _ => self.field(thing, field)?,
            };
            let value = match held {
                Held::Scalar(value) => value,
                Held::One(None) => Value::Null,
                Held::One(Some(thing)) => self.select(&thing, &field.selection_set)?,
            };
            object.insert(field.alias.as_ref().unwrap_or(&field.name).clone(), value);
        }
        Ok(Value::Object(object))
    }

    fn argument(&self, field: &Field<'_, String>, name: &str) -> Option<Value> {
        let (_, value) = field.arguments.iter().find(|(argument, _)| argument == name)?;
        match value {
            Argument::Variable(name) => self.values.get(name).cloned(),
            Argument::String(text) | Argument::Enum(text) => Some(Value::String(text.clone())),
            Argument::Boolean(on) => Some(Value::Bool(*on)),
            _ => None,
        }
    }

    fn text(&self, field: &Field<'_, String>, name: &str) -> Option<String> {
        self.argument(field, name)?.as_str().map(str::to_owned)
    }

    fn field(&self, thing: &Thing<'a>, field: &Field<'_, String>) -> Result<Held<'a>, String> {
        let model = self.model;
        let global = |kind: &str, id: u64| Held::Scalar(json!(format!("gid://gitlab/{kind}/{id}")));
        Ok(match (thing, field.name.as_str()) {
            (Thing::Query, "currentUser") => Held::One(self.user.map(Thing::User)),
            (Thing::Query, "group") => Held::One(self.group(&self.text(field, "fullPath").unwrap_or_default())),
            (Thing::Query, "projects") => {
                let paths = self.argument(field, "fullPaths").and_then(|paths| paths.as_array().cloned());
                Held::One(Some(self.projects(&paths.unwrap_or_default(), field)?))
            }
            (Thing::User(id), "id") => global("User", *id),
            (Thing::User(id), "username") => Held::Scalar(json!(model.username(*id))),
            (Thing::User(id), "authoredMergeRequests") => {
                Held::One(Some(self.requests(field, |request| request.author == *id)))
            }
            (Thing::Group(id), "id") => global("Group", *id),
            (Thing::Group(id), "fullPath") => {
                Held::Scalar(json!(model.namespaces.get(id).map(|group| group.path.clone())))
            }
            (Thing::Group(id), "mergeRequests") => {
                let subgroups = self.argument(field, "includeSubgroups") == Some(Value::Bool(true));
                let groups = if subgroups { with_subgroups(model, *id) } else { vec![*id] };
                let within = model.projects.values().filter(|project| groups.contains(&project.namespace));
                let within: Vec<u64> = within.map(|project| project.id).collect();
                Held::One(Some(self.requests(field, |request| within.contains(&request.target_project))))
            }
            (Thing::PageInfo(next), "hasNextPage") => Held::Scalar(json!(next.is_some())),
            (Thing::PageInfo(next), "endCursor") => Held::Scalar(json!(next)),
            (Thing::MergeRequest(request), "id") => global("MergeRequest", request.id),
            (Thing::MergeRequest(request), "iid") => Held::Scalar(json!(request.iid.to_string())),
            (Thing::MergeRequest(request), "updatedAt") => Held::Scalar(json!(request.updated_at.iso())),
            (Thing::MergeRequest(request), "diffHeadSha") => Held::Scalar(json!(request.head())),
            (Thing::MergeRequest(request), "project") => Held::One(Some(Thing::Project(request.target_project))),
            (Thing::MergeRequest(request), "headPipeline") => {
                let pipeline = model.actual_head_pipeline(request).filter(|pipeline| {
                    let project = model.projects.get(&pipeline.project);
                    project.is_some_and(|project| model.can_read_builds(self.user, project))
                });
                Held::One(pipeline.map(|pipeline| Thing::Pipeline(pipeline.id)))
            }
            (Thing::Pipeline(id), "id") => global("Ci::Pipeline", *id),
            (Thing::Pipeline(id), name) => {
                let pipeline = model.pipelines.get(id).ok_or("there is no such pipeline")?;
                Held::Scalar(match name {
                    "status" => json!(pipeline.status.name().to_uppercase()),
                    _ => json!(pipeline.updated_at.iso()),
                })
            }
            (Thing::Project(id), "id") => global("Project", *id),
            (Thing::Project(id), "fullPath") => {
                Held::Scalar(json!(model.projects.get(id).map(|project| model.path_of(project))))
            }
            (Thing::Project(id), "repository") => {
                let project = model.projects.get(id).filter(|project| model.can_read_code(self.user, project));
                Held::One(project.map(|project| Thing::Repository(project.id)))
            }
            (Thing::Repository(id), "tree") => {
                let branch = self.text(field, "ref").unwrap_or_default();
                let project = model.projects.get(id);
                let tip = project.and_then(|project| project.branches.get(&branch).cloned());
                Held::One(tip.map(Thing::Tree))
            }
            (Thing::Tree(sha), "lastCommit") => Held::One(Some(Thing::Commit(sha.clone()))),
            (Thing::Commit(sha), "id") => Held::Scalar(json!(format!("gid://gitlab/Commit/{sha}"))),
            (Thing::Commit(sha), "sha") => Held::Scalar(json!(sha)),
            (_, other) => return Err(format!("the sandbox has no answer for the field {other}")),
        })
    }

    fn group(&self, path: &str) -> Option<Thing<'a>> {
        let group = self.model.namespace(path)?;
        let is_public = group.visibility == Visibility::Public;
        let is_member = || self.user.is_some_and(|user| self.model.role_in_namespace(user, group.id).is_some());
        (group.kind == NamespaceKind::Group && (is_public || is_member())).then_some(Thing::Group(group.id))
    }

    /// The projects of these paths that the user may see, newest first.
    fn projects(&self, paths: &[Value], field: &Field<'_, String>) -> Result<Thing<'a>, String> {
        if paths.len() > PATHS {
            return Err(format!("You cannot provide more than {PATHS} full paths."));
        }
        let found = paths.iter().filter_map(|path| self.model.project(path.as_str()?));
        let mut found: Vec<u64> =
            found.filter(|project| self.model.can_see(self.user, project)).map(|project| project.id).collect();
        found.sort_unstable_by(|one, other| other.cmp(one));
        Ok(self.page(field, found.into_iter().map(|id| (id, Thing::Project(id))).collect()))
    }

    /// A page of the merge requests that the user may see, newest first.
    fn requests(&self, field: &Field<'_, String>, within: impl Fn(&MergeRequest) -> bool) -> Thing<'a> {
        let state = self.text(field, "state").unwrap_or_else(|| "all".to_owned());
        let model = self.model;
        let found = model.merge_requests.values().rev().filter(|request| {
            let project = model.projects.get(&request.target_project);
            within(request)
                && (state == "all" || request.state.name() == state)
                && project.is_some_and(|project| model.can_read_code(self.user, project))
        });
        self.page(field, found.map(|request| (request.id, Thing::MergeRequest(request))).collect())
    }

    /// Cuts a page out of a list that goes by falling ids. The cursor is the last id of the page before.
    fn page(&self, field: &Field<'_, String>, items: Vec<(u64, Thing<'a>)>) -> Thing<'a> {
        let after = self.text(field, "after").and_then(|cursor| cursor.parse::<u64>().ok()).unwrap_or(u64::MAX);
        let size = schema::first(field) as usize;
        let mut left: Vec<_> = items.into_iter().filter(|(id, _)| *id < after).collect();
        let more = left.len() > size;
        left.truncate(size);
        let next = left.last().filter(|_| more).map(|(id, _)| id.to_string());
        Thing::Page(left.into_iter().map(|(_, thing)| thing).collect(), next)
    }
}

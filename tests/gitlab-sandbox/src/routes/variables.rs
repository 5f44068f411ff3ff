//! CI/CD variables of projects and groups (`lib/api/ci/variables.rb`, `lib/api/group_variables.rb`).

use serde_json::{Value, json};

use super::{Context, groups, segment};
use crate::http::reply::{Answer, Refusal, Reply};
use crate::model::Model;
use crate::model::access::Role;
use crate::model::variables::{Variable, put};

/// Whose variables the path is about.
#[derive(Clone, Copy)]
enum Owner {
    Project(u64),
    Group(u64),
}

fn render(variable: &Variable) -> Value {
    json!({
        "variable_type": variable.kind,
        "key": variable.key,
        "value": (!variable.hidden).then_some(&variable.value),
        "hidden": variable.hidden,
        "protected": variable.protected,
        "masked": variable.masked,
        "raw": variable.raw,
        "environment_scope": variable.scope,
        "description": variable.description,
    })
}

/// Maintainers see a project's, Owners a group's.
fn owner(context: &Context<'_>, path: &[&str]) -> Result<Owner, Refusal> {
    if segment(path, 0) == "projects" {
        return Ok(Owner::Project(context.project_as(segment(path, 1), Role::Maintainer)?.id));
    }
    let (user, group) = (context.user()?, groups::find(context, segment(path, 1))?.id);
    let is_owner = context.model.role_in_namespace(user, group) == Some(Role::Owner);
    if is_owner { Ok(Owner::Group(group)) } else { Err(Refusal::forbidden()) }
}

fn of(model: &Model, owner: Owner) -> &[Variable] {
    match owner {
        Owner::Project(id) => model.projects.get(&id).map_or(&[], |project| project.variables.as_slice()),
        Owner::Group(id) => model.namespaces.get(&id).map_or(&[], |group| group.variables.as_slice()),
    }
}

fn store(model: &mut Model, owner: Owner, change: impl FnOnce(&mut Vec<Variable>)) {
    match owner {
        Owner::Project(id) => model.projects.get_mut(&id).map(|project| change(&mut project.variables)),
        Owner::Group(id) => model.namespaces.get_mut(&id).map(|group| change(&mut group.variables)),
    };
}

/// Puts what the request says into a variable; what it does not say stays.
fn fill(context: &Context<'_>, variable: &mut Variable) -> Result<(), Refusal> {
    let parameters = &context.parameters;
    variable.value = parameters.text("value").unwrap_or_else(|| std::mem::take(&mut variable.value));
    variable.protected = parameters.switch("protected")?.unwrap_or(variable.protected);
    variable.masked = parameters.switch("masked")?.unwrap_or(variable.masked);
    variable.raw = parameters.switch("raw")?.unwrap_or(variable.raw);
    if parameters.has("variable_type") {
        variable.kind = parameters.choice("variable_type", &["env_var", "file"])?.to_owned();
    }
    variable.scope = parameters.text("environment_scope").unwrap_or_else(|| std::mem::take(&mut variable.scope));
    variable.description = parameters.text("description").or_else(|| variable.description.take());
    Ok(())
}

/// Says no to what GitLab does not take; `others` are all variables but this one.
fn check<'a>(variable: &Variable, mut others: impl Iterator<Item = &'a Variable>) -> Result<(), Refusal> {
    if let Some((field, text)) = variable.objection() {
        return Err(Refusal::field(400, field, text));
    }
    if others.any(|other| (&other.key, &other.scope) == (&variable.key, &variable.scope)) {
        return Err(Refusal::field(400, "key", &format!("({}) has already been taken", variable.key)));
    }
    Ok(())
}

pub(super) fn list(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let owner = owner(context, path)?;
    context.page(of(context.model, owner), |variable| Some(render(variable)))
}

pub(super) fn create(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let owner = owner(context, path)?;
    let parameters = &context.parameters;
    let mut variable = Variable::plain(&parameters.required("key")?, &parameters.required("value")?);
    fill(context, &mut variable)?;
    if parameters.switch("masked_and_hidden")? == Some(true) {
        (variable.masked, variable.hidden) = (true, true);
    }
    check(&variable, of(context.model, owner).iter())?;
    let shown = render(&variable);
    store(context.model, owner, |variables| variables.push(variable));
    Ok(Reply::json(201, &shown))
}

pub(super) fn update(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let owner = owner(context, path)?;
    // The key of the path counts: GitLab renames none.
    context.parameters.accept(&["key"]);
    let (key, scope) = (segment(path, 3), context.parameters.text("filter[environment_scope]"));
    let wanted =
        |variable: &&Variable| variable.key == key && scope.as_ref().is_none_or(|scope| variable.scope == *scope);
    let found: Vec<&Variable> = of(context.model, owner).iter().filter(wanted).collect();
    let old = match found.as_slice() {
        [] => return Err(Refusal::not_found("Variable")),
        [one] => (*one).clone(),
        _ => {
            let text = "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'";
            return Err(Refusal::Message(409, text.to_owned()));
        }
    };
    let mut variable = old.clone();
    fill(context, &mut variable)?;
    check(&variable, of(context.model, owner).iter().filter(|other| **other != old))?;
    let shown = render(&variable);
    store(context.model, owner, |variables| {
        variables.retain(|other| *other != old);
        put(variables, variable);
    });
    Ok(Reply::json(200, &shown))
}

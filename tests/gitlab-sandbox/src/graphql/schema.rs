//! The part of GitLab's GraphQL schema that the sandbox has: fields, arguments and what each costs. A query is held to it
//! before anything is answered, in GitLab's words.
//!
//! Costs are counted as `app/graphql/types/base_field.rb` and `app/graphql/resolvers/base_resolver.rb` count them: one for
//! a field and what is in it; one more where it calls Gitaly; of a list that a resolver makes, one hundredth more for each
//! item asked for.

use graphql_parser::query::{Field, Selection, SelectionSet, Type, Value, VariableDefinition};

use serde_json::Map;

/// The most that a query of a user who is logged in may cost (`GitlabSchema::AUTHENTICATED_MAX_COMPLEXITY`).
const MAX_COMPLEXITY: f64 = 250.0;
/// The longest query, in characters.
const MAX_LENGTH: usize = 10_000;
/// The most items of a list on one page.
const PAGE: u32 = 100;

/// A field of a type.
struct Known {
    name: &'static str,
    /// Names and types.
    arguments: &'static [(&'static str, &'static str)],
    /// The type of what it holds; nothing for a scalar.
    holds: Option<&'static str>,
    cost: Cost,
}

#[derive(Clone, Copy)]
enum Cost {
    Plain,
    CallsGitaly,
    Resolver,
    ResolverCallsGitaly,
    List,
}

const fn scalar(name: &'static str) -> Known {
    Known { name, arguments: &[], holds: None, cost: Cost::Plain }
}

const fn object(name: &'static str, holds: &'static str) -> Known {
    Known { name, arguments: &[], holds: Some(holds), cost: Cost::Plain }
}

const PAGING: (&str, &str) = ("first", "Int");
const AFTER: (&str, &str) = ("after", "String");
const STATE: (&str, &str) = ("state", "MergeRequestState");

const LIST_OF_REQUESTS: Option<&str> = Some("MergeRequestConnection");

/// The fields of a type.
fn fields(of: &str) -> &'static [Known] {
    match of {
        "Query" => {
            const {
                &[
                    object("currentUser", "CurrentUser"),
                    Known {
                        name: "group",
                        arguments: &[("fullPath", "ID!")],
                        holds: Some("Group"),
                        cost: Cost::Resolver,
                    },
                    Known {
                        name: "projects",
                        arguments: &[("fullPaths", "[String!]"), PAGING, AFTER],
                        holds: Some("ProjectConnection"),
                        cost: Cost::List,
                    },
                ]
            }
        }
        "CurrentUser" => {
            const {
                &[
                    scalar("id"),
                    scalar("username"),
                    Known {
                        name: "authoredMergeRequests",
                        arguments: &[STATE, PAGING, AFTER],
                        holds: LIST_OF_REQUESTS,
                        cost: Cost::List,
                    },
                ]
            }
        }
        "Group" => {
            const {
                &[
                    scalar("id"),
                    scalar("fullPath"),
                    Known {
                        name: "mergeRequests",
                        arguments: &[STATE, ("includeSubgroups", "Boolean"), PAGING, AFTER],
                        holds: LIST_OF_REQUESTS,
                        cost: Cost::List,
                    },
                ]
            }
        }
        "MergeRequestConnection" => const { &[object("nodes", "MergeRequest"), object("pageInfo", "PageInfo")] },
        "ProjectConnection" => const { &[object("nodes", "Project"), object("pageInfo", "PageInfo")] },
        "PageInfo" => const { &[scalar("hasNextPage"), scalar("endCursor")] },
        "MergeRequest" => {
            const {
                &[
                    scalar("id"),
                    scalar("iid"),
                    scalar("updatedAt"),
                    Known { name: "diffHeadSha", arguments: &[], holds: None, cost: Cost::CallsGitaly },
                    object("project", "Project"),
                    object("headPipeline", "Pipeline"),
                ]
            }
        }
        "Pipeline" => const { &[scalar("id"), scalar("status"), scalar("updatedAt")] },
        "Project" => const { &[scalar("id"), scalar("fullPath"), object("repository", "Repository")] },
        "Repository" => {
            const {
                &[Known {
                    name: "tree",
                    arguments: &[("path", "String"), ("ref", "String")],
                    holds: Some("Tree"),
                    cost: Cost::ResolverCallsGitaly,
                }]
            }
        }
        "Tree" => {
            const { &[Known { name: "lastCommit", arguments: &[], holds: Some("Commit"), cost: Cost::ResolverCallsGitaly }] }
        }
        "Commit" => const { &[scalar("id"), scalar("sha")] },
        _ => &[],
    }
}

/// The values of the query's variables.
pub(super) type Variables = Map<String, serde_json::Value>;

/// Checks a query, and says in GitLab's words what is wrong with it.
pub(super) fn check(
    text: &str,
    variables: &[VariableDefinition<'_, String>],
    selection: &SelectionSet<'_, String>,
    values: &Variables,
) -> Result<(), String> {
    if text.chars().count() > MAX_LENGTH {
        return Err("Query too large".to_owned());
    }
    for variable in variables {
        let name = &variable.name;
        let is_used = text.matches(&format!("${name}")).count() > 1;
        if !is_used {
            return Err(format!("Variable ${name} is declared by anonymous query but not used"));
        }
        if variable.var_type.to_string().ends_with('!') && values.get(name).is_none_or(serde_json::Value::is_null) {
            return Err(format!("Variable ${name} of type {} was provided invalid value", variable.var_type));
        }
    }
    let cost = cost_of("Query", selection, variables, values)?;
    if cost > MAX_COMPLEXITY {
        return Err(format!("Query has complexity of {cost}, which exceeds max complexity of {MAX_COMPLEXITY}"));
    }
    Ok(())
}

fn cost_of(
    of: &str,
    selection: &SelectionSet<'_, String>,
    variables: &[VariableDefinition<'_, String>],
    values: &Variables,
) -> Result<f64, String> {
    let mut sum = 0.0;
    for item in &selection.items {
        let Selection::Field(field) = item else { return Err("the sandbox knows no fragments".to_owned()) };
        sum += cost_of_field(of, field, variables, values)?;
    }
    Ok(sum)
}

fn cost_of_field(
    of: &str,
    field: &Field<'_, String>,
    variables: &[VariableDefinition<'_, String>],
    values: &Variables,
) -> Result<f64, String> {
    let name = &field.name;
    let known = fields(of).iter().find(|known| known.name == name);
    let known = known.ok_or_else(|| format!("Field '{name}' doesn't exist on type '{of}'"))?;
    for (argument, value) in &field.arguments {
        let expected = known.arguments.iter().find(|(name, _)| name == argument);
        let (_, expected) = expected.ok_or_else(|| format!("Field '{name}' doesn't accept argument '{argument}'"))?;
        check_value(argument, expected, value, variables)?;
    }
    let missing = known
        .arguments
        .iter()
        .find(|(argument, of)| of.ends_with('!') && !field.arguments.iter().any(|(given, _)| given == argument));
    if let Some((argument, _)) = missing {
        return Err(format!("Field '{name}' is missing required arguments: {argument}"));
    }
    let inside = match known.holds {
        None if field.selection_set.items.is_empty() => 0.0,
        None => return Err(format!("Selections can't be made on scalars (field '{name}')")),
        Some(_) if field.selection_set.items.is_empty() => {
            return Err(format!("Field must have selections (field '{name}')"));
        }
        Some(of) => cost_of(of, &field.selection_set, variables, values)?,
    };
    Ok(match known.cost {
        Cost::Plain | Cost::Resolver => inside + 1.0,
        Cost::CallsGitaly | Cost::ResolverCallsGitaly => inside + 2.0,
        Cost::List => (inside + 1.0) * (1.0 + 0.01 * f64::from(first(field).min(PAGE))),
    })
}

/// How many items of a list are asked for.
pub(super) fn first(field: &Field<'_, String>) -> u32 {
    let given = field.arguments.iter().find(|(name, _)| name == "first");
    let number = given.and_then(|(_, value)| match value {
        Value::Int(number) => number.as_i64(),
        _ => None,
    });
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or(PAGE).min(PAGE)
}

/// Checks that an argument's value is of its type.
fn check_value(
    argument: &str,
    expected: &str,
    value: &Value<'_, String>,
    variables: &[VariableDefinition<'_, String>],
) -> Result<(), String> {
    let bare = expected.trim_end_matches('!');
    let is_good = match value {
        Value::Variable(name) => {
            let declared = variables.iter().find(|variable| variable.name == *name);
            let declared = declared.ok_or_else(|| format!("Variable ${name} is used but not declared"))?;
            let of = declared.var_type.to_string();
            if of != expected && of.trim_end_matches('!') != bare
                || expected.ends_with('!') && !matches!(declared.var_type, Type::NonNullType(_))
            {
                return Err(format!("Type mismatch on variable ${name} and argument {argument} ({of} / {expected})"));
            }
            true
        }
        Value::Int(_) => bare == "Int",
        Value::Boolean(_) => bare == "Boolean",
        Value::String(_) => matches!(bare, "String" | "ID"),
        Value::Enum(word) => {
            bare == "MergeRequestState" && matches!(word.as_str(), "opened" | "closed" | "merged" | "all" | "locked")
        }
        Value::List(_) => bare.starts_with('['),
        _ => false,
    };
    if is_good {
        Ok(())
    } else {
        Err(format!("Argument '{argument}' has an invalid value. Expected type '{expected}'."))
    }
}

//! The project that runs the bot and holds its token. It has to be closed to everybody else, and able to run the bot.

use crate::ci::{Template, TemplateUse};
use crate::config::WebhookTokens;
use crate::forge::{BranchAccess, OverrideRole, ProjectSettings, ProtectedBranch, RunnerType};
use crate::setup::check::hooks;
use crate::setup::check::result::{CheckResult, Verdict, join_names, summarize};
use crate::setup::instance_facts::{
    BotProjectFacts, InstanceFacts, InstanceFileFacts, Unseen, VariableFlags, Visible, is_online, is_pattern,
};
use crate::setup::package_facts::JobTokenAccess;
use crate::types::{AccessLevel, Visibility};

const VARIABLES: &str = "Settings, CI/CD, Variables";
const TOKEN: &str = "SGB_TOKEN";
const SECRET: &str = "SGB_WEBHOOK_SECRET";

/// Where to let nobody set pipeline variables, in this project and in the forks.
pub(super) const NO_ONE: &str =
    "Settings, CI/CD, Variables, `Minimum role to use pipeline variables`: choose `No one allowed`";
/// Where to admit job tokens.
pub(super) const JOB_TOKENS: &str = "Settings, CI/CD, Job token permissions";

pub(super) fn judge(facts: &InstanceFacts) -> Vec<CheckResult> {
    const CHECK: &str = "bot-project.found";
    let named = facts.instance.bot_project.as_ref().map(ToString::to_string).unwrap_or_default();
    let project = match &facts.bot_project {
        None => {
            return vec![CheckResult::wrong(
                CHECK,
                "the instance",
                "names no project that runs the bot",
                "add `bot_project: GROUP/PROJECT` to the instance file",
            )];
        }
        Some(Err(Unseen::NotShown)) => {
            return vec![CheckResult::wrong(
                CHECK,
                named,
                format!("does not exist, or @{} is no member", facts.user),
                format!(
                    "make it, and give @{} the role Reporter (Manage, Members); or correct `bot_project`",
                    facts.bot
                ),
            )];
        }
        Some(Err(why)) => return vec![CheckResult::unseen(CHECK, named, why, "its members see it")],
        Some(Ok(project)) => project,
    };
    let mut results = vec![
        CheckResult::right(CHECK, project.path(), "exists"),
        role(facts, project),
        visibility(project),
        place(facts, project),
        protected_branch(project),
    ];
    results.extend(secrets(facts, project));
    results.extend(pipeline_variables("bot-project.pipeline-variables", "bot projects", [&project.settings]));
    results.push(job_tokens(project));
    results.push(schedule(project));
    results.push(runner(project));
    results.extend(includes(facts, project));
    results.push(instance_file(project));
    results
}

fn maintainers_see(what: &str) -> String {
    format!("its Maintainers see it: {what}")
}

fn role(facts: &InstanceFacts, project: &BotProjectFacts) -> CheckResult {
    const CHECK: &str = "bot-project.role";
    let bot = &facts.bot;
    match &project.role {
        Err(why) => CheckResult::unseen(CHECK, project.path(), why, &maintainers_see("Manage, Members")),
        Ok(role) if *role == AccessLevel::default() => CheckResult::wrong(
            CHECK,
            project.path(),
            format!("@{bot} is no member, and cannot write its status issue there"),
            format!("Manage, Members: give @{bot} the role Reporter"),
        ),
        Ok(role) => CheckResult::right(CHECK, project.path(), format!("@{bot} is {} there", role.word())),
    }
}

fn visibility(project: &BotProjectFacts) -> CheckResult {
    const CHECK: &str = "bot-project.visibility";
    match project.settings.visibility {
        None => CheckResult::unseen(
            CHECK,
            project.path(),
            &Unseen::NotReported,
            &maintainers_see("Settings, General, Visibility"),
        ),
        Some(Visibility::Private) => CheckResult::right(CHECK, project.path(), "is private"),
        Some(Visibility::Internal | Visibility::Public) => CheckResult::wrong(
            CHECK,
            project.path(),
            "is not private",
            "Settings, General, `Visibility, project features, permissions`, `Project visibility`: choose `Private`",
        ),
    }
}

/// Checks that no group with webhooks contains the project: they would be called for what the bot itself does in it.
fn place(facts: &InstanceFacts, project: &BotProjectFacts) -> CheckResult {
    const CHECK: &str = "bot-project.place";
    let pairs = facts.instance.namespaces.pairs().iter();
    let namespaces = pairs.flat_map(|pair| [pair.source_git.as_str(), pair.dist_git.as_str()]);
    let mut groups = namespaces.chain(hooks::groups_with_hooks(facts));
    match groups.find(|group| hooks::is_within(project.path(), group)) {
        None => CheckResult::right(CHECK, project.path(), "is outside the groups with webhooks"),
        Some(group) => CheckResult::wrong(
            CHECK,
            project.path(),
            format!("is in the group {group}, whose webhooks are called for it too"),
            "move it: Settings, General, Advanced, `Transfer project`; then correct `bot_project`",
        ),
    }
}

fn protected_branch(project: &BotProjectFacts) -> CheckResult {
    const CHECK: &str = "bot-project.protected-branch";
    const WHERE: &str = "Settings, Repository, Protected branches";
    let wrong = |says: String, what: &str| CheckResult::wrong(CHECK, project.path(), says, format!("{WHERE}: {what}"));
    let rules = match &project.protected {
        Ok(rules) => rules,
        Err(why) => return CheckResult::unseen(CHECK, project.path(), why, &maintainers_see(WHERE)),
    };
    let names: Vec<_> = rules.iter().map(|rule| rule.name.clone()).collect();
    match rules.as_slice() {
        [] => wrong("has no protected branch".to_owned(), "protect the one that the bot runs on"),
        [rule] if is_pattern(rule) => {
            wrong(format!("protects all branches `{}`", rule.name), "protect one branch by its name instead")
        }
        [rule] if lowest_role(rule).is_some_and(|role| role < AccessLevel::MAINTAINER) => wrong(
            format!("lets more than Maintainers push to or merge into `{}`", rule.name),
            "allow Maintainers alone to push and merge",
        ),
        [rule] if project.settings.default_branch.as_ref().is_some_and(|branch| *branch != rule.name) => wrong(
            format!("protects `{}` instead of its default branch", rule.name),
            "protect the default branch and no other",
        ),
        [rule] => CheckResult::right(CHECK, project.path(), format!("`{}` is its one protected branch", rule.name)),
        _ => wrong(format!("has several protected branches: {}", join_names(&names)), "unprotect all but one"),
    }
}

/// Returns the lowest role that may push to the branches of a rule, or merge into them; `None` if no role may, which
/// GitLab writes as access level 0.
fn lowest_role(rule: &ProtectedBranch) -> Option<AccessLevel> {
    let roles = rule.push.iter().chain(&rule.merge).filter_map(BranchAccess::role);
    roles.filter(|role| *role > AccessLevel::NO_ONE).min()
}

/// Checks the variables that hold secrets.
fn secrets(facts: &InstanceFacts, project: &BotProjectFacts) -> Vec<CheckResult> {
    let needed = [
        Some(("bot-project.token-variable", TOKEN)),
        (facts.instance.webhook_tokens == WebhookTokens::Required).then_some(("bot-project.webhook-secret", SECRET)),
    ];
    needed.into_iter().flatten().map(|(check, key)| secret(project, check, key)).collect()
}

fn secret(project: &BotProjectFacts, check: &'static str, key: &str) -> CheckResult {
    let variables = match &project.variables {
        Ok(variables) => variables,
        Err(why) => return CheckResult::unseen(check, project.path(), why, &maintainers_see(VARIABLES)),
    };
    let found: Vec<&VariableFlags> = variables.iter().filter(|variable| variable.key == key).collect();
    if found.is_empty() {
        let remedy =
            format!("{VARIABLES}: add {key}, `Masked`, `Protect variable` on, `Expand variable reference` off");
        return CheckResult::wrong(check, project.path(), format!("has no variable {key}"), remedy);
    }
    let (flaws, fixes): (Vec<&str>, Vec<&str>) = [
        (found.iter().all(|variable| variable.protected), "is not protected", "`Protect variable` on"),
        (found.iter().all(|variable| variable.masked), "is not masked", "`Masked` or `Masked and hidden`"),
        (found.iter().all(|variable| variable.raw), "is expanded", "`Expand variable reference` off"),
        (!found.iter().any(|variable| variable.is_file), "is a file", "`Type`: choose `Variable`"),
        (
            found.iter().any(|variable| variable.is_for_all_jobs),
            "is for jobs of some environments alone",
            "`Environments`: choose `All`",
        ),
    ]
    .into_iter()
    .filter(|(is_right, ..)| !is_right)
    .map(|(_, flaw, fix)| (flaw, fix))
    .unzip();
    if flaws.is_empty() {
        return CheckResult::right(check, project.path(), format!("{key} is protected, masked and not expanded"));
    }
    CheckResult::wrong(
        check,
        project.path(),
        format!("{key} {}", flaws.join(", ")),
        format!("{VARIABLES}, {key}: {}", fixes.join(", ")),
    )
}

/// Checks that nobody may set pipeline variables, in this project or in the forks. Whoever holds a trigger token could.
pub(super) fn pipeline_variables<'a>(
    check: &'static str,
    things: &str,
    projects: impl IntoIterator<Item = &'a ProjectSettings>,
) -> Vec<CheckResult> {
    let allowed_for = |roles: &str| {
        Verdict::wrong(format!("trigger tokens of {roles}, and above, can set variables of its pipelines"), NO_ONE)
    };
    let verdict = |settings: &ProjectSettings| match settings.ci_pipeline_variables_minimum_override_role {
        None => Verdict::Unseen(Unseen::NotReported, maintainers_see(NO_ONE)),
        Some(OverrideRole::NoOneAllowed) => Verdict::Right,
        Some(OverrideRole::Owner) => allowed_for("Owners"),
        Some(OverrideRole::Maintainer) => allowed_for("Maintainers"),
        Some(OverrideRole::Developer) => allowed_for("Developers"),
    };
    let all = projects.into_iter().map(|settings| (settings.path.to_string(), verdict(settings)));
    summarize(check, things, "no one may set pipeline variables", all)
}

/// Returns whether a project is closed to the job tokens of other projects.
pub(super) fn job_token_verdict(job_tokens: &Visible<JobTokenAccess>) -> Verdict {
    match job_tokens {
        Err(why) => Verdict::Unseen(why.clone(), maintainers_see(JOB_TOKENS)),
        Ok(access) if !access.scope.inbound_enabled => Verdict::wrong(
            "is open to the job tokens of all projects",
            format!("{JOB_TOKENS}: choose `Only this project and any groups and projects in the allowlist`"),
        ),
        Ok(access) if access.allowlist.is_empty() => Verdict::Right,
        Ok(access) => Verdict::wrong(
            format!("is open to job tokens of {}", join_names(&access.allowlist)),
            format!("{JOB_TOKENS}: remove them from the allowlist"),
        ),
    }
}

fn job_tokens(project: &BotProjectFacts) -> CheckResult {
    const CHECK: &str = "bot-project.job-tokens";
    match job_token_verdict(&project.job_tokens) {
        Verdict::Right => CheckResult::right(CHECK, project.path(), "is closed to the job tokens of other projects"),
        Verdict::Wrong(says, remedy) => CheckResult::wrong(CHECK, project.path(), says, remedy),
        Verdict::Unseen(why, who) => CheckResult::unseen(CHECK, project.path(), &why, &who),
    }
}

fn schedule(project: &BotProjectFacts) -> CheckResult {
    const CHECK: &str = "bot-project.schedule";
    const WHERE: &str = "Build, Pipeline schedules";
    let schedules = match &project.schedules {
        Ok(schedules) => schedules,
        Err(why) => return CheckResult::unseen(CHECK, project.path(), why, &maintainers_see(WHERE)),
    };
    let branch = project.branch().unwrap_or_default();
    let on_branch: Vec<_> = schedules.iter().filter(|schedule| schedule.branch() == branch).collect();
    let remedy = format!("{WHERE}: make one for `{branch}`, every 15 minutes or so (`*/15 * * * *`), and activate it");
    if on_branch.iter().any(|schedule| schedule.active) {
        CheckResult::right(CHECK, project.path(), format!("a schedule runs on `{branch}`"))
    } else if on_branch.is_empty() {
        let says = format!("has no schedule for `{branch}`, so that nothing makes good what webhooks miss");
        CheckResult::wrong(CHECK, project.path(), says, remedy)
    } else {
        let says = "its schedule is inactive, so that nothing makes good what webhooks miss";
        CheckResult::wrong(CHECK, project.path(), says, format!("{WHERE}: edit it, and tick `Activated`"))
    }
}

fn runner(project: &BotProjectFacts) -> CheckResult {
    const CHECK: &str = "bot-project.runner";
    const WHERE: &str = "Settings, CI/CD, Runners";
    let runners = match &project.runners {
        Ok(runners) => runners,
        Err(why) => return CheckResult::unseen(CHECK, project.path(), why, &maintainers_see(WHERE)),
    };
    let own: Vec<_> = runners.iter().filter(|runner| runner.runner_type == RunnerType::ProjectType).collect();
    if own.iter().any(|runner| is_online(runner)) {
        CheckResult::right(CHECK, project.path(), "a runner of its own is online")
    } else if own.is_empty() {
        let remedy = format!("{WHERE}: `Create project runner`, with a tag that its `.gitlab-ci.yml` names");
        CheckResult::wrong(CHECK, project.path(), "has no runner of its own", remedy)
    } else {
        let remedy = format!("start gitlab-runner on its machine again, or resume it: {WHERE}");
        CheckResult::wrong(CHECK, project.path(), "no runner of its own is online", remedy)
    }
}

/// Checks that the CI file includes the template, and that template and image have the version of this program.
fn includes(facts: &InstanceFacts, project: &BotProjectFacts) -> Vec<CheckResult> {
    const CHECK: &str = "bot-project.include";
    let path = project.path();
    let remedy = "see ci-templates/examples/bot-project.gitlab-ci.yml";
    let uses = match &project.includes {
        Ok(Some(Ok(uses))) => uses,
        Ok(Some(Err(why))) => {
            return vec![CheckResult::wrong(CHECK, path, format!("its CI file cannot be read: {why}"), remedy)];
        }
        Ok(None) => return vec![CheckResult::wrong(CHECK, path, "has no `.gitlab-ci.yml` on its branch", remedy)],
        Err(why) => return vec![CheckResult::unseen(CHECK, path, why, "its Reporters see it: `.gitlab-ci.yml`")],
    };
    let Some(used) = uses.iter().find(|used| used.template == Template::Bot) else {
        return vec![CheckResult::wrong(CHECK, path, "its CI file does not include ci-templates/bot.yml", remedy)];
    };
    vec![
        CheckResult::right(CHECK, path, format!("includes bot.yml of {}", used.project)),
        template_version(facts, path, used),
        image_version(facts, path, used),
    ]
}

fn template_version(facts: &InstanceFacts, path: &str, used: &TemplateUse) -> CheckResult {
    const CHECK: &str = "bot-project.template-version";
    let program = &facts.program_version;
    let remedy = format!("in its `.gitlab-ci.yml`, set `ref: v{program}`, or update this program");
    match (&used.reference, used.version()) {
        (Some(reference), Some(version)) if version == program => {
            CheckResult::right(CHECK, path, format!("the template is {reference}, as this program"))
        }
        (Some(reference), Some(_)) => {
            CheckResult::wrong(CHECK, path, format!("the template is {reference}, this program is {program}"), remedy)
        }
        // A commit is as good as a tag, but its name holds no version.
        (Some(reference), None) if used.is_pinned() => {
            CheckResult::right(CHECK, path, format!("the template is pinned to the commit {reference}"))
        }
        (Some(reference), None) => {
            CheckResult::wrong(CHECK, path, format!("the template is `{reference}`, whatever that is today"), remedy)
        }
        (None, _) => CheckResult::wrong(CHECK, path, "the template is of no particular version", remedy),
    }
}

fn image_version(facts: &InstanceFacts, path: &str, used: &TemplateUse) -> CheckResult {
    const CHECK: &str = "bot-project.image-version";
    let program = &facts.program_version;
    let remedy = format!("in its `.gitlab-ci.yml`, give the input `image` the tag `{program}`");
    match (used.image(), used.image_version()) {
        (Some(_), Some(version)) if version == program => {
            CheckResult::right(CHECK, path, format!("the image is {version}, as this program"))
        }
        (Some(_), Some(version)) => {
            CheckResult::wrong(CHECK, path, format!("the image is {version}, this program is {program}"), remedy)
        }
        (Some(image), None) if image.contains("@sha256:") => CheckResult::unseen(
            CHECK,
            path,
            &Unseen::NotReported,
            "the image is named by its digest: compare it with that in the release's notes",
        ),
        (Some(_), None) => CheckResult::wrong(CHECK, path, "the image is of no particular version", remedy),
        (None, _) => CheckResult::wrong(CHECK, path, "the input `image` is missing", remedy),
    }
}

fn instance_file(project: &BotProjectFacts) -> CheckResult {
    const CHECK: &str = "bot-project.instance-file";
    let path = project.path();
    match &project.instance_file {
        Err(why) => {
            CheckResult::unseen(CHECK, path, why, "its Reporters see it: the file that the input `instance` names")
        }
        Ok(InstanceFileFacts::Missing(name)) => CheckResult::wrong(
            CHECK,
            path,
            format!("has no file `{name}`, which the input `instance` names"),
            format!("commit the instance file as `{name}` to its protected branch"),
        ),
        Ok(InstanceFileFacts::Bad(name, why)) => CheckResult::wrong(
            CHECK,
            path,
            format!("`{name}` cannot be used: {why}"),
            format!("correct `{name}` there"),
        ),
        Ok(InstanceFileFacts::Read(name, keys)) if keys.is_empty() => {
            CheckResult::right(CHECK, path, format!("`{name}` there is the instance in use"))
        }
        Ok(InstanceFileFacts::Read(name, keys)) => CheckResult::wrong(
            CHECK,
            path,
            format!("`{name}` there differs from the instance in use: `{}`", keys.join("`, `")),
            format!("run doctor with that file (`--instance`), or commit the right one as `{name}`"),
        ),
    }
}

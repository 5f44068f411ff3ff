//! The token, and what its scopes allow; the bot's roles, which must be high enough and no higher.

use crate::config::Forks;
use crate::forge::AccessToken;
use crate::pair::status_issue::TOKEN_DAYS;
use crate::setup::check::result::{CheckResult, Verdict, summarize};
use crate::setup::instance_facts::{InstanceFacts, Unseen, Visible};
use crate::types::AccessLevel;

/// The scope that the bot needs. It implies all lesser ones.
const NEEDED: &str = "api";

/// The scopes that would let the bot act as anybody.
const TOO_MUCH: [&str; 2] = ["sudo", "admin_mode"];

const NEW_TOKEN: &str = "log in as the bot's user and make a token with the scope `api` and no other (Edit profile, Access \
    tokens), then put it into the variable SGB_TOKEN of the bot project (Settings, CI/CD, Variables)";

const WHO: &str = "run `source-git-bot doctor` with the bot's own token, in a job of the bot project";

/// Returns the only result when GitLab does not know the token.
pub fn unknown_token() -> CheckResult {
    CheckResult::wrong("token.user", "the token", "GitLab does not know it: it is wrong, expired or revoked", NEW_TOKEN)
}

/// Returns the only result when the token may not even read its user.
pub fn weak_token() -> CheckResult {
    CheckResult::wrong("token.scope", "the token", "lacks the scope `api`", NEW_TOKEN)
}

pub(super) fn judge(facts: &InstanceFacts) -> Vec<CheckResult> {
    let mut results = vec![user(facts), scope(facts), expiry(facts)];
    results.extend(source_git(facts));
    results.extend(dist_git(facts));
    results
}

fn is_the_bots(facts: &InstanceFacts) -> bool {
    facts.user == facts.bot
}

/// Returns the bot's token, if that is the token in use.
fn bots_token(facts: &InstanceFacts) -> Visible<&AccessToken> {
    if is_the_bots(facts) { facts.token.as_ref().map_err(Clone::clone) } else { Err(Unseen::NotReported) }
}

fn user(facts: &InstanceFacts) -> CheckResult {
    let says = if is_the_bots(facts) {
        format!("is @{}'s", facts.user)
    } else {
        format!("is @{}'s, and the bot's user is @{}", facts.user, facts.bot)
    };
    CheckResult::right("token.user", "the token", says)
}

fn scope(facts: &InstanceFacts) -> CheckResult {
    const CHECK: &str = "token.scope";
    let token = match bots_token(facts) {
        Ok(token) => token,
        Err(why) => return CheckResult::unseen(CHECK, "the bot's token", &why, WHO),
    };
    let has = |scope: &str| token.scopes.iter().any(|has| has == scope);
    let too_much: Vec<_> = TOO_MUCH.into_iter().filter(|scope| has(scope)).collect();
    if !has(NEEDED) {
        CheckResult::wrong(CHECK, "the bot's token", "lacks the scope `api`", NEW_TOKEN)
    } else if too_much.is_empty() {
        CheckResult::right(CHECK, "the bot's token", "has the scope `api`")
    } else {
        CheckResult::wrong(
            CHECK,
            "the bot's token",
            format!("has more than it needs: `{}`", too_much.join("`, `")),
            NEW_TOKEN,
        )
    }
}

fn expiry(facts: &InstanceFacts) -> CheckResult {
    const CHECK: &str = "token.expiry";
    let token = match bots_token(facts) {
        Ok(token) => token,
        Err(why) => return CheckResult::unseen(CHECK, "the bot's token", &why, WHO),
    };
    let Some(day) = token.expires_at else { return CheckResult::right(CHECK, "the bot's token", "does not expire") };
    let days = (day - facts.now.date_naive()).num_days();
    let says = match days {
        ..0 => format!("expired on {day}"),
        0 => "expires today".to_owned(),
        1 => "expires tomorrow".to_owned(),
        2..100 => format!("expires on {day}, in {days} days"),
        _ => format!("expires on {day}"),
    };
    if days < TOKEN_DAYS {
        CheckResult::wrong(CHECK, "the bot's token", says, NEW_TOKEN)
    } else {
        CheckResult::right(CHECK, "the bot's token", says)
    }
}

/// Checks the bot's role in source-git, where it has to be Developer to post commit statuses.
fn source_git(facts: &InstanceFacts) -> Vec<CheckResult> {
    let Ok(packages) = &facts.packages else { return Vec::new() };
    let verdict = |role: &Visible<AccessLevel>| match role {
        Err(Unseen::NotAsked) => None,
        Err(why) => Some(Verdict::Unseen(why.clone(), "its Maintainers see it: Manage, Members".to_owned())),
        Ok(role) if *role >= AccessLevel::DEVELOPER => Some(Verdict::Right),
        Ok(role) => Some(Verdict::wrong(
            format!("@{} is {} there, which is too little to post commit statuses", facts.bot, role.word()),
            format!("Manage, Members, of the source-git group: give @{} the role Developer", facts.bot),
        )),
    };
    let all = packages.all.iter().filter_map(|p| Some((p.source_git.clone(), verdict(&p.source_git_role)?)));
    summarize(
        "role.source-git",
        "source-git projects looked at",
        &format!("@{} is Developer there, or more", facts.bot),
        all,
    )
}

/// Checks the bot's role in dist-git. The pipelines of the bot's merge requests run code of contributors. They would
/// run in dist-git, with its variables and runners, if the bot were Developer there.
fn dist_git(facts: &InstanceFacts) -> Vec<CheckResult> {
    let Ok(packages) = &facts.packages else { return Vec::new() };
    let pushes = facts.instance.forks == Forks::DistGit;
    let bot = &facts.bot;
    let verdict = |role: &Visible<AccessLevel>| match role {
        Err(Unseen::NotAsked) => None,
        Err(why) => Some(Verdict::Unseen(why.clone(), "its Maintainers see it: Manage, Members".to_owned())),
        Ok(role) => Some(match (pushes, *role >= AccessLevel::DEVELOPER) {
            (true, true) | (false, false) => Verdict::Right,
            (true, false) => Verdict::wrong(
                format!("@{bot} is {} there, and pushes its branches there (`forks: dist-git`)", role.word()),
                format!("Manage, Members, of the dist-git group: give @{bot} the role Developer"),
            ),
            (false, true) => Verdict::wrong(
                format!(
                    "@{bot} is {} there: the pipelines of its merge requests, which run what contributors wrote, are \
                     dist-git's own",
                    role.word()
                ),
                format!("Manage, Members, of the dist-git group: take @{bot} out, or give it the role Guest"),
            ),
        }),
    };
    let all = packages.all.iter().filter_map(|p| Some((p.dist_git.clone(), verdict(&p.dist_git_role)?)));
    let right = if pushes {
        format!("@{bot} is Developer there, or more")
    } else {
        format!("@{bot} is less than Developer there")
    };
    summarize("role.dist-git", "dist-git projects looked at", &right, all)
}

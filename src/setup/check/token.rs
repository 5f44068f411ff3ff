//! The token: whose it is and what it may do. And the bot's roles: enough, and no more than is good.

use crate::config::Forks;
use crate::pair::status_issue::TOKEN_DAYS;
use crate::setup::check::finding::{CheckResult, Verdict, summed};
use crate::setup::instance_facts::{InstanceFacts, Role, Unseen, Visible};

/// What the bot needs, and implies all lesser ones.
const NEEDED: &str = "api";

/// What would let the bot act as anybody.
const TOO_MUCH: [&str; 2] = ["sudo", "admin_mode"];

const NEW_TOKEN: &str = "log in as the bot's user and make a token with the scope `api` and no other (Edit profile, Access \
    tokens), then put it into the variable SGB_TOKEN of the bot project (Settings, CI/CD, Variables)";

const WHO: &str = "run `source-git-bot doctor` with the bot's own token, in a job of the bot project";

/// Returns the one thing to say where GitLab does not know the token.
pub fn unknown_token() -> CheckResult {
    CheckResult::wrong("token.user", "the token", "GitLab does not know it: it is wrong, expired or revoked", NEW_TOKEN)
}

/// Returns the one thing to say where the token does not even tell whose it is.
pub fn weak_token() -> CheckResult {
    CheckResult::wrong("token.scope", "the token", "lacks the scope `api`", NEW_TOKEN)
}

pub(super) fn judge(facts: &InstanceFacts) -> Vec<CheckResult> {
    let mut findings = vec![user(facts), scope(facts), expiry(facts)];
    findings.extend(source_git(facts));
    findings.extend(dist_git(facts));
    findings
}

fn is_the_bots(facts: &InstanceFacts) -> bool {
    facts.user == facts.bot
}

/// The bot's token, where this is it.
fn token(facts: &InstanceFacts) -> Visible<&crate::setup::instance_facts::TokenFacts> {
    if is_the_bots(facts) { facts.token.as_ref().map_err(Clone::clone) } else { Err(Unseen::NotSaid) }
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
    let token = match token(facts) {
        Ok(token) => token,
        Err(why) => return CheckResult::unseen(CHECK, "the bot's token", &why, WHO),
    };
    let too_much: Vec<_> = TOO_MUCH.iter().filter(|scope| token.scopes.contains(**scope)).copied().collect();
    if !token.scopes.contains(NEEDED) {
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
    let token = match token(facts) {
        Ok(token) => token,
        Err(why) => return CheckResult::unseen(CHECK, "the bot's token", &why, WHO),
    };
    let Some(day) = token.expires else { return CheckResult::right(CHECK, "the bot's token", "does not expire") };
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

/// The bot posts commit statuses there, which takes a Developer.
fn source_git(facts: &InstanceFacts) -> Vec<CheckResult> {
    let Ok(packages) = &facts.packages else { return Vec::new() };
    let verdict = |role: &Visible<Role>| match role {
        Err(Unseen::NotAsked) => None,
        Err(why) => Some(Verdict::Unseen(why.clone(), "its Maintainers see it: Manage, Members".to_owned())),
        Ok(role) if *role >= Role::DEVELOPER => Some(Verdict::Right),
        Ok(role) => Some(Verdict::wrong(
            format!("@{} is {} there, which is too little to post commit statuses", facts.bot, role.word()),
            format!("Manage, Members, of the source-git group: give @{} the role Developer", facts.bot),
        )),
    };
    let all = packages.all.iter().filter_map(|p| Some((p.source_git.clone(), verdict(&p.source_role)?)));
    summed(
        "role.source-git",
        "source-git projects looked at",
        &format!("@{} is Developer there, or more", facts.bot),
        all,
    )
}

/// Every pipeline of a merge request of the bot runs what a contributor wrote: as a Developer of dist-git the bot would have
/// it run there, with dist-git's variables and runners.
fn dist_git(facts: &InstanceFacts) -> Vec<CheckResult> {
    let Ok(packages) = &facts.packages else { return Vec::new() };
    let pushes = facts.instance.forks == Forks::DistGit;
    let bot = &facts.bot;
    let verdict = |role: &Visible<Role>| match role {
        Err(Unseen::NotAsked) => None,
        Err(why) => Some(Verdict::Unseen(why.clone(), "its Maintainers see it: Manage, Members".to_owned())),
        Ok(role) => Some(match (pushes, *role >= Role::DEVELOPER) {
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
    let all = packages.all.iter().filter_map(|p| Some((p.dist_git.clone(), verdict(&p.dist_role)?)));
    let right = if pushes {
        format!("@{bot} is Developer there, or more")
    } else {
        format!("@{bot} is less than Developer there")
    };
    summed("role.dist-git", "dist-git projects looked at", &right, all)
}

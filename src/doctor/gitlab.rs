//! GitLab itself: its version, and how many requests it still takes.

use super::facts::Facts;
use super::finding::Finding;

/// From this version on a trigger still works where nobody may set variables of a pipeline (facts 1.8: GitLab's
/// "Only allow TRIGGER_PAYLOAD" is part of it).
const NEEDED: (u64, u64) = (18, 4);

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![version(facts)];
    findings.extend(rate_limit(facts));
    findings
}

fn version(facts: &Facts) -> Finding {
    const CHECK: &str = "gitlab.version";
    let text = match &facts.gitlab {
        Ok(text) => text,
        Err(why) => return Finding::unseen(CHECK, "GitLab", why, "anybody who is signed in does: Help, Help"),
    };
    match parsed(text) {
        Some(version) if version >= NEEDED => Finding::right(CHECK, "GitLab", text.clone()),
        Some(_) => Finding::wrong(
            CHECK,
            "GitLab",
            format!("{text} refuses triggers where nobody may set pipeline variables"),
            "its administrator: update it to 18.4 or later",
        ),
        None => Finding::unseen(
            CHECK,
            "GitLab",
            &super::facts::Unseen::NotSaid,
            "its administrator does: it has to be 18.4 or later",
        ),
    }
}

fn parsed(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.split(['.', '-']).map(str::parse::<u64>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn rate_limit(facts: &Facts) -> Option<Finding> {
    const CHECK: &str = "gitlab.rate-limit";
    let limit = facts.rate_limit.filter(|rate| rate.limit > 0)?;
    let says = format!("{} of {} requests are left in this period", limit.remaining, limit.limit);
    // A tenth: what two runs of `reconcile` over a large instance need.
    Some(if limit.remaining.saturating_mul(10) < limit.limit {
        Finding::wrong(
            CHECK,
            "GitLab",
            says,
            "run `reconcile` more rarely or with fewer `--jobs`, and let nobody else use the bot's user",
        )
    } else {
        Finding::right(CHECK, "GitLab", says)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_however_it_goes_on() {
        for (text, expected) in [
            ("18.4.0", Some((18, 4))),
            ("18.10.0-pre", Some((18, 10))),
            ("19.0-ee", Some((19, 0))),
            ("17.11.2-ee.0", Some((17, 11))),
            ("", None),
            ("18", None),
            ("x.y", None),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }
}

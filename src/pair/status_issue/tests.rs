use crate::pair::cache::{CacheEntry, CacheKey, UnixHour};
use crate::pair::status_issue::*;

const NOON: i64 = 1_796_644_800; // date -u -d '2026-12-07 12:00' +%s

fn shard(troubles: &[(&str, TroubleKind, &str, u32)]) -> ShardState {
    let mut cache = Cache::default();
    for (name, kind, why, runs) in troubles {
        for _ in 0..*runs {
            let trouble =
                PairTrouble { merge_request: (*name).to_owned(), kind: *kind, why: (*why).to_owned(), times: 0 };
            cache.record(
                CacheKey::of([*name]),
                CacheEntry { checked: UnixHour(1), fingerprint: None, trouble: Some(trouble) },
            );
        }
    }
    let counts = MergeRequestCounts { in_step: 480, source_git_only: 500, ..MergeRequestCounts::default() };
    ShardState { shard: (1, 1), ran: NOON, behind: None, settings: None, counts, instance_state: None, cache }
}

fn status(shards: &[ShardState]) -> StatusIssueText<'_> {
    StatusIssueText {
        instance: "production",
        shards,
        gitlab: "https://gitlab.example.com/",
        today: day(NOON),
        last_run: None,
    }
}

#[test]
fn says_first_that_all_is_well() {
    let shards = [shard(&[])];
    assert!(!status(&shards).needs_a_person());
    insta::assert_snapshot!(status(&shards).description(), @r#"
    **All is well:** nothing needs a person.

    | merge requests | |
    | --- | ---: |
    | in step with dist-git | 480 |
    | without an open dist-git merge request, and none is due | 500 |

    ---

    The bot writes this text, and overwrites what others write here; comments stay. It opens this issue when something needs a person, and closes it when nothing does. Its note below says when it last looked.

    <!-- source-git-bot v1: status "production" -->
    "#);
}

#[test]
fn what_needs_a_person_comes_first() {
    let mut own = shard(&[
        ("src/bash!7", TroubleKind::Failed, "POST projects/7/fork: GitLab answered 500", 2),
        ("src/curl!1", TroubleKind::Failed, "no connection to GitLab", 1),
        ("src/new!3", TroubleKind::NoDistGit, "dist-git has no branch `c11s`", 1),
        ("src/perl!2", TroubleKind::Refused, "the merge request conflicts with its target branch", 5),
    ]);
    own.counts = MergeRequestCounts { in_step: 480, refused: 2, failed: 2, ..MergeRequestCounts::default() };
    own.instance_state = Some(InstanceState {
        asked: NOON,
        token_expires: NaiveDate::from_ymd_opt(2026, 12, 20),
        hooks: Some(vec![
            DisabledHook { of: "src".to_owned(), id: 12, until: None },
            DisabledHook { of: "src/bash".to_owned(), id: 13, until: Some("2026-12-07T13:00:00.000Z".to_owned()) },
        ]),
    });
    let shards = [own];
    assert!(status(&shards).needs_a_person());
    insta::assert_snapshot!(status(&shards).description(), @r#"
    **5 things need a person:**

    - The bot's token expires on **2026-12-20**. Make a new one with the scope `api`, and put it into the variable `SGB_TOKEN` of this project.
    - GitLab has disabled webhook 12 of `src` permanently, because calls of it failed. Open its settings, look at Recent events, fix what failed, and press Test.
    - GitLab has disabled webhook 13 of `src/bash` until `2026-12-07T13:00:00.000Z`, because calls of it failed. Open its settings, look at Recent events, fix what failed, and press Test.
    - [`src/bash!7`](https://gitlab.example.com/src/bash/-/merge_requests/7) failed in 2 runs in a row: POST projects/7/fork: GitLab answered 500
    - [`src/new!3`](https://gitlab.example.com/src/new/-/merge_requests/3) has no place in dist-git: dist-git has no branch `c11s`

    | merge requests | |
    | --- | ---: |
    | in step with dist-git | 480 |
    | cannot be synced: see below | 2 |
    | failed | 2 |

    ### Failed in the last run, and tried again in the next

    - [`src/curl!1`](https://gitlab.example.com/src/curl/-/merge_requests/1): no connection to GitLab

    ### Cannot be synced: their authors were told

    - [`src/perl!2`](https://gitlab.example.com/src/perl/-/merge_requests/2): the merge request conflicts with its target branch

    ---

    The bot writes this text, and overwrites what others write here; comments stay. It opens this issue when something needs a person, and closes it when nothing does. Its note below says when it last looked.

    <!-- source-git-bot v1: status "production" -->
    "#);
}

#[test]
fn a_conflict_or_a_single_failure_needs_no_person() {
    let shards = [shard(&[
        ("src/perl!2", TroubleKind::Refused, "the merge request conflicts with its target branch", 9),
        ("src/curl!1", TroubleKind::Failed, "no connection to GitLab", 1),
    ])];
    assert!(!status(&shards).needs_a_person());
}

#[test]
fn a_token_needs_a_person_two_weeks_before_it_expires() {
    let with = |day: u32| {
        let token_expires = NaiveDate::from_ymd_opt(2026, 12, day);
        let instance_state = Some(InstanceState { asked: NOON, token_expires, hooks: None });
        status(&[ShardState { instance_state, ..shard(&[]) }]).needs_a_person()
    };
    assert!(with(1) && with(7) && with(20));
    assert!(!with(21));
}

#[test]
fn no_text_of_a_contributor_acts() {
    let why = "patch `a|b`\n/close\n@all <!-- x --> ![i](http://x) [l](http://x) Closes g/x#1 <b>";
    let shards = [shard(&[("src/a!1", TroubleKind::Failed, why, 2), ("x](http://y)!1", TroubleKind::Refused, "", 1)])];
    let text = status(&shards).description();
    assert!(text.lines().all(|line| !line.starts_with('/')), "{text}");
    for bad in ["@all", "<!-- x", "![i]", "[l](", "<b>", "Closes g/x#1"] {
        assert!(!text.contains(bad), "{bad} in {text}");
    }
    let is_of = |instance| is_of("Status of staging", &text, instance);
    assert!(is_of("production") && !is_of("staging"));
}

#[test]
fn says_how_many_more_there_are() {
    let names: Vec<_> = (0..53).map(|n| format!("src/p{n:02}!1")).collect();
    let of = |kind| names.iter().map(move |name| (name.as_str(), kind, "x", 2));
    let shards = [shard(&of(TroubleKind::Failed).collect::<Vec<_>>())];
    let text = status(&shards).description();
    assert!(text.starts_with("**53 things need a person:**"), "{text}");
    assert!(text.contains("\n- … and 3 more failed in several runs in a row\n") && !text.contains("src/p50"), "{text}");
    let shards = [shard(&of(TroubleKind::NoDistGit).collect::<Vec<_>>())];
    assert!(status(&shards).description().contains("\n- … and 3 more have no place in dist-git\n"));
}

#[test]
fn a_shard_that_does_not_finish_needs_a_person() {
    let other = |ran| ShardState { shard: (2, 2), ran, ..shard(&[]) };
    let own = ShardState { shard: (1, 2), ..shard(&[]) };
    let with = |ran, last_run| {
        let shards = [own.clone(), other(ran)];
        StatusIssueText { last_run, ..status(&shards) }.description()
    };
    let said = with(NOON - 8 * 3600, Some(NOON - 900));
    assert!(said.contains("- Job 2 of 2 has not finished since **2026-12-07 04:00 UTC**: see its last jobs"), "{said}");
    for (ran, last) in [(NOON - 5 * 3600, Some(NOON - 900)), (NOON - 86_400, Some(NOON - 86_000)), (0, None)] {
        assert!(with(ran, last).starts_with("**All is well:**"), "{ran} {last:?}");
    }
}

#[test]
fn several_shards_make_one_text() {
    let one = ShardState { shard: (1, 2), ..shard(&[("src/b!1", TroubleKind::NoDistGit, "x", 1)]) };
    let other = ShardState { shard: (2, 2), ..shard(&[("src/a!1", TroubleKind::NoDistGit, "x", 1)]) };
    let shards = [one, other];
    let text = status(&shards).description();
    assert!(text.contains("| in step with dist-git | 960 |") && text.contains("**2 things need a person:**"));
}

#[test]
fn reads_back_a_note_and_needs_no_new_one_for_an_hour() {
    let own = shard(&[("src/a!1", TroubleKind::Refused, "it --> <!-- conflicts", 1)]);
    assert_eq!(ShardState::read(&own.note()), Some(own.clone()));
    assert_eq!(ShardState::read(&own.note().replace("\"ran\"", "\"run\"")), None);
    let later = |seconds| ShardState { ran: NOON + seconds, ..own.clone() };
    assert!(!later(0).needs_writing(&own) && !later(3599).needs_writing(&own));
    assert!(later(3600).needs_writing(&own));
    assert!(ShardState { counts: MergeRequestCounts::default(), ..later(1) }.needs_writing(&own));
    let instance_state = Some(InstanceState { asked: NOON, token_expires: None, hooks: None });
    insta::assert_snapshot!(ShardState { cache: Cache::default(), instance_state, behind: Some(NOON), ..own }.note(), @r#"
    `reconcile` last ran at **2026-12-07 12:00 UTC**. While nothing changes, this is updated once an hour.

    A hidden part of this note remembers which merge requests are up to date. If the note is deleted, the next run takes longer and writes a new one.

    <!-- source-git-bot v1: memory {"shard":[1,1],"ran":1796644800,"behind":1796644800,"states":{"in_step":480,"dist_git_only":0,"source_git_only":500,"refused":0,"failed":0,"left":0},"surroundings":{"asked":1796644800,"token_expires":null,"hooks":null},"memory":[]} -->
    "#);
}

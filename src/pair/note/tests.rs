use crate::pair::facts::{Blocked, SourceNote, UpstreamChange};
use crate::pair::note::ci_results::tests as ci_results;
use crate::pair::note::*;
use crate::transform::report::{
    AppliedBySpec, FileChange, FileReport, MergeReport, PatchChange, PatchCommit, PatchReport, ProofReport,
    TransformReport, Upstream,
};
use crate::types::{Finding, MergeRequestIid, NoteId, PipelineId, Refusal, RepoPath, Subject, TreeId, UserId};

const COMMIT: CommitId = CommitId::from_bytes([0x1a; 20]);

fn path(text: &str) -> RepoPath {
    RepoPath::parse(text).unwrap()
}

fn patch(file: &str, change: PatchChange, subject: &str) -> PatchReport {
    let commits = vec![PatchCommit { id: CommitId::from_bytes([0x2b; 20]), subject: subject.into() }];
    let commits = if change == PatchChange::Dropped { Vec::new() } else { commits };
    PatchReport { file: file.to_owned(), change, number: None, commits }
}

fn report() -> TransformReport {
    TransformReport {
        package: Some("hello".to_owned()),
        source: COMMIT,
        upstream: Upstream { name: "v1.0".to_owned(), commit: CommitId::from_bytes([3; 20]) },
        patches: vec![
            patch("0001-Fix-the-parser.patch", PatchChange::Added, "Fix the `parser`"),
            patch("0002-Old.patch", PatchChange::Kept, "Old"),
            patch("0003-New-name.patch", PatchChange::Renamed { from: path("0002-New-name.patch") }, "New name"),
            patch("0004-Gone.patch", PatchChange::Dropped, ""),
        ],
        files: vec![FileReport { path: path("hello.spec"), change: FileChange::Changed }],
        merges: MergeReport::None,
        proof: ProofReport {
            patches: 3,
            tree: TreeId::from_bytes([4; 20]),
            verified: true,
            applied_by_spec: AppliedBySpec::Yes,
            outside: Vec::new(),
        },
        findings: Vec::new(),
    }
}

fn link() -> DistGitLink {
    DistGitLink {
        project: "redhat/centos-stream/rpms/hello".parse().unwrap(),
        merge_request: MergeRequestIid(5),
        url: "https://gitlab.com/redhat/centos-stream/rpms/hello/-/merge_requests/5".to_owned(),
    }
}

fn blocked(why: &Blocked, dist_git: DistGitState) -> NoteBody<'_> {
    NoteBody::Blocked { why, commit: COMMIT, dist_git }
}

fn render(body: NoteBody<'_>, dist_git: Option<&DistGitLink>) -> String {
    PairNote { commit: COMMIT, body, results: None, base: None, retest_hint: None }.render(dist_git)
}

#[test]
fn a_synced_merge_request_shows_where_it_is_and_what_changes() {
    let body = NoteBody::Synced { report: &report(), upstream: None, synced_with: SyncedWith::MergeRequest };
    insta::assert_snapshot!(render(body, Some(&link())), @r#"
    #### In dist-git: merge request [redhat/centos-stream/rpms/hello!5](https://gitlab.com/redhat/centos-stream/rpms/hello/-/merge_requests/5)

    The distribution builds and tests this package from another repository, called *dist-git*. A bot carries this merge request over to it, so you need not do anything there.

    The dist-git merge request holds this one up to commit `1a1a1a1a1a`, rebased onto its target branch.

    **3 patches change, 1 stays as it is:**

    - added: `0001-Fix-the-parser.patch`, from `2b2b2b2b2b` `Fix the 'parser'`
    - renamed: `0002-New-name.patch` to `0003-New-name.patch`, from `2b2b2b2b2b` `New name`
    - dropped: `0004-Gone.patch`

    **1 other file changes:**

    - changed: `hello.spec`

    **Verified:** 3 patches on `v1.0` give exactly the source that this merge request holds (tree `0404040404`). The upstream archive that the package is built from was not looked at.

    **What happens next:** dist-git's CI tests what you push here, and its results come to this note. When you edit title or description, dist-git follows. The package's maintainers review the change.

    <!-- source-git-bot v1: commands -->
    <details><summary>Commands</summary>

    Write one as a comment here, on a line of its own. The bot answers with a reaction.

    - `/dist-git retest`: run dist-git's CI again
    - `/dist-git sync`: bring dist-git and this note up to date
    - `/dist-git recreate`: rebuild the dist-git merge request, discarding what people pushed to its branch, and reopen it
    - `/dist-git help`: explain these commands

    Developers of this project, and higher roles, can use all of them; the author of this merge request can use `sync`.

    </details>

    <!-- source-git-bot v1: note {"commit":"1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a","merge_request":5} -->
    "#);
}

#[test]
fn a_changed_upstream_ref_and_dropped_patches_come_first() {
    let mut report = report();
    report.proof.verified = false;
    report.proof.applied_by_spec = AppliedBySpec::No;
    report.proof.outside = vec!["downstream.patch".to_owned()];
    report.merges = MergeReport::OnePatch { merges: 2, reason: "`a_b` does not apply @all".to_owned() };
    report.findings = vec![
        Finding::warning("the key `<actions>` is never run, says [x](y)")
            .about(Subject::File(path(".distro/source-git.yaml"))),
        Finding::problem("the patch holds binary changes")
            .about(Subject::Commit(COMMIT))
            .remedy("write `%autosetup -S git` in the spec file"),
    ];
    let change = UpstreamChange { from: "v0.9".to_owned(), to: "v1.0`**".to_owned() };
    let body = NoteBody::Synced { report: &report, upstream: Some(&change), synced_with: SyncedWith::MergeRequest };
    insta::assert_snapshot!(render(body, Some(&link())), @r#"
    #### In dist-git: merge request [redhat/centos-stream/rpms/hello!5](https://gitlab.com/redhat/centos-stream/rpms/hello/-/merge_requests/5)

    **This merge request changes `upstream_ref` from `v0.9` to `v1.0'**`. This drops one patch:**

    - **`0004-Gone.patch`**

    The distribution builds and tests this package from another repository, called *dist-git*. A bot carries this merge request over to it, so you need not do anything there.

    The dist-git merge request holds this one up to commit `1a1a1a1a1a`, rebased onto its target branch.

    **3 patches change, 1 stays as it is:**

    - added: `0001-Fix-the-parser.patch`, from `2b2b2b2b2b` `Fix the 'parser'`
    - renamed: `0002-New-name.patch` to `0003-New-name.patch`, from `2b2b2b2b2b` `New name`
    - dropped: `0004-Gone.patch`

    **1 other file changes:**

    - changed: `hello.spec`

    **Not verified:** 3 patches on `v1.0` give exactly the source that this merge request holds (tree `0404040404`) with git, but `%prep` in the spec file, as it is written, cannot apply all of them: see the problems below. The upstream archive that the package is built from was not looked at.

    **1 patch comes from no commit, so nothing was checked:**

    - `downstream.patch`

    The branch contains merge commits, so all of it became one patch (`a_b` does not apply @ all). Rebase the branch, without merge commits, to get one patch for each commit.

    **1 problem:**

    - commit `1a1a1a1a1a`: the patch holds binary changes. How to fix it: write `%autosetup -S git` in the spec file.

    **1 warning:**

    - `.distro/source-git.yaml`: the key `<actions>` is never run, says \[x\](y).

    **What happens next:** dist-git's CI tests what you push here, and its results come to this note. When you edit title or description, dist-git follows. The package's maintainers review the change.

    <!-- source-git-bot v1: commands -->
    <details><summary>Commands</summary>

    Write one as a comment here, on a line of its own. The bot answers with a reaction.

    - `/dist-git retest`: run dist-git's CI again
    - `/dist-git sync`: bring dist-git and this note up to date
    - `/dist-git recreate`: rebuild the dist-git merge request, discarding what people pushed to its branch, and reopen it
    - `/dist-git help`: explain these commands

    Developers of this project, and higher roles, can use all of them; the author of this merge request can use `sync`.

    </details>

    <!-- source-git-bot v1: note {"commit":"1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a","merge_request":5} -->
    "#);
}

#[test]
fn folds_and_cuts_long_lists() {
    let mut report = report();
    report.patches = (0..250).map(|n| patch(&format!("{n}.patch"), PatchChange::Added, "x")).collect();
    let note = render(
        NoteBody::Synced { report: &report, upstream: None, synced_with: SyncedWith::MergeRequest },
        Some(&link()),
    );
    assert!(note.contains("<details><summary>250 patches change</summary>\n\n- added: `0.patch`"), "{note}");
    assert!(note.contains("- … and 150 more\n\n</details>\n\n"), "{note}");
}

#[test]
fn explains_that_nothing_changes() {
    insta::assert_snapshot!(render(NoteBody::NothingToSync { report: &report() }, None), @r#"
    #### In dist-git: no merge request

    The distribution builds and tests this package from another repository, called *dist-git*. A bot carries this merge request over to it, so you need not do anything there.

    **Commit `1a1a1a1a1a` changes nothing in dist-git**: no patch and no file there would differ, so the bot opened no merge request.

    **What happens next:** nothing, until you push something that changes the package.

    <!-- source-git-bot v1: commands -->
    <details><summary>Commands</summary>

    Write one as a comment here, on a line of its own. The bot answers with a reaction.

    - `/dist-git retest`: run dist-git's CI again
    - `/dist-git sync`: bring dist-git and this note up to date
    - `/dist-git recreate`: rebuild the dist-git merge request, discarding what people pushed to its branch, and reopen it
    - `/dist-git help`: explain these commands

    Developers of this project, and higher roles, can use all of them; the author of this merge request can use `sync`.

    </details>

    <!-- source-git-bot v1: note {"commit":"1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a"} -->
    "#);
}

#[test]
fn explains_a_refusal_and_how_to_fix_it() {
    let refusal = Refusal::new("the patch `x` does not apply", "rebase the merge request onto its target branch")
        .about_file(&path("src/a|b`c.c"));
    insta::assert_snapshot!(render(blocked(&Blocked::Refused(refusal), DistGitState::Open), Some(&link())), @r#"
    #### In dist-git: merge request [redhat/centos-stream/rpms/hello!5](https://gitlab.com/redhat/centos-stream/rpms/hello/-/merge_requests/5)

    The distribution builds and tests this package from another repository, called *dist-git*. A bot carries this merge request over to it, so you need not do anything there.

    **Commit `1a1a1a1a1a` cannot be carried over:** `src/a|b'c.c`: the patch `x` does not apply.

    **How to fix it:** rebase the merge request onto its target branch.

    dist-git was left as it is: its merge request still holds an earlier state of this one. The bot tries again when this merge request changes.

    <!-- source-git-bot v1: commands -->
    <details><summary>Commands</summary>

    Write one as a comment here, on a line of its own. The bot answers with a reaction.

    - `/dist-git retest`: run dist-git's CI again
    - `/dist-git sync`: bring dist-git and this note up to date
    - `/dist-git recreate`: rebuild the dist-git merge request, discarding what people pushed to its branch, and reopen it
    - `/dist-git help`: explain these commands

    Developers of this project, and higher roles, can use all of them; the author of this merge request can use `sync`.

    </details>

    <!-- source-git-bot v1: note {"commit":"1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a","merge_request":5} -->
    "#);
}

#[test]
fn explains_what_is_missing_or_secret() {
    let project = link().project;
    let branch = "c10s".parse().unwrap();
    insta::assert_snapshot!(render(blocked(&Blocked::NoBranch { project: project.clone(), branch }, DistGitState::Nothing), None), @r#"
    #### In dist-git: no merge request

    The distribution builds and tests this package from another repository, called *dist-git*. A bot carries this merge request over to it, so you need not do anything there.

    **Commit `1a1a1a1a1a` cannot be carried over:** the dist-git project `redhat/centos-stream/rpms/hello` has no branch `c10s`.

    **How to fix it:** choose another target branch for this merge request, or ask the package's maintainers to create the branch in dist-git.

    dist-git was left as it is. The bot tries again when this merge request changes.

    <!-- source-git-bot v1: commands -->
    <details><summary>Commands</summary>

    Write one as a comment here, on a line of its own. The bot answers with a reaction.

    - `/dist-git retest`: run dist-git's CI again
    - `/dist-git sync`: bring dist-git and this note up to date
    - `/dist-git recreate`: rebuild the dist-git merge request, discarding what people pushed to its branch, and reopen it
    - `/dist-git help`: explain these commands

    Developers of this project, and higher roles, can use all of them; the author of this merge request can use `sync`.

    </details>

    <!-- source-git-bot v1: note {"commit":"1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a"} -->
    "#);
    insta::assert_snapshot!(render(blocked(&Blocked::NoProject { project }, DistGitState::Nothing), None), @r#"
    #### In dist-git: no merge request

    The distribution builds and tests this package from another repository, called *dist-git*. A bot carries this merge request over to it, so you need not do anything there.

    **Commit `1a1a1a1a1a` cannot be carried over:** there is no dist-git project `redhat/centos-stream/rpms/hello` that the bot can see.

    **How to fix it:** ask the package's maintainers whether this package is meant to be kept in source-git.

    dist-git was left as it is. The bot tries again when this merge request changes.

    <!-- source-git-bot v1: commands -->
    <details><summary>Commands</summary>

    Write one as a comment here, on a line of its own. The bot answers with a reaction.

    - `/dist-git retest`: run dist-git's CI again
    - `/dist-git sync`: bring dist-git and this note up to date
    - `/dist-git recreate`: rebuild the dist-git merge request, discarding what people pushed to its branch, and reopen it
    - `/dist-git help`: explain these commands

    Developers of this project, and higher roles, can use all of them; the author of this merge request can use `sync`.

    </details>

    <!-- source-git-bot v1: note {"commit":"1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a"} -->
    "#);
    insta::assert_snapshot!(render(blocked(&Blocked::LessVisible, DistGitState::Nothing), None), @r#"
    #### In dist-git: no merge request

    The distribution builds and tests this package from another repository, called *dist-git*. A bot carries this merge request over to it, so you need not do anything there.

    **Commit `1a1a1a1a1a` cannot be carried over:** fewer people may see this merge request than would see it in dist-git.

    **How to fix it:** if it holds nothing secret, make this project and the fork that the merge request comes from as visible as dist-git; else bring the change to dist-git in the way that is meant for embargoed fixes.

    dist-git was left as it is. The bot tries again when this merge request changes.

    <!-- source-git-bot v1: commands -->
    <details><summary>Commands</summary>

    Write one as a comment here, on a line of its own. The bot answers with a reaction.

    - `/dist-git retest`: run dist-git's CI again
    - `/dist-git sync`: bring dist-git and this note up to date
    - `/dist-git recreate`: rebuild the dist-git merge request, discarding what people pushed to its branch, and reopen it
    - `/dist-git help`: explain these commands

    Developers of this project, and higher roles, can use all of them; the author of this merge request can use `sync`.

    </details>

    <!-- source-git-bot v1: note {"commit":"1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a"} -->
    "#);
}

#[test]
fn says_what_people_did_in_dist_git() {
    let branch = "c9s-src-7".parse().unwrap();
    insta::assert_snapshot!(render(NoteBody::PersonPushed { branch }, Some(&link())), @r#"
    #### In dist-git: merge request [redhat/centos-stream/rpms/hello!5](https://gitlab.com/redhat/centos-stream/rpms/hello/-/merge_requests/5)

    The distribution builds and tests this package from another repository, called *dist-git*. A bot carries this merge request over to it, so you need not do anything there.

    **Somebody pushed to the bot's branch `c9s-src-7` in dist-git.** So as not to overwrite that work, the bot no longer updates it, and what dist-git tests is no longer exactly this merge request.

    **How to fix it:** bring what was pushed there into this merge request. Then a Developer of this project can have the bot rebuild its branch, with the comment `/dist-git recreate` here; or whoever pushed there removes it from that branch again.

    <!-- source-git-bot v1: commands -->
    <details><summary>Commands</summary>

    Write one as a comment here, on a line of its own. The bot answers with a reaction.

    - `/dist-git retest`: run dist-git's CI again
    - `/dist-git sync`: bring dist-git and this note up to date
    - `/dist-git recreate`: rebuild the dist-git merge request, discarding what people pushed to its branch, and reopen it
    - `/dist-git help`: explain these commands

    Developers of this project, and higher roles, can use all of them; the author of this merge request can use `sync`.

    </details>

    <!-- source-git-bot v1: note {"commit":"1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a","merge_request":5} -->
    "#);
    insta::assert_snapshot!(render(NoteBody::Closed, Some(&link())), @r#"
    #### In dist-git: merge request [redhat/centos-stream/rpms/hello!5](https://gitlab.com/redhat/centos-stream/rpms/hello/-/merge_requests/5)

    The distribution builds and tests this package from another repository, called *dist-git*. A bot carries this merge request over to it, so you need not do anything there.

    **The dist-git merge request was closed there**, so the bot no longer updates it. Whoever closed it may have said why: see its comments. If this change is still wanted, a Developer of this project can have it opened again with the comment `/dist-git recreate` here.

    <!-- source-git-bot v1: commands -->
    <details><summary>Commands</summary>

    Write one as a comment here, on a line of its own. The bot answers with a reaction.

    - `/dist-git retest`: run dist-git's CI again
    - `/dist-git sync`: bring dist-git and this note up to date
    - `/dist-git recreate`: rebuild the dist-git merge request, discarding what people pushed to its branch, and reopen it
    - `/dist-git help`: explain these commands

    Developers of this project, and higher roles, can use all of them; the author of this merge request can use `sync`.

    </details>

    <!-- source-git-bot v1: note {"commit":"1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a","merge_request":5} -->
    "#);
    for (body, words) in [
        (NoteBody::SourceClosed, "was closed, and the dist-git merge request with it"),
        (NoteBody::KeptOpen, "the dist-git merge request was opened again there"),
        (NoteBody::NotHandled { target: "c10s".parse().unwrap() }, "for the branch `c10s` now"),
    ] {
        let note = render(body, Some(&link()));
        assert!(note.contains(words), "{note}");
    }
    insta::assert_snapshot!(render(NoteBody::Merged, Some(&link())), @r#"
    #### In dist-git: merge request [redhat/centos-stream/rpms/hello!5](https://gitlab.com/redhat/centos-stream/rpms/hello/-/merge_requests/5)

    The distribution builds and tests this package from another repository, called *dist-git*. A bot carries this merge request over to it, so you need not do anything there.

    **The dist-git merge request was merged**: the package has this change as it stood then. What is pushed here from now on does not get there; open a new merge request for it.

    <!-- source-git-bot v1: commands -->
    <details><summary>Commands</summary>

    Write one as a comment here, on a line of its own. The bot answers with a reaction.

    - `/dist-git retest`: run dist-git's CI again
    - `/dist-git sync`: bring dist-git and this note up to date
    - `/dist-git recreate`: rebuild the dist-git merge request, discarding what people pushed to its branch, and reopen it
    - `/dist-git help`: explain these commands

    Developers of this project, and higher roles, can use all of them; the author of this merge request can use `sync`.

    </details>

    <!-- source-git-bot v1: note {"commit":"1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a","merge_request":5} -->
    "#);
}

#[test]
fn reads_back_the_hidden_state() {
    let note = render(NoteBody::Closed, Some(&link()));
    let state = NoteState { commit: COMMIT, merge_request: Some(MergeRequestIid(5)), base: None };
    assert_eq!(markers::read_note(&note), Some(state));
    assert_eq!(markers::read_note("a comment of somebody"), None);
}

#[test]
fn ignores_what_gitlab_changes_in_a_text() {
    let note = render(NoteBody::Merged, Some(&link()));
    assert!(same(&note, &note.replace("\n\n", "\r\n\r\n")));
    assert!(same(&note, &format!("{note} \n\n")));
    assert!(!same(&note, &format!("{note}x")));
}

#[test]
fn keeps_results_and_accepts_others() {
    let first = CiSection::of(&ci_results::some_results(), None);
    let second = CiSection::of(&ci_results::results(Vec::new()), None);
    let (head, next) = (ci_results::commit('a'), ci_results::commit('b'));
    let note =
        PairNote { commit: head, body: NoteBody::Closed, results: None, base: None, retest_hint: None }.render(None);
    let with = first.replace_in(&note, &head);
    assert_eq!(CiSection::read(&with).unwrap(), first);
    assert_eq!(markers::read_note(&with), markers::read_note(&note));
    let replaced = second.replace_in(&with, &next);
    assert_eq!(CiSection::read(&replaced).unwrap(), second);
    assert_eq!(first.replace_in(&replaced, &head), with);
    // GitLab's forms send notes back with other line ends.
    let edited = with.replace('\n', "\r\n");
    assert_eq!(CiSection::read(&edited).unwrap(), first);
}

/// A note on a merge request that cannot be synced.
fn with_hint(retest_hint: Option<RetestHint>) -> PairNote<'static> {
    let body = blocked(&Blocked::LessVisible, DistGitState::Open);
    PairNote { commit: COMMIT, base: None, body, results: None, retest_hint }
}

#[test]
fn a_retest_hint_is_where_the_note_puts_it_and_leaves_no_trace() {
    let without = with_hint(None).render(Some(&link()));
    let hint = RetestHint::new(&without, &link(), "").unwrap();
    let with = hint.replace_in(&without);
    assert_eq!(with, with_hint(Some(hint.clone())).render(Some(&link())));
    assert_eq!(RetestHint::read(&with.replace('\n', "\r\n")), Some(hint.clone()));
    assert_eq!(hint.replace_in(&with), with);
    assert_eq!(RetestHint::removed_from(&with).unwrap(), without);
    assert_eq!(RetestHint::removed_from(&without), None);
    // CI results that come later go to their usual place.
    let results = CiSection::waiting(COMMIT);
    let later = results.replace_in(&with, &COMMIT);
    let expected = PairNote { results: Some(results), ..with_hint(Some(hint)) };
    assert_eq!(later, expected.render(Some(&link())));
}

#[test]
fn a_retest_hint_goes_with_the_next_commit_or_pipeline() {
    let body = with_hint(None).render(Some(&link()));
    let hint = RetestHint::new(&body, &link(), "").unwrap();
    let there = SourceNote { id: NoteId(1), author: UserId(1), body: hint.replace_in(&body) };
    let report = report();
    let synced = NoteBody::Synced { report: &report, upstream: None, synced_with: SyncedWith::MergeRequest };
    let waiting = CiSection::waiting(COMMIT);
    assert_eq!(RetestHint::kept(&[&there], &synced, COMMIT, Some(&waiting)), Some(hint));
    let mut tested = waiting.clone();
    tested.state.pipeline = Some(PipelineId(7));
    assert_eq!(RetestHint::kept(&[&there], &synced, COMMIT, Some(&tested)), None);
    let next = CommitId::from_bytes([2; 20]);
    assert_eq!(RetestHint::kept(&[&there], &synced, next, Some(&waiting)), None);
    assert_eq!(RetestHint::kept(&[&there], &NoteBody::Closed, COMMIT, Some(&waiting)), None);
}

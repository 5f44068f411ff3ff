//! `sync --dry-run`: the whole plan, and nothing written.

use crate::support::world::{FORK, SOURCE, World};

#[test]
fn a_dry_run_shows_everything_and_writes_nothing() {
    let (world, iid) = World::with_merge_request();
    let run = world.sync(iid, &["--dry-run"]);
    run.ends_with(0);
    assert_eq!(world.attempts(), [""; 0]);
    assert_eq!(world.written(), [""; 0]);
    assert!(world.sandbox.inspect(|model| model.project("bot/hello").is_none()));
    let head = world.sandbox.tip(FORK, "fix").unwrap();
    let shown = run.stdout.replace(&world.sandbox.url(), "https://gitlab").replace(&head, "<head>");
    let shown = shown.replace(&head[..12], "<hea>").replace(&head[..10], "<hea>");
    let shown = shown.replace(&world.sandbox.tip(SOURCE, "c9s").unwrap(), "<base>");
    insta::assert_snapshot!(shown, @r##"
    hello: source-git commit <hea> on v1.0

    patches
      added    0001-Return-success.patch  <hea> Return success

    files
      changed  hello.spec

    --- a/hello.spec
    +++ b/hello.spec
    @@ -4,6 +4,10 @@
     Summary:        Says hello
     License:        MIT
     Source0:        hello-%{version}.tar.gz
    +# Return success
    +#
    +# Callers need it.
    +Patch0001:      0001-Return-success.patch
     
     %description
     It says hello.

    verified: 1 patch on v1.0 gives tree 612dd15b6f
      (of the upstream commit; what the archive in Source0 holds was not looked at)

    would make bot/hello, a fork of rpms/hello
    would push the branch c9s-src-1 to bot/hello, which is not there
      | Return success
      |
      | Callers need it.
      |
      | Resolves: bz#123456
      |
      | Co-authored-by: Sandbox <sandbox@example.com>
      | From-source-git-commit: <head>
    would open a dist-git merge request from c9s-src-1 into c9s, labelled source-git
      | Return success
      |
      | Callers need it.
      |
      | Resolves: bz#123456
      |
      | <!-- source-git-bot v1: begin -->
      | ---
      | ###### Information for the package maintainer
      |
      | A bot made this merge request from the source-git merge request [src/hello!1](https://gitlab/src/hello/-/merge_requests/1), and pushes to it again whenever that one changes. Comments on the change itself reach its author there.
      |
      | Title and description are copied from there and follow it until you edit them here: what you change, or write outside of this section, stays as you left it. Commits that you push to the branch of this merge request are not overwritten, but the bot then stops updating it.
      | <!-- source-git-bot v1: record {"project":1010,"path":"src/hello","merge_request":1,"title":"Return success","copied":{"bytes":37,"hash":"d2059e8f028c799f"}} -->
      | <!-- source-git-bot v1: end -->
    would write a note on the merge request
      | #### In dist-git: no merge request
      |
      | The distribution builds and tests this package from another repository, called *dist-git*. A bot carries this merge request over to it, so you need not do anything there.
      |
      | <!-- source-git-bot v1: ci begin -->
      | **dist-git CI:** has not started yet for commit `<hea>`.
      |
      | <!-- source-git-bot v1: results {"commit":"<head>"} -->
      | <!-- source-git-bot v1: ci end -->
      |
      | The dist-git merge request holds this one up to commit `<hea>`, rebased onto its target branch.
      |
      | **1 patch changes:**
      |
      | - added: `0001-Return-success.patch`, from `<hea>` `Return success`
      |
      | **1 other file changes:**
      |
      | - changed: `hello.spec`
      |
      | **Verified:** 1 patch on `v1.0` gives exactly the source that this merge request holds (tree `612dd15b6f`). The upstream archive that the package is built from was not looked at.
      |
      | **What happens next:** dist-git's CI tests what you push here, and its results come to this note. When you edit title or description, dist-git follows. The package's maintainers review the change.
      |
      | <!-- source-git-bot v1: commands -->
      | <details><summary>Commands</summary>
      |
      | Write one as a comment here, on a line of its own. The bot answers with a reaction.
      |
      | - `/dist-git retest`: run dist-git's CI again
      | - `/dist-git sync`: bring dist-git and this note up to date
      | - `/dist-git recreate`: rebuild the dist-git merge request, discarding what people pushed to its branch, and reopen it
      | - `/dist-git help`: explain these commands
      |
      | Developers of this project, and higher roles, can use all of them; the author of this merge request can use `sync`.
      |
      | </details>
      |
      | <!-- source-git-bot v1: note {"commit":"<head>","base":"<base>"} -->
    (once the dist-git merge request is open, the note links to it)
    "##);
}

#[test]
fn a_dry_run_as_data_says_the_same() {
    let (world, iid) = World::with_merge_request();
    let run = world.sync(iid, &["--dry-run", "--output", "json"]);
    run.ends_with(0);
    assert_eq!(world.written(), [""; 0]);
    let plan = run.json();
    assert_eq!(plan["can_be_synced"], true);
    let steps: Vec<_> = plan["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["create_fork", "push_branch", "open_merge_request", "create_note"]);
    assert_eq!(plan["report"]["patches"][0]["file"], "0001-Return-success.patch");

    world.sandbox.commit(SOURCE, "c9s", "Return two", &[("hello.c", Some("int main(void)\n{\n    return 2;\n}\n"))]);
    let run = world.sync(iid, &["--dry-run", "--output", "json"]);
    run.ends_with(3);
    let plan = run.json();
    assert_eq!(plan["can_be_synced"], false);
    assert_eq!(plan["steps"].as_array().unwrap().len(), 1, "{plan:#}");
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn a_dry_run_of_an_update_shows_what_differs() {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    let old = world.sandbox.tip(FORK, "fix").unwrap();
    let new = world.change("Say more", &[("MORE", Some("More.\n"))]);
    world.sandbox.set_title(SOURCE, iid, "contributor", "Return zero");
    let run = world.sync(iid, &["--dry-run"]);
    run.ends_with(0);
    assert_eq!(world.written(), [""; 0]);
    let (_, steps) = run.stdout.split_once("\nwould push").unwrap();
    let tip = world.sandbox.tip("bot/hello", &format!("c9s-src-{iid}")).unwrap();
    let mut shown = format!("would push{steps}").replace(&world.sandbox.url(), "https://gitlab");
    let base = world.sandbox.tip(SOURCE, "c9s").unwrap();
    for (commit, name) in [(&old, "<old>"), (&new, "<new>"), (&tip, "<tip>"), (&base, "<base>")] {
        shown = shown.replace(commit, name).replace(&commit[..10], name);
    }
    insta::assert_snapshot!(shown, @r##"
    would push the branch c9s-src-1 to bot/hello, now at <tip>
      | @@ -1,2 +1,2 @@
      | -Return success
      | +Return zero
      |
      | @@ -7,2 +7,2 @@
      |  Co-authored-by: Sandbox <sandbox@example.com>
      | -From-source-git-commit: <old>
      | +From-source-git-commit: <new>
    would edit the dist-git merge request !1
      | @@ -1 +1 @@
      | -Return success
      | +Return zero
      | @@ -11,3 +11,3 @@
      |  Title and description are copied from there and follow it until you edit them here: what you change, or write outside of this section, stays as you left it. Commits that you push to the branch of this merge request are not overwritten, but the bot then stops updating it.
      | -<!-- source-git-bot v1: record {"project":1010,"path":"src/hello","merge_request":1,"title":"Return success","copied":{"bytes":37,"hash":"d2059e8f028c799f"}} -->
      | +<!-- source-git-bot v1: record {"project":1010,"path":"src/hello","merge_request":1,"note":1020,"title":"Return zero","copied":{"bytes":37,"hash":"d2059e8f028c799f"}} -->
      |  <!-- source-git-bot v1: end -->
    would edit the note 1020
      | @@ -5,12 +5,13 @@
      |  <!-- source-git-bot v1: ci begin -->
      | -**dist-git CI:** has not started yet for commit `<old>`.
      | +**dist-git CI:** has not started yet for commit `<new>`.
      |
      | -<!-- source-git-bot v1: results {"commit":"<old>"} -->
      | +<!-- source-git-bot v1: results {"commit":"<new>"} -->
      |  <!-- source-git-bot v1: ci end -->
      |
      | -The dist-git merge request holds this one up to commit `<old>`, rebased onto its target branch.
      | +The dist-git merge request holds this one up to commit `<new>`, rebased onto its target branch.
      |
      | -**1 patch changes:**
      | +**2 patches change:**
      |
      |  - added: `0001-Return-success.patch`, from `<old>` `Return success`
      | +- added: `0002-Say-more.patch`, from `<new>` `Say more`
      |
      | @@ -20,3 +21,3 @@
      |
      | -**Verified:** 1 patch on `v1.0` gives exactly the source that this merge request holds (tree `612dd15b6f`). The upstream archive that the package is built from was not looked at.
      | +**Verified:** 2 patches on `v1.0` give exactly the source that this merge request holds (tree `8d25dcf467`). The upstream archive that the package is built from was not looked at.
      |
      | @@ -38,2 +39,2 @@
      |
      | -<!-- source-git-bot v1: note {"commit":"<old>","merge_request":1,"base":"<base>"} -->
      | +<!-- source-git-bot v1: note {"commit":"<new>","merge_request":1,"base":"<base>"} -->
    "##);
}

#[test]
fn what_is_printed_shows_no_secret_of_the_job() {
    let (world, iid) = World::with_merge_request();
    let secret = "an-operator-token-in-a-title";
    world.sandbox.set_title(SOURCE, iid, "contributor", &format!("Return {secret}"));
    let mut command = world.program();
    let name = format!("{SOURCE}!{iid}");
    command.args(["sync", "--dry-run", "--merge-request", &name]).env("SGB_OPERATOR_TOKEN", secret);
    let run = world.run(&mut command);
    run.ends_with(0);
    assert!(run.stdout.contains("Return [MASKED]") && !run.stdout.contains(secret), "{}", run.stdout);
}

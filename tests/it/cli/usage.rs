//! The command line: help as people see it, and what is no usage.

use insta::assert_snapshot;

use crate::support::{Clones, Run};

#[test]
fn bad_usage_ends_with_2_and_help_with_0() {
    let clones = Clones::new();
    for arguments in [&["update-dist-git"][..], &["frobnicate"], &["update-dist-git", "a", "b", "-m", "x", "-F", "y"]] {
        Run::of(clones.program().args(arguments)).ends_with(2);
    }
    let run = clones.update(&["-m", " \n"]);
    run.ends_with(2);
    assert_eq!(run.stderr, "error: the commit message is empty\nhint: say what changes and why\n");
    let run = Run::of(clones.program().arg("--help"));
    run.ends_with(0);
    assert_snapshot!(run.stdout, @r##"
    Keeps source-git and dist-git repositories of RPM distributions in step

    Usage: source-git-bot [OPTIONS] <COMMAND>

    Commands:
      sync             Open or update the dist-git merge request of a source-git merge request
      report           Bring dist-git's CI results to the source-git merge request
      event            Handle an event from a webhook or a job: sync or report what it names
      reconcile        Look at every merge request of the instance, and bring up to date what is behind
      retest           Start a new pipeline for the dist-git merge request of a source-git merge request
      recreate         Rebuild a dist-git merge request, discarding what people pushed to its branch
      doctor           Check whether an instance is set up right, and say what to do where it is not
      notify           From a job, ask the bot project to look at the job's pipeline or merge request
      onboard          Put a package under the instance's care: projects, the bot's fork, webhooks
      update-dist-git  Turn a source-git clone's commit into patches, spec and files of a dist-git clone
      webhook-token    Make the token that webhooks of a namespace or project carry, or check one
      config           Show the settings of an instance and where each comes from, or check them
      completions      Print the completions for a shell

    Options:
          --dry-run
              Show what would be done, and do nothing

          --instance <NAME|FILE>
              The instance to work for: `production`, `staging`, `centos-stream-staging`, or a file that
              extends one

          --output <FORMAT>
              How to show what was done

              Possible values:
              - text: For people
              - json: As data; docs/json-output.md describes the format
              
              [default: text]

      -v, --verbose...
              Say more about what is done; given twice, also name every git command

      -q, --quiet
              Say nothing but errors

          --color <WHEN>
              When to use colours

              Possible values:
              - auto:   On a terminal, unless the variable `NO_COLOR` is set
              - always: Always
              - never:  Never
              
              [default: auto]

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Exit status: 0 done, or nothing to do; 1 failed; 2 bad usage or configuration; 3 the input cannot be
    synced, and the message says why; 4 no credentials here; 5 GitLab unreachable or overloaded.
    "##);
    let run = Run::of(clones.program().args(["update-dist-git", "--help"]));
    run.ends_with(0);
    assert_snapshot!(run.stdout, @r##"
    Turn a source-git clone's commit into patches, spec and files of a dist-git clone

    Usage: source-git-bot update-dist-git [OPTIONS] <SOURCE_GIT> <DIST_GIT>

    Arguments:
      <SOURCE_GIT>
              The source-git clone; the commit that is checked out is read, never the work tree

      <DIST_GIT>
              The dist-git clone; its work tree and index are written

    Options:
      -m, --message <MESSAGE>
              Commit the result with this message

      -F, --file <FILE>
              Commit the result with the message in this file (`-` for standard input)

          --upstream-ref <REF>
              The tag, branch or commit that the downstream commits sit on, instead of the one in
              source-git.yaml

          --patch-comments <WHAT>
              What to write above each new patch in the spec

              Possible values:
              - none:    Nothing but a `Patch-status`
              - subject: The first line of the commit message
              - message: The commit message without its trailers
              
              [default: message]

      -f, --force
              Accepted for packit's sake; changes nothing

          --dry-run
              Show what would be done, and do nothing

          --instance <NAME|FILE>
              The instance to work for: `production`, `staging`, `centos-stream-staging`, or a file that
              extends one

          --output <FORMAT>
              How to show what was done

              Possible values:
              - text: For people
              - json: As data; docs/json-output.md describes the format
              
              [default: text]

      -v, --verbose...
              Say more about what is done; given twice, also name every git command

      -q, --quiet
              Say nothing but errors

          --color <WHEN>
              When to use colours

              Possible values:
              - auto:   On a terminal, unless the variable `NO_COLOR` is set
              - always: Always
              - never:  Never
              
              [default: auto]

      -h, --help
              Print help (see a summary with '-h')

    The commit gets the trailer `From-source-git-commit` with the source-git commit's id. Without -m or
    -F nothing is committed. Files with uncommitted changes are never overwritten.
    "##);
}

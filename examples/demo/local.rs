//! A packager's day without GitLab: `update-dist-git` on local clones.

use anyhow::Result;
use source_git_bot::cli::exit::ExitStatus;
use source_git_bot::cli::terminal::Paint;

use crate::package::{self, BRANCH, GREETING, SUCCESS};
use crate::program::Program;
use crate::stage::Stage;

/// Tells the story.
pub(crate) fn tell(stage: &Stage, program: &Program) -> Result<()> {
    let story = Story { stage, program };
    story.make_repositories()?;
    story.dry_run()?;
    story.update()?;
    story.apply_by_hand()?;
    story.nothing_to_do()?;
    story.new_upstream()?;
    story.problem()?;
    story.mistake()
}

struct Story<'a> {
    stage: &'a Stage,
    program: &'a Program,
}

impl Story<'_> {
    fn make_repositories(&self) -> Result<()> {
        let stage = self.stage;
        stage.heading("Upstream: a git repository with a tag for each release");
        package::make_upstream(stage)?;
        stage.shown("upstream", &["log", "--oneline", "--decorate"])?;

        stage.heading("source-git: upstream's history, the packaging in .distro, and downstream changes as commits");
        package::make_source_git(stage)?;
        stage.write("source-git/.distro/gating.yaml", "--- !Policy\nproduct_versions: [rhel-10]\n")?;
        stage.commit("source-git", "Add gating")?;
        stage.edit("source-git/hello.c", SUCCESS)?;
        stage.commit(
            "source-git",
            "Return success\n\n100% of the callers test the exit status.\n\nPatch-name: exit-status.patch",
        )?;
        stage.edit("source-git/hello.c", GREETING)?;
        stage.commit("source-git", "Greet whoever is named")?;
        stage.shown("source-git", &["log", "--stat", "--format=%h %s", &format!("v1.0..{BRANCH}")])?;

        stage.heading("dist-git: the spec, and the name of upstream's archive in the lookaside cache");
        package::make_dist_git(stage)?;
        stage.shown("dist-git", &["ls-files"])
    }

    fn dry_run(&self) -> Result<()> {
        self.stage.heading("What would change?");
        self.run(&["update-dist-git", "source-git", "dist-git", "--dry-run"], ExitStatus::Done)?;
        self.stage.check("a dry run writes nothing", self.dist_git_is_clean()?)
    }

    fn update(&self) -> Result<()> {
        let stage = self.stage;
        stage.heading("Do it, and commit");
        self.update_dist_git("Return success and greet by name")?;
        stage.shown("dist-git", &["show", "--stat", "--format=%an <%ae>%n%n%B"])?;
        println!("\nhello.spec:\n");
        let spec = stage.read("dist-git/hello.spec")?;
        for line in spec.lines().skip_while(|line| !line.starts_with("Source0")).take_while(|line| !line.is_empty()) {
            println!("    {line}");
        }
        let named = "# 100%% of the callers test the exit status.\nPatch0001:      exit-status.patch\n";
        stage.check("the spec names the patch below its comment", spec.contains(named))
    }

    fn apply_by_hand(&self) -> Result<()> {
        let stage = self.stage;
        stage.heading("`verified` means: the patches on the upstream ref give the source tree; once more by hand");
        stage.shown("source-git", &["worktree", "add", "-q", "--detach", "../by-hand", "v1.0"])?;
        let patches = ["../dist-git/exit-status.patch", "../dist-git/0002-Greet-whoever-is-named.patch"];
        stage.shown("by-hand", &[&["am"], &patches[..]].concat())?;
        stage.shown("by-hand", &["diff", "--stat", "HEAD", BRANCH])?;
        let left = stage.quiet("by-hand", &["diff", "--name-only", "HEAD", BRANCH, "--", ".", ":(exclude).distro"])?;
        stage.check("nothing but the packaging differs", left.is_empty())?;
        stage.quiet("source-git", &["worktree", "remove", "../by-hand"]).map(drop)
    }

    fn nothing_to_do(&self) -> Result<()> {
        self.stage.heading("Again: nothing to do, no commit");
        let head = self.stage.quiet("dist-git", &["rev-parse", "HEAD"])?;
        self.update_dist_git("Again")?;
        self.stage.check("nothing is committed", self.stage.quiet("dist-git", &["rev-parse", "HEAD"])? == head)
    }

    fn new_upstream(&self) -> Result<()> {
        let stage = self.stage;
        stage.heading("Upstream releases 1.1 with one of the changes; source-git is rebased");
        stage.edit("upstream/hello.c", SUCCESS)?;
        stage.commit("upstream", "Return success")?;
        stage.quiet("upstream", &["tag", "v1.1"])?;
        stage.quiet("source-git", &["fetch", "-q", "--tags", "origin"])?;
        stage.shown("source-git", &["rebase", "-q", "--onto", "v1.1", "v1.0"])?;
        stage.edit("source-git/.distro/hello.spec", ("Version:        1.0", "Version:        1.1"))?;
        stage.edit("source-git/.distro/source-git.yaml", ("v1.0", "v1.1"))?;
        stage.commit("source-git", "Rebase to 1.1")?;
        let range = format!("v1.0..{BRANCH}");
        stage.shown("source-git", &["log", "--format=%h %s%d", "--decorate-refs=refs/tags", &range])?;
        let old = stage.read("dist-git/0002-Greet-whoever-is-named.patch")?;
        self.update_dist_git("Update to 1.1")?;
        stage.shown("dist-git", &["show", "--stat", "--format=%s"])?;
        let new = stage.read("dist-git/0001-Greet-whoever-is-named.patch")?;
        stage.check("the patch that moves keeps its bytes", old == new)?;
        stage.check("the patch that upstream took goes", !stage.path("dist-git/exit-status.patch").exists())
    }

    fn problem(&self) -> Result<()> {
        let stage = self.stage;
        stage.heading("A problem: the package would not build; the report says so, and what to change");
        stage.write("source-git/logo.png", [&b"\x89PNG\r\n\x1a\n"[..], &[0; 40]].concat())?;
        stage.commit("source-git", "Add a logo")?;
        self.run(&["update-dist-git", "source-git", "dist-git"], ExitStatus::Done)?;
        stage.quiet("dist-git", &["reset", "-q", "--hard"])?;
        stage.quiet("source-git", &["reset", "-q", "--hard", "HEAD~1"]).map(drop)
    }

    fn mistake(&self) -> Result<()> {
        let stage = self.stage;
        stage.heading("A mistake: nothing is written, and the error names the commit and the remedy");
        stage.edit("source-git/README", ("says hello", "says hello to you"))?;
        stage.commit("source-git", "Reword the README\n\nPatch-name: ../../x.patch")?;
        stage.shown("source-git", &["show", "--no-patch", "--format=%h%n%n%B"])?;
        self.run(&["update-dist-git", "source-git", "dist-git"], ExitStatus::CannotBeSynced)?;
        stage.check("nothing is written", self.dist_git_is_clean()?)
    }

    fn update_dist_git(&self, message: &str) -> Result<()> {
        self.run(&["update-dist-git", "source-git", "dist-git", "-m", message], ExitStatus::Done)?;
        self.stage.check("everything is committed", self.dist_git_is_clean()?)
    }

    fn dist_git_is_clean(&self) -> Result<bool> {
        Ok(self.stage.quiet("dist-git", &["status", "--porcelain"])?.is_empty())
    }

    /// Runs the program where the clones are, shows what it says, and checks how it ends.
    fn run(&self, arguments: &[&str], expected: ExitStatus) -> Result<()> {
        self.stage.command("source-git-bot", arguments);
        let color = match self.stage.paint {
            Paint::Plain => "--color=never",
            Paint::Colored => "--color=always",
        };
        let variables = self.stage.surroundings();
        let ended = self.program.run(&self.stage.path("."), &[arguments, &[color]].concat(), &variables)?;
        print!("{}{}", ended.stderr, ended.stdout);
        if expected != ExitStatus::Done {
            println!("(exit status {})", expected as u8);
        }
        self.stage.check("the program ends as it should", ended.status == Some(i32::from(expected as u8)))
    }
}

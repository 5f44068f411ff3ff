use proptest::prelude::*;

use crate::pair::slash_command::own_lines::OwnLines;
use crate::pair::slash_command::*;

const RETEST: Option<SlashRequest> = Some(SlashRequest::Command(SlashCommand::Retest));

#[test]
fn ignores_case_and_white_space() {
    for text in [
        "/dist-git retest",
        "/DIST-GIT   Retest ",
        "   /Dist-Git\tRETEST\t\t",
        "/dist-git\u{a0}retest",
        "\n\n/dist-git retest\r\n",
        "Please:\n/dist-git retest\nThank you.",
        "It failed again.\n\n/dist-git retest\n\n/dist-git recreate",
        "Old Mac\r/dist-git retest\r",
        "- it failed\n\n/dist-git retest",
    ] {
        assert_eq!(parse(text), RETEST, "{text:?}");
    }
    for (text, command) in [
        ("/dist-git sync", SlashCommand::Sync),
        ("/dist-git recreate", SlashCommand::Recreate),
        ("/dist-git help", SlashCommand::Help),
        ("/dist-git", SlashCommand::Help),
        ("/dist-git ", SlashCommand::Help),
    ] {
        assert_eq!(parse(text), Some(SlashRequest::Command(command)), "{text:?}");
    }
}

#[test]
fn does_not_guess_at_other_words() {
    for text in [
        "/dist-git rebuild",
        "/dist-git retest.",
        "/dist-git retest please",
        "/dist-git recreate would be wrong here",
        "/dist-git retest recreate",
        "/dist-git ../../etc",
        "/dist-git $(retest)",
        "/dist-git re\u{200b}test",
        "/dist-git unknown\n/dist-git retest",
    ] {
        assert_eq!(parse(text), Some(SlashRequest::Unknown), "{text:?}");
    }
}

#[test]
fn ignores_lines_that_begin_otherwise() {
    for text in [
        "",
        "retest",
        "/retest",
        "/dist-gitretest",
        "/dist-git-retest",
        "/dist-git: retest",
        "dist-git retest",
        "Try /dist-git retest",
        "- /dist-git retest",
        "# /dist-git retest",
        "| /dist-git retest |",
        "**/dist-git retest**",
        "\\/dist-git retest",
        "/ dist-git retest",
        "\u{200b}/dist-git retest",
        "/dıst-git retest",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}

/// CommonMark 0.31 and GitLab show these lines as code or as a quotation, or do not show them.
#[test]
fn ignores_code_quotations_and_hidden_text() {
    for text in [
        // Fenced code (4.5).
        "```\n/dist-git retest\n```",
        "~~~sh\n\n/dist-git retest",
        "````\n```\n/dist-git retest\n````",
        "```\n~~~\n/dist-git retest\n```",
        "``` \n/dist-git retest\n``` x\n/dist-git retest\n```",
        "- ```\n  /dist-git retest\n  ```",
        "1. Do:\n   ```\n   /dist-git retest\n   ```",
        "10. Do:\n\n    ```\n  /dist-git retest\n    ```",
        // Indented code (4.4).
        "Do:\n\n    /dist-git retest",
        "\t/dist-git retest",
        "  \t/dist-git retest",
        // Code spans (6.1).
        "`/dist-git retest`",
        "Do `\n/dist-git retest\n` now",
        "Do ``a`\n/dist-git retest\nb``",
        // Quotations (5.1), and GitLab's own.
        "> /dist-git retest",
        "   >/dist-git retest",
        "> Somebody wrote\n/dist-git retest",
        "> Somebody wrote\nand more\n/dist-git retest",
        "> > Somebody wrote\n/dist-git retest",
        "- > Somebody wrote\n/dist-git retest",
        ">>>\n/dist-git retest\n>>>",
        ">>>\nSomebody wrote\n\n/dist-git retest",
        // HTML (4.6, 6.6).
        "<!-- /dist-git retest -->",
        "<!--\n/dist-git retest\n-->",
        "Do <!-- so\n\n/dist-git retest\n--> now",
        "<pre>\n/dist-git retest\n</pre>",
        "<PRE class=x>\n\n/dist-git retest",
        "Do <code>\n/dist-git retest\n</code>",
        "<details><summary>Log</summary>\n\n/dist-git retest\n</details>",
        "<details>\n<details>\n</details>\n/dist-git retest\n</details>",
        "<blockquote>\n\n/dist-git retest\n\n</blockquote>",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}

#[test]
fn reads_lines_after_code_quotations_and_hidden_text() {
    for text in [
        "```\ncode\n```\n/dist-git retest",
        "~~~\n```\n~~~\n/dist-git retest",
        "- ```\n  code\n  ```\n/dist-git retest",
        "> Somebody wrote\n\n/dist-git retest",
        "> \n/dist-git retest",
        ">>>\nSomebody wrote\n>>>\n/dist-git retest",
        "<!-- hidden -->\n/dist-git retest",
        "<!--\nhidden\n-->\n/dist-git retest",
        "<pre>\ncode\n</pre>\n/dist-git retest",
        "<details>\nLog\n</details>\n\n/dist-git retest",
        "Use `x`, it's ``y`` and a stray `\n/dist-git retest",
        "An escaped \\` here\n/dist-git retest\nand ` there",
        "In `<!--` and `<pre>`\n/dist-git retest",
        "<precise> and <prefix/>\n/dist-git retest",
        "a `\n\nb `\n/dist-git retest",
    ] {
        assert_eq!(parse(text), RETEST, "{text:?}");
    }
}

#[test]
fn a_long_comment_asks_for_nothing() {
    let padded = |length: usize| format!("/dist-git retest\n{}", "x".repeat(length - "/dist-git retest\n".len()));
    assert_eq!(parse(&padded(16 << 10)), RETEST);
    assert_eq!(parse(&padded((16 << 10) + 1)), None);
}

/// Once, each of these took minutes: each line, or tag, made the bot look at everything after it.
#[test]
fn the_time_to_read_a_comment_grows_linearly() {
    let visited = |piece: &str, length: usize| {
        let text = piece.repeat(length / piece.len());
        let mut lines = OwnLines::new(&text);
        let _ = lines.by_ref().filter_map(command).count();
        lines.visited()
    };
    let long = 1 << 18;
    for piece in [
        "`x\n",
        "a `\n``\n",
        "`\n/dist-git\n``",
        "- `\n/dist-git\n",
        "<s ",
        "<pre> ",
        "</q <q></q>",
        "<q></q>",
        "<!-- --> ",
        "<!-- ",
        "> 1. - ",
    ] {
        let (of_limit, of_long) = (visited(piece, LONGEST), visited(piece, long));
        assert!((LONGEST / 2..LONGEST * 5).contains(&of_limit), "{of_limit} bytes visited for {piece:?}");
        let growth = long / LONGEST;
        assert!(of_long <= of_limit * growth * 11 / 10, "{of_limit}, then {of_long} bytes visited for {piece:?}");
    }
}

#[test]
fn needs_a_role_or_for_sync_the_merge_requests_author() {
    for (parse, for_its_author) in [
        (SlashRequest::Command(SlashCommand::Retest), false),
        (SlashRequest::Command(SlashCommand::Recreate), false),
        (SlashRequest::Command(SlashCommand::Sync), true),
        (SlashRequest::Command(SlashCommand::Help), true),
        (SlashRequest::Unknown, true),
    ] {
        assert_eq!(parse.permission(CommentAuthor::Developer), Ok(()), "{parse:?}");
        assert_eq!(parse.permission(CommentAuthor::Stranger), Err(CommandRefusal::NotTheirs), "{parse:?}");
        assert_eq!(parse.permission(CommentAuthor::MergeRequestAuthor).is_ok(), for_its_author, "{parse:?}");
    }
}

#[test]
fn a_comment_is_valid_for_a_day() {
    let written = DateTime::from_timestamp(1_000_000, 0).unwrap();
    assert_eq!(check_age(Some(written), written + TimeDelta::seconds(86_399)), Ok(()));
    assert_eq!(check_age(Some(written), written + TimeDelta::seconds(86_400)), Err(CommandRefusal::Old));
    // GitLab gives its time in whole seconds.
    assert_eq!(check_age(Some(written), written - TimeDelta::seconds(1)), Ok(()));
    assert_eq!(check_age(None, written), Err(CommandRefusal::Old));
}

proptest! {
    #[test]
    fn reading_never_panics(text in "(/dist-git |retest|<!--|-->|`{1,3}|>>>|> |- |1\\. |<pre>|</pre>|\\\\|é|\t|  |\r|\n){0,40}") {
        let _ = parse(&text);
    }

    #[test]
    fn fenced_text_is_never_a_command(inside in "(/dist-git retest\n|> \n|<!--\n|text\n|\n| {1,4}\n|`\n){0,10}") {
        prop_assert_eq!(parse(&format!("~~~\n{inside}~~~")), None);
    }
}

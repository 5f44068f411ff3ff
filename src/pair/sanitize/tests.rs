use crate::pair::sanitize::*;

#[test]
fn quick_actions_do_not_run() {
    for (before, after) in [
        ("/merge", "/ merge"),
        ("text\n/label ~bug", "text\n/ label ~bug"),
        ("  \u{a0}/close", "  \u{a0}/ close"),
        (
            "- /close\n> /close\n>/close\n1. /close\n> - * 12) /close",
            "- / close\n> / close\n>/ close\n1. / close\n> - * 12) / close",
        ),
        ("```\n/close\n```", "```\n/ close\n```"),
        ("\u{feff}/close", "/ close"),
        ("x\r/close", "x\n/ close"),
        ("a /path and/or 1/2", "a /path and/or 1/2"),
        ("https://example.com/x", "https://example.com/x"),
    ] {
        assert_eq!(markdown(before, 1000), after);
    }
    assert_eq!(line("/merge"), "/ merge");
}

#[test]
fn mentions_do_not_notify() {
    for (before, after) in [
        ("@all", "@ all"),
        ("cc @a, (@b/c) _@d_ é@e", "cc @ a, (@ b/c) _@ d_ é@ e"),
        ("`@all`", "`@ all`"),
        ("\\@all", "\\@ all"),
        ("@\\_all @<foo></foo>all @**all**", "@ \\_all @ <foo></foo>all @ **all**"),
        ("&#64;all &commat;all &#x40;all", "& # 64;all & commat;all & #x40;all"),
        ("me@example.com a @ b", "me@example.com a @ b"),
        ("group/project@0123456789", "group/project@ 0123456789"),
        ("&amp; &lt; R&D; a && b", "&amp; &lt; R& D; a && b"),
    ] {
        assert_eq!(markdown(before, 1000), after);
    }
}

#[test]
fn references_do_not_refer() {
    for (before, after) in [
        ("see #1, g/p#2, !3, g/p!4, &5, GL-6 OpenGL-3", "see # 1, g/p# 2, ! 3, g/p! 4, & 5, GL- 6 OpenGL- 3"),
        ("#1 is fixed", "\\# 1 is fixed"),
        ("[issue:1] [work_item:g/p/1] [x]", "[ issue:1] [ work_item:g/p/1] [x]"),
        ("[[ATTACHMENT|/etc/passwd]] [[x]]", "[ [ATTACHMENT|/etc/passwd]] [[x]]"),
        ("RHEL-1 OpenGL-x #include ![x](y) !important # Title", "RHEL-1 OpenGL-x #include ![x](y) !important # Title"),
    ] {
        assert_eq!(markdown(before, 1000), after);
    }
    assert_eq!(line("#1 is fixed"), "# 1 is fixed");
}

#[test]
fn skips_no_pipeline() {
    for (before, after) in [
        ("[ci skip] Fix", "[ ci skip] Fix"),
        ("Fix [CI-Skip][Skip_CI] `[skip-ci]`", "Fix [ CI-Skip][ Skip_CI] `[ skip-ci]`"),
        ("[[skip ci]] [ci_skip]", "[[ skip ci]] [ ci_skip]"),
        ("[ci\u{200b} skip]", "[ ci skip]"),
        ("[skip cid] [ci skipped]", "[skip cid] [ci skipped]"),
    ] {
        assert_eq!(markdown(before, 1000), after);
        assert_eq!(message(before, 1000), after);
        assert_eq!(line(before), after);
    }
    assert_eq!(line("[skip  \n ci]"), "[ skip ci]");
}

#[test]
fn closing_words_do_not_close() {
    for (before, after) in [
        ("Closes #1", "Closes # 1"),
        ("Closes https://gitlab.com/a/b/-/issues/1", "Closes - https://gitlab.com/a/b/-/issues/1"),
        ("This fixes: https://x/1, https://x/2", "This fixes: - https://x/1, https://x/2"),
        ("Implementing issue RHEL-1 and RHEL-2", "Implementing - issue RHEL-1 and RHEL-2"),
        ("fix   RHEL-1", "fix   - RHEL-1"),
        ("`resolved HTTP://x`", "`resolved - HTTP://x`"),
        ("a prefix RHEL-1, fixes the RHEL-1 crash", "a prefix RHEL-1, fixes the RHEL-1 crash"),
    ] {
        assert_eq!(markdown(before, 1000), after);
    }
}

#[test]
fn keeps_what_the_distribution_reads() {
    for text in
        ["Resolves: RHEL-1", "Resolves: bz#12", "Resolves: rhbz#12 (crash)", "Related: bz#1", "x\nReverts: RHEL-12"]
    {
        assert_eq!(markdown(text, 1000), text);
        assert_eq!(message(text, 1000), text);
    }
    for (before, after) in [
        ("Resolves: RHEL-1, https://x/issues/5", "Resolves: RHEL-1, - https://x/issues/5"),
        ("Resolves: RHEL-1 and #5", "Resolves: RHEL-1 and # 5"),
        ("Resolves: bz#1#5", "Resolves: bz#1# 5"),
        ("Resolves: bz#1 issue https://x/issues/5", "Resolves: bz#1 - issue https://x/issues/5"),
        ("Resolves: bz#1, issues  https://x/issues/5", "Resolves: bz#1, - issues  https://x/issues/5"),
        ("Resolves: bz#1 AND Issue https://x/issues/5", "Resolves: bz#1 AND - Issue https://x/issues/5"),
        ("Resolves: bz#1 , and issue RHEL-2", "Resolves: bz#1 , and - issue RHEL-2"),
        ("Resolves: RHEL-1issue https://x/issues/5", "Resolves: RHEL-1- issue https://x/issues/5"),
        ("Resolves: RHEL-1 issue #5", "Resolves: RHEL-1 issue # 5"),
        (" Resolves: RHEL-1", " Resolves: - RHEL-1"),
        ("This resolves: bz#1", "This resolves: bz# 1"),
    ] {
        assert_eq!(markdown(before, 1000), after);
    }
}

#[test]
fn nothing_hides_and_nothing_breaks_out() {
    for (before, after) in [
        ("a <!-- b --> c", "a < !-- b --> c"),
        ("<details><summary>x</summary>", "< details>< summary>x< /summary>"),
        ("</DIV> <br/> <?x", "< /DIV> < br/> < ?x"),
        ("Vec<u8> <stdio.h> <https://x> <a@b> <a:b>", "Vec<u8> <stdio.h> <https://x> <a@b> <a:b>"),
        ("a\u{202e}b\u{200b}c\u{7}d\u{1b}[0m", "abcd[0m"),
        ("```\ncode", "```\ncode\n```"),
        ("~~~~ rust\ncode\n```", "~~~~ rust\ncode\n```\n~~~~"),
        ("  ```\n  code", "  ```\n  code\n  ```"),
        ("- x\n  ```\n  code\n  ```\n\nend", "- x\n  ```\n  code\n  ```\n\nend"),
    ] {
        assert_eq!(markdown(before, 1000), after);
    }
}

#[test]
fn breaks_up_a_code_block_that_may_be_in_a_list() {
    for (before, after) in [
        // Open to the end of the text.
        ("text\n\n ```\nfoo", "text\n\n `` `\nfoo"),
        ("   ~~~~ sh\nfoo", "   ~~ ~~ sh\nfoo"),
        // Closed by the end of the list.
        ("- x\n  ```\n  code\n\nend", "- x\n  `` `\n  code\n\nend"),
        ("- x\n\n  ```\n  ~~~\n  ```sh\nend", "- x\n\n  `` `\n  ~~ ~\n  `` `sh\nend"),
        // Closed by the last line, or begun by it.
        ("- x\n  ```\n  code\n```", "- x\n  `` `\n  code\n```\n```"),
        ("é\n ```\nfoo\n ```\nbar\n~~~\n", "é\n `` `\nfoo\n `` `\nbar\n~~~\n~~~"),
    ] {
        assert_eq!(markdown(before, 1000), after);
        assert_eq!(markdown(after, 1000), after);
    }
    let row = "`".repeat(100);
    assert_eq!(markdown(&format!("{row}\nfoo"), 1000), format!("`` {}\nfoo", "`".repeat(98)));
    // Broken-up fences take room. There is still enough for the fence at the end.
    let long = markdown(&format!("{}```\n{}", " ```\nx\n".repeat(20), "é\n".repeat(1000)), 200);
    assert!(long.chars().count() <= 200 && long.ends_with("…\n```"), "{long}");
}

#[test]
fn removes_the_bots_own_trailers() {
    let text = "a\nFrom-source-git-commit: 1\n  goes on\nFROM-SOURCE-GIT-COMMIT : 2\nfrom-dist-git-commit:3\nb";
    assert_eq!(message(text, 1000), "a\nb");
    assert_eq!(markdown(text, 1000), "a\nb");
    assert_eq!(line("From-source-git-commit: 1"), "");
    assert_eq!(message("a\n---\nb\n--- x\n----\n---x", 1000), "a\n ---\nb\n --- x\n----\n---x");
}

#[test]
fn cuts_between_characters() {
    assert_eq!(cut("éééé", 4), "éééé");
    assert_eq!(cut("ééééé", 4), "ééé…");
    assert_eq!(cut("x", 0), "");
    let long = markdown(&format!("```\n{}", "é\n".repeat(1000)), 100);
    assert!(long.chars().count() <= 100 && long.ends_with("…\n```"), "{long}");
}

#[test]
fn code_and_sentences_stay_what_they_are() {
    assert_eq!(code(b"a`b\n</details>\xff"), "`a'b\\n</details>\\xff`");
    assert_eq!(code(b" "), "(empty)");
    assert_eq!(
        sentence("the file `a_b*.patch` of @all is [x](y)_z_"),
        "the file `a_b*.patch` of @ all is \\[x\\](y)\\_z\\_"
    );
    assert_eq!(sentence("odd ` one <b>"), "odd \\` one \\< b\\>");
    assert_eq!(
        sentence("invalid \"``` ![x](https://x/p.png) **[In](https://x)** `\", expected"),
        "invalid \"\\`\\`\\` !\\[x\\](https://x/p.png) \\*\\*\\[In\\](https://x)\\*\\* \\`\", expected"
    );
    assert_eq!(sentence("`a``[x](y)`"), "\\`a\\`\\`\\[x\\](y)\\`");
}

#[test]
fn finishes_on_long_hostile_texts() {
    // Each would take very long if a sign looked at everything after it.
    for piece in
        ["fix ", "fix: issue ", "Resolves: A-", "@", "<", "&", "> ", "1. ", "```\n", "[", "#1", "`", "GL-", "From-"]
    {
        let text = piece.repeat((1 << 16) / piece.len());
        let spaced = format!("closes{}{text}", " ".repeat(1 << 15));
        for text in [&text, &spaced] {
            assert!(markdown(text, 1 << 20).chars().count() <= 1 << 20);
            assert!(!line(text).contains('\n'));
        }
    }
}

//! Whole messages, in both notations, with the comments that they give.

use crate::transform::message::*;
use crate::transform::yaml::work::assert_linear;
use crate::types::{CommitId, Refusal, Subject};

fn commit() -> CommitId {
    CommitId::from_bytes([0xab; 20])
}

fn metadata(message: &str) -> PatchMetadata {
    read(&commit(), message.as_bytes()).unwrap().0
}

fn warnings(message: &str) -> Vec<String> {
    read(&commit(), message.as_bytes()).unwrap().1.iter().map(|f| f.text.clone()).collect()
}

fn refusal(message: &str) -> Refusal {
    read(&commit(), message.as_bytes()).unwrap_err()
}

fn comment_of(message: &str, style: CommentStyle) -> Vec<String> {
    comment(message.as_bytes(), &metadata(message), style).iter().map(ToString::to_string).collect()
}

#[test]
fn every_token_is_read() {
    let message = "Subject\n\nBody.\n\nPatch-name: clev:er.patch\nPatch-id: 0100\nPatch-status: |\n    # one\n\
                   \x20   two: colon\nPatch-present-in-specfile: yes\nIgnore-patch: False\nNo-prefix: ON\nSigned-off-by: A <a@b>\n";
    let expected = PatchMetadata {
        file_name: Some("clev:er.patch".parse().unwrap()),
        number: Some(100),
        status: Some("# one\ntwo: colon".into()),
        present_in_spec: true,
        ignore: false,
        no_prefix: true,
        squash_legacy: false,
        source: MetadataSource::Trailers,
    };
    assert_eq!(read(&commit(), message.as_bytes()), Ok((expected.clone(), vec![])));
    assert_eq!(
        metadata(&message.replace('\n', "\r\n")),
        PatchMetadata { status: Some("# one\ntwo: colon".into()), ..expected }
    );
}

#[test]
fn a_message_without_metadata_says_nothing() {
    for message in [
        "",
        "\n",
        "Subject",
        "Subject\n\nText: with a colon.\n",
        "ignore: handle empty lines\n",
        "S\n\nSigned-off-by: A <a@b>\n",
    ] {
        assert_eq!(read(&commit(), message.as_bytes()), Ok((PatchMetadata::default(), vec![])), "{message:?}");
    }
}

#[test]
fn a_cherry_pick_line_may_stand_among_the_trailers() {
    let message = "Subject\n\nPatch-name: a.patch\n(cherry picked from commit 0123456789)\nPatch-id: 7\n";
    assert_eq!(metadata(message).file_name, Some("a.patch".parse().unwrap()));
    assert_eq!(metadata(message).number, Some(7));
    assert_eq!(comment_of(message, CommentStyle::Message), ["Subject"]);
}

#[test]
fn a_name_that_looks_like_a_number_stays_text() {
    let refusal = refusal("S\n\nPatch-name: 123\n");
    assert_eq!(refusal.subject, Some(Subject::Commit(commit())));
    assert_eq!(
        refusal.text,
        "`Patch-name` cannot be used as the name of a patch file, it ends in neither `.patch` nor `.diff` \
         (from line 3 of the message): `123`"
    );
}

#[test]
fn a_status_with_a_colon_is_text() {
    assert_eq!(metadata("S\n\nPatch-status: see: this\n").status, Some("see: this".into()));
}

#[test]
fn an_id_is_a_decimal_number() {
    for (text, number) in
        [("0100", 100), ("\"5\"", 5), ("'08'", 8), ("0", 0), ("2147483647", 2_147_483_647), ("007", 7)]
    {
        assert_eq!(metadata(&format!("S\n\nPatch-id: {text}\n")).number, Some(number), "{text}");
    }
    for text in ["0x10", "-1", "+5", "1_000", "2147483648", "99999999999999999999", "1.0", "", "five", "[1]"] {
        let refusal = refusal(&format!("S\n\nA: b\nPatch-id: {text}\n"));
        assert_eq!(refusal.subject, Some(Subject::Commit(commit())));
        assert!(refusal.text.contains("line 4"), "{refusal}");
    }
}

#[test]
fn a_boolean_is_a_boolean() {
    for text in ["maybe", "1", "", "truely"] {
        assert_eq!(
            refusal(&format!("S\n\nIgnore-patch: {text}\n")).text,
            format!("`Ignore-patch` is neither true nor false (from line 3 of the message): `{text}`")
        );
    }
}

#[test]
fn hostile_names_are_refused() {
    for name in
        ["../../escaped.patch", ".git/hooks/pre-commit", "hello.spec", "a b.patch", "\"a\\nb.patch\"", "-x.patch"]
    {
        assert!(
            refusal(&format!("S\n\nPatch-name: {name}\n")).text.starts_with("`Patch-name` cannot be used"),
            "{name}"
        );
    }
}

#[test]
fn the_last_of_equal_tokens_counts() {
    let (metadata, findings) = read(&commit(), b"S\n\nPatch-id: x\nPatch-id: 2\n").unwrap();
    assert_eq!(metadata.number, Some(2));
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].text, "`Patch-id:` is there more than once, the last one counts");
}

#[test]
fn the_length_of_a_value_is_limited() {
    let long = format!("S\n\nPatch-status: |\n{}", "  x\n".repeat(20_000));
    assert!(refusal(&long).text.starts_with("`Patch-status` has a value of more than 64 KiB"));
}

#[test]
fn the_length_of_a_message_is_limited() {
    assert_eq!(refusal(&"x\n".repeat(600_000)).text, "the message is longer than 1 MiB");
    let (metadata, findings) = read(&commit(), "a: b\n\n".repeat(40_000).as_bytes()).unwrap();
    assert_eq!((metadata, findings), (PatchMetadata::default(), vec![]));
}

#[test]
fn a_yaml_bomb_is_text() {
    let bomb =
        "S\n\nPatch-status: {a: &a [x,x,x,x,x,x,x,x], b: &b [*a,*a,*a,*a,*a,*a,*a,*a], c: [*b,*b,*b,*b,*b,*b,*b]}\n";
    assert!(metadata(bomb).status.unwrap().starts_with(b"{a: &a"));
}

#[test]
fn the_parsers_work_grows_with_the_message_and_no_faster() {
    for part in [
        "[",
        "{",
        "- ",
        "? ",
        "a: ",
        "!a ",
        "&a ",
        "\n a:\n  ",
        "patch_id:\n",
        "ignore: 1\nignore: [\n",
        "\"",
        "|",
        "x: *a\n",
    ] {
        for key in ["patch_name", "Patch-status"] {
            let message = |size: usize| format!("S\n\n{key}: {}", part.repeat(size / part.len()));
            assert_linear(part, 60_000, 0, |size| drop(read(&commit(), message(size).as_bytes())));
        }
    }
}

#[test]
fn the_older_notation_is_read() {
    let message =
        "Apply a.patch\n\nSome text.\n\npatch_name: a.patch\ndescription: desc of a\npatch_id: 5\nno_prefix: true\n";
    assert_eq!(
        metadata(message),
        PatchMetadata {
            file_name: Some("a.patch".parse().unwrap()),
            number: Some(5),
            status: Some("desc of a".into()),
            no_prefix: true,
            source: MetadataSource::Legacy,
            ..PatchMetadata::default()
        }
    );
    assert_eq!(warnings(message), [""; 0]);
    assert!(metadata("b\n\nignore: true\n").ignore);
    assert!(metadata("b\n\nsquash_commits: true\npatch_name: x.patch\n\nSigned-off-by: A <a@b>\n").squash_legacy);
}

#[test]
fn the_older_notation_is_a_mapping_up_to_the_end_of_the_message() {
    for message in [
        "S\n\nignore: the noise in the logs\n",
        "ignore: true\n",
        "S\n\npatch_name: a.patch\nand some text\n",
        "S\n\npatch_name: [a]\n",
        "S\n\nResolves: x\n",
    ] {
        assert_eq!(metadata(message), PatchMetadata::default(), "{message:?}");
    }
    assert_eq!(
        refusal("S\n\npatch_name: ../x.patch\n").text.split(',').next().unwrap(),
        "`patch_name` cannot be used as the name of a patch file"
    );
}

#[test]
fn trailers_count_before_the_older_notation() {
    let message = "S\n\npatch_name: old.patch\n\nPatch-id: 3\n";
    assert_eq!(metadata(message).file_name, None);
    assert_eq!(metadata(message).number, Some(3));
    assert_eq!(warnings(message).len(), 1);
}

#[test]
fn near_misses_are_reported_with_the_line_that_counts() {
    for (message, reason, line) in [
        ("S\n\npatch-name: a.patch\n", "the spelling differs", "Patch-name: a.patch"),
        ("S\n\nPatch_name: a.patch\n", "the spelling differs", "Patch-name: a.patch"),
        ("S\n\nPatchname: a.patch\n", "the spelling differs", "Patch-name: a.patch"),
        (
            "S\n\nPatch-name: n.patch\nPresent-in-specfile: true\n",
            "the spelling differs",
            "Patch-present-in-specfile: true",
        ),
        ("S\n\nPatch-name: a.patch\n\nMore.\n", "it is not in a last paragraph", "Patch-name: a.patch"),
        ("S\n\nText.\nPatch-name: a.patch\n", "it is not in a last paragraph", "Patch-name: a.patch"),
        ("S\n\n---\nIgnore-patch: true\n", "a line of three dashes", "Ignore-patch: true"),
        ("S\nPatch-id: 5\n", "it stands in the first paragraph", "Patch-id: 5"),
        ("S\n\npatch_name: a.patch\nPatch-id: 5\n", "it is not in a last paragraph", "Patch-id: 5"),
        ("S\n\npatch_name: a.patch\ntext\n", "the older notation", "Patch-name: a.patch"),
    ] {
        let (_, findings) = read(&commit(), message.as_bytes()).unwrap();
        assert_eq!(findings.len(), 1, "{message:?}: {findings:?}");
        assert!(findings[0].text.contains(reason), "{findings:?}");
        assert!(findings[0].remedy.as_ref().unwrap().contains(&format!("`{line}`")), "{findings:?}");
        assert_eq!(findings[0].subject, Some(Subject::Commit(commit())));
    }
}

#[test]
fn what_only_resembles_metadata_is_not_reported() {
    for message in [
        "no-prefix: handle empty names\n",
        "S\n\nPatch-status: |\n  Patch-id: 5\n  patch-name: x\n",
        "S\n\nThe Patch-name: trailer names the file.\n",
        "S\n\n  Patch-name: a.patch in an example\n\nText.\n",
        "S\n\nName: x\nId: 5\nStatus: ok\n",
        "S\n\ndescription: a word\nof prose\n",
    ] {
        assert_eq!(warnings(message), [""; 0], "{message:?}");
    }
    assert_eq!(warnings(&format!("S\n\n{}", "patch-name: x\n".repeat(1000))).len(), 10);
}

#[test]
fn a_comment_is_the_status_without_its_marks() {
    for status in ["|\n    # one\n    #\n    # two %x", "|\n    one\n\u{20}\n    two %x"] {
        let message = format!("S\n\nBody\n\nPatch-status: {status}\n");
        for style in [CommentStyle::None, CommentStyle::Subject, CommentStyle::Message] {
            let lines = comment_of(&message, style);
            if status.contains('#') {
                assert_eq!(lines, ["one", "", "two %x"]);
            }
        }
    }
    assert_eq!(
        comment_of("S\n\nPatch-status: |\n    # # twice\n    ## head\n    #1234\n", CommentStyle::None),
        ["# twice", "# head", "1234"]
    );
    assert_eq!(comment_of("S\n\nPatch-status: |\n    one\n      two\n", CommentStyle::None), ["one", "  two"]);
}

#[test]
fn a_comment_is_the_message_without_trailers_and_metadata() {
    let message = "\nSubject 100%\n\nBody\n\n# kept\n\n\tPatch\n\nSigned-off-by: A <a@b>\nPatch-name: a.patch\n";
    assert_eq!(comment_of(message, CommentStyle::Message), ["Subject 100%", "", "Body", "", "# kept", "", "\tPatch"]);
    assert_eq!(comment_of(message, CommentStyle::Subject), ["Subject 100%"]);
    assert_eq!(comment_of(message, CommentStyle::None), [""; 0]);
    assert_eq!(comment_of("S\n\nBody\n\nSigned-off-by: A <a@b>\n", CommentStyle::Message), ["S", "", "Body"]);
    assert_eq!(comment_of("S\n\nBody\n\npatch_name: a.patch\n", CommentStyle::Message), ["S", "", "Body"]);
    assert_eq!(comment_of("S\n\nBody\n\n---\nnot this\n", CommentStyle::Message), ["S", "", "Body"]);
    assert_eq!(comment_of("S\r\n\r\nBody \x1b[31m\r\n", CommentStyle::Message), ["S", "", "Body  [31m"]);
}

#[test]
fn the_length_of_a_comment_is_limited() {
    let long = comment_of(&format!("S\n\n{}", "text\n".repeat(100_000)), CommentStyle::Message);
    assert_eq!(long.len(), 200);
    assert_eq!(long[199], "...");
    let wide = comment_of(&"é".repeat(100_000), CommentStyle::Subject);
    assert_eq!(wide[0].len(), 999);
    assert!(wide[0].ends_with("é..."));
}

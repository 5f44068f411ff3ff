//! Where in a spec a line may be put: outside conditions, macro bodies and continued lines.

use crate::transform::spec::entries::{Entries, Form, Tag};
use crate::transform::spec::lines::{Line, Lines, Role, Section};

/// Where the names of further patches go.
#[derive(Clone, Copy, Debug)]
pub(super) enum InsertionPlace<'a> {
    /// As tags, after the line of this index, in the manner of another tag.
    Tags { after: Option<usize>, like: Like<'a> },
    /// As lines of `%patchlist`, after the line of this index.
    List { after: usize },
}

/// The tag whose manner new tags take.
#[derive(Clone, Copy, Debug)]
pub(super) enum Like<'a> {
    /// A Patch tag: its spelling, its width of the number, whether it has one, and its column.
    Patch(Tag<'a>),
    /// Another tag: its column.
    Other(Tag<'a>),
}

/// Why there is no place; lines are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// There is no tag at all.
    NoPreamble,
    /// The `%if` of this line has no `%endif`.
    Unclosed(usize),
    /// The `%if` of this line holds both the place for patches and the header of another section.
    Straddles(usize),
    /// The `%patchlist` of this line stands in a condition.
    ConditionalList(usize),
}

/// Says where further patches go.
///
/// With Patch tags: after the last of them, because `%autosetup` and `%autopatch` take patches in the order of the
/// text, not of their numbers (`patch_nums` in rpm's `macros.in`). With a `%patchlist` below them: at its end.
/// With neither: after the last Source tag, else after the last tag.
pub(super) fn place<'a>(lines: &Lines<'a>, entries: &Entries<'a>) -> Result<InsertionPlace<'a>, NoPlace> {
    let in_list = |at: usize| lines.lines.get(at).is_some_and(|line| line.section == Section::Patchlist);
    let begins = |at: usize| lines.lines.get(at).is_some_and(|line| line.role == Role::Header);
    let list = (0..lines.lines.len())
        .rev()
        .find(|at| in_list(*at) && (begins(*at) || at.checked_sub(1).is_none_or(|before| !in_list(before))));
    let last = entries.entries.last().map(|entry| entry.line);
    if let Some(list) = list
        && last.is_none_or(|last| in_list(last) || last < list)
    {
        return end_of_list(lines, list).map(|after| InsertionPlace::List { after });
    }
    let patch_tag = entries.entries.iter().rev().find_map(|entry| match entry.form {
        Form::Tag(tag) => Some(tag),
        Form::Listed | Form::InMacro => None,
    });
    let preamble = || {
        let tags = |line: &Line<'_>| line.section == Section::Preamble && line.role == Role::Text;
        lines.lines.iter().enumerate().rev().filter(move |(_, line)| tags(line))
    };
    let source = || preamble().find_map(|(at, line)| Tag::parse(line.text, "source").map(|tag| (at, tag)));
    let any = || preamble().find_map(|(at, line)| Tag::parse_any(line.text).map(|tag| (at, tag)));
    let other = || source().or_else(any);
    let (reference, like) = match (last, patch_tag) {
        (Some(last), Some(tag)) => (last, Like::Patch(tag)),
        (Some(last), None) => (last, other().map(|(_, tag)| Like::Other(tag)).ok_or(NoPlace::NoPreamble)?),
        (None, _) => other().map(|(at, tag)| (at, Like::Other(tag))).ok_or(NoPlace::NoPreamble)?,
    };
    let tags_go = |section| matches!(section, Section::Preamble | Section::Package);
    match outside(lines, reference, tags_go) {
        Ok(after) => Ok(InsertionPlace::Tags { after: Some(after), like }),
        Err(NoPlace::Straddles(line)) => {
            // The condition holds the header of another section: before it is the only place left, which is one
            // only where no patch that rpm counts itself comes later.
            let after = lines.group_of(line.saturating_sub(1)).0.checked_sub(1);
            let here = after.is_none_or(|at| lines.lines.get(at).is_some_and(|line| tags_go(line.section)));
            let counted_later = entries.entries.iter().any(|entry| {
                after.is_none_or(|at| entry.line > at)
                    && !matches!(entry.form, Form::Tag(tag) if !tag.digits.is_empty())
            });
            if here && !counted_later {
                Ok(InsertionPlace::Tags { after, like })
            } else {
                Err(NoPlace::Straddles(line))
            }
        }
        Err(reason) => Err(reason),
    }
}

/// Returns the first line at or after `index` behind which a line may be put, in a section that `fits`.
pub(super) fn outside(lines: &Lines<'_>, index: usize, fits: impl Fn(Section) -> bool) -> Result<usize, NoPlace> {
    let mut at = lines.group_of(index).1;
    let mut opened = index.saturating_add(1);
    while let Some(number) = lines.lines.get(at).and_then(|line| line.condition) {
        let Some(condition) = lines.conditions.get(number) else { break };
        opened = condition.open.saturating_add(1);
        let Some(close) = condition.close else { return Err(NoPlace::Unclosed(opened)) };
        if close == at {
            break;
        }
        at = lines.group_of(close).1.max(at.saturating_add(1));
    }
    if lines.lines.get(at).is_some_and(|line| fits(line.section)) { Ok(at) } else { Err(NoPlace::Straddles(opened)) }
}

/// Returns the last line with something on it in the `%patchlist` that begins at `header`, outside conditions.
fn end_of_list(lines: &Lines<'_>, header: usize) -> Result<usize, NoPlace> {
    if lines.lines.get(header).is_some_and(|line| line.depth > 0 || line.role != Role::Header) {
        return Err(NoPlace::ConditionalList(header.saturating_add(1)));
    }
    let mut after = lines.group_of(header).1;
    for (at, line) in lines.lines.iter().enumerate().skip(after.saturating_add(1)) {
        if line.section != Section::Patchlist {
            break;
        }
        let closes = line.condition.and_then(|c| lines.conditions.get(c)).is_some_and(|c| c.close == Some(at));
        let joins = lines.lines.get(at.saturating_add(1)).is_some_and(|next| next.joined);
        if !line.is_blank() && !joins && (line.depth == 0 || closes) {
            after = at;
        }
    }
    Ok(after)
}

/// Returns a tag line for `value` in the manner of `like`, without a line end.
///
/// `number` is the number as it is to be written, empty for none.
pub(super) fn tag_line(like: Like<'_>, number: &str, value: &[u8]) -> Vec<u8> {
    let (word, tag) = match like {
        Like::Patch(tag) => (tag.word, tag),
        Like::Other(tag) => (b"Patch".as_slice(), tag),
    };
    let mut line = [word, number.as_bytes(), b":"].concat();
    if !tag.gap.is_empty() && tag.gap.iter().all(|b| *b == b' ') {
        // The value stays in its column.
        let column = tag.head.len().saturating_add(tag.gap.len());
        let width = column.saturating_sub(line.len()).max(1);
        line.extend(std::iter::repeat_n(b' ', width));
    } else {
        line.extend_from_slice(tag.gap);
    }
    line.extend_from_slice(value);
    line
}

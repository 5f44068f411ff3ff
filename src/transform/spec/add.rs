//! Adds patches to a spec: their tags or `%patchlist` lines, comments above them, and the `%patch` lines they need.

use std::collections::{HashMap, HashSet};

use bstr::{BString, ByteSlice as _};

use crate::transform::spec::comment::comment_line;
use crate::transform::spec::entries::{Entries, HIGHEST, SpecPatch, Unknown};
use crate::transform::spec::insert::{InsertionPlace, Like, NoPlace, place, tag_line};
use crate::transform::spec::lines::{Line, Lines};
use crate::transform::spec::macros::Macros;
use crate::transform::spec::new_patch::NewPatch;
use crate::transform::spec::prep::{Applies, ApplyStyle};
use crate::types::finding::quoted;
use crate::types::{Finding, Refusal, RepoPath, Subject};

/// The most digits that a number is written with: as many as rpm's highest has.
const WIDEST: u8 = 10;

/// A spec to which patches were added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The spec.
    pub spec: Vec<u8>,
    /// What a person should know.
    pub findings: Vec<Finding>,
    /// The number that each patch now has, in the order in which they were given; `None` where only rpm can tell.
    pub numbers: Vec<(BString, Option<u32>)>,
}

/// Names `patches` in `spec`, in their order, and sees to it that `%prep` applies them.
///
/// A patch that the spec names already is left as it is. Without further patches, the spec comes back unchanged,
/// whatever its bytes. `digits` is the width of the number where the spec has no patch to follow (packit's
/// `patch_generation_patch_id_digits`): 1 writes `Patch1`, 0 writes `Patch`.
///
/// # Errors
///
/// Where the spec has no preamble, where no place is outside conditions, where the highest number so far cannot be
/// known and no `Patch-id` tells, where a `Patch-id` is not above it, and where `%prep` applies only numbers that
/// are taken.
pub fn add_patches(spec: &[u8], spec_path: &RepoPath, patches: &[NewPatch], digits: u8) -> Result<Edited, Refusal> {
    if patches.is_empty() {
        return Ok(Edited { spec: spec.to_vec(), findings: Vec::new(), numbers: Vec::new() });
    }
    let lines = Lines::parse(spec);
    let macros = Macros::collect(&lines);
    let entries = Entries::read(&lines, &macros);
    let known: HashMap<&[u8], Option<u32>> =
        entries.entries.iter().filter_map(|entry| Some((named(&entry.patch)?, entry.patch.number))).collect();
    let mut seen = HashSet::new();
    let mut new = Vec::new();
    for patch in patches {
        if !known.contains_key(patch.file_name.as_slice()) && seen.insert(patch.file_name.as_slice()) {
            check_name(patch)?;
            new.push(patch);
        }
    }
    let mut edit = Edit {
        path: spec_path,
        digits,
        place: InsertionPlace::List { after: 0 },
        prep: ApplyStyle::read(&lines, &macros),
        applies: Applies::Not,
        highest: entries.highest,
        exact: entries.exact,
        settled: entries.unknown.is_none(),
        findings: Vec::new(),
    };
    let mut numbers: HashMap<&[u8], Option<u32>> = known;
    let mut out = spec.to_vec();
    if !new.is_empty() {
        edit.place = place(&lines, &entries).map_err(|reason| no_place(reason, spec_path))?;
        edit.applies = edit.prep.applies(&lines);
        let mut numbered = Vec::new();
        for patch in new {
            let number = edit.number(patch, &entries)?;
            numbers.insert(patch.file_name.as_slice(), number.value);
            numbered.push((patch, number));
        }
        out = edit.write(spec, &lines, &numbered);
    }
    let numbers = patches
        .iter()
        .map(|patch| (patch.file_name.clone(), numbers.get(patch.file_name.as_slice()).copied().flatten()))
        .collect();
    Ok(Edited { spec: out, findings: edit.findings, numbers })
}

fn named(patch: &SpecPatch) -> Option<&[u8]> {
    patch.file_name().map(|name| name.as_bytes())
}

/// Refuses a name that rpm would read as more than a name.
fn check_name(patch: &NewPatch) -> Result<(), Refusal> {
    let fits = |b: &u8| b.is_ascii_alphanumeric() || b"._+:@~^,=-".contains(b);
    let name = patch.file_name.as_slice();
    if !name.is_empty() && name.iter().all(fits) && !name.starts_with(b".") && !name.starts_with(b"-") {
        return Ok(());
    }
    Err(Refusal::new(
        format!("a patch cannot be called {} in a spec", quoted(name)),
        "give the commit a `Patch-name` trailer of letters, digits, `.`, `_`, `+` and `-`",
    )
    .about_commit(&patch.commit))
}

/// The number of a new patch.
#[derive(Clone, Copy, Debug)]
struct Number {
    /// What rpm will count it as, where that is known.
    value: Option<u32>,
    /// Whether the tag shows it.
    written: bool,
    /// Whether it takes a `%patch` line to be applied.
    line: bool,
}

struct Edit<'a> {
    path: &'a RepoPath,
    digits: u8,
    place: InsertionPlace<'a>,
    prep: ApplyStyle,
    applies: Applies,
    highest: Option<u32>,
    exact: bool,
    /// Whether nothing unseen can hold a higher number.
    settled: bool,
    findings: Vec<Finding>,
}

impl Edit<'_> {
    /// Finds the number of the next patch and counts it.
    fn number(&mut self, patch: &NewPatch, entries: &Entries<'_>) -> Result<Number, Refusal> {
        let next = self.highest.map_or(0, |highest| highest.saturating_add(1));
        if next > HIGHEST {
            return Err(Refusal::new(
                format!("the spec's highest patch number is {HIGHEST}, and rpm counts no further"),
                "give the spec's patches lower numbers",
            )
            .about_file(self.path));
        }
        self.check_id(patch, next)?;
        if matches!(self.place, InsertionPlace::List { .. }) {
            return Ok(self.listed(patch, next, entries));
        }
        let implied = match self.place {
            InsertionPlace::Tags { like: Like::Patch(tag), .. } => tag.digits.is_empty(),
            _ => self.digits == 0,
        };
        if patch.number.is_none()
            && !self.settled
            && let Some(Unknown { line, what }) = entries.unknown
        {
            return Err(Refusal::new(
                format!(
                    "the highest patch number cannot be known from the text of {}: line {line} has {what}",
                    self.path
                ),
                "add a `Patch-id:` trailer to the commit, with a number above those of the patches that the spec has",
            )
            .about_commit(&patch.commit));
        }
        // Where numbers are written, the first is 1, as packit has it.
        let floor = if implied { next } else { next.max(u32::from(self.highest.is_none())) };
        let (chosen, line) = self.choose(patch, floor)?;
        // A number that hangs on a condition is written where `%prep` names it.
        let named = line || self.applies == Applies::ByNumber;
        let written = !implied || chosen != next || !self.settled || (named && !self.exact);
        self.highest = Some(chosen);
        self.exact |= written;
        self.settled |= written;
        Ok(Number { value: self.exact.then_some(chosen), written, line })
    }

    fn check_id(&self, patch: &NewPatch, next: u32) -> Result<(), Refusal> {
        let Some(number) = patch.number else { return Ok(()) };
        if number > HIGHEST {
            return Err(Refusal::new(
                format!("`Patch-id` {number} is more than rpm can count"),
                format!("give the commit a `Patch-id` of at most {HIGHEST}"),
            )
            .about_commit(&patch.commit));
        }
        if number < next {
            return Err(Refusal::new(
                format!(
                    "`Patch-id` {number} is not above {}, the highest patch number before it in {}",
                    next.saturating_sub(1),
                    self.path
                ),
                format!("give the commit a `Patch-id` of {next} or more, or remove the trailer"),
            )
            .about_commit(&patch.commit));
        }
        Ok(())
    }

    /// Chooses a number from `floor` on that `%prep` applies, and says whether it takes a line for that.
    fn choose(&mut self, patch: &NewPatch, floor: u32) -> Result<(u32, bool), Refusal> {
        let has_lines = self.applies != Applies::Itself && self.prep.applies_by_line();
        match (self.applies, patch.number) {
            (Applies::Itself | Applies::Not, number) => Ok((number.unwrap_or(floor), false)),
            (Applies::ByLine, number) => Ok((number.unwrap_or(floor), true)),
            (Applies::ByNumber, Some(number)) => {
                let covered = self.prep.covers(number);
                if !covered && !has_lines {
                    self.out_of_range(patch, number);
                }
                Ok((number, !covered && has_lines))
            }
            (Applies::ByNumber, None) => match self.prep.number_from(floor).filter(|number| *number <= HIGHEST) {
                Some(number) => Ok((number, false)),
                None if has_lines => Ok((floor, true)),
                None => Err(Refusal::new(
                    format!(
                        "`%prep` of {} applies only the patches numbered {}, and the next free number is {floor}",
                        self.path,
                        self.prep.ranges_text()
                    ),
                    "give the commit a `Patch-id` trailer with the number it should have, \
                     and let `%autopatch` in `%prep` apply that number",
                )
                .about_commit(&patch.commit)),
            },
        }
    }

    /// Numbers a line of `%patchlist`, where rpm counts.
    fn listed(&mut self, patch: &NewPatch, next: u32, entries: &Entries<'_>) -> Number {
        let known = self.exact && entries.unknown.is_none();
        if let Some(asked) = patch.number.filter(|asked| known && *asked != next) {
            self.findings.push(
                Finding::warning(format!(
                    "`Patch-id` {asked} has no effect: {} lists its patches in `%patchlist`, where this one gets {next}",
                    self.path
                ))
                .about(Subject::Commit(patch.commit))
                .remedy("remove the `Patch-id` trailer"),
            );
        }
        self.highest = Some(next);
        let line =
            self.applies == Applies::ByLine || (self.applies == Applies::ByNumber && self.prep.applies_by_line());
        let covered = self.applies == Applies::ByNumber && known && self.prep.covers(next);
        if self.applies == Applies::ByNumber && !covered && !line {
            self.out_of_range(patch, next);
        }
        Number { value: known.then_some(next), written: false, line: line && !covered }
    }

    fn out_of_range(&mut self, patch: &NewPatch, number: u32) {
        self.findings.push(
            Finding::warning(format!(
                "{} gets number {number}, and `%prep` of {} applies only those numbered {}",
                quoted(&patch.file_name),
                self.path,
                self.prep.ranges_text()
            ))
            .about(Subject::Commit(patch.commit))
            .remedy("let `%autopatch` in `%prep` apply that number"),
        );
    }

    /// Returns the spec with the patches in it.
    fn write(&mut self, spec: &[u8], lines: &Lines<'_>, numbered: &[(&NewPatch, Number)]) -> Vec<u8> {
        let mut added = Vec::new();
        for (patch, number) in numbered {
            let comment = patch.comment.iter().flat_map(|text| text.split(|b| *b == b'\n'));
            added.extend(comment.map(|line| comment_line(line).into()));
            added.push(match self.place {
                InsertionPlace::List { .. } => patch.file_name.to_vec(),
                InsertionPlace::Tags { like, .. } => {
                    let width = match like {
                        Like::Patch(tag) => tag.digits.len(),
                        Like::Other(_) => usize::from(self.digits.min(WIDEST)),
                    };
                    let digits = number.value.filter(|_| number.written).map(|value| format!("{value:0width$}"));
                    tag_line(like, &digits.unwrap_or_default(), &patch.file_name)
                }
            });
        }
        let after = match self.place {
            InsertionPlace::List { after } => Some(after),
            InsertionPlace::Tags { after, .. } => after,
        };
        let mut insertions = vec![Insertion::new(lines, after, &added)];
        let by_line: Vec<_> = numbered.iter().filter(|(_, number)| number.line).collect();
        let wanted: Vec<(u32, &NewPatch)> =
            by_line.iter().filter_map(|(patch, number)| Some((number.value?, *patch))).collect();
        let written = (wanted.len() == by_line.len()).then(|| self.prep.patch_lines(lines, &wanted)).flatten();
        match written {
            Some((after, added)) if !added.is_empty() => insertions.push(Insertion::new(lines, Some(after), &added)),
            _ if self.applies == Applies::Not => self.not_applied(numbered.iter().map(|(patch, _)| *patch)),
            _ if !by_line.is_empty() => self.not_applied(by_line.iter().map(|(patch, _)| *patch)),
            _ => {}
        }
        Insertion::apply(insertions, spec)
    }

    /// Says that `%prep` may leave patches out.
    fn not_applied<'p>(&mut self, patches: impl Iterator<Item = &'p NewPatch>) {
        let names: Vec<String> = patches.map(|patch| quoted(&patch.file_name)).collect();
        let shown = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
        let further = names.len().saturating_sub(3);
        let more = if further > 0 { format!(" and {further} more") } else { String::new() };
        let why = if self.prep.by_hand() {
            "it applies patches in its own way"
        } else {
            "nothing there is seen to apply every patch"
        };
        self.findings.push(
            Finding::warning(format!("`%prep` may not apply {shown}{more}: {why}"))
                .about(Subject::File(self.path.clone()))
                .remedy("apply all patches with `%autosetup -p1`, or look whether `%prep` applies these"),
        );
    }
}

/// Bytes to be put between two lines.
#[derive(Debug)]
struct Insertion {
    at: usize,
    bytes: Vec<u8>,
}

impl Insertion {
    /// Puts `added` after the line of index `after`, or at the top; a last line without an end stays without one.
    fn new(lines: &Lines<'_>, after: Option<usize>, added: &[Vec<u8>]) -> Self {
        let end = lines.line_end(after.unwrap_or_default());
        match after.and_then(|after| lines.lines.get(after)) {
            Some(line) if line.end.is_empty() => {
                Self { at: line.stop(), bytes: added.iter().flat_map(|line| [end, line]).collect::<Vec<_>>().concat() }
            }
            line => Self {
                at: line.map_or(0, Line::stop),
                bytes: added.iter().flat_map(|line| [line, end]).collect::<Vec<_>>().concat(),
            },
        }
    }

    fn apply(mut insertions: Vec<Self>, spec: &[u8]) -> Vec<u8> {
        insertions.sort_by_key(|insertion| insertion.at);
        let mut out = Vec::with_capacity(spec.len());
        let mut done = 0;
        for insertion in insertions {
            out.extend_from_slice(spec.get(done..insertion.at).unwrap_or_default());
            out.extend_from_slice(&insertion.bytes);
            done = insertion.at;
        }
        out.extend_from_slice(spec.get(done..).unwrap_or_default());
        out
    }
}

fn no_place(reason: NoPlace, path: &RepoPath) -> Refusal {
    let (text, remedy) = match reason {
        NoPlace::NoPreamble => {
            ("the spec has no preamble".to_owned(), "give the spec a preamble with `Name:`, `Version:` and `Source0:`")
        }
        NoPlace::Unclosed(line) => (format!("the `%if` in line {line} has no `%endif`"), "close the condition"),
        NoPlace::Straddles(line) => (
            format!(
                "the `%if` in line {line} holds both the spec's last patch and a section, so none can come after it"
            ),
            "move the patches out of that condition",
        ),
        NoPlace::ConditionalList(line) => {
            (format!("the `%patchlist` in line {line} stands within a condition or a macro"), "move it out of there")
        }
    };
    Refusal::new(text, remedy).about_file(path)
}

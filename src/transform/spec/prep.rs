//! How a spec's `%prep` applies its patches.
//!
//! The rules are those of rpm's `macros.in` (`%autosetup`, `%autopatch`, `%__scm_apply_…`) and of `doPatchMacro` in
//! its `build/parsePrep.c`. Nothing is expanded: an option that comes from a macro is not seen.

use std::collections::HashSet;

use bstr::ByteSlice as _;

use crate::transform::spec::calls::{Arguments, Blocks, calls};
use crate::transform::spec::insert::outside;
use crate::transform::spec::lines::{Lines, Role, Section};
use crate::transform::spec::macros::{Macros, definition};
use crate::transform::spec::new_patch::{NewPatch, Strip};

/// The program that applies a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tool {
    /// `patch`, or one no abler (`hg`, `bzr`, `quilt`): no binary changes.
    Patch,
    /// `git apply`, from `-S git`.
    GitApply,
    /// `git am`, from `-S git_am`.
    GitAm,
    /// The name comes from a macro.
    Unknown,
}

/// One way in which `%prep` applies a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Way {
    /// What does it.
    pub tool: Tool,
    /// How many leading components of file names it takes away; `None` where it is not told, so that `patch` looks
    /// for the bare file name.
    pub strip: Option<u32>,
}

impl Way {
    /// Whether file names as in `strip` are found.
    pub fn finds(&self, strip: Strip) -> bool {
        self.strip == Some(strip.level())
    }

    /// Whether changes of binary files are applied.
    pub fn takes_binary(&self) -> bool {
        matches!(self.tool, Tool::GitApply | Tool::GitAm)
    }
}

/// How a spec's `%prep` applies patches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyStyle {
    steps: Vec<Step>,
    by_hand: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    line: usize,
    which: Which,
    way: Way,
    /// Whether it happens whatever the conditions.
    sure: bool,
    /// Whether it stands by itself in the shell script.
    nesting: Nesting,
    /// For a line that applies patches by number: how it is written.
    manner: Option<Manner>,
}

/// What is around a line in the shell script that `%prep` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nesting {
    None,
    /// It stands between `pushd` and `popd`.
    Directory,
    /// It stands in an `if` or a loop, or behind another command.
    Block,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Which {
    Between(u32, u32),
    Numbers(Vec<u32>),
}

impl Which {
    fn has(&self, number: u32) -> bool {
        match self {
            Self::Between(low, high) => (*low..=*high).contains(&number),
            Self::Numbers(numbers) => numbers.contains(&number),
        }
    }

    fn is_all(&self) -> bool {
        *self == Self::Between(0, u32::MAX)
    }

    /// Returns the lowest number that is not below `floor`.
    fn from(&self, floor: u32) -> Option<u32> {
        match self {
            Self::Between(low, high) => Some(floor.max(*low)).filter(|number| number <= high),
            Self::Numbers(numbers) => numbers.iter().copied().filter(|number| *number >= floor).min(),
        }
    }
}

/// How a line names the number of the patch that it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// `%patch12`, with at least so many digits.
    Attached(usize),
    /// `%patch 12`
    Positional,
    /// `%patch -P 12`
    Option,
    /// `%patch -P12`
    JoinedOption,
}

/// What it takes for a further patch to be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applies {
    /// Nothing.
    Itself,
    /// A number that [`ApplyStyle::number_from`] gives.
    ByNumber,
    /// A line of its own.
    ByLine,
    /// More than can be seen.
    Not,
}

impl ApplyStyle {
    /// Returns the ways in which the patch of this number may be applied, one for each way that conditions leave open.
    ///
    /// Without a number, only what applies all patches is meant. Empty where nothing is seen to apply it.
    pub fn ways(&self, number: Option<u32>) -> Vec<Way> {
        let meant = |step: &&Step| number.map_or_else(|| step.which.is_all(), |number| step.which.has(number));
        let mut seen = HashSet::new();
        self.steps.iter().filter(meant).map(|step| step.way).filter(|way| seen.insert(*way)).collect()
    }

    /// Whether `%prep` speaks of patch files itself, as in `patch -p1 < %{PATCH3}` or a loop over `%{patches}`,
    /// so that it may apply more than [`ApplyStyle::ways`] tells.
    pub const fn by_hand(&self) -> bool {
        self.by_hand
    }

    /// Says what it takes for a further patch to be applied.
    pub(super) fn applies(&self, lines: &Lines<'_>) -> Applies {
        if self.takes_all(lines) {
            Applies::Itself
        } else if self.ranges().next().is_some() {
            Applies::ByNumber
        } else if self.applies_by_line() {
            Applies::ByLine
        } else {
            Applies::Not
        }
    }

    /// Whether there is a line that applies patches by number, to go by.
    pub(super) fn applies_by_line(&self) -> bool {
        self.steps.iter().any(|step| step.manner.is_some())
    }

    /// Whether all patches are applied: by a line that is always there, or by one in each branch of a condition.
    fn takes_all(&self, lines: &Lines<'_>) -> bool {
        let all = || self.steps.iter().filter(|step| step.which.is_all());
        if all().any(|step| step.sure) {
            return true;
        }
        let mut seen: Option<(usize, usize)> = None;
        for line in all().filter_map(|step| lines.lines.get(step.line)).filter(|line| line.depth == 1) {
            let Some(number) = line.condition else { continue };
            let taken = match seen {
                Some((condition, branches)) if condition == number => branches,
                _ => 0,
            };
            // Branches come in order; each must have one.
            let taken = if line.branch == taken { taken.saturating_add(1) } else { taken };
            seen = Some((number, taken));
            if lines.conditions.get(number).is_some_and(|c| c.exhaustive && c.branches == taken) {
                return true;
            }
        }
        false
    }

    fn ranges(&self) -> impl DoubleEndedIterator<Item = &Which> {
        self.steps.iter().filter(|step| step.sure && step.manner.is_none()).map(|step| &step.which)
    }

    /// Returns the lowest number from `floor` on that `%autopatch` applies, in the last range that has room.
    pub(super) fn number_from(&self, floor: u32) -> Option<u32> {
        self.ranges().rev().find_map(|which| which.from(floor))
    }

    /// Whether the patch of this number is applied, as far as that can be seen, without a line of its own.
    pub(super) fn covers(&self, number: u32) -> bool {
        self.ranges().any(|which| which.has(number))
    }

    /// Returns the numbers that `%autopatch` applies, for a message.
    pub(super) fn ranges_text(&self) -> String {
        let text = |which: &Which| match which {
            Which::Between(low, u32::MAX) => format!("from {low} on"),
            Which::Between(low, high) if low == high => low.to_string(),
            Which::Between(low, high) => format!("{low} to {high}"),
            Which::Numbers(numbers) => {
                let shown: Vec<String> = numbers.iter().take(8).map(ToString::to_string).collect();
                shown.join(", ") + if numbers.len() > 8 { ", …" } else { "" }
            }
        };
        let shown: Vec<String> = self.ranges().take(8).map(text).collect();
        shown.join("; ")
    }

    /// Returns the line after which lines that apply further patches go, and writes those lines.
    ///
    /// `None` where no line can be taken as a model.
    pub(super) fn patch_lines(&self, lines: &Lines<'_>, patches: &[(u32, &NewPatch)]) -> Option<(usize, Vec<Vec<u8>>)> {
        let fits = |section| section == Section::Prep;
        let last = |sure: bool, nesting: Nesting| {
            let mut by_line = self.steps.iter().rev().filter(|step| step.manner.is_some());
            by_line.find(|step| (step.sure || !sure) && step.nesting == nesting)
        };
        let model = last(true, Nesting::None)
            .or_else(|| last(true, Nesting::Directory))
            .or_else(|| last(false, Nesting::None))
            .or_else(|| last(false, Nesting::Directory))?;
        let after = outside(lines, model.line, fits).ok()?;
        let manner = model.manner?;
        let write = |(number, patch): &(u32, &NewPatch)| {
            let level = match patch.strip {
                Strip::P0 => 0,
                Strip::P1 => model.way.strip.unwrap_or_default().max(1),
            };
            let call = match manner {
                Manner::Attached(width) => format!("%patch{number:0width$}"),
                Manner::Positional => format!("%patch {number}"),
                Manner::Option => format!("%patch -P {number}"),
                Manner::JoinedOption => format!("%patch -P{number}"),
            };
            format!("{call} -p{level}").into_bytes()
        };
        Some((after, patches.iter().map(write).collect()))
    }

    /// Reads `%prep`.
    pub(super) fn read(lines: &Lines<'_>, macros: &Macros<'_>) -> Self {
        let mut reader = Reader {
            macros,
            default_scm: b"patch".to_vec(),
            scm: b"patch".to_vec(),
            blocks: Blocks::default(),
            line: 0,
            sure: false,
            out: Self { steps: Vec::new(), by_hand: false },
        };
        for (index, line) in lines.lines.iter().enumerate() {
            if line.role == Role::Definition
                && let Some((b"__scm", Some(value))) = definition(line.text)
            {
                reader.default_scm = value.to_vec();
                reader.scm = value.to_vec();
            }
            if line.section == Section::Prep && matches!(line.role, Role::Text | Role::Inside) {
                reader.line = index;
                reader.sure = line.depth == 0 && line.role == Role::Text;
                reader.read(line.text);
            }
        }
        reader.out
    }
}

struct Reader<'a, 'b> {
    macros: &'b Macros<'a>,
    /// What `%__scm` is by definition.
    default_scm: Vec<u8>,
    /// What `%__scm` is after the last `%autosetup`.
    scm: Vec<u8>,
    /// How many shell blocks and other directories are open.
    blocks: Blocks,
    line: usize,
    sure: bool,
    out: ApplyStyle,
}

impl Reader<'_, '_> {
    fn read(&mut self, text: &[u8]) {
        let before = self.blocks;
        self.blocks = before.after(text);
        if !text.contains(&b'%') {
            return;
        }
        for call in calls(text) {
            let sure = self.sure && !call.conditional;
            let nesting = match (before.shell, self.blocks.shell, before.directories) {
                (0, 0, directories) if call.begins_line => {
                    if directories == 0 {
                        Nesting::None
                    } else {
                        Nesting::Directory
                    }
                }
                _ => Nesting::Block,
            };
            match call.name {
                b"autosetup" | b"forgeautosetup" => self.autosetup(call.arguments, sure, nesting),
                b"autopatch" => self.autopatch(call.arguments, sure, nesting),
                b"patches" => self.out.by_hand = true,
                name => {
                    if let Some(digits) = name.strip_prefix(b"patch") {
                        self.patch(digits, call.arguments, sure, nesting);
                    } else if name.starts_with(b"PATCH") {
                        self.out.by_hand = true;
                    }
                }
            }
        }
        self.out.by_hand |= text.contains_str("%{lua:") && text.contains_str("patch");
    }

    fn autosetup(&mut self, arguments: &[u8], sure: bool, nesting: Nesting) {
        let arguments = Arguments::read(arguments, b"abnSp");
        // A second `%autosetup` is that of another branch, which knows nothing of this one's `-S`.
        self.scm = match arguments.value(b'S') {
            Some(scm) => scm.to_vec(),
            None if arguments.may_hold(b"-S") => b"%".to_vec(),
            None => self.default_scm.clone(),
        };
        if !arguments.has(b'N') {
            let strip = self.number(arguments.value(b'p'));
            let sure = sure && !arguments.may_hold(b"-N");
            self.step(Which::Between(0, u32::MAX), strip, sure, nesting, None);
        }
    }

    fn autopatch(&mut self, arguments: &[u8], sure: bool, nesting: Nesting) {
        let arguments = Arguments::read(arguments, b"pmM");
        let strip = self.number(arguments.value(b'p'));
        let which = if arguments.rest.is_empty() {
            let bound = |name, without| arguments.value(name).map_or(Some(without), |value| self.number(Some(value)));
            match (bound(b'm', 0), bound(b'M', u32::MAX)) {
                (Some(low), Some(high)) => Which::Between(low, high),
                // The bounds are not known.
                _ => {
                    self.out.by_hand = true;
                    return;
                }
            }
        } else {
            Which::Numbers(arguments.rest.iter().filter_map(|word| self.number(Some(word))).collect())
        };
        self.step(which, strip, sure, nesting, None);
    }

    fn patch(&mut self, digits: &[u8], arguments: &[u8], sure: bool, nesting: Nesting) {
        if !digits.iter().all(u8::is_ascii_digit) {
            return;
        }
        let arguments = Arguments::read(arguments, b"PpbzFdo");
        let mut numbers: Vec<u32> = arguments.rest.iter().filter_map(|word| self.number(Some(word))).collect();
        let options = arguments.options.iter().filter(|(name, _)| *name == b'P');
        numbers.extend(options.clone().filter_map(|(_, value)| self.number(*value)));
        let manner = if !digits.is_empty() {
            numbers.extend(self.number(Some(digits)));
            Manner::Attached(digits.len())
        } else if options.clone().any(|(_, _)| arguments.joined.contains(&b'P')) {
            Manner::JoinedOption
        } else if options.clone().next().is_none() && !numbers.is_empty() {
            Manner::Positional
        } else {
            if options.clone().next().is_none() {
                numbers.push(0);
            }
            Manner::Option
        };
        // Without `-p`, `%patch` hands `patch` a `-p0`.
        let strip = arguments.value(b'p').map_or(Some(0), |value| self.number(Some(value)));
        let way = Way { tool: Tool::Patch, strip };
        let step = Step { line: self.line, which: Which::Numbers(numbers), way, sure, nesting, manner: Some(manner) };
        self.out.steps.push(step);
    }

    fn step(&mut self, which: Which, strip: Option<u32>, sure: bool, nesting: Nesting, manner: Option<Manner>) {
        // `git` takes one component away where it is not told; `patch` all but the last.
        let (tool, default) = match self.scm.as_slice() {
            b"git" => (Tool::GitApply, Some(1)),
            b"git_am" => (Tool::GitAm, Some(1)),
            b"hg" | b"quilt" => (Tool::Patch, Some(1)),
            scm if scm.contains(&b'%') => (Tool::Unknown, None),
            _ => (Tool::Patch, None),
        };
        let way = Way { tool, strip: strip.or(default) };
        self.out.steps.push(Step { line: self.line, which, way, sure, nesting, manner });
    }

    fn number(&self, text: Option<&[u8]>) -> Option<u32> {
        std::str::from_utf8(self.macros.expand(text?).exact()?).ok()?.parse().ok()
    }
}

//! Asks about each directory of a tree once, while the files of the tree pass in path order.

use bstr::{BStr, BString, ByteSlice as _};

/// The directories above the current name, each with a fact about it.
///
/// The names come in path order. All names below a directory are then neighbors, so each directory is judged once.
#[derive(Debug)]
pub(super) struct OpenDirectories<T> {
    top: T,
    /// The current name. The open directories are beginnings of it.
    name: BString,
    /// For each open directory the length of its name and its fact, outermost first.
    stack: Vec<(usize, T)>,
}

impl<T: Copy> OpenDirectories<T> {
    pub(super) fn new(top: T) -> Self {
        Self { top, name: BString::default(), stack: Vec::new() }
    }

    /// Makes `name` the current name and returns the fact about its directory.
    ///
    /// `judge` gets each directory that is entered, with the fact about its parent, and returns the fact about it.
    pub(super) fn enter(&mut self, name: &BStr, mut judge: impl FnMut(T, &BStr) -> T) -> T {
        let shared = self.name.iter().zip(name.iter()).take_while(|(old, new)| old == new).count();
        // A directory stays open if the slash after it is shared too.
        while self.stack.last().is_some_and(|(end, _)| *end >= shared) {
            self.stack.pop();
        }
        let (entered, mut fact) = self.stack.last().map_or((0, self.top), |(end, fact)| (end.saturating_add(1), *fact));
        for (end, _) in name.bytes().enumerate().skip(entered).filter(|(_, byte)| *byte == b'/') {
            fact = judge(fact, name.get(..end).unwrap_or_default().as_bstr());
            self.stack.push((end, fact));
        }
        self.name = name.to_owned();
        fact
    }
}

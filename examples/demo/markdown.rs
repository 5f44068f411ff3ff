//! Shows Markdown on a terminal, as far as the bot writes it: what a browser hides is hidden, what it sets off is set off.
//!
//! No Markdown that somebody else wrote: of that, only plain paragraphs come out right.

use source_git_bot::cli::terminal::Paint;

/// How a character is set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Bold,
    Code,
    Address,
}

type Styled = (char, Style);

/// Returns the lines of `markdown`, none wider than `width` where words can be parted.
pub(crate) fn rendered(markdown: &str, width: usize, paint: Paint) -> Vec<String> {
    let mut page = Page { lines: Vec::new(), text: String::new(), mark: "", rows: Vec::new(), indent: 0, width, paint };
    for line in markdown.lines() {
        if let Some(row) = line.strip_prefix("| ") {
            page.rows.push(row.trim_end_matches(" |").split(" | ").collect());
        } else if line.trim().is_empty() {
            page.end_block();
            page.gap();
        } else if line.starts_with("<!--") {
            // The bot's records stand on lines of their own.
            page.end_block();
        } else if let Some(summary) = line.strip_prefix("<details><summary>") {
            page.block(summary.trim_end_matches("</summary>"), "▸ ");
            page.end_block();
            page.indent = 2;
        } else if line == "</details>" {
            page.end_block();
            page.indent = 0;
        } else if line == "---" {
            page.end_block();
            page.lines.push(paint.dim("─".repeat(width)));
        } else if let Some(heading) = heading(line) {
            page.block(&format!("**{heading}**"), "");
            page.end_block();
        } else if let Some(item) = line.strip_prefix("- ") {
            page.block(item, "• ");
            // A browser sets a list close to what it belongs to.
            page.lines.pop_if(|line| line.is_empty());
        } else {
            page.text.push(' ');
            page.text.push_str(line);
        }
    }
    page.end_block();
    while page.lines.last().is_some_and(String::is_empty) {
        page.lines.pop();
    }
    page.lines
}

fn heading(line: &str) -> Option<&str> {
    line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))
}

struct Page<'a> {
    lines: Vec<String>,
    /// The block that is being read, and the mark before its first line.
    text: String,
    mark: &'static str,
    /// The cells of the table that is being read.
    rows: Vec<Vec<&'a str>>,
    indent: usize,
    width: usize,
    paint: Paint,
}

impl Page<'_> {
    fn block(&mut self, text: &str, mark: &'static str) {
        self.end_block();
        text.clone_into(&mut self.text);
        self.mark = mark;
    }

    fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(String::new());
        }
    }

    /// Sets the table in lines: the head, how the columns are set, and the jobs.
    fn end_table(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        if rows.len() < 2 {
            return;
        }
        let to_the_right: Vec<bool> = rows.remove(1).iter().map(|cell| cell.ends_with(':')).collect();
        // A browser hides addresses too, and a table has no room for them.
        let set =
            |cell: &str| inline(cell.trim(), self.paint).into_iter().filter(|(_, style)| *style != Style::Address);
        let rows: Vec<Vec<Vec<Styled>>> =
            rows.iter().map(|row| row.iter().map(|cell| set(cell).collect()).collect()).collect();
        let width =
            |column: usize| rows.iter().filter_map(|row| row.get(column)).map(Vec::len).max().unwrap_or_default();
        for (number, row) in rows.iter().enumerate() {
            let mut line = " ".repeat(self.indent);
            for (column, cell) in row.iter().enumerate() {
                let (text, gap) = (painted(cell, self.paint), " ".repeat(width(column).saturating_sub(cell.len())));
                let text = if number == 0 { self.paint.bold(text) } else { text };
                line += &if to_the_right.get(column) == Some(&true) { gap + &text } else { text + &gap };
                line += "   ";
            }
            self.lines.push(line.trim_end().to_owned());
        }
    }

    /// Sets the block in lines, word by word.
    fn end_block(&mut self) {
        self.end_table();
        let styled = inline(self.text.trim(), self.paint);
        let (margin, mark_width) = (" ".repeat(self.indent), self.mark.chars().count());
        let mut line = String::new();
        let mut used = 0;
        for word in styled.split(|(c, _)| *c == ' ').filter(|word| !word.is_empty()) {
            if used == 0 {
                line = format!("{margin}{}", self.mark);
                used = self.indent + mark_width;
            } else if used + 1 + word.len() > self.width {
                self.lines.push(line);
                line = format!("{margin}{}", " ".repeat(mark_width));
                used = self.indent + mark_width;
            } else {
                line.push(' ');
                used += 1;
            }
            line.push_str(&painted(word, self.paint));
            used += word.len();
        }
        if used > 0 {
            self.lines.push(line);
        }
        self.text.clear();
        self.mark = "";
    }
}

fn painted(word: &[Styled], paint: Paint) -> String {
    let runs = word.chunk_by(|(_, one), (_, other)| one == other).map(|run| {
        let text: String = run.iter().map(|(c, _)| c).collect();
        match run.first() {
            Some((_, Style::Bold)) => paint.bold(text),
            Some((_, Style::Code)) => paint.cyan(text),
            Some((_, Style::Address)) => paint.dim(text),
            Some((_, Style::Plain)) | None => text,
        }
    });
    runs.collect()
}

/// Takes the signs out of a block and sets what they are about; without colours, code stands in quotation marks.
fn inline(text: &str, paint: Paint) -> Vec<Styled> {
    let mut out = Vec::new();
    let mut style = Style::Plain;
    let mut rest = text;
    let quote = if paint == Paint::Plain { "'" } else { "" };
    while let Some(c) = rest.chars().next() {
        let after = rest.strip_prefix(c).unwrap_or_default();
        let code = rest.strip_prefix('`').and_then(|code| code.split_once('`'));
        let link = rest.strip_prefix('[').and_then(|link| link.split_once("]("));
        let link = link.and_then(|(text, address)| Some((text, address.split_once(')')?)));
        if c == '\\' {
            let mut escaped = after.chars();
            out.extend(escaped.next().map(|c| (c, style)));
            rest = escaped.as_str();
        } else if let Some(after) = rest.strip_prefix("**") {
            style = if style == Style::Plain { Style::Bold } else { Style::Plain };
            rest = after;
        } else if let Some((code, after)) = code {
            out.extend(format!("{quote}{code}{quote}").chars().map(|c| (c, Style::Code)));
            rest = after;
        } else if let Some((text, (address, after))) = link {
            let within = inline(text, paint).into_iter();
            out.extend(within.map(|(c, inner)| (c, if inner == Style::Plain { style } else { inner })));
            out.extend(format!(" ({address})").chars().map(|c| (c, Style::Address)));
            rest = after;
        } else {
            // A single `*` is emphasis, for which a terminal has no sign of its own.
            out.extend(Some((c, style)).filter(|_| c != '*'));
            rest = after;
        }
    }
    out
}

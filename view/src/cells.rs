//! Rows of cells that are aligned, in colours where they can be seen.

use std::fmt::Write as _;

use anstyle::Style;
use unicode_width::UnicodeWidthStr as _;

/// How text looks where it is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Whether lines are drawn with ASCII characters only.
    pub is_ascii: bool,
    /// Whether there are colours (ECMA-48 sequences).
    pub has_colors: bool,
}

/// Pieces of text, each in a style.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell(Vec<(Style, String)>);

impl Cell {
    pub(crate) fn new(style: Style, text: impl Into<String>) -> Self {
        Self(vec![(style, text.into())])
    }

    pub(crate) fn push(&mut self, style: Style, text: impl Into<String>) {
        self.0.push((style, text.into()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.width()).sum()
    }

    fn write(&self, look: Look, line: &mut String) {
        for (style, text) in &self.0 {
            if look.has_colors && *style != Style::new() && !text.is_empty() {
                let _ = write!(line, "{style}{text}{style:#}");
            } else {
                line.push_str(text);
            }
        }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(Style::new(), text)
    }
}

/// Lines, in which each column is as wide as the widest cell that another one comes after in its line.
pub(crate) fn columns(rows: &[Vec<Cell>], look: Look) -> String {
    let mut widths: Vec<usize> = Vec::new();
    let parts = |row: &'_ [Cell]| row.iter().rposition(|cell| cell.width() > 0).unwrap_or_default();
    for row in rows {
        for (column, cell) in row.iter().take(parts(row)).enumerate() {
            match widths.get_mut(column) {
                Some(width) => *width = cell.width().max(*width),
                None => widths.push(cell.width()),
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        let last = parts(row);
        for (column, cell) in row.iter().take(last + 1).enumerate() {
            cell.write(look, &mut text);
            if column < last {
                text.push_str(&" ".repeat(widths[column] - cell.width() + 2));
            }
        }
        text.push('\n');
    }
    text
}

/// Bytes for people: what is no UTF-8, and what a terminal would take for a command, is escaped as in Rust.
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anstyle::AnsiColor;

    use super::*;

    #[test]
    fn cells_are_aligned_by_what_is_seen_of_them() {
        let red = AnsiColor::Red.on_default();
        let rows = [
            vec![Cell::new(red, "ab"), Cell::from("c".to_owned()), Cell::from("d".to_owned())],
            vec![Cell::from("漢字漢".to_owned()), Cell::default(), Cell::from("e".to_owned())],
            vec![Cell::from("f".to_owned()), Cell::default(), Cell::default()],
        ];
        assert_eq!(columns(&rows, Look::default()), "ab      c  d\n漢字漢     e\nf\n");
        let colored = columns(&rows, Look { has_colors: true, ..Look::default() });
        assert_eq!(colored, "\u{1b}[31mab\u{1b}[0m      c  d\n漢字漢     e\nf\n");
        assert_eq!(columns(&[], Look::default()), "");
    }

    #[test]
    fn no_name_is_a_command_to_the_terminal() {
        assert_eq!(printable(b"/a\x1b[2J\xffb\n"), "/a\\u{1b}[2J\\xffb\\n");
        assert_eq!(printable("/täglich 日".as_bytes()), "/täglich 日");
        assert_eq!(printable("\u{9b}2J".as_bytes()), "\\u{9b}2J");
    }
}

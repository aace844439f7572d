//! Text in columns and lines.

use std::fmt;

/// How wide a line of a list may be.
const WIDTH: usize = 112;

/// A heading, underlined.
pub(super) struct Section<'a>(pub(super) &'a str);

impl fmt::Display for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.0)?;
        write!(f, "{}", "-".repeat(width(self.0)))
    }
}

/// The widest cell that others are aligned with.
const CELL: usize = 44;

/// Rows of cells, each as wide as the widest of its column, but for those that are too wide.
pub(super) struct Columns(pub(super) Vec<Vec<String>>);

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.0 {
            for (column, cell) in row.iter().enumerate() {
                match widths.get_mut(column) {
                    Some(known) => *known = cell_width(cell).max(*known),
                    None => widths.push(cell_width(cell)),
                }
            }
        }
        for row in &self.0 {
            let mut line = String::new();
            for (cell, wanted) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.push_str(&" ".repeat(wanted.saturating_sub(width(cell)) + 2));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// How much room a cell takes from all of its column.
fn cell_width(cell: &str) -> usize {
    let width = width(cell);
    if width > CELL { 0 } else { width }
}

/// Words behind a label, in as many lines as they need.
pub(super) struct Labelled<'a>(pub(super) &'a str, pub(super) Vec<String>);

impl fmt::Display for Labelled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LABEL: usize = 16;
        let mut line = format!("{:LABEL$}", self.0);
        let mut is_first = true;
        for word in &self.1 {
            if !is_first && width(&line) + width(word) > WIDTH {
                writeln!(f, "{}", line.trim_end())?;
                line = " ".repeat(LABEL);
            }
            line.push_str(word);
            line.push(' ');
            is_first = false;
        }
        writeln!(f, "{}", line.trim_end())
    }
}

/// Items with commas behind all but the last.
pub(super) fn enumerated(items: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
    let mut items: Vec<String> = items.into_iter().map(Into::into).collect();
    let last = items.len().saturating_sub(1);
    for item in items.iter_mut().take(last) {
        item.push(',');
    }
    items
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [["a", "b", "c"], ["long", "", "d"]].map(|row| row.map(String::from).to_vec());
        assert_eq!(Columns(rows.to_vec()).to_string(), "a     b  c\nlong     d\n");
        assert_eq!(Columns(Vec::new()).to_string(), "");
    }

    #[test]
    fn words_go_on_below_each_other() {
        let (x, indent) = ("x".repeat(50), " ".repeat(16));
        let words = enumerated([x.clone(), "y".into(), x.clone(), "z".into()]);
        let expected = format!("label           {x}, y,\n{indent}{x}, z\n");
        assert_eq!(Labelled("label", words).to_string(), expected);
    }
}

//! The output of findmnt(8), as libsmartcols prints it where there is no terminal.

use super::columns::Column;
use super::select::{Format, Line, Selection};
use crate::execution::Execution;
use crate::programs::util_linux::table::MountTable;

/// The cells of the lines.
pub(super) struct Output<'a> {
    selection: &'a Selection,
    lines: &'a [Line],
    cells: Vec<Vec<Option<Vec<u8>>>>,
    symbols: Symbols,
    is_utf8: bool,
}

/// What a tree is drawn with.
struct Symbols {
    branch: &'static str,
    vertical: &'static str,
    right: &'static str,
}

const ASCII: Symbols = Symbols { branch: "|-", vertical: "| ", right: "`-" };
const UTF8: Symbols = Symbols { branch: "├─", vertical: "│ ", right: "└─" };

impl<'a> Output<'a> {
    pub(super) fn new(execution: &Execution, selection: &'a Selection, table: &MountTable, lines: &'a [Line]) -> Self {
        let row = |line: &Line| {
            let mount = table.mounts.get(line.mount);
            let cell = |column: &Column| column.cell(execution, selection, mount?);
            selection.columns.iter().map(cell).collect()
        };
        let is_utf8 = has_utf8_locale(execution);
        let symbols = if is_utf8 && !selection.is_ascii { UTF8 } else { ASCII };
        Self { selection, lines, cells: lines.iter().map(row).collect(), symbols, is_utf8 }
    }

    pub(super) fn text(&self) -> Vec<u8> {
        match self.selection.format {
            Format::Json => self.json(),
            _ if self.lines.is_empty() => Vec::new(),
            Format::Human => self.human(),
            Format::Raw => self.raw(),
            Format::Pairs => self.pairs(),
        }
    }

    fn columns(&self) -> &[Column] {
        &self.selection.columns
    }

    fn has_tree_column(&self) -> bool {
        self.selection.is_tree && self.columns().contains(&Column::Target)
    }

    fn human(&self) -> Vec<u8> {
        let mut rows: Vec<Vec<Vec<u8>>> = Vec::new();
        for (index, cells) in self.cells.iter().enumerate() {
            let cell = |(column, cell): (&Column, &Option<Vec<u8>>)| {
                let text = visible(cell.as_deref().unwrap_or_default(), self.is_utf8);
                if self.selection.is_tree && *column == Column::Target {
                    return [self.art(index).as_bytes(), &text].concat();
                }
                text
            };
            rows.push(self.columns().iter().zip(cells).map(cell).collect());
        }
        let width = |(place, column): (usize, &Column)| {
            let needed = rows.iter().filter_map(|row| row.get(place)).map(|cell| self.width(cell)).max();
            column.width(needed.unwrap_or(0))
        };
        let widths: Vec<usize> = self.columns().iter().enumerate().map(width).collect();
        let mut text = Vec::new();
        if self.selection.has_headings {
            let names: Vec<Vec<u8>> = self.columns().iter().map(|column| column.name().into()).collect();
            self.push_row(&mut text, &names, &widths);
        }
        for row in &rows {
            self.push_row(&mut text, row, &widths);
        }
        text
    }

    fn push_row(&self, text: &mut Vec<u8>, row: &[Vec<u8>], widths: &[usize]) {
        let last = row.len().saturating_sub(1);
        for (place, ((cell, width), column)) in row.iter().zip(widths).zip(self.columns()).enumerate() {
            let padding = vec![b' '; width.saturating_sub(self.width(cell))];
            if column.is_right() && !cell.is_empty() {
                text.extend(padding);
                text.extend(cell);
            } else {
                text.extend(cell);
                if place != last {
                    text.extend(padding);
                }
            }
            text.push(if place == last { b'\n' } else { b' ' });
        }
    }

    fn width(&self, cell: &[u8]) -> usize {
        if self.is_utf8 { String::from_utf8_lossy(cell).chars().count() } else { cell.len() }
    }

    /// The lines of the tree in front of a cell.
    fn art(&self, index: usize) -> String {
        let Some(parent) = self.parent(index) else { return String::new() };
        let mut parts = vec![if self.is_last_child(index) { self.symbols.right } else { self.symbols.branch }];
        let mut above = parent;
        while let Some(next) = self.parent(above) {
            parts.push(if self.is_last_child(above) { "  " } else { self.symbols.vertical });
            above = next;
        }
        parts.reverse();
        parts.concat()
    }

    fn parent(&self, index: usize) -> Option<usize> {
        self.lines.get(index).and_then(|line| line.parent)
    }

    fn is_last_child(&self, index: usize) -> bool {
        let parent = self.parent(index);
        !self.lines.iter().skip(index + 1).any(|line| line.parent == parent)
    }

    fn raw(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if self.selection.has_headings {
            let names: Vec<&[u8]> = self.columns().iter().map(|column| column.name().as_bytes()).collect();
            text.extend(names.join(&b' '));
            text.push(b'\n');
        }
        for cells in &self.cells {
            let cells: Vec<Vec<u8>> =
                cells.iter().map(|cell| escaped(cell.as_deref().unwrap_or_default(), b" \t\\")).collect();
            text.extend(cells.join(&b' '));
            text.push(b'\n');
        }
        text
    }

    fn pairs(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for cells in &self.cells {
            let pair = |(column, cell): (&Column, &Option<Vec<u8>>)| {
                let name =
                    if self.selection.has_shell_names { shell_name(column.name()) } else { column.name().into() };
                let value = escaped(cell.as_deref().unwrap_or_default(), b"\"\\`$");
                [name.as_bytes(), b"=\"", &value, b"\""].concat()
            };
            let pairs: Vec<Vec<u8>> = self.columns().iter().zip(cells).map(pair).collect();
            text.extend(pairs.join(&b' '));
            text.push(b'\n');
        }
        text
    }

    fn json(&self) -> Vec<u8> {
        let mut writer = Json::default();
        writer.open(None, "{\n");
        writer.open(Some("filesystems"), "[\n");
        if self.has_tree_column() {
            self.json_lines(&mut writer);
        } else {
            for index in 0..self.lines.len() {
                writer.open(None, "{\n");
                self.json_cells(&mut writer, index);
                writer.close("}");
            }
        }
        writer.close("]");
        writer.close("}");
        writer.text
    }

    /// The lines as a tree. What is to be done is kept in a list, as mounts can be on each other without end.
    fn json_lines(&self, writer: &mut Json) {
        enum Step {
            Line(usize),
            CloseObject,
            CloseArray,
        }
        let children = |parent: Option<usize>| {
            (0..self.lines.len()).rev().filter(move |index| self.parent(*index) == parent).map(Step::Line)
        };
        let mut steps: Vec<Step> = children(None).collect();
        while let Some(step) = steps.pop() {
            match step {
                Step::CloseObject => writer.close("}"),
                Step::CloseArray => writer.close("]"),
                Step::Line(index) => {
                    writer.open(None, "{\n");
                    self.json_cells(writer, index);
                    steps.push(Step::CloseObject);
                    let below: Vec<Step> = children(Some(index)).collect();
                    if !below.is_empty() {
                        writer.open(Some("children"), "[\n");
                        steps.push(Step::CloseArray);
                        steps.extend(below);
                    }
                }
            }
        }
    }

    fn json_cells(&self, writer: &mut Json, index: usize) {
        let Some(cells) = self.cells.get(index) else { return };
        for (column, cell) in self.columns().iter().zip(cells) {
            let name = if self.selection.has_shell_names { shell_name(column.name()) } else { column.name().into() };
            let name = name.to_ascii_lowercase();
            let cell = cell.as_deref().unwrap_or_default();
            if *column == Column::Sources {
                writer.open(Some(&name), "[\n");
                writer.value(None, cell, false);
                writer.close("]");
            } else {
                writer.value(Some(&name), cell, column.is_number(self.selection.has_plain_sizes));
            }
        }
    }
}

/// A writer of JSON, laid out as util-linux does.
#[derive(Default)]
struct Json {
    text: Vec<u8>,
    depth: usize,
    is_after_value: bool,
}

impl Json {
    fn indent(&mut self) {
        self.text.extend(std::iter::repeat_n(b"   ", self.depth).flatten());
    }

    fn start(&mut self, name: Option<&str>) {
        match (name, self.is_after_value) {
            (Some(_), true) => self.text.extend_from_slice(b",\n"),
            (None, true) => self.text.push(b','),
            _ => {}
        }
        if name.is_some() || !self.is_after_value {
            self.indent();
        }
        if let Some(name) = name {
            self.text.extend_from_slice(format!("\"{name}\"").as_bytes());
        }
        self.is_after_value = false;
    }

    fn open(&mut self, name: Option<&str>, bracket: &str) {
        self.start(name);
        if name.is_some() {
            self.text.extend_from_slice(b": ");
        }
        self.text.extend_from_slice(bracket.as_bytes());
        self.depth += 1;
    }

    fn close(&mut self, bracket: &str) {
        self.depth = self.depth.saturating_sub(1);
        self.text.push(b'\n');
        self.indent();
        self.text.extend_from_slice(bracket.as_bytes());
        if self.depth == 0 {
            self.text.push(b'\n');
        }
        self.is_after_value = true;
    }

    fn value(&mut self, name: Option<&str>, value: &[u8], is_number: bool) {
        self.start(name);
        self.text.extend_from_slice(if name.is_some() { b": " } else { b" " });
        match value {
            b"" => self.text.extend_from_slice(b"null"),
            _ if is_number => self.text.extend_from_slice(value),
            _ => self.string(value),
        }
        self.is_after_value = true;
    }

    fn string(&mut self, value: &[u8]) {
        self.text.push(b'"');
        for &byte in value {
            match byte {
                b'"' | b'\\' => self.text.extend([b'\\', byte]),
                0x08 => self.text.extend_from_slice(b"\\b"),
                b'\t' => self.text.extend_from_slice(b"\\t"),
                b'\n' => self.text.extend_from_slice(b"\\n"),
                0x0c => self.text.extend_from_slice(b"\\f"),
                b'\r' => self.text.extend_from_slice(b"\\r"),
                0..0x20 => self.text.extend_from_slice(format!("\\u00{byte:02x}").as_bytes()),
                _ => self.text.push(byte),
            }
        }
        self.text.push(b'"');
    }
}

/// Whether the user's locale is one of UTF-8.
fn has_utf8_locale(execution: &Execution) -> bool {
    let variables = ["LC_ALL", "LC_CTYPE", "LANG"];
    let locale = variables.iter().filter_map(|name| execution.variable(name)).find(|value| !value.is_empty());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    locale.ends_with(b"utf-8") || locale.ends_with(b"utf8")
}

/// A text in which nothing can disturb a terminal.
fn visible(text: &[u8], is_utf8: bool) -> Vec<u8> {
    if !is_utf8 {
        return hidden_bytes_escaped(text, true);
    }
    let mut visible = Vec::new();
    for chunk in text.utf8_chunks() {
        visible.extend(hidden_bytes_escaped(chunk.valid().as_bytes(), false));
        visible.extend(hidden_bytes_escaped(chunk.invalid(), true));
    }
    visible
}

fn hidden_bytes_escaped(text: &[u8], escapes_high: bool) -> Vec<u8> {
    let mut escaped = Vec::new();
    for (index, &byte) in text.iter().enumerate() {
        let looks_escaped = byte == b'\\' && text.get(index + 1) == Some(&b'x');
        if byte.is_ascii_control() || looks_escaped || escapes_high && !byte.is_ascii() {
            escaped.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        } else {
            escaped.push(byte);
        }
    }
    escaped
}

/// A text for programs, in which these bytes, and all that are not printed, are numbers.
fn escaped(text: &[u8], special: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::new();
    for &byte in text {
        if special.contains(&byte) || byte != b' ' && !byte.is_ascii_graphic() {
            escaped.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        } else {
            escaped.push(byte);
        }
    }
    escaped
}

/// A name that a shell takes for a variable.
fn shell_name(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.ends_with('%') { plain + "PCT" } else { plain }
}

//! The tables of `docs/calls.md`: how many calls each operation makes, by their names.
//!
//! Counts that have changed fail a test, so that a call more is never made by accident. `UPDATE_CALLS=1` writes those that
//! are not higher; `UPDATE_CALLS=more` writes higher ones as well, for whoever can say why.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// As it is committed.
const COMMITTED: &str = include_str!("../../../docs/calls.md");
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/calls.md");
const HEADING: &str = "| operation | calls | reads of the whole mount table | by name |\n| --- | ---: | ---: | --- |\n";

/// How many calls were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub by_name: BTreeMap<String, usize>,
    /// How often a mountinfo was opened.
    pub tables: usize,
    /// The calls for that: each open and each read.
    pub table_calls: usize,
}

impl Counts {
    pub fn total(&self) -> usize {
        self.by_name.values().sum()
    }

    pub fn add(&mut self, name: &str) {
        *self.by_name.entry(name.into()).or_default() += 1;
    }

    /// A row of the table.
    fn row(&self, operation: &str) -> String {
        let mut names: Vec<_> = self.by_name.iter().collect();
        names.sort_by_key(|(name, count)| (usize::MAX - **count, *name));
        let names: Vec<_> = names.into_iter().map(|(name, count)| format!("{name} {count}")).collect();
        let tables = match self.tables {
            0 => "0".into(),
            tables => format!("{tables} ({} calls)", self.table_calls),
        };
        format!("| {operation} | {} | {tables} | {} |", self.total(), names.join(", "))
    }

    fn is_more_than(&self, committed: &Committed) -> bool {
        self.total() > committed.total || self.tables > committed.tables
    }
}

/// What a committed row says that may not become more.
struct Committed {
    total: usize,
    tables: usize,
}

impl Committed {
    fn parse(row: &str) -> Option<Self> {
        let mut cells = row.split('|').map(str::trim).skip(2);
        let total = cells.next()?.parse().ok()?;
        let tables = cells.next()?.split(' ').next()?.parse().ok()?;
        Some(Self { total, tables })
    }
}

/// Compares the counts with the section of the document that has this name, or writes them there.
pub fn check(section: &str, counts: &[(String, Counts)]) {
    let update = std::env::var("UPDATE_CALLS").unwrap_or_default();
    let committed = section_of(COMMITTED, section).unwrap_or_else(|| panic!("{FILE} has no section {section}"));
    let row_of = |operation: &str| committed.lines().find(|line| line.starts_with(&format!("| {operation} | ")));
    let (mut more, mut changed) = (String::new(), String::new());
    for (operation, counts) in counts {
        let now = counts.row(operation);
        let list = match row_of(operation) {
            Some(row) if row == now => continue,
            Some(row) if Committed::parse(row).is_some_and(|committed| counts.is_more_than(&committed)) => &mut more,
            _ => &mut changed,
        };
        let _ = writeln!(list, "now:    {now}\nbefore: {}", row_of(operation).unwrap_or("no such row"));
    }
    assert!(
        more.is_empty() || update == "more",
        "operations make more calls than before; if that can't be helped, UPDATE_CALLS=more notes it:\n{more}"
    );
    let rows: String = counts.iter().map(|(operation, counts)| counts.row(operation) + "\n").collect();
    let table = format!("{HEADING}{rows}");
    if update.is_empty() {
        assert!(changed.is_empty(), "the calls have changed, and are not more; UPDATE_CALLS=1 notes it:\n{changed}");
        assert_eq!(committed.trim(), table.trim(), "UPDATE_CALLS=1 notes it");
    } else {
        let document = std::fs::read_to_string(FILE).unwrap();
        let (begin, end) = marks(section);
        let marked = |content: &str| format!("{begin}{content}{end}");
        let old = marked(section_of(&document, section).unwrap());
        std::fs::write(FILE, document.replace(&old, &marked(&format!("\n{table}\n")))).unwrap();
    }
}

/// What is between the marks of a section.
fn section_of<'d>(document: &'d str, section: &str) -> Option<&'d str> {
    let (begin, end) = marks(section);
    let (_, rest) = document.split_once(&begin)?;
    rest.split_once(&end).map(|(content, _)| content)
}

fn marks(section: &str) -> (String, String) {
    (format!("<!-- {section} -->\n"), format!("<!-- end of {section} -->"))
}

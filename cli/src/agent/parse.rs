//! The text of a configuration file, in TOML or JSON.

use std::fmt;
use std::path::Path;

use cofferdam::agent::{AgentConfigFile, Key, KeyPart, Problem};
use serde_path_to_error::{Deserializer as Tracked, Segment, Track};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What a file says.
pub(super) struct Parsed<'t> {
    pub(super) file: AgentConfigFile,
    pub(super) locations: Locations<'t>,
}

/// Where in the text the value of a key is. The parser of JSON does not tell.
pub(super) enum Locations<'t> {
    Toml { text: &'t str, table: DeTable<'t> },
    Unknown,
}

/// A mistake in a file. It is displayed as what follows the name of the file, as compilers do: `:3:1: devices: ...`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Line and column, both from 1.
    location: Option<(usize, usize)>,
    /// Empty if the whole of the file is meant.
    key: Key,
    message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.location {
            write!(f, ":{line}:{column}")?;
        }
        f.write_str(": ")?;
        if !self.key.0.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Parses the text of this file, in the format that its name says, or else that it looks like.
pub(super) fn parse<'t>(path: &Path, text: &'t str) -> Result<Parsed<'t>, Mistake> {
    let extension = path.extension().unwrap_or_default();
    let is_json = if extension.eq_ignore_ascii_case("json") {
        true
    } else if extension.eq_ignore_ascii_case("toml") {
        false
    } else {
        text.trim_start().starts_with('{')
    };
    if is_json { json(text) } else { toml(text) }
}

fn json(text: &str) -> Result<Parsed<'_>, Mistake> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut track = Track::new();
    let result = AgentConfigFile::from_table(Tracked::new(&mut deserializer, &mut track));
    match result.and_then(|file| deserializer.end().map(|()| file)) {
        Ok(file) => Ok(Parsed { file, locations: Locations::Unknown }),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let message = error.to_string();
            let message = message.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&message);
            // Where something is missing at the end of a line, the column is 0.
            let location = (line > 0).then_some((line, column.max(1)));
            Err(Mistake { location, key: key(&track.path()), message: message.into() })
        }
    }
}

fn toml(text: &str) -> Result<Parsed<'_>, Mistake> {
    let mistake = |error: &toml::de::Error, key| {
        let location = error.span().map(|span| location(text, span.start));
        Mistake { location, key, message: error.message().lines().collect::<Vec<_>>().join("; ") }
    };
    let table = DeTable::parse(text).map_err(|error| mistake(&error, Key(Vec::new())))?;
    let deserializer = toml::Deserializer::from(table.clone());
    let mut track = Track::new();
    let file = AgentConfigFile::from_table(Tracked::new(deserializer, &mut track))
        .map_err(|error| mistake(&error, key(&track.path())))?;
    Ok(Parsed { file, locations: Locations::Toml { text, table: table.into_inner() } })
}

/// The key that leads where an error was.
fn key(path: &serde_path_to_error::Path) -> Key {
    let part = |segment: &Segment| match segment {
        Segment::Seq { index } => Some(KeyPart::Index(*index)),
        Segment::Map { key } => Some(KeyPart::Name(key.clone())),
        // There are none.
        Segment::Enum { .. } | Segment::Unknown => None,
    };
    Key(path.iter().filter_map(part).collect())
}

/// The line and the column of a byte, both from 1.
fn location(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or(before);
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

impl Locations<'_> {
    /// The mistake that a problem is, with its place in the text.
    pub(super) fn mistake(&self, problem: Problem) -> Mistake {
        let Problem { key, message } = problem;
        Mistake { location: self.find(&key), key, message }
    }

    /// Where a key is, or the last that is in the text of those that lead to it.
    fn find(&self, key: &Key) -> Option<(usize, usize)> {
        let Self::Toml { text, table } = self else { return None };
        let (first, rest) = key.0.split_first()?;
        let KeyPart::Name(name) = first else { return None };
        let mut found = table.get(&name[..])?;
        for part in rest {
            match element(found, part) {
                Some(value) => found = value,
                None => break,
            }
        }
        Some(location(text, found.span().start))
    }
}

fn element<'v, 't>(value: &'v Spanned<DeValue<'t>>, part: &KeyPart) -> Option<&'v Spanned<DeValue<'t>>> {
    match (value.get_ref(), part) {
        (DeValue::Table(table), KeyPart::Name(name)) => table.get(&name[..]),
        (DeValue::Array(array), KeyPart::Index(index)) => array.get(*index),
        _ => None,
    }
}

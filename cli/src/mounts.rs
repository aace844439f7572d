//! `cofferdam mounts`: a mount table for people.

pub(crate) mod tables;

use std::collections::HashSet;
use std::io::{self, Write as _};
use std::path::Path;

use cofferdam::mountinfo::{Entry, ParseError, Table};
use cofferdam::{UnixPath, UnixPathBuf};
use cofferdam_view::arrivals::Arrivals;
use cofferdam_view::difference::{self, Difference};
use cofferdam_view::host::{Host, Namespace};
use cofferdam_view::tree::leading_to;
use cofferdam_view::{Look, json, text};
use serde::Serialize;

use self::tables::{Source, Text};
use crate::arguments::MountsArguments;
use crate::run::Failure;

/// The mounts can't be shown.
#[derive(Debug, thiserror::Error)]
enum MountsError {
    #[error("cannot read the mounts in {name}: {error}")]
    Parse { name: String, error: ParseError },
    #[error("cannot resolve {}: {error}", .path.display())]
    Resolve { path: Box<Path>, error: io::Error },
    #[error("{} must be an absolute path without `..`, as it is looked up in the table alone", .0.display())]
    NotAbsolute(Box<Path>),
    #[error("no mount in the table has {}", .0.display())]
    NotMounted(Box<Path>),
    #[error("cannot print the mounts: {0}")]
    Print(io::Error),
}

/// The exit status of `--diff` if there is a difference, as with diff(1).
const DIFFERENT: i32 = 1;

/// Prints the mounts. Gives the exit status.
pub(crate) fn print(arguments: &MountsArguments) -> Result<i32, Failure> {
    let source = Source::of(arguments.file.as_deref(), arguments.chosen.pid);
    let mut texts = vec![source.read()?];
    if !arguments.this_namespace && arguments.diff.is_none() {
        texts.extend(source.others());
    }
    let host = host(&texts)?;
    // The locale is as libraries for C see it; nobody else has one.
    let look = Look { is_ascii: arguments.ascii || !has_unicode(), has_colors: true };
    let (output, status) = if let Some(file) = &arguments.diff {
        let before = [Source::File(file).read()?];
        difference(&self::host(&before)?, &host, arguments, look)?
    } else if let Some(path) = &arguments.peers_of {
        let resolved = resolve(&source, path)?;
        let arrivals = Arrivals::of(&host, &resolved).ok_or_else(|| MountsError::NotMounted(path.as_path().into()))?;
        let text = || arrivals.text(&host, look);
        (in_either_form(arguments, || json::arrivals(&host, &arrivals), text)?, 0)
    } else {
        let chosen = chosen(&source, &host, arguments)?;
        let is_chosen = |mount: &Entry<'_>| chosen.as_ref().is_none_or(|chosen| chosen.contains(&mount.id()));
        let json = || json::mounts(&host, is_chosen);
        (in_either_form(arguments, json, || text::tree(&host, is_chosen, look))?, 0)
    };
    write(&output)?;
    Ok(status)
}

/// To standard output.
pub(crate) fn write(output: &str) -> Result<(), Failure> {
    match anstream::stdout().write_all(output.as_bytes()) {
        // Who reads no further has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(MountsError::Print(error).into()),
        _ => Ok(()),
    }
}

pub(crate) fn host(texts: &[Text]) -> Result<Host<'_>, Failure> {
    Ok(Host::new(texts.iter().map(namespace).collect::<Result<_, _>>()?))
}

pub(crate) fn namespace(text: &Text) -> Result<Namespace<'_>, Failure> {
    match Table::parse(&text.bytes) {
        Ok(table) => Ok(Namespace { name: text.name.clone(), table }),
        Err(error) => Err(MountsError::Parse { name: text.path.clone(), error }.into()),
    }
}

fn difference(
    before: &Host<'_>,
    after: &Host<'_>,
    arguments: &MountsArguments,
    look: Look,
) -> Result<(String, i32), Failure> {
    let (old, new) = (&before.namespaces()[0].table, &after.namespaces()[0].table);
    let difference = Difference::between(old, new);
    let json = || json::difference(&difference, before, after);
    let output = in_either_form(arguments, json, || difference::text(&difference, old, new, look))?;
    Ok((output, if difference.is_none() { 0 } else { DIFFERENT }))
}

fn in_either_form<J: Serialize>(
    arguments: &MountsArguments,
    json: impl FnOnce() -> J,
    text: impl FnOnce() -> String,
) -> Result<String, Failure> {
    Ok(if arguments.json { format!("{}\n", serde_json::to_string_pretty(&json())?) } else { text() })
}

/// The ids of the mounts that are to be shown; `None` for all.
fn chosen(source: &Source<'_>, host: &Host<'_>, arguments: &MountsArguments) -> Result<Option<HashSet<u32>>, Failure> {
    let table = &host.namespaces()[0].table;
    Ok(if let Some(path) = &arguments.containing {
        let resolved = resolve(source, path)?;
        Some(leading_to(table, &resolved).ok_or_else(|| MountsError::NotMounted(path.as_path().into()))?)
    } else if let Some(path) = &arguments.chosen.under {
        Some(table.at_or_below(&resolve(source, path)?).map(Entry::id).collect())
    } else {
        None
    })
}

/// A path as it stands in the table: of our own files, links are followed; those of others are out of reach.
pub(crate) fn resolve(source: &Source<'_>, path: &Path) -> Result<UnixPathBuf, Failure> {
    let bytes = match source {
        Source::Ourselves => {
            let resolved = std::fs::canonicalize(path);
            resolved.map_err(|error| MountsError::Resolve { path: path.into(), error })?.into_os_string()
        }
        Source::Process(_) | Source::File(_) => path.as_os_str().to_owned(),
    };
    let resolved = UnixPath::new(bytes.as_encoded_bytes()).to_path_buf();
    let leads_up = resolved.as_bytes().split(|byte| *byte == b'/').any(|name| name == b"..");
    if resolved.is_absolute() && !leads_up { Ok(resolved) } else { Err(MountsError::NotAbsolute(path.into()).into()) }
}

/// Whether the locale has the characters that trees are drawn with.
pub(crate) fn has_unicode() -> bool {
    let set = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set).unwrap_or_default().to_lowercase();
    !cfg!(unix) || locale.contains("utf-8") || locale.contains("utf8")
}

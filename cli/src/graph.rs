//! `cofferdam graph`: pictures of mount tables.

use std::collections::HashSet;
use std::path::PathBuf;

use cofferdam::mountinfo::Entry;
use cofferdam_view::graph::{Picture, dot, mermaid, svg};
use cofferdam_view::host::{Host, Position};

use crate::arguments::{GraphArguments, GraphFormat};
use crate::mounts::tables::{Source, Text};
use crate::mounts::{host, resolve, write};
use crate::run::Failure;

/// Prints the picture. Gives the exit status.
pub(crate) fn print(arguments: &GraphArguments) -> Result<i32, Failure> {
    let source = Source::of(arguments.file.first().map(PathBuf::as_path), arguments.chosen.pid);
    let mut texts = vec![source.read()?];
    for file in arguments.file.iter().skip(1) {
        let other = Source::File(file);
        texts.push(Text { name: other.name(), ..other.read()? });
    }
    if arguments.all_namespaces {
        texts.extend(source.others());
    }
    // A namespace that is alone needs no name.
    if texts.len() > 1 {
        texts[0].name = source.name();
    }
    let host = host(&texts)?;
    let under = arguments.chosen.under.as_deref().map(|path| resolve(&source, path)).transpose()?;
    let table = &host.namespaces()[0].table;
    let shown: Option<HashSet<u32>> = under.map(|path| table.at_or_below(&path).map(Entry::id).collect());
    let related = Related::of(&host, |mount| shown.as_ref().is_none_or(|shown| shown.contains(&mount.id())));
    let picture = Picture::of(&host, |position, _| related.0.contains(&position));
    write(&match arguments.format {
        GraphFormat::Svg => svg(&picture),
        GraphFormat::Dot => dot(&picture),
        GraphFormat::Mermaid => mermaid(&picture),
    })?;
    Ok(0)
}

/// The mounts that are to be shown: of the namespace that is looked at those that are chosen, of others those that receive
/// from them, or send to them.
struct Related(HashSet<Position>);

impl Related {
    fn of(host: &Host<'_>, is_chosen: impl Fn(&Entry<'_>) -> bool) -> Self {
        let entries = host.namespaces()[0].table.entries();
        let chosen = entries.iter().enumerate().filter(|(_, mount)| is_chosen(mount));
        let mut related: HashSet<Position> = chosen.map(|(entry, _)| Position { namespace: 0, entry }).collect();
        let groups: HashSet<u32> = related
            .iter()
            .map(|position| host.mount(*position))
            .flat_map(|mount| [mount.peer_group(), mount.master()])
            .flatten()
            .collect();
        for group in groups {
            let others = host.group(group).into_iter().map(|receiver| receiver.position);
            related.extend(others.filter(|position| position.namespace != 0));
        }
        Self(related)
    }
}

//! `cofferdam plan`: what a container will do to a host, before it does it.
//!
//! The host's mount table is loaded into the simulated kernel, and there the same code runs that would run here. What the
//! table does not tell, which is what is on the disks, is found out as it is asked for (`prediction`): on this machine by
//! looking (`disks`), of a table from elsewhere by taking for given what the arguments name (`given`). Nothing is changed.

mod disks;
mod explain;
mod given;
mod json;
mod knowledge;
mod life;
mod prediction;
mod report;
mod wanted;
mod warnings;

use std::rc::Rc;

use cofferdam::kernel::Bytes;
use cofferdam::layout::Layout;
use cofferdam::messages::ContainerId;
use cofferdam::mountinfo::Table;
use cofferdam_view::Look;

use self::disks::Disks;
use self::given::Given;
use self::knowledge::Knowledge;
use self::prediction::{Outcome, Prediction, predict};
use self::wanted::Wanted;
use crate::agent::Agent;
use crate::arguments::PlanArguments;
use crate::host;
use crate::mounts::tables::{Source, Text};
use crate::mounts::{has_unicode, namespace, write};
use crate::run::Failure;

/// Prints what would happen. Gives the exit status.
pub(crate) fn print(arguments: &PlanArguments) -> Result<i32, Failure> {
    let agent = arguments.container.agent.agent()?;
    let wanted = Wanted::of(arguments)?;
    let source = Source::of(arguments.mountinfo.as_deref(), None);
    let text = source.read()?;
    let others = source.others();
    let knowledge = knowledge(arguments, &wanted, &agent.config.layout, &text)?;
    let prediction = predict(&text, &*knowledge, &wanted, &agent)?;
    let planned = Planned {
        prediction: &prediction,
        others: &others,
        agent: &agent,
        is_saved: source.is_saved(),
        explains: arguments.explain,
    };
    let output = if arguments.json {
        format!("{}\n", serde_json::to_string_pretty(&json::report(&planned)?)?)
    } else {
        report::text(&planned, Look { is_ascii: arguments.ascii || !has_unicode(), has_colors: true })?
    };
    write(&output)?;
    Ok(match prediction.outcome()? {
        Outcome::NoChange => 0,
        Outcome::Changes => 1,
        Outcome::WouldFail => 2,
    })
}

/// What is planned, and what is known of the host.
#[derive(Clone, Copy)]
struct Planned<'p> {
    prediction: &'p Prediction,
    /// The tables of the host's other mount namespaces.
    others: &'p [Text],
    agent: &'p Agent,
    /// Whether the table is a copy, so that nothing but the table is known of the host.
    is_saved: bool,
    /// Whether it is to be shown why calls fail.
    explains: bool,
}

/// What would be there if a container that is there was made anew: the host's table, and the container's own.
pub(crate) fn made_anew(id: &ContainerId, agent: &Agent, text: &Text) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let wanted = Wanted::Again { id: id.clone() };
    let prediction = predict(text, &*this_machine(&Table::parse(&text.bytes)?)?, &wanted, agent)?;
    match (prediction.error, prediction.meanwhile, prediction.begun) {
        (None, Some(meanwhile), Some(begun)) => {
            Ok((meanwhile, begun.linux.mountinfo_table(begun.task).unwrap_or_default()))
        }
        (error, ..) => Err(error.unwrap_or_else(|| "its program would not be executed".to_owned()).into()),
    }
}

/// Who knows what is on the disks.
fn knowledge(
    arguments: &PlanArguments,
    wanted: &Wanted,
    layout: &Layout,
    text: &Text,
) -> Result<Box<dyn Knowledge>, Failure> {
    let table = namespace(text)?.table;
    if arguments.mountinfo.is_some() { Ok(Box::new(Given::new(&table, wanted, layout))) } else { this_machine(&table) }
}

fn this_machine(table: &Table<'_>) -> Result<Box<dyn Knowledge>, Failure> {
    let (kernel, users) = host::this_machine()?;
    let executable = std::env::current_exe().map_or_else(|_| Bytes::from(given::COFFERDAM), path_of);
    let directory = std::env::current_dir().map_or_else(|_| Bytes::from("/"), path_of);
    Ok(Box::new(Disks::new(kernel, Rc::from(users), table, executable, directory)))
}

fn path_of(path: std::path::PathBuf) -> Bytes {
    Bytes(path.into_os_string().into_encoded_bytes())
}

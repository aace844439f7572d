//! ps(1) of procps, from the proc that the process sees.

mod format;
mod options;
pub(super) mod process;

use format::{Column, print};
use options::{Arguments, Selection};
use process::Process;

use super::support::users::Names;
use crate::execution::Execution;

/// What procps exits with if there is no proc.
const NO_PROC: i32 = 47;

/// ps(1)
pub(crate) async fn ps(execution: &mut Execution) -> i32 {
    let users = Names::users(&execution.process);
    let words = execution.arguments.get(1..).unwrap_or_default().to_vec();
    let arguments = match Arguments::parse(&words, &users) {
        Ok(arguments) => arguments,
        Err(options::Mistake::NotSimulated(option)) => {
            execution.report([b"option '", &option[..], b"' is not simulated"].concat());
            return 1;
        }
        Err(options::Mistake::Usage(text)) => {
            execution.report_line([b"error: ", &text[..]].concat());
            execution.report_line(options::USAGE);
            return 1;
        }
    };
    let Some(processes) = process::all(execution).await else {
        execution.report_line("Error, do this: mount -t proc proc /proc");
        return NO_PROC;
    };
    let own = cofferdam::kernel::Kernel::geteuid(&execution.process).unwrap_or_default();
    let selected: Vec<&Process> = processes.iter().filter(|process| is_selected(process, &arguments, own)).collect();
    let found = !selected.is_empty();
    print(execution, &arguments, &users, &selected);
    i32::from(!found)
}

/// No process of the simulation has a terminal: those without one are all.
fn is_selected(process: &Process, arguments: &Arguments, own: u32) -> bool {
    let is_meant = |selection: &Selection| match selection {
        Selection::All => true,
        Selection::WithTerminal => false,
        Selection::Pids(pids) => pids.contains(&process.pid),
        Selection::Parents(pids) => pids.contains(&process.parent),
        Selection::Names(names) => names.contains(&process.name),
        Selection::EffectiveUsers(users) => users.contains(&process.effective_user),
        Selection::RealUsers(users) => users.contains(&process.user),
        Selection::Own => process.effective_user == own,
    };
    if arguments.selections.is_empty() {
        process.effective_user == own
    } else {
        arguments.selections.iter().any(is_meant)
    }
}

/// The columns of a list of names, in their order, some with a heading: `pid,user=WHO`. The error is what is said then.
fn columns(list: &[u8]) -> Result<Vec<Column>, Vec<u8>> {
    let is_separator = |byte: &u8| matches!(byte, b',' | b' ');
    let list = list.strip_suffix(b",").unwrap_or(list);
    let mut columns = Vec::new();
    for item in list.split(is_separator) {
        let mut parts = item.splitn(2, |byte| *byte == b'=');
        let (name, heading) = (parts.next().unwrap_or_default(), parts.next());
        if name.is_empty() {
            return Err(b"improper format list".to_vec());
        }
        let unknown = || [b"unknown user-defined format specifier \"", name, b"\""].concat();
        let mut column = Column::named(name).ok_or_else(unknown)?;
        if let Some(heading) = heading {
            column.set_heading(heading);
        }
        columns.push(column);
    }
    Ok(columns)
}

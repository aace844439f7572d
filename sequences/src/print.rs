//! What the simulated kernel does for a saved sequence, printed.

use std::io::{self, Write};

use cofferdam::kernel::Errno;
use cofferdam_vfs_sim::{Linux, Process};
use serde::Serialize;

use crate::observation::{Observation, Tables};
use crate::script::{Line, shown};
use crate::sequence::{Item, Plan, TaskIndex};
use crate::simulated::{Machine, Simulation};
use crate::universe::{CapabilitiesAtStart, PreparationError, Privileges, User, give_up_limits};

/// The memory of the machine that is simulated, in bytes: the same whatever machine that happens on.
const MEMORY: u64 = 8 << 30;

/// In which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Calls as strace prints them, and mount tables, byte for byte as they are
    #[default]
    Text,
    /// A JSON object a line, for each call and each look at the mount tables: results in full
    Json,
}

/// The simulated kernel can't be brought into the state that sequences begin with: a bug.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BootError {
    /// It has other capabilities.
    #[error("giving up CAP_SYS_RESOURCE failed: {0}")]
    Capabilities(Errno),
    /// A call failed.
    #[error(transparent)]
    Preparation(#[from] PreparationError),
}

/// A machine for sequences, whose user is root.
pub fn boot(privileges: Privileges) -> Result<Simulation, BootError> {
    boot_machine(privileges, &Machine::new(MEMORY, |_| true))
}

/// One that is like another.
pub fn boot_machine(privileges: Privileges, machine: &Machine) -> Result<Simulation, BootError> {
    let init = Process::init(Linux::with_memory(machine.memory));
    give_up_limits(&init).map_err(BootError::Capabilities)?;
    let capabilities = CapabilitiesAtStart::read(&init).map_err(BootError::Capabilities)?;
    Ok(Simulation::new(privileges, User { uid: 0, gid: 0 }, &capabilities, machine)?)
}

/// Carries out a plan, and prints what comes of each of its items. Gives whether the simulation did not break.
pub fn print(simulation: &Simulation, plan: &Plan, format: Format, output: &mut dyn Write) -> io::Result<bool> {
    let mut kernel = simulation.begin(plan.universe);
    let mut is_whole = true;
    for item in &plan.items {
        let seen = kernel.carry_out(item);
        is_whole &= !matches!(seen, Observation::Broken(_));
        match format {
            Format::Text => print_as_text(item, &seen, output)?,
            Format::Json => print_as_json(item, &seen, output)?,
        }
    }
    Ok(is_whole)
}

fn print_as_text(item: &Item, seen: &Observation, output: &mut dyn Write) -> io::Result<()> {
    match (item, seen) {
        (Item::Step(index, step), Observation::Returned(_)) => {
            writeln!(output, "{}", Line { index: *index, step, result: Some(seen) })
        }
        (Item::Step(index, step), _) => {
            writeln!(output, "{}: {}", Line { index: *index, step, result: None }, shown(Some(step), seen))
        }
        // As bytes: not every path is text.
        (Item::Look(task), Observation::Looked(Ok(Tables { mountinfo, mounts }))) => {
            for (name, table) in [("mountinfo", mountinfo), ("mounts", mounts)] {
                writeln!(output, "task {task}  /proc/self/{name}:")?;
                output.write_all(&table.0)?;
            }
            Ok(())
        }
        (Item::Look(task), _) => writeln!(output, "task {task}  mount tables: {}", shown(None, seen)),
    }
}

/// A line of the JSON.
#[derive(Serialize)]
struct Record<'a> {
    /// The step; none for a look at the mount tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<usize>,
    task: TaskIndex,
    seen: &'a Observation,
}

fn print_as_json(item: &Item, seen: &Observation, output: &mut dyn Write) -> io::Result<()> {
    let step = match item {
        Item::Step(index, _) => Some(*index),
        Item::Look(_) => None,
    };
    serde_json::to_writer(&mut *output, &Record { step, task: item.task(), seen })?;
    writeln!(output)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use cofferdam::kernel::{Call, CloneFlags, MountFlags};

    use super::*;
    use crate::sequence::{Action, Looks, Sequence, Step};

    fn printed(privileges: Privileges, format: Format) -> String {
        let mount = Call::Mount {
            source: Some("/a".into()),
            target: "/b".into(),
            filesystemtype: None,
            mountflags: MountFlags::MS_BIND,
            data: None,
        };
        let steps = vec![
            Step { task: 0, action: Action::Fork { child: 1, flags: CloneFlags::CLONE_NEWNS } },
            Step { task: 0, action: Action::Call(mount) },
            Step { task: 2, action: Action::Call(Call::Getpid {}) },
        ];
        let plan = Sequence { steps, ..Sequence::default() }.plan(Looks::AtTheEnd);
        let mut output = Vec::new();
        assert!(print(&boot(privileges).unwrap(), &plan, format, &mut output).unwrap());
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn every_call_is_shown_with_its_result_and_every_table() {
        for privileges in [Privileges::Root, Privileges::UserNamespace] {
            let text = printed(privileges, Format::Text);
            let (calls, tables) = text.split_once("task 0  /proc/self/mountinfo:\n").unwrap();
            assert_eq!(
                calls,
                "  0  task 0  clone3(CLONE_NEWNS) -> task 1\n  \
                   1  task 0  mount(\"/a\", \"/b\", NULL, MS_BIND, NULL) = 0\n  \
                   2  task 2  getpid(): passed over\n"
            );
            let (first, second) = tables.split_once("task 1  /proc/self/mountinfo:\n").unwrap();
            assert!(first.contains(" /a /b rw,noatime - tmpfs root rw,mode=755\n"), "{first}");
            assert!(first.contains("task 0  /proc/self/mounts:\nroot / tmpfs rw,noatime,mode=755 0 0\n"), "{first}");
            assert!(!second.contains(" /b "), "{second}");
        }
    }

    #[test]
    fn json_has_a_line_for_each_call_and_each_look() {
        let text = printed(Privileges::Root, Format::Json);
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[0]["step"], 0);
        assert_eq!(lines[1], serde_json::json!({ "step": 1, "task": 0, "seen": { "Returned": { "Ok": "Done" } } }));
        assert_eq!(lines[2]["seen"], "Skipped");
        assert!(lines[3]["seen"]["Looked"]["Ok"]["mountinfo"].is_string());
        assert_eq!(lines[4].get("step"), None);
    }
}

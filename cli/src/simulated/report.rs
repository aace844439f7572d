//! The report of a run on a simulated host, for people.

mod access;
mod layout;
mod mounts;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write as _;

use cofferdam::UnixPath;
use cofferdam::mountinfo::Table;
use cofferdam_vfs_sim::sample;

use self::access::{Access, Attempts};
use self::layout::Section;
use self::mounts::{Changes, Mounts};
use super::container::{Identity, Reach, attempts};
use super::session::Begun;
use crate::agent::Agent;
use crate::arguments::RunArguments;
use crate::run::Failure;

/// The report can't be printed.
#[derive(Debug, thiserror::Error)]
#[error("cannot print the report: {0}")]
struct ReportError(std::io::Error);

/// What is known of a run.
#[derive(Clone, Copy)]
pub(super) struct Report<'a> {
    pub(super) arguments: &'a RunArguments,
    pub(super) agent: &'a Agent,
    /// The host's mount table.
    pub(super) before: &'a [u8],
    pub(super) begun: &'a Begun,
    pub(super) after: &'a [u8],
}

/// Prints the report to standard output.
pub(super) fn print(report: Report<'_>) -> Result<(), Failure> {
    let text = text(report)?;
    match std::io::stdout().write_all(text.as_bytes()) {
        // Who reads no further has seen enough.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(ReportError(error).into()),
        _ => Ok(()),
    }
}

fn text(report: Report<'_>) -> Result<String, Failure> {
    let Report { agent, before, begun, after, .. } = report;
    let seen = begun.linux.mountinfo_table(begun.task).unwrap_or_default();
    let during = begun.linux.mountinfo_table(begun.linux.init()).unwrap_or_default();
    let seen = Table::parse(&seen)?;
    // What the program has printed is before.
    let mut text = String::from(if begun.was_carried_out { "\n" } else { "" });
    writeln!(text, "{}", Section("The mounts that the program sees"))?;
    writeln!(text, "{}", Mounts(seen.entries()))?;
    if let (Some(identity), Some(reach)) = (Identity::of(begun), Reach::of(begun, &seen, &HashSet::new())) {
        writeln!(text, "{}", access(&identity, &reach))?;
    }
    writeln!(text, "{}", Section("Ways out, each of them tried"))?;
    writeln!(text, "{}", Attempts(&attempts(begun, &seen, &agent.config.layout.work_dir)))?;
    writeln!(text, "{}", Section("The host's mounts before and after"))?;
    let changes = Changes::new(&Table::parse(before)?, &Table::parse(&during)?, &Table::parse(after)?);
    writeln!(text, "{changes}")?;
    remarks(&mut text, report)?;
    Ok(text)
}

/// What a program is allowed to reach, with a heading.
pub(crate) fn access(identity: &Identity, reach: &Reach) -> String {
    format!("{}\n{}", Section("What the program is allowed to reach"), Access { identity, reach })
}

/// A heading.
pub(crate) fn section(title: &str) -> String {
    format!("{}\n", Section(title))
}

/// What is different from a real host.
fn remarks(text: &mut String, report: Report<'_>) -> std::fmt::Result {
    let Report { arguments, begun, .. } = report;
    if !begun.was_carried_out {
        let program = begun.path.as_path().as_bytes().escape_ascii().to_string();
        writeln!(text, "{program} was executed, and did nothing: on the simulated kernel no programs run.")?;
    }
    if arguments.container.rootfs.is_none() {
        let rootfs = sample::ROOTFS;
        writeln!(text, "Without --rootfs the program sees the host's files; a root filesystem is in {rootfs}.")?;
    }
    if !arguments.container.persistent_volume.is_empty() {
        writeln!(text, "The simulated host is gone now, and the next one is fresh: volumes begin empty each time.")?;
    }
    Ok(())
}

/// A path as mountinfo writes it: in one word, of printable characters.
fn shown(path: &UnixPath) -> String {
    path.as_bytes().escape_ascii().to_string()
}

//! How the cost of each call grows with the mounts, peers, namespaces and filesystems there are: on the simulated kernel
//! and on the real one, side by side. The real one needs root, and is left out without it.
#![forbid(unsafe_code)]

mod calls;
mod measure;
mod memory;
mod report;
mod scene;

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use cofferdam_benches::Machine;
use cofferdam_linux::LinuxKernel;
use cofferdam_vfs_sim::Process;

use crate::measure::{Costs, Selection, measure};
use crate::report::{HEADING, Row, Verdict};
use crate::scene::Dimension;

/// How the cost of each call grows with the mounts, peers, namespaces and filesystems there are.
///
/// A call is "constant" on the simulated kernel if the largest size costs less than twice as much as the smallest; "no
/// worse" if its cost grows at most 1.2 times as much as on the real kernel, and "no worse at last" if that holds from the
/// second largest to the largest size: the real kernel spends so much on any call that at small sizes growth does not show.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only among these.
    #[arg(long, value_name = "NAME")]
    dimension: Option<String>,
    /// Only calls with this in their name.
    #[arg(long, value_name = "TEXT")]
    call: Option<String>,
    /// Only from so many on.
    #[arg(long, value_name = "N", default_value_t = 0)]
    smallest: usize,
    /// Only up to so many.
    #[arg(long, value_name = "N", default_value_t = usize::MAX)]
    largest: usize,
    /// Save all that was measured.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Leave the real kernel out.
    #[arg(long)]
    simulated_only: bool,
}

#[derive(Subcommand)]
enum Command {
    /// How much memory mounts and snapshots of the simulated kernel take.
    Memory,
    /// The same for one number of mounts, in this process.
    #[command(hide = true)]
    MemoryOf { mounts: usize },
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Memory) => memory::report(),
        Some(Command::MemoryOf { mounts }) => memory::row(mounts),
        None => grow(&arguments),
    }
}

fn grow(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { smallest, largest, .. } = *arguments;
    let selection = Selection { call: arguments.call.clone(), smallest, largest };
    let is_wanted =
        |dimension: &Dimension| arguments.dimension.as_ref().is_none_or(|name| dimension.name() == name.as_str());
    // Before the real kernel's part: after it the process is elsewhere.
    let json = arguments.json.as_ref().map(File::create).transpose()?;
    let mut rows = Vec::new();
    println!("{HEADING}");
    for dimension in Dimension::ALL.into_iter().filter(is_wanted) {
        for row in side_by_side(dimension, &selection, arguments.simulated_only)? {
            println!("{row}");
            rows.push(row);
        }
    }
    if let Some(file) = json {
        serde_json::to_writer_pretty(file, &rows)?;
    }
    let worse = rows.iter().filter(|row| row.verdict() == Verdict::Worse).count();
    println!("\n{} calls, {worse} of them worse", rows.len());
    Ok(())
}

fn side_by_side(dimension: Dimension, selection: &Selection, simulated_only: bool) -> Result<Vec<Row>, Box<dyn Error>> {
    let simulated = measure("simulated", dimension, selection, Machine::simulated)?;
    let mut real: Vec<Costs> = simulated.iter().map(|_| Vec::new()).collect();
    if !simulated_only {
        match measure("real", dimension, selection, Machine::real) {
            Ok(costs) => real = costs,
            Err(errno) => eprintln!("the real kernel is left out, as this needs root: {errno}"),
        }
    }
    let calls = selection.calls::<Process>(dimension);
    debug_assert_eq!(calls.len(), selection.calls::<LinuxKernel>(dimension).len());
    let rows = calls.iter().zip(simulated).zip(real);
    Ok(rows.map(|((call, simulated), real)| Row { call: call.name, dimension, simulated, real }).collect())
}

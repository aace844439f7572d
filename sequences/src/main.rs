//! Carries out saved sequences on the simulated kernel, and prints what it does.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use cofferdam_sequences::print::{BootError, Format, boot, print};
use cofferdam_sequences::saved::Saved;
use cofferdam_sequences::sequence::Looks;
use cofferdam_sequences::universe::Privileges;

/// The exit status when the simulation broke.
const BROKEN: u8 = 1;
/// The exit status when sequences could not be carried out.
const FAILED: u8 = 2;

/// Carries out saved sequences on the simulated kernel, and prints what every call returns, and the mount tables of all
/// processes.
///
/// The machine that is simulated is the same everywhere, and so is what is printed.
#[derive(Debug, Parser)]
#[command(name = "simulate", version, max_term_width = 120)]
struct Arguments {
    /// Files with sequences, as `conform` saves them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print the mount tables after every call, whatever the files say
    #[arg(long)]
    check_every_call: bool,
    /// Privileges of the sequences [default: what the file says, or else root]
    #[arg(long, value_enum)]
    privileges: Option<Privileges>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, thiserror::Error)]
enum SimulateError {
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{}: not a saved sequence: {error}", path.display())]
    Format { path: PathBuf, error: serde_json::Error },
    #[error("the simulated kernel: {0}")]
    Boot(#[from] BootError),
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

fn main() -> ExitCode {
    match simulate(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(BROKEN),
        Err(error) => {
            eprintln!("simulate: {error}");
            ExitCode::from(FAILED)
        }
    }
}

fn simulate(arguments: &Arguments) -> Result<bool, SimulateError> {
    // What panics is part of what is printed.
    std::panic::set_hook(Box::new(|_| {}));
    let mut output = io::BufWriter::new(io::stdout().lock());
    let mut is_whole = true;
    for path in &arguments.files {
        let saved = read(path)?;
        let privileges = arguments.privileges.or(saved.privileges).unwrap_or(Privileges::Root);
        let looks = if arguments.check_every_call { Looks::AfterEveryCall } else { saved.looks() };
        let simulation = boot(privileges)?;
        if arguments.format == Format::Text {
            writeln!(output, "{}:", path.display())?;
        }
        is_whole &= print(&simulation, &saved.sequence.plan(looks), arguments.format, &mut output)?;
    }
    output.flush()?;
    Ok(is_whole)
}

fn read(path: &Path) -> Result<Saved, SimulateError> {
    let text = std::fs::read(path).map_err(|error| SimulateError::File { path: path.into(), error })?;
    serde_json::from_slice(&text).map_err(|error| SimulateError::Format { path: path.into(), error })
}

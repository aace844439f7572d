//! Proves that the simulated kernel does, call by call, what the real one does.
#![forbid(unsafe_code)]

mod arguments;
mod campaign;
mod compare;
mod coverage;
mod exhaustive;
mod explore;
mod generate;
mod progress;
mod random;
mod real;
mod replay;
mod report;
mod shrink;
mod story;
mod trial;
mod worker;
mod workers;

use std::process::ExitCode;

use clap::Parser;
use cofferdam_sequences::{census, control, errors, observation, saved, script, sequence, simulated, universe};

use arguments::{Command, CommandLine};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit status when the kernels differ.
const DIFFERENT: u8 = 1;
/// The exit status when they could not be compared.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::Random(arguments) => random::random(&arguments).map_err(|error| error.to_string()),
        Command::Replay(arguments) => replay::replay(&arguments).map_err(|error| error.to_string()),
        Command::Coverage(arguments) => random::coverage(&arguments).map_err(|error| error.to_string()),
        Command::Exhaustive(arguments) => exhaustive::exhaustive(&arguments).map_err(|error| error.to_string()),
        Command::Explore(arguments) => explore::explore(&arguments).map_err(|error| error.to_string()),
        Command::Worker => return ExitCode::from(worker::run()),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(DIFFERENT),
        Err(error) => {
            eprintln!("conform: {error}");
            ExitCode::from(FAILED)
        }
    }
}

//! cofferdam on the command line.
#![forbid(unsafe_code)]

mod agent;
mod arguments;
mod generated;
mod graph;
mod held;
mod host;
mod launch;
mod launcher;
#[cfg_attr(
    not(all(target_os = "linux", not(feature = "sim"))),
    allow(dead_code, reason = "only a real kernel keeps what one command leaves to the next")
)]
mod life_cycle;
mod log;
mod mounts;
mod plan;
mod progress;
mod replay;
mod run;
mod schema;
mod sim;
mod simulated;
mod streams;
#[cfg_attr(
    not(all(target_os = "linux", not(feature = "sim"))),
    allow(dead_code, reason = "simulated hosts have no time")
)]
mod timings;
mod trace;
mod verify;

use std::process::ExitCode;

use arguments::Command;

/// The exit status when cofferdam itself failed, as with env(1) and container runtimes.
const FAILED: u8 = 125;

fn main() -> ExitCode {
    log::begin();
    let result = match arguments::parse() {
        Ok(Command::Run(arguments)) => host::run(&arguments),
        Ok(Command::Plan(arguments)) => plan::print(&arguments),
        Ok(Command::Verify(arguments)) => verify::print(&arguments),
        Ok(Command::Sim(arguments)) => sim::sim(&arguments),
        Ok(Command::Mounts(arguments)) => mounts::print(&arguments),
        Ok(Command::Graph(arguments)) => graph::print(&arguments),
        Ok(Command::Replay(arguments)) => replay::replay(&arguments),
        Ok(Command::Launcher(arguments)) => host::launch(&arguments),
        Ok(Command::LifeCycle(command)) => return life_cycle::run(&command),
        Ok(Command::Schema(arguments)) => schema::print(&arguments),
        Ok(Command::Completions(arguments)) => generated::completions(&arguments),
        Ok(Command::Man(arguments)) => generated::man(&arguments),
        Err(usage) => {
            // Standard error may be closed; the exit status still tells.
            let _ = usage.print();
            return ExitCode::from(if usage.use_stderr() { FAILED } else { 0 });
        }
    };
    match result {
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(FAILED)),
        Err(error) => {
            eprintln!("cofferdam: {error}");
            ExitCode::from(FAILED)
        }
    }
}

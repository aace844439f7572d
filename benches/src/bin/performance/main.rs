//! How fast cofferdam is, next to what would be used instead: `benches/run`.
//!
//! A run has hosts with few and with many mounts (`host`), each a process in a mount namespace of its own, which measure
//! one thing each time they are asked (`launch_host`, `agent_host`, `racer`). They are asked in turns (`measure`), so that
//! whatever else the machine does meets all alike; then there are tables (`tables`) and plots (`plot`).
//!
//! The launcher is compared with a C program that makes the same system calls: they are recorded (`recorder`) and
//! written as a list that it carries out (`encode`).
#![forbid(unsafe_code)]

mod agent;
mod agent_host;
mod arguments;
mod command_line;
mod encode;
mod host;
mod in_a_row;
mod launch_host;
mod launcher;
mod measure;
#[path = "../../../../core/tests/scenarios/world/oldest.rs"]
mod oldest;
mod plot;
mod racer;
mod recorder;
mod results;
mod tables;

use std::error::Error;
use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use arguments::{Arguments, Process, RunArguments};
use clap::Parser as _;
use results::Results;

/// Whatever went wrong.
type Failure = Box<dyn Error>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.process {
        None => run(arguments.run),
        Some(Process::LaunchHost(host)) => launch_host::run(&host).map(|()| 0),
        Some(Process::AgentHost(host)) => agent_host::run(&host).map(|()| 0),
        Some(Process::Launcher { once: true, launch_info }) => launcher::once(&launch_info).map(|()| 0),
        Some(Process::Launcher { once: false, launch_info }) => launcher::serve(&launch_info).map(|()| 0),
        Some(Process::Recorder { launch_info }) => recorder::record(&launch_info),
    };
    match done {
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(1)),
        Err(error) => {
            eprintln!("performance: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: RunArguments) -> Result<i32, Failure> {
    let beside = std::env::current_exe()?.with_file_name("cofferdam");
    arguments.programs.cofferdam.get_or_insert(beside);
    let missing = measure::missing(&arguments);
    for skipped in &missing {
        println!("skipped: {}: {}", skipped.name, skipped.reason);
    }
    if !missing.is_empty() {
        // Where it decides whether a change lands, nothing may be skipped unnoticed.
        return Ok(i32::from(std::env::var_os("CI").is_some_and(|value| value == "true")));
    }
    let results = measure::measure(&arguments, progress)?;
    progress("");
    print!("{}", tables::markdown(&results));
    if let Some(path) = &arguments.json {
        fs::write(path, serde_json::to_string_pretty(&results)? + "\n")
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    if let Some(directory) = &arguments.plots {
        draw(directory, &results)?;
    }
    // Others may not work here; that the C program makes the calls of the launcher must hold everywhere.
    let is_out_of_step = results.skipped.iter().any(|skipped| skipped.name == "replay");
    Ok(i32::from(is_out_of_step && arguments.programs.replayer.is_some()))
}

fn draw(directory: &Path, results: &Results) -> Result<(), Failure> {
    let Results { launches, agent, .. } = results;
    let plots = [
        ("launch.svg", "What a launch costs", launches, &tables::LAUNCHES[..]),
        ("agent.svg", "What an agent's operations cost, with 10 mounts a container", agent, &tables::OPERATIONS[..]),
    ];
    fs::create_dir_all(directory).map_err(|error| format!("cannot create {}: {error}", directory.display()))?;
    for (file, title, rows, order) in plots {
        let path = directory.join(file);
        if let Some(svg) = plot::by_mounts(title, rows, order) {
            fs::write(&path, svg).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        }
    }
    Ok(())
}

/// What is going on, for a person who waits.
fn progress(what: &str) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let _ = write!(stderr, "\r\x1b[K{what}");
    }
}

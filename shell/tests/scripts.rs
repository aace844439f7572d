//! People's own kind of scripts, in both worlds: each file of `tests/scripts` is run by the shell on a simulated machine,
//! and by the system's sh with util-linux as root, and gives the same lines and the same exit status.
//!
//! Both are compared with what the real system said, which is kept beside the script (`NAME.out`), so that the simulated
//! half can be tested where there is no root. After a script was written or changed, this writes it anew:
//!
//! ```sh
//! UPDATE_EXPECTED=1 cargo test -p cofferdam-shell --test scripts real
//! ```
//!
//! A script starts in an empty tmpfs, `/mnt/work`, in which nothing is shared. The real one has a mount and a pid namespace
//! of its own. What differs from machine to machine (numbers, times, the order of numbers) is not for a script to print.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use support::Transcript;

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for script in files("sh") {
        let name = script.file_stem().unwrap().to_string_lossy().into_owned();
        #[cfg(target_os = "linux")]
        trials.push({
            let script = script.clone();
            Trial::test(format!("real::{name}"), move || real(&script))
        });
        trials.push(Trial::test(format!("simulated::{name}"), move || simulated(&script)));
    }
    trials.push(Trial::test("every_expected_output_has_its_script", every_expected_output_has_its_script));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn simulated(script: &Path) -> Result<(), Failed> {
    compare(script, &support::simulated::run(script), "simulated")
}

#[cfg(target_os = "linux")]
fn real(script: &Path) -> Result<(), Failed> {
    if let Err(reason) = support::real::check() {
        support::real::skip(script, reason);
        return Ok(());
    }
    let transcript = support::real::run(script);
    if std::env::var_os("UPDATE_EXPECTED").is_some_and(|value| value == "1") {
        std::fs::write(expected_file(script), transcript.to_string())?;
    }
    compare(script, &transcript, "real")
}

/// Line by line.
fn compare(script: &Path, transcript: &Transcript, world: &str) -> Result<(), Failed> {
    let file = expected_file(script);
    let expected = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let (expected, transcript) = (String::from_utf8_lossy(&expected).into_owned(), transcript.to_string());
    if expected == transcript {
        return Ok(());
    }
    let difference = similar::TextDiff::from_lines(&expected, &transcript);
    Err(difference.unified_diff().header("expected", world).to_string().into())
}

fn every_expected_output_has_its_script() -> Result<(), Failed> {
    for output in files("out") {
        if !output.with_extension("sh").exists() {
            return Err(format!("{} has no script", output.display()).into());
        }
    }
    Ok(())
}

/// What the real system said.
fn expected_file(script: &Path) -> PathBuf {
    script.with_extension("out")
}

/// The files beside the scripts whose names end so, in order.
fn files(extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(support::directory()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

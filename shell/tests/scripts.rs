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

use rstest::rstest;
use support::Transcript;

/// What the real system said.
fn expected_file(script: &Path) -> PathBuf {
    script.with_extension("out")
}

fn expected(script: &Path) -> String {
    let file = expected_file(script);
    let text = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    String::from_utf8_lossy(&text).into_owned()
}

fn compare(script: &Path, transcript: &Transcript, world: &str) {
    let (expected, transcript) = (expected(script), transcript.to_string());
    if expected != transcript {
        let difference = similar::TextDiff::from_lines(&expected, &transcript);
        panic!("{}", difference.unified_diff().header("expected", world));
    }
}

#[cfg(target_os = "linux")]
#[rstest]
fn real(#[files("tests/scripts/*.sh")] script: PathBuf) {
    if let Err(reason) = support::real::check() {
        support::real::skip(&script, reason);
        return;
    }
    let transcript = support::real::run(&script);
    if std::env::var_os("UPDATE_EXPECTED").is_some_and(|value| value == "1") {
        std::fs::write(expected_file(&script), transcript.to_string()).unwrap();
    }
    compare(&script, &transcript, "real");
}

#[test]
fn every_expected_output_has_its_script() {
    let scripts = support::directory();
    for entry in std::fs::read_dir(&scripts).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "out") {
            assert!(path.with_extension("sh").exists(), "{} has no script", path.display());
        }
    }
}

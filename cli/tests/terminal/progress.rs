//! How far a command has come, shown while it is at work.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use indicatif::{InMemoryTerm, TermLike as _};
use tempfile::TempDir;

use crate::support::Terminal;

/// Much longer than it takes until something is shown.
const LONG: Duration = Duration::from_secs(3);

/// `cofferdam replay` where nothing is a terminal, and how long it takes.
fn replay(log: &Path) -> (Output, Duration) {
    let begun = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_cofferdam")).arg("replay").arg(log).output().unwrap();
    (output, begun.elapsed())
}

/// A log that takes long, however fast it is replayed here, with what is printed in the end.
fn long_log(directory: &Path) -> (PathBuf, String) {
    let log = directory.join("log");
    let mut pairs = 5_000;
    loop {
        let pair = "\
9 mount(\"/srv\", \"/mnt\", NULL, MS_BIND, NULL) = 0
9 umount2(\"/mnt\", 0) = 0
";
        fs::write(&log, pair.repeat(pairs)).unwrap();
        let (output, duration) = replay(&log);
        assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
        if duration > LONG {
            return (log, String::from_utf8(output.stdout).unwrap());
        }
        pairs *= 2;
    }
}

#[test]
fn what_takes_long_is_shown_at_a_terminal_until_it_is_over() {
    let directory = TempDir::new().unwrap();
    let (log, expected) = long_log(directory.path());
    let (status, shown) = Terminal::start_command("replay", directory.path(), &[log.to_str().unwrap()]).end_with_all();
    assert!(status.success());
    assert!(shown.contains("000 events, ") && shown.contains(" left"), "{shown:?}");
    let screen = InMemoryTerm::new(24, 200);
    screen.write_str(&shown).unwrap();
    assert_eq!(screen.contents(), expected.trim_end(), "{shown:?}");
}

#[test]
fn what_is_soon_over_shows_nothing() {
    let directory = TempDir::new().unwrap();
    let log = directory.path().join("log");
    fs::write(&log, "9 chdir(\"/\") = 0\n").unwrap();
    let (output, _) = replay(&log);
    let (status, shown) = Terminal::start_command("replay", directory.path(), &[log.to_str().unwrap()]).end_with_all();
    assert!(status.success());
    assert_eq!(shown.replace("\r\n", "\n"), String::from_utf8(output.stdout).unwrap());
}

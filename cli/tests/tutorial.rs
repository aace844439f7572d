//! The tutorial: all that it shows was printed by the commands that it names.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

const TUTORIAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/propagation.md");

/// What no command prints.
const END: &str = "@@ end of a command @@";

/// What the commands print, each, when they are typed one after the other.
fn typed(commands: &[String]) -> Vec<String> {
    let mut script = String::from("exec 2>&1\n");
    for command in commands {
        // $! stays the same after echo.
        script.extend([command, "\necho '", END, "'\n"]);
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_cofferdam"))
        .arg("sim")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stderr, b"", "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let end = format!("{END}\n");
    let printed: Vec<_> = text.split_terminator(&end).map(str::to_owned).collect();
    assert_eq!(printed.len(), commands.len(), "{text}");
    printed
}

/// With `UPDATE_TUTORIAL=1`, what is printed is written down.
#[test]
fn what_is_shown_is_what_is_printed() {
    let text = fs::read_to_string(TUTORIAL).unwrap();
    let parts: Vec<&str> = text.split("```").collect();
    let blocks = parts.iter().skip(1).step_by(2);
    let commands: Vec<String> = blocks
        .flat_map(|block| block.strip_prefix("console\n").unwrap().lines())
        .filter_map(|line| line.strip_prefix("# ").map(str::to_owned))
        .collect();
    assert!(commands.len() > 40, "{commands:#?}");
    let mut printed = commands.iter().zip(typed(&commands));
    let mut expected = String::new();
    for (number, part) in parts.iter().enumerate() {
        if number % 2 == 0 {
            expected.push_str(part);
            continue;
        }
        expected.push_str("```console\n");
        let commands = part.lines().filter(|line| line.starts_with("# ")).count();
        for (command, output) in printed.by_ref().take(commands) {
            expected.extend(["# ", command, "\n", &output]);
        }
        expected.push_str("```");
    }
    if std::env::var_os("UPDATE_TUTORIAL").is_some() {
        fs::write(TUTORIAL, &expected).unwrap();
    }
    assert_eq!(fs::read_to_string(TUTORIAL).unwrap(), expected, "UPDATE_TUTORIAL=1 writes down what is printed");
}

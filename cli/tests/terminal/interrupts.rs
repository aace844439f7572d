//! Ctrl-C and Ctrl-D.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;

use crate::support::{CTRL_C, CTRL_D, PROMPT, Terminal};

/// The command itself is shown as well when it is typed in: what it prints is spelled differently there.
#[rstest]
#[case::the_shell_itself("while :; do :; done")]
#[case::a_function("f() { while :; do :; done; }; f")]
#[case::a_subshell("(while :; do :; done)")]
#[case::programs("yes | cat >/dev/null")]
#[case::a_program_that_never_waits("cat /dev/zero >/dev/null")]
#[case::input("cat")]
#[case::input_of_the_shell("read line")]
#[case::input_of_a_substitution("x=$(cat)")]
#[case::a_fifo("mkfifo /tmp/fifo; cat </tmp/fifo")]
#[case::the_background("while :; do :; done & wait")]
fn ctrl_c_ends_what_runs_and_not_the_machine(#[case] command: &str) {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(home.path(), &[]);
    terminal.line(&format!("mkdir /kept; x=1; echo rea''dy; {command}; echo never''theless"));
    terminal.wait_for("ready");
    terminal.interrupt();
    terminal.line("echo status=$? $(ls -d /kept)");
    let between = terminal.wait_for("status=130 /kept");
    assert!(!between.contains("nevertheless"), "{between:?}");
    terminal.line("kill $! 2>/dev/null; exit 7");
    assert_eq!(terminal.end().code(), Some(7));
}

#[test]
fn what_is_saved_after_an_interrupt_is_the_machine_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    let mut terminal = Terminal::start(home.path(), &["--state", state.to_str().unwrap()]);
    terminal.line("mkdir /kept; echo rea''dy; cat");
    terminal.wait_for("ready");
    terminal.interrupt();
    terminal.press(CTRL_D);
    assert_eq!(terminal.end().code(), Some(130), "the status of the last command");
    assert_eq!(String::from_utf8_lossy(&on_state(&state, "ls -d /kept").stdout), "/kept\n");
}

#[test]
fn ctrl_c_gives_a_line_up() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(home.path(), &[]);
    terminal.press("echo never");
    terminal.wait_for("never");
    terminal.press(CTRL_C);
    terminal.wait_for(PROMPT);
    // In the second line of a command, too.
    terminal.line("if true");
    terminal.wait_for("if true\r\n");
    terminal.press(CTRL_C);
    terminal.wait_for(PROMPT);
    terminal.line("echo status=$?");
    terminal.wait_for("status=130");
    terminal.wait_for(PROMPT);
    terminal.press(CTRL_D);
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn ctrl_d_ends_the_input_of_a_program_and_the_next_one_has_more() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(home.path(), &[]);
    for word in ["one", "two"] {
        terminal.line("echo rea''dy; sed s/^/got-/; echo en''d");
        terminal.wait_for("ready\r\n");
        terminal.press(&format!("{word}\n{CTRL_D}"));
        terminal.wait_for(&format!("got-{word}"));
        terminal.wait_for("end");
        terminal.wait_for(PROMPT);
    }
    terminal.press(CTRL_D);
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn a_shell_in_the_shell_has_a_prompt_and_survives_ctrl_c() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(home.path(), &[]);
    terminal.line("unshare -m");
    terminal.wait_for("\n# ");
    terminal.line("mount -t tmpfs none /mnt; echo rea''dy; while :; do :; done");
    terminal.wait_for("ready");
    terminal.interrupt();
    terminal.line("echo status=$?; mountpoint /mnt");
    terminal.wait_for("status=130\r\n/mnt is a mountpoint");
    terminal.wait_for(PROMPT);
    terminal.press(CTRL_D);
    terminal.wait_for("simulated:/# ");
    terminal.line("mountpoint /mnt");
    terminal.wait_for("/mnt is not a mountpoint");
}

/// There is nobody to go on for.
#[test]
fn a_script_is_ended_by_the_signal_and_its_state_file_is_as_before() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    assert!(on_state(&state, "mkdir /before").status.success());
    let mut child = Command::new(env!("CARGO_BIN_EXE_cofferdam"))
        .args(["sim", "--state", state.to_str().unwrap(), "-c", "mkdir /after; echo ready; while :; do :; done"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::SIGINT as i32));
    let output = on_state(&state, "ls -d /before /after");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "/before\n");
}

/// Commands on the machine in a state file. Whoever else had it locked would be waited for.
fn on_state(state: &Path, commands: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cofferdam"))
        .args(["sim", "--state", state.to_str().unwrap(), "-c", commands])
        .output()
        .unwrap()
}

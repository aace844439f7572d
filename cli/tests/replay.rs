//! `cofferdam replay` on recorded logs: on every platform, by anybody.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use rstest::rstest;
use serde_json::{Value, json};

const MOUNTINFO: &str = "29 1 8:2 / / rw shared:1 - ext4 /dev/sda2 rw\n30 29 0:31 / /srv rw - tmpfs tmpfs rw\n";

fn cofferdam(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cofferdam")).arg("replay").args(arguments).output().unwrap()
}

/// With the log on standard input.
fn replayed(log: &str, arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let mountinfo = directory.path().join("mountinfo");
    std::fs::write(&mountinfo, MOUNTINFO).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cofferdam"));
    command.arg("replay").arg("--mountinfo").arg(&mountinfo).args(arguments).arg("-");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(log.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn text(output: &Output, status: i32) -> String {
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(status), &b""[..]), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_difference_is_told_and_is_the_exit_status() {
    let log = "9 chdir(\"/srv\") = 0\n9 umount2(\"/srv\", 0) = 0\n9 chdir(\"/\") = 0\n";
    let expected = "\
line 2, process 9: the first call that gives something else
  recorded   umount2(\"/srv\", 0) = 0
  simulated  = -1 EBUSY (Device or resource busy)
  a process has a file, its working directory or its root on the mount, and MNT_DETACH is not given (propagate_mount_busy())
  the working directory of process 9 is there

1 call was replayed with the same result, 0 left out; 0 files of the traced machine became known by them.
The call above gave something else.
";
    assert_eq!(text(&replayed(log, &[]), 1), expected);
    let report: Value = serde_json::from_str(&text(&replayed(log, &["--json"]), 1)).unwrap();
    let difference = json!({
        "line": 2,
        "pid": 9,
        "call": "umount2(\"/srv\", 0) = 0",
        "simulated": "-1 EBUSY (Device or resource busy)",
        "reason": "a process has a file, its working directory or its root on the mount, and MNT_DETACH is not given \
                   (propagate_mount_busy())",
        "detail": "the working directory of process 9 is there",
    });
    assert_eq!(report["difference"], difference);
    assert_eq!(report["replayed"], 1);
}

#[test]
fn the_first_process_can_be_somebody_else_somewhere_else() {
    let log = "9 geteuid() = 1000\n9 mkdir(\"a\", 0755) = 0\n9 rmdir(\"/home/alice/a\") = 0\n";
    assert_eq!(replayed(log, &["--user", "1000:100", "--directory", "/home/alice"]).status.code(), Some(0));
    assert_eq!(replayed(log, &["--directory", "/home/alice"]).status.code(), Some(1));
    assert_eq!(replayed(log, &["--user", "1000"]).status.code(), Some(1));
}

#[test]
fn without_a_table_the_machine_is_the_sample() {
    let log = "9 mount(\"none\", \"/srv/busybox\", \"tmpfs\", 0, NULL) = 0\n";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace");
    std::fs::write(&path, log).unwrap();
    let printed = text(&cofferdam(&[path.to_str().unwrap()]), 0);
    assert!(printed.ends_with("No call gave anything else.\n"), "{printed}");
}

#[rstest]
#[case(&["/no/such/trace"], "cannot read the log /no/such/trace: ")]
#[case(&["--mountinfo", "/no/such/table", "-"], "cannot read the mount table /no/such/table: ")]
#[case(&["--mountinfo", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "-"], "is no mount table: ")]
#[case(&[concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")], "is no log of strace: line 1: ")]
#[case(&["--user", "alice", "-"], "is no number of a user or group")]
#[case(&[], "<TRACE>")]
fn what_can_not_be_replayed(#[case] arguments: &[&str], #[case] message: &str) {
    let output = cofferdam(arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(125), true), "{error}");
    assert!(error.contains(message), "{error}");
}

//! `cofferdam mounts` on saved tables: on every platform, by anybody.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rstest::rstest;
use serde_json::{Value, json};

const KUBERNETES_NODE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/kubernetes-node.mountinfo");

const TABLE: &str = "\
20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
21 20 8:1 /srv /mnt/a rw shared:7 - ext4 /dev/sda1 rw
22 20 8:1 /srv /mnt/b rw master:7 - ext4 /dev/sda1 rw
23 22 0:9 / /mnt/b rw - tmpfs \x1b[2J rw
";

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cofferdam"));
    command.arg("mounts").args(arguments).env("LC_ALL", "C.UTF-8");
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "TERM"] {
        command.env_remove(name);
    }
    command
}

/// With a table on standard input.
fn mounts_of(table: &str, arguments: &[&str]) -> Output {
    let arguments: Vec<_> = ["--file", "-"].iter().chain(arguments).copied().collect();
    let mut child =
        command(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One that does not get so far does not read it.
    let _ = child.stdin.take().unwrap().write_all(table.as_bytes());
    child.wait_with_output().unwrap()
}

#[track_caller]
fn text(output: &Output) -> String {
    assert_eq!(output.stderr, b"", "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_tree() {
    let expected = "\
TARGET      SOURCE           TYPE   OPTIONS      PROPAGATION
/           /dev/sda1        ext4   rw,relatime  shared 1
├─/mnt/a    /dev/sda1[/srv]  ext4   rw           shared 7; sends to /mnt/b
└─/mnt/b    /dev/sda1[/srv]  ext4   rw           slave of 7 (/mnt/a); hidden
  └─/mnt/b  \\u{1b}[2J        tmpfs  rw           private
";
    assert_eq!(text(&mounts_of(TABLE, &[])), expected);
}

#[test]
fn characters_and_colors_are_those_that_can_be_seen() {
    let ascii = text(&mounts_of(TABLE, &["--ascii"]));
    assert!(ascii.is_ascii() && ascii.contains("|-/mnt/a") && ascii.contains("`-/mnt/b"), "{ascii}");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("table");
    std::fs::write(&file, TABLE).unwrap();
    let file = file.to_str().unwrap();
    assert!(text(&command(&["--file", file]).env("LC_ALL", "C").output().unwrap()).is_ascii() || !cfg!(unix));
    assert!(!text(&command(&["--file", file]).output().unwrap()).contains('\x1b'));
    let colored = text(&command(&["--file", file]).env("CLICOLOR_FORCE", "1").output().unwrap());
    // The source is no command to the terminal.
    assert!(colored.contains("\x1b[36mshared 7\x1b[0m") && !colored.contains("\x1b[2J"), "{colored:?}");
}

#[rstest]
#[case(&["--containing", "/mnt/b/x"], &["/", "/mnt/b", "/mnt/b"])]
#[case(&["--containing", "/mnt/a"], &["/", "/mnt/a"])]
#[case(&["--under", "/mnt"], &["/mnt/a", "/mnt/b", "/mnt/b"])]
#[case(&["--under", "/nowhere"], &[])]
fn some_of_them(#[case] arguments: &[&str], #[case] targets: &[&str]) {
    let with_json: Vec<_> = arguments.iter().chain(&["--json"]).copied().collect();
    let json: Value = serde_json::from_slice(&mounts_of(TABLE, &with_json).stdout).unwrap();
    let found: Vec<_> =
        json["mounts"].as_array().unwrap().iter().map(|mount| mount["target"].as_str().unwrap()).collect();
    assert_eq!(found, targets);
    let shown = text(&mounts_of(TABLE, arguments));
    assert_eq!(shown.lines().count(), targets.len() + 1, "{shown}");
}

#[test]
fn for_machines() {
    let json: Value = serde_json::from_slice(&mounts_of(TABLE, &["--json"]).stdout).unwrap();
    let expected = json!({
        "id": 22, "parent": 20, "target": "/mnt/b", "source": "/dev/sda1", "root": "/srv", "device": "8:1", "type": "ext4",
        "options": ["rw"], "super_options": ["rw"], "peer_group": null, "master": 7, "propagate_from": null,
        "unbindable": false, "hidden": true,
    });
    assert_eq!(json["mounts"][2], expected);
    let receivers =
        json!([{"role": "peer", "id": 21, "target": "/mnt/a"}, {"role": "slave", "id": 22, "target": "/mnt/b"}]);
    assert_eq!(json["peer_groups"][1], json!({"peer_group": 7, "receivers": receivers}));
}

#[test]
fn who_receives_what_is_mounted_at_a_path() {
    let shown = text(&mounts_of(TABLE, &["--peers-of", "/mnt/a/x"]));
    assert!(shown.starts_with("/mnt/a/x is in the mount /mnt/a (shared 7).\n"), "{shown}");
    assert!(shown.contains("appears at\n  /mnt/b/x  slave, hidden\n"), "{shown}");
    let json: Value = serde_json::from_slice(&mounts_of(TABLE, &["--peers-of", "/mnt/a/x", "--json"]).stdout).unwrap();
    let slave = json!([{"role": "slave", "id": 22, "target": "/mnt/b", "path": "/mnt/b/x", "hidden": true}]);
    assert_eq!((&json["receivers"], &json["senders"], &json["path"]), (&slave, &json!([]), &json!("/mnt/a/x")));
}

#[test]
fn what_is_different() {
    let directory = tempfile::tempdir().unwrap();
    let before = directory.path().join("before");
    std::fs::write(&before, TABLE).unwrap();
    let before = before.to_str().unwrap();
    let same = mounts_of(TABLE, &["--diff", before]);
    assert_eq!(
        (same.status.code(), &*text(&same)),
        (Some(0), "0 added (+), 0 removed (-), 0 changed (~), 4 the same\n")
    );
    let after = TABLE.replace("/ / rw,relatime", "/ / ro,relatime");
    let other = mounts_of(&after, &["--diff", before]);
    assert_eq!(other.status.code(), Some(1));
    assert!(
        text(&other).contains(
            "~  /  /dev/sda1  ext4  ro,relatime  shared 1\n    options: rw,relatime before, now ro,relatime\n"
        )
    );
    let json: Value = serde_json::from_slice(&mounts_of(&after, &["--diff", before, "--json"]).stdout).unwrap();
    let aspect = json!({"what": "options", "before": "rw,relatime", "after": "ro,relatime"});
    assert_eq!((&json["changed"][0]["aspects"][0], &json["unchanged"]), (&aspect, &json!(3)));
}

#[test]
fn a_large_node() {
    let shown = text(&command(&["--file", KUBERNETES_NODE]).output().unwrap());
    assert_eq!(shown.lines().count(), std::fs::read_to_string(KUBERNETES_NODE).unwrap().lines().count() + 1);
}

#[rstest]
#[case::no_table("20 1 8:1 / / rw\n", &[], "cannot read the mounts in -: ")]
#[case::not_absolute(TABLE, &["--under", "mnt"], "mnt must be an absolute path without `..`")]
#[case::leads_up(TABLE, &["--containing", "/mnt/../a"], "/mnt/../a must be an absolute path")]
#[case::in_none("21 20 8:1 / /mnt rw - ext4 /dev/sda1 rw\n", &["--peers-of", "/srv"], "no mount in the table has /srv")]
#[case::nothing_to_compare_with(TABLE, &["--diff", "/nowhere/file"], "cannot read /nowhere/file: ")]
#[case::too_much(TABLE, &["--pid", "1"], "cannot be used with")]
fn mistakes(#[case] table: &str, #[case] arguments: &[&str], #[case] expected: &str) {
    let output = mounts_of(table, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains(expected) && output.stdout.is_empty(), "{output:?}");
    assert_eq!(output.status.code(), Some(125));
}

#[test]
fn of_this_machine() {
    let output = command(&["--this-namespace"]).output().unwrap();
    if Path::new("/proc/self/mountinfo").exists() {
        assert!(text(&output).lines().any(|line| line.starts_with("/ ")), "{output:?}");
    } else {
        assert!(String::from_utf8_lossy(&output.stderr).contains("--file"), "{output:?}");
    }
}

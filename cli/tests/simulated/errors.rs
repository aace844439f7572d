//! What can't be done is said in one line, with the exit status of a real run.

use std::fs;

use rstest::rstest;

use super::{KUBERNETES_NODE, run};

#[rstest]
#[case(
    "--rootfs /nope -- sh",
    125,
    "the root filesystem must be an existing directory: cannot open directory \"/nope\": ENOENT"
)]
#[case("--rootfs /etc/passwd -- sh", 125, "ENOTDIR")]
#[case("--rootfs / -- sh", 125, "the root filesystem is the host's root directory")]
#[case("--rootfs /srv/evil -- /bin/true", 125, "\"/srv/evil/dev\" is a symbolic link, which is not followed here")]
#[case("--user bob -- sh", 125, "there is no user \"bob\" on the simulated host, but root, daemon, bin,")]
#[case("--user root:wheel -- sh", 125, "there is no group \"wheel\" on the simulated host")]
#[case("--work-dir /nope -- sh", 125, "work_dir \"/nope\" does not exist")]
#[case("--rootfs /srv/busybox -- nope", 127, "\"nope\": command not found")]
#[case("--rootfs /srv/busybox -- /bin/nope", 127, "\"/bin/nope\": command not found")]
#[case("--rootfs /srv/busybox -- /etc/passwd", 126, "\"/etc/passwd\": cannot execute: EACCES")]
#[case("--mountinfo /nope -- sh", 125, "cannot read the mount table /nope: ")]
fn failures(#[case] arguments: &str, #[case] status: i32, #[case] message: &str) {
    let output = run(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    assert!(stderr.starts_with("cofferdam: ") && stderr.lines().count() == 1, "{stderr}");
    assert!(stderr.contains(message), "{stderr}");
    assert!(output.stdout.is_empty(), "{:?}", String::from_utf8_lossy(&output.stdout));
}

#[rstest]
#[case::not_a_line(12, "1 2 3", "line 12: ")]
#[case::no_parent(7, "700 699 0:99 / /srv/x rw - tmpfs tmpfs rw", "line 7: the parent, 699, is not in the table")]
fn a_broken_table_is_told_by_its_line(#[case] number: usize, #[case] line: &str, #[case] message: &str) {
    let table = fs::read_to_string(KUBERNETES_NODE).unwrap();
    let mut lines: Vec<_> = table.lines().collect();
    lines.insert(number - 1, line);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("table");
    fs::write(&file, lines.join("\n")).unwrap();
    let output = run(&format!("--mountinfo {} -- sh", file.display()));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(125), "{stderr}");
    assert!(stderr.starts_with("cofferdam: ") && stderr.contains("is no mount table: "), "{stderr}");
    assert!(stderr.contains(message), "{stderr}");
}

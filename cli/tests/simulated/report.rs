//! What the report says, which is what the kernel says.

use rstest::rstest;

use super::{Report, report, run};

const BUSYBOX: &str = "--rootfs /srv/busybox -- /bin/sh";

#[test]
fn the_program_sees_a_containers_mounts() {
    let report = report(&format!("--persistent-volume web/db:data {BUSYBOX}"));
    let seen = report.seen();
    let expected = [
        "/ ext4 master:1 rw,relatime,errors=remount-ro /dev/sda2[/srv/busybox]",
        "/proc proc private rw,nosuid,nodev,noexec,relatime proc",
        "/proc/sys proc private ro,nosuid,nodev,noexec,relatime proc[/sys]",
        "/sys sysfs private ro,nosuid,nodev,noexec,relatime sysfs",
        "/sys/fs/cgroup tmpfs private rw,nosuid,nodev,noexec,relatime,mode=755 tmpfs",
        "/dev tmpfs private rw,nosuid,noexec,mode=755 tmpfs",
        "/dev/pts devpts private rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=666 devpts",
        "/dev/shm tmpfs private rw,nosuid,nodev tmpfs",
        "/sys/firmware tmpfs private ro,relatime tmpfs",
    ];
    for line in expected {
        let row: Vec<_> = line.split(' ').collect();
        assert!(seen.contains(&row), "no {line:?} in {seen:#?}");
    }
    let volume = seen.iter().find(|row| row[0] == "/mnt/mesos/sandbox/data").unwrap();
    assert!(volume[2].starts_with("master:"), "it goes when the host unmounts it: {volume:?}");
    assert_eq!(volume[4], "/dev/sda2[/var/lib/cofferdam/volumes/roles/web/db]");
    let outside = seen.iter().filter(|row| row[0].starts_with("/var") || row[0].starts_with("/home"));
    assert_eq!(outside.count(), 0, "{seen:#?}");
}

#[test]
fn a_read_only_volume_can_only_be_read() {
    let arguments = "--persistent-volume web/db:data --persistent-volume web/log:log:ro";
    let report = report(&format!("{arguments} {BUSYBOX}"));
    let seen = report.seen();
    let options = |name: &str| seen.iter().find(|row| row[0] == format!("/mnt/mesos/sandbox/{name}")).unwrap()[3];
    assert!(options("data").starts_with("rw,") && options("log").starts_with("ro,"), "{seen:#?}");
    assert!(report.reached("can write").contains("/mnt/mesos/sandbox/data (1 directory)"));
    assert!(!report.reached("can write").contains("/mnt/mesos/sandbox/log"));
}

#[test]
fn masks_hold_and_nothing_leads_out() {
    let report = report(BUSYBOX);
    assert_eq!(report.attempt("umount /proc/keys"), "EPERM (Operation not permitted)");
    assert_eq!(report.attempt("unshare --user --mount umount /proc/keys"), "EINVAL (Invalid argument)");
    assert_eq!(report.attempt("open /proc/sys/kernel/hostname for writing"), "EROFS (Read-only file system)");
    assert_eq!(report.attempt("mknod disk b 8 0"), "EPERM (Operation not permitted)");
    assert_eq!(report.attempt("ls /proc/1/root/"), "EACCES (Permission denied)");
    assert_eq!(report.attempt("chroot dev; cd ../../../..; chroot ."), "stays inside");
    assert_eq!(report.attempt("ls /var/lib/cofferdam"), "ENOENT (No such file or directory)");
    let empty = report.reached("finds empty");
    for path in ["/proc/acpi", "/proc/keys", "/proc/key-users", "/proc/timer_list", "/sys/firmware"] {
        assert!(empty.contains(path), "{path} is not empty: {empty}");
    }
    assert_eq!(report.reached("sees processes"), "1, 2");
}

/// So that what is told is not told of every container.
#[test]
fn a_container_with_everything_gets_out() {
    let report = report(&format!("--privileged --share-pid {BUSYBOX}"));
    assert_eq!(report.attempt("mount -o remount,bind,rw /proc/sys"), "ALLOWED");
    assert_eq!(report.attempt("mknod disk b 8 0"), "ALLOWED");
    assert_eq!(report.attempt("ls /proc/1/root/"), "LEADS OUTSIDE");
    assert!(report.reached("capabilities").contains("sys_admin"));
    assert_eq!(report.reached("own namespaces"), "mnt");
    assert_eq!(report.reached("finds empty"), "");
}

#[test]
fn users_reach_what_they_may() {
    let root = report(BUSYBOX);
    assert!(root.reached("can write").contains("/ (all 15 directories, all 4 files)"), "{}", root.0);
    assert_eq!(root.reached("runs as"), "root (uid 0), gid 0, no other groups; pid 2 in /mnt/mesos/sandbox");
    let alice = report(&format!("--user alice {BUSYBOX}"));
    assert_eq!(alice.reached("capabilities"), "none");
    assert!(alice.reached("runs as").starts_with("alice (uid 1000), gid 1000, groups 4 100 1000;"), "{}", alice.0);
    let writable = alice.reached("can write");
    assert!(writable.starts_with("/ (in /tmp)") && writable.contains("/mnt/mesos/sandbox (1 directory)"), "{writable}");
    assert!(alice.reached("can't read").starts_with("/root (EACCES)"), "{}", alice.0);
    let other = report(&format!("--user 4000:50 {BUSYBOX}"));
    assert!(other.reached("runs as").starts_with("uid 4000, gid 50, no other groups;"), "{}", other.0);
}

#[test]
fn the_host_stays_as_it_was_but_for_what_the_next_container_needs() {
    let report = report(&format!("--persistent-volume web/db:data {BUSYBOX}"));
    assert_eq!(report.host('-'), Vec::<&str>::new());
    let added = report.host('+');
    let targets: Vec<_> = added.iter().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    let kept = ["/run/cofferdam/containers", "/run/cofferdam/launch", "/run/cofferdam/launch/namespace"];
    assert_eq!(targets, [&["/var/lib/cofferdam", "/var/lib/cofferdam/volumes"], &kept[..]].concat());
    assert!(!added[2].contains("nodev") && added[4].contains(" nsfs "), "{added:?}");
    let lines = report.section("The host's mounts before and after");
    assert!(lines.contains(&"24 mounts: 19 unchanged, 5 added (+), 0 removed (-)."), "{lines:#?}");
    assert_eq!(lines[lines.len() - 3], "While the container was there, 2 mounts more:");
    assert!(lines[lines.len() - 2].contains("/runs/run-2 "), "{lines:#?}");
    assert!(lines[lines.len() - 1].contains("/runs/run-2/data "), "{lines:#?}");
}

#[test]
fn without_a_rootfs_the_hosts_files_are_there() {
    let report = report("-- /bin/true");
    assert!(report.seen().iter().any(|row| row[0] == "/home" && row[2] == "master:32"), "{}", report.0);
    assert_eq!(report.attempt("ls /var/lib/cofferdam"), "ALLOWED");
    assert!(report.0.contains("a root filesystem is in /srv/busybox"), "{}", report.0);
}

#[test]
fn what_does_not_happen_is_said() {
    let Report(text) = report(&format!("--persistent-volume web/db:data {BUSYBOX}"));
    assert!(text.contains("volumes begin empty each time"), "{text}");
    let lines = text.lines().count();
    assert!(lines < 100, "{lines} lines are too many to read");
}

/// The same each time: there is no clock, and no chance.
#[rstest]
#[case("--rootfs /srv/busybox --user alice -- /bin/sh")]
#[case("-- /bin/true")]
fn reports_are_repeatable(#[case] arguments: &str) {
    assert_eq!(run(arguments).stdout, run(arguments).stdout);
}

#[test]
fn other_directories_can_be_said() {
    let report = report("--id c1 --runtime-dir /var/lib/run --work-dir /opt --rootfs /srv/busybox -- sh");
    let seen = report.seen();
    let source = |target: &str| seen.iter().find(|row| row[0] == target).unwrap()[4];
    assert_eq!(source("/dev/null"), "/dev/sda2[/var/lib/run/containers/c1/devices/null]");
    assert!(source("/mnt/mesos/sandbox").starts_with("/dev/sda2[/opt/slaves/"), "{seen:#?}");
    let added = report.host('+');
    assert!(added.iter().all(|line| line.starts_with("+  /var/lib/run/") || line.starts_with("+  /opt")), "{added:?}");
}

#[test]
fn every_call_can_be_traced() {
    let output = run("--trace --env A=b --rootfs /srv/busybox -- sh");
    let trace = String::from_utf8(output.stderr).unwrap();
    for line in [
        "[pid 2] geteuid() = 0",
        r#"[pid 1] pivot_root(".", ".") = 0"#,
        r#"[pid 2] execve("/bin/sh", ["sh"], ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "MESOS_SANDBOX=/mnt/mesos/sandbox", "A=b"]) = 0"#,
    ] {
        assert!(trace.lines().any(|other| other == line), "no {line} in {trace}");
    }
    assert!(!trace.contains(".cofferdam-probe"), "what is looked at for the report is no call of cofferdam");
}

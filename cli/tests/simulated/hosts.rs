//! Simulated hosts with the mounts of real ones.

use super::{KUBERNETES_NODE, report};

#[test]
fn a_busy_host_keeps_its_mounts() {
    let report =
        report(&format!("--mountinfo {KUBERNETES_NODE} --persistent-volume web/db:data --rootfs /srv/busybox -- sh"));
    let seen = report.seen();
    assert_eq!(&seen[0][..2], ["/", "ext4"]);
    assert_eq!(seen[0][4], "/dev/nvme0n1p2[/srv/busybox]");
    assert!(!seen.iter().any(|row| row[0].starts_with("/snap") || row[1] == "overlay"), "{seen:#?}");
    let mounts = std::fs::read_to_string(KUBERNETES_NODE).unwrap().lines().count();
    let lines = report.section("The host's mounts before and after");
    let summary = format!("{} mounts: {mounts} unchanged (not shown), 5 added (+), 0 removed (-).", mounts + 5);
    assert!(lines.contains(&&summary[..]), "{lines:#?}");
    assert_eq!(report.attempt("umount /proc/keys"), "EPERM (Operation not permitted)");
}

#[test]
fn a_host_that_is_read_only_has_its_files_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("table");
    let table = "22 1 8:2 / / ro,relatime shared:1 - squashfs /dev/sda2 ro\n\
                 23 22 0:21 / /proc rw,relatime - proc proc rw\n\
                 24 22 0:22 / /sys rw,relatime - sysfs sysfs rw\n\
                 25 22 0:5 / /dev rw - devtmpfs udev rw,mode=755\n\
                 26 22 0:23 / /run rw - tmpfs tmpfs rw\n\
                 27 22 0:24 / /var rw - tmpfs tmpfs rw\n";
    std::fs::write(&file, table).unwrap();
    let report = report(&format!("--mountinfo {} --rootfs /srv/busybox -- /bin/sh", file.display()));
    assert!(report.seen()[0][3].starts_with("ro,"), "{}", report.0);
    assert!(!report.reached("can write").contains("/ ("), "{}", report.0);
}

#[cfg(target_os = "linux")]
#[test]
fn this_machine() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("table");
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    std::fs::write(&file, &table).unwrap();
    let report = report(&format!("--mountinfo {} --rootfs /srv/busybox -- /bin/sh", file.display()));
    assert!(report.seen().iter().any(|row| row[0] == "/proc/keys"), "{}", report.0);
    let mounts = table.lines().count();
    assert!(report.0.contains(&format!("mounts: {mounts} unchanged")), "{}", report.0);
    assert!(report.0.contains(", 0 removed (-)."), "{}", report.0);
}

//! What is left on the host afterwards: nothing but volumes and what the next container needs as well.

use cofferdam::mountinfo::Table;

use crate::support::table::lines;
use crate::support::{Host, Run, scenario};

fn mounts(host: &Host) -> Vec<String> {
    let text = host.mountinfo();
    let table = Table::parse(&text).unwrap();
    lines(&table, &table)
}

/// Runs a container twice and checks what the first leaves, and that the second leaves nothing.
fn check(host: &Host, run: impl Fn() -> Run, status: i32) {
    let before = mounts(host);
    assert_eq!(run().sh(&format!("exit {status}")).status, status);
    let [work_dir, volumes, containers, launch] =
        ["work", "work/volumes", "run/containers", "run/launch"].map(|name| host.path(name).display().to_string());
    let mut added = mounts(host);
    added.retain(|line| !before.contains(line));
    let expected = [
        (format!("{work_dir} on "), " shared:"),
        (format!("{volumes} on {work_dir}: "), " shared:"),
        (format!("{containers} on "), " private"),
        (format!("{launch} on "), " private"),
        (format!("{launch}/namespace on {launch}: nsfs "), " private"),
    ];
    assert_eq!(added.len(), expected.len(), "{added:?}");
    for (line, (start, propagation)) in added.iter().zip(expected) {
        assert!(line.starts_with(&start) && line.contains(propagation), "{added:?}");
    }

    let (after_first, tree) = (host.mountinfo(), [host.tree("work"), host.tree("run"), host.tree("rootfs")]);
    assert_eq!(run().sh(&format!("exit {status}")).status, status);
    assert_eq!(String::from_utf8(host.mountinfo()).unwrap(), String::from_utf8(after_first).unwrap());
    assert_eq!([host.tree("work"), host.tree("run"), host.tree("rootfs")], tree);
}

#[test]
fn only_what_the_next_container_needs_is_left() {
    scenario("only_what_the_next_container_needs_is_left", |host| {
        let rootfs = host.busybox();
        check(host, || host.run().rootfs(&rootfs).volume("web/db:data"), 0);
    });
}

#[test]
fn the_same_after_a_program_that_failed() {
    scenario("the_same_after_a_program_that_failed", |host| {
        let rootfs = host.busybox();
        check(host, || host.run().rootfs(&rootfs).volume("web/db:data"), 3);
    });
}

#[test]
fn the_same_without_a_root_filesystem() {
    scenario("the_same_without_a_root_filesystem", |host| check(host, || host.run().volume("web/db:data"), 0));
}

#[test]
fn the_same_with_the_hosts_processes() {
    scenario("the_same_with_the_hosts_processes", |host| {
        let rootfs = host.busybox();
        check(host, || host.run().rootfs(&rootfs).volume("web/db:data").arg("--share-pid"), 0);
    });
}

#[test]
fn the_directories_that_are_left_are_known() {
    scenario("the_directories_that_are_left_are_known", |host| {
        host.run()
            .rootfs(host.busybox())
            .volume("web/db:data")
            .sh("touch data/file here; mkdir -p a/b; ln -s / link")
            .success();
        let directory = |name: &str| format!("{:?} 40755 0:0 ", host.path(name));
        let mut expected = vec![format!("{:?} 100644 0:0 \"\"", host.path("work/volumes/roles/web/db/file"))];
        let directories =
            ["work", "work/volumes", "work/volumes/roles", "work/volumes/roles/web", "work/volumes/roles/web/db"];
        expected.extend(directories.map(directory));
        expected.sort();
        assert_eq!(host.tree("work"), expected);
        let lock = format!("{:?} 100600 0:0 \"\"", host.path("run/commands.lock"));
        let launch = ["40700 0:0 ", "100600 0:0 \"\"", "100444 0:0 \"\""];
        let launch = ["run/launch", "run/launch/lock", "run/launch/namespace"].iter().zip(launch);
        let mut expected = vec![directory("run"), lock, directory("run/containers")];
        expected.extend(launch.map(|(name, what)| format!("{:?} {what}", host.path(name))));
        assert_eq!(host.tree("run"), expected);
    });
}

#[test]
fn the_image_gets_only_mount_points() {
    scenario("the_image_gets_only_mount_points", |host| {
        let rootfs = host.busybox();
        // Somebody may have run a container in what this is a copy of.
        std::fs::remove_dir_all(rootfs.join("mnt")).unwrap();
        std::fs::create_dir(rootfs.join("mnt")).unwrap();
        let before = host.tree("rootfs");
        host.run().rootfs(&rootfs).volume("web/db:data").sh("true").success();
        let mut added = host.tree("rootfs");
        assert!(before.iter().all(|line| added.contains(line)));
        added.retain(|line| !before.contains(line));
        let directory = |name: &str| format!("{:?} 40755 0:0 ", rootfs.join(name));
        assert_eq!(added, ["mnt/mesos", "mnt/mesos/sandbox"].map(directory));
    });
}

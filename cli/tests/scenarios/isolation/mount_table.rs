//! `/proc/self/mountinfo` of a container with its own root filesystem, line by line.

use std::path::Path;

use cofferdam::mountinfo::Table;

use crate::support::table::{bound, lines};
use crate::support::{Host, scenario, unix};

#[test]
fn the_mount_table_is_exactly_what_the_behaviour_says() {
    scenario("the_mount_table_is_exactly_what_the_behaviour_says", |host| {
        let rootfs = host.busybox();
        let mut container = host
            .run()
            .rootfs(&rootfs)
            .volume("web/db:data")
            .volume("web/log:log:ro")
            .id("c1")
            .start("cat /proc/self/mountinfo; echo end; read -r _");
        let inside = container.lines_until("end");
        let on_host = host.mountinfo();
        container.finish().success();
        let on_host = Table::parse(&on_host).unwrap();
        let inside = Table::parse(inside.as_bytes()).unwrap();
        // Copies that are attached in their turn may have been taken before.
        let (mut found, mut expected) = (lines(&inside, &on_host), expected(host, &on_host));
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        // Nothing of the container's is sent anywhere.
        assert!(inside.entries().iter().all(|entry| entry.peer_group().is_none()));
    });
}

/// The group of the host's mount at exactly this path.
fn group(path: &Path, host: &Table<'_>) -> u32 {
    let mount = host.containing(unix(path)).unwrap();
    assert_eq!(*mount.mountpoint(), *unix(path));
    mount.peer_group().unwrap()
}

fn expected(host: &Host, table: &Table<'_>) -> Vec<String> {
    let (rootfs, options) = bound(&host.path("rootfs"), table);
    let (sandbox, _) = bound(&host.sandbox("c1"), table);
    let (volume, _) = bound(&host.work_dir().join("volumes/roles/web/db"), table);
    let (read_only_volume, _) = bound(&host.work_dir().join("volumes/roles/web/log"), table);
    let from_sandbox = format!("master:{}", group(&host.sandbox("c1"), table));
    let from_volume = format!("master:{}", group(&host.sandbox("c1").join("data"), table));
    let from_read_only_volume = format!("master:{}", group(&host.sandbox("c1").join("log"), table));
    // A group for each: an unmount of one volume is no business of the other mounts.
    let groups = [&from_sandbox, &from_volume, &from_read_only_volume];
    assert!((1..3).all(|index| !groups[..index].contains(&groups[index])), "{groups:?}");
    let device = |name: &str| {
        let (node, _) = bound(&host.runtime_dir().join("containers/c1/devices").join(name), table);
        format!("/dev/{name} on /dev: {node} rw,relatime {options} private")
    };
    let proc_read_only =
        |path: &str| format!("/proc{path} on /proc: proc proc /proc:{path} ro,nosuid,nodev,noexec,relatime rw private");
    let mut expected = vec![format!("/ on nothing: {rootfs} rw,relatime {options} private")];
    expected.push("/proc on /: proc proc /proc:/ rw,nosuid,nodev,noexec,relatime rw private".into());
    for path in ["/bus", "/fs", "/irq", "/sys", "/sysrq-trigger"] {
        if Path::new("/proc").join(&path[1..]).exists() {
            expected.push(proc_read_only(path));
        }
    }
    // One sysfs for each network namespace, and the container is in the host's.
    expected.extend([
        "/sys on /: sysfs sysfs host/sys:/ ro,nosuid,nodev,noexec,relatime rw private".into(),
        "/sys/fs/cgroup on /sys: tmpfs tmpfs /sys/fs/cgroup:/ rw,nosuid,nodev,noexec,relatime rw,mode=755 private"
            .into(),
        "/dev on /: tmpfs tmpfs /dev:/ rw,nosuid,noexec rw,mode=755 private".into(),
        "/dev/pts on /dev: devpts devpts /dev/pts:/ rw,nosuid,noexec,relatime rw,gid=5,mode=620,ptmxmode=666 private"
            .into(),
        "/dev/shm on /dev: tmpfs tmpfs /dev/shm:/ rw,nosuid,nodev rw private".into(),
    ]);
    expected.extend(["full", "null", "random", "tty", "urandom", "zero"].map(device));
    expected.extend([
        format!("/mnt/mesos/sandbox on /: {sandbox} rw,relatime {options} {from_sandbox}"),
        format!("/mnt/mesos/sandbox/data on /mnt/mesos/sandbox: {volume} rw,relatime {options} {from_volume}"),
        format!(
            "/mnt/mesos/sandbox/log on /mnt/mesos/sandbox: {read_only_volume} ro,relatime {options} \
             {from_read_only_volume}"
        ),
    ]);
    let (null, null_options) = bound(Path::new("/dev/null"), table);
    let null_mount_options = table.containing(unix(Path::new("/dev/null"))).unwrap().mount_options_raw();
    // Its mode and owner are the host's.
    let null_mount_options = String::from_utf8_lossy(null_mount_options).replacen("rw,", "ro,", 1);
    let mut masked_directory = None;
    for path in super::masks::masked_paths() {
        let parent = if path.starts_with("/proc/") { "/proc" } else { "/sys" };
        expected.push(if Path::new(path).is_dir() {
            // One for all that is there.
            let first = masked_directory.get_or_insert(path);
            format!("{path} on {parent}: tmpfs tmpfs {first}:/ ro,relatime ro private")
        } else {
            format!("{path} on {parent}: {null} {null_mount_options} {null_options} private")
        });
    }
    expected
}

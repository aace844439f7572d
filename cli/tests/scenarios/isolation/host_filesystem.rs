//! A container without a root filesystem of its own: it sees the host's.

use cofferdam::mountinfo::Table;

use crate::support::scenario;
use crate::support::table::{bound, lines};

#[test]
fn it_sees_the_hosts_mounts_its_volume_and_a_proc_of_its_own() {
    scenario("it_sees_the_hosts_mounts_its_volume_and_a_proc_of_its_own", |host| {
        let mut container =
            host.run().id("c1").volume("web/db:data").start("cat /proc/self/mountinfo; echo end; read -r _");
        let inside = container.lines_until("end");
        let on_host = host.mountinfo();
        container.finish().success();
        let on_host = Table::parse(&on_host).unwrap();
        let inside = Table::parse(inside.as_bytes()).unwrap();
        // All that the host has but the file of a namespace, what is shared there as slaves, and last a proc on the host's.
        let on_host_lines = lines(&on_host, &on_host).into_iter().filter(|line| !line.contains(": nsfs nsfs "));
        let mut expected: Vec<String> = on_host_lines.map(|line| line.replace(" shared:", " master:")).collect();
        let (volume, options) = bound(&host.work_dir().join("volumes/roles/web/db"), &on_host);
        let sandbox = host.sandbox("c1").display().to_string();
        let start = format!("{sandbox}/data on {sandbox}: {volume} rw,relatime {options} master:");
        assert_eq!(expected.iter().filter(|line| line.starts_with(&start)).count(), 1, "{expected:#?}");
        expected.push("/proc on /proc: proc proc /proc:/ rw,nosuid,nodev,noexec,relatime rw private".into());
        let mut found = lines(&inside, &on_host);
        // The first proc in the container's own table is the host's.
        let last =
            found.pop().unwrap().replace("/proc on /proc: proc proc hosts/proc", "/proc on /proc: proc proc /proc");
        found.push(last);
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
    });
}

#[test]
fn only_its_own_processes_are_in_proc() {
    scenario("only_its_own_processes_are_in_proc", |host| {
        let script = "for process in /proc/[0-9]*; do echo ${process#/proc/}; done; echo $$ $PPID";
        assert_eq!(host.run().sh(script).success(), "1\n2\n2 1\n");
        assert_eq!(host.run().rootfs(host.busybox()).sh(script).success(), "1\n2\n2 1\n");
    });
}

#[test]
fn it_works_in_its_sandbox_on_the_host() {
    scenario("it_works_in_its_sandbox_on_the_host", |host| {
        let sandbox = host.sandbox("c1").display().to_string();
        let outcome = host.run().id("c1").volume("web/db:data").sh("pwd; echo $MESOS_SANDBOX; echo kept >data/file");
        assert_eq!(outcome.success(), format!("{sandbox}\n{sandbox}\n"));
        assert_eq!(std::fs::read(host.work_dir().join("volumes/roles/web/db/file")).unwrap(), b"kept\n");
        assert!(!host.sandbox("c1").exists());
    });
}

#[test]
fn the_hosts_devices_work() {
    scenario("the_hosts_devices_work", |host| {
        let script = "echo x >/dev/null; head -c 2 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c";
        assert_eq!(host.run().sh(script).success(), "2\n4\n");
    });
}

#[test]
fn what_it_mounts_stays_inside() {
    scenario("what_it_mounts_stays_inside", |host| {
        let script = "mkdir mine && mount -t tmpfs tmpfs mine && mount -t tmpfs tmpfs data && echo mounted; read -r _";
        let mut container = host.run().id("c1").volume("web/db:data").arg("--privileged").start(script);
        assert_eq!(container.line(), "mounted");
        let table = host.mountinfo();
        let table = Table::parse(&table).unwrap();
        // The sandbox and the volume, and nothing else.
        assert_eq!(table.at_or_below(crate::support::unix(&host.sandbox("c1"))).count(), 2);
        container.finish().success();
    });
}

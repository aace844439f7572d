//! `--share-pid` and `--trace`.

use cofferdam::mountinfo::Table;

use crate::support::scenario;

#[test]
fn share_pid_shows_the_hosts_processes_and_masks_nothing() {
    scenario("share_pid_shows_the_hosts_processes_and_masks_nothing", |host| {
        for run in [host.run().rootfs(host.busybox()), host.run()] {
            let script = format!(
                "[ -d /proc/{} ] && echo seen; readlink /proc/self/ns/pid; cat /proc/self/mountinfo",
                std::process::id()
            );
            let text = run.arg("--share-pid").sh(&script).success();
            let mut lines = text.lines();
            assert_eq!(lines.next(), Some("seen"));
            let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap();
            assert_eq!(lines.next(), namespace.to_str());
            let rest = lines.collect::<Vec<_>>().join("\n");
            let table = Table::parse(rest.as_bytes()).unwrap();
            for path in super::masks::masked_paths() {
                assert!(
                    !table.entries().iter().any(|entry| *entry.mountpoint() == *cofferdam::UnixPath::new(path)),
                    "{table:?}"
                );
            }
        }
    });
}

#[test]
fn without_share_pid_the_namespace_is_a_new_one() {
    scenario("without_share_pid_the_namespace_is_a_new_one", |host| {
        let namespaces = ["mnt", "pid"];
        for run in [host.run().rootfs(host.busybox()), host.run()] {
            let found = run.sh("for name in mnt pid; do readlink /proc/self/ns/$name; done").success();
            for (found, name) in found.lines().zip(namespaces) {
                let ours = std::fs::read_link(format!("/proc/thread-self/ns/{name}")).unwrap();
                assert!(found.starts_with(name) && Some(found) != ours.to_str(), "{found} {ours:?}");
            }
            assert_eq!(found.lines().count(), 2);
        }
    });
}

#[test]
fn trace_prints_the_calls_of_all_processes_and_leaves_stdout_alone() {
    scenario("trace_prints_the_calls_of_all_processes_and_leaves_stdout_alone", |host| {
        let run = host.run().rootfs(host.busybox()).volume("web/db:data").arg("--trace");
        let outcome = run.sh("echo printed; echo kept >data/file; exit 3");
        assert_eq!((outcome.status, outcome.text().as_str()), (3, "printed\n"));
        let mut processes: Vec<&str> = Vec::new();
        for line in outcome.stderr.lines() {
            let (pid, call) = line.strip_prefix("[pid ").and_then(|line| line.split_once("] ")).unwrap();
            assert!(pid.parse::<u32>().is_ok(), "{line}");
            let (name, rest) = call.split_once('(').unwrap();
            assert!(
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                "{line}"
            );
            assert!(rest.contains(") = ") || rest.ends_with(") ..."), "{line}");
            if !processes.contains(&pid) {
                processes.push(pid);
            }
        }
        // The isolator, the launcher, the container's init and the program.
        assert_eq!(processes.len(), 4, "{processes:?}");
        let calls = |pid: &str, call: &str| {
            let start = format!("[pid {pid}] {call}(");
            outcome.stderr.lines().filter(|line| line.starts_with(&start)).count()
        };
        let [isolator, launcher, init, program] = processes[..] else { unreachable!() };
        assert!(
            calls(isolator, "move_mount") == 2 && calls(isolator, "mknodat") == 6 && calls(launcher, "clone3") == 1
        );
        assert!(calls(init, "mount_setattr") > 0 && calls(init, "pivot_root") == 1 && calls(program, "execve") == 1);
        assert!(outcome.stderr.contains("execve(\"/bin/sh\", "), "{}", outcome.stderr);
    });
}

#[test]
fn a_trace_changes_nothing() {
    scenario("a_trace_changes_nothing", |host| {
        let run = |trace: bool| {
            let run = host.run().rootfs(host.path("rootfs")).volume("web/db:data").id("c1");
            let run = if trace { run.arg("--trace") } else { run };
            let outcome =
                run.sh("cut -d ' ' -f 4- /proc/self/mountinfo | sed 's/master:[0-9]*/master/'; ls -l /dev; exit 5");
            (outcome.status, outcome.text())
        };
        host.busybox();
        assert_eq!(run(true), run(false));
    });
}

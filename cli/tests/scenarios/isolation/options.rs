//! `--share-pid`, `--trace` and `--timings`.

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
        // The first one makes what all begin in, in a process of its own.
        host.run().sh("true").success();
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
        assert!(
            calls(init, "setns") == 1
                && calls(init, "move_mount") > 10
                && calls(init, "pivot_root") == 1
                && calls(program, "execve") == 1
        );
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

/// The phases of a run with `--timings`, and their times.
#[track_caller]
fn timings(stderr: &str) -> Vec<(&str, f64)> {
    let mut lines = stderr.lines();
    assert_eq!(lines.next(), Some("cofferdam: where the time went"), "{stderr}");
    lines
        .map(|line| {
            let (name, figures) = line.split_at(23);
            let [time, "ms", share, "%"] = figures.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{line}") };
            let (_, decimals) = time.split_once('.').unwrap();
            assert!(decimals.len() == 3 && share.parse::<f64>().is_ok(), "{line}");
            (name.trim(), time.parse().unwrap())
        })
        .collect()
}

const BEFORE: [&str; 7] = ["check", "create", "sandbox", "prepare", "start of the launcher", "namespaces", "mounts"];

#[test]
fn timings_tell_where_the_time_went() {
    scenario("timings_tell_where_the_time_went", |host| {
        let run = || host.run().arg("--timings");
        let with_rootfs = || run().rootfs(host.busybox()).volume("web/db:data");
        let all: &[&str] = &["masks", "switch of the root", "privileges", "program", "cleanup", "total"];
        let without_masks = &all[1..];
        let of_the_host = &all[2..];
        for (run, after) in [
            (with_rootfs(), all),
            (with_rootfs().arg("--share-pid"), without_masks),
            (run().arg("--share-pid"), of_the_host),
        ] {
            let outcome = run.sh("echo printed; exit 3");
            assert_eq!((outcome.status, outcome.text().as_str()), (3, "printed\n"));
            let timings = timings(&outcome.stderr);
            let names: Vec<_> = timings.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, [&BEFORE[..], after].concat());
            let [phases @ .., (_, total)] = &timings[..] else { panic!("no total") };
            let sum: f64 = phases.iter().map(|(_, time)| time).sum();
            // Each is rounded.
            assert!(sum <= total + 0.01, "{}", outcome.stderr);
        }
    });
}

#[test]
fn timings_are_told_of_what_fails_as_well() {
    scenario("timings_are_told_of_what_fails_as_well", |host| {
        let run = || host.run().arg("--timings");
        let outcome = run().rootfs(host.path("nowhere")).sh("true");
        assert_eq!(outcome.status, 125);
        let (table, error) = outcome.stderr.split_once("cofferdam: the root filesystem must be").unwrap();
        assert!(error.contains("nowhere"), "{error}");
        let names: Vec<_> = timings(table).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["check", "total"]);

        let outcome = run().program(["/no/such/program"]);
        assert_eq!(outcome.status, 127);
        let (_, table) = outcome.stderr.split_once('\n').unwrap();
        assert_eq!(timings(table).last().unwrap().0, "total");
    });
}

#[test]
fn the_program_has_no_descriptor_of_the_timings() {
    scenario("the_program_has_no_descriptor_of_the_timings", |host| {
        let script = "for fd in /proc/self/fd/*; do readlink $fd; done | grep -c pipe:";
        let count = |run: crate::support::Run| run.sh(script).text();
        assert_eq!(count(host.run().arg("--timings")), count(host.run()));
    });
}

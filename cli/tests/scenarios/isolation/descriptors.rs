//! No descriptor of ours, or of whoever started us, is open in the container.

use std::fs;
use std::process::Command;

use crate::support::{Host, Run, scenario};

/// The same invocation by a parent that leaves descriptors open.
fn by_a_careless_parent(run: &Run, host: &Host) -> Run {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "exec 3</ 4</proc 5<\"$0\" 6<>\"$0\" 7>>/dev/null 8</etc/passwd 9<. && exec \"$@\""]);
    command.arg(host.path("leaked")).arg(run.command.get_program()).args(run.command.get_args());
    fs::write(host.path("leaked"), "").unwrap();
    command.stdin(std::process::Stdio::null());
    Run { command }
}

fn open_descriptors(pid: u32) -> Vec<u32> {
    let names = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let mut open: Vec<u32> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap().parse().unwrap()).collect();
    open.sort_unstable();
    open
}

#[test]
fn no_process_of_the_container_has_more_than_stdio() {
    scenario("no_process_of_the_container_has_more_than_stdio", |host| {
        for run in [host.run().rootfs(host.busybox()).volume("web/db:data"), host.run().volume("web/db:data")] {
            let mut container = by_a_careless_parent(&run, host).start("echo started; read -r _");
            assert_eq!(container.line(), "started");
            let processes = container.processes();
            assert_eq!(processes.len(), 2, "init and the program: {processes:?}");
            for pid in processes {
                assert_eq!(open_descriptors(pid), [0, 1, 2]);
            }
            container.finish().success();
        }
    });
}

#[test]
fn the_program_sees_only_stdio() {
    scenario("the_program_sees_only_stdio", |host| {
        let run = by_a_careless_parent(&host.run().rootfs(host.busybox()), host);
        // Of the shell: ls has one more, of the directory that it reads.
        assert_eq!(run.sh("ls /proc/$$/fd; true").success(), "0\n1\n2\n");
        let run = by_a_careless_parent(&host.run().rootfs(host.busybox()).arg("--share-pid"), host);
        assert_eq!(run.sh("ls /proc/$$/fd; true").success(), "0\n1\n2\n");
    });
}

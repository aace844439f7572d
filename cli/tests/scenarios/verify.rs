//! `cofferdam verify` and `cofferdam run --verify`: what somebody else has changed is named, and nothing else.

use std::process::{Command, Stdio};

use cofferdam::kernel::MountFlags;
use serde_json::Value;

use crate::support::{COFFERDAM, Host, Started, scenario, skip, stop_when};

/// `cofferdam verify`, with its exit status and what it prints.
fn verify(host: &Host, id: &str, options: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(COFFERDAM);
    command.arg("verify").arg("--work-dir").arg(host.work_dir()).arg("--runtime-dir").arg(host.runtime_dir());
    let output = command.args(["--id", id]).args(options).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn inside(host: &Host, id: &str, command: &str) {
    let pid = std::fs::read_to_string(host.runtime_dir().join("containers").join(id).join("pid")).unwrap();
    let status = Command::new("nsenter")
        .args(["--mount", "--pid", "--target", pid.trim(), "sh", "-c", command])
        .status()
        .unwrap();
    assert!(status.success(), "{command}");
}

fn started(host: &Host, options: &[&str]) -> Started {
    let rootfs = host.busybox();
    let run = options.iter().fold(host.run().rootfs(&rootfs).id("c"), cofferdam_run_argument);
    let mut started = run.volume("web/db:data").spawn(["sh", "-c", "echo ready; sleep 600"]);
    started.wait_for("ready");
    started
}

fn cofferdam_run_argument(run: crate::support::Run, option: &&str) -> crate::support::Run {
    run.arg(option)
}

fn targets(report: &Value, table: &str, list: &str) -> Vec<String> {
    let mounts = report[table][list].as_array().unwrap();
    mounts.iter().map(|mount| mount["target"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_as_it_was_made_is_no_difference() {
    scenario("what_is_as_it_was_made_is_no_difference", |host| {
        let _running = started(host, &["--verify"]);
        let expected = "Container c and the host's mounts are as they were made.\n";
        assert_eq!(verify(host, "c", &[]), (0, expected.to_owned(), String::new()));
        // What others do elsewhere is their own business.
        std::fs::create_dir(host.path("elsewhere")).unwrap();
        host.mount("tmpfs", host.path("elsewhere"), MountFlags::empty(), "");
        assert_eq!(verify(host, "c", &[]).0, 0);
    });
}

#[test]
fn what_others_have_changed_is_named() {
    scenario("what_others_have_changed_is_named", |host| {
        let _running = started(host, &[]);
        let data = host.sandbox("c").join("data");
        inside(host, "c", "mount -t tmpfs mine /tmp && umount /sys/firmware && mount -o remount,bind,rw /proc/sys");
        host.umount(&data);
        let (status, text, _) = verify(host, "c", &["--json"]);
        let report: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &report["drifted"]), (1, &Value::Bool(true)), "{text}");
        assert_eq!(targets(&report, "host", "removed"), [data.to_str().unwrap()]);
        assert_eq!(targets(&report, "host", "added"), [""; 0]);
        assert_eq!(targets(&report, "container", "removed"), ["/mnt/mesos/sandbox/data", "/sys/firmware"]);
        assert_eq!(targets(&report, "container", "added"), ["/tmp"]);
        let changed = report["container"]["changed"].as_array().unwrap();
        assert_eq!(changed.len(), 1, "{text}");
        assert_eq!(changed[0]["mount"]["target"], "/proc/sys");
        let (status, text, _) = verify(host, "c", &[]);
        assert_eq!(status, 1);
        assert!(
            text.starts_with("The host's mounts: missing (-), not made by cofferdam (+), changed (~)\n-  "),
            "{text}"
        );
        assert!(text.contains("\n+  /tmp  "), "{text}");
    });
}

#[test]
fn what_does_not_run_can_not_be_verified() {
    scenario("what_does_not_run_can_not_be_verified", |host| {
        let expected = "cofferdam: there is no container c\n";
        assert_eq!(verify(host, "c", &[]), (125, String::new(), expected.to_owned()));
        let nested = verify(host, "c.d", &[]);
        assert_eq!(nested.0, 125);
        assert!(nested.2.contains("verify c instead"), "{nested:?}");
    });
}

#[test]
fn a_program_whose_mounts_were_verified_runs_as_without() {
    scenario("a_program_whose_mounts_were_verified_runs_as_without", |host| {
        let rootfs = host.busybox();
        let run = |options: &[&str]| options.iter().fold(host.run(), cofferdam_run_argument).arg("--verify");
        let text = run(&[]).rootfs(&rootfs).sh("ls /proc/self/fd | wc -l; echo $0").success();
        assert_eq!(text, host.run().rootfs(&rootfs).sh("ls /proc/self/fd | wc -l; echo $0").success());
        assert_eq!(run(&["--share-pid"]).sh("echo inside").success(), "inside\n");
        assert_eq!(run(&[]).rootfs(&rootfs).sh("exit 7").status, 7);
        // A launch that fails does not leave anybody waiting.
        let outcome = run(&[]).rootfs(&rootfs).program(["no-such-program"]);
        assert_eq!(outcome.status, 127);
        std::fs::remove_dir(rootfs.join("proc")).unwrap();
        std::fs::write(rootfs.join("proc"), "").unwrap();
        assert!(run(&[]).rootfs(&rootfs).sh("true").failure(125).contains("rootfs/proc"));
    });
}

/// Kernels differ in what they have there: a plan has what this one has.
#[test]
fn what_this_machine_has_deep_in_its_proc_is_no_difference() {
    scenario("what_this_machine_has_deep_in_its_proc_is_no_difference", |host| {
        let toml = "
            masked_paths = [
                '/proc/sys/kernel/random', '/proc/sys/vm/overcommit_memory', '/proc/tty/ldiscs', '/proc/tty/driver/serial',
                '/proc/fs/jbd2', '/proc/fs/no-such', '/proc/sys/user/no-such/name',
            ]
            readonly_paths = ['/proc/sys/kernel/printk', '/proc/sys/net/core', '/proc/sys/fs/no-such', '/proc/bus/pci']
        ";
        std::fs::write(host.path("agent.toml"), toml).unwrap();
        let rootfs = host.busybox();
        let run = host.run().arg("--agent-config").arg(host.path("agent.toml")).arg("--verify").rootfs(&rootfs);
        let masked = run.sh("ls /proc/sys/kernel/random; grep -c ' /proc/sys/kernel/random ' /proc/self/mountinfo");
        assert_eq!(masked.success(), "1\n");
    });
}

/// Runs a container to be verified, whose mounts are changed when they are complete. Gives what is printed; `None` if processes can't
/// be traced.
fn refused(host: &Host, change: impl FnOnce()) -> Option<String> {
    let rootfs = host.busybox();
    // What an agent keeps is there before.
    host.run().rootfs(&rootfs).sh("true").success();
    let mut run = host.run().arg("--verify").rootfs(&rootfs).id("c").volume("web/db:data");
    run.command.args(["--", "sh", "-c", "touch data/begun"]);
    let pid_file = host.runtime_dir().join("containers/c/pid");
    let pid = || std::fs::read_to_string(&pid_file).unwrap_or_default();
    let mut process = String::new();
    let is_complete = || pid().ends_with('\n');
    let state =
        || (String::from_utf8(host.mountinfo()).unwrap(), host.tree("work/slaves"), host.tree("run/containers"));
    let before = state();
    let outcome = stop_when(&run.command, is_complete, || {
        process = pid();
        change();
    });
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(errno) => {
            skip("run --verify", &format!("needs ptrace(2), which is refused ({errno})"));
            return None;
        }
    };
    assert_eq!((outcome.status, outcome.text().as_str()), (125, ""), "{outcome:?}");
    let volume = host.work_dir().join("volumes/roles/web/db");
    assert_eq!(std::fs::read_dir(volume).unwrap().count(), 0, "the program has begun");
    assert!(!std::path::Path::new("/proc").join(process.trim()).exists(), "process {process}");
    assert!(state() == before, "something is left: {:#?}", state());
    Some(outcome.stderr)
}

/// What is always told first: by the launcher, and by who has started it.
const REFUSED: &str = "\
cofferdam: the program was not executed
cofferdam: the program of container c was not begun, as its mounts are not those that were predicted
";

#[test]
fn a_program_does_not_begin_if_the_mounts_of_its_container_were_changed() {
    scenario("a_program_does_not_begin_if_the_mounts_of_its_container_were_changed", |host| {
        let Some(text) = refused(host, || inside(host, "c", "mount -t tmpfs mine /tmp && umount /sys/firmware")) else {
            return;
        };
        let expected = "\
The mounts of the container: missing (-), not made by cofferdam (+), changed (~)
-  /sys/firmware  tmpfs  tmpfs  ro,relatime  private
+  /tmp           mine   tmpfs  rw,relatime  private
1 added (+), 1 removed (-), 0 changed (~), ";
        assert!(text.starts_with(&format!("{REFUSED}{expected}")), "{text}");
    });
}

#[test]
fn a_program_does_not_begin_if_the_mounts_of_the_host_were_changed() {
    scenario("a_program_does_not_begin_if_the_mounts_of_the_host_were_changed", |host| {
        let data = host.sandbox("c").join("data");
        let Some(text) = refused(host, || host.umount(&data)) else { return };
        let data = data.display();
        let expected =
            format!("The host's mounts: missing (-), not made by cofferdam (+), changed (~)\n-  {data}  tmpfs");
        assert!(text.starts_with(&format!("{REFUSED}{expected}")), "{text}");
        // It has gone there as well.
        assert!(text.contains("\n-  /mnt/mesos/sandbox/data  tmpfs"), "{text}");
    });
}

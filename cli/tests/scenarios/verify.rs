//! `cofferdam verify` and `cofferdam run --verify`: what somebody else has changed is named, and nothing else.

use std::process::{Command, Stdio};

use cofferdam::kernel::MountFlags;
use serde_json::Value;

use crate::support::{COFFERDAM, Host, Started, scenario};

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

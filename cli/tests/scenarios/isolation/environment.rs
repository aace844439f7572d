//! The environment of the program.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use crate::support::{Run, scenario};

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const SANDBOX: &str = "MESOS_SANDBOX=/mnt/mesos/sandbox";

/// The environment that a program starts with, without a shell that adds to it; as bytes.
fn environment(run: Run) -> Vec<Vec<u8>> {
    let outcome = run.program(["/bin/cat", "/proc/self/environ"]);
    outcome.success();
    let mut variables: Vec<Vec<u8>> = outcome.stdout.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    assert_eq!(variables.pop().as_deref(), Some(&b""[..]));
    variables
}

fn with_secrets(mut run: Run) -> Run {
    run.command.env_clear().envs([("SECRET", "x"), ("HOME", "/root"), ("PATH", "/evil"), ("LD_PRELOAD", "")]);
    run
}

#[test]
fn it_has_little_and_nothing_of_ours() {
    scenario("it_has_little_and_nothing_of_ours", |host| {
        let rootfs = host.busybox();
        let run = with_secrets(host.run().rootfs(&rootfs));
        assert_eq!(environment(run), [PATH, SANDBOX].map(|text| text.as_bytes().to_vec()));
        let mut run = with_secrets(host.run().rootfs(&rootfs));
        run.command.env("TERM", "vt220");
        assert_eq!(environment(run), [PATH, SANDBOX, "TERM=vt220"].map(|text| text.as_bytes().to_vec()));
        let sandbox = format!("MESOS_SANDBOX={}", host.sandbox("c1").display());
        let run = with_secrets(host.run().id("c1"));
        assert_eq!(environment(run), [PATH, &sandbox].map(|text| text.as_bytes().to_vec()));
    });
}

#[test]
fn init_has_none_at_all() {
    scenario("init_has_none_at_all", |host| {
        let run = with_secrets(host.run().rootfs(host.busybox())).arg("--env").arg("A=b");
        let mut container = run.start("echo started; read -r _");
        container.line();
        let environments: Vec<_> =
            container.processes().iter().map(|pid| std::fs::read(format!("/proc/{pid}/environ")).unwrap()).collect();
        container.finish().success();
        assert_eq!(environments.len(), 2);
        assert!(environments[0].is_empty(), "{environments:?}");
        assert!(!environments[1].is_empty());
    });
}

#[test]
fn options_add_and_override_any_bytes() {
    scenario("options_add_and_override_any_bytes", |host| {
        let not_utf8 = OsString::from_vec(b"BYTES=\xff \n=\x01".to_vec());
        let run = with_secrets(host.run().rootfs(host.busybox()));
        let run = run.arg("--env").arg("PATH=/bin").arg("--env").arg("A=1").arg("--env").arg("A=2");
        let run = run.arg("--env").arg(&not_utf8).arg("--env").arg("EMPTY=");
        let expected = [SANDBOX.as_bytes(), b"PATH=/bin", b"A=2", b"BYTES=\xff \n=\x01", b"EMPTY="];
        let mut found = environment(run);
        found.sort();
        let mut expected = expected.map(<[u8]>::to_vec);
        expected.sort();
        assert_eq!(found, expected);
    });
}

#[test]
fn the_program_is_found_in_the_containers_path() {
    scenario("the_program_is_found_in_the_containers_path", |host| {
        let rootfs = host.busybox();
        let only = rootfs.join("only");
        std::fs::create_dir(&only).unwrap();
        std::os::unix::fs::symlink("/bin/busybox", only.join("whoami")).unwrap();
        let run = host.run().rootfs(&rootfs).arg("--env").arg("PATH=/only");
        assert_eq!(run.program(["whoami"]).success(), "root\n");
        let run = host.run().rootfs(&rootfs).arg("--env").arg("PATH=/only");
        assert_eq!(run.program(["ls"]).failure(127), "cofferdam: \"ls\": command not found\n");
    });
}

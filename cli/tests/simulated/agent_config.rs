//! The agent's configuration file, which is one of this machine.

use super::{Report, run};

/// Runs a shell in the sample root filesystem, with this configuration and these options.
fn run_with(name: &str, text: &str, options: &str) -> std::process::Output {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(name);
    std::fs::write(&file, text).unwrap();
    run(&format!("--agent-config {} {options}--rootfs /srv/busybox -- /bin/sh", file.display()))
}

#[track_caller]
fn report_with(name: &str, text: &str, options: &str) -> Report {
    let output = run_with(name, text, options);
    assert!(output.status.success(), "{output:?}");
    Report(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_operators_tables_are_what_the_program_sees() {
    let toml = "
        work_dir = '/opt'
        runtime_dir = '/var/lib/run'
        sandbox_directory = '/sandbox'
        devices = ['null', 'zero']
        masked_paths = ['/proc/keys']
        readonly_paths = ['/etc', '/nope']
        special_mounts = [
            { target = '/proc', type = 'proc', source = 'none', flags = ['nosuid'] },
            { target = '/dev', type = 'tmpfs' },
        ]
        tmpfs_sizes = { '/dev/shm' = '64k', '/dev' = '1m' }
    ";
    let report = report_with("agent.toml", toml, "--id c1 ");
    let seen = report.seen();
    let mut targets: Vec<_> = seen.iter().map(|row| row[0]).collect();
    targets.sort_unstable();
    let expected = ["/", "/dev", "/dev/null", "/dev/shm", "/dev/zero", "/etc", "/proc", "/proc/keys", "/sandbox"];
    assert_eq!(targets, expected);
    let row = |target: &str| seen.iter().find(|row| row[0] == target).unwrap();
    assert_eq!(row("/proc")[1..], ["proc", "private", "rw,nosuid,relatime", "none"]);
    assert_eq!(row("/dev")[1..4], ["tmpfs", "private", "rw,relatime,size=1024k"]);
    assert_eq!(row("/dev/shm")[3], "rw,nosuid,nodev,size=64k");
    assert!(row("/etc")[3].starts_with("ro,"), "{seen:#?}");
    assert_eq!(row("/dev/null")[4], "/dev/sda2[/var/lib/run/containers/c1/devices/null]");
    assert!(row("/sandbox")[4].starts_with("/dev/sda2[/opt/slaves/"), "{seen:#?}");
    assert_eq!(report.attempt("ls /opt"), "ENOENT (No such file or directory)");
}

#[test]
fn options_count_more_than_the_file_and_json_says_the_same() {
    let json = r#"{ "work_dir": "/nope", "runtime_dir": "/var/lib/run", "devices": ["null"] }"#;
    let report = report_with("agent.json", json, "--work-dir /opt --id c1 ");
    let seen = report.seen();
    let source = |target: &str| seen.iter().find(|row| row[0] == target).unwrap()[4];
    assert_eq!(source("/dev/null"), "/dev/sda2[/var/lib/run/containers/c1/devices/null]");
    assert!(source("/mnt/mesos/sandbox").starts_with("/dev/sda2[/opt/slaves/"), "{seen:#?}");
    assert!(!seen.iter().any(|row| row[0] == "/dev/zero"), "{seen:#?}");
}

/// Only the default one is made.
#[test]
fn a_work_dir_of_the_file_must_exist() {
    let output = run_with("agent.toml", "work_dir = '/nope'", "");
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("cofferdam: work_dir \"/nope\" does not exist"), "{stderr}");
}

#[test]
fn every_mistake_is_told_and_nothing_runs() {
    let output = run_with("agent.toml", "devices = ['a/b']\nreadonly_paths = ['opt']", "");
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    let [first, second] = stderr.lines().collect::<Vec<_>>()[..] else { panic!("{stderr}") };
    assert!(first.starts_with("cofferdam: ") && first.contains("agent.toml:1:12: devices[0]: "), "{stderr}");
    assert!(second.contains("agent.toml:2:19: readonly_paths[0]: it must be an absolute path"), "{stderr}");
}

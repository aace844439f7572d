//! `cofferdam plan` for hosts that are elsewhere: of each there is a copy of its mount table. Nobody needs root.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use rstest::rstest;
use serde_json::{Value, json};

const HOSTS: [&str; 5] = ["systemd-desktop", "kubernetes-node", "docker-host", "container", "slaves-and-unbindable"];

fn table(host: &str) -> String {
    format!("{}/tests/data/hosts/{host}.mountinfo", env!("CARGO_MANIFEST_DIR"))
}

/// The exit status, standard output and standard error of `cofferdam plan`.
fn plan(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cofferdam"))
        .arg("plan")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who takes no input may have ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn report(host: &str, arguments: &[&str], input: &str) -> (i32, Value) {
    let file = table(host);
    let all: Vec<&str> = ["--json", "--mountinfo", &file].iter().chain(arguments).copied().collect();
    let (status, output, errors) = plan(&all, input);
    (status, serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output} {errors}")))
}

fn targets(mounts: &Value) -> Vec<&str> {
    mounts.as_array().unwrap().iter().map(|mount| mount["target"].as_str().unwrap()).collect()
}

#[test]
fn a_container_on_a_host_that_is_elsewhere() {
    for host in HOSTS {
        let options = ["--rootfs", "/srv/image", "--persistent-volume", "web/db:data:ro", "--user", "1000:7"];
        let (status, report) = report(host, &[&options[..], &["--", "sh"]].concat(), "");
        assert_eq!((status, &report["outcome"], &report["error"]), (1, &json!("changes"), &Value::Null), "{host}");
        let meanwhile = &report["host_while_running"];
        let sandbox = "/var/lib/cofferdam/slaves/local/frameworks/run/executors/planned/runs/planned";
        for target in [sandbox, &format!("{sandbox}/data"), "/var/lib/cofferdam/volumes"] {
            assert!(targets(&meanwhile["added"]).contains(&target), "{host}: {target}");
        }
        assert_eq!(meanwhile["removed"], json!([]), "{host}");
        assert!(!targets(&report["host_afterwards"]["added"]).contains(&sandbox), "{host}");
        let container = &report["container"];
        assert_eq!((&container["user"], &container["gid"]), (&json!("uid 1000"), &json!(7)), "{host}");
        let read_only = container["can_only_read"].as_array().unwrap();
        assert!(read_only.contains(&json!("/mnt/mesos/sandbox/data")), "{host}: {read_only:?}");
        let table = container["mountinfo"].as_str().unwrap();
        assert_eq!(table.lines().count(), targets(&container["mounts"]).len(), "{host}");
    }
}

#[test]
fn a_configuration_is_taken_from_standard_input() {
    let sandbox = "/var/lib/cofferdam/slaves/S0/frameworks/F0/executors/e/runs/web";
    let volumes = |paths: [&str; 2]| {
        let volume = |path| json!({ "container_path": path, "host_path": "/opt", "mode": "RO" });
        let volumes: Vec<_> = paths.iter().map(volume).collect();
        json!({ "directory": sandbox, "command_info": { "shell": true, "value": "true" },
                "container_info": { "type": "MESOS", "volumes": volumes } })
    };
    let with_rootfs = |mut config: Value| {
        config["rootfs"] = json!("/srv/image");
        config.to_string()
    };
    let (status, found) = report("systemd-desktop", &["--id", "web"], &with_rootfs(volumes(["/mnt/one", "/mnt/two"])));
    assert_eq!((status, &found["error"]), (1, &Value::Null), "{found:#}");
    assert!(targets(&found["container"]["mounts"]).contains(&"/mnt/two"), "{found:#}");
    // Nothing is mounted over a volume, but volumes are mounted over what the host has.
    let (status, found) = report("systemd-desktop", &["--id", "web"], &with_rootfs(volumes(["/mnt/one", "/mnt"])));
    assert_eq!(status, 2, "{found:#}");
    let (_, found) = report("slaves-and-unbindable", &["--id", "web"], &volumes(["/srv", "/mnt/a"]).to_string());
    let warnings = found["warnings"].as_array().unwrap();
    let hidden: Vec<_> = warnings.iter().filter(|warning| warning["kind"] == "hidden").collect();
    let messages: Vec<_> = hidden.iter().map(|warning| warning["message"].as_str().unwrap()).collect();
    let expected =
        ["/srv/loop", "/srv/private"].map(|path| format!("what is mounted on {path} is hidden by the mount on /srv"));
    assert!(expected.iter().all(|message| messages.contains(&&message[..])), "{found:#}");
}

#[rstest]
#[case("kubernetes-node", &["no_devices"])]
#[case("container", &[])]
fn what_is_to_be_considered(#[case] host: &str, #[case] expected: &[&str]) {
    let (_, report) = report(host, &["--rootfs", "/srv/image"], "");
    let kinds: Vec<_> = report["warnings"].as_array().unwrap().iter().map(|warning| &warning["kind"]).collect();
    assert_eq!(kinds, expected.iter().collect::<Vec<_>>(), "{report:#}");
}

#[rstest]
#[case(&["--user", "alice", "--rootfs", "/srv/image"], "\"alice\" is no user: users are known by their numbers alone here")]
#[case(&["--rootfs", "/"], "root filesystem")]
#[case(&["--rootfs", "/opt/image", "--work-dir", "/opt/work"], "ROFS")]
fn what_would_fail(#[case] arguments: &[&str], #[case] expected: &str) {
    let (status, report) = report("slaves-and-unbindable", arguments, "");
    assert_eq!((status, &report["outcome"]), (2, &json!("would_fail")), "{report:#}");
    assert!(report["error"].as_str().unwrap().contains(expected), "{}", report["error"]);
    let file = table("slaves-and-unbindable");
    let (status, text, _) = plan(&[&["--mountinfo", &file], arguments].concat(), "");
    assert_eq!(status, 2);
    assert!(text.starts_with("It would fail\n-------------\n") && text.contains(expected), "{text}");
}

#[rstest]
#[case(&["--rootfs", "/opt/image", "--work-dir", "/opt/work"], "EROFS", "(mnt_get_write_access())")]
#[case(&["--rootfs", "/etc/image", "--runtime-dir", "/proc/run"], "ENOENT", "(proc_root_lookup())")]
fn why_it_would_fail(#[case] arguments: &[&str], #[case] errno: &str, #[case] rule: &str) {
    let (_, explained) = report("slaves-and-unbindable", &[&["--explain"], arguments].concat(), "");
    let calls = explained["failed_calls"].as_array().unwrap();
    assert!(!calls.is_empty() && calls.iter().all(|call| call["errno"] == errno), "{explained:#}");
    let file = table("slaves-and-unbindable");
    let (_, text, _) = plan(&[&["--explain", "--mountinfo", &file], arguments].concat(), "");
    assert!(text.contains("\nSystem calls that fail, and why\n") && text.contains(rule), "{text}");
    let (_, plain) = report("slaves-and-unbindable", arguments, "");
    assert_eq!(plain.get("failed_calls"), None);
}

#[test]
fn what_does_not_succeed_at_once_is_explained() {
    let options = ["--explain", "--rootfs", "/srv/loop/image"];
    let (status, report) = report("slaves-and-unbindable", &options, "");
    assert_eq!(status, 1);
    let calls = report["failed_calls"].as_array().unwrap();
    let copies: Vec<_> = calls.iter().filter(|call| call["call"].as_str().unwrap().starts_with("open_tree")).collect();
    assert!(!copies.is_empty() && copies.iter().all(|call| call["function"] == "__do_loopback()"), "{report:#}");
    assert!(calls.iter().all(|call| call["errno"] != "ENOENT" && call["errno"] != "EBADF"), "{report:#}");
}

#[rstest]
#[case(&[], "", "there is nothing to plan")]
#[case(&[], "{\"directory\":\"/s\"}", "give --id")]
#[case(&["--id", "web"], "{\"directory\":7}", "standard input is no container configuration")]
#[case(&["--mountinfo", "/no/such/file", "sh"], "", "cannot read /no/such/file")]
#[case(&["--mountinfo", "Cargo.toml", "sh"], "", "cannot read the mounts in Cargo.toml")]
fn what_can_not_be_planned(#[case] arguments: &[&str], #[case] input: &str, #[case] expected: &str) {
    let (status, output, errors) = plan(arguments, input);
    assert_eq!((status, &output[..]), (125, ""), "{errors}");
    assert!(errors.starts_with("cofferdam: ") && errors.contains(expected), "{errors}");
}

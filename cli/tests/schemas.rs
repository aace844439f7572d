//! `cofferdam schema`: the JSON Schemas say what is taken.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use cofferdam::UnixPath;
use cofferdam::agent::AgentConfigFile;
use cofferdam::error::{CallError, Report};
use cofferdam::kernel::{Bytes, Capabilities, Errno, MountFlags};
use cofferdam::messages::{
    CommandInfo, ContainerConfig, ContainerFileOperation, ContainerId, ContainerLaunchInfo, ContainerMountInfo,
    ContainerState, Namespace, RecoverRequest, Resource,
};
use rstest::rstest;
use serde::Serialize;
use serde_json::{Value, json};

fn cofferdam(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cofferdam")).arg("schema").args(arguments).output().unwrap()
}

#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let output = cofferdam(arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn schema(name: &str) -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&printed(&[name])).unwrap();
    // Also checks the schema against that of schemas.
    jsonschema::draft202012::new(&schema).unwrap()
}

/// Why a schema does not take a message.
fn errors(name: &str, message: &Value) -> Vec<String> {
    schema(name).iter_errors(message).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Whether the message is read.
fn is_read(name: &str, message: &Value) -> bool {
    fn read<T: serde::de::DeserializeOwned>(message: &Value) -> bool {
        serde_json::from_value::<T>(message.clone()).is_ok()
    }
    match name {
        "agent-config" => AgentConfigFile::from_table(message.clone()).is_ok(),
        "container-config" => read::<ContainerConfig>(message),
        "container-id" => read::<ContainerId>(message),
        "container-state" => read::<ContainerState>(message),
        "error" => read::<Report>(message),
        "launch-info" => read::<ContainerLaunchInfo>(message),
        "resources" => read::<Vec<Resource>>(message),
        "states" => read::<RecoverRequest>(message),
        _ => panic!("no message {name}"),
    }
}

#[test]
fn without_a_name_the_names_are_printed() {
    let names = printed(&[]);
    let expected = "agent-config\ncontainer-config\ncontainer-id\ncontainer-state\nerror\nlaunch-info\nrecord\nresources\n\
                    states\n";
    assert_eq!(names, expected);
    for name in names.lines() {
        let schema: Value = serde_json::from_str(&printed(&[name])).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["title"], name);
        assert!(schema["type"] == "object" || schema["type"] == "array", "{schema}");
    }
}

#[test]
fn an_unknown_name_is_an_error_that_lists_the_names() {
    let output = cofferdam(&["launch-inf"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(125), &b""[..]));
    assert!(stderr.contains("'launch-inf'") && stderr.contains("agent-config, container-config, "), "{stderr}");
}

#[test]
fn the_published_schemas_are_up_to_date() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas");
    let help = "docs/schemas is not up to date; run this in the root of the repository:\n    \
                for name in $(cofferdam schema); do cofferdam schema $name > docs/schemas/$name.json; done";
    let names = printed(&[]);
    for name in names.lines() {
        let published = std::fs::read_to_string(directory.join(format!("{name}.json"))).unwrap_or_default();
        // Git may write other ends of lines.
        assert!(published.replace("\r\n", "\n") == printed(&[name]), "{name}: {help}");
    }
    let files = std::fs::read_dir(directory).unwrap().count();
    assert_eq!(files, names.lines().count(), "there are files of other names in docs/schemas");
}

fn container_state() -> Value {
    json!({
        "container_id": { "value": "c", "parent": { "value": "p" } },
        "directory": "/sandbox",
        "executor_info": { "executor_id": { "value": "e" }, "container": { "type": "MESOS", "volumes": [] } },
        "pid": 7,
        "started": true,
    })
}

fn resources() -> Value {
    json!([
        { "name": "cpus", "type": "SCALAR", "scalar": { "value": 0.5 } },
        {
            "name": "disk",
            "reservations": [{ "type": "DYNAMIC", "role": "web", "principal": "p" }],
            "disk": {
                "persistence": { "id": "db", "principal": "p" },
                "volume": { "container_path": "data", "mode": "RW" },
                "source": { "type": "PATH", "path": { "root": [47, 255] } },
            },
            "shared": {},
            "provider_id": { "value": "x" },
        },
    ])
}

fn container_config() -> Value {
    json!({
        "directory": "/sandbox",
        "rootfs": "/srv/image",
        "user": "alice:users",
        "command_info": { "value": "sleep 1", "uris": [{ "value": "http://example.com" }] },
        "container_class": "DEBUG",
        "task_info": { "name": "t" },
        "executor_info": { "resources": resources() },
        "container_info": {
            "type": "MESOS",
            "volumes": [
                { "container_path": "a", "mode": "RO", "host_path": "/a" },
                {
                    "container_path": "/b",
                    "mode": "RW",
                    "source": {
                        "type": "HOST_PATH",
                        "host_path": { "path": "/b", "mount_propagation": { "mode": "BIDIRECTIONAL" } },
                    },
                },
                {
                    "container_path": "c",
                    "mode": "RW",
                    "source": { "type": "SANDBOX_PATH", "sandbox_path": { "type": "PARENT", "path": "c" } },
                },
            ],
            "linux_info": {
                "share_pid_namespace": true,
                "effective_capabilities": { "capabilities": ["CHOWN"] },
                "seccomp": {},
            },
        },
        "resources": resources(),
        "of_a_later_version": { "x": 1 },
    })
}

fn launch_info() -> Value {
    json!({
        "rootfs": [47, 114, 255],
        "clone_namespaces": [0x20000, 0x2000_0000],
        "mounts": [
            { "target": "/r", "source": "/r", "flags": 20480 },
            { "target": "/r/dev", "source": "tmpfs", "type": "tmpfs", "flags": 16_777_226, "options": "mode=755" },
        ],
        "masked_paths": ["/r/proc/kcore"],
        "file_operations": [
            { "operation": "SYMLINK", "symlink": { "source": "/proc/self/fd", "target": "/r/dev/fd" } },
            { "operation": "MKDIR", "mkdir": { "target": "/r/x", "recursive": true } },
            { "operation": "RENAME", "rename": { "source": "/r/x", "target": "/r/y" } },
            { "operation": "MOUNT", "mount": { "target": "/r/z", "type": "tmpfs" } },
        ],
        "environment": { "variables": [{ "name": "A", "value": "b", "type": "VALUE" }] },
        "supplementary_groups": [10, 11],
        "rlimits": { "rlimits": [{ "type": "RLMT_NOFILE", "hard": 10, "soft": 5 }, { "type": "RLMT_CORE" }] },
        "no_new_privileges": true,
        "tty_slave_path": "/dev/pts/1",
    })
}

fn agent_config() -> Value {
    json!({
        "work_dir": "/w",
        "isolation": "a,b",
        "volume_gid_range": "10000-20000",
        "devices": ["null"],
        "readonly_paths": ["/opt"],
        "special_mounts": [{ "target": "/proc", "type": "proc", "flags": ["nosuid", "ro"], "options": "hidepid=2" }],
        "tmpfs_sizes": { "/dev/shm": "64m" },
        "sandbox_directory": null,
    })
}

#[rstest]
#[case("agent-config", agent_config())]
#[case("agent-config", json!({ "isolation": ["a", "b"] }))]
#[case("container-config", container_config())]
#[case("container-id", json!({ "value": "c" }))]
#[case("container-id", json!({ "value": "...", "parent": { "value": "p", "parent": { "value": "q" } } }))]
#[case("container-state", container_state())]
#[case("launch-info", launch_info())]
#[case("launch-info", json!({}))]
#[case("resources", resources())]
#[case("resources", json!([]))]
#[case("states", json!({ "states": [container_state()], "orphans": [{ "value": "b" }] }))]
#[case("states", json!({ "states": [] }))]
fn what_is_read_is_valid(#[case] name: &str, #[case] message: Value) {
    assert_eq!(errors(name, &message), Vec::<String>::new());
    assert!(is_read(name, &message));
}

/// With this value at this place.
fn with(mut message: Value, pointer: &str, value: Value) -> Value {
    let (above, key) = pointer.rsplit_once('/').unwrap();
    match message.pointer_mut(above).unwrap() {
        Value::Array(elements) => elements[key.parse::<usize>().unwrap()] = value,
        object => object[key] = value,
    }
    message
}

#[rstest]
#[case("agent-config", agent_config(), "/work_dirr", json!("/w"))]
#[case("agent-config", agent_config(), "/work_dir", json!(7))]
#[case("agent-config", agent_config(), "/isolation", json!(7))]
#[case("agent-config", agent_config(), "/special_mounts/0", json!(["/proc", "proc"]))]
#[case("agent-config", agent_config(), "/special_mounts/0/flag", json!([]))]
#[case("agent-config", agent_config(), "/special_mounts/0/target", json!(null))]
#[case("agent-config", agent_config(), "/tmpfs_sizes/~1dev~1shm", json!(64))]
#[case("container-config", container_config(), "/directory", json!(7))]
#[case("container-config", container_config(), "/container_class", json!("debug"))]
#[case("container-config", container_config(), "/container_info/volumes/0/mode", json!("RX"))]
#[case("container-config", container_config(), "/container_info/volumes/2/source/sandbox_path/type", json!("OWN"))]
#[case("container-config", container_config(), "/container_info/linux_info/effective_capabilities/capabilities/0", json!("FLY"))]
#[case("container-config", container_config(), "/resources/1/disk/source/type", json!("TAPE"))]
#[case("container-id", json!({ "value": "c" }), "/value", json!(".."))]
#[case("container-id", json!({ "value": "c" }), "/value", json!(""))]
#[case("container-id", json!({ "value": "c" }), "/value", json!("a/b"))]
#[case("container-id", json!({ "value": "c" }), "/value", json!("a\nb"))]
#[case("container-id", json!({ "value": "c" }), "/value", json!("i".repeat(256)))]
#[case("container-id", json!({ "value": "c" }), "/parent", json!({}))]
#[case("container-state", container_state(), "/container_id/parent/value", json!("."))]
#[case("container-state", container_state(), "/directory", json!(null))]
#[case("container-state", container_state(), "/pid", json!(-1))]
#[case("launch-info", launch_info(), "/rootfs", json!([47, 256]))]
#[case("launch-info", launch_info(), "/clone_namespaces/0", json!(3))]
#[case("launch-info", launch_info(), "/mounts/0/flags", json!("MS_BIND"))]
#[case("launch-info", launch_info(), "/file_operations/0/operation", json!("CHMOD"))]
#[case("launch-info", launch_info(), "/supplementary_groups/0", json!(-1))]
#[case("launch-info", launch_info(), "/rlimits/rlimits/0/type", json!("RLIMIT_NOFILE"))]
#[case("resources", resources(), "/1/name", json!(null))]
#[case("resources", resources(), "/1/disk/volume/mode", json!("rw"))]
#[case("states", json!({ "states": [], "orphans": [] }), "/states", json!(null))]
#[case("states", json!({ "states": [], "orphans": [] }), "/orphan", json!([]))]
#[case("states", json!({ "states": [], "orphans": ["b"] }), "/orphans/0", json!("b"))]
#[case("error", json!({ "operation": "", "path": null, "errno": null, "message": "", "hint": null }), "/errno", json!("enoent"))]
fn what_is_not_read_is_invalid(
    #[case] name: &str,
    #[case] message: Value,
    #[case] pointer: &str,
    #[case] mistake: Value,
) {
    let message = with(message, pointer, mistake);
    assert!(!errors(name, &message).is_empty(), "{message}");
    assert!(!is_read(name, &message), "{message}");
}

/// What a schema knows besides what serde does.
#[rstest]
#[case("/work_dir", json!("w"))]
#[case("/volume_gid_range", json!("10000"))]
#[case("/devices", json!(["a/b"]))]
#[case("/readonly_paths/0", json!("opt"))]
#[case("/special_mounts/0/flags/0", json!("nosiud"))]
#[case("/tmpfs_sizes", json!({ "/dev/shm": "0" }))]
#[case("/tmpfs_sizes", json!({ "dev": "1m" }))]
fn settings_that_make_no_sense_are_invalid(#[case] pointer: &str, #[case] mistake: Value) {
    assert!(!errors("agent-config", &with(agent_config(), pointer, mistake)).is_empty());
}

fn launch_info_in_full() -> ContainerLaunchInfo {
    let bind = MountFlags::MS_REC | MountFlags::MS_RDONLY;
    ContainerLaunchInfo {
        rootfs: Some(Bytes::from(&b"/\xff"[..])),
        clone_namespaces: vec![Namespace::MOUNT, Namespace::PID, Namespace::CGROUP],
        mounts: vec![
            ContainerMountInfo::bind("/r", "/r", bind),
            ContainerMountInfo::filesystem("tmpfs", "/r/dev", MountFlags::MS_NOSUID, Some("mode=755")),
        ],
        file_operations: vec![ContainerFileOperation::symlink("pts/ptmx", "/r/dev/ptmx")],
        command: Some(CommandInfo::program(vec!["/bin/true".into()])),
        effective_capabilities: Some(Capabilities::all().into()),
        ..ContainerLaunchInfo::default()
    }
}

#[track_caller]
fn assert_valid<T: Serialize>(name: &str, message: &T) {
    let message = serde_json::to_value(message).unwrap();
    assert_eq!(errors(name, &message), Vec::<String>::new(), "{message}");
}

#[test]
fn what_is_written_is_valid() {
    assert_valid("agent-config", &AgentConfigFile::default());
    assert_valid("container-config", &ContainerConfig::default());
    assert_valid("container-id", &ContainerId::new("a").unwrap().child("b").unwrap());
    assert_valid("launch-info", &ContainerLaunchInfo::default());
    assert_valid("launch-info", &launch_info_in_full());
    assert_valid("states", &RecoverRequest::default());
    assert_valid("error", &Report::new("prepare", "no"));
    for errno in Errno::all().chain([Errno::from_raw(4095)]) {
        let error = CallError::new("open", UnixPath::new(b"/\xff"), errno).with_hint("close");
        assert_valid("error", &Report::of_call("prepare", &error));
    }
    for (name, message) in [("container-config", container_config()), ("resources", resources())] {
        match name {
            "resources" => assert_valid(name, &serde_json::from_value::<Vec<Resource>>(message).unwrap()),
            _ => assert_valid(name, &serde_json::from_value::<ContainerConfig>(message).unwrap()),
        }
    }
}

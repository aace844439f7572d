//! Configurations of containers and lists of resources, as JSON that somebody else has written: any bytes, or valid documents
//! in which something was changed.
//!
//! What does not parse says why. What parses is the same once it is written and parsed again. A container is prepared with it,
//! updated, launched and cleaned up, and:
//!
//! - a refusal says something, and leaves mounts, files and records as they were; an update that fails leaves what cleanup takes
//!   away;
//! - another agent that reads the records knows what the first one knows;
//! - a launch leaves the host's mounts as they were;
//! - after cleanup the mounts of the host are what they were, the container can be removed, and no file has changed but in its
//!   sandbox and root filesystem.

use cofferdam::isolator::Isolator;
use cofferdam::kernel::{CloneFlags, Kernel, WaitOptions};
use cofferdam::launch::{LaunchRequest, launch};
use cofferdam::messages::{ContainerConfig, ContainerId, ContainerLaunchInfo, Resource};
use cofferdam::user::{NumericUsers, UserDatabase as _};
use cofferdam_vfs_sim::Process;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::choice::Choices;
use crate::host::{self, Data, Host, changed, check_message, check_parse_error, is_below, shown};
use crate::json::Vocabulary;

const SANDBOX: &str = "/world/work/slaves/a/frameworks/f/executors/e/runs/c";

/// What is put into documents, besides what is in them.
const STRINGS: [&str; 30] = [
    "/world/precious",
    "/world/precious/file",
    "/world/image",
    "/world/image/link",
    "/world/link",
    "/world",
    "/world/work",
    "/world/work/volumes/roles/role/db",
    "/world/work/containers/s",
    "/world/work/slaves/a/frameworks/f/executors/e/runs/d",
    "/world/work/slaves/a/frameworks/f/executors/e/runs/c/containers/n",
    "/world/work/slaves/a/frameworks/f/executors/e/runs/c/link",
    "/run/agent",
    "/run/agent/containers/c/devices",
    "/proc",
    "/proc/self/root",
    "/proc/self/ns/mnt",
    "/dev",
    "/dev/shm",
    "/missing/path",
    "data",
    "log",
    "link/x",
    "../precious",
    "1000",
    "1000:7",
    "0",
    "RO",
    "PARENT",
    "BIDIRECTIONAL",
];

thread_local! {
    static HOST: Host = Host::new();
    static VOCABULARY: Vocabulary = {
        let documents: Vec<Value> = (0..8).map(document).chain((0..4).map(list)).collect();
        Vocabulary::of(&documents, &STRINGS)
    };
}

/// Carries out what an input asks for.
pub fn run(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    match kind % 4 {
        0 => {
            let Some(config) = parsed::<ContainerConfig>(rest) else { return };
            live(0, &config, &[]);
        }
        1 => {
            let Some(resources) = parsed::<Vec<Resource>>(rest) else { return };
            let Some(config) = parsed::<ContainerConfig>(&text(&document(1))) else { return };
            live(0, &config, &resources);
        }
        _ => by_choices(&mut Choices::new(rest)),
    }
}

fn by_choices(choices: &mut Choices<'_>) {
    let which = choices.below(4);
    let mut config = document(choices.below(8));
    let mut resources = list(choices.below(4));
    VOCABULARY.with(|vocabulary| {
        vocabulary.change(&mut config, choices);
        vocabulary.change(&mut resources, choices);
    });
    if let Some(config) = parsed::<ContainerConfig>(&text(&config)) {
        live(which, &config, &parsed::<Vec<Resource>>(&text(&resources)).unwrap_or_default());
    }
}

fn text(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// What the text says, which is the same when it is written and parsed again.
fn parsed<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(text: &[u8]) -> Option<T> {
    let value: T = match serde_json::from_slice(text) {
        Ok(value) => value,
        Err(error) => {
            check_parse_error(&error);
            return None;
        }
    };
    check_round_trip(&value);
    Some(value)
}

fn check_round_trip<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(value: &T) {
    match serde_json::to_vec(value).map_err(|error| error.to_string()) {
        Ok(text) => {
            let again: Result<T, _> =
                serde_json::from_slice(&text).map_err(|error: serde_json::Error| error.to_string());
            assert_eq!(again.as_ref(), Ok(value), "{}", text.escape_ascii());
        }
        Err(error) => panic!("{value:?} can't be written: {error}"),
    }
}

/// A valid configuration.
fn document(number: u8) -> Value {
    let command = json!({ "shell": false, "value": "/program", "arguments": ["program"] });
    let mut config = json!({ "directory": SANDBOX, "command_info": command });
    let more = match number {
        0 => json!({ "rootfs": "/world/image" }),
        1 => json!({ "rootfs": "/world/image", "user": "1000", "resources": list(1) }),
        2 => json!({ "resources": list(1), "executor_info": { "resources": list(1), "container": { "volumes": [] } } }),
        3 => json!({ "rootfs": "/world/image", "container_info": { "volumes": [
            { "container_path": "/srv/host", "mode": "RO", "host_path": "/world/shared" },
            { "container_path": "in", "mode": "RW",
              "source": { "type": "SANDBOX_PATH", "sandbox_path": { "type": "SELF", "path": "made/here" } } },
        ] } }),
        4 => json!({ "container_info": {
            "volumes": [{ "container_path": "in", "mode": "RW", "source": { "type": "HOST_PATH",
                "host_path": { "path": "/world/shared", "mount_propagation": { "mode": "BIDIRECTIONAL" } } } }],
            "linux_info": { "share_pid_namespace": true, "bounding_capabilities": { "capabilities": ["CHOWN", "SYS_ADMIN"] } },
        } }),
        5 => json!({ "directory": format!("{SANDBOX}/containers/n"), "container_info": { "volumes": [
            { "container_path": "of-parent", "mode": "RO",
              "source": { "type": "SANDBOX_PATH", "sandbox_path": { "type": "PARENT", "path": "data" } } },
        ] } }),
        6 => json!({ "directory": format!("{SANDBOX}/containers/n"), "container_class": "DEBUG" }),
        _ => {
            json!({ "directory": "/world/work/containers/s", "standalone": true, "task_info": { "task_id": { "value": "t" } } })
        }
    };
    if let (Some(config), Value::Object(more)) = (config.as_object_mut(), more) {
        config.extend(more);
    }
    config
}

/// A valid list of resources.
fn list(number: u8) -> Value {
    let volume = |id: &str, name: &str, mode: &str| {
        json!({
            "name": "disk",
            "reservations": [{ "role": "role" }],
            "disk": { "persistence": { "id": id }, "volume": { "container_path": name, "mode": mode } },
        })
    };
    match number {
        0 => json!([]),
        1 => json!([volume("db", "data", "RW")]),
        2 => json!([volume("log", "log", "RO"), { "name": "cpus", "scalar": { "value": 0.5 } }]),
        _ => {
            let mut disk = volume("db", "other", "RW");
            disk["shared"] = json!({});
            disk["disk"]["source"] = json!({ "type": "PATH", "path": { "root": "/world/work" } });
            json!([volume("log", "data", "RW"), disk])
        }
    }
}

/// Lets a container live with a configuration and, later, these resources.
fn live(which: u8, config: &ContainerConfig, resources: &[Resource]) {
    let mut host = HOST.with(Host::clone);
    let id = match which {
        0 => host::id(&["c"]),
        1 => host::id(&["c", "n"]),
        2 => host::id(&["s"]),
        _ => host::id(&["d"]),
    };
    let mut agent =
        match host.act(|kernel| Isolator::create(kernel.clone(), host::config(), Box::new(NumericUsers)).map(drop)) {
            Ok(()) => Life { host, id, parent: None },
            Err(error) => panic!("create: {error}"),
        };
    agent.run(config, resources);
}

/// The life of a container.
struct Life {
    host: Host,
    id: ContainerId,
    /// What was decided for the container that it is nested in.
    parent: Option<ContainerConfig>,
}

impl Life {
    /// Lets an agent act that knows what is recorded, in a process of its own.
    fn act<R>(&mut self, act: impl FnOnce(&Process, &mut Isolator<Process>) -> R) -> R {
        self.host.act(|kernel| {
            let agent = Isolator::create(kernel.clone(), host::config(), Box::new(NumericUsers));
            let mut agent = match agent {
                Ok(agent) => agent,
                Err(error) => panic!("create, again: {error}"),
            };
            match agent.resume() {
                Ok(unreadable) => assert_eq!(unreadable, [], "what was recorded can be used"),
                Err(error) => panic!("resume: {error}"),
            }
            act(kernel, &mut agent)
        })
    }

    fn run(&mut self, config: &ContainerConfig, resources: &[Resource]) {
        let first = self.host.tables();
        if self.id.parent().is_some() {
            let parent: Option<ContainerConfig> = parsed(&text(&document(1)));
            let prepared = parent.as_ref().map(|config| self.act(|_, agent| agent.prepare(&host::id(&["c"]), config)));
            assert!(prepared.is_some_and(|prepared| prepared.is_ok()), "the parent is prepared");
            self.parent = parent;
        }
        let (tables, data) = (self.host.tables(), self.host.data());
        let id = self.id.clone();
        match self.act(|_, agent| agent.prepare(&id, config)) {
            Err(error) => {
                check_message(&error);
                assert_eq!(self.host.tables(), tables, "prepare has failed: {error}");
                assert_eq!(self.host.data(), data, "prepare has failed: {error}");
            }
            Ok(info) => {
                check_round_trip(&info);
                self.prepared(config, &info, resources);
            }
        }
        if self.parent.take().is_some() {
            let parent = host::id(&["c"]);
            let cleaned = self.act(|_, agent| agent.cleanup(&parent).map_err(|error| error.to_string()));
            assert_eq!(cleaned, Ok(()));
        }
        assert_eq!(self.host.tables(), first, "{}", first.difference(&self.host.tables()));
        self.check_files(config, &data);
        self.host.check();
    }

    fn prepared(&mut self, config: &ContainerConfig, info: &ContainerLaunchInfo, resources: &[Resource]) {
        let id = self.id.clone();
        let known = self.act(|_, agent| agent.container(&id).map(|container| container.sandbox().to_path_buf()));
        let Some(sandbox) = known else { panic!("what was prepared is recorded: {config:?}") };
        self.launched(info);
        if let Err(error) = self.act(|_, agent| agent.update(&id, resources)) {
            check_message(&error);
        }
        self.launched(info);
        let cleaned = self.act(|_, agent| {
            agent.cleanup(&id).map_err(|error| error.to_string())?;
            agent.remove(&id, &sandbox).map_err(|error| error.to_string())
        });
        assert_eq!(cleaned, Ok(()), "{config:?}");
    }

    fn launched(&mut self, info: &ContainerLaunchInfo) {
        let credentials = info.user.as_ref().and_then(|user| NumericUsers.look_up(user).ok());
        let request = LaunchRequest { info: info.clone(), credentials, ..LaunchRequest::default() };
        let tables = self.host.tables();
        self.host.act(|kernel| {
            if let Ok(child) = kernel.clone3(CloneFlags::empty(), &mut |kernel| launch(kernel, &request)) {
                assert!(kernel.wait4(child, WaitOptions::empty()).is_ok_and(|ended| ended.is_some()));
            }
        });
        let now = self.host.tables();
        assert_eq!(now, tables, "a launch leaves the host as it was: {info:?}\n{}", tables.difference(&now));
    }

    /// That nothing has changed but in the sandbox, in the root filesystem, in which mount points are made, and in what is
    /// bound over it.
    fn check_files(&self, config: &ContainerConfig, before: &Data) {
        let mut theirs = vec!["/run/agent".to_string(), SANDBOX.into(), "/world/work/meta".into()];
        theirs.push("/world/work/containers/s".into());
        theirs.push(format!("{}/d", SANDBOX.trim_end_matches("/c")));
        // By a link of the host, perhaps.
        theirs.extend(config.rootfs.as_ref().map(|_| "/world/image".into()));
        theirs.extend(config.rootfs.as_ref().map(|rootfs| shown(rootfs.as_path())));
        let after = self.host.data();
        let other = changed(before, &after).find(|path| !theirs.iter().any(|directory| is_below(path, directory)));
        assert_eq!(other, None, "{config:?}");
    }
}

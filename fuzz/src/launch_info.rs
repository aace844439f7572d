//! Launch infos, as JSON that somebody hostile has written: any bytes, or what prepare has decided with something changed.
//!
//! What does not parse says why; what parses is the same once it is written and parsed again. It is launched, and however that
//! ends:
//!
//! - the mounts of the host are what they were, unless the launch info asks for a bidirectional mount;
//! - no file of the host has changed but at or below, or on the way to, a path that the launch info names;
//! - the kernel's data hang together, and no process is left.

use cofferdam::isolator::Isolator;
use cofferdam::kernel::{Bytes, CloneFlags, Kernel, MountFlags, WaitOptions};
use cofferdam::launch::{LaunchRequest, launch};
use cofferdam::messages::{ContainerConfig, ContainerLaunchInfo, ContainerMountInfo};
use cofferdam::user::{NumericUsers, UserDatabase as _};
use serde_json::{Value, json};

use crate::choice::Choices;
use crate::host::{self, Data, Host, changed, check_parse_error, is_below, shown};
use crate::json::Vocabulary;

const SANDBOXES: &str = "/world/work/slaves/a/frameworks/f/executors/e/runs";

/// What is put into documents, besides what is in them.
const STRINGS: [&str; 27] = [
    "/world/precious",
    "/world/precious/file",
    "/world/image",
    "/world/image/link",
    "/world/image/link/made",
    "/world/image/made",
    "/world/link",
    "/world/link/proc",
    "/world/shared",
    "/world",
    "/world/work/slaves/a/frameworks/f/executors/e/runs/c/link",
    "/world/work/slaves/a/frameworks/f/executors/e/runs/c/link/made",
    "/world/work/volumes/roles/role/db",
    "/run/agent",
    "/proc",
    "/proc/self/root/world/precious",
    "/proc/1/root",
    "/proc/self/fd/3",
    "/dev/shm",
    "/missing/path",
    "tmpfs",
    "proc",
    "sysfs",
    "devpts",
    "overlay",
    "size=1k",
    "lowerdir=/world/precious,upperdir=/world/image,workdir=/world/shared",
];

thread_local! {
    static START: (Host, Vec<Value>) = start();
    static VOCABULARY: Vocabulary = START.with(|(_, infos)| Vocabulary::of(infos, &STRINGS));
}

/// A host with containers that are prepared, and what was decided for them.
fn start() -> (Host, Vec<Value>) {
    let mut host = Host::new();
    let command = json!({ "shell": false, "value": "/program", "arguments": ["program"] });
    let volume = json!({
        "name": "disk",
        "reservations": [{ "role": "role" }],
        "disk": { "persistence": { "id": "db" }, "volume": { "container_path": "data", "mode": "RW" } },
    });
    let volumes = json!([
        { "container_path": "/srv/host", "mode": "RO", "host_path": "/world/shared" },
        { "container_path": "in", "mode": "RW",
          "source": { "type": "SANDBOX_PATH", "sandbox_path": { "type": "SELF", "path": "made" } } },
    ]);
    let configs = [
        (
            host::id(&["c"]),
            json!({ "directory": format!("{SANDBOXES}/c"), "rootfs": "/world/image", "user": "1000",
            "command_info": command, "resources": [volume], "container_info": { "volumes": volumes } }),
        ),
        (
            host::id(&["d"]),
            json!({ "directory": format!("{SANDBOXES}/d"), "command_info": command,
            "container_info": { "linux_info": { "share_pid_namespace": true } } }),
        ),
        (host::id(&["x"]), json!({ "directory": format!("{SANDBOXES}/x"), "command_info": command })),
        (host::id(&["c", "n"]), json!({ "directory": format!("{SANDBOXES}/c/containers/n"), "command_info": command })),
    ];
    let infos = host.act(|kernel| {
        let mut agent = match Isolator::create(kernel.clone(), host::config(), Box::new(NumericUsers)) {
            Ok(agent) => agent,
            Err(error) => panic!("create: {error}"),
        };
        if let Err(error) = agent.prepare_launches() {
            panic!("create: {error}");
        }
        let mut infos = vec![more()];
        for (id, config) in configs {
            let prepared = serde_json::from_value::<ContainerConfig>(config)
                .map_err(|error| error.to_string())
                .and_then(|config| agent.prepare(&id, &config).map_err(|error| error.to_string()))
                .and_then(|info| serde_json::to_value(&info).map_err(|error| error.to_string()));
            match prepared {
                Ok(info) => infos.push(info),
                Err(error) => panic!("prepare {id}: {error}"),
            }
        }
        infos
    });
    (host, infos)
}

/// What prepare asks for never, or seldom.
fn more() -> Value {
    json!({
        "rootfs": "/world/image",
        "clone_namespaces": [131_072, 134_217_728, 67_108_864],
        "mounts": [
            { "target": "/world/image", "source": "/world/image", "flags": 20480 },
            { "target": "/world/image/mnt", "source": "/world/shared", "flags": 1_069_056 },
            { "target": "/world/image/dev", "source": "tmpfs", "type": "tmpfs", "flags": 16_777_226, "options": "mode=755" },
            { "target": "/world/image/proc", "flags": 4135 },
        ],
        "masked_paths": ["/world/image/program", "/world/image/srv"],
        "file_operations": [
            { "operation": "MKDIR", "mkdir": { "target": "/world/image/dev/x/y", "recursive": true } },
            { "operation": "SYMLINK", "symlink": { "source": "/world/precious", "target": "/world/image/dev/l" } },
            { "operation": "RENAME", "rename": { "source": "/world/image/dev/x", "target": "/world/image/dev/z" } },
            { "operation": "MOUNT", "mount": { "target": "/world/image/sys", "source": "sysfs", "type": "sysfs" } },
        ],
        "command": { "shell": true, "value": "true" },
        "environment": { "variables": [{ "name": "PATH", "value": "/bin" }] },
        "working_directory": "/srv",
        "supplementary_groups": [7],
        "rlimits": { "rlimits": [{ "type": "RLMT_NOFILE", "hard": 64, "soft": 8 }] },
        "effective_capabilities": { "capabilities": ["CHOWN"] },
        "bounding_capabilities": { "capabilities": ["CHOWN", "SYS_ADMIN"] },
        "no_new_privileges": true,
    })
}

/// Launches what an input is.
pub fn run(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    if kind % 4 == 0 {
        launch_text(rest);
        return;
    }
    let mut choices = Choices::new(rest);
    let mut info = START.with(|(_, infos)| infos[usize::from(choices.byte()) % infos.len()].clone());
    VOCABULARY.with(|vocabulary| vocabulary.change(&mut info, &mut choices));
    launch_text(info.to_string().as_bytes());
}

fn launch_text(text: &[u8]) {
    let info: ContainerLaunchInfo = match serde_json::from_slice(text) {
        Ok(info) => info,
        Err(error) => return check_parse_error(&error),
    };
    let again = serde_json::to_vec(&info).map(|text| serde_json::from_slice::<ContainerLaunchInfo>(&text));
    assert!(matches!(&again, Ok(Ok(again)) if *again == info), "{info:?} becomes {again:?}");
    let mut host = START.with(|(host, _)| host.clone());
    let (tables, data) = (host.tables(), host.data());
    let credentials = info.user.as_ref().and_then(|user| NumericUsers.look_up(user).ok());
    let pid_files = vec!["/run/agent/pid".into()];
    let request = LaunchRequest { info, credentials, pid_files, ..LaunchRequest::default() };
    let status = host.act(|kernel| {
        let child = kernel.clone3(CloneFlags::empty(), &mut |kernel| launch(kernel, &request));
        child.and_then(|child| kernel.wait4(child, WaitOptions::empty()))
    });
    let info = &request.info;
    assert!(matches!(status, Ok(Some(_))), "{status:?}");
    let now = host.tables();
    assert!(now == tables || is_bidirectional(info), "{info:?}\n{}", tables.difference(&now));
    check_files(info, &data, &host.data());
    host.check();
}

fn all_mounts(info: &ContainerLaunchInfo) -> impl Iterator<Item = &ContainerMountInfo> {
    let operations = info.file_operations.iter().filter_map(|operation| operation.mount.as_ref());
    info.mounts.iter().chain(operations)
}

/// Whether what the container mounts may arrive on the host.
fn is_bidirectional(info: &ContainerLaunchInfo) -> bool {
    all_mounts(info).any(|mount| mount.flags.contains(MountFlags::MS_SHARED))
}

fn check_files(info: &ContainerLaunchInfo, before: &Data, after: &Data) {
    let mut named = vec!["/run/agent/pid".to_string()];
    let mut name = |path: &Bytes| named.push(shown(path.as_path()));
    info.rootfs.iter().chain(&info.masked_paths).for_each(&mut name);
    for mount in all_mounts(info) {
        [&mount.target].into_iter().chain(&mount.source).for_each(&mut name);
        // That of an overlay writes in directories that its options name.
        if mount.options.is_some() && mount.filesystem_type.as_ref().is_some_and(|kind| kind.0 == b"overlay") {
            name(&"/".into());
        }
    }
    for operation in &info.file_operations {
        operation.symlink.iter().for_each(|symlink| name(&symlink.target));
        operation.mkdir.iter().for_each(|mkdir| name(&mkdir.target));
        operation.rename.iter().for_each(|rename| [&rename.source, &rename.target].into_iter().for_each(&mut name));
    }
    // The host's own link.
    if named.iter().any(|path| is_below(path, "/world/link")) {
        named.push("/world/image".into());
    }
    let is_asked_for = |path: &str| named.iter().any(|named| is_below(path, named) || is_below(named, path));
    let other = changed(before, after).find(|path| !is_asked_for(path));
    assert_eq!(other, None, "{info:?}");
}

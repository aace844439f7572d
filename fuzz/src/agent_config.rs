//! Configurations of an agent, as JSON: any bytes, or valid documents in which something was changed.
//!
//! What does not parse, or makes no sense, is told, each mistake by its key. With what does, an agent is made:
//!
//! - a refusal says something;
//! - making it once more changes nothing;
//! - a container is prepared, launched, found again by another agent, recovered and cleaned up, or refused with a message;
//!   then the mounts of the host are those from before it;
//! - no file has changed but in directories that the configuration names, and in the image.

use cofferdam::agent::{AgentConfig, AgentConfigFile};
use cofferdam::isolator::Isolator;
use cofferdam::kernel::{CloneFlags, Kernel, Mode, WaitOptions};
use cofferdam::launch::{LaunchRequest, launch};
use cofferdam::layout::Layout;
use cofferdam::messages::{ContainerConfig, ContainerId, ContainerLaunchInfo, ContainerState};
use cofferdam::root::{create_directories, real_path};
use cofferdam::user::NumericUsers;
use cofferdam::volumes::PersistentVolume;
use cofferdam::{UnixPath, UnixPathBuf};
use cofferdam_vfs_sim::Process;
use serde_json::{Value, json};

use crate::choice::Choices;
use crate::host::{self, Host, changed, check_message, check_parse_error, is_below, shown};
use crate::json::Vocabulary;

/// What is put into documents, besides what is in them.
const STRINGS: [&str; 32] = [
    "/world/work",
    "/world/precious",
    "/world/image",
    "/world/link",
    "/world",
    "/world/work/run",
    "/run",
    "/run/agent",
    "/run/new/deep",
    "/proc",
    "/proc/self",
    "/proc/self/fd",
    "/sys",
    "/dev",
    "/dev/shm",
    "/dev/pts",
    "/missing",
    "/world/precious/file",
    "/srv/host",
    "/etc",
    "null",
    "loop0",
    "ptmx",
    "namespaces/ipc",
    "10000-10001",
    "7-7",
    "64k",
    "10%",
    "tmpfs",
    "proc",
    "bind",
    "ro",
];

thread_local! {
    static HOST: Host = Host::new();
    static VOCABULARY: Vocabulary = Vocabulary::of(&[document(0), document(1), document(2)], &STRINGS);
}

/// Makes an agent of what an input is.
pub fn run(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    if kind % 4 == 0 {
        from_text(rest);
        return;
    }
    let mut choices = Choices::new(rest);
    let mut document = document(choices.below(3));
    VOCABULARY.with(|vocabulary| vocabulary.change(&mut document, &mut choices));
    from_text(document.to_string().as_bytes());
}

fn document(number: u8) -> Value {
    match number {
        0 => json!({ "work_dir": "/world/work", "runtime_dir": "/run/agent" }),
        1 => json!({
            "work_dir": "/world/work",
            "isolation": "filesystem/linux,namespaces/pid",
            "volume_gid_range": "10000-20000",
            "devices": ["null", "urandom", "zero"],
            "readonly_paths": ["/etc", "/proc/driver", "/program"],
            "masked_paths": ["/proc/kcore", "/srv/both"],
            "host_path_creation": ["/world/made"],
            "tmpfs_sizes": { "/dev": "64k", "/dev/shm": "10%" },
        }),
        _ => json!({
            "work_dir": "/world/work",
            "runtime_dir": "/run/other",
            "sandbox_directory": "/mnt/mesos/sandbox",
            "isolation": [],
            "devices": ["full", "null", "random", "tty", "urandom", "zero"],
            "masked_paths": ["/proc/kcore"],
            "readonly_paths": [],
            "special_mounts": [
                { "target": "/proc", "type": "proc", "flags": ["nosuid", "noexec", "nodev"] },
                { "target": "/proc/sys", "flags": ["bind", "ro", "nosuid", "noexec", "nodev"] },
                { "target": "/sys", "type": "sysfs", "flags": ["ro", "nosuid", "noexec", "nodev"] },
                { "target": "/dev", "type": "tmpfs", "flags": ["nosuid", "noexec", "strictatime"], "options": "mode=755" },
                { "target": "/dev/pts", "type": "devpts", "flags": ["nosuid"], "options": "newinstance,mode=0620,gid=5" },
            ],
            "tmpfs_sizes": {},
        }),
    }
}

fn from_text(text: &[u8]) {
    let file = match AgentConfigFile::from_table(&mut serde_json::Deserializer::from_slice(text)) {
        Ok(file) => file,
        Err(error) => return check_parse_error(&error),
    };
    let written = serde_json::to_vec(&file).map_err(|error| error.to_string());
    let again = written.map(|text| serde_json::from_slice::<AgentConfigFile>(&text).map_err(|error| error.to_string()));
    assert_eq!(again, Ok(Ok(file.clone())));
    match file.over(host::config()) {
        Ok(config) => with_config(&config),
        Err(error) => {
            for problem in &error.0 {
                assert!(!problem.key.0.is_empty() && !problem.message.is_empty(), "{problem:?}");
            }
            assert!(!error.0.is_empty() && !error.to_string().is_empty());
        }
    }
}

fn with_config(config: &AgentConfig) {
    let mut host = HOST.with(Host::clone);
    let before = host.data();
    let create = |kernel: &Process| Isolator::create(kernel.clone(), config.clone(), Box::new(NumericUsers));
    let real = match host.act(|kernel| create(kernel).map(|agent| agent.config().layout.clone())) {
        Ok(layout) => layout,
        Err(error) => return check_message(&error),
    };
    let (tables, data) = (host.tables(), host.data());
    if let Err(error) = host.act(|kernel| create(kernel).map(drop)) {
        panic!("create, again: {error}");
    }
    assert_eq!((host.tables(), host.data()), (tables.clone(), data), "create can be repeated");

    live(&mut host, config, &real);
    assert_eq!(host.tables(), tables, "{config:?}\n{}", tables.difference(&host.tables()));
    host.check();
    let after = host.data();
    let mut named = vec!["/world/image".to_string()];
    for path in [&config.layout.work_dir, &config.layout.runtime_dir, &real.work_dir, &real.runtime_dir]
        .into_iter()
        .chain(&config.host_path_creation)
    {
        named.push(shown(path));
    }
    let is_named = |path: &str| named.iter().any(|named| is_below(path, named) || is_below(named, path));
    let other = changed(&before, &after).find(|path| !is_named(path));
    assert_eq!(other, None, "{config:?}");
}

/// Lets a container live whose host path may be made.
fn live(host: &mut Host, config: &AgentConfig, layout: &Layout) {
    let id = host::id(&["new"]);
    let Ok(sandbox) = layout.executor_sandbox("a", "f", "e", &id) else { return };
    let volume = json!({
        "name": "disk",
        "reservations": [{ "role": "role" }],
        "disk": { "persistence": { "id": "db" }, "volume": { "container_path": "data", "mode": "RW" } },
    });
    let document = json!({
        "directory": sandbox.display().to_string(),
        "rootfs": "/world/image",
        "user": "1000",
        "command_info": { "shell": false, "value": "/program" },
        "resources": [volume],
        "container_info": { "volumes": [
            { "container_path": "/srv/host", "mode": "RW", "host_path": "/world/made/deep" },
        ] },
    });
    let Ok(mut container) = serde_json::from_value::<ContainerConfig>(document) else { unreachable!("it is valid") };
    if config.host_path_creation.is_empty() {
        container.container_info = None;
    }
    // work_dir may be a place where nothing can be made.
    if !host.act(|kernel| make(kernel, &sandbox, &container, layout)) {
        return;
    }
    let tables = host.tables();
    let prepared = act(host, config, |_, agent| agent.prepare(&id, &container));
    match prepared {
        Ok(info) => prepared_container(host, config, &id, &container, info),
        Err(error) => {
            check_message(&error);
            assert_eq!(host.tables(), tables, "prepare has failed: {error}");
        }
    }
}

/// Makes what an agent makes before it prepares a container.
fn make(kernel: &Process, sandbox: &UnixPathBuf, container: &ContainerConfig, layout: &Layout) -> bool {
    let volume = container.resources.first().map(|resource| PersistentVolume::from_resource(resource, layout));
    let Some(Ok(Some(volume))) = volume else { return false };
    create_directories(kernel, sandbox, Mode(0o755)).is_ok()
        && real_path(kernel, sandbox).is_ok_and(|real| real == *sandbox)
        && (kernel.statx(cofferdam::kernel::Fd::CWD, &volume.source, cofferdam::kernel::AtFlags::empty()).is_ok()
            || volume.create(kernel).is_ok())
}

fn prepared_container(
    host: &mut Host,
    config: &AgentConfig,
    id: &ContainerId,
    container: &ContainerConfig,
    info: ContainerLaunchInfo,
) {
    let tables = host.tables();
    let request = LaunchRequest { info, ..LaunchRequest::default() };
    host.act(|kernel| {
        let child = kernel.clone3(CloneFlags::empty(), &mut |kernel| launch(kernel, &request));
        assert!(child.and_then(|child| kernel.wait4(child, WaitOptions::empty())).is_ok_and(|child| child.is_some()));
    });
    assert_eq!(host.tables(), tables, "a launch leaves the host as it was");
    let state = ContainerState {
        container_id: id.clone(),
        directory: container.directory.clone(),
        executor_info: None,
        pid: None,
        other: serde_json::Map::default(),
    };
    let cleaned = act(host, config, |_, agent| {
        agent.recover(&[state], &[]).map_err(|error| error.to_string())?;
        let found = agent.container(id).map(|container| container.volumes().len());
        assert_eq!(found, Some(1), "what was prepared is found again");
        agent.cleanup(id).map_err(|error| error.to_string())?;
        agent.remove(id, container.directory.as_path()).map_err(|error| error.to_string())
    });
    assert_eq!(cleaned, Ok(()), "{config:?}");
    let runtime = config.layout.container_runtime(id);
    let is_left = host.act(|kernel| real_path(kernel, UnixPath::new(&runtime)).is_ok());
    assert!(!is_left, "the runtime directory is removed");
}

fn act<R>(host: &mut Host, config: &AgentConfig, act: impl FnOnce(&Process, &mut Isolator<Process>) -> R) -> R {
    host.act(|kernel| match Isolator::create(kernel.clone(), config.clone(), Box::new(NumericUsers)) {
        Ok(mut agent) => act(kernel, &mut agent),
        Err(error) => panic!("create, again: {error}"),
    })
}

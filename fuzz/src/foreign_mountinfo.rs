//! Mount tables of other machines: any text, or one whose fields are chosen. What can be loaded is a machine on which an agent
//! begins, and a container lives.
//!
//! What can't be loaded says why. On what can:
//!
//! - the kernel's data hang together, and the table is written again as it was;
//! - the sample's files are put on it, or a message says why not;
//! - an agent is made, or refuses with a message and leaves the table as it was;
//! - a container is prepared, launched and cleaned up, or refused, and the table is the one from before.

use cofferdam::agent::AgentConfig;
use cofferdam::isolator::Isolator;
use cofferdam::kernel::{AtFlags, CloneFlags, Kernel, Mode, WaitOptions};
use cofferdam::launch::{LaunchRequest, launch};
use cofferdam::layout::Layout;
use cofferdam::messages::{CommandInfo, ContainerConfig, ContainerId, Resource};
use cofferdam::mountinfo::{OwnedEntry, entries};
use cofferdam::root::create_directories;
use cofferdam::user::NumericUsers;
use cofferdam::volumes::PersistentVolume;
use cofferdam::{UnixPath, UnixPathBuf};
use cofferdam_vfs_sim::{Linux, Process, sample};
use serde_json::json;

use crate::choice::Choices;
use crate::host::{self, check_message};

/// No more mounts than this.
const MAX_MOUNTS: u8 = 16;

/// Names of mount points, below that of the parent.
const NAMES: [&str; 24] = [
    "proc",
    "sys",
    "dev",
    "run",
    "var",
    "var/lib",
    "var/lib/agent",
    "run/agent",
    "run/agent/containers",
    "srv",
    "srv/busybox",
    "a",
    "b",
    "a/b",
    "c\\040d",
    "dev/shm",
    "dev/pts",
    "dev/null",
    "etc",
    "sys/fs/cgroup",
    "tmp",
    "mnt",
    "var/lib/agent/volumes/roles/web/db",
    "",
];

const ROOTS: [&str; 8] = ["/", "/", "/", "/", "/a", "/var/lib", "/gone//deleted", "mnt:[4026531840]"];

const TYPES: [&str; 16] = [
    "ext4", "tmpfs", "proc", "sysfs", "devtmpfs", "devpts", "overlay", "btrfs", "nfs4", "cgroup2", "ramfs", "fuse.x",
    "mqueue", "rootfs", "nsfs", "",
];

const OPTIONS: [&str; 8] =
    ["rw,relatime", "ro,relatime", "rw,nosuid,nodev,noexec", "rw", "ro,nosuid,nodev", "rw,noatime", "rw,idmapped", ""];

const SUPER_OPTIONS: [&str; 8] = [
    "rw",
    "ro",
    "rw,size=64k",
    "rw,size=64k,nr_inodes=3",
    "rw,mode=700",
    "rw,lowerdir=/a,upperdir=/b,workdir=/c",
    "rw,subvol=/a",
    "",
];

/// Loads the table that an input is.
pub fn run(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    match kind % 4 {
        0 => load(rest),
        1 => load(&changed_sample(&mut Choices::new(rest))),
        _ => load(table(&mut Choices::new(rest)).as_bytes()),
    }
}

/// The table of the sample, with bytes changed and lines left out, doubled or exchanged.
fn changed_sample(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> =
        sample::MOUNTINFO.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    for _ in 0..choices.below(8) {
        let (kind, one, other) = (choices.below(4), usize::from(choices.byte()), usize::from(choices.byte()));
        let (one, other) = (one % lines.len(), other % lines.len());
        match kind {
            0 if lines.len() > 1 => drop(lines.remove(one)),
            1 => lines.swap(one, other),
            2 => lines.insert(one, lines[other].clone()),
            _ => {
                let position = other * 7 % lines[one].len().max(1);
                let byte = choices.one_of(b"0123456789/ -:,\\amr\n");
                if let Some(place) = lines[one].get_mut(position) {
                    *place = byte;
                }
            }
        }
    }
    lines.concat()
}

/// A table whose fields are chosen.
fn table(choices: &mut Choices<'_>) -> String {
    let mut text = String::new();
    let mut mountpoints = vec![String::new()];
    for number in 0..=choices.below(MAX_MOUNTS) {
        let id = 20 + u32::from(number);
        // As a rule one of those before, or, for the first, one that is not in the table.
        let above = usize::from(choices.byte());
        let parent = if above >= 240 { above } else { 19 + above % mountpoints.len() };
        let base = mountpoints.get(parent.wrapping_sub(19)).cloned().unwrap_or_default();
        let name = if number == 0 { "" } else { choices.one_of(&NAMES) };
        let mountpoint = if name.is_empty() { base } else { format!("{base}/{name}") };
        let shown = if mountpoint.is_empty() { "/" } else { &mountpoint };
        let device = choices.below(8);
        let root = choices.one_of(&ROOTS);
        let options = choices.one_of(&OPTIONS);
        let propagation = match choices.below(8) {
            0 => " shared:1".to_string(),
            1 => format!(" shared:{}", 1 + choices.below(4)),
            2 => format!(" master:{}", 1 + choices.below(4)),
            3 => format!(" shared:{} master:{}", 1 + choices.below(4), 1 + choices.below(4)),
            4 => format!(" master:{} propagate_from:{}", 1 + choices.below(4), 1 + choices.below(4)),
            5 => " unbindable".to_string(),
            _ => String::new(),
        };
        let (kind, super_options) = (choices.one_of(&TYPES), choices.one_of(&SUPER_OPTIONS));
        let line =
            format!("{id} {parent} 0:{device} {root} {shown} {options}{propagation} - {kind} s {super_options}\n");
        text.push_str(&line);
        mountpoints.push(mountpoint);
    }
    text
}

fn load(text: &[u8]) {
    let linux = match Linux::from_mountinfo(text) {
        Ok(linux) => linux,
        Err(error) => return check_message(&error),
    };
    if let Err(inconsistency) = linux.check() {
        panic!("{inconsistency}\n{}", String::from_utf8_lossy(text));
    }
    let written = linux.task(linux.init()).and_then(|init| init.mountinfo());
    let written = written.unwrap_or_default();
    let same = known(text) == known(&written);
    assert!(same, "{}\nis written as\n{}", text.escape_ascii(), written.escape_ascii());
    match sample::furnished(linux.clone()) {
        Ok(linux) => live(linux),
        Err(error) => check_message(&error),
    }
    live(linux);
}

/// The mounts of a table, as far as they are known: not fields of kernels to come.
fn known(text: &[u8]) -> Vec<OwnedEntry> {
    entries(text).filter_map(Result::ok).map(|entry| OwnedEntry::from(&entry)).collect()
}

fn check(linux: &Linux) {
    if let Err(inconsistency) = linux.check() {
        panic!("{inconsistency}");
    }
}

fn mountinfo(kernel: &Process) -> String {
    let text = kernel.linux().mountinfo_table(kernel.task()).unwrap_or_default();
    String::from_utf8_lossy(&text).into_owned()
}

/// An agent begins, and a container lives.
fn live(linux: Linux) {
    let kernel = Process::init(linux);
    let layout = Layout { work_dir: "/var/lib/agent".into(), runtime_dir: "/run/agent".into() };
    if let Err(error) = create_directories(&kernel, &layout.work_dir, Mode(0o755)) {
        return check_message(&error);
    }
    let before = mountinfo(&kernel);
    let agent = Isolator::create(kernel.clone(), AgentConfig::new(layout), Box::new(NumericUsers));
    let mut agent = match agent {
        Ok(agent) => agent,
        Err(error) => {
            check_message(&error);
            assert_eq!(mountinfo(&kernel), before, "create has failed: {error}");
            return;
        }
    };
    let created = mountinfo(&kernel);
    if let Err(error) = Isolator::create(kernel.clone(), agent.config().clone(), Box::new(NumericUsers)) {
        panic!("create, again: {error}\n{created}");
    }
    assert_eq!(mountinfo(&kernel), created, "create can be repeated");
    for rootfs in [None, Some(UnixPath::new(sample::ROOTFS))] {
        live_in(&kernel, &mut agent, rootfs);
        assert_eq!(mountinfo(&kernel), created, "a container leaves no mount");
    }
    drop(agent);
    check(&kernel.linux());
}

fn live_in(kernel: &Process, agent: &mut Isolator<Process>, rootfs: Option<&UnixPath>) {
    let id: ContainerId = host::id(&["c"]);
    let layout = agent.config().layout.clone();
    let Ok(sandbox) = layout.executor_sandbox("a", "f", "e", &id) else { return };
    let resource = json!({
        "name": "disk",
        "reservations": [{ "role": "web" }],
        "disk": { "persistence": { "id": "db" }, "volume": { "container_path": "data", "mode": "RW" } },
    });
    let resources: Vec<Resource> = serde_json::from_value(json!([resource])).unwrap_or_default();
    if !make(kernel, &sandbox, &resources, &layout) {
        return;
    }
    let config = ContainerConfig {
        directory: sandbox.as_path().into(),
        rootfs: rootfs.map(Into::into),
        command_info: CommandInfo::program(vec!["/bin/true".into()]),
        resources,
        ..ContainerConfig::default()
    };
    let before = mountinfo(kernel);
    let info = match agent.prepare(&id, &config) {
        Ok(info) => info,
        Err(error) => {
            check_message(&error);
            assert_eq!(mountinfo(kernel), before, "prepare has failed: {error}");
            return;
        }
    };
    let prepared = mountinfo(kernel);
    let request = LaunchRequest { info, ..LaunchRequest::default() };
    if let Ok(child) = kernel.clone3(CloneFlags::empty(), &mut |kernel| launch(kernel, &request)) {
        assert!(kernel.wait4(child, WaitOptions::empty()).is_ok_and(|child| child.is_some()));
    }
    assert_eq!(mountinfo(kernel), prepared, "a launch leaves the host as it was");
    let cleaned = agent.cleanup(&id).map_err(|error| error.to_string());
    let removed = cleaned.and_then(|()| agent.remove(&id, &sandbox).map_err(|error| error.to_string()));
    assert_eq!(removed, Ok(()), "{prepared}");
}

/// Makes what an agent makes before it prepares a container; not where nothing can be made.
fn make(kernel: &Process, sandbox: &UnixPathBuf, resources: &[Resource], layout: &Layout) -> bool {
    let volume = resources.first().map(|resource| PersistentVolume::from_resource(resource, layout));
    let Some(Ok(Some(volume))) = volume else { return false };
    create_directories(kernel, sandbox, Mode(0o755)).is_ok()
        && (kernel.statx(cofferdam::kernel::Fd::CWD, &volume.source, AtFlags::empty()).is_ok()
            || volume.create(kernel).is_ok())
}

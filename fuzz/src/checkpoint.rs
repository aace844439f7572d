//! What an agent has written down for itself, damaged: bits change, records are cut off, exchanged between containers, replaced
//! by other JSON, by directories, links and fifos, emptied, doubled.
//!
//! Then another agent goes on. What it knows of a container is what the first one knew, or it says which file is of no use. It
//! recovers, changes volumes and cleans up:
//!
//! - nothing that was not mounted before is mounted, and in the end no mount is left;
//! - launch infos and gids are what they were, or an error names their file;
//! - nothing changes in volumes, in the image, and in what is nobody's business.

use std::collections::{BTreeMap, BTreeSet};

use cofferdam::agent::{AgentConfig, GidRange};
use cofferdam::isolator::Isolator;
use cofferdam::kernel::{AtFlags, DeviceNumber, Fd, FileType, Kernel, Mode, NodeMode, RenameFlags};
use cofferdam::locks::{AgentLock, RunningLock};
use cofferdam::messages::{ContainerConfig, ContainerId, ContainerLaunchInfo, ContainerState, Resource};
use cofferdam::metrics::Counters;
use cofferdam::user::NumericUsers;
use cofferdam::volumes::{AllocatedGid, PersistentVolume};
use cofferdam::{UnixPath, UnixPathBuf, checkpoint, record};
use cofferdam_explorer::machine::layout;
use cofferdam_explorer::tables::Tables;
use cofferdam_vfs_sim::Process;
use serde_json::{Value, json};

use crate::choice::Choices;
use crate::host::{self, Data, Host, changed, check_message, is_below};
use crate::json::Vocabulary;

const SANDBOXES: &str = "/world/work/slaves/a/frameworks/f/executors/e/runs";

/// No more damages than this.
const MAX_DAMAGES: u8 = 4;

/// Where a link leads that is put in the place of a record.
const LINKS: [&str; 6] = [
    "/world/precious/file",
    "/world/precious",
    "/missing",
    "config",
    "../d/config",
    "/run/agent/containers/c/launch_info",
];

thread_local! {
    static START: Start = Start::new();
}

/// A host on which an agent was at work.
#[derive(Clone)]
struct Start {
    host: Host,
    /// Before the first container.
    created: Tables,
    known: BTreeMap<ContainerId, Known>,
    gids: Vec<AllocatedGid>,
}

/// What the agent knew of a container.
#[derive(Clone)]
struct Known {
    config: ContainerConfig,
    info: ContainerLaunchInfo,
    volumes: Vec<PersistentVolume>,
}

fn config() -> AgentConfig {
    AgentConfig { volume_gid_range: GidRange::new(10_000, 10_100).ok(), ..host::config() }
}

/// The containers, those in which others are nested first.
fn ids() -> [ContainerId; 3] {
    [host::id(&["c"]), host::id(&["c", "n"]), host::id(&["d"])]
}

/// What is damaged.
fn files() -> Vec<UnixPathBuf> {
    let layout = layout();
    let mut files = vec![layout.volume_gids(), layout.metrics()];
    files.extend([layout.meta().join("runtime_dir"), layout.runtime_dir.join("work_dir")]);
    for id in ids() {
        files.extend([layout.container_config(&id), layout.container_volumes(&id), layout.container_launch_info(&id)]);
        files.extend([layout.running_lock(&id), layout.preparing_marker(&id), layout.container_pid(&id)]);
    }
    files
}

fn agent(kernel: &Process) -> Isolator<Process> {
    match Isolator::create(kernel.clone(), config(), Box::new(NumericUsers)) {
        Ok(agent) => match agent.prepare_launches() {
            Ok(()) => agent,
            Err(error) => panic!("prepare launches: {error}"),
        },
        Err(error) => panic!("create: {error}"),
    }
}

fn resource(id: &str, name: &str) -> Value {
    json!({
        "name": "disk",
        "reservations": [{ "role": "role" }],
        "disk": { "persistence": { "id": id }, "volume": { "container_path": name, "mode": "RW" } },
    })
}

fn parsed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    match serde_json::from_value(value) {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

fn configs() -> [ContainerConfig; 3] {
    let command = json!({ "shell": false, "value": "/program" });
    let share = json!([{ "container_path": "of-parent", "mode": "RW",
        "source": { "type": "SANDBOX_PATH", "sandbox_path": { "type": "PARENT", "path": "shared" } } }]);
    [
        json!({ "directory": format!("{SANDBOXES}/c"), "rootfs": "/world/image", "user": "1000",
            "command_info": command, "resources": [resource("db", "data")] }),
        json!({ "directory": format!("{SANDBOXES}/c/containers/n"), "user": "1000", "rootfs": "/world/image",
            "command_info": command, "container_info": { "volumes": share } }),
        json!({ "directory": format!("{SANDBOXES}/d"), "command_info": command }),
    ]
    .map(parsed)
}

impl Start {
    fn new() -> Self {
        let mut host = Host::new();
        host.act(|kernel| drop(agent(kernel)));
        let created = host.tables();
        let mut known = BTreeMap::new();
        let gids = host.act(|kernel| {
            let sandbox = UnixPathBuf::from(format!("{SANDBOXES}/c"));
            let user = kernel.fchownat(Fd::CWD, &sandbox, Some(1000), Some(1000), AtFlags::empty());
            assert_eq!(user, Ok(()));
            let lock = AgentLock::shared(kernel, &layout());
            assert!(lock.is_ok(), "the directories know each other");
            let mut agent = agent(kernel);
            for (id, config) in ids().into_iter().zip(configs()) {
                let info = match agent.prepare(&id, &config) {
                    Ok(info) => info,
                    Err(error) => panic!("prepare {id}: {error}"),
                };
                known.insert(id, Known { config, info, volumes: Vec::new() });
            }
            let more: Vec<Resource> = vec![parsed(resource("log", "log"))];
            assert_eq!(agent.update(&host::id(&["d"]), &more).map_err(|error| error.to_string()), Ok(()));
            for (id, known) in &mut known {
                known.volumes = agent.container(id).map(|found| found.volumes().to_vec()).unwrap_or_default();
            }
            assert!(agent.counters().record(kernel, &layout()).is_ok());
            let gids = agent.gid_manager().map(|gids| gids.volumes(kernel));
            match gids {
                Some(Ok(gids)) if gids.len() == 2 => gids,
                other => panic!("{other:?}"),
            }
        });
        Self { host, created, known, gids }
    }
}

/// Damages what an input says, and goes on.
pub fn run(input: &[u8]) {
    let mut start = START.with(Start::clone);
    let mut choices = Choices::new(input);
    let (tables, data) = (start.host.tables(), start.host.data());
    let all = files();
    let mut damaged = Vec::new();
    for _ in 0..=choices.below(MAX_DAMAGES) {
        let file = all[usize::from(choices.byte()) % all.len()].clone();
        let other = all[usize::from(choices.byte()) % all.len()].clone();
        start.host.act(|kernel| damage(kernel, &file, &other, &mut choices));
        damaged.extend([file, other]);
    }
    let mut next = Next { start, tables, damaged };
    next.resumes();
    next.reads();
    next.recovers(&mut choices);
    next.cleans_up(&data);
}

/// Puts something else in the place of a file.
fn damage(kernel: &Process, file: &UnixPath, other: &UnixPath, choices: &mut Choices<'_>) {
    let before = checkpoint::read(kernel, file).unwrap_or_default();
    let remove = || kernel.unlinkat(Fd::CWD, file, AtFlags::empty());
    let write = |content: &[u8]| {
        // Over whatever is there, and without a new inode where there is a file.
        let _ = remove();
        checkpoint::write(kernel, file, content, Mode(0o600)).map_err(|error| error.errno)
    };
    let position = usize::from(choices.byte()) << 8 | usize::from(choices.byte());
    let place = position % before.len().max(1);
    // Whatever comes of it.
    let _ = match choices.below(12) {
        0 | 1 => {
            let mut changed = before;
            if let Some(byte) = changed.get_mut(place) {
                *byte ^= 1 << choices.below(8);
            }
            write(&changed)
        }
        2 => write(&before[..place.min(before.len())]),
        3 => kernel.renameat2(Fd::CWD, file, Fd::CWD, other, RenameFlags::RENAME_EXCHANGE),
        4 => write(&checkpoint::read(kernel, other).unwrap_or_default()),
        5 => write(&other_json(&before, choices)),
        6 => remove().and_then(|()| kernel.mkdirat(Fd::CWD, file, Mode(0o755))),
        7 => {
            let target = UnixPath::new(choices.one_of(&LINKS));
            remove().and_then(|()| kernel.symlinkat(target, Fd::CWD, file))
        }
        8 => {
            let mode = NodeMode { file_type: FileType::Fifo, mode: Mode(0o600) };
            remove().and_then(|()| kernel.mknodat(Fd::CWD, file, mode, DeviceNumber::NONE))
        }
        9 => write(&[]),
        10 => write(&[&before[..], &before[place.min(before.len())..]].concat()),
        _ => {
            let mut changed = before;
            if let Some(byte) = changed.get_mut(place) {
                *byte = choices.one_of(b"\0\n\"/0a{}[],: ");
            }
            write(&changed)
        }
    };
}

/// The record with something changed, as somebody writes it who knows nothing of checksums.
fn other_json(before: &[u8], choices: &mut Choices<'_>) -> Vec<u8> {
    let shape = choices.byte();
    let mut value: Value = serde_json::from_slice(before).unwrap_or_default();
    let vocabulary = Vocabulary::of(std::slice::from_ref(&value), &["/world/precious", SANDBOXES, "log", "d"]);
    let sum = value.get("sha256").cloned().unwrap_or_default();
    if shape & 1 == 1
        && let Some(record) = value.get_mut("record")
    {
        value = record.take();
    }
    let unchanged = value.clone();
    vocabulary.change(&mut value, choices);
    // The same in another way of writing would be told as well, but nobody could say that it is wrong.
    if shape & 2 == 2
        && value != unchanged
        && let (Some(of), Some(record)) = (value.get("of"), value.get("record"))
    {
        return format!("{{\"sha256\":{sum},\n\"of\":{of},\n\"record\":{record}}}\n").into_bytes();
    }
    value.to_string().into_bytes()
}

/// The agent that goes on.
struct Next {
    start: Start,
    /// Before the damage.
    tables: Tables,
    damaged: Vec<UnixPathBuf>,
}

impl Next {
    fn is_damaged(&self, path: &UnixPath) -> bool {
        self.damaged.iter().any(|damaged| damaged == path)
    }

    /// What it knows is what was known, and what it does not know it tells.
    fn resumes(&mut self) {
        let layout = layout();
        let (found, unreadable) = self.start.host.act(|kernel| {
            if let Err(error) = AgentLock::exclusive(kernel, &layout) {
                check_message(&error);
            }
            for id in ids() {
                if let Err(error) = RunningLock::is_taken(kernel, &layout, &id) {
                    check_message(&error);
                }
            }
            let mut agent = agent(kernel);
            let unreadable = match agent.resume() {
                Ok(unreadable) => unreadable,
                Err(error) => panic!("resume: {error}"),
            };
            let found: Vec<_> = ids().iter().map(|id| known(&agent, id)).collect();
            (found, unreadable)
        });
        for (id, found) in ids().iter().zip(found) {
            let own = &self.start.known[id];
            let told = unreadable.iter().find(|one| one.id == *id);
            let Some((sandbox, volumes)) = found else {
                let Some(told) = told else { panic!("{id} is forgotten, and nobody says so") };
                let runtime = layout.container_runtime(id).display().to_string();
                let message = told.error.to_string();
                check_message(&told.error);
                assert!(message.contains(&runtime) || message.contains("died in the middle"), "{message} of {id}");
                let records = [layout.container_config(id), layout.container_volumes(id), layout.preparing_marker(id)];
                assert!(records.iter().any(|record| self.is_damaged(record)), "{message}, and nothing was done to it");
                continue;
            };
            assert!(told.is_none(), "{id} is known, and of no use: {told:?}");
            assert_eq!(sandbox.as_path(), own.config.directory.as_path());
            // That of a record that is gone nobody can know.
            assert!(volumes.iter().all(|volume| own.volumes.contains(volume)), "{volumes:?} are not those of {id}");
            let is_whole = !self.is_damaged(&layout.container_volumes(id));
            assert!(!is_whole || volumes.len() == own.volumes.len(), "{id} has lost a volume");
        }
    }

    /// What is read is what was written, or an error names the file.
    fn reads(&mut self) {
        let Self { start, .. } = self;
        let layout = layout();
        for (id, known) in &start.known {
            let paths = [layout.container_config(id), layout.container_launch_info(id)];
            let [config, info] = start.host.act(|kernel| {
                let read = |path: &UnixPathBuf| record::read::<Value>(kernel, &layout, path);
                paths.each_ref().map(read)
            });
            let written = [serde_json::to_value(&known.config), serde_json::to_value(&known.info)];
            for ((found, written), path) in [config, info].into_iter().zip(written).zip(&paths) {
                match found {
                    Ok(found) => {
                        assert!(written.is_ok_and(|written| written == found), "{} is believed", path.display());
                    }
                    Err(error) => assert!(error.to_string().contains(&path.display().to_string()), "{error}"),
                }
            }
        }
        let (gids, counters) = start.host.act(|kernel| {
            let gids = agent(kernel).gid_manager().map(|gids| gids.volumes(kernel));
            (gids, Counters::recorded(kernel, &layout))
        });
        match gids {
            // A link that leads nowhere is no record.
            Some(Ok(gids)) => assert!(gids == start.gids || gids.is_empty(), "{gids:?} are believed"),
            Some(Err(error)) => assert!(error.to_string().contains("volume_gids"), "{error}"),
            None => unreachable!("there is a range"),
        }
        if let Err(error) = counters {
            assert!(error.to_string().contains("metrics"), "{error}");
        }
    }

    /// Of some containers it is told.
    fn recovers(&mut self, choices: &mut Choices<'_>) {
        let told = choices.byte();
        let (resumes, updates) = (choices.bit(), choices.bit());
        let state = |(id, known): (&ContainerId, &Known)| ContainerState {
            container_id: id.clone(),
            directory: known.config.directory.clone(),
            executor_info: None,
            pid: None,
            other: serde_json::Map::default(),
        };
        let all = self.start.known.iter().enumerate();
        let states: Vec<_> = all.filter(|(number, _)| told >> number & 1 == 1).map(|(_, known)| state(known)).collect();
        let volumes: Vec<Resource> = vec![parsed(resource("db", "data"))];
        let found = self.start.host.act(|kernel| {
            let mut agent = agent(kernel);
            if resumes {
                let _ = agent.resume();
            }
            if let Err(error) = agent.recover(&states, &[]) {
                check_message(&error);
            }
            if let Err(error) = agent.recover_gids(false) {
                check_message(&error);
            }
            if updates && let Err(error) = agent.update(&host::id(&["c"]), &volumes) {
                check_message(&error);
            }
            ids().map(|id| known(&agent, &id))
        });
        for (id, found) in ids().iter().zip(found) {
            let own = &self.start.known[id];
            let Some((sandbox, volumes)) = found else { continue };
            assert_eq!(sandbox.as_path(), own.config.directory.as_path());
            let is_own = |volume: &PersistentVolume| own.volumes.iter().any(|own| own.is_same_mount(volume));
            assert!(volumes.iter().all(is_own), "{volumes:?} are not those of {id}");
        }
        let difference = self.tables.difference(&self.start.host.tables());
        // Groups are numbered anew where a mount is gone.
        let mounts = |sign: char| {
            let lines = difference.lines().filter_map(move |line| line.strip_prefix(sign));
            lines.map(|line| line.split(" shared:").next()).collect::<BTreeSet<_>>()
        };
        assert!(mounts('+').is_subset(&mounts('-')), "something else is mounted:\n{difference}");
    }

    /// Nothing is left, or somebody says so.
    fn cleans_up(&mut self, before: &Data) {
        let mut ids = ids();
        ids.reverse();
        let Self { start, .. } = self;
        let errors = start.host.act(|kernel| {
            let mut agent = agent(kernel);
            let _ = agent.resume();
            let mut errors = Vec::new();
            for id in &ids {
                let cleaned =
                    if agent.container(id).is_some() { agent.cleanup(id) } else { agent.clean_up_unknown(id) };
                match cleaned.and_then(|()| agent.clean_up_unfinished(id)) {
                    Ok(false) => errors.extend(agent.remove_runtime(id).err().map(|error| error.to_string())),
                    Ok(true) => {}
                    Err(error) => {
                        check_message(&error);
                        errors.push(error.to_string());
                    }
                }
            }
            errors
        });
        let now = start.host.tables();
        assert_eq!(now, start.created, "{errors:?}\n{}", start.created.difference(&now));
        // Only who has a gid is told when nobody knows which.
        let gids = layout().volume_gids();
        assert!(errors.is_empty() || self.damaged.contains(&gids), "{errors:?}");
        let after = start.host.data();
        let theirs = [SANDBOXES, "/run/agent", "/world/work/meta"];
        let other = changed(before, &after).find(|path| !theirs.iter().any(|directory| is_below(path, directory)));
        assert_eq!(other, None);
        start.host.check();
    }
}

/// What an agent knows of a container.
fn known(agent: &Isolator<Process>, id: &ContainerId) -> Option<(UnixPathBuf, Vec<PersistentVolume>)> {
    agent.container(id).map(|found| (found.sandbox().to_path_buf(), found.volumes().to_vec()))
}

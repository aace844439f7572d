//! A host with an agent's directories, an image, volumes with data, and files that are nobody's business: what must be the
//! same after whatever an outsider has asked for.

use std::collections::BTreeMap;

use cofferdam::agent::AgentConfig;
use cofferdam::kernel::{Bytes, Errno, Kernel, Mode};
use cofferdam::messages::ContainerId;
use cofferdam::root::create_directories;
use cofferdam::{UnixPath, checkpoint};
use cofferdam_explorer::machine::{Machine, layout};
use cofferdam_explorer::tables::Tables;
use cofferdam_explorer::tree::Node;
use cofferdam_vfs_sim::{PROGRAM, Process};

/// The persistent volumes of role `role`.
const VOLUMES: [&str; 2] = ["db", "log"];

/// The directories on the way to the sandboxes of an executor.
const RUNS: &str = "slaves/a/frameworks/f/executors/e/runs";

/// What lies on the host's disk: a path and what is there.
pub(crate) type Data = BTreeMap<String, String>;

/// The host.
#[derive(Clone)]
pub(crate) struct Host {
    machine: Machine,
    /// How many processes there are, at the beginning.
    running: usize,
}

impl Host {
    /// A host on which no agent has run, with sandboxes for the containers of [`id`].
    pub(crate) fn new() -> Self {
        let mut machine = match Machine::new(&VOLUMES.map(String::from)) {
            Ok(machine) => machine,
            Err(error) => panic!("{error}"),
        };
        let made = machine.act(|kernel| furnish(kernel).map_err(|error| error.to_string()));
        assert_eq!(made, Ok(Ok(())), "making the host");
        Self { running: machine.running().len(), machine }
    }

    /// Lets a new process of root act, which ends then.
    pub(crate) fn act<R>(&mut self, act: impl FnOnce(&Process) -> R) -> R {
        match self.machine.act(act) {
            Ok(result) => result,
            Err(errno) => panic!("a process can't be made: {errno}"),
        }
    }

    /// The mounts in every mount namespace of the host.
    pub(crate) fn tables(&self) -> Tables {
        Tables::of(self.machine.linux(), self.machine.observers(), "")
    }

    /// What is on the disk and in the runtime directory, whatever is mounted there.
    pub(crate) fn data(&self) -> Data {
        let mut data = Data::new();
        for (filesystem, prefix) in [("/", ""), ("/run", "/run")] {
            let node = match self.machine.tree(UnixPath::new(filesystem)) {
                Ok(node) => node.as_ref().map(Node::data).unwrap_or_default(),
                Err(errno) => panic!("reading {filesystem}: {errno}"),
            };
            data.extend(node.into_iter().map(|(path, shown)| (format!("{prefix}{}", unquoted(&path)), shown)));
        }
        data
    }

    /// That the kernel's data hang together, and that nobody runs but those who ran at the beginning.
    pub(crate) fn check(&self) {
        if let Err(inconsistency) = self.machine.linux().check() {
            panic!("{inconsistency}");
        }
        assert_eq!(self.machine.running().len(), self.running, "no process is left");
    }
}

/// How the agent isolates containers.
pub(crate) fn config() -> AgentConfig {
    AgentConfig::new(layout())
}

/// A container's id, from its parts.
pub(crate) fn id(parts: &[&str]) -> ContainerId {
    let mut parts = parts.iter();
    let top = ContainerId::new(*parts.next().unwrap_or(&"c"));
    match parts.try_fold(top, |id, part| Ok(id?.child(*part))).and_then(|id| id) {
        Ok(id) => id,
        Err(error) => panic!("{parts:?}: {error}"),
    }
}

/// A path whose names are quoted, without the quotes.
fn unquoted(path: &str) -> String {
    path.split('/').map(|name| name.trim_matches('"')).collect::<Vec<_>>().join("/")
}

/// A path as it is in [`Data`].
pub(crate) fn shown(path: &UnixPath) -> String {
    let quoted = Bytes::from(path.normalize()).to_string();
    quoted.trim_matches('"').into()
}

/// The paths of which the contents are not the same before and after.
pub(crate) fn changed<'d>(before: &'d Data, after: &'d Data) -> impl Iterator<Item = &'d str> {
    let lost = before.iter().filter(|(path, shown)| after.get(*path) != Some(shown));
    let new = after.keys().filter(|path| !before.contains_key(*path));
    lost.map(|(path, _)| path).chain(new).map(String::as_str)
}

/// Whether a path is another one or lies below it.
pub(crate) fn is_below(path: &str, directory: &str) -> bool {
    UnixPath::new(path).starts_with(directory)
}

/// That an error of ours is one line that can be printed.
pub(crate) fn check_message(error: &dyn std::error::Error) {
    let message = error.to_string();
    assert!(message.len() > 5 && !message.contains(char::is_control), "{message:?} is no message");
}

/// That an error of the parser says something. It repeats what it has found, whatever that is.
pub(crate) fn check_parse_error(error: &serde_json::Error) {
    assert!(error.to_string().len() > 5, "{error:?} is no message");
}

fn furnish(kernel: &dyn Kernel) -> Result<(), cofferdam::error::CallError> {
    let runs = layout().work_dir.join(RUNS);
    for sandbox in ["c", "c/containers/n", "d", "x"] {
        create_directories(kernel, &runs.join(sandbox), Mode(0o755))?;
    }
    create_directories(kernel, &layout().work_dir.join("containers/s"), Mode(0o755))?;
    checkpoint::write(kernel, UnixPath::new("/world/image/program"), PROGRAM, Mode(0o755))?;
    let link = |target: &str, path: &str| {
        let path = UnixPath::new(path);
        let made = kernel.symlinkat(UnixPath::new(target), cofferdam::kernel::Fd::CWD, path);
        made.map_err(|errno: Errno| cofferdam::error::CallError::new("make a link at", path, errno))
    };
    link("/world/image", "/world/link")?;
    link("/world/precious", "/world/image/link")?;
    link("/world/precious", "/world/work/slaves/a/frameworks/f/executors/e/runs/c/link")
}

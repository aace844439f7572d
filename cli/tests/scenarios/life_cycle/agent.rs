//! The commands of one agent.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{ErrorKind, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::stat::{major, minor};
use serde_json::{Value, json};

use crate::support::{COFFERDAM, Host, Outcome, Started, wait_until};

/// What is in each persistent volume.
pub(super) const DATA: &str = "kept\n";

/// An agent that has the directories of a host.
pub(super) struct Agent<'h> {
    pub(super) host: &'h Host,
    pub(super) rootfs: PathBuf,
    pub(super) runtime_dir: PathBuf,
    /// Its configuration, if it has any but its directories.
    pub(super) config: Option<PathBuf>,
}

impl<'h> Agent<'h> {
    /// On a host that is prepared.
    pub(super) fn new(host: &'h Host) -> Self {
        let agent = Self { host, rootfs: host.busybox(), runtime_dir: host.runtime_dir(), config: None };
        agent.call("create").outcome().success();
        agent
    }

    pub(super) fn call(&self, name: &str) -> Call {
        let mut command = Command::new(COFFERDAM);
        command.arg(name).arg("--work-dir").arg(self.host.work_dir()).arg("--runtime-dir").arg(&self.runtime_dir);
        if let Some(config) = &self.config {
            command.arg("--agent-config").arg(config);
        }
        Call { command, input: Vec::new() }
    }

    /// The same, for one container.
    pub(super) fn of(&self, name: &str, id: &str) -> Call {
        self.call(name).arg("--id").arg(id)
    }

    /// A sandbox as Mesos names it, made if it is not there.
    pub(super) fn sandbox(&self, id: &str) -> PathBuf {
        let names = id.replace('.', "/containers/");
        let sandbox = self.host.work_dir().join("slaves/a/frameworks/f/executors/e/runs").join(names);
        // Somebody may be removing the sandbox around it.
        while let Err(error) = fs::create_dir_all(&sandbox) {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{}: {error}", sandbox.display());
        }
        sandbox
    }

    /// The configuration of a container with a root filesystem, and persistent volumes.
    pub(super) fn config(&self, id: &str, volumes: &[&str]) -> Value {
        json!({"directory": self.sandbox(id), "rootfs": self.rootfs, "resources": resources(volumes)})
    }

    pub(super) fn prepare(&self, id: &str, config: &Value) -> Call {
        self.of("prepare", id).input(config)
    }

    #[track_caller]
    pub(super) fn prepared(&self, id: &str, volumes: &[&str]) {
        self.prepare(id, &self.config(id, volumes)).outcome().success();
    }

    pub(super) fn update(&self, id: &str, volumes: &[&str]) -> Call {
        self.of("update", id).input(&resources(volumes))
    }

    pub(super) fn launch(&self, id: &str, script: &str) -> Call {
        self.of("launch", id).arg("--").arg("/bin/sh").arg("-c").arg(script)
    }

    /// A program that runs until it is killed, and has said that it does.
    #[track_caller]
    pub(super) fn running(&self, id: &str) -> Started {
        let mut started = self.launch(id, "echo started; while :; do sleep 0.05; done").start();
        started.wait_for("started");
        started
    }

    pub(super) fn cleanup(&self, id: &str) -> Call {
        self.of("cleanup", id).arg("--remove-sandbox")
    }

    /// What `recover` tells when it knows nothing but what is in the runtime directory.
    #[track_caller]
    pub(super) fn recover(&self) -> Value {
        self.call("recover").json()
    }

    pub(super) fn state(&self, id: &str) -> Value {
        self.of("state", id).arg("--json").json()
    }

    /// The ids that `list` tells, parents before those nested in them.
    #[track_caller]
    pub(super) fn ids(&self) -> Vec<String> {
        let states = self.call("list").arg("--json").json();
        states.as_array().unwrap().iter().map(|state| state["id"].as_str().unwrap().to_string()).collect()
    }

    /// Cleans up all that there is, innermost first. Processes of those that were killed may still be dying.
    #[track_caller]
    pub(super) fn clean_up_all(&self) {
        for id in self.ids().iter().rev() {
            let mut outcome = self.cleanup(id).outcome();
            wait_until(&format!("the end of container {id}: {}", outcome.stderr), || {
                let runs = outcome.stderr.contains(" runs; stop it first");
                if runs {
                    outcome = self.cleanup(id).outcome();
                }
                !runs
            });
            outcome.success();
        }
    }

    /// Makes persistent volumes of the role web with something in them.
    pub(super) fn volumes(&self, ids: &[&str]) {
        for id in ids {
            let volume = self.host.work_dir().join("volumes/roles/web").join(id);
            fs::create_dir_all(&volume).unwrap();
            fs::write(volume.join("file"), DATA).unwrap();
        }
    }

    #[track_caller]
    pub(super) fn assert_volumes_intact(&self, ids: &[&str]) {
        for id in ids {
            let file = self.host.work_dir().join("volumes/roles/web").join(id).join("file");
            assert_eq!(fs::read_to_string(&file).unwrap_or_default(), DATA, "{}", file.display());
        }
    }

    /// Nothing is left of any container: not in the runtime directory, and no sandbox.
    #[track_caller]
    pub(super) fn assert_no_container_left(&self) {
        assert_eq!(self.ids(), [""; 0]);
        for directory in ["containers", "locks"] {
            assert_eq!(names(&self.runtime_dir.join(directory)), [""; 0], "{directory}");
        }
        assert_eq!(names(&self.host.work_dir().join("slaves/a/frameworks/f/executors/e/runs")), [""; 0]);
        let runs = self.host.work_dir().join("slaves/local/frameworks/run/executors");
        assert_eq!(names(&runs), [""; 0], "{}", runs.display());
    }
}

/// The names in a directory, none if it is not there.
pub(super) fn names(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The processes that see the directory of a host, apart from ourselves.
pub(super) fn processes(host: &Host) -> Vec<String> {
    let device = fs::metadata(host.path("")).unwrap().dev();
    let device = format!(" {}:{} ", major(device), minor(device));
    let is_process = |name: &String| name.parse().is_ok_and(|pid: u32| pid != std::process::id());
    let pids = names("/proc".as_ref()).into_iter().filter(is_process);
    let sees =
        |pid: &String| fs::read_to_string(format!("/proc/{pid}/mountinfo")).is_ok_and(|table| table.contains(&device));
    let what =
        |pid: String| format!("{pid} {}", fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default());
    pids.filter(sees).map(what).collect()
}

/// All of a volume has its group, as far as it was there when it was mounted: `run` is root, and brings its own.
pub(super) fn assert_is_of_group(path: &Path, gid: u32) {
    let metadata = fs::symlink_metadata(path).unwrap();
    assert_eq!(metadata.gid(), gid, "{}", path.display());
    if metadata.is_dir() {
        assert_eq!(metadata.mode() & 0o2020, 0o2020, "{}", path.display());
        for name in names(path) {
            assert_is_of_group(&path.join(name), gid);
        }
    }
}

/// Persistent volumes of the role web, each at its id in the sandbox.
pub(super) fn resources(volumes: &[&str]) -> Value {
    let resource = |id: &&str| {
        json!({
            "name": "disk",
            "reservations": [{"role": "web"}],
            "disk": {"persistence": {"id": id}, "volume": {"container_path": id, "mode": "RW"}},
        })
    };
    volumes.iter().map(resource).collect()
}

/// One command, and what it finds on standard input.
pub(super) struct Call {
    command: Command,
    input: Vec<u8>,
}

impl Call {
    pub(super) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub(super) fn input(self, value: &Value) -> Self {
        self.text(&value.to_string())
    }

    pub(super) fn text(mut self, text: &str) -> Self {
        self.input = text.into();
        self
    }

    /// The command, and a file with what it finds on standard input.
    pub(super) fn into_parts(self) -> (Command, File) {
        let mut input = tempfile::tempfile().unwrap();
        input.write_all(&self.input).unwrap();
        input.rewind().unwrap();
        (self.command, input)
    }

    pub(super) fn start(self) -> Started {
        let (mut command, input) = self.into_parts();
        command.stdin(input);
        Started::start(command)
    }

    pub(super) fn outcome(self) -> Outcome {
        self.start().outcome()
    }

    /// The same, if that is its standard output.
    pub(super) fn outcome_into(mut self, output: Stdio) -> Outcome {
        assert!(self.input.len() < 4096, "more than a pipe is sure to take");
        self.command.stdin(Stdio::piped()).stdout(output).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        // It may fail before it reads.
        let _ = child.stdin.take().unwrap().write_all(&self.input);
        Outcome::from_output(child.wait_with_output().unwrap())
    }

    /// The JSON that it prints, in one line.
    #[track_caller]
    pub(super) fn json(self) -> Value {
        let text = self.outcome().success();
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }
}

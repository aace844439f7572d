//! The commands in which something goes wrong, and what must be there before.

use std::cell::OnceCell;
use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;

use cofferdam::kernel::MountFlags;
use serde_json::{Value, json};

use super::super::agent::{Agent, Call, processes, resources};
use super::trace::{Fault, Place, Strike, Traced, trace};
use crate::support::{Host, Started, wait_until};

pub(super) const VOLUMES: [&str; 2] = ["db", "log"];
/// Where volumes have groups: those, and who has the sandboxes.
pub(super) const GIDS: std::ops::RangeInclusive<u32> = 70_000..=70_009;
const OWNER: u32 = 1000;

/// What the program of a container tells of what it sees.
const PROGRAM: &str = "cat /proc/self/mountinfo; echo descriptors; ls /proc/self/fd";

/// A command, on a host where it has something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Of an agent's first command.
    Create,
    /// Of a container with a root filesystem, a persistent volume, and a directory of the host.
    Prepare,
    /// The same, where the volume gets a group.
    PrepareWithGroup,
    /// Of a nested container with a volume in its parent's sandbox.
    PrepareNested,
    /// Of the first one.
    Launch,
    /// Of the nested one.
    LaunchNested,
    /// Of a session in the first one.
    LaunchSession,
    /// One volume goes and one comes while the program runs.
    Update,
    /// Of a container that has run, with its sandbox.
    Cleanup,
    /// Without its sandbox.
    CleanupAlone,
    /// Of a container with its sandbox, where a directory of the sandbox has a group.
    CleanupWithGroup,
    /// Where there is a container, one whose prepare has died, and what is left of a `run` that was killed.
    Recover,
}

/// A host with an agent.
pub(super) struct Bench<'h> {
    pub(super) host: &'h Host,
    operation: Operation,
    pub(super) agent: Agent<'h>,
    /// Where a prepare is killed for [`Operation::Recover`].
    unfinished: OnceCell<Place>,
}

impl<'h> Bench<'h> {
    pub(super) fn new(host: &'h Host, operation: Operation) -> Self {
        // As where systemd mounts it.
        host.mount("tmpfs", host.runtime_dir(), MountFlags::MS_NODEV, "mode=755");
        fs::create_dir_all(host.path("precious/shared")).unwrap();
        fs::write(host.path("precious/shared/file"), "precious\n").unwrap();
        let mut agent = Agent::new(host);
        if operation.has_groups() {
            let config = host.path("agent.toml");
            fs::write(&config, format!("volume_gid_range = \"{}-{}\"", GIDS.start(), GIDS.end())).unwrap();
            agent.config = Some(config);
        }
        agent.volumes(&VOLUMES);
        Self { host, operation, agent, unfinished: OnceCell::new() }
    }

    /// Undoes what stays when all is cleaned up.
    fn reset(&self) {
        if self.operation.has_groups() {
            for directory in ["work/volumes", "work/meta/volume_gid_manager"] {
                let _ = fs::remove_dir_all(self.host.path(directory));
            }
            self.agent.volumes(&VOLUMES);
        }
        if self.operation == Operation::Create {
            for mount in ["run/containers", "work/volumes", "work"] {
                self.host.umount(self.host.path(mount));
            }
            for name in ["containers", "locks", "agent.lock", "commands.lock", "metrics", "metrics.lock"] {
                let path = self.host.path("run").join(name);
                let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
            }
            let _ = fs::remove_dir_all(self.host.path("work/meta"));
        }
    }

    /// Makes what the command is for; gives what runs meanwhile.
    pub(super) fn arrange(&self) -> Vec<Started> {
        self.reset();
        let agent = &self.agent;
        match self.operation {
            Operation::Create | Operation::Prepare | Operation::PrepareWithGroup => Vec::new(),
            Operation::PrepareNested | Operation::Launch | Operation::CleanupAlone => {
                self.prepared("c1");
                Vec::new()
            }
            Operation::LaunchNested | Operation::LaunchSession => {
                self.prepared("c1");
                let running = agent.running("c1");
                self.prepared(if self.operation == Operation::LaunchNested { "c1.n" } else { "c1.d" });
                vec![running]
            }
            Operation::Update => {
                self.prepared("c1");
                vec![agent.running("c1")]
            }
            Operation::Cleanup => {
                self.prepared("c1");
                agent.launch("c1", "mkdir d; echo mine >d/file; cat db/file >file").outcome().success();
                Vec::new()
            }
            Operation::CleanupWithGroup => {
                self.prepared("c1");
                self.prepared("c1.n");
                agent.of("cleanup", "c1.n").outcome().success();
                Vec::new()
            }
            Operation::Recover => {
                self.prepared("c1");
                self.leave_unfinished("c2");
                self.leave_run("r1");
                Vec::new()
            }
        }
    }

    fn prepared(&self, id: &str) {
        self.prepare(id).outcome().success();
    }

    fn prepare(&self, id: &str) -> Call {
        self.agent.prepare(id, &self.config(id))
    }

    pub(super) fn config(&self, id: &str) -> Value {
        let sandbox = self.agent.sandbox(id);
        let volume = match id {
            "c1.d" => return json!({"directory": sandbox, "container_class": "DEBUG"}),
            "c1.n" => json!({
                "container_path": "above", "mode": "RW",
                "source": {"type": "SANDBOX_PATH", "sandbox_path": {"type": "PARENT", "path": "below"}},
            }),
            _ => json!({"container_path": "shared", "mode": "RW", "host_path": self.host.path("precious/shared")}),
        };
        let mut config = json!({
            "directory": sandbox, "rootfs": self.agent.rootfs, "container_info": {"volumes": [volume]},
        });
        if !id.contains('.') {
            config["resources"] = resources(&["db"]);
        }
        if self.operation.has_groups() {
            chown(&sandbox, Some(OWNER), Some(OWNER)).unwrap();
        }
        config
    }

    /// The directory of the sandboxes of top-level containers.
    pub(super) fn sandboxes(&self) -> PathBuf {
        self.host.work_dir().join("slaves/a/frameworks/f/executors/e/runs")
    }

    /// The command itself.
    fn call(&self) -> Call {
        let agent = &self.agent;
        let call = match self.operation {
            Operation::Create => agent.call("create"),
            Operation::Prepare | Operation::PrepareWithGroup => self.prepare("c1"),
            Operation::PrepareNested => self.prepare("c1.n"),
            Operation::Launch => return agent.of("launch", "c1").launching(),
            Operation::LaunchNested => return agent.of("launch", "c1.n").launching(),
            Operation::LaunchSession => return agent.of("launch", "c1.d").launching(),
            Operation::Update => agent.update("c1", &["log"]),
            Operation::Cleanup | Operation::CleanupWithGroup => agent.cleanup("c1"),
            Operation::CleanupAlone => agent.of("cleanup", "c1"),
            Operation::Recover => agent.call("recover"),
        };
        call.arg("--json")
    }

    pub(super) fn carry_out(&self, strike: Option<Strike<'_>>) -> Traced {
        let (command, stdin) = self.call().into_parts();
        trace(&command, stdin, strike)
    }

    /// A container whose prepare has died when all was mounted.
    fn leave_unfinished(&self, id: &str) {
        let prepare = |strike: Option<Strike<'_>>| {
            let (command, stdin) = self.prepare(id).into_parts();
            trace(&command, stdin, strike)
        };
        let place = self.unfinished.get_or_init(|| {
            let calls = prepare(None).calls;
            self.agent.of("cleanup", id).outcome().success();
            let (last, _) = calls.iter().rfind(|(_, name)| *name == "move_mount").unwrap();
            Place { number: last.number + 1, ..last.clone() }
        });
        assert!(prepare(Some(Strike { place, name: "", fault: Fault::KillAll })).hit);
    }

    /// What a `run` leaves that is killed.
    fn leave_run(&self, id: &str) {
        let run = self.host.run().rootfs(&self.agent.rootfs).id(id).volume("web/db:data");
        let mut started = run.spawn(["/bin/sh", "-c", "cat data/file; while :; do sleep 0.05; done"]);
        started.wait_for("kept");
        drop(started);
        wait_until("the end of its processes", || processes(self.host).is_empty());
    }
}

impl Call {
    fn launching(self) -> Self {
        self.arg("--json").arg("--").arg("/bin/sh").arg("-c").arg(PROGRAM)
    }
}

impl Operation {
    pub(super) fn has_groups(self) -> bool {
        matches!(self, Self::PrepareWithGroup | Self::CleanupWithGroup)
    }

    /// Whether what it prints is told by the program of a container.
    pub(super) fn is_launch(self) -> bool {
        matches!(self, Self::Launch | Self::LaunchNested | Self::LaunchSession)
    }
}

//! The measurements: hosts of all sizes, which are there at the same time, and everything on them in turns.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use cofferdam::kernel::Kernel as _;
use cofferdam_linux::LinuxKernel;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use crate::Failure;
use crate::arguments::{Part, RunArguments};
use crate::command_line::pass_on;
use crate::racer::Racer;
use crate::results::{AgentMemory, Greeting, Machine, Results, Row, Skipped, Summary};

/// How many volumes each container of an agent has.
const VOLUMES: usize = 10;

/// How many volumes one update adds, where it is to be linear in their number.
pub const ADDED: [usize; 3] = [10, 100, 1000];

/// How large all of it is.
struct Scale {
    samples: usize,
    /// Mounts of the hosts on which containers are launched.
    launch_mounts: &'static [usize],
    /// Containers and mounts of the hosts with an agent. Each has `VOLUMES` mounts; the first one is padded to 30 mounts.
    agent_containers: &'static [usize],
    added: &'static [usize],
}

impl Scale {
    fn new(arguments: &RunArguments) -> Self {
        let mut scale = if arguments.quick {
            Self { samples: 3, launch_mounts: &[30, 300], agent_containers: &[0, 20], added: &ADDED[..2] }
        } else {
            Self {
                samples: 30,
                launch_mounts: &[30, 100, 300, 1_000, 3_000, 10_000],
                agent_containers: &[0, 10, 30, 100, 300, 1_000],
                added: &ADDED,
            }
        };
        if let Some(samples) = arguments.samples {
            scale.samples = samples.max(1);
        }
        scale
    }
}

/// The mounts of the smallest host.
const FEW_MOUNTS: usize = 30;

/// How long nothing is done before each measurement.
const SETTLE: Duration = Duration::from_millis(2);

/// A host that is ready.
struct Host {
    racer: Racer,
    greeting: Greeting,
    containers: usize,
    /// On which it mounts.
    _scratch: tempfile::TempDir,
}

/// One thing on one host.
struct Lane {
    host: usize,
    what: String,
    samples: Vec<Duration>,
}

/// Measures all that the arguments ask for.
pub fn measure(arguments: &RunArguments, progress: impl Fn(&str)) -> Result<Results, Failure> {
    let scale = Scale::new(arguments);
    let mut results = Results {
        machine: machine(arguments)?,
        launches: Vec::new(),
        agent: Vec::new(),
        memory: None,
        skipped: Vec::new(),
    };
    if arguments.only != Some(Part::Agent) {
        launches(arguments, &scale, &mut results, &progress)?;
    }
    if arguments.only != Some(Part::Launch) {
        agents(arguments, &scale, &mut results, &progress)?;
    }
    Ok(results)
}

fn launches(
    arguments: &RunArguments,
    scale: &Scale,
    results: &mut Results,
    progress: &impl Fn(&str),
) -> Result<(), Failure> {
    let mut hosts = Vec::new();
    for mounts in scale.launch_mounts {
        progress(&format!("a host with {mounts} mounts"));
        hosts.push(Host::start(arguments, "launch-host", *mounts, 0, |command| {
            pass_on(&arguments.programs, command);
        })?);
    }
    for skipped in hosts.iter().flat_map(|host| &host.greeting.skipped) {
        // Once for all hosts.
        if !results.skipped.iter().any(|known| known.name == skipped.name) {
            results.skipped.push(skipped.clone());
        }
    }
    let lanes = hosts.iter().enumerate().flat_map(|(index, host)| {
        host.greeting.contenders.iter().map(move |what| Lane { host: index, what: what.clone(), samples: Vec::new() })
    });
    let lanes = lanes.collect();
    results.launches = in_turns(&mut hosts, lanes, scale.samples, progress)?;
    Ok(())
}

fn agents(
    arguments: &RunArguments,
    scale: &Scale,
    results: &mut Results,
    progress: &impl Fn(&str),
) -> Result<(), Failure> {
    let mut hosts = Vec::new();
    for containers in scale.agent_containers {
        progress(&format!("an agent with {} containers", containers + 1));
        // All mounts are volumes, but on the smallest host.
        hosts.push(Host::start(arguments, "agent-host", FEW_MOUNTS, *containers, |command| {
            pass_on(&arguments.programs, command);
            command.args(["--containers", &containers.to_string(), "--volumes", &VOLUMES.to_string()]);
        })?);
    }
    let mut lanes = Vec::new();
    for (index, host) in hosts.iter().enumerate() {
        lanes.extend(host.greeting.contenders.iter().map(|what| Lane {
            host: index,
            what: what.clone(),
            samples: Vec::new(),
        }));
    }
    lanes.extend(scale.added.iter().map(|count| Lane { host: 0, what: added(*count), samples: Vec::new() }));
    results.agent = in_turns(&mut hosts, lanes, scale.samples, progress)?;
    results.memory = hosts.last().and_then(|host| {
        let containers = host.containers;
        host.greeting.memory.map(|memory| AgentMemory { containers, volumes: containers * VOLUMES, memory })
    });
    Ok(())
}

/// The name of an update that adds so many volumes.
pub fn added(count: usize) -> String {
    format!("add {count}")
}

impl Host {
    fn start(
        arguments: &RunArguments,
        kind: &str,
        mounts: usize,
        containers: usize,
        add: impl FnOnce(&mut Command),
    ) -> Result<Self, Failure> {
        let scratch = tempfile::Builder::new().prefix("cofferdam-performance-").tempdir()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(kind).arg("--scratch").arg(scratch.path()).args(["--mounts", &mounts.to_string()]);
        command.args(["--propagation", arguments.propagation.name()]);
        add(&mut command);
        let racer = Racer::start(&format!("a host with {mounts} mounts"), &mut command)?;
        let greeting = serde_json::from_str(racer.greeting())
            .map_err(|error| format!("a host has said {:?}: {error}", racer.greeting()))?;
        Ok(Self { racer, greeting, containers, _scratch: scratch })
    }
}

/// Measures each lane so often, all of them once before any is measured again, in another order each time: what a namespace
/// leaves to the kernel to take down is not always in the way of the same one. A first round does not count.
fn in_turns(
    hosts: &mut [Host],
    mut lanes: Vec<Lane>,
    samples: usize,
    progress: &impl Fn(&str),
) -> Result<Vec<Row>, Failure> {
    // The same in each run.
    let mut order = ChaCha8Rng::seed_from_u64(0);
    for round in 0..=samples {
        progress(&format!("round {round} of {samples}"));
        lanes.shuffle(&mut order);
        for lane in &mut lanes {
            // The kernel does so on another processor meanwhile.
            std::thread::sleep(SETTLE);
            let elapsed = hosts[lane.host].racer.measure(&lane.what)?;
            if round > 0 {
                lane.samples.push(elapsed);
            }
        }
    }
    let row = |lane: Lane| {
        let host = &hosts[lane.host];
        let summary = Summary::of(&lane.samples)?;
        // With the one that is measured.
        Some(Row { what: lane.what, mounts: host.greeting.mounts, containers: host.containers + 1, summary })
    };
    Ok(lanes.into_iter().filter_map(row).collect())
}

fn machine(arguments: &RunArguments) -> Result<Machine, Failure> {
    let name = LinuxKernel.uname().map_err(|errno| format!("cannot find out the kernel's release: {errno}"))?;
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    Ok(Machine {
        kernel: name.release.to_string().trim_matches('"').into(),
        processor: model.map_or("unknown", |(_, model)| model).into(),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        propagation: arguments.propagation.name(),
    })
}

/// What a run can't do without, or why it is skipped.
pub fn missing(arguments: &RunArguments) -> Vec<Skipped> {
    let mut missing = Vec::new();
    let mut skip = |name: &str, reason: &str| missing.push(Skipped { name: name.into(), reason: reason.into() });
    if LinuxKernel.geteuid() != Ok(0) {
        skip("everything", "this needs root: it makes mount namespaces, and mounts");
    }
    if arguments.programs.rootfs.as_ref().is_none_or(|rootfs| !rootfs.join("bin/true").exists()) {
        skip("everything", "--rootfs must be a directory with a bin/true: see examples/busybox-rootfs.sh");
    }
    let cofferdam: Option<&PathBuf> = arguments.programs.cofferdam.as_ref();
    if cofferdam.is_none_or(|cofferdam| !cofferdam.exists()) {
        skip("everything", "there is no cofferdam: cargo build --release -p cofferdam-cli");
    }
    missing
}

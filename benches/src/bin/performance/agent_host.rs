//! A host with an agent that has many containers, each with many volumes: `performance agent-host`.

use std::time::{Duration, Instant};

use cofferdam::messages::{ContainerId, ContainerState, Resource};
use cofferdam::mountinfo::entries;

use crate::Failure;
use crate::agent::{Agent, create, isolator};
use crate::arguments::AgentHostArguments;
use crate::host::{Host, table};
use crate::in_a_row::in_a_row;
use crate::racer::serve;
use crate::results::{Greeting, Memory};

/// How many volumes the container has that is measured.
const VOLUMES: usize = 3;

/// Measures for each line on standard input.
pub fn run(arguments: &AgentHostArguments) -> Result<(), Failure> {
    let mut host = Host::new(&arguments.host.scratch, arguments.host.propagation)?;
    let (rootfs, cofferdam) = arguments.programs.required()?;
    let layout = host.layout("agent")?;
    create(cofferdam, &layout)?;
    let mut agent = Agent::new(layout, rootfs)?;
    let before = resident()?;
    for number in 0..arguments.containers {
        let name = format!("c{number}");
        let volumes = agent.volumes(&name, arguments.volumes)?;
        agent.prepare(&ContainerId::new(&*name)?, volumes)?;
    }
    let memory = Memory { before, after: resident()? };
    let mut subject = Subject::new(agent)?;
    let mounts = host.fill(arguments.host.mounts, arguments.host.propagation)?;
    let contenders = ["update", "cleanup", "recover", "pass"].map(String::from).to_vec();
    let greeting = Greeting { mounts, contenders, skipped: Vec::new(), memory: Some(memory) };
    serve(&serde_json::to_string(&greeting)?, |what| subject.measure(what))
}

/// The container that is measured, and its agent.
struct Subject<'r> {
    agent: Agent<'r>,
    id: ContainerId,
    volumes: Vec<Resource>,
    more: Vec<Resource>,
    states: Vec<ContainerState>,
}

impl<'r> Subject<'r> {
    fn new(mut agent: Agent<'r>) -> Result<Self, Failure> {
        let id = ContainerId::new("subject")?;
        let volumes = agent.volumes("subject", VOLUMES)?;
        let more = agent.volumes("subject", VOLUMES + 1)?;
        agent.prepare(&id, volumes.clone())?;
        let states = agent.states()?;
        Ok(Self { agent, id, volumes, more, states })
    }

    fn measure(&mut self, what: &str) -> Result<Duration, Failure> {
        match what.split_once(' ') {
            None if what == "update" => in_a_row(|| self.update()),
            None if what == "cleanup" => in_a_row(|| self.cleanup()),
            None if what == "recover" => self.recover(),
            None if what == "pass" => pass(),
            Some(("add", count)) => self.add(count.parse()?),
            _ => Err(format!("there is nothing called {what}").into()),
        }
    }

    /// One volume more.
    fn update(&mut self) -> Result<Duration, Failure> {
        let begin = Instant::now();
        self.agent.isolator.update(&self.id, &self.more)?;
        let elapsed = begin.elapsed();
        self.agent.isolator.update(&self.id, &self.volumes)?;
        Ok(elapsed)
    }

    /// So many volumes in one update, to a container without.
    fn add(&mut self, count: usize) -> Result<Duration, Failure> {
        let volumes = self.agent.volumes("subject", count)?;
        self.agent.isolator.update(&self.id, &[])?;
        let begin = Instant::now();
        self.agent.isolator.update(&self.id, &volumes)?;
        let elapsed = begin.elapsed();
        self.agent.isolator.update(&self.id, &[])?;
        self.agent.isolator.update(&self.id, &self.volumes)?;
        Ok(elapsed)
    }

    fn cleanup(&mut self) -> Result<Duration, Failure> {
        let begin = Instant::now();
        self.agent.isolator.cleanup(&self.id)?;
        let elapsed = begin.elapsed();
        self.agent.isolator.remove_runtime(&self.id)?;
        self.agent.prepare(&self.id, self.volumes.clone())?;
        Ok(elapsed)
    }

    /// What an agent does that has started again and knows all its containers.
    fn recover(&mut self) -> Result<Duration, Failure> {
        let mut isolator = isolator(self.agent.layout().clone())?;
        let begin = Instant::now();
        let recovery = isolator.recover(&self.states, &[])?;
        let elapsed = begin.elapsed();
        let known = isolator.containers().count();
        if known != self.states.len() || !recovery.foreign.is_empty() {
            return Err(format!("{known} of {} containers were recovered", self.states.len()).into());
        }
        Ok(elapsed)
    }
}

/// One pass over the mount table: the least that it takes to find out what is mounted.
fn pass() -> Result<Duration, Failure> {
    let begin = Instant::now();
    let text = table()?;
    for entry in entries(&text) {
        entry?;
    }
    Ok(begin.elapsed())
}

/// How much memory of this process is resident, in KiB.
fn resident() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("/proc/self/status has no VmRSS")?;
    Ok(number.parse()?)
}

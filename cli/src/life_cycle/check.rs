//! `cofferdam create --check`: what `create` needs and would do; nothing is changed.

use std::fmt::Write as _;

use cofferdam::isolator::{HostCheck, check_host};
use cofferdam::kernel::{Bytes, Kernel, MissingCall, Release, Support};
use cofferdam::locks::AgentLock;
use serde::Serialize;

use super::input;
use crate::agent::Agent;
use crate::run::Failure;

/// Prints what was found, if `create` would work.
pub(super) fn check(kernel: &dyn Kernel, agent: &Agent, json: bool) -> Result<(), Failure> {
    let found = find(kernel, agent)?;
    if json { input::write(&Told::of(&found)) } else { Ok(input::print(lines(&found).as_bytes())?) }
}

fn find(kernel: &dyn Kernel, agent: &Agent) -> Result<HostCheck, Failure> {
    let found = check_host(kernel, &agent.config, agent.has_default_work_dir)?;
    let is_there = |path| cofferdam::root::real_path(kernel, path).is_ok();
    if is_there(&found.layout.work_dir) && is_there(&found.layout.runtime_dir) {
        AgentLock::check(kernel, &found.layout)?;
    }
    Ok(found)
}

/// For programs.
#[derive(Debug, Serialize)]
struct Told {
    /// The kernel's release; none if uname(2) does not say a number.
    release: Option<String>,
    missing: Vec<ToldCall>,
    work_dir: Bytes,
    runtime_dir: Bytes,
    /// Whether there is nothing to do.
    ready: bool,
    steps: Vec<ToldStep>,
}

#[derive(Debug, Serialize)]
struct ToldCall {
    call: &'static str,
    since: String,
    loss: &'static str,
}

#[derive(Debug, Serialize)]
struct ToldStep {
    step: &'static str,
    path: Bytes,
}

impl Told {
    fn of(HostCheck { support, layout, steps }: &HostCheck) -> Self {
        let number = |Release(major, minor)| format!("{major}.{minor}");
        let call = |call: &MissingCall| ToldCall {
            call: call.name,
            since: number(call.since),
            loss: call.loss.unwrap_or_default(),
        };
        Self {
            release: support.release.map(number),
            missing: support.missing.iter().map(call).collect(),
            work_dir: layout.work_dir.as_path().into(),
            runtime_dir: layout.runtime_dir.as_path().into(),
            ready: steps.is_empty(),
            steps: steps.iter().map(|step| ToldStep { step: step.name(), path: step.path().clone() }).collect(),
        }
    }
}

/// For people.
fn lines(HostCheck { support, layout, steps }: &HostCheck) -> String {
    let mut lines = String::new();
    let mut line = |name: &str, text: &dyn std::fmt::Display| {
        // A string takes all that is written to it.
        let _ = writeln!(lines, "{name:11}  {text}");
    };
    match support.release {
        Some(release) => line("kernel", &release),
        None => line("kernel", &"one whose release is no number"),
    }
    line("work_dir", &Bytes::from(layout.work_dir.as_path()));
    line("runtime_dir", &Bytes::from(layout.runtime_dir.as_path()));
    for (calls, loss) in losses(support) {
        line("lacks", &format_args!("{calls}: {loss}"));
    }
    for step in steps {
        line("create will", step);
    }
    if steps.is_empty() {
        line("create will", &"change nothing: all is ready");
    }
    lines
}

/// The calls that are missing, by what is worse without them.
fn losses(support: &Support) -> Vec<(String, &'static str)> {
    let mut losses: Vec<(String, &'static str)> = Vec::new();
    for call in &support.missing {
        let loss = call.loss.unwrap_or_default();
        match losses.iter_mut().find(|(_, other)| *other == loss) {
            Some((calls, _)) => *calls = format!("{calls}, {call}"),
            None => losses.push((call.to_string(), loss)),
        }
    }
    losses
}

#[cfg(test)]
mod tests {
    use cofferdam::agent::AgentConfig;
    use cofferdam::isolator::Isolator;
    use cofferdam::kernel::{Intercepted, OlderKernel, Release};
    use cofferdam::layout::Layout;
    use cofferdam::user::NumericUsers;
    use cofferdam_vfs_sim::{Process, sample};

    use super::*;

    fn agent() -> Agent {
        let layout = Layout { work_dir: "/var/lib/agent".into(), runtime_dir: "/run/agent".into() };
        Agent { config: AgentConfig::new(layout), has_default_work_dir: true }
    }

    #[test]
    fn a_new_host_with_the_newest_kernel() {
        let kernel = Process::init(sample::host());
        let expected = "\
kernel       Linux 6.18
work_dir     \"/var/lib/agent\"
runtime_dir  \"/run/agent\"
create will  make the directory \"/var/lib/agent\"
create will  make the directory \"/var/lib/agent/volumes\"
create will  make the directory \"/run/agent/containers\"
create will  bind \"/var/lib/agent\" on itself, as a shared mount in a peer group of its own
create will  bind \"/var/lib/agent/volumes\" on itself
create will  bind \"/run/agent/containers\" on itself, as a mount in which device nodes work
create will  keep a mount namespace in \"/run/agent/launch\", in which containers begin
";
        let before = kernel.linux().clone();
        assert_eq!(lines(&find(&kernel, &agent()).unwrap()), expected);
        assert_eq!(kernel.linux().mountinfo_table(kernel.task()), before.mountinfo_table(kernel.task()));
    }

    #[test]
    fn a_host_that_is_ready_with_an_older_kernel() {
        let sample::Agent { kernel, isolator, .. } = sample::agent();
        isolator.prepare_launches().unwrap();
        drop(isolator);
        let older = OlderKernel::LINUX_5_12;
        let expected = "\
kernel       Linux 5.12
work_dir     \"/var/lib/agent\"
runtime_dir  \"/run/agent\"
lacks        open_tree_attr(2) of Linux 6.15: a copy of a mount and its attributes take two calls instead of one
create will  change nothing: all is ready
";
        let found = find(&Intercepted::new(&kernel, &older), &agent()).unwrap();
        assert_eq!(lines(&found), expected);
        let expected = serde_json::json!({
            "release": "5.12",
            "missing": [
                { "call": "open_tree_attr", "since": "6.15", "loss": found.support.missing[0].loss },
            ],
            "work_dir": "/var/lib/agent",
            "runtime_dir": "/run/agent",
            "ready": true,
            "steps": [],
        });
        assert_eq!(serde_json::to_value(Told::of(&found)).unwrap(), expected);
    }

    #[test]
    fn a_kernel_that_is_too_old() {
        let (kernel, older) = (Process::init(sample::host()), OlderKernel::of(Release(5, 11)));
        let error = find(&Intercepted::new(&kernel, &older), &agent()).unwrap_err().to_string();
        assert!(error.contains("lacks mount_setattr(2); Linux 5.12 or newer is needed"), "{error}");
    }

    #[test]
    fn directories_that_an_agent_has() {
        let sample::Agent { kernel, .. } = sample::agent();
        let _running = AgentLock::exclusive(&kernel, &agent().config.layout).unwrap();
        let error = find(&kernel, &agent()).unwrap_err();
        let created = AgentLock::shared(&kernel, &agent().config.layout).unwrap_err();
        assert_eq!(error.to_string(), created.to_string());
        let elsewhere = Layout { runtime_dir: "/run/other".into(), ..agent().config.layout };
        Isolator::create(&kernel, AgentConfig::new(elsewhere), Box::new(NumericUsers)).unwrap();
    }
}

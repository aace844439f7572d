//! A trial: one sequence on both kernels.

use std::path::Path;

use crate::compare::{Comparison, Identities, Mismatch};
use crate::observation::Observation;
use crate::real::{Run, Running, Sandbox, SandboxError};
use crate::saved::Signature;
use crate::sequence::{Item, Looks, Plan, Sequence};
use crate::simulated::{Machine, Simulation};
use crate::universe::{PreparationError, Privileges};

/// Both kernels, ready for sequences.
#[derive(Debug)]
pub(crate) struct Machines {
    sandbox: Sandbox,
    simulation: Simulation,
}

/// Sequences can't be tried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MachineError {
    /// On the real kernel.
    #[error("the real kernel: {0}")]
    Real(#[from] SandboxError),
    /// On the simulated kernel.
    #[error("the simulated kernel: cannot make the directories that sequences start with: {0}")]
    Simulated(#[from] PreparationError),
}

/// What is to be known of this machine; it is asked before its proc is left behind.
fn machine() -> Machine {
    let info = rustix::system::sysinfo();
    let memory = u64::from(info.mem_unit).saturating_mul(info.totalram);
    Machine::new(memory, |name| Path::new("/proc").join(name).symlink_metadata().is_ok())
}

/// Where both kernels did not do the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Divergence {
    /// The step after, or in, which it showed; as many as there are steps if it was before all.
    pub(crate) step: usize,
    /// In what they differ.
    pub(crate) how: String,
    /// What the real kernel did.
    pub(crate) real: Option<Observation>,
    /// What the simulated kernel did.
    pub(crate) simulated: Option<Observation>,
    /// What kind of difference it is.
    pub(crate) signature: Signature,
}

/// A trial that has begun: the simulated kernel is done, the real one at work.
#[derive(Debug)]
pub(crate) struct Trial {
    plan: Plan,
    simulated: Vec<Observation>,
    running: Running,
}

/// What came of a trial.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) plan: Plan,
    /// What the real kernel did.
    pub(crate) real: Vec<Observation>,
    pub(crate) divergence: Option<Divergence>,
}

impl Machines {
    /// Prepares both. The process must have no other thread.
    pub(crate) fn new(wanted: Option<Privileges>) -> Result<Self, MachineError> {
        let machine = machine();
        let sandbox = Sandbox::enter(wanted)?;
        let simulation = Simulation::new(sandbox.privileges(), sandbox.user(), &sandbox.capabilities(), &machine)?;
        Ok(Self { sandbox, simulation })
    }

    /// What the sequences may do.
    pub(crate) fn privileges(&self) -> Privileges {
        self.sandbox.privileges()
    }

    pub(crate) fn simulation(&self) -> &Simulation {
        &self.simulation
    }

    /// Tries a sequence.
    pub(crate) fn try_sequence(&self, sequence: &Sequence, looks: Looks) -> Result<Outcome, MachineError> {
        let plan = sequence.plan(looks);
        let simulated = self.simulation.run(&plan);
        let trial = self.begin(plan, simulated)?;
        self.finish(trial)
    }

    /// Begins a trial of a plan that the simulated kernel has carried out already.
    pub(crate) fn begin(&self, plan: Plan, simulated: Vec<Observation>) -> Result<Trial, MachineError> {
        let running = self.sandbox.start(&plan, &simulated)?;
        Ok(Trial { plan, simulated, running })
    }

    /// Waits for the real kernel, and compares.
    pub(crate) fn finish(&self, trial: Trial) -> Result<Outcome, MachineError> {
        let Trial { plan, simulated, running } = trial;
        let run = running.finish()?;
        let divergence = judge(&plan, &run, &simulated, Some(&self.simulation));
        Ok(Outcome { plan, real: run.observations, divergence })
    }

    /// Runs a sequence on the real kernel twice: what differs then depends on more than the sequence.
    pub(crate) fn try_twice(&self, sequence: &Sequence, looks: Looks) -> Result<Outcome, MachineError> {
        let plan = sequence.plan(looks);
        let simulated = self.simulation.run(&plan);
        let first = self.sandbox.start(&plan, &simulated)?.finish()?;
        // The ids in the sequence are those of the simulated kernel for both.
        let second = self.sandbox.start(&plan, &simulated)?.finish()?;
        let divergence = judge(&plan, &second, &first.observations, None);
        Ok(Outcome { plan, real: second.observations, divergence })
    }
}

/// Compares what both kernels did. Only where ids leave a doubt, the simulated kernel is asked which objects they stood
/// for at each time.
fn judge(plan: &Plan, run: &Run, simulated: &[Observation], simulation: Option<&Simulation>) -> Option<Divergence> {
    let judge = Judge { plan, run, simulated };
    match judge.compare(None) {
        Ok(()) => None,
        Err(Finding::Certain(divergence)) => Some(*divergence),
        Err(Finding::Uncertain) => match judge.compare(Some(simulation?)) {
            Err(Finding::Certain(divergence)) => Some(*divergence),
            Ok(()) | Err(Finding::Uncertain) => None,
        },
    }
}

struct Judge<'a> {
    plan: &'a Plan,
    run: &'a Run,
    simulated: &'a [Observation],
}

enum Finding {
    Certain(Box<Divergence>),
    Uncertain,
}

impl Judge<'_> {
    fn compare(&self, simulation: Option<&Simulation>) -> Result<(), Finding> {
        let mut comparison = Comparison::default();
        let mut replay = simulation.map(|simulation| (simulation.begin(self.plan.universe), Identities::default()));
        let mut step = 0;
        for (position, item) in self.plan.items.iter().enumerate() {
            if let Item::Step(index, _) = item {
                step = *index;
            }
            if let Some((kernel, identities)) = &mut replay {
                kernel.carry_out(item);
                *identities = identities.now(kernel.numbers(), 1 + position as u64);
            }
            let (real, simulated) = (self.run.observations.get(position), self.simulated.get(position));
            let how = match (real, simulated) {
                (Some(real), Some(simulated)) => {
                    match comparison.compare(real, simulated, replay.as_ref().map(|(_, identities)| identities)) {
                        Ok(()) => continue,
                        Err(Mismatch::Uncertain) => return Err(Finding::Uncertain),
                        Err(Mismatch::Differs(how)) => how,
                    }
                }
                (None, _) => format!(
                    "the real side has nothing to say: {}",
                    self.run.trouble.as_deref().unwrap_or("it ended too early")
                ),
                (_, None) => "the simulation has nothing to say".into(),
            };
            return Err(Finding::Certain(Box::new(Divergence {
                step,
                how,
                real: real.cloned(),
                simulated: simulated.cloned(),
                signature: signature(item, real, simulated),
            })));
        }
        Ok(())
    }
}

fn signature(item: &Item, real: Option<&Observation>, simulated: Option<&Observation>) -> Signature {
    let error = |observation: &Observation| observation.result().and_then(|result| result.as_ref().err().copied());
    match (item, real, simulated) {
        (_, _, Some(Observation::Broken(_))) => Signature::Broken,
        (_, None, _) | (_, _, None) => Signature::Trouble,
        (Item::Look(_), _, _) => Signature::Tables,
        (Item::Step(_, step), Some(real), Some(simulated)) => {
            Signature::Results { call: step.name().into(), real: error(real), simulated: error(simulated) }
        }
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::kernel::{Call, DeviceNumber, Errno, Fd, FileType, Mode, Pid, Stat, Value};

    use super::*;
    use crate::sequence::{Action, Step};

    fn sequence(calls: Vec<Call>) -> Plan {
        let steps = calls.into_iter().map(|call| Step { task: 0, action: Action::Call(call) }).collect();
        Sequence { steps, ..Sequence::default() }.plan(Looks::AtTheEnd)
    }

    fn returned(values: Vec<Result<Value, Errno>>) -> Vec<Observation> {
        let looked = Observation::Looked(Ok(crate::observation::Tables::default()));
        values.into_iter().map(Observation::Returned).chain([looked]).collect()
    }

    fn judged(calls: Vec<Call>, real: Vec<Observation>, simulated: &[Observation]) -> Option<Divergence> {
        judge(&sequence(calls), &Run { observations: real, trouble: None }, simulated, None)
    }

    #[test]
    fn another_error_is_a_divergence() {
        let calls = vec![Call::Getpid {}, Call::Close { fd: Fd(3) }];
        let real = returned(vec![Ok(Value::Process(Pid(1))), Err(Errno::EBADF)]);
        assert_eq!(judged(calls.clone(), real.clone(), &real), None);
        let simulated = returned(vec![Ok(Value::Process(Pid(1))), Ok(Value::Done)]);
        let divergence = judged(calls, real, &simulated).unwrap();
        assert_eq!(divergence.step, 1);
        let signature = Signature::Results { call: "close".into(), real: Some(Errno::EBADF), simulated: None };
        assert_eq!(divergence.signature, signature);
    }

    #[test]
    fn ids_may_differ_and_nothing_else() {
        let stat = |inode, mount_id, size| Stat {
            file_type: FileType::Directory,
            mode: Mode(0o755),
            links: 2,
            uid: 0,
            gid: 0,
            size,
            inode,
            device: DeviceNumber { major: 0, minor: u32::try_from(inode).unwrap() },
            rdev: DeviceNumber::NONE,
            mount_id,
            is_mount_root: true,
        };
        let call = Call::Statx { dirfd: Fd::CWD, path: "/".into(), flags: cofferdam::kernel::AtFlags::empty() };
        let of = |stat| returned(vec![Ok(Value::Stat(stat))]);
        assert_eq!(judged(vec![call.clone()], of(stat(8, 9, 40)), &of(stat(1, 2, 40))), None);
        assert!(judged(vec![call], of(stat(8, 9, 40)), &of(stat(1, 2, 60))).is_some());
    }

    #[test]
    fn a_session_that_breaks_off_is_a_divergence() {
        let simulated = returned(vec![Ok(Value::Process(Pid(1)))]);
        let run = Run { observations: Vec::new(), trouble: Some("it did nothing".into()) };
        let divergence = judge(&sequence(vec![Call::Getpid {}]), &run, &simulated, None).unwrap();
        assert_eq!(divergence.signature, Signature::Trouble);
        assert!(divergence.how.contains("it did nothing"));
    }

    #[test]
    fn a_panic_is_a_divergence() {
        let real = returned(vec![Ok(Value::Process(Pid(1)))]);
        let simulated = vec![Observation::Broken("index".into()), Observation::Skipped];
        let divergence = judged(vec![Call::Getpid {}], real, &simulated).unwrap();
        assert_eq!(divergence.signature, Signature::Broken);
    }
}

//! `--timings`: where the time of a container went, from the start of the command to its end.
//!
//! What the command does itself it marks where it does it. The launcher's phases are told by its calls, so that what it
//! does is the same with and without. Each process notes the beginning of a phase in a pipe, whose descriptor the launcher
//! inherits and the program does not; the command reads it when all is over.

use std::cell::Cell;
use std::time::Duration;

use cofferdam::UnixPath;
use cofferdam::error::CallError;
use cofferdam::kernel::{Bytes, Call, Errno, Fd, Interceptor, Kernel, OpenFlags, SignalMaskHow};

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The arguments, the kernel and our privileges.
    Check,
    /// The host is made ready.
    Create,
    /// The directories of the sandbox and of the volumes.
    Sandbox,
    /// The container's devices, records and volumes.
    Prepare,
    /// A process for the launcher, which executes this program anew and reads what it is to do.
    Start,
    /// The container's namespaces.
    Namespaces,
    /// The container's filesystem.
    Mounts,
    /// What is hidden in it.
    Masks,
    /// The switch to its root.
    Root,
    /// The process of the program: its limits, groups, user, capabilities and descriptors.
    Privileges,
    /// The program.
    Program,
    /// The container's mounts, records and sandbox are taken away.
    CleanUp,
}

const PHASES: [(Phase, &str); 12] = [
    (Phase::Check, "check"),
    (Phase::Create, "create"),
    (Phase::Sandbox, "sandbox"),
    (Phase::Prepare, "prepare"),
    (Phase::Start, "start of the launcher"),
    (Phase::Namespaces, "namespaces"),
    (Phase::Mounts, "mounts"),
    (Phase::Masks, "masks"),
    (Phase::Root, "switch of the root"),
    (Phase::Privileges, "privileges"),
    (Phase::Program, "program"),
    (Phase::CleanUp, "cleanup"),
];

impl Phase {
    fn number(self) -> u8 {
        // There are few.
        PHASES.iter().position(|(phase, _)| *phase == self).and_then(|index| u8::try_from(index).ok()).unwrap_or(0)
    }
}

/// A phase's number, and when it began in nanoseconds.
const RECORD: usize = 1 + size_of::<u64>();

/// Notes when phases begin.
pub(crate) struct Timings<'k> {
    kernel: &'k dyn Kernel,
    notes: Fd,
}

impl<'k> Timings<'k> {
    /// In a launcher, which has inherited the descriptor.
    pub(crate) fn inherited(kernel: &'k dyn Kernel, notes: Fd) -> Self {
        Self { kernel, notes }
    }

    /// The descriptor for a launcher.
    pub(crate) fn notes(&self) -> Fd {
        self.notes
    }

    /// A phase begins now.
    pub(crate) fn begin(&self, phase: Phase) {
        note(self.kernel, self.notes, phase, now());
    }
}

/// Of a pipe that is full, or that nobody reads any more, there is nobody to tell.
fn note(kernel: &dyn Kernel, notes: Fd, phase: Phase, time: Duration) {
    let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let record = [&[phase.number()][..], &nanoseconds.to_ne_bytes()].concat();
    let _ = kernel.write(notes, &record);
}

/// Does what `body` says, and tells on standard error where the time went. It begins before the call of this function, at
/// `start`.
pub(crate) fn timed<R>(
    kernel: &dyn Kernel,
    start: Duration,
    body: impl FnOnce(&Timings<'_>) -> R,
) -> Result<R, CallError> {
    // Its ends are not closed by execve(2). Nobody waits for anybody by it.
    let pipe = kernel.pipe2(OpenFlags::O_NONBLOCK);
    let (read, notes) = pipe.map_err(|errno| CallError::new("make a pipe for", UnixPath::new("the timings"), errno))?;
    note(kernel, notes, Phase::Check, start);
    let result = body(&Timings { kernel, notes });
    let end = now();
    let mut records = Vec::new();
    while let Ok(Bytes(some)) = kernel.read(read, 1 << 16) {
        if some.is_empty() {
            break;
        }
        records.extend(some);
    }
    for fd in [read, notes] {
        let _ = kernel.close(fd);
    }
    eprint!("{}", table(&durations(&records, end), end.saturating_sub(start)));
    Ok(result)
}

/// How long each phase took that there was, in the order of [`PHASES`].
fn durations(records: &[u8], end: Duration) -> Vec<(&'static str, Duration)> {
    let mut beginnings: Vec<(Duration, u8)> = records
        .chunks_exact(RECORD)
        .filter(|record| usize::from(record[0]) < PHASES.len())
        .filter_map(|record| Some((Duration::from_nanos(u64::from_ne_bytes(record[1..].try_into().ok()?)), record[0])))
        .collect();
    beginnings.sort_unstable();
    let ends = beginnings.iter().skip(1).map(|(time, _)| *time).chain([end]);
    let mut taken = [None; PHASES.len()];
    for ((begin, phase), end) in beginnings.iter().zip(ends) {
        if let Some(time) = taken.get_mut(usize::from(*phase)) {
            *time = Some(time.unwrap_or_default() + end.saturating_sub(*begin));
        }
    }
    PHASES.iter().zip(taken).filter_map(|((_, name), time)| Some((*name, time?))).collect()
}

fn table(durations: &[(&str, Duration)], total: Duration) -> String {
    let share = |time: Duration| if total.is_zero() { 0.0 } else { 100.0 * time.as_secs_f64() / total.as_secs_f64() };
    let line = |name: &str, time: Duration| {
        format!("  {name:21}  {:>10.3} ms  {:>5.1} %\n", 1e3 * time.as_secs_f64(), share(time))
    };
    let lines: String = durations.iter().map(|(name, time)| line(name, *time)).collect();
    format!("cofferdam: where the time went\n{lines}{}", line("total", total))
}

/// The time since an arbitrary moment, which all processes of a machine agree on.
#[cfg(unix)]
pub(crate) fn now() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}

/// There are simulated hosts only, which nobody takes the time of.
#[cfg(not(unix))]
pub(crate) fn now() -> Duration {
    Duration::ZERO
}

/// Tells the phases of a launcher by its calls.
pub(crate) struct Phases<'t> {
    notes: Fd,
    /// The paths that it is to mask.
    masked: &'t [Bytes],
    /// Of this process: one that is made begins with a copy.
    phase: Cell<Phase>,
}

impl<'t> Phases<'t> {
    pub(crate) fn new(notes: Fd, masked: &'t [Bytes]) -> Self {
        Self { notes, masked, phase: Cell::new(Phase::Namespaces) }
    }

    /// The phase that a call begins, if it does not belong to the one before.
    fn begun_by(&self, call: &Call) -> Option<Phase> {
        match (self.phase.get(), call) {
            // The last call but one before execve(2): after that the descriptor is closed.
            (Phase::Privileges, Call::Sigprocmask { how: SignalMaskHow::SetMask, .. }) => Some(Phase::Program),
            (Phase::Privileges | Phase::Program, _) => None,
            (_, Call::PivotRoot { .. } | Call::Chroot { .. }) => Some(Phase::Root),
            (
                Phase::Namespaces,
                Call::OpenTree { .. }
                | Call::OpenTreeAttr { .. }
                | Call::MountSetattr { .. }
                | Call::Mount { .. }
                | Call::Fsopen { .. },
            ) => Some(Phase::Mounts),
            (Phase::Mounts, Call::Openat2 { path, .. }) if self.is_masked(path) => Some(Phase::Masks),
            (
                Phase::Mounts | Phase::Masks | Phase::Root,
                Call::Clone3 { .. }
                | Call::Prctl { .. }
                | Call::Setrlimit { .. }
                | Call::Setgroups { .. }
                | Call::Setresgid { .. }
                | Call::Setresuid { .. }
                | Call::Capget {}
                | Call::Capset { .. },
            ) => Some(Phase::Privileges),
            _ => None,
        }
    }

    /// A path is resolved below the innermost directory that is known by then.
    fn is_masked(&self, Bytes(path): &Bytes) -> bool {
        let ends_so = |Bytes(masked): &Bytes| {
            masked.strip_suffix(&path[..]).is_some_and(|above| above.is_empty() || above.ends_with(b"/"))
        };
        !path.is_empty() && path != b"." && self.masked.iter().any(ends_so)
    }
}

impl Interceptor for Phases<'_> {
    fn before(&self, kernel: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        if let Some(phase) = self.begun_by(call) {
            self.phase.set(phase);
            note(kernel, self.notes, phase, now());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::kernel::{CloneFlags, Intercepted, WaitOptions, WaitStatus};
    use cofferdam::launch::{LaunchRequest, block_signals, launch};
    use cofferdam::messages::CommandInfo;
    use cofferdam_vfs_sim::sample;

    use super::*;

    fn record(phase: Phase, milliseconds: u64) -> Vec<u8> {
        [&[phase.number()][..], &(1_000_000 * milliseconds).to_ne_bytes()].concat()
    }

    #[test]
    fn a_phase_lasts_until_the_next_one_whoever_notes_it() {
        let milliseconds = Duration::from_millis;
        let records = [
            record(Phase::Check, 5),
            record(Phase::CleanUp, 30),
            // Two processes need not write in the order of their times.
            record(Phase::Program, 16),
            record(Phase::Start, 7),
            // As if there were two.
            record(Phase::Check, 25),
            vec![200; RECORD],
        ];
        let expected = [
            ("check", milliseconds(2 + 5)),
            ("start of the launcher", milliseconds(9)),
            ("program", milliseconds(9)),
            ("cleanup", milliseconds(10)),
        ];
        assert_eq!(durations(&records.concat(), milliseconds(40)), expected);
    }

    #[test]
    fn the_table_is_aligned() {
        let times = [("check", Duration::from_micros(1_234)), ("start of the launcher", Duration::from_micros(8_766))];
        let expected = "\
cofferdam: where the time went
  check                       1.234 ms   12.3 %
  start of the launcher       8.766 ms   87.7 %
  total                      10.000 ms  100.0 %
";
        assert_eq!(table(&times, Duration::from_millis(10)), expected);
        assert!(table(&[], Duration::ZERO).ends_with("0.000 ms    0.0 %\n"));
    }

    #[test]
    fn every_phase_has_a_number_and_a_name() {
        for (index, (phase, name)) in PHASES.iter().enumerate() {
            assert_eq!((usize::from(phase.number()), name.len() <= 21), (index, true), "{name}");
        }
    }

    /// The phases that a launcher notes on the simulated kernel.
    fn noted(has_rootfs: bool) -> Vec<&'static str> {
        let sample::Agent { kernel, mut isolator, id, mut container, .. } = sample::agent();
        container.rootfs = has_rootfs.then(|| sample::ROOTFS.into());
        container.command_info = CommandInfo::program(vec!["/bin/true".into()]);
        let info = isolator.prepare(&id, &container).unwrap();
        // What the program keeps is below 3.
        let pipes = [(); 3].map(|()| kernel.pipe2(OpenFlags::O_NONBLOCK).unwrap());
        let (read, notes) = pipes[2];
        block_signals(&kernel).unwrap();
        let request = LaunchRequest { info, ..LaunchRequest::default() };
        let launcher = kernel.clone3(CloneFlags::empty(), &mut |kernel| {
            Timings::inherited(kernel, notes).begin(Phase::Namespaces);
            let phases = Phases::new(notes, &request.info.masked_paths);
            launch(&Intercepted::new(kernel, &phases), &request)
        });
        let ended = kernel.wait4(launcher.unwrap(), WaitOptions::empty());
        assert_eq!(ended, Ok(Some((launcher.unwrap(), WaitStatus::Exited(0)))));
        let Bytes(records) = kernel.read(read, 4096).unwrap();
        records.chunks(RECORD).map(|record| PHASES[usize::from(record[0])].1).collect()
    }

    #[test]
    fn the_phases_of_a_launcher_are_told_by_its_calls() {
        let expected = ["namespaces", "mounts", "masks", "switch of the root", "privileges", "program"];
        assert_eq!(noted(true), expected);
        let expected = ["namespaces", "mounts", "privileges", "program"];
        assert_eq!(noted(false), expected);
    }
}

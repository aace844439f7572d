//! What goes wrong at any system call of the commands, on the real kernel.
//!
//! At every call of a command and of the processes that it makes, up to the program of a container, these are killed, one or
//! all, or the call fails, with an error of each kind that it can return on Linux
//! ([`Row::possible`](cofferdam_sequences::errors::Row::possible)). The calls are those of
//! [`Kernel`](cofferdam::kernel::Kernel): to die before another one, such as mmap(2), is to die before the next of them.
//!
//! Calls are addressed by the process that makes them and their number in it, which do not depend on what other processes do
//! meanwhile. Where it is another call all the same, it does not fail: it may not be able to with that error.
//!
//! By default it is some of them, always the same; `COFFERDAM_FAULTS=all` is for all, `COFFERDAM_FAULTS=20` for every 20th,
//! `COFFERDAM_FAULTS=errors` for all with every error. `COFFERDAM_FAULT` repeats what a violation names: what contains that
//! text.

mod calls;
mod check;
mod operation;
mod registers;
mod trace;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use cofferdam::kernel::Errno;
use cofferdam_sequences::errors::Row;
use rstest::rstest;

use check::{Achieved, Baseline, End};
use operation::{Bench, Operation};
use trace::{Fault, Place, Strike};

use crate::support::{Host, scenario, skip};

/// One of so many is tried by default: it has no divisor in common with the number of errors of most calls, so that these take
/// turns.
const STEP: usize = 61;

/// More violations than that are not worth waiting for.
const ENOUGH: usize = 20;

/// Errors by what they may be taken for: that something is not there, or there already, is not allowed, busy, impossible, or
/// that the kernel has no more of something, or is in trouble.
const KINDS: [&[Errno]; 7] = [
    &[Errno::ENOENT, Errno::ESRCH, Errno::ECHILD],
    &[Errno::EEXIST, Errno::ENOTEMPTY],
    &[Errno::EPERM, Errno::EACCES, Errno::EROFS],
    &[Errno::EBUSY, Errno::EAGAIN, Errno::ETXTBSY],
    &[Errno::EINVAL, Errno::EBADF, Errno::ELOOP, Errno::ENOTDIR],
    &[Errno::ENOSPC, Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM],
    &[Errno::EIO],
];

/// The errors with which a call is made to fail: the first of each kind, or all.
fn errors(row: &Row) -> Vec<Errno> {
    let possible: Vec<_> = row.possible().collect();
    if wanted() == Wanted::AllErrors {
        return possible;
    }
    let first = |kind: &[Errno]| kind.iter().find(|errno| possible.contains(errno)).copied();
    KINDS.into_iter().filter_map(first).collect()
}

/// Something that goes wrong.
struct Variant {
    operation: Operation,
    place: Place,
    name: &'static str,
    fault: Fault,
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, place: Place { process, number }, name, fault } = self;
        write!(f, "{operation:?}: {fault} at call {number} of process {process:?}, {name}.")
    }
}

impl Variant {
    fn strike(&self) -> Strike<'_> {
        Strike { place: &self.place, name: self.name, fault: self.fault }
    }
}

/// All that can go wrong at these calls.
fn variants(operation: Operation, calls: &[(Place, &'static str)]) -> Vec<Variant> {
    let has_several = calls.iter().any(|(place, _)| !place.process.is_empty());
    let mut variants = Vec::new();
    for (place, name) in calls {
        let row = Row::of(name).unwrap();
        let kills = [Some(Fault::KillAll), has_several.then_some(Fault::KillOne)];
        let faults = kills.into_iter().flatten().chain(errors(row).into_iter().map(Fault::Fail));
        variants.extend(faults.map(|fault| Variant { operation, place: place.clone(), name, fault }));
    }
    variants
}

/// What is to be tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Every(usize),
    AllErrors,
}

fn wanted() -> Wanted {
    match std::env::var("COFFERDAM_FAULTS").as_deref() {
        Ok("all") => Wanted::Every(1),
        Ok("errors") => Wanted::AllErrors,
        Ok(text) => match text.parse() {
            Ok(step) if step > 0 => Wanted::Every(step),
            _ => panic!("COFFERDAM_FAULTS is neither all, nor errors, nor a number: {text}"),
        },
        Err(_) => Wanted::Every(STEP),
    }
}

/// Whether the variant with this index is to be tried.
fn is_wanted(index: usize, variant: &Variant) -> bool {
    if let Ok(text) = std::env::var("COFFERDAM_FAULT") {
        return variant.to_string().contains(&text);
    }
    match wanted() {
        Wanted::Every(step) => index.is_multiple_of(step),
        Wanted::AllErrors => true,
    }
}

/// What has been tried, and found.
#[derive(Default)]
struct Found {
    runs: usize,
    /// The command had ended before.
    missed: usize,
    ends: BTreeMap<&'static str, usize>,
    violations: Vec<String>,
}

impl Found {
    fn add(&mut self, end: End, hit: bool) {
        let end = match end {
            _ if !hit => "not reached",
            End::Achieved => "achieved",
            End::Believed => "believed",
            End::ToldErrno => "told with the errno",
            End::Told => "told",
            End::Mute => "mute",
            End::Killed => "killed",
        };
        *self.ends.entry(end).or_default() += 1;
        self.missed += usize::from(!hit);
    }
}

/// Tries on a host what is left to try, until something is not as it should be: that host is of no use any more. Gives whether
/// something is left.
fn explore(host: &Host, operation: Operation, next: &mut usize, found: &mut Found) -> bool {
    let bench = Bench::new(host, operation);
    let baseline = Baseline::of(&bench, operation);
    let undisturbed = || {
        let running = bench.arrange();
        let traced = bench.carry_out(None);
        assert_eq!((traced.status, traced.stderr.as_str(), &traced.problem), (Some(0), "", &None));
        let achieved = Achieved::by(&bench, operation, &traced);
        baseline.check_aftermath(&bench, running, None);
        (traced, achieved)
    };
    // The first recovery of an agent leaves something that later ones find.
    undisturbed();
    let (undisturbed, expected) = undisturbed();
    let variants = variants(operation, &undisturbed.calls);
    while let Some(variant) = variants.get(*next) {
        *next += 1;
        if !is_wanted(*next - 1, variant) {
            continue;
        }
        found.runs += 1;
        let result = catch_unwind(AssertUnwindSafe(|| {
            let running = bench.arrange();
            let traced = bench.carry_out(Some(variant.strike()));
            let end = baseline.check_end(&bench, &traced, variant.strike(), &expected);
            baseline.check_aftermath(&bench, running, Some(variant.fault));
            found.add(end, traced.hit);
        }));
        if let Err(panic) = result {
            let what = panic.downcast_ref::<String>().cloned();
            let what = what.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
            eprintln!("VIOLATION {variant}\n{what}\n");
            found.violations.push(format!("{variant}\n{what}"));
            return true;
        }
    }
    false
}

#[rstest]
fn whatever_goes_wrong_is_made_up_for(
    #[values(
        Operation::Create,
        Operation::Prepare,
        Operation::PrepareWithGroup,
        Operation::PrepareNested,
        Operation::Launch,
        Operation::LaunchNested,
        Operation::LaunchSession,
        Operation::Update,
        Operation::Cleanup,
        Operation::CleanupAlone,
        Operation::CleanupWithGroup,
        Operation::Recover
    )]
    operation: Operation,
) {
    let name = format!("{operation:?}");
    if nix::unistd::geteuid().is_root()
        && let Err(errno) = trace::can_trace()
    {
        return skip(&name, &format!("needs ptrace(2), which is refused ({errno})"));
    }
    let (start, mut found, mut next, mut is_left) = (Instant::now(), Found::default(), 0, true);
    while is_left && found.violations.len() < ENOUGH {
        // If it is skipped, it has no host.
        is_left = false;
        scenario(&name, |host| is_left = explore(host, operation, &mut next, &mut found));
    }
    let Found { runs, missed, ends, violations } = found;
    println!("{name}: {runs} runs in {:?}, {} violations; {ends:?}", start.elapsed(), violations.len());
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n\n"));
    // Otherwise this is about other calls than it says.
    assert!(missed * 50 <= runs, "{missed} of {runs} were over before");
}

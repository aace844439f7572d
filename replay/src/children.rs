//! Which call made which process.

use std::collections::BTreeMap;

use crate::syntax::Returned;
use crate::trace::{Event, RecordedCall, TraceError, What};

/// The calls that make processes.
pub(crate) const FORKS: [&str; 4] = ["clone", "clone3", "fork", "vfork"];

impl RecordedCall {
    /// Whether it has made a process.
    fn has_forked(&self) -> Option<u32> {
        match self.call.returned {
            Returned::Value(pid) if pid > 0 && FORKS.contains(&self.call.name.as_str()) => u32::try_from(pid).ok(),
            _ => None,
        }
    }
}

/// The first line of each process.
pub(crate) fn first_lines(events: &[Event]) -> BTreeMap<u32, usize> {
    let mut firsts = BTreeMap::new();
    for event in events {
        let first = firsts.entry(event.pid).or_insert(event.begun);
        *first = (*first).min(event.begun);
    }
    firsts
}

/// Finds for each process the call that has made it. Its number is the call's result if the caller is in strace's pid namespace;
/// otherwise it is the first call before it that has made a process which is not known yet.
pub(crate) fn find_children(events: &mut [Event], first: u32) -> Result<(), TraceError> {
    let firsts = first_lines(events);
    let mut in_order: Vec<(usize, u32)> = firsts.iter().map(|(pid, line)| (*line, *pid)).collect();
    in_order.sort_unstable();
    for (line, pid) in in_order {
        if pid == first {
            continue;
        }
        let is_candidate = |event: &Event| match &event.what {
            What::Call(call) if event.begun < line && event.pid != pid && call.child.is_none() => call.has_forked(),
            _ => None,
        };
        let exact = events.iter().position(|event| is_candidate(event) == Some(pid));
        let of_other_namespace = || {
            let candidates = events.iter().enumerate().filter(|(_, event)| {
                is_candidate(event).is_some_and(|returned| !firsts.contains_key(&returned) || returned < 300)
            });
            candidates.min_by_key(|(_, event)| event.begun).map(|(position, _)| position)
        };
        let position = exact.or_else(of_other_namespace).ok_or(TraceError::UnknownProcess { line, pid })?;
        if let Some(Event { what: What::Call(call), .. }) = events.get_mut(position) {
            call.child = Some(pid);
        }
    }
    Ok(())
}

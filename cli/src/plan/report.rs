//! A plan for people.

use std::collections::HashSet;
use std::fmt::Write as _;

use cofferdam::kernel::DeviceNumber;
use cofferdam::mountinfo::Table;
use cofferdam_vfs_sim::FailedCall;
use cofferdam_view::difference::{self, Difference};
use cofferdam_view::host::{Host, Namespace};
use cofferdam_view::{Look, printable, text as view};

use super::Planned;
use super::explain::explaining;
use super::prediction::Outcome;
use super::warnings::{Kind, warnings};
use crate::run::Failure;
use crate::simulated::container::{Identity, Reach};
use crate::simulated::report::{access, section};

/// So many files that could not be looked at are named; of more, the rest is counted.
const NAMED: usize = 8;

pub(super) fn text(planned: &Planned<'_>, look: Look) -> Result<String, Failure> {
    let mut text = String::new();
    let prediction = planned.prediction;
    let before = Table::parse(&prediction.before)?;
    if let Some(error) = &prediction.error {
        writeln!(text, "{}{error}\n", section("It would fail"))?;
    }
    if planned.explains {
        failed_calls(&mut text, &explaining(planned))?;
    }
    match &prediction.meanwhile {
        Some(meanwhile) => {
            text.push_str(&section("The host's mounts, while the container runs"));
            text.push_str(&changes(&before, &Table::parse(meanwhile)?, look));
            text.push('\n');
            text.push_str(&section("The host's mounts, once it has ended"));
        }
        None => text.push_str(&section("The host's mounts, after it has failed")),
    }
    text.push_str(&changes(&before, &Table::parse(&prediction.after)?, look));
    container(&mut text, planned, look)?;
    let warnings = warnings(planned)?;
    if !warnings.is_empty() {
        write!(text, "\n{}", section("To be considered"))?;
        let (masks, others): (Vec<_>, Vec<_>) = warnings.iter().partition(|warning| warning.kind == Kind::MasksNothing);
        for warning in others {
            writeln!(text, "- {}", warning.message)?;
        }
        let paths: Vec<_> = masks.iter().map(|warning| printable(&warning.path.0)).collect();
        if !paths.is_empty() {
            writeln!(text, "- to be masked, but not there: {}", paths.join(", "))?;
        }
    }
    unseen(&mut text, planned)?;
    let outcome = match prediction.outcome()? {
        Outcome::NoChange => "Nothing was changed, and a real run would not change the host's mounts either.",
        Outcome::Changes => "Nothing was changed: all of this happened on a simulated kernel.",
        Outcome::WouldFail => "Nothing was changed: it failed on a simulated kernel.",
    };
    writeln!(text, "\n{outcome}")?;
    Ok(text)
}

fn changes(before: &Table<'_>, after: &Table<'_>, look: Look) -> String {
    difference::text(&Difference::between(before, after), before, after, look)
}

/// What the program finds.
fn container(text: &mut String, planned: &Planned<'_>, look: Look) -> Result<(), Failure> {
    let Some(begun) = &planned.prediction.begun else { return Ok(()) };
    let seen = begun.linux.mountinfo_table(begun.task).unwrap_or_default();
    let table = Table::parse(&seen)?;
    let reach = Reach::of(begun, &table, &disks(planned)?);
    let host = Host::new(vec![Namespace { name: String::new(), table }]);
    write!(text, "\n{}{}", section("The mounts that the program sees"), view::tree(&host, |_| true, look))?;
    if let (Some(identity), Some(reach)) = (Identity::of(begun), reach) {
        write!(text, "\n{}", access(&identity, &reach))?;
    }
    Ok(())
}

/// The devices of the host's filesystems, but for those that the simulation knows.
pub(super) fn disks(planned: &Planned<'_>) -> Result<HashSet<DeviceNumber>, Failure> {
    let before = Table::parse(&planned.prediction.before)?;
    let is_known = |kind: &[u8]| matches!(kind, b"proc" | b"sysfs" | b"devpts" | b"devtmpfs" | b"mqueue");
    let entries = before.entries().iter().filter(|entry| !is_known(entry.filesystem_type_raw()));
    Ok(entries.map(|entry| DeviceNumber { major: entry.major(), minor: entry.minor() }).collect())
}

fn failed_calls(text: &mut String, calls: &[&FailedCall]) -> std::fmt::Result {
    text.push_str(&section("System calls that fail, and why"));
    if calls.is_empty() {
        text.push_str("none\n");
    }
    for failed in calls {
        writeln!(text, "{failed}")?;
    }
    text.push('\n');
    Ok(())
}

fn unseen(text: &mut String, planned: &Planned<'_>) -> std::fmt::Result {
    let unseen = &planned.prediction.unseen;
    if unseen.is_empty() {
        return Ok(());
    }
    write!(text, "\n{}", section("What could not be looked at, and is taken not to be there"))?;
    for (path, errno) in unseen.iter().take(NAMED) {
        writeln!(text, "- {} ({errno})", printable(path.as_bytes()))?;
    }
    if unseen.len() > NAMED {
        writeln!(text, "- and {} more", unseen.len() - NAMED)?;
    }
    Ok(())
}

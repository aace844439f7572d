//! A plan for machines.

use cofferdam::kernel::{Bytes, Errno};
use cofferdam::mountinfo::Table;
use cofferdam_vfs_sim::FailedCall;
use cofferdam_view::difference::Difference;
use cofferdam_view::host::{Host, Namespace};
use cofferdam_view::json::{DifferenceReport, TableReport, difference, mounts};
use serde::Serialize;

use super::Planned;
use super::explain::explaining;
use super::prediction::Outcome;
use super::report::disks;
use super::warnings::{Warning, warnings};
use crate::run::Failure;
use crate::simulated::container::{Area, Identity, Reach};

/// What would happen.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// `no_change`, `changes` or `would_fail`.
    outcome: &'static str,
    /// What the real run would say, if it would fail.
    error: Option<String>,
    /// The host while the container runs; none if it never does.
    host_while_running: Option<HostReport>,
    /// The host once the container is gone.
    host_afterwards: HostReport,
    container: Option<Container>,
    warnings: Vec<Warning>,
    /// What could not be looked at.
    unseen: Vec<Refused>,
    /// With `--explain`: the system calls that fail, in the order in which they are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_calls: Option<Vec<Explained>>,
}

#[derive(Debug, Serialize)]
struct Explained {
    /// As strace(1) prints it.
    call: String,
    errno: String,
    /// The rule that the call meets.
    reason: &'static str,
    /// The function of Linux in which it stands.
    function: &'static str,
}

impl Explained {
    fn new(failed: &FailedCall) -> Self {
        let FailedCall { call, rule } = failed;
        let errno = name_of(rule.errno());
        Self { call: call.to_string(), errno, reason: rule.sentence(), function: rule.function() }
    }
}

#[derive(Debug, Serialize)]
struct HostReport {
    /// What is different from before.
    #[serde(flatten)]
    difference: DifferenceReport,
    /// The whole table, as /proc/self/mountinfo would show it.
    mountinfo: String,
}

#[derive(Debug, Serialize)]
struct Container {
    #[serde(flatten)]
    mounts: TableReport,
    /// The same, as /proc/self/mountinfo would show it.
    mountinfo: String,
    user: String,
    gid: u32,
    groups: Vec<String>,
    working_directory: Bytes,
    capabilities: Vec<String>,
    own_namespaces: Vec<&'static str>,
    shared_namespaces: Vec<&'static str>,
    can_write: Vec<String>,
    can_only_read: Vec<String>,
    finds_empty: Vec<Bytes>,
    can_open: Vec<Bytes>,
    can_not_open: Vec<Refused>,
    can_not_read: Vec<Refused>,
}

#[derive(Debug, Serialize)]
struct Refused {
    path: Bytes,
    errno: String,
}

impl Refused {
    fn new(path: impl Into<Bytes>, errno: Errno) -> Self {
        Self { path: path.into(), errno: name_of(errno) }
    }
}

fn name_of(errno: Errno) -> String {
    errno.name().map_or_else(|| errno.raw().to_string(), str::to_owned)
}

pub(super) fn report(planned: &Planned<'_>) -> Result<Report, Failure> {
    let prediction = planned.prediction;
    let outcome = match prediction.outcome()? {
        Outcome::NoChange => "no_change",
        Outcome::Changes => "changes",
        Outcome::WouldFail => "would_fail",
    };
    let between = |text: &[u8]| -> Result<HostReport, Failure> {
        let (before, after) = (host(&prediction.before)?, host(text)?);
        let found = Difference::between(&before.namespaces()[0].table, &after.namespaces()[0].table);
        Ok(HostReport { difference: difference(&found, &before, &after), mountinfo: lossy(text) })
    };
    Ok(Report {
        outcome,
        error: prediction.error.clone(),
        host_while_running: prediction.meanwhile.as_deref().map(between).transpose()?,
        host_afterwards: between(&prediction.after)?,
        container: container(planned)?,
        warnings: warnings(planned)?,
        unseen: prediction.unseen.iter().map(|(path, errno)| Refused::new(&**path, *errno)).collect(),
        failed_calls: planned.explains.then(|| explaining(planned).into_iter().map(Explained::new).collect()),
    })
}

/// Text of a table; what is no UTF-8 in it is replaced, as JSON has no other text.
fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn host(text: &[u8]) -> Result<Host<'_>, Failure> {
    Ok(Host::new(vec![Namespace { name: String::new(), table: Table::parse(text)? }]))
}

fn container(planned: &Planned<'_>) -> Result<Option<Container>, Failure> {
    let Some(begun) = &planned.prediction.begun else { return Ok(None) };
    let seen = begun.linux.mountinfo_table(begun.task).unwrap_or_default();
    let reach = Reach::of(begun, &Table::parse(&seen)?, &disks(planned)?);
    let (Some(identity), Some(reach)) = (Identity::of(begun), reach) else { return Ok(None) };
    let Reach { areas, devices, masked_files, refused, .. } = &reach;
    let named = |is_named: &dyn Fn(&Area) -> bool| -> Vec<String> {
        areas.iter().filter(|area| is_named(area)).map(|area| area.mountpoint.clone()).collect()
    };
    let barren = named(&Area::is_barren).into_iter().map(Bytes::from);
    Ok(Some(Container {
        mounts: mounts(&host(&seen)?, |_| true),
        mountinfo: lossy(&seen),
        user: identity.user,
        gid: identity.gid,
        groups: identity.groups,
        working_directory: identity.working_directory,
        capabilities: identity.capabilities.iter_names().map(|(name, _)| name.to_owned()).collect(),
        own_namespaces: identity.own_namespaces,
        shared_namespaces: identity.shared_namespaces,
        can_write: named(&Area::is_writable),
        can_only_read: named(&|area| area.is_seen() && !area.is_writable() && !area.is_barren()),
        finds_empty: barren.chain(masked_files.iter().map(|path| (&**path).into())).collect(),
        can_open: devices.iter().filter(|device| device.opened.is_ok()).map(|device| (&*device.path).into()).collect(),
        can_not_open: devices
            .iter()
            .filter_map(|device| Some(Refused::new(&*device.path, device.opened.err()?)))
            .collect(),
        can_not_read: refused.iter().map(|(path, errno)| Refused::new(&**path, *errno)).collect(),
    }))
}

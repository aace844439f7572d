//! Mount tables for machines.

use std::collections::BTreeSet;

use cofferdam::kernel::Bytes;
use cofferdam::mountinfo::Entry;
use serde::Serialize;

use crate::arrivals::{Arrival, Arrivals};
use crate::difference::{Aspect, Change, Difference};
use crate::host::{Host, Position, Receiver};
use crate::tree::hidden;

/// A mount. Paths and other bytes are strings where they are UTF-8, else arrays of numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mount {
    /// Its ID in mountinfo.
    pub id: u32,
    /// That of the mount that it is mounted on.
    pub parent: u32,
    /// Its mountpoint.
    pub target: Bytes,
    /// What is mounted, as mount(2) was told.
    pub source: Bytes,
    /// What of the filesystem is mounted.
    pub root: Bytes,
    /// The filesystem's device, `MAJOR:MINOR`.
    pub device: String,
    /// The filesystem's type.
    #[serde(rename = "type")]
    pub filesystem_type: Bytes,
    /// The mount's options.
    pub options: Vec<Bytes>,
    /// The filesystem's options.
    pub super_options: Vec<Bytes>,
    /// The peer group; with it, the mount is shared.
    pub peer_group: Option<u32>,
    /// The peer group that it is a slave of.
    pub master: Option<u32>,
    /// The nearest peer group in sight from which it receives, where its master is out of sight.
    pub propagate_from: Option<u32>,
    /// Whether it can't be bound.
    pub unbindable: bool,
    /// Whether another mount is stacked on it, or hides its mountpoint.
    pub hidden: bool,
}

/// Another mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Other {
    /// `peer`, `slave` or `master`.
    pub role: &'static str,
    /// In which mount namespace it is, unless that is the one that is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its ID in mountinfo.
    pub id: u32,
    /// Its mountpoint there.
    pub target: Bytes,
    /// The path there, if a path is asked about and it has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Bytes>,
    /// Whether a lookup of that path ends in another mount.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

/// Who has to do with what is mounted at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PathReport {
    /// The path.
    pub path: Bytes,
    /// The mount that it is in.
    pub mount: Mount,
    /// Where what is mounted there is mounted as well; without a path, nothing arrives.
    pub receivers: Vec<Other>,
    /// Where what is mounted is mounted there as well; without a path, nothing arrives from there.
    pub senders: Vec<Other>,
}

/// Mounts, and who receives what is mounted on them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// The mounts, in the order of the table.
    pub mounts: Vec<Mount>,
    /// The peer groups that these are in, or are slaves of, by their numbers.
    pub peer_groups: Vec<Group>,
}

/// A peer group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Its number.
    pub peer_group: u32,
    /// The mounts on which what is mounted on one of them is mounted: the peers, and the slaves, step by step.
    pub receivers: Vec<Other>,
}

/// The chosen mounts of the namespace that is looked at.
pub fn mounts(host: &Host<'_>, is_chosen: impl Fn(&Entry<'_>) -> bool) -> TableReport {
    let Some(namespace) = host.namespaces().first() else { return TableReport::default() };
    let hidden = hidden(&namespace.table);
    let chosen = namespace.table.entries().iter().enumerate().filter(|(_, entry)| is_chosen(entry));
    let mounts: Vec<_> = chosen.map(|(entry, _)| mount(host, entry, hidden[entry])).collect();
    let groups: BTreeSet<u32> = mounts.iter().flat_map(|mount| [mount.peer_group, mount.master]).flatten().collect();
    let receivers = |group| host.group(group).into_iter().map(|receiver| other(host, receiver)).collect();
    let group = |peer_group| Group { peer_group, receivers: receivers(peer_group) };
    TableReport { mounts, peer_groups: groups.into_iter().map(group).collect() }
}

/// For machines.
pub fn arrivals(host: &Host<'_>, arrivals: &Arrivals) -> PathReport {
    let hidden = host.namespaces().first().map(|namespace| hidden(&namespace.table)).unwrap_or_default();
    let entry = arrivals.mount.entry;
    let others = |arrivals: &[Arrival]| {
        let at = |arrival: &Arrival| arrival.path.as_deref().map(Bytes::from);
        arrivals
            .iter()
            .map(|arrival| Other { path: at(arrival), hidden: arrival.is_hidden, ..other(host, arrival.receiver) })
            .collect()
    };
    PathReport {
        path: arrivals.path.as_path().into(),
        mount: mount(host, entry, hidden.get(entry).copied().unwrap_or_default()),
        receivers: others(&arrivals.receivers),
        senders: others(&arrivals.senders),
    }
}

/// What is different between two tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DifferenceReport {
    /// What the second table does not have any more.
    pub removed: Vec<Mount>,
    /// What is new in it.
    pub added: Vec<Mount>,
    /// What is different, as it is in the second table.
    pub changed: Vec<ChangeReport>,
    /// How many mounts are the same.
    pub unchanged: usize,
}

/// A mount that is different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangeReport {
    /// As it is in the second table.
    pub mount: Mount,
    /// What is different.
    pub aspects: Vec<Aspect>,
}

/// For machines. The first namespaces of two hosts were compared.
pub fn difference(difference: &Difference, before: &Host<'_>, after: &Host<'_>) -> DifferenceReport {
    let hidden_of =
        |host: &Host<'_>| host.namespaces().first().map(|namespace| hidden(&namespace.table)).unwrap_or_default();
    let (old, new) = (hidden_of(before), hidden_of(after));
    let changed = |change: &Change| ChangeReport {
        mount: mount(after, change.after, new[change.after]),
        aspects: change.aspects.clone(),
    };
    DifferenceReport {
        removed: difference.removed.iter().map(|entry| mount(before, *entry, old[*entry])).collect(),
        added: difference.added.iter().map(|entry| mount(after, *entry, new[*entry])).collect(),
        changed: difference.changed.iter().map(changed).collect(),
        unchanged: difference.unchanged,
    }
}

fn mount(host: &Host<'_>, entry: usize, hidden: bool) -> Mount {
    let position = Position { namespace: 0, entry };
    let mount = host.mount(position);
    Mount {
        id: mount.id(),
        parent: mount.parent_id(),
        target: (&*mount.mountpoint()).into(),
        source: mount.source().into_owned().into(),
        root: (&*mount.root()).into(),
        device: format!("{}:{}", mount.major(), mount.minor()),
        filesystem_type: mount.filesystem_type().into_owned().into(),
        options: mount.mount_options().map(Bytes::from).collect(),
        super_options: mount.super_options().map(Bytes::from).collect(),
        peer_group: mount.peer_group(),
        master: mount.master(),
        propagate_from: mount.propagate_from(),
        unbindable: mount.is_unbindable(),
        hidden,
    }
}

fn other(host: &Host<'_>, Receiver { position, role }: Receiver) -> Other {
    let mount = host.mount(position);
    let namespace = (position.namespace != 0).then(|| host.namespaces()[position.namespace].name.clone());
    Other {
        role: role.name(),
        namespace,
        id: mount.id(),
        target: (&*mount.mountpoint()).into(),
        path: None,
        hidden: false,
    }
}

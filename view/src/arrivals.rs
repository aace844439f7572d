//! Where what is mounted at a path appears as well, and from where something would appear there.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use anstyle::{Effects, Style};
use cofferdam::mountinfo::Table;
use cofferdam::{UnixPath, UnixPathBuf};

use crate::cells::{Cell, Look, columns, printable};
use crate::host::{Host, Position, Receiver, Role};
use crate::text::propagation;
use crate::tree::hidden;

/// Another mount that has to do with a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The mount, and what it is to the one that the path is in.
    pub receiver: Receiver,
    /// The path there; `None` if that mount does not have that part of the filesystem, so that nothing arrives.
    pub path: Option<UnixPathBuf>,
    /// Whether a lookup of that path ends in another mount, so that what arrives is not seen.
    pub is_hidden: bool,
}

/// Who has to do with what is mounted at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrivals {
    /// The path.
    pub path: UnixPathBuf,
    /// The mount that it is in.
    pub mount: Position,
    /// Where what is mounted there is mounted as well.
    pub receivers: Vec<Arrival>,
    /// Where what is mounted is mounted there as well: its peers, and its masters, step by step.
    pub senders: Vec<Arrival>,
}

impl Arrivals {
    /// Of a path in the namespace that is looked at, which must be absolute and resolved. `None` if no mount of the table
    /// has it.
    pub fn of(host: &Host<'_>, path: &UnixPath) -> Option<Self> {
        let table = &host.namespaces().first()?.table;
        let id = table.containing(path)?.id();
        let entry = table.entries().iter().position(|entry| entry.id() == id)?;
        let mount = Position { namespace: 0, entry };
        let covers: Vec<_> = host.namespaces().iter().map(|namespace| Covers::of(&namespace.table)).collect();
        let arrival = |receiver: Receiver| {
            let Position { namespace, entry } = receiver.position;
            let path = host.arrival(mount, path, receiver.position);
            let table = &host.namespaces()[namespace].table;
            let is_hidden = path.as_ref().is_some_and(|path| covers[namespace].hide(table, entry, path));
            Arrival { receiver, path, is_hidden }
        };
        let receivers = host.receivers(mount).into_iter().map(arrival).collect();
        let senders = host.senders(mount).into_iter().map(arrival).collect();
        Some(Self { path: path.to_path_buf(), mount, receivers, senders })
    }

    /// For people.
    pub fn text(&self, host: &Host<'_>, look: Look) -> String {
        let mount = host.mount(self.mount);
        let place = printable(self.path.as_bytes());
        let propagation = propagation(mount);
        let mut text =
            format!("{place} is in the mount {} ({propagation}).\n", printable(mount.mountpoint().as_bytes()));
        let lists = [
            ("What is mounted there appears at", "What is mounted there appears nowhere else.", &self.receivers),
            (
                "What is mounted at these places appears there",
                "Nothing that is mounted elsewhere appears there.",
                &self.senders,
            ),
        ];
        for (some, none, arrivals) in lists {
            let (arrive, others): (Vec<_>, Vec<_>) = arrivals.iter().partition(|arrival| arrival.path.is_some());
            let _ = writeln!(text, "\n{}", if arrive.is_empty() { none } else { some });
            text.push_str(&columns(&arrive.iter().map(|arrival| line(host, arrival)).collect::<Vec<_>>(), look));
            if !others.is_empty() {
                let _ = writeln!(text, "These would, but do not have that part of the filesystem:");
                text.push_str(&columns(&others.iter().map(|arrival| line(host, arrival)).collect::<Vec<_>>(), look));
            }
        }
        text
    }
}

/// What hides what in a table.
struct Covers {
    hidden: Vec<bool>,
    children: HashMap<u32, Vec<usize>>,
}

impl Covers {
    fn of(table: &Table<'_>) -> Self {
        let mut children: HashMap<u32, Vec<usize>> = HashMap::new();
        for (entry, mount) in table.entries().iter().enumerate().filter(|(_, mount)| mount.id() != mount.parent_id()) {
            children.entry(mount.parent_id()).or_default().push(entry);
        }
        Self { hidden: hidden(table), children }
    }

    /// Whether a lookup of a path that is on a mount ends in another one. As [`Table::containing`] tells, for many.
    fn hide(&self, table: &Table<'_>, entry: usize, path: &UnixPath) -> bool {
        let on_it = self.children.get(&table.entries()[entry].id()).into_iter().flatten();
        let mut mountpoints = on_it.map(|child| table.entries()[*child].mountpoint());
        // No lookup goes into what is stacked on the root directory.
        self.hidden[entry] || mountpoints.any(|at| at.as_bytes() != b"/" && path.starts_with(&*at))
    }
}

fn line(host: &Host<'_>, arrival: &Arrival) -> Vec<Cell> {
    let position = arrival.receiver.position;
    let mountpoint = host.mount(position).mountpoint();
    let path = arrival.path.as_deref().unwrap_or(&mountpoint);
    let mut place = Cell::new(Style::new(), format!("  {}", printable(path.as_bytes())));
    if position.namespace != 0 {
        place.push(
            Effects::DIMMED.into(),
            format!(" in {}", printable(host.namespaces()[position.namespace].name.as_bytes())),
        );
    }
    let mut role = Cell::from(arrival.receiver.role.name().to_owned());
    if arrival.is_hidden {
        role.push(Effects::DIMMED.into(), ", hidden");
    }
    vec![place, role]
}

impl Host<'_> {
    /// The other mounts from which what is mounted on them arrives on this one: its peers, its masters, their peers and
    /// masters, and so on.
    pub fn senders(&self, to: Position) -> Vec<Receiver> {
        let mount = self.mount(to);
        let mut groups: Vec<_> = mount.peer_group().map(|group| (group, Role::Peer)).into_iter().collect();
        groups.extend(mount.master().map(|group| (group, Role::Master)));
        let mut known: HashSet<u32> = groups.iter().map(|(group, _)| *group).collect();
        let (mut found, mut next) = (Vec::new(), 0);
        while let Some(&(group, role)) = groups.get(next) {
            next += 1;
            let peers = self.peers(group);
            found.extend(peers.iter().filter(|peer| **peer != to).map(|peer| Receiver { position: *peer, role }));
            // All peers of a group have the same master.
            let masters = peers.iter().filter_map(|peer| self.mount(*peer).master());
            groups.extend(masters.filter(|group| known.insert(*group)).map(|group| (group, Role::Master)));
        }
        found
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::host::Namespace;

    const HERE: &[u8] = b"\
20 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
21 20 8:1 /srv /mnt/srv rw shared:1 - ext4 /dev/sda1 rw
22 20 8:1 /home /mnt/home rw shared:3 master:1 - ext4 /dev/sda1 rw
23 20 8:1 /home /mnt/below rw master:3 - ext4 /dev/sda1 rw
24 20 0:5 / /proc rw - proc proc rw
25 21 0:6 / /mnt/srv/over rw - tmpfs none rw
";
    const THERE: &[u8] = b"40 2 8:1 / / rw master:1 - ext4 /dev/sda1 rw\n";

    fn text(path: &str) -> String {
        let namespace = |name: &str, text| Namespace { name: name.into(), table: Table::parse(text).unwrap() };
        let host = Host::new(vec![namespace("", HERE), namespace("web[71]", THERE)]);
        Arrivals::of(&host, UnixPath::new(path)).unwrap().text(&host, Look::default())
    }

    #[test]
    fn what_goes_where() {
        let expected = "\
/srv/x is in the mount / (shared 1).

What is mounted there appears at
  /mnt/srv/x         peer
  /srv/x in web[71]  slave
These would, but do not have that part of the filesystem:
  /mnt/home   slave
  /mnt/below  slave

What is mounted at these places appears there
  /mnt/srv/x  peer
";
        assert_eq!(text("/srv/x"), expected);
        let expected = "\
/mnt/below/x is in the mount /mnt/below (slave of 3).

What is mounted there appears nowhere else.

What is mounted at these places appears there
  /mnt/home/x  master
  /home/x      master
These would, but do not have that part of the filesystem:
  /mnt/srv  master
";
        assert_eq!(text("/mnt/below/x"), expected);
        assert!(text("/srv/over/x").contains("  /mnt/srv/over/x         peer, hidden\n"), "{}", text("/srv/over/x"));
        let private = text("/proc/self");
        assert!(
            private.contains("(private)") && private.contains("nowhere else") && private.contains("Nothing that"),
            "{private}"
        );
    }
}

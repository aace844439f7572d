//! The mount namespaces of a host, and which mounts of them receive what is mounted on which.

use std::collections::{HashMap, HashSet};

use cofferdam::mountinfo::{Entry, Table};
use cofferdam::{UnixPath, UnixPathBuf};

/// A mount namespace, as a process in it sees it.
#[derive(Clone, Debug)]
pub struct Namespace<'t> {
    /// Who sees it, for people: `pid 812 (dockerd)`.
    pub name: String,
    /// What that process sees.
    pub table: Table<'t>,
}

/// A mount of a [`Host`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Which namespace it is in.
    pub namespace: usize,
    /// Which entry of that namespace's table it is.
    pub entry: usize,
}

/// What one mount is to another one, on which something is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It is in the same peer group: what is mounted on either is mounted on both.
    Peer,
    /// It is a slave of that peer group, or of one that is, step by step: it receives, and sends nothing back.
    Slave,
    /// The other one is such a slave of it.
    Master,
}

impl Role {
    /// For people and machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Slave => "slave",
            Self::Master => "master",
        }
    }
}

/// A mount on which what is mounted on another one is mounted as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// The mount.
    pub position: Position,
    /// What it is to the other one.
    pub role: Role,
}

/// The mount namespaces that are known of a host. The first one is the one that is looked at; the others are there because
/// propagation does not end with a namespace.
#[derive(Clone, Debug)]
pub struct Host<'t> {
    namespaces: Vec<Namespace<'t>>,
    peers: HashMap<u32, Vec<Position>>,
    slaves: HashMap<u32, Vec<Position>>,
}

impl<'t> Host<'t> {
    /// A host with these namespaces, of one boot of one machine: the numbers of peer groups mean the same in all.
    pub fn new(namespaces: Vec<Namespace<'t>>) -> Self {
        let (mut peers, mut slaves): (HashMap<u32, Vec<Position>>, HashMap<u32, Vec<Position>>) = Default::default();
        for (namespace, Namespace { table, .. }) in namespaces.iter().enumerate() {
            for (entry, mount) in table.entries().iter().enumerate() {
                let position = Position { namespace, entry };
                if let Some(group) = mount.peer_group() {
                    peers.entry(group).or_default().push(position);
                }
                if let Some(group) = mount.master() {
                    slaves.entry(group).or_default().push(position);
                }
            }
        }
        Self { namespaces, peers, slaves }
    }

    /// The namespaces.
    pub fn namespaces(&self) -> &[Namespace<'t>] {
        &self.namespaces
    }

    /// A mount.
    ///
    /// # Panics
    ///
    /// If there is no such mount: positions are those that this host gives.
    pub fn mount(&self, position: Position) -> &Entry<'t> {
        &self.namespaces[position.namespace].table.entries()[position.entry]
    }

    /// The mounts of a peer group.
    pub fn peers(&self, group: u32) -> &[Position] {
        self.peers.get(&group).map_or(&[], Vec::as_slice)
    }

    /// The mounts on which what is mounted on one of this peer group is mounted: the group, first, its slaves, the peers and
    /// slaves of those, and so on (mount_namespaces(7); `propagate_mnt()` in fs/pnode.c).
    pub fn group(&self, group: u32) -> Vec<Receiver> {
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        let (mut groups, mut known, mut next) = (vec![(group, Role::Peer)], HashSet::from([group]), 0);
        while let Some(&(group, role)) = groups.get(next) {
            next += 1;
            let slaves = self.slaves.get(&group).map_or(&[][..], Vec::as_slice);
            let members = self.peers(group).iter().map(|peer| (*peer, role));
            for (position, role) in members.chain(slaves.iter().map(|slave| (*slave, Role::Slave))) {
                if seen.insert(position) {
                    found.push(Receiver { position, role });
                }
            }
            let below = slaves.iter().filter_map(|slave| self.mount(*slave).peer_group());
            groups.extend(below.filter(|group| known.insert(*group)).map(|group| (group, Role::Slave)));
        }
        found
    }

    /// The other mounts on which what is mounted on this one is mounted as well. Where on them, and whether at all, depends on
    /// the place: [`arrival`](Self::arrival).
    pub fn receivers(&self, from: Position) -> Vec<Receiver> {
        let group = self.mount(from).peer_group().map(|group| self.group(group));
        group.into_iter().flatten().filter(|receiver| receiver.position != from).collect()
    }

    /// Where on another mount of the same filesystem that is which is at `path` on this one, seen from that mount's namespace.
    /// `None` if that mount does not have that part of the filesystem: nothing that is mounted there arrives
    /// (`is_subdir()` in `propagate_one()`, fs/pnode.c).
    pub fn arrival(&self, from: Position, path: &UnixPath, to: Position) -> Option<UnixPathBuf> {
        let (from, to) = (self.mount(from), self.mount(to));
        if from.root_is_deleted() || to.root_is_deleted() {
            return None;
        }
        let in_filesystem = join(&from.root(), path.strip_prefix(from.mountpoint()).ok()?);
        let below = in_filesystem.strip_prefix(to.root()).ok()?;
        Some(join(&to.mountpoint(), below))
    }
}

/// Joined with nothing, a path would end with a slash.
fn join(path: &UnixPath, below: &UnixPath) -> UnixPathBuf {
    if below.as_bytes().is_empty() { path.to_path_buf() } else { path.join(below) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const HERE: &[u8] = b"\
20 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
21 20 8:1 /srv /mnt/peer rw shared:1 - ext4 /dev/sda1 rw
22 20 8:1 / /mnt/slave rw master:1 - ext4 /dev/sda1 rw
23 20 8:1 / /mnt/both rw shared:2 master:1 - ext4 /dev/sda1 rw
24 20 8:1 / /mnt/second rw master:2 - ext4 /dev/sda1 rw
25 20 8:1 / /mnt/private rw - ext4 /dev/sda1 rw
26 20 8:1 /gone//deleted /mnt/gone rw shared:1 - ext4 /dev/sda1 rw
";
    const THERE: &[u8] = b"\
30 2 8:1 / / rw shared:2 master:1 - ext4 /dev/sda1 rw
31 30 0:5 / /tmp rw - tmpfs none rw
";

    fn host() -> Host<'static> {
        let namespace = |name: &str, text| Namespace { name: name.into(), table: Table::parse(text).unwrap() };
        Host::new(vec![namespace("here", HERE), namespace("there", THERE)])
    }

    fn receivers(host: &Host<'_>, namespace: usize, id: u32) -> Vec<(u32, Role)> {
        let entry = host.namespaces()[namespace].table.entries().iter().position(|entry| entry.id() == id).unwrap();
        let found = host.receivers(Position { namespace, entry });
        found.into_iter().map(|receiver| (host.mount(receiver.position).id(), receiver.role)).collect()
    }

    #[test]
    fn who_receives_what() {
        use Role::{Peer, Slave};
        let host = host();
        let all = [(21, Peer), (26, Peer), (22, Slave), (23, Slave), (30, Slave), (24, Slave)];
        assert_eq!(receivers(&host, 0, 20), all);
        assert_eq!(receivers(&host, 0, 23), [(30, Peer), (24, Slave)]);
        assert_eq!(receivers(&host, 1, 30), [(23, Peer), (24, Slave)]);
        for (namespace, id) in [(0, 22), (0, 24), (0, 25), (1, 31)] {
            assert_eq!(receivers(&host, namespace, id), [], "{id}");
        }
    }

    #[test]
    fn where_it_arrives() {
        let host = host();
        let at = |entry| Position { namespace: 0, entry };
        let arrival = |from, path: &str, to| {
            host.arrival(at(from), UnixPath::new(path), at(to)).map(|path| path.to_string_lossy().into_owned())
        };
        assert_eq!(arrival(0, "/srv/x", 1).as_deref(), Some("/mnt/peer/x"));
        assert_eq!(arrival(0, "/srv", 1).as_deref(), Some("/mnt/peer"));
        assert_eq!(arrival(0, "/home", 1), None);
        assert_eq!(arrival(1, "/mnt/peer/x", 0).as_deref(), Some("/srv/x"));
        assert_eq!(arrival(1, "/mnt/peer/x", 2).as_deref(), Some("/mnt/slave/srv/x"));
        assert_eq!(arrival(0, "/gone", 6), None);
    }
}

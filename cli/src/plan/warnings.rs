//! What to think about before a container is run.

use std::collections::{BTreeMap, HashSet};

use cofferdam::kernel::{AtFlags, Bytes, Errno, Fd, Kernel as _};
use cofferdam::mountinfo::{Entry, Table};
use cofferdam::{UnixPath, UnixPathBuf};
use cofferdam_vfs_sim::Process;
use cofferdam_view::host::{Host, Namespace, Position};
use cofferdam_view::printable;
use cofferdam_view::tree::hidden;
use serde::Serialize;

use super::Planned;
use crate::mounts::namespace;
use crate::run::Failure;
use crate::simulated::Begun;

/// Where the isolator itself hides what is there.
const MASKED: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Something that may not be what is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Warning {
    pub(super) kind: Kind,
    /// What it is about.
    pub(super) path: Bytes,
    /// For people.
    pub(super) message: String,
}

/// What it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// A mount of the container is hidden by another one.
    Hidden,
    /// A mount arrives in another mount namespace as well.
    Propagates,
    /// The runtime directory is on a mount on which device nodes do not work.
    NoDevices,
    /// A peer group that was there gets more mounts.
    PeerGroupGrows,
    /// Something that is not there is masked.
    MasksNothing,
}

/// All of them.
pub(super) fn warnings(planned: &Planned<'_>) -> Result<Vec<Warning>, Failure> {
    let mut found = Vec::new();
    let prediction = planned.prediction;
    let before = Table::parse(&prediction.before)?;
    if let Some(begun) = &prediction.begun {
        let seen = begun.linux.mountinfo_table(begun.task).unwrap_or_default();
        hidden_mounts(&mut found, &before, &Table::parse(&seen)?);
        masks(&mut found, planned, begun);
    }
    if let Some(meanwhile) = &prediction.meanwhile {
        let meanwhile = Table::parse(meanwhile)?;
        let mut tables = vec![Namespace { name: String::new(), table: Table::parse(&prediction.before)? }];
        for text in planned.others {
            tables.push(namespace(text)?);
        }
        let mut later = tables.clone();
        later[0].table = meanwhile.clone();
        propagated(&mut found, &before, &meanwhile, &Host::new(later));
        growing_groups(&mut found, &Host::new(tables), &meanwhile, &Table::parse(&prediction.after)?);
    }
    no_devices(&mut found, &before, &planned.agent.config.layout.runtime_dir);
    Ok(found)
}

fn path_of(mount: &Entry<'_>) -> String {
    printable(mount.mountpoint().as_bytes())
}

/// Mounts that nobody reaches, of which the host is not to blame, nor a mask.
fn hidden_mounts(found: &mut Vec<Warning>, before: &Table<'_>, seen: &Table<'_>) {
    let identity = |entry: &Entry<'_>| (entry.mountpoint().into_owned(), entry.major(), entry.minor());
    let hidden_entries = |table: &Table<'_>| -> Vec<usize> {
        let hidden = hidden(table);
        (0..hidden.len()).filter(|entry| hidden[*entry]).collect()
    };
    let were_hidden: HashSet<_> =
        hidden_entries(before).into_iter().map(|entry| identity(&before.entries()[entry])).collect();
    for entry in hidden_entries(seen) {
        let mount = &seen.entries()[entry];
        let mountpoint = mount.mountpoint();
        let Some(cover) = seen.containing(&mountpoint) else { continue };
        let is_masked = MASKED.iter().any(|path| cover.mountpoint().starts_with(path));
        if is_masked || were_hidden.contains(&identity(mount)) {
            continue;
        }
        let message = format!("what is mounted on {} is hidden by the mount on {}", path_of(mount), path_of(cover));
        found.push(Warning { kind: Kind::Hidden, path: (&*mountpoint).into(), message });
    }
}

/// Mounts of the host that arrive in other mount namespaces: `later` is the host while the container runs.
fn propagated(found: &mut Vec<Warning>, before: &Table<'_>, meanwhile: &Table<'_>, later: &Host<'_>) {
    let positions: BTreeMap<u32, usize> =
        meanwhile.entries().iter().enumerate().map(|(position, entry)| (entry.id(), position)).collect();
    for mount in meanwhile.entries().iter().filter(|entry| before.by_id(entry.id()).is_none()) {
        let Some(&entry) = positions.get(&mount.parent_id()) else { continue };
        let parent = Position { namespace: 0, entry };
        let mountpoint = mount.mountpoint();
        let mut places = Vec::new();
        for receiver in later.receivers(parent) {
            if receiver.position.namespace == 0 {
                continue;
            }
            if let Some(path) = later.arrival(parent, &mountpoint, receiver.position) {
                let name = &later.namespaces()[receiver.position.namespace].name;
                places.push(format!("{} in {}", printable(path.as_bytes()), printable(name.as_bytes())));
            }
        }
        if !places.is_empty() {
            let message = format!("what is mounted on {} is mounted on {} as well", path_of(mount), places.join(", "));
            found.push(Warning { kind: Kind::Propagates, path: (&*mountpoint).into(), message });
        }
    }
}

/// Peer groups of the host that get more mounts: each further one takes longer to mount something in them.
fn growing_groups(found: &mut Vec<Warning>, host: &Host<'_>, meanwhile: &Table<'_>, after: &Table<'_>) {
    let Some(before) = host.namespaces().first() else { return };
    let groups: std::collections::BTreeSet<u32> = before.table.entries().iter().filter_map(Entry::peer_group).collect();
    for group in groups {
        let elsewhere = host.peers(group).iter().filter(|position| position.namespace != 0).count();
        let [old, running, ended] =
            [&before.table, meanwhile, after].map(|table| table.peers(group).count() + elsewhere);
        if running <= old {
            continue;
        }
        let stay = if ended > old { format!(", and has {ended} afterwards") } else { String::new() };
        let first = before.table.peers(group).next();
        let path = first.map_or_else(|| "/".into(), |mount| mount.mountpoint().into_owned());
        let message = format!(
            "peer group {group}, in which {} is, grows from {old} to {running} mounts while the container runs{stay}",
            printable(path.as_bytes())
        );
        found.push(Warning { kind: Kind::PeerGroupGrows, path: (&*path).into(), message });
    }
}

fn no_devices(found: &mut Vec<Warning>, before: &Table<'_>, runtime_dir: &UnixPath) {
    let Some(mount) = before.containing(runtime_dir).filter(|mount| mount.has_mount_option(b"nodev")) else { return };
    let path = printable(runtime_dir.as_bytes());
    let message = format!(
        "the runtime directory {path} is on {}, which is mounted nodev: the device nodes of containers need a mount of \
         their own there, without nodev",
        path_of(mount)
    );
    found.push(Warning { kind: Kind::NoDevices, path: runtime_dir.into(), message });
}

fn masks(found: &mut Vec<Warning>, planned: &Planned<'_>, begun: &Begun) {
    let (Some(info), Some(process)) = (&planned.prediction.launch_info, begun.process()) else { return };
    let rootfs: UnixPathBuf = info.rootfs.as_ref().map_or_else(|| "/".into(), |path| path.as_path().to_path_buf());
    for masked in &info.masked_paths {
        let Ok(below) = masked.as_path().strip_prefix(&rootfs) else { continue };
        let path = UnixPath::new("/").join(below);
        // What is in them of a host elsewhere nobody has told.
        if planned.is_saved && MASKED.iter().any(|own| path.starts_with(own)) {
            continue;
        }
        if is_missing(&process, &path) {
            let message = format!("{} is to be masked, but is not there", printable(path.as_bytes()));
            found.push(Warning { kind: Kind::MasksNothing, path: (&*path).into(), message });
        }
    }
}

fn is_missing(process: &Process, path: &UnixPath) -> bool {
    process.statx(Fd::CWD, path, AtFlags::AT_SYMLINK_NOFOLLOW) == Err(Errno::ENOENT)
}

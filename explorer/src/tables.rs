//! Mount tables of several namespaces, to be compared.

use std::collections::BTreeMap;

use cofferdam::kernel::Bytes;
use cofferdam_vfs_sim::{Id, Linux, MountView, Task};

use crate::steps::ASIDE;

/// The mounts that processes see, one a line, without the numbers and the order that depend on when each was made: copies that
/// are attached in their turn may have been taken before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables(Vec<String>);

impl Tables {
    /// Those of processes, each in a namespace of its own; without those at a place.
    pub fn of(linux: &Linux, tasks: &[Id<Task>], without: &str) -> Self {
        let mut groups = BTreeMap::new();
        let mut lines = Vec::new();
        for (number, task) in tasks.iter().enumerate() {
            let Some(namespace) = linux.task(*task).and_then(|task| task.mount_namespace()) else {
                lines.push(format!("{number} the process is gone"));
                continue;
            };
            for mount in in_order(namespace.mounts()) {
                let mountpoint = mount.mountpoint().0;
                if mountpoint == without.as_bytes() {
                    continue;
                }
                // A program may have renamed the directory since: it is the same one.
                let mountpoint = String::from_utf8_lossy(&mountpoint).replace(ASIDE, "");
                let next = groups.len();
                let mut name = |group: u32| *groups.entry(group).or_insert(next);
                let propagation = mount.propagation();
                let shared = propagation.peer_group.map(&mut name);
                let master = propagation.master.map(&mut name);
                lines.push(format!(
                    "{number} {:?} {}[{}] {} {} shared:{shared:?} master:{master:?}",
                    mountpoint,
                    String::from_utf8_lossy(mount.filesystem_type()),
                    root(&mount),
                    mount.options(),
                    mount.super_options(),
                ));
            }
        }
        Self(lines)
    }

    /// What is in one of them only, one a line.
    pub fn difference(&self, other: &Self) -> String {
        let only = |these: &Self, those: &Self, sign: char| {
            let mut rest = those.0.clone();
            let mut lines = String::new();
            for line in &these.0 {
                match rest.iter().position(|other| other == line) {
                    Some(position) => drop(rest.swap_remove(position)),
                    None => lines.extend([&*sign.to_string(), " ", line, "\n"]),
                }
            }
            lines
        };
        only(self, other, '-') + &only(other, self, '+')
    }
}

/// A namespace, without its number.
fn root(mount: &MountView<'_>) -> Bytes {
    let root = mount.root();
    match root.0.split(|byte| *byte == b':').next() {
        Some(kind) if mount.filesystem_type() == b"nsfs" => kind.into(),
        _ => root,
    }
}

/// By where they are mounted, those on one mountpoint from bottom to top.
fn in_order<'a>(mounts: impl Iterator<Item = MountView<'a>>) -> Vec<MountView<'a>> {
    let depth = |mount: &MountView<'a>| std::iter::successors(mount.parent(), MountView::parent).count();
    let mut mounts: Vec<_> = mounts.map(|mount| (mount.mountpoint().0, depth(&mount), mount)).collect();
    mounts.sort_by(|(one, one_depth, _), (other, other_depth, _)| (one, one_depth).cmp(&(other, other_depth)));
    mounts.into_iter().map(|(_, _, mount)| mount).collect()
}

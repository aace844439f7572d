//! The mount tables of processes, against what the kernel is known to have.

use std::collections::HashSet;

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Call, Fd, Value};
use cofferdam::mountinfo::{Entry, OwnedEntry, Table};
use cofferdam_vfs_sim::{Id, Linux, MountView, Task};

/// More lines than this are not remembered.
const MAX_LINES: usize = 1 << 14;

/// Checks mount tables. It remembers lines that it has written again: most of them come again and again.
#[derive(Default)]
pub(super) struct Tables {
    lines: HashSet<Vec<u8>>,
}

impl Tables {
    /// Checks the table of each process.
    pub(super) fn check(&mut self, linux: &mut Linux, tasks: &[Id<Task>]) {
        for task in tasks {
            self.check_one(linux, *task);
        }
    }

    /// The table of a process parses, is written again as it was, and has the mounts that the process can reach.
    fn check_one(&mut self, linux: &mut Linux, task: Id<Task>) {
        let root = root(linux, task);
        let Some(text) = linux.mountinfo_table(task) else { return };
        let table = match Table::parse(&text) {
            Ok(table) => table,
            Err(error) => panic!("{task:?}: {error} in:\n{}", text.escape_ascii()),
        };
        for entry in table.entries() {
            self.check_line(entry);
        }
        let Some(view) = linux.task(task) else { return };
        let namespace = view.mount_namespace();
        let mut entries = table.entries().iter().peekable();
        for mount in namespace.mounts() {
            let shown = entries.next_if(|entry| entry.id() == mount.id());
            // Where the root of a process is inside a mount, what is elsewhere in that mount is out of reach.
            match (shown, &root) {
                (Some(entry), Root::Mount(root)) => {
                    assert!(is_below(&mount, *root), "{task:?} does not reach {mount}");
                    check_entry(entry, &mount);
                }
                (Some(entry), _) => check_entry(entry, &mount),
                (None, Root::Mount(root)) => assert!(!is_below(&mount, *root), "{task:?} reaches {mount}"),
                (None, _) => {}
            }
        }
        assert!(entries.next().is_none(), "{task:?}: its table has the mounts of its namespace, in their order");
    }

    fn check_line(&mut self, entry: &Entry<'_>) {
        if self.lines.contains(entry.as_bytes()) {
            return;
        }
        let mut written = Vec::new();
        OwnedEntry::from(entry).write_to(&mut written);
        assert_eq!(written.escape_ascii().to_string(), entry.as_bytes().escape_ascii().to_string());
        if self.lines.len() < MAX_LINES {
            self.lines.insert(written);
        }
    }
}

/// Where the root directory of a process is.
enum Root {
    /// It is the root of the mount with this id.
    Mount(u64),
    /// It is somewhere in a mount, or the process can't tell.
    Elsewhere,
}

fn root(linux: &mut Linux, task: Id<Task>) -> Root {
    let call = Call::Statx { dirfd: Fd::CWD, path: "/".into(), flags: AtFlags::empty() };
    match linux.call(task, &call) {
        Ok(Value::Stat(stat)) if stat.is_mount_root => Root::Mount(stat.mount_id),
        _ => Root::Elsewhere,
    }
}

/// Whether a mount is the one with this id, or on it, however many are in between.
fn is_below(mount: &MountView<'_>, id: u64) -> bool {
    std::iter::successors(Some(*mount), MountView::parent).any(|mount| u64::from(mount.id()) == id)
}

fn check_entry(entry: &Entry<'_>, mount: &MountView<'_>) {
    // The root of a tree is its own parent.
    let parent = mount.parent().map_or(mount.id(), |parent| parent.id());
    assert_eq!(entry.parent_id(), parent, "{mount}");
    let propagation = mount.propagation();
    assert_eq!(entry.peer_group(), propagation.peer_group, "{mount}");
    assert_eq!(entry.master(), propagation.master, "{mount}");
    assert_eq!(entry.is_unbindable(), propagation.is_unbindable, "{mount}");
    let device = mount.device();
    assert_eq!((entry.major(), entry.minor()), (device.major, device.minor), "{mount}");
    assert_eq!(*entry.filesystem_type(), *mount.filesystem_type(), "{mount}");
    assert_eq!(*entry.source(), *mount.source(), "{mount}");
    assert_eq!(*entry.root(), *UnixPath::new(&mount.root().0), "{mount}");
    assert_eq!(entry.mount_options_raw(), mount.options().0, "{mount}");
}

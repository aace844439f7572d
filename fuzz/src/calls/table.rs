//! The mount tables of processes, against what the kernel is known to have.

use cofferdam::mountinfo::{Entry, OwnedEntry, Table};
use cofferdam_vfs_sim::{Id, Linux, Mount, MountView, NamespaceView, Task, TaskView};
use rustc_hash::FxHashMap;

/// More lines than this are not remembered.
const MAX_LINES: usize = 1 << 14;

/// Checks mount tables. It remembers what lines say that it has parsed and written again: most of them come again and
/// again, and a line means the same in every table.
#[derive(Default)]
pub(super) struct Tables {
    lines: FxHashMap<Vec<u8>, OwnedEntry>,
}

impl Tables {
    /// Checks the table of each process; that of several with the same root in the same namespace once.
    pub(super) fn check(&mut self, linux: &Linux, tasks: &[Id<Task>]) {
        let mut seen = Vec::with_capacity(tasks.len());
        for task in tasks.iter().filter_map(|task| linux.task(*task)) {
            let place =
                (task.mount_namespace().map(|namespace| namespace.key()), task.root_mount().map(|root| root.key()));
            // Where the root is in the middle of a mount, it takes more to tell roots apart.
            if place.1.is_some() && seen.contains(&place) {
                continue;
            }
            seen.push(place);
            self.check_one(&task);
        }
    }

    /// The table of a process parses, is written again as it was, and has the mounts that the process can reach.
    fn check_one(&mut self, task: &TaskView<'_>) {
        let text = task.mountinfo().unwrap_or_default();
        let root = task.root_mount();
        let mut lines = text.split_inclusive(|byte| *byte == b'\n').peekable();
        for mount in task.mount_namespace().iter().flat_map(NamespaceView::mounts) {
            // Where the root of a process is inside a mount, what is elsewhere in that mount is out of reach.
            let is_reached = root.map(|root| is_below(&mount, root.key()));
            let is_shown = lines.peek().is_some_and(|line| id_of(line) == Some(mount.id()));
            assert!(
                is_reached.is_none_or(|is_reached| is_reached == is_shown),
                "{:?} and {mount}: {is_shown}",
                task.pid()
            );
            if let Some(line) = lines.next_if(|_| is_shown) {
                self.check_line(line, &mount);
            }
        }
        let rest = lines.next().map(|line| line.escape_ascii().to_string());
        assert_eq!(rest, None, "{:?}: its table has the mounts of its namespace, in their order", task.pid());
    }

    /// A line parses, is written again as it was, and says what the mount is.
    fn check_line(&mut self, line: &[u8], mount: &MountView<'_>) {
        if let Some(known) = self.lines.get(line) {
            return check_entry(known, mount);
        }
        let entry = parse(line);
        check_entry(&entry, mount);
        if self.lines.len() < MAX_LINES {
            self.lines.insert(line.to_vec(), entry);
        }
    }
}

/// The number that a line begins with.
fn id_of(line: &[u8]) -> Option<u32> {
    let digits = line.split(|byte| *byte == b' ').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// What a line says, which is the same line again.
fn parse(line: &[u8]) -> OwnedEntry {
    let table = match Table::parse(line) {
        Ok(table) => table,
        Err(error) => panic!("{error} in: {}", line.escape_ascii()),
    };
    let [entry] = table.entries() else { panic!("not one line: {}", line.escape_ascii()) };
    let (mut written, entry) = (Vec::new(), OwnedEntry::from(entry as &Entry<'_>));
    entry.write_to(&mut written);
    written.push(b'\n');
    assert_eq!(written.escape_ascii().to_string(), line.escape_ascii().to_string());
    entry
}

/// Whether a mount is this one, or on it, however many are in between.
fn is_below(mount: &MountView<'_>, key: Id<Mount>) -> bool {
    std::iter::successors(Some(*mount), MountView::parent).any(|mount| mount.key() == key)
}

fn check_entry(entry: &OwnedEntry, mount: &MountView<'_>) {
    // The root of a tree is its own parent.
    let parent = mount.parent().map_or(mount.id(), |parent| parent.id());
    assert_eq!((entry.id, entry.parent_id), (mount.id(), parent), "{mount}");
    let propagation = mount.propagation();
    assert_eq!(entry.peer_group, propagation.peer_group, "{mount}");
    assert_eq!(entry.master, propagation.master, "{mount}");
    assert_eq!(entry.unbindable, propagation.is_unbindable, "{mount}");
    let device = mount.device();
    assert_eq!((entry.major, entry.minor), (device.major, device.minor), "{mount}");
    assert_eq!(entry.filesystem_type, mount.filesystem_type(), "{mount}");
    assert_eq!(entry.source, mount.source(), "{mount}");
    assert_eq!(entry.root.as_bytes(), mount.root().0, "{mount}");
    assert_eq!(entry.mount_options, mount.options().0, "{mount}");
}

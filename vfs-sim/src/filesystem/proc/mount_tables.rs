//! Open tables of mounts: where reading goes on while mounts come and go (`fs/seq_file.c`, `fs/proc_namespace.c`).

use serde::{Deserialize, Serialize};

use crate::arena::Id;
use crate::linux::Linux;
use crate::mount::Path;
use crate::namespace::MountNamespace;
use crate::process::{OpenFile, OpenFileKind};
use crate::text::MountTable;

/// The buffer that a table begins with: a page.
const PAGE: usize = 4096;

/// An open table of mounts (`struct seq_file`, `struct proc_mounts`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpenMountTable {
    /// Which one.
    pub(crate) table: MountTable,
    /// The namespace of the process.
    pub(crate) namespace: Id<MountNamespace>,
    /// The root of the process.
    pub(crate) root: Path,
    /// The least unique id of the mounts that come next (`index`).
    next: u64,
    /// What was written and not read yet: the rest of a line (`buf`).
    unread: Vec<u8>,
    /// Which position of the file the next byte has (`read_pos`).
    position: u64,
    /// The size of the buffer, into which a line must fit.
    size: usize,
}

impl OpenMountTable {
    /// A table that nothing was read of.
    pub(crate) fn new(table: MountTable, namespace: Id<MountNamespace>, root: Path) -> Self {
        Self { table, namespace, root, next: 0, unread: Vec::new(), position: 0, size: PAGE }
    }

    /// Writes lines, of which at least one fits, until there are `wanted` bytes; nothing at the end.
    fn write(&mut self, linux: &Linux, wanted: usize) -> Vec<u8> {
        let part = linux.mount_table_part(self.table, (self.namespace, self.root), self.next, wanted, self.size);
        while part.text.len() >= self.size {
            self.size *= 2;
        }
        self.next = part.next;
        part.text
    }

    /// Goes to a position from the start on (`traverse()`).
    fn go_to(&mut self, linux: &Linux, position: u64) {
        (self.next, self.position) = (0, position);
        self.unread.clear();
        let mut passed = 0;
        while passed < position {
            let line = self.write(linux, 1);
            let length = line.len() as u64;
            if line.is_empty() {
                return;
            }
            if passed + length > position {
                let read = usize::try_from(position - passed).unwrap_or(usize::MAX);
                self.unread = line.get(read..).unwrap_or_default().to_vec();
                return;
            }
            passed += length;
        }
    }

    /// `seq_read_iter()`
    fn read(&mut self, linux: &Linux, position: u64, count: usize) -> Vec<u8> {
        if count == 0 {
            return Vec::new();
        }
        if position == 0 {
            self.next = 0;
            self.unread.clear();
        }
        if position != self.position {
            self.go_to(linux, position);
        }
        let mut read: Vec<u8> = self.unread.drain(..self.unread.len().min(count)).collect();
        if self.unread.is_empty() {
            let mut lines = self.write(linux, count - read.len());
            self.unread = lines.split_off(lines.len().min(count - read.len()));
            read.append(&mut lines);
        }
        self.position = position + read.len() as u64;
        read
    }
}

impl Linux {
    /// Reads from an open table of mounts; none for other files.
    pub(super) fn read_mount_table(&mut self, file: Id<OpenFile>, count: usize) -> Option<Vec<u8>> {
        let position = self.files[file].position;
        let OpenFileKind::MountTable(table) = &self.files[file].kind else { return None };
        let mut table = table.clone();
        let bytes = table.read(self, position, count);
        self.files[file].kind = OpenFileKind::MountTable(table);
        Some(bytes)
    }

    /// Goes to a position in an open table of mounts, past those that there are now (`seq_lseek()`); does nothing to other
    /// files.
    pub(crate) fn seek_mount_table(&mut self, file: Id<OpenFile>, position: u64) {
        let OpenFileKind::MountTable(table) = &self.files[file].kind else { return };
        if position == table.position {
            return;
        }
        let mut table = table.clone();
        table.go_to(self, position);
        self.files[file].kind = OpenFileKind::MountTable(table);
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::UnixPath;
    use cofferdam::kernel::{Fd, Kernel, Mode, MountFlags, OpenHow, Whence};

    use crate::handle::Process;
    use crate::linux::Linux;

    fn machine() -> (Process, Fd) {
        let process = Process::init(Linux::new());
        for name in ["/proc", "/a"] {
            process.mkdirat(Fd::CWD, UnixPath::new(name), Mode(0o755)).unwrap();
        }
        mount(&process, "/proc", b"proc");
        let table = process.openat2(Fd::CWD, UnixPath::new("/proc/self/mountinfo"), OpenHow::default()).unwrap();
        (process, table)
    }

    fn mount(process: &Process, target: &str, filesystem: &[u8]) {
        process.mount(None, UnixPath::new(target), Some(filesystem), MountFlags::empty(), None).unwrap();
    }

    fn read(process: &Process, table: Fd, count: usize) -> String {
        String::from_utf8(process.read(table, count).unwrap().0).unwrap()
    }

    #[test]
    fn reading_goes_on_behind_the_last_mount_that_was_read() {
        let (process, table) = machine();
        assert_eq!(read(&process, table, 65536).lines().count(), 2);
        assert_eq!(read(&process, table, 65536), "");
        mount(&process, "/a", b"tmpfs");
        let new = read(&process, table, 65536);
        assert!(new.contains(" /a ") && new.lines().count() == 1, "{new}");
    }

    #[test]
    fn who_goes_beyond_the_end_has_passed_the_mounts_of_then() {
        let (process, table) = machine();
        assert_eq!(process.lseek(table, 1 << 40, Whence::Start), Ok(1 << 40));
        assert_eq!(read(&process, table, 65536), "");
        mount(&process, "/a", b"tmpfs");
        let new = read(&process, table, 65536);
        assert!(new.contains(" /a ") && new.lines().count() == 1, "{new}");
    }

    #[test]
    fn the_rest_of_a_line_is_what_it_was() {
        let (process, table) = machine();
        let start = read(&process, table, 10);
        let whole = MountFlags::MS_REMOUNT | MountFlags::MS_BIND | MountFlags::MS_NOSUID;
        process.mount(None, UnixPath::new("/"), None, whole, None).unwrap();
        let rest = read(&process, table, 65536);
        assert!(!format!("{start}{rest}").contains("nosuid"));
        process.lseek(table, 0, Whence::Start).unwrap();
        let all = read(&process, table, 65536);
        assert!(all.contains("nosuid"));
        process.lseek(table, 5, Whence::Start).unwrap();
        assert_eq!(read(&process, table, 65536), all[5..]);
    }

    #[test]
    fn no_more_than_a_page_of_whole_lines_is_read_at_once() {
        let (process, table) = machine();
        for _ in 0..200 {
            mount(&process, "/a", b"tmpfs");
        }
        let mut all = String::new();
        loop {
            let part = read(&process, table, 65536);
            if part.is_empty() {
                break;
            }
            assert!(part.len() < 4096 && part.ends_with('\n'));
            all += &part;
        }
        assert_eq!(all.lines().count(), 202);
    }
}

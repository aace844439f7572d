//! Removing files and trees, as rm(1) does it, and mv(1) after it has copied.

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Errno, Fd, FileType, Kernel as _, Stat};

use super::paths::join;
use super::quote::quoted_always;
use crate::execution::Execution;

/// How to remove.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "they are the program's options")]
pub(crate) struct Removal {
    /// What does not exist is no failure (`-f`).
    pub(crate) ignores_missing: bool,
    /// Directories with what is in them (`-r`).
    pub(crate) is_recursive: bool,
    /// Empty directories (`-d`).
    pub(crate) removes_empty_directories: bool,
    /// Nothing of other filesystems.
    pub(crate) stays_on_filesystem: bool,
    /// Says what was removed (`-v`).
    pub(crate) is_verbose: bool,
}

impl Removal {
    /// Removes a file or a tree; false if something could not be removed, which was reported.
    pub(crate) fn remove(self, execution: &mut Execution, path: &[u8]) -> bool {
        match execution.lstat(path) {
            Ok(stat) => self.remove_file(execution, path, &stat, stat.device),
            Err(errno) => self.report(execution, path, errno),
        }
    }

    fn remove_file(
        self,
        execution: &mut Execution,
        path: &[u8],
        stat: &Stat,
        device: cofferdam::kernel::DeviceNumber,
    ) -> bool {
        if stat.file_type != FileType::Directory {
            return self.unlink(execution, path, AtFlags::empty());
        }
        if !self.is_recursive {
            if !self.removes_empty_directories {
                return self.report(execution, path, Errno::EISDIR);
            }
            return self.unlink(execution, path, AtFlags::AT_REMOVEDIR);
        }
        if self.stays_on_filesystem && stat.device != device {
            let text = [b"skipping ", &quoted_always(path)[..], b", since it's on a different device"].concat();
            execution.report(text);
            return false;
        }
        let entries = match execution.entries(path) {
            Ok(entries) => entries,
            Err(errno) => return self.report(execution, path, errno),
        };
        let mut has_removed_all = true;
        for entry in entries {
            let child = join(path, &entry.name.0);
            has_removed_all &= match execution.lstat(&child) {
                Ok(stat) => self.remove_file(execution, &child, &stat, device),
                Err(errno) => self.report(execution, &child, errno),
            };
        }
        has_removed_all && self.unlink(execution, path, AtFlags::AT_REMOVEDIR)
    }

    fn unlink(self, execution: &mut Execution, path: &[u8], flags: AtFlags) -> bool {
        if let Err(errno) = execution.process.unlinkat(Fd::CWD, UnixPath::new(path), flags) {
            return self.report(execution, path, errno);
        }
        if self.is_verbose {
            let what: &[u8] = if flags.is_empty() { b"removed " } else { b"removed directory " };
            execution.print([what, &quoted_always(path), b"\n"].concat());
        }
        true
    }

    fn report(self, execution: &mut Execution, path: &[u8], errno: Errno) -> bool {
        if self.ignores_missing && matches!(errno, Errno::ENOENT | Errno::ENOTDIR | Errno::EINVAL | Errno::EILSEQ) {
            return true;
        }
        execution.report_failure("cannot remove", path, errno);
        false
    }
}

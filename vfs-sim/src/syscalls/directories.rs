//! Root and working directory.

use cofferdam::kernel::{Bytes, Capabilities, Fd};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::Task;
use crate::walk::{Access, LookupFlags};

/// The longest path that getcwd(2) gives, without the NUL at its end.
const MAX_PATH: usize = 4095;

impl Linux {
    /// chroot(2)
    pub(crate) fn chroot(&mut self, task: Id<Task>, path: &[u8]) -> Result<(), Failure> {
        let path = self.enterable_directory(task, path)?;
        let namespace = self.tasks[task].credentials.user_namespace;
        if !self.ns_capable(task, namespace, Capabilities::CAP_SYS_CHROOT) {
            return Err(fail!(EPERM, "sys_chroot()", "the process has no CAP_SYS_CHROOT in its user namespace"));
        }
        self.path_get(path);
        let fs = self.tasks[task].fs;
        let old = std::mem::replace(&mut self.fs_states[fs].root, path);
        self.path_put(old);
        Ok(())
    }

    /// chdir(2)
    pub(crate) fn chdir(&mut self, task: Id<Task>, path: &[u8]) -> Result<(), Failure> {
        let path = self.enterable_directory(task, path)?;
        self.set_cwd(task, path);
        Ok(())
    }

    /// fchdir(2)
    pub(crate) fn fchdir(&mut self, task: Id<Task>, fd: Fd) -> Result<(), Failure> {
        let path = self.files[self.file(task, fd)?].path;
        if !self.is_directory(path.dentry) {
            return Err(fail!(ENOTDIR, "sys_fchdir()", "the descriptor is not one of a directory"));
        }
        self.may_enter(task, path)?;
        self.set_cwd(task, path);
        Ok(())
    }

    /// getcwd(2)
    pub(crate) fn getcwd(&mut self, task: Id<Task>) -> Result<Bytes, Failure> {
        let fs = &self.fs_states[self.tasks[task].fs];
        let text = self.path_text(fs.cwd, fs.root);
        if text.is_deleted {
            return Err(fail!(ENOENT, "sys_getcwd()", "the working directory was removed"));
        }
        let bytes = if text.is_reachable { text.bytes } else { [b"(unreachable)".as_slice(), &text.bytes].concat() };
        let is_too_long =
            fail!(ENAMETOOLONG, "sys_getcwd()", "the path of the working directory is longer than 4095 bytes");
        if bytes.len() > MAX_PATH { Err(is_too_long) } else { Ok(Bytes(bytes)) }
    }

    fn enterable_directory(&mut self, task: Id<Task>, path: &[u8]) -> Result<Path, Failure> {
        let path = self.lookup(task, Fd::CWD, path, LookupFlags::FOLLOW | LookupFlags::DIRECTORY)?;
        self.may_enter(task, path)?;
        Ok(path)
    }

    fn may_enter(&self, task: Id<Task>, path: Path) -> Result<(), Failure> {
        self.inode_permission(task, path.mount, self.dentries[path.dentry].inode, Access::EXECUTE)
    }

    fn set_cwd(&mut self, task: Id<Task>, path: Path) {
        self.path_get(path);
        let fs = self.tasks[task].fs;
        let old = std::mem::replace(&mut self.fs_states[fs].cwd, path);
        self.path_put(old);
    }
}

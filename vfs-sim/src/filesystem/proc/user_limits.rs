//! The files below `/proc/sys/user`: each user namespace has its own (`kernel/ucount.c`, `proc_doulongvec_minmax()`).

use cofferdam::kernel::{Bytes, Capabilities};

use super::ProcEntry;
use super::tables::Directory;
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, FilesystemType, Inode, SuperBlock};
use crate::linux::Linux;
use crate::namespace::{Counted, UserNamespace};
use crate::process::{OpenFile, Task};

/// `MAY_WRITE`
const WRITE: u32 = 2;
/// `MAY_READ`
const READ: u32 = 4;

/// The file of a limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct UserLimit {
    namespace: Id<UserNamespace>,
    counted: Counted,
}

impl Linux {
    /// Which user namespace's files a process finds in a directory of proc, if these have their own there.
    pub(super) fn scope_in_proc(&self, task: Id<Task>, directory: ProcEntry) -> Option<u64> {
        let namespace = self.tasks[task].credentials.user_namespace;
        (directory == ProcEntry::Directory(Directory::SysUser)).then(|| self.user_namespaces[namespace].inode)
    }

    /// The limit that an inode stands for, if it is one.
    ///
    /// # Errors
    ///
    /// `ENOENT` if its user namespace is gone (`grab_header()`).
    pub(super) fn user_limit(&self, inode: Id<Inode>) -> Option<Result<UserLimit, Failure>> {
        let Some(ProcEntry::UserLimit { namespace, number, counted }) = self.proc_entry(inode) else { return None };
        let lives = self.user_namespaces.get(namespace).is_some_and(|object| object.inode == number);
        let gone = fail!(ENOENT, "sysctl_head_grab()", "the user namespace that the limit was of is gone");
        Some(if lives { Ok(UserLimit { namespace, counted }) } else { Err(gone) })
    }

    /// Whether a process may do to a limit what the bits of `MAY_*` say: all may read, and who has the privilege may write
    /// (`set_permissions()`, `test_perm()`).
    pub(super) fn user_limit_permits(&self, task: Id<Task>, limit: UserLimit, access: u32) -> bool {
        let may_write = self.ns_capable(task, limit.namespace, Capabilities::CAP_SYS_RESOURCE);
        let permitted = if may_write { READ | WRITE } else { READ };
        access & 7 & !permitted == 0
    }

    /// Reads a limit that is open (`proc_sys_call_handler()`).
    pub(super) fn read_user_limit(
        &mut self,
        task: Id<Task>,
        file: Id<OpenFile>,
        limit: UserLimit,
        count: usize,
    ) -> Result<Bytes, Failure> {
        if !self.user_limit_permits(task, limit, READ) {
            return Err(fail!(EPERM, "proc_sys_call_handler()", "the limit may not be read"));
        }
        if self.files[file].position > 0 {
            return Ok(Bytes::default());
        }
        let text = format!("{}\n", self.user_namespaces[limit.namespace].limits.get(limit.counted));
        let part = text.as_bytes().get(..count).unwrap_or(text.as_bytes());
        self.files[file].position += part.len() as u64;
        Ok(part.into())
    }

    /// Writes a limit that is open, and says how much of the text was read: what follows the number is not.
    pub(super) fn write_user_limit(
        &mut self,
        task: Id<Task>,
        file: Id<OpenFile>,
        limit: UserLimit,
        data: &[u8],
    ) -> Result<usize, Failure> {
        if !self.user_limit_permits(task, limit, WRITE) {
            return Err(fail!(
                EPERM,
                "proc_sys_call_handler()",
                "the process has no CAP_SYS_RESOURCE in the user namespace of the limit"
            ));
        }
        // What does not begin at the start is ignored (kernel.sysctl_writes_strict).
        let length = if data.is_empty() || self.files[file].position > 0 {
            data.len()
        } else {
            let (number, length) = parse(data).ok_or(fail!(
                EINVAL,
                "__do_proc_doulongvec_minmax()",
                "what is written to the limit is no number from 0 to 2147483647"
            ))?;
            self.user_namespaces[limit.namespace].limits.set(limit.counted, number);
            length
        };
        self.files[file].position += length as u64;
        Ok(length)
    }

    /// Takes the files of a user namespace, which is gone, out of every proc (`retire_userns_sysctls()`).
    pub(crate) fn forget_user_limits(&mut self, number: u64) {
        let superblocks: Vec<Id<SuperBlock>> = self.superblocks_of(&FilesystemType::Proc).collect();
        for superblock in superblocks {
            for dentry in self.user_limit_dentries(superblock, number) {
                self.invalidate(dentry);
            }
        }
    }

    fn user_limit_dentries(&self, superblock: Id<SuperBlock>, number: u64) -> Vec<Id<Dentry>> {
        // What was unmounted from one file may have been the last mount of another proc.
        let Some(object) = self.superblocks.get(superblock).filter(|object| object.pid_namespace.is_some()) else {
            return Vec::new();
        };
        let below = |directory: Id<Dentry>, name: &str| self.child(directory, name.as_bytes());
        let Some(directory) = below(object.root, "sys").and_then(|sys| below(sys, "user")) else { return Vec::new() };
        let dentries = self.dentries[directory].children.values().copied();
        dentries.filter(|dentry| self.dentries[*dentry].scope == Some(number)).collect()
    }
}

/// The first number of a text, which is at most `INT_MAX`, and how long the text is up to the next one.
fn parse(data: &[u8]) -> Option<(u32, usize)> {
    /// The longest number (`TMPBUFLEN`).
    const LONGEST: usize = 21;
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let start = data.iter().position(|byte| !is_space(byte))?;
    let rest = data.get(start..)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let word =
        rest.get(..digits).filter(|word| word.first().is_some_and(u8::is_ascii_digit) && word.len() <= LONGEST)?;
    let behind = rest.get(digits..).unwrap_or_default();
    if behind.first().is_some_and(|byte| !matches!(byte, b' ' | b'\t' | b'\n')) {
        return None;
    }
    let number = crate::filesystem::unsigned_number(word).filter(|number| i32::try_from(*number).is_ok())?;
    let spaces = behind.iter().take_while(|byte| is_space(byte)).count();
    Some((number, start + digits + spaces))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(b"5", Some((5, 1)))]
    #[case(b" 0x10\n", Some((16, 6)))]
    #[case(b"010 ", Some((8, 4)))]
    #[case(b"5 6\n", Some((5, 2)))]
    #[case(b"2147483647", Some((i32::MAX.unsigned_abs(), 10)))]
    #[case(b"2147483648", None)]
    #[case(b"-1", None)]
    #[case(b"+1", None)]
    #[case(b"5x", None)]
    #[case(b"5,", None)]
    #[case(b" \n", None)]
    fn numbers(#[case] text: &[u8], #[case] expected: Option<(u32, usize)>) {
        assert_eq!(parse(text), expected);
    }
}

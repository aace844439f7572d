//! How a mount ended: the message and the exit status, as libmount has them (`mnt_context_get_mount_excode()`).

use cofferdam::kernel::{Errno, FileType, Kernel as _, MountFlags, Stat};

use super::attempt::{Attempt, Failure};
use super::fstab::FSTAB;
use crate::execution::Execution;
use crate::programs::util_linux::path::{lstat, stat};
use crate::programs::util_linux::table::is_network;
use crate::programs::util_linux::warn;

/// Exit statuses (mount(8)).
pub(super) const USAGE: i32 = 1;
pub(super) const SYSTEM_ERROR: i32 = 2;
pub(super) const FAILED: i32 = 32;

type Message = Option<Vec<u8>>;

impl Attempt {
    /// Says what went wrong, if something did, and comes to the exit status.
    pub(super) async fn report(&self, execution: &mut Execution) -> i32 {
        let (status, message) = match (self.failure, self.called) {
            (None, Some(Ok(()))) => {
                let warning = b"WARNING: source write-protected, mounted read-only";
                (0, self.was_forced_read_only.then(|| warning.to_vec()))
            }
            (Some(failure), None) => self.not_called(failure),
            (_, Some(Err(errno))) => self.refused(execution, errno).await,
            _ => Self::half_done(),
        };
        if let Some(message) = message {
            let subject = self.request.target.as_deref().or(self.request.source.as_deref()).unwrap_or(b"???");
            let hint: &[u8] = match self.called {
                Some(Err(_)) => b"\n       dmesg(1) may have more information after failed mount system call.",
                _ => b"",
            };
            warn(execution, [subject, b": ", &message, b".", hint].concat()).await;
        }
        status
    }

    fn source(&self) -> &[u8] {
        self.request.source.as_deref().unwrap_or(b"(null)")
    }

    /// For what mount(2) was not called.
    fn not_called(&self, failure: Failure) -> (i32, Message) {
        let text = |parts: &[&[u8]]| Some(parts.concat());
        let source = self.request.source.as_deref();
        match failure {
            Failure::NotInFstab if self.request.may_swap => (USAGE, text(&[b"can't find in ", FSTAB])),
            Failure::NotInFstab if self.request.target.is_some() => {
                (USAGE, text(&[b"can't find mount point in ", FSTAB]))
            }
            Failure::NotInFstab => {
                (USAGE, text(&[b"can't find mount source ", source.unwrap_or_default(), b" in ", FSTAB]))
            }
            Failure::NoType => (USAGE, text(&[b"no filesystem type specified"])),
            // libmount takes it for the error with the number 1.
            Failure::NoListOfTypes => (USAGE, text(&[b"mount failed: ", Errno::EPERM.description().as_bytes()])),
            Failure::NoSource if self.request.options.has(b"nofail") => (0, None),
            Failure::NoSource => (USAGE, text(&[b"can't find ", source.unwrap_or_default()])),
            Failure::BadOptions => {
                (USAGE, text(&[b"failed to parse mount options '", &self.request.options.effective_text(), b"'"]))
            }
            Failure::LoopDevice => (FAILED, text(&[b"failed to setup loop device for ", source.unwrap_or_default()])),
            Failure::Other(Errno::EPERM) => (USAGE, text(&[b"operation permitted for root only"])),
            Failure::Other(Errno::EBUSY) => (USAGE, text(&[self.source(), b" is already mounted"])),
            Failure::Other(errno) => {
                let status = if errno == Errno::EINVAL { USAGE } else { FAILED };
                (status, text(&[b"mount failed: ", errno.description().as_bytes()]))
            }
            Failure::FurtherFlags | Failure::Mount => (FAILED, None),
        }
    }

    /// For what went wrong after mount(2).
    fn half_done() -> (i32, Message) {
        // The number of libmount for a failure of this kind is no error number, but is shown as one.
        let message = "filesystem was mounted, but any subsequent operation failed: Unknown error 5005";
        (FAILED, Some(message.into()))
    }

    /// For an error of mount(2).
    async fn refused(&self, execution: &mut Execution, errno: Errno) -> (i32, Message) {
        let flags = self.flags();
        let target = file(execution, self.request.target.as_deref(), stat);
        let is_directory = target.is_ok_and(|file| file.file_type == FileType::Directory);
        let source = file(execution, self.request.source.as_deref(), stat);
        let is_optional = self.request.options.has(b"nofail");
        let message = match errno {
            Errno::EPERM if execution.process.geteuid() != Ok(0) => b"must be superuser to use mount".to_vec(),
            Errno::EPERM if is_directory => b"permission denied".to_vec(),
            Errno::EPERM => b"mount point is not a directory".to_vec(),
            Errno::EBUSY => self.busy(execution).await,
            Errno::ENOENT => {
                let Some(message) = self.missing(execution, source) else { return (0, None) };
                message
            }
            Errno::ENOTDIR if !is_directory => b"mount point is not a directory".to_vec(),
            Errno::ENOTDIR if source == Err(Errno::ENOTDIR) && self.request.source.is_some() => {
                if is_optional {
                    return (0, None);
                }
                let reason = b" does not exist (a path prefix is not a directory)";
                [b"special device ", self.source(), reason].concat()
            }
            Errno::EINVAL => self.invalid(execution).await,
            Errno::EMFILE => b"mount table full".to_vec(),
            Errno::EIO => [b"can't read superblock on ", self.source()].concat(),
            Errno::ENODEV => match &self.request.kind {
                Some(kind) => [b"unknown filesystem type '", &kind[..], b"'"].concat(),
                None => b"unknown filesystem type".to_vec(),
            },
            Errno::ENOTBLK | Errno::ENXIO | Errno::ENOMEDIUM if is_optional => return (0, None),
            Errno::ENOTBLK => self.no_block_device(source),
            Errno::ENXIO => [self.source(), b" is not a valid block device"].concat(),
            Errno::ENOMEDIUM => [b"no medium found on ", self.source()].concat(),
            Errno::EACCES | Errno::EROFS if flags.contains(MountFlags::MS_RDONLY) => {
                [b"cannot mount ", self.source(), b" read-only"].concat()
            }
            Errno::EACCES | Errno::EROFS if self.request.is_read_write_only => {
                [self.source(), b" is write-protected but explicit read-write mode requested"].concat()
            }
            Errno::EACCES | Errno::EROFS if flags.contains(MountFlags::MS_REMOUNT) => {
                [b"cannot remount ", self.source(), b" read-write, is write-protected"].concat()
            }
            Errno::EACCES | Errno::EROFS if flags.contains(MountFlags::MS_BIND) => {
                [b"bind ", self.source(), b" failed"].concat()
            }
            _ => call_failed(errno),
        };
        (FAILED, Some(message))
    }

    async fn busy(&self, execution: &mut Execution) -> Vec<u8> {
        if self.flags().contains(MountFlags::MS_REMOUNT) {
            return b"mount point is busy".to_vec();
        }
        match self.mounted_source(execution).await {
            Some((target, _)) => [self.source(), b" already mounted on ", &target].concat(),
            None => [self.source(), b" already mounted or mount point busy"].concat(),
        }
    }

    /// `None` if it does not matter that the source is missing.
    fn missing(&self, execution: &Execution, source: Result<Stat, Errno>) -> Option<Vec<u8>> {
        let target = self.request.target.as_deref();
        if target.is_some() && file(execution, target, lstat).is_err() {
            return Some(b"mount point does not exist".to_vec());
        }
        if target.is_some() && file(execution, target, stat).is_err() {
            return Some(b"mount point is a symbolic link to nowhere".to_vec());
        }
        if self.request.source.is_some() && source.is_err() {
            let is_optional = self.request.options.has(b"nofail");
            return (!is_optional).then(|| [b"special device ", self.source(), b" does not exist"].concat());
        }
        Some(call_failed(Errno::ENOENT))
    }

    async fn invalid(&self, execution: &mut Execution) -> Vec<u8> {
        let flags = self.flags();
        if flags.contains(MountFlags::MS_REMOUNT) {
            b"mount point not mounted or bad option".to_vec()
        } else if self.failure == Some(Failure::FurtherFlags) {
            b"not mount point or bad option".to_vec()
        } else if flags.contains(MountFlags::MS_MOVE) && self.is_source_below_shared(execution).await {
            b"bad option; moving a mount residing under a shared mount is unsupported".to_vec()
        } else if self.request.kind.as_deref().is_some_and(is_network) {
            b"bad option; for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper program"
                .to_vec()
        } else {
            let end = b", missing codepage or helper program, or other error";
            [b"wrong fs type, bad option, bad superblock on ", self.source(), end].concat()
        }
    }

    fn no_block_device(&self, source: Result<Stat, Errno>) -> Vec<u8> {
        let end: &[u8] = match source.map(|file| file.file_type) {
            Err(_) => b" is not a block device, and stat(2) fails?",
            Ok(FileType::BlockDevice) => {
                let start = b"the kernel does not recognize ";
                let end = b" as a block device; maybe \"modprobe driver\" is necessary";
                return [start, self.source(), end].concat();
            }
            Ok(FileType::Regular) => b" is not a block device; try \"-o loop\"",
            Ok(_) => b" is not a block device",
        };
        [self.source(), end].concat()
    }

    /// What was done, for those who want to know.
    pub(super) fn success(&self, name: &[u8]) -> Vec<u8> {
        let flags = self.flags();
        let (source, target) = (self.source(), self.request.target.as_deref().unwrap_or_default());
        let line = |parts: &[&[u8]]| [name, b": ", &parts.concat(), b".\n"].concat();
        if flags.contains(MountFlags::MS_MOVE) {
            return line(&[source, b" moved to ", target]);
        }
        if flags.contains(MountFlags::MS_BIND) {
            return line(&[source, b" bound on ", target]);
        }
        let mounted = line(&[source, b" mounted on ", target]);
        if !flags.intersects(crate::programs::util_linux::flags::PROPAGATION) {
            return mounted;
        }
        let changed = line(&[target, b" propagation flags changed"]);
        if source == b"none" { changed } else { [mounted, changed].concat() }
    }
}

fn call_failed(errno: Errno) -> Vec<u8> {
    [b"mount(2) system call failed: ", errno.description().as_bytes()].concat()
}

/// Looks at a file; a path that is not given is not there.
fn file(
    execution: &Execution,
    path: Option<&[u8]>,
    look: impl Fn(&cofferdam_vfs_sim::Process, &[u8]) -> Result<Stat, Errno>,
) -> Result<Stat, Errno> {
    look(&execution.process, path.unwrap_or_default())
}

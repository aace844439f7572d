//! umount(8) of util-linux 2.38.1.

use cofferdam::UnixPath;
use cofferdam::kernel::{Errno, Fd, FileType, Kernel as _, MountFlags, OpenFlags, OpenHow, UmountFlags};

use super::util_linux::accounts;
use super::util_linux::path::{real_path, stat};
use super::util_linux::table::{Direction, Mount, MountTable, OWN_TABLE, is_known_magic, type_matches};
use super::util_linux::{Usage, enter_mount_namespace, warn, warn_errno};
use crate::execution::Execution;
use crate::getopt::{Order, Parsed, Takes, option};

/// Exit statuses (umount(8)).
const MISTAKE: i32 = 1;
const SOFTWARE_ERROR: i32 = 4;
const FAILED: i32 = 32;

/// What `--all` leaves mounted.
const NOT_ALL: &[u8] = b"noproc,nodevfs,nodevpts,nosysfs,norpc_pipefs,nonfsd,noselinuxfs";

const USAGE: Usage = Usage {
    options: &[
        option("all", 'a', "all", Takes::Nothing),
        option("all-targets", 'A', "all-targets", Takes::Nothing),
        option("detach-loop", 'd', "detach-loop", Takes::Nothing),
        option("fake", '\0', "fake", Takes::Nothing),
        option("force", 'f', "force", Takes::Nothing),
        option("help", 'h', "help", Takes::Nothing),
        option("internal-only", 'i', "internal-only", Takes::Nothing),
        option("lazy", 'l', "lazy", Takes::Nothing),
        option("no-canonicalize", 'c', "no-canonicalize", Takes::Nothing),
        option("no-mtab", 'n', "no-mtab", Takes::Nothing),
        option("quiet", 'q', "quiet", Takes::Nothing),
        option("read-only", 'r', "read-only", Takes::Nothing),
        option("recursive", 'R', "recursive", Takes::Nothing),
        option("test-opts", 'O', "test-opts", Takes::Argument),
        option("types", 't', "types", Takes::Argument),
        option("verbose", 'v', "verbose", Takes::Nothing),
        option("version", 'V', "version", Takes::Nothing),
        option("namespace", 'N', "namespace", Takes::Argument),
    ],
    order: Order::Permute,
    exclusive: &[
        &["all-targets", "all"],
        &["recursive", "all"],
        &["test-opts", "recursive", "types"],
        &["recursive", "read-only"],
    ],
    refused: &["test-opts"],
    mistake: MISTAKE,
    synopsis: &["[-hV]", "-a [options]", "[options] <source> | <directory>"],
};

/// umount(8)
pub(super) async fn umount(execution: &mut Execution) -> i32 {
    let parsed = match USAGE.take(execution).await {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    for (_, namespace) in parsed.options.iter().filter(|(id, _)| *id == "namespace") {
        if let Err(status) = enter_mount_namespace(execution, namespace.as_deref().unwrap_or_default()).await {
            return status;
        }
    }
    let settings = Settings::new(execution, &parsed);
    if parsed.has("all") {
        if !parsed.operands.is_empty() {
            return USAGE.refuse(execution, "unexpected number of arguments").await;
        }
        return settings.unmount_all(execution, parsed.value("types").unwrap_or(NOT_ALL)).await;
    }
    if parsed.operands.is_empty() {
        return USAGE.bad_usage(execution).await;
    }
    let (is_recursive, all_targets) = (parsed.has("recursive"), parsed.has("all-targets"));
    let mut total: i32 = 0;
    for operand in &parsed.operands {
        let status = if all_targets {
            settings.unmount_all_targets(execution, operand, is_recursive).await
        } else if is_recursive {
            settings.unmount_recursively(execution, operand).await
        } else if settings.is_restricted {
            match path_for_users(execution, operand) {
                Ok(path) => settings.unmount_one(execution, &path).await,
                Err(errno) => {
                    warn_errno(execution, operand, errno).await;
                    return MISTAKE;
                }
            }
        } else {
            settings.unmount_one(execution, operand).await
        };
        total = total.saturating_add(status);
    }
    total.min(255)
}

/// A path as a user can resolve it who has given up all special powers, which can't be done as a user without a number.
fn path_for_users(execution: &Execution, path: &[u8]) -> Result<Vec<u8>, Errno> {
    let (uid, gid) = accounts::own(execution);
    execution.process.setresgid(gid, gid, gid)?;
    execution.process.setresuid(uid, uid, uid)?;
    real_path(&execution.process, path)
}

/// What the options say.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "so many options")]
struct Settings {
    is_lazy: bool,
    is_forced: bool,
    is_fake: bool,
    is_verbose: bool,
    is_quiet: bool,
    /// Whether a busy filesystem is made read-only instead.
    makes_read_only: bool,
    keeps_paths: bool,
    detaches_loop: bool,
    /// Whether the caller is not root, and asked for nothing for which that matters at once.
    is_restricted: bool,
}

/// What is unmounted.
struct Subject {
    target: Vec<u8>,
    source: Option<Vec<u8>>,
    /// Whether it was found in the mount table.
    is_in_table: bool,
}

/// How it went.
enum Outcome {
    Done,
    /// umount(2) failed.
    Refused(Errno),
    /// It was not called.
    NotCalled(Errno),
    /// The caller may not do that, as nothing is mounted there.
    NotMounted,
}

impl Settings {
    fn new(execution: &Execution, parsed: &Parsed) -> Self {
        const HARMLESS: [&str; 7] = ["help", "detach-loop", "internal-only", "lazy", "quiet", "version", "verbose"];
        let is_root = execution.process.geteuid() == Ok(0);
        Self {
            is_lazy: parsed.has("lazy"),
            is_forced: parsed.has("force"),
            is_fake: parsed.has("fake"),
            is_verbose: parsed.has("verbose"),
            is_quiet: parsed.has("quiet"),
            makes_read_only: parsed.has("read-only"),
            keeps_paths: parsed.has("no-canonicalize"),
            detaches_loop: parsed.has("detach-loop"),
            is_restricted: !is_root && parsed.options.iter().all(|(id, _)| HARMLESS.contains(id)),
        }
    }

    async fn unmount_one(self, execution: &mut Execution, name: &[u8]) -> i32 {
        let subject = match self.find(execution, name, true).await {
            Ok(subject) => subject,
            Err(errno) => {
                let subject = Subject { target: name.to_vec(), source: None, is_in_table: false };
                return self.report(execution, &subject, &Outcome::NotCalled(errno)).await;
            }
        };
        self.unmount(execution, &subject).await
    }

    async fn unmount(self, execution: &mut Execution, subject: &Subject) -> i32 {
        let outcome = self.call(execution, subject);
        let status = self.report(execution, subject, &outcome).await;
        if status == 0 && self.is_verbose {
            let source = subject.source.as_ref().map(|source| [b" (", &source[..], b")"].concat());
            let text = [&subject.target, &source.unwrap_or_default(), &b" unmounted"[..]].concat();
            warn(execution, text).await;
        }
        status
    }

    /// What a name stands for (`lookup_umount_fs()`): the mount table is not read if the name says enough.
    async fn find(self, execution: &mut Execution, name: &[u8], may_be_source: bool) -> Result<Subject, Errno> {
        let as_named = || Subject { target: name.to_vec(), source: None, is_in_table: false };
        if self.is_enough(execution, name) {
            return Ok(as_named());
        }
        let found = Self::look_up(execution, name, may_be_source).await?;
        Ok(found.map_or_else(as_named, |mount| Subject {
            target: mount.target,
            source: Some(mount.source),
            is_in_table: true,
        }))
    }

    /// Whether a name is that of a directory on a filesystem of a type that can be told.
    fn is_enough(self, execution: &Execution, name: &[u8]) -> bool {
        let process = &execution.process;
        let needs_more = self.is_restricted || self.is_forced || self.is_lazy || self.keeps_paths || self.detaches_loop;
        let is_directory = || stat(process, name).is_ok_and(|file| file.file_type == FileType::Directory);
        if needs_more || !name.starts_with(b"/") || !is_directory() {
            return false;
        }
        let how = OpenHow { flags: OpenFlags::O_PATH, ..OpenHow::default() };
        let Ok(fd) = process.openat2(Fd::CWD, UnixPath::new(name), how) else { return false };
        let filesystem = process.fstatfs(fd);
        let _ = process.close(fd);
        filesystem.is_ok_and(|filesystem| is_known_magic(filesystem.magic))
    }

    /// Finds a mount point, or a source, in the table (`mnt_context_find_umount_fs()`).
    async fn look_up(execution: &mut Execution, name: &[u8], may_be_source: bool) -> Result<Option<Mount>, Errno> {
        if name.is_empty() {
            return Ok(None);
        }
        let table = MountTable::read(execution, OWN_TABLE).await?;
        let process = &execution.process;
        if let Some(mount) = table.find_target(process, name, Direction::Backward) {
            return Ok(Some(mount.clone()));
        }
        let Some(mount) = table.find_source(process, name, Direction::Backward).filter(|_| may_be_source) else {
            return Ok(None);
        };
        // What is mounted over it on the same directory would be unmounted instead.
        match table.find_target(process, &mount.target, Direction::Backward) {
            Some(top) if top.id == mount.id => Ok(Some(mount.clone())),
            _ => Err(Errno::EINVAL),
        }
    }

    fn call(self, execution: &Execution, subject: &Subject) -> Outcome {
        if self.is_restricted && !subject.is_in_table {
            return Outcome::NotMounted;
        }
        if self.is_fake {
            return Outcome::Done;
        }
        let mut flags = UmountFlags::empty();
        flags.set(UmountFlags::MNT_DETACH, self.is_lazy);
        flags.set(UmountFlags::MNT_FORCE, self.is_forced);
        let target = UnixPath::new(&subject.target);
        let done = execution.process.umount2(target, flags);
        let done = match (done, &subject.source) {
            (Err(Errno::EBUSY), Some(source)) if self.makes_read_only => {
                let flags = MountFlags::MS_REMOUNT | MountFlags::MS_RDONLY;
                execution.process.mount(Some(UnixPath::new(source)), target, None, flags, None)
            }
            (done, _) => done,
        };
        match done {
            Ok(()) => Outcome::Done,
            Err(errno) => Outcome::Refused(errno),
        }
    }

    /// Says what went wrong, if something did, and comes to the exit status.
    async fn report(self, execution: &mut Execution, subject: &Subject, outcome: &Outcome) -> i32 {
        let (status, text) = match outcome {
            Outcome::Done => return 0,
            Outcome::Refused(Errno::EINVAL) if self.is_quiet => return FAILED,
            Outcome::Refused(errno) => (FAILED, message(*errno)),
            Outcome::NotMounted => (MISTAKE, "not mounted".into()),
            Outcome::NotCalled(errno) => (general_status(*errno), format!("umount failed: {}", errno.description())),
        };
        warn(execution, [&subject.target, &b": "[..], text.as_bytes(), b"."].concat()).await;
        status
    }

    async fn unmount_all(self, execution: &mut Execution, types: &[u8]) -> i32 {
        let Ok(table) = MountTable::read(execution, OWN_TABLE).await else { return 0 };
        let mut status = 0;
        for mount in table.mounts.iter().rev() {
            let name = String::from_utf8_lossy(&mount.target).into_owned();
            if !type_matches(&mount.kind, types) {
                if self.is_verbose {
                    execution.print(format!("{name:<25}: ignored\n"));
                }
                continue;
            }
            let source = Some(mount.source.clone());
            let subject = Subject { target: mount.target.clone(), source, is_in_table: true };
            let outcome = self.call(execution, &subject);
            let one = self.report(execution, &subject, &outcome).await;
            if one == 0 && self.is_verbose {
                execution.print(format!("{name:<25}: successfully unmounted\n"));
            }
            status |= one;
        }
        status
    }

    async fn unmount_recursively(self, execution: &mut Execution, name: &[u8]) -> i32 {
        let Some(table) = read_table(execution).await else { return SOFTWARE_ERROR };
        let Some(mount) = table.find_target(&execution.process, name, Direction::Backward).cloned() else {
            return self.not_found(execution, name).await;
        };
        self.unmount_tree(execution, &table, &mount).await
    }

    /// Unmounts all that is mounted from the filesystem that is mounted here.
    async fn unmount_all_targets(self, execution: &mut Execution, name: &[u8], is_recursive: bool) -> i32 {
        let mount = match Self::look_up(execution, name, true).await {
            Ok(Some(mount)) => mount,
            Ok(None) => return self.not_found(execution, name).await,
            Err(errno) => return look_up_failed(execution, errno).await,
        };
        let Some(table) = read_table(execution).await else { return SOFTWARE_ERROR };
        for other in table.mounts.iter().rev().filter(|other| other.device == mount.device) {
            let status = if is_recursive {
                self.unmount_tree(execution, &table, other).await
            } else {
                self.unmount_if_mounted(execution, &other.target).await
            };
            if status != 0 {
                return status;
            }
        }
        0
    }

    /// Unmounts what is on a mount, and then the mount (`umount_do_recurse()`).
    async fn unmount_tree(self, execution: &mut Execution, table: &MountTable, top: &Mount) -> i32 {
        for mount in table.children_first(top) {
            let status = self.unmount_if_mounted(execution, &mount.target).await;
            if status != 0 {
                return status;
            }
        }
        0
    }

    async fn unmount_if_mounted(self, execution: &mut Execution, target: &[u8]) -> i32 {
        match Self::look_up(execution, target, false).await {
            Ok(Some(mount)) => match self.find(execution, &mount.target, false).await {
                Ok(subject) => self.unmount(execution, &subject).await,
                Err(_) => SOFTWARE_ERROR,
            },
            // It is gone with another one already.
            Ok(None) => 0,
            Err(errno) => look_up_failed(execution, errno).await,
        }
    }

    async fn not_found(self, execution: &mut Execution, name: &[u8]) -> i32 {
        if !self.is_quiet {
            let is_there = stat(&execution.process, name).is_ok();
            let text: &[u8] = if is_there { b": not mounted" } else { b": not found" };
            warn(execution, [name, text].concat()).await;
        }
        MISTAKE
    }
}

/// The exit status for an error of which nothing else is known.
fn general_status(errno: Errno) -> i32 {
    if matches!(errno, Errno::EINVAL | Errno::EPERM) { MISTAKE } else { FAILED }
}

/// The mount table can't be read, or what is looked for is not to be had: it is not said then what that was.
async fn look_up_failed(execution: &mut Execution, errno: Errno) -> i32 {
    warn(execution, format!("???: operation failed: {}.", errno.description())).await;
    general_status(errno)
}

async fn read_table(execution: &mut Execution) -> Option<MountTable> {
    match MountTable::read(execution, OWN_TABLE).await {
        Ok(table) => Some(table),
        Err(errno) => {
            warn_errno(execution, [b"failed to parse ", OWN_TABLE].concat(), errno).await;
            None
        }
    }
}

fn message(errno: Errno) -> String {
    match errno {
        Errno::ENXIO => "invalid block device".into(),
        Errno::EINVAL => "not mounted".into(),
        Errno::EIO => "can't write superblock".into(),
        Errno::EBUSY => "target is busy".into(),
        Errno::ENOENT => "no mount point specified".into(),
        Errno::EPERM => "must be superuser to unmount".into(),
        Errno::EACCES => "block devices are not permitted on filesystem".into(),
        _ => format!("umount(2) system call failed: {}", errno.description()),
    }
}

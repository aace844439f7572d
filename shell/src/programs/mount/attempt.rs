//! One mount: from what was asked for to the calls of mount(2), as libmount does it.

use std::rc::Rc;

use cofferdam::UnixPath;
use cofferdam::kernel::{Errno, FileType, Kernel as _, Mode, MountFlags};

use super::fstab;
use super::options::{Calls, Options};
use crate::execution::Execution;
use crate::programs::util_linux::accounts;
use crate::programs::util_linux::path::{canonical, stat};
use crate::programs::util_linux::table::{Direction, MountTable, OWN_TABLE, has_device, is_network, is_pseudo, is_tag};

/// What is asked for.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub(super) struct Request {
    pub(super) source: Option<Vec<u8>>,
    pub(super) target: Option<Vec<u8>>,
    pub(super) kind: Option<Vec<u8>>,
    /// A list of types to try.
    pub(super) pattern: Option<Vec<u8>>,
    pub(super) options: Options,
    /// Flags for which there is no option: `MS_MOVE`.
    pub(super) extra: MountFlags,
    /// Whether what is missing is looked up in fstab, or in the mount table.
    pub(super) uses_tables: bool,
    /// Whether source and target may have been mixed up.
    pub(super) may_swap: bool,
    pub(super) is_fake: bool,
    pub(super) keeps_paths: bool,
    /// Whether a mount for writing was insisted on.
    pub(super) is_read_write_only: bool,
    pub(super) target_prefix: Option<Vec<u8>>,
    /// What is in the file that is used for fstab.
    pub(super) fstab: Option<Rc<Vec<fstab::Line>>>,
}

/// What went wrong before mount(2) was called, or besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    NotInFstab,
    NoType,
    /// It can't be found out which types the kernel knows.
    NoListOfTypes,
    NoSource,
    BadOptions,
    LoopDevice,
    /// A call of mount(2) after the first one.
    FurtherFlags,
    /// mount(2) failed; how, is in [`Attempt::called`].
    Mount,
    Other(Errno),
}

/// How it went.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// What is asked for, completed.
    pub(super) request: Request,
    pub(super) calls: Calls,
    /// What mount(2) came to, if it was called.
    pub(super) called: Option<Result<(), Errno>>,
    pub(super) failure: Option<Failure>,
    /// Whether it was mounted read-only because it could not be written.
    pub(super) was_forced_read_only: bool,
}

impl Attempt {
    /// Does it.
    pub(super) async fn make(execution: &mut Execution, request: Request) -> Self {
        let calls = Calls { flags: MountFlags::empty(), more: Vec::new() };
        let mut attempt = Self { request, calls, called: None, failure: None, was_forced_read_only: false };
        let done = match attempt.prepare(execution).await {
            Ok(()) => attempt.mount(execution).await,
            Err(failure) => Err(failure),
        };
        attempt.failure = done.err();
        if attempt.should_try_read_only(execution).await {
            attempt.calls.flags = attempt.calls.all() | MountFlags::MS_RDONLY;
            attempt.was_forced_read_only = true;
            attempt.called = None;
            attempt.failure = attempt.mount(execution).await.err();
        }
        attempt
    }

    /// The flags of all calls.
    pub(super) fn flags(&self) -> MountFlags {
        self.calls.all()
    }

    /// Whether nothing but the kind of propagation is changed.
    fn is_propagation_only(&self) -> bool {
        let is_none = |text: &Option<Vec<u8>>| text.as_deref().is_none_or(|text| text == b"none");
        !self.calls.more.is_empty()
            && (self.calls.flags - MountFlags::MS_SILENT).is_empty()
            && is_none(&self.request.kind)
            && is_none(&self.request.source)
    }

    async fn prepare(&mut self, execution: &mut Execution) -> Result<(), Failure> {
        fstab::complete(execution, &mut self.request).await?;
        self.calls = Calls::of(&self.request.options, self.request.extra);
        self.resolve_accounts(execution).await;
        self.prepare_source(execution)?;
        self.guess_type(execution);
        self.prepare_target(execution)
    }

    /// `uid=NAME` and `gid=NAME` become numbers, if there is such a name; `useruid` and `usergid` are those of the caller.
    async fn resolve_accounts(&mut self, execution: &mut Execution) {
        if self.request.options.accounts().next().is_none() {
            return;
        }
        let (users, groups) = (accounts::users(execution).await, accounts::groups(execution).await);
        let own = accounts::own(execution);
        for (is_group, value) in self.request.options.accounts() {
            let id = match (is_group, &value[..]) {
                (false, b"useruid") => Some(own.0),
                (true, b"usergid") => Some(own.1),
                (false, name) => users.iter().find(|user| user.name == name).map(|user| user.uid),
                (true, name) => groups.iter().find(|group| group.name == name).map(|group| group.gid),
            };
            if let Some(id) = id {
                *value = id.to_string().into_bytes();
            }
        }
    }

    fn prepare_source(&mut self, execution: &Execution) -> Result<(), Failure> {
        let Some(source) = self.request.source.clone() else {
            if self.is_propagation_only() {
                self.request.source = Some(b"none".to_vec());
            }
            return Ok(());
        };
        let kind = self.request.kind.clone().unwrap_or_default();
        if is_network(&kind) || kind == b"zfs" {
            return Ok(());
        }
        if is_tag(&source) {
            return Err(Failure::NoSource);
        }
        if !self.request.keeps_paths && !is_pseudo(&kind) && !source.is_empty() {
            self.request.source = Some(canonical(&execution.process, &source));
        }
        let is_no_new_filesystem = MountFlags::MS_BIND | MountFlags::MS_MOVE | MountFlags::MS_REMOUNT;
        if self.calls.flags.intersects(is_no_new_filesystem) || is_pseudo(&kind) || self.is_propagation_only() {
            return Ok(());
        }
        // There are no loop devices.
        if self.wants_loop_device(execution) { Err(Failure::LoopDevice) } else { Ok(()) }
    }

    fn wants_loop_device(&self, execution: &Execution) -> bool {
        const SMALLEST: u64 = 1024;
        let options = &self.request.options;
        if [&b"loop"[..], b"offset", b"sizelimit"].iter().any(|name| options.has(name)) {
            return true;
        }
        let is_on_device = self.request.kind.as_ref().is_none_or(|kind| has_device(kind));
        let file = self.request.source.as_ref().and_then(|source| stat(&execution.process, source).ok());
        is_on_device && file.is_some_and(|file| file.file_type == FileType::Regular && file.size > SMALLEST)
    }

    fn guess_type(&mut self, execution: &Execution) {
        let flags = self.calls.flags;
        if flags.intersects(MountFlags::MS_BIND | MountFlags::MS_MOVE) || self.is_propagation_only() {
            self.request.kind = Some(b"none".to_vec());
            return;
        }
        if self.request.kind.as_deref() == Some(b"auto") {
            self.request.kind = None;
        }
        if self.request.kind.is_none() && flags.contains(MountFlags::MS_REMOUNT) {
            self.request.kind = Some(b"none".to_vec());
        }
        // What is on a device can't be told, as there is no device; but what has a name as on a network is none.
        let Some(source) = &self.request.source else { return };
        if self.request.kind.is_some() || self.request.pattern.is_some() || stat(&execution.process, source).is_ok() {
            return;
        }
        if source.contains(&b':') {
            self.request.kind = Some(b"nfs".to_vec());
        } else if source.starts_with(b"//") {
            self.request.kind = Some(b"cifs".to_vec());
        }
    }

    fn prepare_target(&mut self, execution: &Execution) -> Result<(), Failure> {
        let Some(mut target) = self.request.target.clone() else { return Ok(()) };
        if let Some(prefix) = &self.request.target_prefix {
            let below = target.strip_prefix(b"/").unwrap_or(&target);
            target = if below.is_empty() { prefix.clone() } else { [prefix, &b"/"[..], below].concat() };
            self.request.target = Some(target.clone());
        }
        self.make_target(execution, &target)?;
        if !self.request.keeps_paths && !target.is_empty() {
            self.request.target = Some(canonical(&execution.process, &target));
        }
        Ok(())
    }

    /// Makes the mount point, if option `X-mount.mkdir` says so.
    fn make_target(&self, execution: &Execution, target: &[u8]) -> Result<(), Failure> {
        let options = &self.request.options;
        let Some(mode) = options.value(b"X-mount.mkdir").or_else(|| options.value(b"x-mount.mkdir")) else {
            return Ok(());
        };
        if stat(&execution.process, target).is_ok() {
            return Ok(());
        }
        let mode = mode.strip_prefix(b"\"").and_then(|mode| mode.strip_suffix(b"\"")).unwrap_or(mode);
        let mode = match std::str::from_utf8(mode) {
            Ok("") => 0o755,
            Ok(text) => u32::from_str_radix(text, 8).map_err(|_| Failure::BadOptions)?,
            Err(_) => return Err(Failure::BadOptions),
        };
        let mode = if mode == 0 { 0o755 } else { mode };
        // libmount takes every error for this one.
        make_directories(execution, target, mode).map_err(|_| Failure::Other(Errno::EPERM))
    }

    async fn mount(&mut self, execution: &mut Execution) -> Result<(), Failure> {
        let kinds = match (&self.request.kind, &self.request.pattern) {
            (Some(kind), _) if kind.contains(&b',') => list(kind),
            (Some(_), _) => return self.mount_as(execution, None),
            (None, Some(pattern)) if !pattern.starts_with(b"no") => list(pattern),
            (None, pattern) => {
                let known = fstab::known_types(execution, pattern.as_deref()).await;
                let known = known.ok_or(Failure::NoListOfTypes)?;
                if known.is_empty() {
                    return Err(Failure::NoType);
                }
                return self.mount_as_any(execution, &known, |errno| !matches!(errno, Errno::EINVAL | Errno::ENODEV));
            }
        };
        self.mount_as_any(execution, &kinds, |_| false)
    }

    /// Tries types, until one fits or an error has nothing to do with the type.
    fn mount_as_any(
        &mut self,
        execution: &Execution,
        kinds: &[Vec<u8>],
        is_final: impl Fn(Errno) -> bool,
    ) -> Result<(), Failure> {
        let mut result = Err(Failure::Other(Errno::EINVAL));
        for kind in kinds {
            result = self.mount_as(execution, Some(kind));
            match self.called {
                Some(Ok(())) => break,
                Some(Err(errno)) if is_final(errno) => break,
                _ => {}
            }
        }
        result
    }

    /// The calls of mount(2); a type that is only tried is tried in silence.
    fn mount_as(&mut self, execution: &Execution, tried: Option<&[u8]>) -> Result<(), Failure> {
        let Some(target) = &self.request.target else { return Err(Failure::Other(Errno::EINVAL)) };
        if self.request.is_fake {
            self.called = Some(Ok(()));
            return Ok(());
        }
        let process = &execution.process;
        let target = UnixPath::new(target);
        let silent = if tried.is_some() { MountFlags::MS_SILENT } else { MountFlags::empty() };
        let flags = self.calls.flags | silent;
        let further = || {
            let none = Some(UnixPath::new("none"));
            let silent = flags & MountFlags::MS_SILENT;
            self.calls.more.iter().try_for_each(|more| process.mount(none, target, None, *more | silent, None))
        };
        if self.is_propagation_only() {
            let done = further();
            self.called = Some(done);
            return done.map_err(|_| Failure::FurtherFlags);
        }
        let source = self.request.source.as_deref().unwrap_or(b"none");
        let kind = tried.or(self.request.kind.as_deref());
        let data = self.request.options.filesystem_data();
        let done = process.mount(Some(UnixPath::new(source)), target, kind, flags, data.as_deref());
        let further = if done.is_ok() { further() } else { Ok(()) };
        self.called = Some(done);
        done.map_err(|_| Failure::Mount)?;
        further.map_err(|_| Failure::FurtherFlags)
    }

    /// Whether the reason may be that the source can't be written.
    async fn should_try_read_only(&self, execution: &mut Execution) -> bool {
        let is_about_writing = match self.called {
            Some(Err(Errno::EROFS | Errno::EACCES)) => true,
            Some(Err(Errno::EBUSY)) => {
                let mounted = self.mounted_source(execution).await;
                mounted.is_some_and(|(_, options)| options.split(|byte| *byte == b',').any(|option| option == b"ro"))
            }
            _ => false,
        };
        let unfit = MountFlags::MS_RDONLY | MountFlags::MS_REMOUNT | MountFlags::MS_BIND;
        is_about_writing && !self.flags().intersects(unfit) && !self.request.is_read_write_only
    }

    /// Where the source is mounted already, with the options of its filesystem.
    pub(super) async fn mounted_source(&self, execution: &mut Execution) -> Option<(Vec<u8>, Vec<u8>)> {
        let source = self.request.source.clone()?;
        let table = MountTable::read(execution, OWN_TABLE).await.ok()?;
        let mounted = table.mounts.iter().find(|mount| mount.has_source(&source))?;
        Some((mounted.target.clone(), mounted.fs_options.clone()))
    }

    /// Whether the source, a mount that is to be moved, is on a shared one.
    pub(super) async fn is_source_below_shared(&self, execution: &mut Execution) -> bool {
        let Some(source) = &self.request.source else { return false };
        let Some(slash) = source.iter().rposition(|byte| *byte == b'/') else { return false };
        let parent = source.get(..slash.max(1)).unwrap_or_default().to_vec();
        let Ok(table) = MountTable::read(execution, OWN_TABLE).await else { return false };
        let mount = table.find_mountpoint(&execution.process, &parent, Direction::Backward);
        mount.is_some_and(crate::programs::util_linux::table::Mount::is_shared)
    }
}

fn list(types: &[u8]) -> Vec<Vec<u8>> {
    types.split(|byte| *byte == b',').map(<[u8]>::to_vec).collect()
}

/// Makes a directory and those above it.
fn make_directories(execution: &Execution, path: &[u8], mode: u32) -> Result<(), Errno> {
    let ends = path.iter().enumerate().filter(|(index, byte)| **byte == b'/' && *index > 0).map(|(index, _)| index);
    for end in ends.chain([path.len()]) {
        let directory = UnixPath::new(path.get(..end).unwrap_or_default());
        match execution.process.mkdirat(cofferdam::kernel::Fd::CWD, directory, Mode(mode)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

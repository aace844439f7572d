//! Copying files and trees, as cp(1) does it, and mv(1) to another filesystem.

use std::collections::HashMap;

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, DeviceNumber, Errno, Fd, FileType, Kernel as _, Mode, NodeMode, Stat};

use super::files::is_same_file;
use super::paths::join;
use super::quote::quoted_always;
use crate::execution::Execution;

/// Which symbolic links are followed in what is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dereference {
    Never,
    /// Those that are operands (`-H`).
    Operands,
    Always,
}

/// How to copy.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "they are the program's options")]
pub(crate) struct CopyOptions {
    pub(crate) dereference: Dereference,
    /// Directories with what is in them, and special files as such (`-r`).
    pub(crate) is_recursive: bool,
    pub(crate) preserves_mode: bool,
    pub(crate) preserves_ownership: bool,
    /// Files that are linked to each other stay so.
    pub(crate) preserves_links: bool,
    /// A destination that can't be opened is removed (`-f`).
    pub(crate) is_forced: bool,
    /// A destination that exists stays as it is (`-n`).
    pub(crate) keeps_existing: bool,
    /// A destination is removed before it is opened (`--remove-destination`).
    pub(crate) removes_first: bool,
    pub(crate) stays_on_filesystem: bool,
    pub(crate) is_verbose: bool,
    /// Whether it is mv(1) that copies.
    pub(crate) is_move: bool,
}

type FileId = (DeviceNumber, u64);

fn id(stat: &Stat) -> FileId {
    (stat.device, stat.inode)
}

/// Copies what the operands of one command name.
pub(crate) struct Copier {
    pub(super) options: CopyOptions,
    /// What was copied where, for hard links.
    copied: HashMap<FileId, Vec<u8>>,
    /// What this command has made for its operands: it is not written over again.
    made: HashMap<FileId, Vec<u8>>,
    /// The operands that were copied.
    seen: Vec<(FileId, Vec<u8>)>,
    /// The operand and its destination, for messages.
    operand: (Vec<u8>, Vec<u8>),
    /// The directory that was made for the operand: it must not be copied into itself.
    made_directory: Option<FileId>,
    umask: u32,
}

/// Where in a tree a file is.
#[derive(Clone)]
struct Position {
    is_operand: bool,
    /// The device of the directory that it is in.
    device: Option<DeviceNumber>,
    ancestors: Vec<FileId>,
}

impl Copier {
    pub(crate) fn new(execution: &Execution, options: CopyOptions) -> Self {
        Self {
            options,
            copied: HashMap::new(),
            made: HashMap::new(),
            seen: Vec::new(),
            operand: Default::default(),
            made_directory: None,
            umask: execution.umask(),
        }
    }

    /// Copies an operand. False if it failed, which was reported.
    pub(crate) async fn copy_operand(&mut self, execution: &mut Execution, source: &[u8], target: &[u8]) -> bool {
        self.operand = (source.to_vec(), target.to_vec());
        self.made_directory = None;
        let position = Position { is_operand: true, device: None, ancestors: Vec::new() };
        self.copy(execution, source, target, position).await
    }

    async fn copy(&mut self, execution: &mut Execution, source: &[u8], target: &[u8], position: Position) -> bool {
        let follows = match self.options.dereference {
            Dereference::Never => false,
            Dereference::Operands => position.is_operand,
            Dereference::Always => true,
        };
        let stat = match if follows { execution.stat(source) } else { execution.lstat(source) } {
            Ok(stat) => stat,
            Err(errno) => return fail(execution, "cannot stat", source, errno),
        };
        let is_directory = stat.file_type == FileType::Directory;
        if is_directory && !self.options.is_recursive {
            let text = [b"-r not specified; omitting directory ", &quoted_always(source)[..]].concat();
            execution.report(text);
            return false;
        }
        if position.is_operand && !is_directory && !self.options.is_move {
            let operand = (id(&stat), source.to_vec());
            if self.seen.contains(&operand) {
                let text = [b"warning: source file ", &quoted_always(source)[..], b" specified more than once"];
                execution.report(text.concat());
                return true;
            }
            self.seen.push(operand);
        }
        let existing = match self.existing_target(execution, source, target, &stat, &position) {
            Ok(existing) => existing,
            Err(is_done) => return is_done,
        };
        if self.options.is_verbose && !is_directory {
            self.say(execution, source, target);
        }
        if let Some(is_done) = self.link_to_copy(execution, target, &stat) {
            return is_done;
        }
        let has_copied = match stat.file_type {
            FileType::Directory => {
                return self.copy_directory(execution, source, target, &stat, existing, position).await;
            }
            FileType::Symlink => copy_link(execution, source, target),
            FileType::Regular => self.copy_content(execution, source, target, &stat, existing).await,
            _ if !self.options.is_recursive => self.copy_content(execution, source, target, &stat, existing).await,
            _ => copy_node(execution, target, &stat),
        };
        has_copied && self.finish(execution, target, &stat, existing)
    }

    fn say(&self, execution: &mut Execution, source: &[u8], target: &[u8]) {
        let copied: &[u8] = if self.options.is_move { b"copied " } else { b"" };
        execution.print([copied, &quoted_always(source), b" -> ", &quoted_always(target), b"\n"].concat());
    }

    /// What is there already, after what has to go has been removed. The error is whether nothing is left to do.
    fn existing_target(
        &self,
        execution: &mut Execution,
        source: &[u8],
        target: &[u8],
        stat: &Stat,
        position: &Position,
    ) -> Result<Option<Stat>, bool> {
        let is_content = stat.file_type == FileType::Regular
            || !self.options.is_recursive && !matches!(stat.file_type, FileType::Directory | FileType::Symlink);
        let follows = is_content && !self.options.is_move && !self.options.removes_first;
        let existing = match if follows { execution.stat(target) } else { execution.lstat(target) } {
            Ok(existing) => existing,
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ELOOP) if self.options.is_forced => return Ok(None),
            Err(errno) => return Err(fail(execution, "cannot stat", target, errno)),
        };
        let (from, to) = (quoted_always(source), quoted_always(target));
        let source_is_directory = stat.file_type == FileType::Directory;
        let target_is_directory = existing.file_type == FileType::Directory;
        if is_same_file(stat, &existing) && !(source_is_directory && self.options.is_recursive) {
            if self.options.keeps_existing {
                return Err(true);
            }
            execution.report([&from[..], b" and ", &to, b" are the same file"].concat());
            return Err(false);
        }
        if self.options.keeps_existing && !source_is_directory {
            return Err(true);
        }
        if source_is_directory && !target_is_directory {
            execution.report([b"cannot overwrite non-directory ", &to[..], b" with directory ", &from].concat());
            return Err(false);
        }
        if !source_is_directory && target_is_directory {
            execution.report([b"cannot overwrite directory ", &to[..], b" with non-directory"].concat());
            return Err(false);
        }
        if position.is_operand
            && !source_is_directory
            && self.made.get(&id(&existing)).is_some_and(|made| made == target)
        {
            execution.report([b"will not overwrite just-created ", &to[..], b" with ", &from].concat());
            return Err(false);
        }
        let breaks_links = self.options.preserves_links && existing.links > 1;
        let replaces_node = self.options.dereference == Dereference::Never && stat.file_type != FileType::Regular;
        if target_is_directory || !(self.options.removes_first || breaks_links || replaces_node) {
            return Ok(Some(existing));
        }
        match execution.process.unlinkat(Fd::CWD, UnixPath::new(target), AtFlags::empty()) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(fail(execution, "cannot remove", target, errno)),
        }
        if self.options.is_verbose {
            execution.print([b"removed ", &to[..], b"\n"].concat());
        }
        Ok(None)
    }

    /// Links to the copy of a file that is linked to this one, if there is one.
    fn link_to_copy(&mut self, execution: &mut Execution, target: &[u8], stat: &Stat) -> Option<bool> {
        if stat.file_type == FileType::Directory || !self.options.preserves_links || stat.links < 2 {
            return None;
        }
        let Some(copy) = self.copied.get(&id(stat)).cloned() else {
            self.copied.insert(id(stat), target.to_vec());
            return None;
        };
        let link = |execution: &Execution| {
            let (old, new) = (UnixPath::new(&copy), UnixPath::new(target));
            execution.process.linkat(Fd::CWD, old, Fd::CWD, new, AtFlags::empty())
        };
        let mut result = link(execution);
        if result == Err(Errno::EEXIST) {
            result = execution
                .process
                .unlinkat(Fd::CWD, UnixPath::new(target), AtFlags::empty())
                .and_then(|()| link(execution));
        }
        let Err(errno) = result else { return Some(true) };
        let (to, from) = (quoted_always(target), quoted_always(&copy));
        let description = errno.description().as_bytes();
        execution.report([b"cannot create hard link ", &to[..], b" to ", &from, b": ", description].concat());
        Some(false)
    }

    async fn copy_directory(
        &mut self,
        execution: &mut Execution,
        source: &[u8],
        target: &[u8],
        stat: &Stat,
        existing: Option<Stat>,
        mut position: Position,
    ) -> bool {
        if position.ancestors.contains(&id(stat)) {
            let text = [b"cannot copy cyclic symbolic link ", &quoted_always(source)[..]].concat();
            execution.report(text);
            return false;
        }
        if self.made_directory == Some(id(stat)) {
            let (from, to) = (quoted_always(&self.operand.0), quoted_always(&self.operand.1));
            execution.report([b"cannot copy a directory, ", &from[..], b", into itself, ", &to].concat());
            return false;
        }
        if existing.is_none() {
            // The owner can fill it, whatever its permissions will be.
            let mode = Mode(stat.mode.0 & 0o1777 & !self.umask | 0o700);
            if let Err(errno) = execution.process.mkdirat(Fd::CWD, UnixPath::new(target), mode) {
                return fail(execution, "cannot create directory", target, errno);
            }
            if position.is_operand {
                self.made_directory = execution.lstat(target).ok().map(|stat| id(&stat));
            }
            if self.options.is_verbose && self.options.is_move {
                execution.print([b"created directory ", &quoted_always(target)[..], b"\n"].concat());
            } else if self.options.is_verbose {
                self.say(execution, source, target);
            }
        }
        if self.options.stays_on_filesystem && position.device.is_some_and(|device| device != stat.device) {
            return true;
        }
        let mut entries = match execution.entries(source) {
            Ok(entries) => entries,
            Err(errno) => return fail(execution, "cannot access", source, errno),
        };
        // As cp does it, because that is faster on a disk.
        entries.sort_by_key(|entry| entry.inode);
        position.ancestors.push(id(stat));
        let below = Position { is_operand: false, device: Some(stat.device), ancestors: position.ancestors };
        let mut has_copied_all = true;
        for entry in entries {
            let (from, to) = (join(source, &entry.name.0), join(target, &entry.name.0));
            let copy = Box::pin(self.copy(execution, &from, &to, below.clone()));
            has_copied_all &= copy.await;
        }
        // The permissions are set whatever is in it.
        self.finish(execution, target, stat, existing) && has_copied_all
    }

    /// Gives the copy its owner and its permissions.
    fn finish(&mut self, execution: &mut Execution, target: &[u8], stat: &Stat, existing: Option<Stat>) -> bool {
        let path = UnixPath::new(target);
        if let Ok(made) = execution.lstat(target) {
            self.made.insert(id(&made), target.to_vec());
        }
        if self.options.preserves_ownership {
            let (owner, group) = (Some(stat.uid), Some(stat.gid));
            let result = execution.process.fchownat(Fd::CWD, path, owner, group, AtFlags::AT_SYMLINK_NOFOLLOW);
            // Who is not root keeps what it can't give away, as cp does.
            if let Err(errno) = result
                && !matches!(errno, Errno::EPERM | Errno::EINVAL)
            {
                return fail(execution, "failed to preserve ownership for", target, errno);
            }
        }
        if stat.file_type == FileType::Symlink {
            return true;
        }
        let mode = if self.options.preserves_mode {
            stat.mode.0
        } else if existing.is_none() && stat.file_type == FileType::Directory {
            stat.mode.0 & 0o777 & !self.umask
        } else {
            return true;
        };
        if execution.stat(target).is_ok_and(|now| now.mode.0 == mode) {
            return true;
        }
        match execution.process.fchmodat(Fd::CWD, path, Mode(mode)) {
            Ok(()) => true,
            Err(errno) => fail(execution, "preserving permissions for", target, errno),
        }
    }
}

pub(super) fn fail(execution: &mut Execution, action: &str, path: &[u8], errno: Errno) -> bool {
    if action == "cannot open" {
        let description = errno.description().as_bytes();
        execution.report([b"cannot open ", &quoted_always(path)[..], b" for reading: ", description].concat());
    } else {
        execution.report_failure(action, path, errno);
    }
    false
}

fn copy_link(execution: &mut Execution, source: &[u8], target: &[u8]) -> bool {
    let content = match execution.read_link(source) {
        Ok(content) => content,
        Err(errno) => return fail(execution, "cannot read symbolic link", source, errno),
    };
    match execution.process.symlinkat(UnixPath::new(&content), Fd::CWD, UnixPath::new(target)) {
        Ok(()) => true,
        // It need not be made anew if it says the same.
        Err(Errno::EEXIST) if execution.read_link(target).is_ok_and(|existing| existing == content) => true,
        Err(errno) => fail(execution, "cannot create symbolic link", target, errno),
    }
}

fn copy_node(execution: &mut Execution, target: &[u8], stat: &Stat) -> bool {
    let is_fifo = stat.file_type == FileType::Fifo;
    let mode = NodeMode { file_type: stat.file_type, mode: Mode(stat.mode.0 & 0o777) };
    match execution.process.mknodat(Fd::CWD, UnixPath::new(target), mode, stat.rdev) {
        Ok(()) => true,
        Err(errno) if is_fifo => fail(execution, "cannot create fifo", target, errno),
        Err(errno) => fail(execution, "cannot create special file", target, errno),
    }
}

//! Copying what is in a file.

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Errno, Fd, FileType, Kernel as _, Mode, OpenFlags, OpenHow, Stat};

use super::copy::{Copier, fail};
use super::quote::quoted_always;
use crate::execution::Execution;

impl Copier {
    pub(super) async fn copy_content(
        &self,
        execution: &mut Execution,
        source: &[u8],
        target: &[u8],
        stat: &Stat,
        existing: Option<Stat>,
    ) -> bool {
        let how = OpenHow { flags: OpenFlags::O_CLOEXEC, ..OpenHow::default() };
        let input = match execution.open(source, how).await {
            Ok(fd) => fd,
            Err(errno) => return fail(execution, "cannot open", source, errno),
        };
        let has_copied = match self.open_target(execution, target, stat, existing).await {
            Some(output) => {
                let has_copied = pump(execution, (input, source), (output, target)).await;
                let _ = execution.process.close(output);
                has_copied
            }
            None => false,
        };
        let _ = execution.process.close(input);
        has_copied
    }

    async fn open_target(
        &self,
        execution: &mut Execution,
        target: &[u8],
        stat: &Stat,
        existing: Option<Stat>,
    ) -> Option<Fd> {
        let write = OpenFlags::O_WRONLY | OpenFlags::O_CLOEXEC;
        if existing.is_some() {
            let how = OpenHow { flags: write | OpenFlags::O_TRUNC, ..OpenHow::default() };
            match execution.open(target, how).await {
                Ok(fd) => return Some(fd),
                Err(errno) if !self.options.is_forced => {
                    fail(execution, "cannot create regular file", target, errno);
                    return None;
                }
                Err(_) => {}
            }
            if let Err(errno) = execution.process.unlinkat(Fd::CWD, UnixPath::new(target), AtFlags::empty()) {
                fail(execution, "cannot remove", target, errno);
                return None;
            }
            if self.options.is_verbose {
                execution.print([b"removed ", &quoted_always(target)[..], b"\n"].concat());
            }
        }
        let mode = Mode(stat.mode.0 & 0o777);
        let flags = write | OpenFlags::O_CREAT | OpenFlags::O_EXCL;
        match execution.open(target, OpenHow { flags, mode, ..OpenHow::default() }).await {
            Ok(fd) => Some(fd),
            Err(Errno::EEXIST) if execution.lstat(target).is_ok_and(|stat| stat.file_type == FileType::Symlink) => {
                let text = [b"not writing through dangling symlink ", &quoted_always(target)[..]].concat();
                execution.report(text);
                None
            }
            Err(errno) => {
                let errno = if errno == Errno::EISDIR && target.ends_with(b"/") { Errno::ENOTDIR } else { errno };
                fail(execution, "cannot create regular file", target, errno);
                None
            }
        }
    }
}

/// Reads from one file to its end and writes to another.
async fn pump(execution: &mut Execution, input: (Fd, &[u8]), output: (Fd, &[u8])) -> bool {
    loop {
        let bytes = match execution.read(input.0).await {
            Ok(bytes) if bytes.is_empty() => return true,
            Ok(bytes) => bytes,
            Err(errno) => return fail(execution, "error reading", input.1, errno),
        };
        if let Err(errno) = execution.machine.write(&execution.process, output.0, &bytes).await {
            return fail(execution, "error writing", output.1, errno);
        }
    }
}

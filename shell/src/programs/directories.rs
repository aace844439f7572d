//! mkdir(1) and rmdir(1).

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Errno, Fd, Kernel as _, Mode};

use super::support::mode::ModeChange;
use super::support::options::{not_simulated, take_options, usage};
use super::support::paths::{directory_name, without_trailing_slashes};
use super::support::quote::{quoted_always, quoted_as_in_c};
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option};

const MKDIR: &[Opt] = &[
    option("parents", 'p', "parents", Takes::Nothing),
    option("mode", 'm', "mode", Takes::Argument),
    option("verbose", 'v', "verbose", Takes::Nothing),
    not_simulated("!-Z", 'Z', "", Takes::Nothing),
    not_simulated("!--context", '\0', "context", Takes::Optional),
];

struct Maker {
    /// What `-m` says.
    mode: Option<u32>,
    umask: u32,
    is_verbose: bool,
}

/// mkdir(1)
pub(crate) async fn mkdir(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, MKDIR, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if parsed.operands.is_empty() {
        return usage(execution, "missing operand", 1);
    }
    let umask = execution.umask();
    let mut mode = None;
    if let Some(text) = parsed.value("mode") {
        mode = ModeChange::parse(text).map(|change| change.apply(0o777, true, umask));
        if mode.is_none() {
            execution.report([b"invalid mode ", &quoted_as_in_c(text)[..]].concat());
            return 1;
        }
    }
    let maker = Maker { mode, umask, is_verbose: parsed.has("verbose") };
    let mut status = 0;
    for path in &parsed.operands {
        let result = if parsed.has("parents") { maker.make_all(execution, path) } else { maker.make(execution, path) };
        if let Err((path, errno)) = result {
            let description = errno.description().as_bytes();
            execution.report([b"cannot create directory ", &quoted_as_in_c(&path)[..], b": ", description].concat());
            status = 1;
        }
    }
    status
}

type Failure = (Vec<u8>, Errno);

impl Maker {
    /// Makes a directory with the permissions of `-m`, or the usual ones.
    fn make(&self, execution: &mut Execution, path: &[u8]) -> Result<(), Failure> {
        let Some(mode) = self.mode else { return self.mkdir(execution, path, 0o777) };
        // What `-m` says is what it gets, whatever the umask.
        let _ = execution.process.umask(Mode(0));
        let mut result = self.mkdir(execution, path, mode & 0o1777);
        let _ = execution.process.umask(Mode(self.umask));
        if result.is_ok() && mode & 0o6000 != 0 {
            let chmod = execution.process.fchmodat(Fd::CWD, UnixPath::new(path), Mode(mode));
            result = chmod.map_err(|errno| (path.to_vec(), errno));
        }
        result
    }

    fn mkdir(&self, execution: &mut Execution, path: &[u8], mode: u32) -> Result<(), Failure> {
        execution.process.mkdirat(Fd::CWD, UnixPath::new(path), Mode(mode)).map_err(|errno| (path.to_vec(), errno))?;
        if self.is_verbose {
            let name = quoted_always(path);
            let text = [&execution.name[..], b": created directory ", &name, b"\n"].concat();
            execution.print(text);
        }
        Ok(())
    }

    /// Makes a directory and those above it, where they are missing.
    fn make_all(&self, execution: &mut Execution, path: &[u8]) -> Result<(), Failure> {
        let end = without_trailing_slashes(path).len();
        let is_name_end = |position: &usize| {
            let before = position.checked_sub(1).and_then(|before| path.get(before));
            path.get(*position) == Some(&b'/') && before.is_some_and(|byte| *byte != b'/')
        };
        for parent in (1..end).filter(is_name_end).filter_map(|position| path.get(..position)) {
            // The owner can get into those on the way, whatever the umask.
            let umask = execution.process.umask(Mode(self.umask & !0o300));
            let made = self.mkdir(execution, parent, 0o777);
            if let Ok(umask) = umask {
                let _ = execution.process.umask(umask);
            }
            let Err((parent, errno)) = made else { continue };
            match execution.stat(&parent) {
                Ok(stat) if stat.file_type == cofferdam::kernel::FileType::Directory => {}
                Ok(_) => return Err((parent, Errno::ENOTDIR)),
                Err(Errno::ENOENT) => return Err((parent, errno)),
                Err(errno) => return Err((parent, errno)),
            }
        }
        match self.make(execution, path) {
            Err(_) if execution.is_directory(path) => Ok(()),
            result => result,
        }
    }
}

const RMDIR: &[Opt] = &[
    option("parents", 'p', "parents", Takes::Nothing),
    option("verbose", 'v', "verbose", Takes::Nothing),
    option("ignore", '\0', "ignore-fail-on-non-empty", Takes::Nothing),
];

/// rmdir(1)
pub(crate) async fn rmdir(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, RMDIR, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if parsed.operands.is_empty() {
        return usage(execution, "missing operand", 1);
    }
    let (is_verbose, ignores) = (parsed.has("verbose"), parsed.has("ignore"));
    let mut status = 0;
    for path in &parsed.operands {
        if !remove(execution, path, "failed to remove", is_verbose, ignores).unwrap_or_else(|failed| {
            status = failed;
            false
        }) || !parsed.has("parents")
        {
            continue;
        }
        let mut rest = without_trailing_slashes(path);
        while rest.contains(&b'/') {
            rest = directory_name(rest);
            if rest == b"/" {
                break;
            }
            match remove(execution, rest, "failed to remove directory", is_verbose, ignores) {
                Ok(true) => {}
                Ok(false) => break,
                Err(failed) => {
                    status = failed;
                    break;
                }
            }
        }
    }
    status
}

/// Removes one directory; false if that failed and does not matter. The error is the status, after a report.
fn remove(
    execution: &mut Execution,
    path: &[u8],
    action: &str,
    is_verbose: bool,
    ignores_contents: bool,
) -> Result<bool, i32> {
    if is_verbose {
        let name = quoted_always(path);
        let text = [&execution.name[..], b": removing directory, ", &name, b"\n"].concat();
        execution.print(text);
    }
    match execution.process.unlinkat(Fd::CWD, UnixPath::new(path), AtFlags::AT_REMOVEDIR) {
        Ok(()) => Ok(true),
        Err(errno) if ignores_contents && is_in_use(execution, path, errno) => Ok(false),
        Err(Errno::ENOTDIR) if path.ends_with(b"/") && execution.is_directory(path) => {
            execution.report([action.as_bytes(), b" ", &quoted_always(path), b": Symbolic link not followed"].concat());
            Err(1)
        }
        Err(errno) => Err(execution.report_failure(action, path, errno)),
    }
}

/// Whether a directory can't be removed because there is something in it, as `--ignore-fail-on-non-empty` sees it.
fn is_in_use(execution: &Execution, path: &[u8], errno: Errno) -> bool {
    match errno {
        Errno::ENOTEMPTY | Errno::EEXIST => true,
        Errno::EACCES | Errno::EPERM | Errno::EROFS | Errno::EBUSY => {
            execution.entries(path).is_ok_and(|entries| !entries.is_empty())
        }
        _ => false,
    }
}

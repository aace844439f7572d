//! What cp(1), mv(1) and ln(1) are to make of which operand.

use cofferdam::kernel::{Errno, FileType};

use super::options::usage;
use super::paths::{base_name, join};
use super::quote::quoted_always;
use crate::execution::Execution;

/// What decides where the last operand, or the option `-t`, leads.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TargetOptions<'a> {
    /// `-t`
    pub(crate) directory: Option<&'a [u8]>,
    /// `-T`
    pub(crate) is_no_directory: bool,
    /// Whether a symbolic link to a directory is none (`ln -n`).
    pub(crate) follows_no_link: bool,
    /// ln(1) makes a link in `.` if it has one operand, and words its messages in its own way.
    pub(crate) is_link: bool,
}

/// A source and its destination.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// The sources, each with its destination. A mistake is reported; the error is the exit status.
pub(crate) fn sources_and_targets(
    execution: &mut Execution,
    operands: &[Vec<u8>],
    options: TargetOptions<'_>,
) -> Result<Vec<Pair>, i32> {
    let Some((last, before)) = operands.split_last() else {
        return Err(usage(execution, "missing file operand", 1));
    };
    if let Some(directory) = options.directory {
        if options.is_no_directory {
            let text: &[u8] = if options.is_link {
                b"cannot combine --target-directory and --no-target-directory"
            } else {
                b"cannot combine --target-directory (-t) and --no-target-directory (-T)"
            };
            execution.report(text);
            return Err(1);
        }
        check_directory(execution, directory, options)?;
        return Ok(into(directory, operands));
    }
    if before.is_empty() && options.is_link && !options.is_no_directory {
        return Ok(into(b".", operands));
    }
    let Some((first, more)) = before.split_first() else {
        let text = [b"missing destination file operand after ", &quoted_always(last)[..]].concat();
        return Err(usage(execution, text, 1));
    };
    if options.is_no_directory {
        return match operands.get(2) {
            Some(extra) => Err(usage(execution, [b"extra operand ", &quoted_always(extra)[..]].concat(), 1)),
            None => Ok(vec![(first.clone(), last.clone())]),
        };
    }
    match target_error(execution, last, options) {
        None => Ok(into(last, before)),
        Some(_) if more.is_empty() => Ok(vec![(first.clone(), last.clone())]),
        Some(errno) => {
            execution.report_failure("target", last, errno);
            Err(1)
        }
    }
}

/// Why something is no directory, if it is none.
fn target_error(execution: &Execution, path: &[u8], options: TargetOptions<'_>) -> Option<Errno> {
    let stat = if options.follows_no_link { execution.lstat(path) } else { execution.stat(path) };
    match stat {
        Ok(stat) if stat.file_type == FileType::Directory => None,
        Ok(_) => Some(Errno::ENOTDIR),
        Err(errno) => Some(errno),
    }
}

fn check_directory(execution: &mut Execution, directory: &[u8], options: TargetOptions<'_>) -> Result<(), i32> {
    match target_error(execution, directory, options) {
        None => return Ok(()),
        Some(Errno::ENOTDIR) if options.is_link => {
            let text = [b"target ", &quoted_always(directory)[..], b" is not a directory"].concat();
            execution.report(text);
        }
        Some(errno) if options.is_link => {
            execution.report_failure("failed to access", directory, errno);
        }
        Some(errno) => {
            execution.report_failure("target directory", directory, errno);
        }
    }
    Err(1)
}

fn into(directory: &[u8], sources: &[Vec<u8>]) -> Vec<Pair> {
    let target = |source: &Vec<u8>| match base_name(source) {
        // What is above a directory is not copied to above the other one.
        b".." => directory.to_vec(),
        name => join(directory, name.strip_prefix(b"/").unwrap_or(name)),
    };
    sources.iter().map(|source| (source.clone(), target(source))).collect()
}

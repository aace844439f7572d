//! Searching directories (`-r`, `-R`), and which files are left out.

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Errno, Fd, FileType, Kernel as _, OpenFlags, OpenHow};

use crate::directory::read_directory;
use crate::execution::Execution;
use crate::programs::regular_expression::{Flavor, RegularExpression, Syntax};

use super::options::Options;
use super::search::Search;

/// `--include`, `--exclude` and `--exclude-dir`.
pub(super) struct Filter {
    included: Vec<RegularExpression>,
    excluded: Vec<RegularExpression>,
    excluded_directories: Vec<RegularExpression>,
}

impl Filter {
    pub(super) fn new(options: &Options) -> Self {
        let compile = |globs: &Vec<Vec<u8>>| {
            let expression = |glob: &Vec<u8>| {
                let glob = glob.strip_suffix(b"/").unwrap_or(glob);
                RegularExpression::new(&translate(glob), Syntax::new(Flavor::Basic)).ok()
            };
            globs.iter().filter_map(expression).collect()
        };
        Self {
            included: compile(&options.included),
            excluded: compile(&options.excluded),
            excluded_directories: compile(&options.excluded_directories),
        }
    }

    /// Whether a file that was named as an operand is left out.
    pub(super) fn skips_operand(&self, path: &[u8], is_directory: bool) -> bool {
        self.skips(path, is_directory)
            || self.skips(base_name(path), is_directory)
                && !(path != base_name(path) && !is_directory && !self.included.is_empty())
    }

    /// Whether a file with this name is left out.
    fn skips(&self, name: &[u8], is_directory: bool) -> bool {
        let any = |expressions: &[RegularExpression]| {
            expressions.iter().any(|expression| expression.is_match(name).unwrap_or(false))
        };
        if is_directory {
            return any(&self.excluded_directories);
        }
        any(&self.excluded) || !self.included.is_empty() && !any(&self.included)
    }
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// A pattern of glob(7) as a basic regular expression.
fn translate(glob: &[u8]) -> Vec<u8> {
    let mut expression = b"^".to_vec();
    let mut rest = glob;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'*' => expression.extend_from_slice(b".*"),
            b'?' => expression.push(b'.'),
            b'[' => {
                expression.push(b'[');
                if let Some(after) = rest.strip_prefix(b"!") {
                    expression.push(b'^');
                    rest = after;
                }
            }
            b'\\' => {
                if let Some((next, after)) = rest.split_first() {
                    expression.extend_from_slice(&[b'\\', *next]);
                    rest = after;
                }
            }
            b'.' | b'^' | b'$' => expression.extend_from_slice(&[b'\\', *byte]),
            other => expression.push(*other),
        }
    }
    expression.push(b'$');
    expression
}

/// A file that is still to be visited, and the devices and inodes of the directories above it.
type Pending = (Vec<u8>, Vec<(u64, u64)>);

/// Searches all files below a directory. True if there is nothing more to find out.
pub(super) async fn search(
    search: &mut Search<'_>,
    execution: &mut Execution,
    root: &[u8],
    follows: bool,
) -> Result<bool, Errno> {
    // What is still to be visited, the next one at the end; and the directories above each, against loops.
    let mut pending: Vec<Pending> = Vec::new();
    list(search, execution, root, Vec::new(), &mut pending).await;
    while let Some((path, above)) = pending.pop() {
        let flags = if follows { AtFlags::empty() } else { AtFlags::AT_SYMLINK_NOFOLLOW };
        let stat = match execution.process.statx(Fd::CWD, UnixPath::new(&path), flags) {
            Ok(stat) => stat,
            Err(errno) => {
                search.trouble(execution, &path, errno).await;
                continue;
            }
        };
        let is_directory = stat.file_type == FileType::Directory;
        if search.filter().skips(base_name(&path), is_directory) {
            continue;
        }
        match stat.file_type {
            FileType::Directory => {
                let device = (u64::from(stat.device.major) << 32) | u64::from(stat.device.minor);
                if above.contains(&(device, stat.inode)) {
                    if !search.options.is_silent {
                        execution.complain([&path[..], b": warning: recursive directory loop"].concat()).await;
                    }
                    continue;
                }
                let above = [above, vec![(device, stat.inode)]].concat();
                list(search, execution, &path, above, &mut pending).await;
            }
            FileType::Regular if search.file(execution, &path, search.options.names.unwrap_or(true)).await? => {
                return Ok(true);
            }
            // Devices and links that are met on the way are passed over.
            _ => {}
        }
    }
    Ok(false)
}

async fn list(
    search: &mut Search<'_>,
    execution: &mut Execution,
    directory: &[u8],
    above: Vec<(u64, u64)>,
    pending: &mut Vec<Pending>,
) {
    let path: &[u8] = if directory.is_empty() { b"." } else { directory };
    let how = OpenHow { flags: OpenFlags::O_CLOEXEC | OpenFlags::O_DIRECTORY, ..OpenHow::default() };
    let fd = match execution.open(path, how).await {
        Ok(fd) => fd,
        Err(errno) => return search.trouble(execution, path, errno).await,
    };
    let entries = read_directory(&execution.process, fd);
    let _ = execution.process.close(fd);
    let names: Vec<Vec<u8>> = match entries {
        Ok(entries) => entries.into_iter().map(|entry| entry.name.0).collect(),
        Err(errno) => return search.trouble(execution, path, errno).await,
    };
    for name in names.into_iter().rev().filter(|name| name != b"." && name != b"..") {
        let path = match directory {
            b"" => name,
            directory if directory.ends_with(b"/") => [directory, &name].concat(),
            directory => [directory, b"/", &name].concat(),
        };
        pending.push((path, above.clone()));
    }
}

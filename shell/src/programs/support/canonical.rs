//! Paths without symbolic links, `.` and `..`, as readlink(1) -f and realpath(1) make them.

use std::collections::VecDeque;

use cofferdam::kernel::{Errno, FileType};

use super::paths::{directory_name, join};
use crate::directory::working_directory;
use crate::execution::Execution;

/// What has to exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Every component (`-e`).
    All,
    /// Every component but the last one (`-f`).
    AllButLast,
    /// Nothing (`-m`).
    Nothing,
}

/// More symbolic links than this are a loop, as for the kernel.
const MAX_LINKS: usize = 40;

impl Execution {
    /// The canonical path. Symbolic links stay if they are not to be followed.
    pub(crate) fn canonical(&self, path: &[u8], existing: Existing, follows_links: bool) -> Result<Vec<u8>, Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let mut result = if path.starts_with(b"/") { b"/".to_vec() } else { working_directory(&self.process)? };
        let mut rest = components(path);
        let (mut has_trailing_slash, mut links) = (path.ends_with(b"/"), 0);
        while let Some(component) = rest.pop_front() {
            if component == b".." {
                result = directory_name(&result).to_vec();
                continue;
            }
            let next = join(&result, &component);
            let is_last = rest.is_empty();
            match self.lstat(&next) {
                Ok(stat) if stat.file_type == FileType::Symlink && follows_links => {
                    links += 1;
                    if links <= MAX_LINKS {
                        let target = self.read_link(&next)?;
                        if target.starts_with(b"/") {
                            result = b"/".to_vec();
                        }
                        has_trailing_slash |= is_last && target.ends_with(b"/");
                        components(&target).into_iter().rev().for_each(|component| rest.push_front(component));
                        continue;
                    }
                    if existing != Existing::Nothing {
                        return Err(Errno::ELOOP);
                    }
                }
                Ok(stat) => {
                    let has_to_be_directory = !is_last || has_trailing_slash;
                    let is_directory = match stat.file_type {
                        FileType::Directory => true,
                        FileType::Symlink => self.is_directory(&next),
                        _ => false,
                    };
                    if has_to_be_directory && !is_directory && existing != Existing::Nothing {
                        return Err(Errno::ENOTDIR);
                    }
                }
                Err(_) if existing == Existing::Nothing => {}
                Err(Errno::ENOENT) if is_last && existing == Existing::AllButLast => {}
                Err(errno) => return Err(errno),
            }
            result = next;
        }
        Ok(result)
    }
}

/// The components of a path but empty ones and `.`.
fn components(path: &[u8]) -> VecDeque<Vec<u8>> {
    let names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".");
    names.map(<[u8]>::to_vec).collect()
}

/// A canonical path as seen from a canonical directory.
pub(crate) fn relative_path(path: &[u8], directory: &[u8]) -> Vec<u8> {
    let (path, directory) = (components(path), components(directory));
    let common = path.iter().zip(&directory).take_while(|(one, other)| one == other).count();
    let up = directory.iter().skip(common).map(|_| &b".."[..]);
    let names: Vec<&[u8]> = up.chain(path.iter().skip(common).map(Vec::as_slice)).collect();
    if names.is_empty() { b".".to_vec() } else { names.join(&b'/') }
}

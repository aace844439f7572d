//! Which of the things that are mounted are files: a table does not say so.

use cofferdam::kernel::DeviceNumber;
use rustc_hash::{FxHashMap, FxHashSet};

use super::line::{Line, Root};
use crate::linux::Linux;

/// A path of a filesystem.
type Place = (DeviceNumber, Vec<Vec<u8>>);

/// The roots of mounts that are files.
#[derive(Default)]
pub(super) struct Files(FxHashSet<Place>);

impl Files {
    /// Whether this is the path of one.
    pub(super) fn has(&self, device: DeviceNumber, names: &[Vec<u8>]) -> bool {
        // The root of a filesystem is none.
        !names.is_empty() && !self.0.is_empty() && self.0.contains(&(device, names.to_vec()))
    }
}

/// Those of which it is known, and those that are mounted on files of proc. What is mounted in one place as a file is a file
/// wherever it is mounted.
pub(super) fn find(lines: &[Line], is_file: impl Fn(u32) -> bool) -> Files {
    let by_id: FxHashMap<u32, &Line> = lines.iter().map(|line| (line.id, line)).collect();
    let is_on_file = |line: &Line| by_id.get(&line.parent).is_some_and(|parent| is_file_of_proc(parent, line));
    let files = lines.iter().filter(|line| is_file(line.id) || is_on_file(line));
    Files(files.filter_map(place).collect())
}

fn place(line: &Line) -> Option<Place> {
    match &line.root {
        Root::Path { names, is_deleted: false } => Some((line.device, names.clone())),
        Root::Path { .. } | Root::Name(_) => None,
    }
}

/// Whether a mount is on a file in the root of proc.
fn is_file_of_proc(parent: &Line, line: &Line) -> bool {
    let is_root = matches!(&parent.root, Root::Path { names, .. } if names.is_empty());
    match line.mountpoint.strip_prefix(&parent.mountpoint[..]) {
        Some([name]) => is_root && parent.filesystem == b"proc" && Linux::is_file_in_proc(name),
        _ => false,
    }
}

//! Which mounts are shown, and below which.

use cofferdam_vfs_sim::Process;

use super::columns::Column;
use crate::programs::util_linux::flags::split_options;
use crate::programs::util_linux::path::canonical;
use crate::programs::util_linux::table::{Direction, Mount, MountTable, has_device, is_pseudo, type_matches};

/// How the table is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Human,
    Raw,
    Pairs,
    Json,
}

/// What the options ask for.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "so many options")]
pub(super) struct Selection {
    pub(super) columns: Vec<Column>,
    pub(super) format: Format,
    pub(super) is_tree: bool,
    pub(super) has_headings: bool,
    pub(super) is_ascii: bool,
    pub(super) has_shell_names: bool,
    pub(super) has_plain_sizes: bool,
    pub(super) hides_root: bool,
    pub(super) canonicalizes_output: bool,
    pub(super) shows_all_vfs_options: bool,
    /// The process whose table it is.
    pub(super) task: u32,
    pub(super) direction: Direction,
    pub(super) has_submounts: bool,
    pub(super) is_first_only: bool,
    pub(super) is_strict_target: bool,
    /// Whether what is given as a source can be a target.
    pub(super) may_swap: bool,
    pub(super) keeps_paths: bool,
    pub(super) is_inverted: bool,
    pub(super) is_df: bool,
    pub(super) shows_all: bool,
    pub(super) is_real_only: bool,
    pub(super) is_pseudo_only: bool,
    pub(super) is_shadowed_only: bool,
    pub(super) source: Option<Vec<u8>>,
    pub(super) device: Option<(u32, u32)>,
    pub(super) target: Option<Vec<u8>>,
    pub(super) types: Option<Vec<u8>>,
    pub(super) options: Option<Vec<u8>>,
}

/// A line of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The place of the mount in the table.
    pub(super) mount: usize,
    /// The line that it is below in the tree.
    pub(super) parent: Option<usize>,
}

impl Selection {
    pub(super) fn is_for_programs(&self) -> bool {
        self.format != Format::Human
    }

    /// Whether nothing is asked for in particular.
    pub(super) fn is_list_of_all(&self) -> bool {
        let is_filtered = (self.is_df || self.is_real_only || self.is_pseudo_only) && !self.shows_all;
        !is_filtered
            && self.source.is_none()
            && self.target.is_none()
            && self.types.is_none()
            && self.options.is_none()
            && self.device.is_none()
    }

    /// The lines to show; `None` if nothing was found.
    pub(super) fn lines(&mut self, process: &Process, table: &MountTable) -> Option<Vec<Line>> {
        if self.is_tree && !self.has_submounts {
            return self.whole_tree(process, table);
        }
        let lines = self.matching_lines(process, table);
        if lines.is_some() || self.may_swap || self.is_strict_target {
            return lines;
        }
        // The target may be a file: then it is what it is on that is shown.
        let target = self.target.clone()?;
        let path = if self.keeps_paths { target } else { canonical(process, &target) };
        let mountpoint = table.find_mountpoint(process, &path, Direction::Backward);
        if let Some(mount) = mountpoint.filter(|mount| mount.target != path) {
            self.target = Some(mount.target.clone());
        }
        self.matching_lines(process, table)
    }

    /// All that matches, each below the nearest that it is on.
    fn whole_tree(&self, process: &Process, table: &MountTable) -> Option<Vec<Line>> {
        let root = table.root()?;
        let mut lines = Vec::new();
        self.add_tree(process, table, place(table, root)?, &mut lines);
        if table.mounts.len() > lines.len() {
            for (index, mount) in table.mounts.iter().enumerate() {
                if !has_line(&lines, index) && self.matches(process, table, mount) {
                    self.add_tree(process, table, index, &mut lines);
                }
            }
        }
        Some(lines)
    }

    /// Adds a mount and all on it, as far as they match; with `--submounts` all on it.
    fn add_tree(&self, process: &Process, table: &MountTable, top: usize, lines: &mut Vec<Line>) {
        let mut waiting = vec![(top, None)];
        while let Some((index, parent)) = waiting.pop() {
            if self.has_submounts && has_line(lines, index) {
                continue;
            }
            let Some(mount) = table.mounts.get(index) else { continue };
            let mut below = parent;
            if self.has_submounts || self.matches(process, table, mount) {
                below = Some(lines.len());
                lines.push(Line { mount: index, parent });
            }
            let children = table.children(mount.id);
            waiting.extend(children.iter().rev().filter_map(|child| Some((place(table, child)?, below))));
        }
    }

    fn matching_lines(&mut self, process: &Process, table: &MountTable) -> Option<Vec<Line>> {
        let mut lines = Vec::new();
        let mut found = self.find_all(process, table);
        if found.is_empty() && self.may_swap && self.target.is_none() && self.source.is_some() {
            self.target = self.source.take();
            found = self.find_all(process, table);
        }
        if self.is_first_only {
            found.truncate(1);
        }
        if found.is_empty() {
            return None;
        }
        self.may_swap = false;
        for mount in found {
            if self.is_tree || self.has_submounts {
                self.add_tree(process, table, mount, &mut lines);
            } else {
                lines.push(Line { mount, parent: None });
            }
        }
        Some(lines)
    }

    fn find_all(&self, process: &Process, table: &MountTable) -> Vec<usize> {
        // The way in which mount(8) finds something in fstab.
        if let (Some(source), true, None, None) = (&self.source, self.is_first_only, &self.types, &self.options) {
            let found = table
                .find_source(process, source, self.direction)
                .or_else(|| table.find_target(process, source, self.direction).filter(|_| self.may_swap));
            return found.and_then(|mount| place(table, mount)).into_iter().collect();
        }
        let all = self.is_list_of_all();
        let mut found: Vec<usize> = (0..table.mounts.len())
            .filter(|index| table.mounts.get(*index).is_some_and(|mount| all || self.matches(process, table, mount)))
            .collect();
        if self.direction == Direction::Backward {
            found.reverse();
        }
        found
    }

    fn matches(&self, process: &Process, table: &MountTable, mount: &Mount) -> bool {
        self.matches_all(process, table, mount) != self.is_inverted
    }

    fn matches_all(&self, process: &Process, table: &MountTable, mount: &Mount) -> bool {
        let types = self.types.as_ref().is_none_or(|types| type_matches(&mount.kind, types));
        let options = self.options.as_ref().is_none_or(|pattern| options_match(&mount.options(), pattern));
        let device = self.device.is_none_or(|device| mount.device == device);
        let target = self.target.as_ref().is_none_or(|target| self.matches_target(process, mount, target));
        let source = self.source.as_ref().is_none_or(|source| self.matches_source(process, mount, source));
        if !(types && options && device && target && source) {
            return false;
        }
        let is_pseudo = is_pseudo(&mount.kind);
        if self.is_df && !self.shows_all {
            // Filesystems in memory are wanted too.
            if mount.kind.windows(5).any(|part| part == b"tmpfs") {
                return true;
            }
            if is_pseudo {
                return false;
            }
        }
        !(self.is_real_only && is_pseudo
            || self.is_pseudo_only && !is_pseudo
            || self.is_shadowed_only && table.over(mount).is_none())
    }

    fn matches_target(&self, process: &Process, mount: &Mount, target: &[u8]) -> bool {
        mount.is_on(target) || !self.keeps_paths && mount.is_on(&canonical(process, target))
    }

    fn matches_source(&self, process: &Process, mount: &Mount, source: &[u8]) -> bool {
        if mount.has_source(source) {
            return true;
        }
        if self.keeps_paths || !has_device(&mount.kind) {
            return false;
        }
        let path = canonical(process, source);
        mount.has_source(&path) || canonical(process, &mount.source) == path
    }
}

fn place(table: &MountTable, mount: &Mount) -> Option<usize> {
    table.mounts.iter().position(|other| other.id == mount.id)
}

fn has_line(lines: &[Line], mount: usize) -> bool {
    lines.iter().any(|line| line.mount == mount)
}

/// Whether options have all that a pattern has; with `no` in front, what must not be there (`mnt_match_options()`).
fn options_match(options: &[u8], pattern: &[u8]) -> bool {
    let options = split_options(options);
    split_options(pattern).into_iter().all(|(name, value)| {
        let (wanted, name) = match (name.strip_prefix(b"+"), name.strip_prefix(b"no")) {
            (Some(name), _) => (true, name.to_vec()),
            (None, Some(name)) => (false, name.to_vec()),
            (None, None) => (true, name),
        };
        let found = options.iter().find(|(known, _)| *known == name);
        let value = value.filter(|value| !value.is_empty());
        let is_there = found.is_some_and(|(_, known)| value.is_none() || *known == value);
        is_there == wanted
    })
}

/// Leaves of the mounts on a directory only the last one; what was on one that is left out goes to what that was on.
pub(super) fn keep_last_on_each_target(process: &Process, table: &mut MountTable) {
    let mut kept: Vec<Mount> = Vec::new();
    let mut mounts = std::mem::take(&mut table.mounts);
    while let Some(mount) = mounts.pop() {
        let path = canonical(process, &mount.target);
        if kept.iter().any(|other| other.is_on(&mount.target) || other.is_on(&path)) {
            for other in kept.iter_mut().chain(&mut mounts).filter(|other| other.parent == mount.id) {
                other.parent = mount.parent;
            }
        } else {
            kept.push(mount);
        }
    }
    kept.reverse();
    table.mounts = kept;
}

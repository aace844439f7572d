//! The columns of findmnt(8).

use cofferdam::UnixPath;
use cofferdam::kernel::Kernel as _;

use super::select::Selection;
use crate::execution::Execution;
use crate::programs::util_linux::flags::all_flag_options;
use crate::programs::util_linux::path::canonical;
use crate::programs::util_linux::table::Mount;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Avail,
    Freq,
    FsRoot,
    FsType,
    FsOptions,
    Id,
    Label,
    MajMin,
    Options,
    OptFields,
    Parent,
    PartLabel,
    PartUuid,
    PassNo,
    Propagation,
    Size,
    Source,
    Sources,
    Target,
    Tid,
    Used,
    UsePercent,
    Uuid,
    VfsOptions,
}

/// How a column looks.
struct Look {
    column: Column,
    name: &'static str,
    /// How wide it is at least if it has any data that is as wide as its name.
    width: usize,
    is_right: bool,
}

const fn left(column: Column, name: &'static str, width: usize) -> Look {
    Look { column, name, width, is_right: false }
}

const fn right(column: Column, name: &'static str, width: usize) -> Look {
    Look { column, name, width, is_right: true }
}

/// All columns, in the order in which they are all shown.
const LOOKS: &[Look] = &[
    right(Column::Avail, "AVAIL", 5),
    right(Column::Freq, "FREQ", 1),
    left(Column::FsRoot, "FSROOT", 0),
    left(Column::FsType, "FSTYPE", 0),
    left(Column::FsOptions, "FS-OPTIONS", 0),
    right(Column::Id, "ID", 2),
    left(Column::Label, "LABEL", 0),
    left(Column::MajMin, "MAJ:MIN", 6),
    left(Column::Options, "OPTIONS", 0),
    left(Column::OptFields, "OPT-FIELDS", 0),
    right(Column::Parent, "PARENT", 2),
    left(Column::PartLabel, "PARTLABEL", 0),
    left(Column::PartUuid, "PARTUUID", 36),
    right(Column::PassNo, "PASSNO", 1),
    left(Column::Propagation, "PROPAGATION", 0),
    right(Column::Size, "SIZE", 5),
    left(Column::Source, "SOURCE", 0),
    left(Column::Sources, "SOURCES", 0),
    left(Column::Target, "TARGET", 0),
    right(Column::Tid, "TID", 4),
    right(Column::Used, "USED", 5),
    right(Column::UsePercent, "USE%", 3),
    left(Column::Uuid, "UUID", 36),
    left(Column::VfsOptions, "VFS-OPTIONS", 0),
];

impl Column {
    pub(super) const DEFAULT: [Self; 4] = [Self::Target, Self::Source, Self::FsType, Self::Options];

    /// As df(1) has them.
    pub(super) const DF: [Self; 7] =
        [Self::Source, Self::FsType, Self::Size, Self::Used, Self::Avail, Self::UsePercent, Self::Target];

    pub(super) fn all() -> impl Iterator<Item = Self> {
        LOOKS.iter().map(|look| look.column)
    }

    pub(super) fn by_name(name: &[u8]) -> Option<Self> {
        LOOKS.iter().find(|look| look.name.as_bytes().eq_ignore_ascii_case(name)).map(|look| look.column)
    }

    fn look(self) -> &'static Look {
        // Every column has a look.
        LOOKS.iter().find(|look| look.column == self).unwrap_or(&LOOKS[0])
    }

    pub(super) fn name(self) -> &'static str {
        self.look().name
    }

    pub(super) fn is_right(self) -> bool {
        self.look().is_right
    }

    /// How wide the column is, if its cells need this width.
    pub(super) fn width(self, needed: usize) -> usize {
        let (look, least) = (self.look(), self.name().len());
        if needed < least {
            least
        } else if look.width >= 1 && needed < look.width && least < look.width {
            look.width
        } else {
            needed
        }
    }

    /// Whether JSON has it as a number.
    pub(super) fn is_number(self, has_plain_sizes: bool) -> bool {
        match self {
            Self::Size | Self::Avail | Self::Used => has_plain_sizes,
            Self::Id | Self::Parent | Self::Freq | Self::PassNo | Self::Tid => true,
            _ => false,
        }
    }

    /// What is in the column for a mount; `None` if there is nothing.
    pub(super) fn cell(self, execution: &Execution, selection: &Selection, mount: &Mount) -> Option<Vec<u8>> {
        match self {
            Self::FsRoot => Some(mount.root.clone()),
            Self::FsType => Some(mount.kind.clone()),
            Self::FsOptions => Some(mount.fs_options.clone()),
            Self::Id => positive(mount.id),
            Self::Parent => positive(mount.parent),
            Self::MajMin => device(mount.device, selection.is_for_programs()),
            Self::Options => Some(mount.options()),
            Self::OptFields => Some(mount.optional_fields.clone()).filter(|fields| !fields.is_empty()),
            Self::Propagation => Some(propagation(mount)),
            Self::Source | Self::Sources => Some(source(execution, selection, mount)),
            Self::Target => Some(mount.target.clone()),
            Self::Tid => positive(selection.task),
            Self::VfsOptions if selection.shows_all_vfs_options => Some(all_flag_options(&mount.options())),
            Self::VfsOptions => Some(mount.vfs_options.clone()),
            Self::Size | Self::Avail | Self::Used | Self::UsePercent => {
                self.usage(execution, &mount.target, selection.has_plain_sizes)
            }
            // What fstab has, or what is on a device.
            Self::Freq | Self::PassNo | Self::Label | Self::PartLabel | Self::PartUuid | Self::Uuid => None,
        }
    }

    fn usage(self, execution: &Execution, target: &[u8], is_plain: bool) -> Option<Vec<u8>> {
        let usage = execution.process.statfs(UnixPath::new(target)).ok()?;
        let unit = usage.fragment_size;
        let used = usage.blocks.saturating_sub(usage.free_blocks);
        let size = match self {
            Self::Size => unit.saturating_mul(usage.blocks),
            Self::Avail => unit.saturating_mul(usage.available_blocks),
            Self::Used => unit.saturating_mul(used),
            _ if usage.blocks == 0 => return Some(b"-".to_vec()),
            _ => {
                #[allow(clippy::cast_precision_loss, reason = "it is shown as a whole number")]
                let percent = used as f64 / usage.blocks as f64 * 100.0;
                return Some(format!("{percent:.0}%").into_bytes());
            }
        };
        Some(if is_plain || size == 0 { size.to_string().into_bytes() } else { human_size(size).into_bytes() })
    }
}

fn positive(number: u32) -> Option<Vec<u8>> {
    (number != 0).then(|| number.to_string().into_bytes())
}

fn device((major, minor): (u32, u32), is_for_programs: bool) -> Option<Vec<u8>> {
    if major == 0 && minor == 0 {
        return None;
    }
    let text = if is_for_programs { format!("{major}:{minor}") } else { format!("{major:>3}:{minor:<3}") };
    Some(text.into_bytes())
}

fn propagation(mount: &Mount) -> Vec<u8> {
    let mut text = if mount.is_shared() { b"shared".to_vec() } else { b"private".to_vec() };
    if mount.is_slave() {
        text.extend_from_slice(b",slave");
    }
    if mount.is_unbindable() {
        text.extend_from_slice(b",unbindable");
    }
    text
}

fn source(execution: &Execution, selection: &Selection, mount: &Mount) -> Vec<u8> {
    let source = if selection.canonicalizes_output && !mount.source.is_empty() {
        canonical(&execution.process, &mount.source)
    } else {
        mount.source.clone()
    };
    if selection.hides_root || mount.root == b"/" {
        return source;
    }
    [&source, &b"["[..], &mount.root, b"]"].concat()
}

/// A size with one letter, rounded to one digit behind the point (`size_to_human_string()` of util-linux).
fn human_size(bytes: u64) -> String {
    const LETTERS: &[u8] = b"BKMGTPE";
    let power = (63 - bytes.leading_zeros().min(63)) / 10;
    let shift = power * 10;
    let letter = LETTERS.get(power as usize).copied().map_or('E', char::from);
    let mut whole = bytes >> shift;
    let rest = u128::from(bytes & ((1 << shift) - 1));
    // In tenths, rounded from thousandths.
    let mut tenths = (((rest * 1000) >> shift) + 50) / 100;
    if tenths == 10 {
        whole += 1;
        tenths = 0;
    }
    if tenths == 0 { format!("{whole}{letter}") } else { format!("{whole}.{tenths}{letter}") }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// As findmnt -D shows them.
    #[rstest]
    #[case(512, "512B")]
    #[case(1024, "1K")]
    #[case(102_400, "100K")]
    #[case(1_126_400, "1.1M")]
    #[case(1_048_575, "1024K")]
    #[case(25_275_547_648, "23.5G")]
    fn sizes(#[case] bytes: u64, #[case] expected: &str) {
        assert_eq!(human_size(bytes), expected);
    }
}

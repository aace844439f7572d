//! stat(1)

use cofferdam::UnixPath;
use cofferdam::kernel::{DeviceNumber, FileType, Kernel as _, Stat, StatFs};

use super::support::canonical::Existing;
use super::support::files::blocks;
use super::support::mode::mode_text;
use super::support::options::{not_simulated, take_options, usage};
use super::support::paths::directory_name;
use super::support::quote::{quoted_always, quoted_if_needed};
use super::support::text::{Conversion, Piece, pieces, unescape};
use super::support::users::Names;
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option};

const OPTIONS: &[Opt] = &[
    option("format", 'c', "format", Takes::Argument),
    option("printf", '\0', "printf", Takes::Argument),
    option("filesystem", 'f', "file-system", Takes::Nothing),
    option("follow", 'L', "dereference", Takes::Nothing),
    option("terse", 't', "terse", Takes::Nothing),
    not_simulated("!--cached", '\0', "cached", Takes::Argument),
];

const FILE: &str = "  File: %N\n  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\n";
const INODE: &str = "Device: %Hd,%Ld\tInode: %-10i  Links: %h\n";
const DEVICE_INODE: &str = "Device: %Hd,%Ld\tInode: %-10i  Links: %-5h Device type: %Hr,%Lr\n";
const ACCESS: &str = "Access: (%04a/%10.10A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\n\
                      Access: %x\nModify: %y\nChange: %z\n Birth: %w\n";
const TERSE: &str = "%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %W %o\n";
const FILESYSTEM: &str = "  File: \"%n\"\n    ID: %-8i Namelen: %-7l Type: %T\n\
                          Block size: %-10s Fundamental block size: %S\n\
                          Blocks: Total: %-10b Free: %-10f Available: %a\nInodes: Total: %-10c Free: %d\n";
const TERSE_FILESYSTEM: &str = "%n %i %l %t %s %S %b %f %a %c %d\n";

/// There are no times in the simulation.
const EPOCH: &str = "1970-01-01 00:00:00.000000000 +0000";

/// stat(1)
pub(crate) async fn stat(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if parsed.operands.is_empty() {
        return usage(execution, "missing operand", 1);
    }
    let given = match (parsed.value("printf"), parsed.value("format")) {
        (Some(format), _) => Some(unescape(format)),
        (None, Some(format)) => Some(format.to_vec()),
        (None, None) => None,
    };
    let (users, groups) = (Names::users(&execution.process), Names::groups(&execution.process));
    let mut status = 0;
    for path in &parsed.operands {
        let shown = if parsed.has("filesystem") {
            let format = given
                .clone()
                .unwrap_or_else(|| if parsed.has("terse") { TERSE_FILESYSTEM.into() } else { FILESYSTEM.into() });
            show_filesystem(execution, path, &format)
        } else {
            let names = Shown { users: &users, groups: &groups, quotes: given.is_some() };
            show_file(execution, path, parsed.has("follow"), parsed.has("terse"), given.as_deref(), &names)
        };
        match shown {
            Ok(text) => {
                let end: &[u8] = if parsed.has("format") && !parsed.has("printf") { b"\n" } else { b"" };
                execution.print([&text[..], end].concat());
            }
            Err(failed) => status = failed,
        }
    }
    status
}

struct Shown<'a> {
    users: &'a Names,
    groups: &'a Names,
    /// Whether names are quoted always, or only if needed.
    quotes: bool,
}

fn show_file(
    execution: &mut Execution,
    path: &[u8],
    follows: bool,
    is_terse: bool,
    given: Option<&[u8]>,
    shown: &Shown<'_>,
) -> Result<Vec<u8>, i32> {
    let result = if follows { execution.stat(path) } else { execution.lstat(path) };
    let stat = match result {
        Ok(stat) => stat,
        Err(errno) => return Err(execution.report_failure("cannot statx", path, errno)),
    };
    let is_device = matches!(stat.file_type, FileType::CharacterDevice | FileType::BlockDevice);
    let usual = [FILE, if is_device { DEVICE_INODE } else { INODE }, ACCESS].concat();
    let format = given.unwrap_or(if is_terse { TERSE.as_bytes() } else { usual.as_bytes() });
    let mut text = Vec::new();
    for piece in pieces(format) {
        match piece {
            Piece::Text(plain) => text.extend(plain),
            Piece::Conversion(conversion) => match file_value(execution, path, &stat, &conversion, shown) {
                Some(value) => text.extend(conversion.pad(&value)),
                None => text.push(b'?'),
            },
        }
    }
    Ok(text)
}

fn device_number(device: DeviceNumber) -> u64 {
    // makedev(3)
    let (major, minor) = (u64::from(device.major), u64::from(device.minor));
    (major & 0xffff_f000) << 32 | (major & 0xfff) << 8 | (minor & 0xffff_ff00) << 12 | minor & 0xff
}

fn file_value(
    execution: &Execution,
    path: &[u8],
    stat: &Stat,
    conversion: &Conversion,
    shown: &Shown<'_>,
) -> Option<Vec<u8>> {
    let name = |names: &Names, number| names.name(number).map_or_else(|| b"UNKNOWN".to_vec(), <[u8]>::to_vec);
    let text = match conversion.letter {
        b'n' => return Some(path.to_vec()),
        b'N' => return Some(quoted_name(execution, path, stat, shown.quotes)),
        b'U' => return Some(name(shown.users, stat.uid)),
        b'G' => return Some(name(shown.groups, stat.gid)),
        b'm' => return Some(mount_point(execution, path, stat)),
        b'a' => format!("{}{:o}", if conversion.is_alternate { "0" } else { "" }, stat.mode.0),
        b'A' => mode_text(stat),
        b'f' => format!("{:x}", stat.file_type.bits() | stat.mode.0),
        b'F' => type_name(stat).to_owned(),
        b'h' => stat.links.to_string(),
        b'i' => stat.inode.to_string(),
        b's' => stat.size.to_string(),
        b'b' => blocks(stat).to_string(),
        b'B' => "512".to_owned(),
        b'o' => "4096".to_owned(),
        b'u' => stat.uid.to_string(),
        b'g' => stat.gid.to_string(),
        b'd' => match conversion.modifier {
            Some(b'H') => stat.device.major.to_string(),
            Some(_) => stat.device.minor.to_string(),
            None => device_number(stat.device).to_string(),
        },
        b'D' => format!("{:x}", device_number(stat.device)),
        b'r' => match conversion.modifier {
            Some(b'H') => stat.rdev.major.to_string(),
            Some(_) => stat.rdev.minor.to_string(),
            None => device_number(stat.rdev).to_string(),
        },
        b'R' => format!("{:x}", device_number(stat.rdev)),
        b't' => format!("{:x}", stat.rdev.major),
        b'T' => format!("{:x}", stat.rdev.minor),
        b'x' | b'y' | b'z' => EPOCH.to_owned(),
        b'X' | b'Y' | b'Z' | b'W' => "0".to_owned(),
        b'w' => "-".to_owned(),
        _ => return None,
    };
    Some(text.into_bytes())
}

fn quoted_name(execution: &Execution, path: &[u8], stat: &Stat, always: bool) -> Vec<u8> {
    let quote = if always { quoted_always } else { quoted_if_needed };
    match stat.file_type {
        FileType::Symlink => {
            let target = execution.read_link(path).unwrap_or_default();
            [&quote(path)[..], b" -> ", &quote(&target)].concat()
        }
        _ => quote(path),
    }
}

pub(super) fn type_name(stat: &Stat) -> &'static str {
    match stat.file_type {
        FileType::Regular if stat.size == 0 => "regular empty file",
        FileType::Regular => "regular file",
        FileType::Directory => "directory",
        FileType::Symlink => "symbolic link",
        FileType::CharacterDevice => "character special file",
        FileType::BlockDevice => "block special file",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        FileType::Anonymous => "weird file",
    }
}

/// The directory above which there is another device, as stat(1) finds it.
pub(super) fn mount_point(execution: &Execution, path: &[u8], stat: &Stat) -> Vec<u8> {
    let Ok(real) = execution.canonical(path, Existing::All, true) else { return b"?".to_vec() };
    let mut place = match stat.file_type {
        FileType::Directory => real,
        _ => directory_name(&real).to_vec(),
    };
    while place != b"/" {
        let parent = directory_name(&place).to_vec();
        match (execution.lstat(&place), execution.lstat(&parent)) {
            (Ok(here), Ok(above)) if here.device == above.device => place = parent,
            _ => break,
        }
    }
    place
}

fn show_filesystem(execution: &mut Execution, path: &[u8], format: &[u8]) -> Result<Vec<u8>, i32> {
    let statfs = match execution.process.statfs(UnixPath::new(path)) {
        Ok(statfs) => statfs,
        Err(errno) => {
            return Err(execution.report_failure("cannot read file system information for", path, errno));
        }
    };
    let mut text = Vec::new();
    for piece in pieces(format) {
        match piece {
            Piece::Text(plain) => text.extend(plain),
            Piece::Conversion(conversion) => match filesystem_value(path, &statfs, conversion.letter) {
                Some(value) => text.extend(conversion.pad(&value)),
                None => text.push(b'?'),
            },
        }
    }
    Ok(text)
}

fn filesystem_value(path: &[u8], statfs: &StatFs, letter: u8) -> Option<Vec<u8>> {
    let text = match letter {
        b'n' => return Some(path.to_vec()),
        b'a' => statfs.available_blocks.to_string(),
        b'b' => statfs.blocks.to_string(),
        b'c' => statfs.files.to_string(),
        b'd' => statfs.free_files.to_string(),
        b'f' => statfs.free_blocks.to_string(),
        // The two halves of the number, the first one before the second.
        b'i' => format!("{:x}", statfs.id.rotate_left(32)),
        b'l' => statfs.name_length.to_string(),
        b's' => statfs.block_size.to_string(),
        b'S' => statfs.fragment_size.to_string(),
        b't' => format!("{:x}", statfs.magic),
        b'T' => filesystem_name(statfs.magic),
        _ => return None,
    };
    Some(text.into_bytes())
}

fn filesystem_name(magic: u64) -> String {
    let known = [
        (0x0102_1994, "tmpfs"),
        (0x9fa0, "proc"),
        (0x6265_6572, "sysfs"),
        (0x1cd1, "devpts"),
        (0x8584_58f6, "ramfs"),
        (0x794c_7630, "overlayfs"),
        (0x6e73_6673, "nsfs"),
        (0x1980_0202, "mqueue"),
        (0xef53, "ext2/ext3"),
        (0x6367_7270, "cgroup2fs"),
        (0x0027_e0eb, "cgroupfs"),
        (0xcafe_4a11, "bpf_fs"),
        (0x7472_6163, "tracefs"),
        (0x6462_6720, "debugfs"),
        (0x7363_6673, "securityfs"),
        (0x5049_5045, "pipefs"),
        (0x9584_58f6, "hugetlbfs"),
        (0x0904_1934, "anon-inode FS"),
        (0x5846_5342, "xfs"),
        (0x9123_683e, "btrfs"),
        (0x534f_434b, "sockfs"),
        (0x6265_6570, "configfs"),
        (0x4249_4e4d, "binfmt_misc"),
    ];
    let name = known.iter().find(|(known, _)| *known == magic);
    name.map_or_else(|| format!("UNKNOWN (0x{magic:x})"), |(_, name)| (*name).to_owned())
}

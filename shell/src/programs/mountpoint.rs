//! mountpoint(1) of util-linux 2.38.1.

use cofferdam::kernel::{DeviceNumber, FileType, Stat};

use super::util_linux::path::{canonical, lstat, stat};
use super::util_linux::table::{Direction, MountTable, OWN_TABLE};
use super::util_linux::{Usage, warn, warn_errno};
use crate::execution::Execution;
use crate::getopt::{Order, Takes, option};

/// For what is no mountpoint.
const NO_MOUNTPOINT: i32 = 32;

const USAGE: Usage = Usage {
    options: &[
        option("quiet", 'q', "quiet", Takes::Nothing),
        option("nofollow", '\0', "nofollow", Takes::Nothing),
        option("fs-devno", 'd', "fs-devno", Takes::Nothing),
        option("devno", 'x', "devno", Takes::Nothing),
        option("help", 'h', "help", Takes::Nothing),
        option("version", 'V', "version", Takes::Nothing),
    ],
    order: Order::Permute,
    exclusive: &[],
    refused: &[],
    mistake: 1,
    synopsis: &["[-qd] /path/to/directory", "-x /dev/device"],
};

/// mountpoint(1)
pub(super) async fn mountpoint(execution: &mut Execution) -> i32 {
    let parsed = match USAGE.take(execution).await {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let [path] = &parsed.operands[..] else { return USAGE.bad_usage(execution).await };
    let (is_quiet, stays) = (parsed.has("quiet"), parsed.has("nofollow"));
    if stays && parsed.has("devno") {
        warn(execution, "--devno and --nofollow are mutually exclusive").await;
        return USAGE.mistake;
    }
    let look = if stays { lstat } else { stat };
    let file = match look(&execution.process, path) {
        Ok(file) => file,
        Err(errno) => {
            if !is_quiet {
                warn_errno(execution, path, errno).await;
            }
            return USAGE.mistake;
        }
    };
    if parsed.has("devno") {
        if file.file_type == FileType::BlockDevice {
            execution.print(number(file.rdev));
            return 0;
        }
        if !is_quiet {
            warn(execution, [&path[..], b": not a block device"].concat()).await;
        }
        return NO_MOUNTPOINT;
    }
    let is_link = stays && file.file_type == FileType::Symlink;
    let device = if is_link { None } else { device_of_mountpoint(execution, path, &file).await };
    match device {
        None => {
            if !is_quiet {
                execution.print([&path[..], b" is not a mountpoint\n"].concat());
            }
            NO_MOUNTPOINT
        }
        Some(device) => {
            if parsed.has("fs-devno") {
                execution.print(number(device));
            } else if !is_quiet {
                execution.print([&path[..], b" is a mountpoint\n"].concat());
            }
            0
        }
    }
}

fn number(device: DeviceNumber) -> String {
    format!("{}:{}\n", device.major, device.minor)
}

/// The device of the filesystem that is mounted on a path. Without a mount table, a directory is taken for a mountpoint
/// if the one above it is on another device, or is the same: bind mounts are not seen then.
async fn device_of_mountpoint(execution: &mut Execution, path: &[u8], file: &Stat) -> Option<DeviceNumber> {
    let table = MountTable::read(execution, OWN_TABLE).await;
    let process = &execution.process;
    if let Ok(table) = table {
        let mount = table.find_target(process, path, Direction::Backward)?;
        let (major, minor) = mount.device;
        return Some(DeviceNumber { major, minor });
    }
    let above = stat(process, &[&canonical(process, path)[..], b"/.."].concat()).ok()?;
    (above.device != file.device || above.inode == file.inode).then_some(file.device)
}

//! The file operations of a launch, after the mounts.

use typed_path::UnixPath;

use super::error::LaunchError;
use super::filesystem::View;
use super::mounts;
use crate::kernel::{Errno, Mode, RenameFlags};
use crate::messages::{ContainerFileOperation, FileOperationKind, Mkdir, Rename, Symlink};

/// Performs one operation.
pub(super) fn perform(view: &mut View<'_>, operation: &ContainerFileOperation) -> Result<(), LaunchError> {
    match operation {
        ContainerFileOperation { operation: FileOperationKind::Symlink, symlink: Some(symlink), .. } => {
            make_symlink(view, symlink)
        }
        ContainerFileOperation { operation: FileOperationKind::Mkdir, mkdir: Some(mkdir), .. } => {
            make_directory(view, mkdir)
        }
        ContainerFileOperation { operation: FileOperationKind::Rename, rename: Some(rename), .. } => {
            move_path(view, rename)
        }
        ContainerFileOperation { operation: FileOperationKind::Mount, mount: Some(mount), .. } => {
            mounts::mount(view, mount, None)
        }
        ContainerFileOperation { operation, .. } => Err(LaunchError::IncompleteOperation(match operation {
            FileOperationKind::Symlink => "SYMLINK",
            FileOperationKind::Mount => "MOUNT",
            FileOperationKind::Rename => "RENAME",
            FileOperationKind::Mkdir => "MKDIR",
        })),
    }
}

/// A link that says the same already is as good: images bring their own.
fn make_symlink(view: &View<'_>, symlink: &Symlink) -> Result<(), LaunchError> {
    let (root, relative) = view.below("create symbolic link", symlink.target.as_path())?;
    let (parent, name) = root.parent(relative)?;
    match view.kernel.symlinkat(symlink.source.as_path(), parent.fd(), name) {
        Ok(()) => Ok(()),
        Err(Errno::EEXIST) if view.kernel.readlinkat(parent.fd(), name).as_ref() == Ok(&symlink.source) => Ok(()),
        Err(errno) => Err(root.explain("create symbolic link", relative, errno).into()),
    }
}

fn make_directory(view: &View<'_>, mkdir: &Mkdir) -> Result<(), LaunchError> {
    let (root, relative) = view.below("create directory", mkdir.target.as_path())?;
    if mkdir.recursive {
        root.create_directory(relative)?;
        return Ok(());
    }
    let (parent, name) = root.parent(relative)?;
    view.kernel
        .mkdirat(parent.fd(), name, Mode(0o755))
        .map_err(|errno| root.explain("create directory", relative, errno).into())
}

fn move_path(view: &View<'_>, rename: &Rename) -> Result<(), LaunchError> {
    let (from_root, from) = view.below("rename", rename.source.as_path())?;
    let (to_root, to): (_, &UnixPath) = view.below("rename to", rename.target.as_path())?;
    view.moves_no_shared("rename", rename.source.as_path())?;
    let (from_parent, from_name) = from_root.parent(from)?;
    let (to_parent, to_name) = to_root.parent(to)?;
    view.kernel
        .renameat2(from_parent.fd(), from_name, to_parent.fd(), to_name, RenameFlags::empty())
        .map_err(|errno| from_root.explain("rename", from, errno).into())
}

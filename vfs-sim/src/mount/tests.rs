//! Small trees of mounts, as their users make them. That all of it is as on Linux is what the conformance runs prove.

use cofferdam::UnixPath;
use cofferdam::kernel::{Errno, Kernel, MountFlags, UmountFlags};
use rstest::rstest;

use crate::filesystem::{InodeKind, Name};
use crate::handle::Process;
use crate::linux::Linux;

/// A machine with these directories.
fn machine(directories: &[&str]) -> Process {
    let mut linux = Linux::new();
    let root = linux.fs_states[linux.tasks[linux.init].fs].root.dentry;
    for path in directories {
        let mut directory = root;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let known = linux.dentries[directory].children.get(name.as_bytes()).copied();
            directory = known.unwrap_or_else(|| {
                let superblock = linux.dentries[directory].superblock;
                let inode = linux.new_inode(superblock, InodeKind::Directory, 0o755, (0, 0));
                linux.new_dentry(directory, Name::from(name), inode)
            });
        }
    }
    Process::init(linux)
}

fn mount(process: &Process, source: &str, target: &str, flags: MountFlags) -> Result<(), Errno> {
    let filesystem = (!source.starts_with('/')).then_some(source.as_bytes());
    process.mount(Some(UnixPath::new(source)), UnixPath::new(target), filesystem, flags, None)
}

fn umount(process: &Process, target: &str, flags: UmountFlags) -> Result<(), Errno> {
    process.umount2(UnixPath::new(target), flags)
}

/// Mountpoints with the optional fields, in the order of mountinfo.
fn table(process: &Process) -> Vec<String> {
    let linux = process.linux();
    let task = &linux.tasks[process.task()];
    let text = linux.mountinfo_text(task.mount_namespace, linux.fs_states[task.fs].root);
    let text = String::from_utf8(text).unwrap();
    let line = |line: &str| {
        let fields: Vec<_> = line.split(' ').collect();
        let optional = fields[6..].iter().take_while(|field| **field != "-");
        std::iter::once(&fields[4]).chain(optional).copied().collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect()
}

#[test]
fn a_mount_comes_and_goes() {
    let process = machine(&["a", "b"]);
    let before = process.linux().mounts.len();
    mount(&process, "tmpfs", "/a", MountFlags::empty()).unwrap();
    mount(&process, "/a", "/b", MountFlags::MS_BIND).unwrap();
    assert_eq!(table(&process), ["/", "/a", "/b"]);
    umount(&process, "/a", UmountFlags::empty()).unwrap();
    assert_eq!(umount(&process, "/a", UmountFlags::empty()), Err(Errno::EINVAL));
    umount(&process, "/b", UmountFlags::empty()).unwrap();
    assert_eq!(table(&process), ["/"]);
    assert_eq!(process.linux().mounts.len(), before);
}

#[test]
fn a_shared_mount_sends_and_a_slave_receives() {
    let process = machine(&["shared/x", "peer", "slave", "private", "from"]);
    mount(&process, "/shared", "/shared", MountFlags::MS_BIND).unwrap();
    mount(&process, "/shared", "/shared", MountFlags::MS_SHARED).unwrap();
    for target in ["/peer", "/slave", "/private"] {
        mount(&process, "/shared", target, MountFlags::MS_BIND).unwrap();
    }
    mount(&process, "/slave", "/slave", MountFlags::MS_SLAVE).unwrap();
    mount(&process, "/private", "/private", MountFlags::MS_PRIVATE).unwrap();
    mount(&process, "/from", "/peer/x", MountFlags::MS_BIND).unwrap();
    let expected = [
        "/",
        "/shared shared:1",
        "/peer shared:1",
        "/slave master:1",
        "/private",
        "/peer/x shared:2",
        "/shared/x shared:2",
        "/slave/x master:2",
    ];
    assert_eq!(table(&process), expected);
    umount(&process, "/shared/x", UmountFlags::empty()).unwrap();
    assert_eq!(table(&process), expected[..5]);
}

#[rstest]
#[case(MountFlags::MS_SHARED | MountFlags::MS_SLAVE)]
#[case(MountFlags::MS_SHARED | MountFlags::MS_NOSUID)]
fn more_than_a_propagation_type_is_refused(#[case] flags: MountFlags) {
    let process = machine(&[]);
    assert_eq!(mount(&process, "none", "/", flags), Err(Errno::EINVAL));
}

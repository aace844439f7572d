//! The calls that need root, each test in a mount namespace of its own: a namespace belongs to a thread, and every test
//! has one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use cofferdam::UnixPath;
use cofferdam::kernel::{
    AtFlags, Bytes, CloneFlags, DeviceNumber, Errno, Fd, FileType, FsConfig, FsmountFlags, FsopenFlags, FspickFlags,
    Kernel, Mode, MountAttr, MountAttrFlags, MountFlags, MoveMountFlags, NodeMode, OpenFlags, OpenHow, OpenTreeFlags,
    StatMountMask, UmountFlags, UniqueMountId,
};
use cofferdam::mountinfo::{OwnedEntry, Table};
use cofferdam_linux::{Features, LinuxKernel};
use tempfile::TempDir;

const KERNEL: LinuxKernel = LinuxKernel;
const NONE: AtFlags = AtFlags::empty();
const TMPFS_MAGIC: u64 = 0x0102_1994;

fn path<T: AsRef<[u8]> + ?Sized>(path: &T) -> &UnixPath {
    UnixPath::new(path)
}

/// A tmpfs on a directory of the test's own, in a mount namespace of its own, until it is dropped.
struct Sandbox {
    directory: TempDir,
}

impl Sandbox {
    /// `None`, and says so, without the privilege.
    fn new(test: &str) -> Option<Self> {
        if !common::is_root(test) {
            return None;
        }
        unshare_mounts();
        let directory = tempfile::tempdir().unwrap();
        let sandbox = Self { directory };
        KERNEL
            .mount(Some(path("sandbox")), path(&sandbox.path("")), Some(b"tmpfs"), MountFlags::empty(), None)
            .unwrap();
        Some(sandbox)
    }

    fn path(&self, name: &str) -> Vec<u8> {
        let directory = fs::canonicalize(self.directory.path()).unwrap();
        if name.is_empty() { directory } else { directory.join(name) }.into_os_string().into_encoded_bytes()
    }

    fn make_directory(&self, name: &str) -> Vec<u8> {
        KERNEL.mkdirat(Fd::CWD, path(&self.path(name)), Mode(0o700)).unwrap();
        self.path(name)
    }

    fn make_file(&self, name: &str) -> Result<(), Errno> {
        let mode = NodeMode { file_type: FileType::Regular, mode: Mode(0o600) };
        KERNEL.mknodat(Fd::CWD, path(&self.path(name)), mode, DeviceNumber::NONE)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // As often as something is mounted there.
        while KERNEL.umount2(path(&self.path("")), UmountFlags::MNT_DETACH).is_ok() {}
    }
}

fn unshare_mounts() {
    KERNEL.unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let private = MountAttr { propagation: MountFlags::MS_PRIVATE, ..MountAttr::default() };
    KERNEL.mount_setattr(Fd::CWD, path("/"), AtFlags::AT_RECURSIVE, &private).unwrap();
}

/// For what cannot be undone: another thread, with a copy of the namespace.
fn in_a_copy(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare_mounts();
            test();
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

fn mountinfo() -> Vec<u8> {
    fs::read("/proc/thread-self/mountinfo").unwrap()
}

/// What is mounted on top at a path.
fn mounted_at(mountpoint: &[u8]) -> Option<OwnedEntry> {
    let text = mountinfo();
    let table = Table::parse(&text).unwrap();
    table.at(path(mountpoint)).next_back().map(OwnedEntry::from)
}

fn attach(mount: Fd, target: &[u8]) {
    KERNEL.move_mount(mount, path(""), Fd::CWD, path(target), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).unwrap();
    KERNEL.close(mount).unwrap();
}

fn clone_tree(source: &[u8], flags: OpenTreeFlags) -> Fd {
    KERNEL
        .open_tree(Fd::CWD, path(source), OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | flags)
        .unwrap()
}

#[test]
fn a_tmpfs_is_mounted_and_unmounted() {
    let Some(sandbox) = Sandbox::new("a_tmpfs_is_mounted_and_unmounted") else { return };
    let target = sandbox.make_directory("target with space");
    let flags = MountFlags::MS_NOSUID | MountFlags::MS_NODEV | MountFlags::MS_RDONLY;
    KERNEL.mount(Some(path("a source")), path(&target), Some(b"tmpfs"), flags, Some(b"size=64k,mode=0711")).unwrap();
    let mount = mounted_at(&target).unwrap();
    assert_eq!(mount.mount_options, b"ro,nosuid,nodev,relatime");
    assert_eq!((&mount.filesystem_type[..], &mount.source[..]), (&b"tmpfs"[..], &b"a source"[..]));
    let stat = KERNEL.statx(Fd::CWD, path(&target), NONE).unwrap();
    assert_eq!((stat.mount_id, stat.is_mount_root, stat.mode), (mount.id.into(), true, Mode(0o711)));
    let stat = KERNEL.statfs(path(&target)).unwrap();
    assert_eq!((stat.magic, stat.flags & 0b111), (TMPFS_MAGIC, 0b111));

    KERNEL.umount2(path(&target), UmountFlags::empty()).unwrap();
    assert_eq!(mounted_at(&target), None);
    assert_eq!(KERNEL.umount2(path(&target), UmountFlags::empty()), Err(Errno::EINVAL));
    let unknown = KERNEL.mount(None, path(&target), Some(b"nonesuch"), MountFlags::empty(), None);
    assert_eq!(unknown, Err(Errno::ENODEV));
    let busy = KERNEL.umount2(path(&sandbox.path("")), UmountFlags::MNT_EXPIRE);
    assert_eq!(busy, Err(Errno::EAGAIN));
}

#[test]
fn a_tree_is_bound_with_open_tree_and_move_mount() {
    let Some(sandbox) = Sandbox::new("a_tree_is_bound_with_open_tree_and_move_mount") else { return };
    let (source, target) = (sandbox.make_directory("source"), sandbox.make_directory("target"));
    let inner = sandbox.make_directory("source/inner");
    KERNEL.mount(None, path(&inner), Some(b"tmpfs"), MountFlags::empty(), None).unwrap();
    attach(clone_tree(&source, OpenTreeFlags::empty()), &target);
    assert_eq!(mounted_at(&target).unwrap().root.as_bytes(), b"/source");
    assert_eq!(mounted_at(&sandbox.path("target/inner")), None);
    attach(clone_tree(&source, OpenTreeFlags::AT_RECURSIVE), &target);
    assert_eq!(mounted_at(&sandbox.path("target/inner")).unwrap().filesystem_type, b"tmpfs");
}

#[test]
fn mount_setattr_changes_attributes_and_propagation() {
    let Some(sandbox) = Sandbox::new("mount_setattr_changes_attributes_and_propagation") else { return };
    let root = sandbox.path("");
    let set = |attr| KERNEL.mount_setattr(Fd::CWD, path(&root), NONE, &attr);
    let (rdonly, none) = (MountAttrFlags::MOUNT_ATTR_RDONLY, MountAttr::default());
    let attr_set = rdonly | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    set(MountAttr { attr_set, ..none }).unwrap();
    assert_eq!(mounted_at(&root).unwrap().mount_options, b"ro,noexec,relatime");
    assert_eq!(sandbox.make_file("file"), Err(Errno::EROFS));
    set(MountAttr { attr_clr: rdonly, ..none }).unwrap();
    assert_eq!(sandbox.make_file("file"), Ok(()));

    set(MountAttr { propagation: MountFlags::MS_SHARED, ..none }).unwrap();
    assert!(mounted_at(&root).unwrap().peer_group.is_some());
    set(MountAttr { propagation: MountFlags::MS_UNBINDABLE, ..none }).unwrap();
    assert!(mounted_at(&root).unwrap().unbindable);

    let idmap = |fd| MountAttr { attr_set: MountAttrFlags::MOUNT_ATTR_IDMAP, userns_fd: Some(Fd(fd)), ..none };
    assert_eq!(set(idmap(9999)), Err(Errno::EBADF));
    assert_eq!(set(idmap(-1)), Err(Errno::EINVAL));
    assert_eq!(set(MountAttr { attr_set: MountAttrFlags::from_bits_retain(1 << 63), ..none }), Err(Errno::EINVAL));
    assert_eq!(KERNEL.mount_setattr(Fd(-1), path("x"), NONE, &MountAttr { attr_set, ..none }), Err(Errno::EBADF));
}

#[test]
fn a_tree_is_opened_with_other_attributes() {
    let Some(sandbox) = Sandbox::new("a_tree_is_opened_with_other_attributes") else { return };
    let (source, target) = (sandbox.make_directory("source"), sandbox.make_directory("target"));
    let attr = MountAttr { attr_set: MountAttrFlags::MOUNT_ATTR_RDONLY, ..MountAttr::default() };
    let open = |name: &[u8], flags, attr| KERNEL.open_tree_attr(Fd::CWD, path(name), flags, &attr);
    match open(&source, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC, attr) {
        // Linux before 6.15.
        Err(Errno::ENOSYS) => return,
        tree => attach(tree.unwrap(), &target),
    }
    assert_eq!(mounted_at(&target).unwrap().mount_options, b"ro,relatime");
    assert_eq!(mounted_at(&sandbox.path("")).unwrap().mount_options, b"rw,relatime");
    let unknown = MountAttr { attr_set: MountAttrFlags::from_bits_retain(1 << 63), ..attr };
    assert_eq!(open(&source, OpenTreeFlags::OPEN_TREE_CLONE, unknown), Err(Errno::EINVAL));
    assert_eq!(open(&source, OpenTreeFlags::from_bits_retain(1 << 30), attr), Err(Errno::EINVAL));
    assert_eq!(open(b"a\0b", OpenTreeFlags::OPEN_TREE_CLONE, attr), Err(Errno::EINVAL));
}

#[test]
fn a_filesystem_is_configured_mounted_and_reconfigured() {
    let Some(sandbox) = Sandbox::new("a_filesystem_is_configured_mounted_and_reconfigured") else { return };
    let target = sandbox.make_directory("target");
    let context = KERNEL.fsopen(b"tmpfs", FsopenFlags::FSOPEN_CLOEXEC).unwrap();
    let set = |key: &str, value: &str| {
        KERNEL.fsconfig(context, &FsConfig::SetString { key: key.into(), value: value.into() })
    };
    set("source", "configured").unwrap();
    set("size", "1m").unwrap();
    assert_eq!(set("nonesuch", "1"), Err(Errno::EINVAL));
    KERNEL.fsconfig(context, &FsConfig::SetFlag { key: "ro".into() }).unwrap();
    KERNEL.fsconfig(context, &FsConfig::Create).unwrap();
    let attributes = MountAttrFlags::MOUNT_ATTR_NOEXEC | MountAttrFlags::MOUNT_ATTR_NOATIME;
    attach(KERNEL.fsmount(context, FsmountFlags::FSMOUNT_CLOEXEC, attributes).unwrap(), &target);
    let mount = mounted_at(&target).unwrap();
    assert_eq!((&mount.source[..], &mount.mount_options[..]), (&b"configured"[..], &b"rw,noexec,noatime"[..]));
    let options = String::from_utf8(mount.super_options).unwrap();
    assert!(options.contains("size=1024k") && options.starts_with("ro,"), "{options}");

    let picked = KERNEL.fspick(Fd::CWD, path(&target), FspickFlags::FSPICK_CLOEXEC).unwrap();
    KERNEL.fsconfig(picked, &FsConfig::SetString { key: "size".into(), value: "2m".into() }).unwrap();
    KERNEL.fsconfig(picked, &FsConfig::Reconfigure).unwrap();
    let options = String::from_utf8(mounted_at(&target).unwrap().super_options).unwrap();
    assert!(options.contains("size=2048k"), "{options}");
    let binary = FsConfig::SetBinary { key: "size".into(), value: Bytes(vec![0, 1]) };
    assert_eq!(KERNEL.fsconfig(picked, &binary), Err(Errno::EINVAL));
    assert_eq!(KERNEL.fsopen(b"nonesuch", FsopenFlags::empty()), Err(Errno::ENODEV));
}

#[test]
fn statmount_and_listmount_agree_with_mountinfo() {
    let Some(sandbox) = Sandbox::new("statmount_and_listmount_agree_with_mountinfo") else { return };
    let features = Features::detect();
    if !(features.statmount && features.listmount) {
        assert_eq!(KERNEL.listmount(UniqueMountId::ROOT, 0), Err(Errno::ENOSYS));
        return;
    }
    // More than one batch of listmount's.
    for _ in 0..520 {
        let target = sandbox.path("");
        attach(clone_tree(&target, OpenTreeFlags::empty()), &target);
    }
    let shared = MountAttr { propagation: MountFlags::MS_SHARED, ..MountAttr::default() };
    KERNEL.mount_setattr(Fd::CWD, path(&sandbox.path("")), NONE, &shared).unwrap();

    let text = mountinfo();
    let table = Table::parse(&text).unwrap();
    let expected: BTreeMap<_, _> = table.entries().iter().map(|entry| (entry.id(), OwnedEntry::from(entry))).collect();
    let mounts = KERNEL.listmount(UniqueMountId::ROOT, 0).unwrap();
    assert!(mounts.is_sorted());
    assert_eq!(KERNEL.listmount(UniqueMountId::ROOT, mounts[514].0).unwrap(), mounts[515..]);
    let mut found = 0;
    for mount in mounts {
        let stat = KERNEL.statmount(mount, StatMountMask::from_bits_retain(0x3f)).unwrap();
        let entry = &expected[&stat.old_mount_id];
        assert_eq!(stat.mount_id, mount.0);
        assert_eq!(stat.old_parent_id, entry.parent_id);
        assert_eq!((stat.device.major, stat.device.minor), (entry.major, entry.minor));
        assert_eq!(stat.root.as_path(), &*entry.root);
        assert_eq!(stat.mountpoint.as_path(), &*entry.mountpoint);
        assert_eq!(stat.filesystem_type.0, entry.filesystem_type);
        assert_eq!(stat.peer_group, u64::from(entry.peer_group.unwrap_or(0)));
        assert_eq!(stat.master, u64::from(entry.master.unwrap_or(0)));
        let read_only = entry.mount_options.starts_with(b"ro");
        assert_eq!(stat.attributes.contains(MountAttrFlags::MOUNT_ATTR_RDONLY), read_only);
        let propagation = if entry.peer_group.is_some() { MountFlags::MS_SHARED } else { MountFlags::MS_PRIVATE };
        assert_eq!(stat.propagation, propagation);
        found += 1;
    }
    // The namespace's root mount is above all that listmount gives.
    assert!((expected.len() - 1..=expected.len()).contains(&found), "{found} of {}", expected.len());
    assert_eq!(KERNEL.statmount(UniqueMountId(1 << 60), StatMountMask::STATMOUNT_MNT_BASIC), Err(Errno::ENOENT));
}

#[test]
fn statmount_tells_options_and_source() {
    let Some(sandbox) = Sandbox::new("statmount_tells_options_and_source") else { return };
    if !Features::detect().statmount {
        return;
    }
    let target = sandbox.make_directory("target");
    let options = Some(&b"size=64k,mode=0711"[..]);
    KERNEL.mount(Some(path("a #b")), path(&target), Some(b"tmpfs"), MountFlags::empty(), options).unwrap();
    let mount = *KERNEL.listmount(UniqueMountId::ROOT, 0).unwrap().last().unwrap();
    let stat = KERNEL.statmount(mount, StatMountMask::from_bits_retain(u64::MAX)).unwrap();
    if !stat.mask.contains(StatMountMask::STATMOUNT_SUPPORTED_MASK) {
        // Linux before 6.15.
        return;
    }
    assert!(stat.supported_mask.contains(stat.mask));
    assert_eq!(stat.source, Bytes::from("a #b"));
    assert!(stat.options.0.starts_with(b"size=64k"), "{}", stat.options);
    assert_eq!(stat.options.0, stat.option_array.iter().map(|o| &o.0[..]).collect::<Vec<_>>().join(&b','));
    assert!(stat.namespace_id > 0);
    // Nothing to tell.
    let absent = StatMountMask::STATMOUNT_FS_SUBTYPE | StatMountMask::STATMOUNT_MNT_UIDMAP;
    assert!(!stat.mask.intersects(absent));
    assert_eq!((stat.filesystem_subtype, stat.uid_map), (Bytes::default(), Vec::new()));
}

#[test]
fn statmount_tells_a_mountpoint_of_any_length() {
    let Some(sandbox) = Sandbox::new("statmount_tells_a_mountpoint_of_any_length") else { return };
    if !Features::detect().statmount {
        return;
    }
    let how = OpenHow { flags: OpenFlags::O_PATH | OpenFlags::O_CLOEXEC, ..OpenHow::default() };
    let name = "n".repeat(250);
    let mut directory = KERNEL.openat2(Fd::CWD, path(&sandbox.path("")), how).unwrap();
    for _ in 0..40 {
        KERNEL.mkdirat(directory, path(&name), Mode(0o700)).unwrap();
        directory = KERNEL.openat2(directory, path(&name), how).unwrap();
    }
    let tree = clone_tree(&sandbox.path(""), OpenTreeFlags::empty());
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    KERNEL.move_mount(tree, path(""), directory, path(""), flags).unwrap();
    let mounts = KERNEL.listmount(UniqueMountId::ROOT, 0).unwrap();
    let stat = KERNEL.statmount(*mounts.last().unwrap(), StatMountMask::STATMOUNT_MNT_POINT).unwrap();
    assert!(stat.mountpoint.0.ends_with(format!("/{name}").as_bytes()));
    assert!(stat.mountpoint.0.len() > 40 * 251);
}

#[test]
fn the_root_is_pivoted_onto_itself() {
    let Some(sandbox) = Sandbox::new("the_root_is_pivoted_onto_itself") else { return };
    in_a_copy(|| {
        sandbox.make_file("marker").unwrap();
        assert_eq!(KERNEL.pivot_root(path("/proc/self"), path("/proc/self")), Err(Errno::EINVAL));
        KERNEL.chdir(path(&sandbox.path(""))).unwrap();
        KERNEL.pivot_root(path("."), path(".")).unwrap();
        KERNEL.umount2(path("."), UmountFlags::MNT_DETACH).unwrap();
        KERNEL.chdir(path("/")).unwrap();
        assert!(KERNEL.statx(Fd::CWD, path("/marker"), NONE).is_ok());
        assert_eq!(KERNEL.statx(Fd::CWD, path("/proc"), NONE), Err(Errno::ENOENT));
        assert_eq!(KERNEL.getcwd(), Ok("/".into()));
    });
}

#[test]
fn a_directory_outside_the_root_is_told_as_unreachable() {
    let Some(sandbox) = Sandbox::new("a_directory_outside_the_root_is_told_as_unreachable") else { return };
    let (inside, outside) = (sandbox.make_directory("inside"), sandbox.make_directory("outside"));
    in_a_copy(|| {
        KERNEL.chdir(path(&outside)).unwrap();
        KERNEL.chroot(path(&inside)).unwrap();
        let cwd = KERNEL.getcwd().unwrap();
        assert!(cwd.0.starts_with(b"(unreachable)/") && cwd.0.ends_with(b"/outside"), "{cwd}");
    });
}

#[test]
fn a_device_node_is_made() {
    let Some(sandbox) = Sandbox::new("a_device_node_is_made") else { return };
    let null = sandbox.path("null");
    let mode = NodeMode { file_type: FileType::CharacterDevice, mode: Mode(0o600) };
    KERNEL.mknodat(Fd::CWD, path(&null), mode, DeviceNumber::NULL).unwrap();
    let stat = KERNEL.statx(Fd::CWD, path(&null), NONE).unwrap();
    assert_eq!((stat.file_type, stat.rdev), (FileType::CharacterDevice, DeviceNumber::NULL));
    let how = OpenHow { flags: OpenFlags::O_WRONLY, ..OpenHow::default() };
    let fd = KERNEL.openat2(Fd::CWD, path(&null), how).unwrap();
    assert_eq!(KERNEL.write(fd, b"gone"), Ok(4));
    KERNEL.close(fd).unwrap();
    let large = DeviceNumber { major: 0xfff, minor: 0xf_ffff };
    KERNEL.mknodat(Fd::CWD, path(&sandbox.path("large")), mode, large).unwrap();
    assert_eq!(KERNEL.statx(Fd::CWD, path(&sandbox.path("large")), NONE).unwrap().rdev, large);
}

#[test]
fn a_namespace_is_entered_by_its_descriptor() {
    let Some(sandbox) = Sandbox::new("a_namespace_is_entered_by_its_descriptor") else { return };
    let how = OpenHow { flags: OpenFlags::O_CLOEXEC, ..OpenHow::default() };
    let outer = KERNEL.openat2(Fd::CWD, path("/proc/thread-self/ns/mnt"), how).unwrap();
    let target = sandbox.make_directory("target");
    in_a_copy(|| {
        KERNEL.mount(None, path(&target), Some(b"tmpfs"), MountFlags::empty(), None).unwrap();
        assert!(mounted_at(&target).is_some());
        assert_eq!(KERNEL.setns(outer, CloneFlags::CLONE_NEWUTS), Err(Errno::EINVAL));
        KERNEL.setns(outer, CloneFlags::CLONE_NEWNS).unwrap();
        assert_eq!(mounted_at(&target), None);
    });
}

#[test]
fn names_need_not_be_utf_8() {
    let Some(sandbox) = Sandbox::new("names_need_not_be_utf_8") else { return };
    let target = [sandbox.path(""), b"/\xff\xfe\n".to_vec()].concat();
    KERNEL.mkdirat(Fd::CWD, path(&target), Mode(0o700)).unwrap();
    KERNEL.mount(Some(path(b"\xff")), path(&target), Some(b"tmpfs"), MountFlags::empty(), None).unwrap();
    assert_eq!(mounted_at(&target).unwrap().source, b"\xff");
    assert!(std::path::Path::new(std::ffi::OsStr::from_bytes(&target)).is_dir());
}

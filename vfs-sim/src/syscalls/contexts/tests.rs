use cofferdam::kernel::{Call, Errno};
use rstest::rstest;

use super::*;

fn string(linux: &mut Linux, fd: Fd, key: &str, value: &str) -> Result<(), Errno> {
    let task = linux.init();
    linux.fsconfig(task, fd, &FsConfig::SetString { key: key.into(), value: value.into() }).map_err(Failure::errno)
}

fn flag(linux: &mut Linux, fd: Fd, key: &str) -> Result<(), Errno> {
    let task = linux.init();
    linux.fsconfig(task, fd, &FsConfig::SetFlag { key: key.into() }).map_err(Failure::errno)
}

fn open(linux: &mut Linux, name: &str) -> Fd {
    let task = linux.init();
    linux.fsopen(task, name.as_bytes(), FsopenFlags::empty()).unwrap()
}

fn shown(linux: &Linux, fd: Fd) -> String {
    let file = linux.file(linux.init(), fd).unwrap();
    let superblock = linux.mounts[linux.files[file].path.mount].superblock;
    String::from_utf8(linux.show_options(superblock)).unwrap()
}

fn mount(linux: &mut Linux, fd: Fd) -> Result<Fd, Errno> {
    let task = linux.init();
    linux.fsmount(task, fd, FsmountFlags::empty(), MountAttrFlags::empty()).map_err(Failure::errno)
}

#[test]
fn a_context_goes_through_its_phases() {
    let mut linux = Linux::new();
    let task = linux.init();
    let fd = open(&mut linux, "tmpfs");
    assert_eq!(mount(&mut linux, fd), Err(Errno::EINVAL));
    assert_eq!(linux.fsconfig(task, fd, &FsConfig::Reconfigure).map_err(Failure::errno), Err(Errno::EBUSY));
    assert_eq!(string(&mut linux, fd, "size", "4k"), Ok(()));
    assert_eq!(linux.fsconfig(task, fd, &FsConfig::Create), Ok(()));
    assert_eq!(linux.fsconfig(task, fd, &FsConfig::Create).map_err(Failure::errno), Err(Errno::EBUSY));
    assert_eq!(string(&mut linux, fd, "size", "1k"), Err(Errno::EBUSY));
    let mounted = mount(&mut linux, fd).unwrap();
    assert_eq!(shown(&linux, mounted), "rw,size=4k");
    assert_eq!(mount(&mut linux, fd), Err(Errno::EBUSY));
    assert_eq!(string(&mut linux, fd, "size", "2m"), Ok(()));
    assert_eq!(flag(&mut linux, fd, "ro"), Ok(()));
    // It is no parameter of the root any more.
    assert_eq!(string(&mut linux, fd, "mode", "700"), Ok(()));
    assert_eq!(linux.fsconfig(task, fd, &FsConfig::Reconfigure), Ok(()));
    assert_eq!(shown(&linux, mounted), "ro,size=2048k");
    // What a change is about is remembered, what it made of that is not.
    assert_eq!(linux.fsconfig(task, fd, &FsConfig::Reconfigure), Ok(()));
    assert_eq!(shown(&linux, mounted), "rw,size=2048k");
    assert_eq!(flag(&mut linux, fd, "dirsync"), Ok(()));
    assert_eq!(linux.fsconfig(task, fd, &FsConfig::Reconfigure).map_err(Failure::errno), Err(Errno::EINVAL));
    assert_eq!(flag(&mut linux, fd, "ro"), Err(Errno::EBUSY));
}

#[rstest]
#[case("tmpfs", "size", "abc", &["e tmpfs: Bad value for 'size'\n"])]
#[case("tmpfs", "uid", "abc", &["e tmpfs: Bad value for 'uid'\n"; 2])]
#[case("tmpfs", "uid", "4294967295", &["e tmpfs: Invalid uid '4294967295'\n"])]
#[case("tmpfs", "inode64", "x", &["e tmpfs: Unexpected value for 'inode64'\n"])]
#[case("tmpfs", "foo", "x", &["e tmpfs: Unknown parameter 'foo'\n"])]
#[case("sysfs", "x", "y", &["e sysfs: Unknown parameter 'x'\n"])]
#[case("devpts", "max", "-1", &["e max out of range\n"])]
#[case("proc", "hidepid", "foo", &["e proc: unknown value of hidepid - foo\n\n"])]
#[case("tmpfs", "casefold", "x", &["e tmpfs: tmpfs: Kernel not built with CONFIG_UNICODE\n\n"])]
fn refused_parameters_are_told_of(
    #[case] filesystem: &str,
    #[case] key: &str,
    #[case] value: &str,
    #[case] messages: &[&str],
) {
    let mut linux = Linux::new();
    let fd = open(&mut linux, filesystem);
    assert_eq!(string(&mut linux, fd, key, value), Err(Errno::EINVAL));
    let context = linux.context(linux.init(), fd, HAS_NUL).unwrap();
    for message in messages {
        assert_eq!(linux.contexts[context].read_message(5).map_err(Failure::errno), Err(Errno::EMSGSIZE));
        assert_eq!(linux.contexts[context].read_message(1000), Ok((*message).into()));
    }
    assert_eq!(linux.contexts[context].read_message(1000).map_err(Failure::errno), Err(Errno::ENODATA));
}

#[test]
fn sysfs_is_one_for_all() {
    let mut linux = Linux::new();
    let task = linux.init();
    let first = open(&mut linux, "sysfs");
    assert_eq!(linux.fsconfig(task, first, &FsConfig::CreateExclusive), Ok(()));
    let second = open(&mut linux, "sysfs");
    assert_eq!(linux.fsconfig(task, second, &FsConfig::CreateExclusive).map_err(Failure::errno), Err(Errno::EBUSY));
    assert_eq!(linux.fsconfig(task, second, &FsConfig::Create).map_err(Failure::errno), Err(Errno::EBUSY));
    let third = open(&mut linux, "sysfs");
    assert_eq!(linux.fsconfig(task, third, &FsConfig::Create), Ok(()));
    let [one, other] = [first, third].map(|fd| mount(&mut linux, fd).unwrap());
    let superblock_of = |fd| linux.mounts[linux.files[linux.file(task, fd).unwrap()].path.mount].superblock;
    assert!(superblock_of(one) == superblock_of(other));
}

#[test]
fn what_a_context_keeps_goes_with_its_descriptor() {
    let mut linux = Linux::new();
    let task = linux.init();
    let objects = |linux: &Linux| {
        let users = linux.user_namespaces[linux.initial_user_namespace].references;
        (linux.superblocks.len(), linux.dentries.len(), linux.inodes.len(), linux.mounts.len(), users)
    };
    let before = objects(&linux);
    for name in ["tmpfs", "ramfs", "proc", "devpts"] {
        let fd = open(&mut linux, name);
        assert_eq!(linux.fsconfig(task, fd, &FsConfig::Create), Ok(()));
        let mounted = mount(&mut linux, fd).unwrap();
        for fd in [fd, mounted] {
            let file = linux.file(task, fd).unwrap();
            linux.file_put(file);
        }
        assert_eq!(objects(&linux), before, "{name}");
    }
}

#[test]
fn calls_are_refused_for_their_arguments_first() {
    let mut linux = Linux::new();
    let task = linux.init();
    let fsopen = |linux: &mut Linux, name: &[u8], flags| linux.fsopen(task, name, FsopenFlags::from_bits_retain(flags));
    assert_eq!(fsopen(&mut linux, b"nosuch", 2).map_err(Failure::errno), Err(Errno::EINVAL));
    assert_eq!(fsopen(&mut linux, b"nosuch", 0).map_err(Failure::errno), Err(Errno::ENODEV));
    assert_eq!(fsopen(&mut linux, &[b'x'; 5000], 0).map_err(Failure::errno), Err(Errno::EINVAL));
    let create = Call::Fsconfig { fd: Fd(99), config: FsConfig::Create };
    assert_eq!(linux.call(task, &create), Err(Errno::EBADF));
    let fd = open(&mut linux, "tmpfs");
    let fsmount = |linux: &mut Linux, fd, flags, attributes| {
        let attributes = MountAttrFlags::from_bits_retain(attributes);
        linux.fsmount(task, fd, FsmountFlags::from_bits_retain(flags), attributes)
    };
    assert_eq!(fsmount(&mut linux, Fd(99), 0, 0x30).map_err(Failure::errno), Err(Errno::EINVAL));
    assert_eq!(fsmount(&mut linux, Fd(99), 2, 0).map_err(Failure::errno), Err(Errno::EINVAL));
    assert_eq!(fsmount(&mut linux, Fd(99), 0, 0x10_0000).map_err(Failure::errno), Err(Errno::EINVAL));
    assert_eq!(fsmount(&mut linux, Fd(99), 0, 0x20).map_err(Failure::errno), Err(Errno::EBADF));
    assert_eq!(string(&mut linux, fd, "size", &"1".repeat(255)), Ok(()));
    assert_eq!(string(&mut linux, fd, "size", &"1".repeat(256)), Err(Errno::EINVAL));
}

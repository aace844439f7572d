use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, CloneFlags, Fd, FileType, Kernel as _};
use rstest::rstest;

use super::*;
use crate::Process;
use crate::filesystem::{Entry, FilesystemType};

fn load(text: &str) -> Linux {
    let linux = Linux::from_mountinfo(text.as_bytes()).unwrap();
    assert_eq!(linux.check(), Ok(()));
    linux
}

/// mountinfo of init.
fn table(linux: &Linux) -> String {
    let init = &linux.tasks[linux.init];
    let text = linux.mountinfo_text(init.mount_namespace, linux.fs_states[init.fs].root);
    String::from_utf8(text).unwrap()
}

/// A machine of today with some of what makes tables difficult.
const DESKTOP: &str = "\
24 31 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
25 31 0:23 / /proc rw,nosuid,nodev,noexec,relatime shared:13 - proc proc rw,hidepid=invisible
26 31 0:5 / /dev rw,nosuid,relatime shared:2 - devtmpfs udev rw,size=8102996k,nr_inodes=2025749,mode=755,inode64
27 26 0:24 / /dev/pts rw,nosuid,noexec,relatime shared:3 - devpts devpts rw,gid=5,mode=620,ptmxmode=000
28 31 0:25 / /run rw,nosuid,nodev,noexec,relatime shared:5 - tmpfs tmpfs rw,size=1628928k,mode=755,inode64
31 1 0:27 /@ / rw,relatime shared:1 - btrfs /dev/nvme0n1p2 rw,ssd,space_cache=v2,subvolid=256,subvol=/@
33 26 0:28 / /dev/shm rw,nosuid,nodev shared:4 - tmpfs tmpfs rw,inode64
36 24 0:30 /../.. /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate
41 25 0:35 / /proc/sys/fs/binfmt_misc rw,relatime shared:14 - autofs systemd-1 rw,fd=29,pgrp=1,timeout=0,minproto=5
81 31 0:27 /@home /home rw,noatime shared:40 - btrfs /dev/nvme0n1p2 rw,ssd,space_cache=v2,subvolid=257,subvol=/@home
84 31 259:1 / /boot/efi ro,relatime - vfat /dev/nvme0n1p1 rw,sync,fmask=0077,iocharset=ascii,errors=remount-ro
90 41 0:36 / /proc/sys/fs/binfmt_misc rw,nosuid,nodev,noexec,relatime shared:45 - binfmt_misc binfmt_misc rw
95 28 0:25 /netns /run/netns rw,nosuid,nodev,noexec,relatime shared:5 - tmpfs tmpfs rw,size=1628928k,mode=755,inode64
97 28 0:4 net:[4026532281] /run/netns/a\\040b rw shared:46 - nsfs nsfs rw
98 95 0:4 net:[4026532281] /run/netns/a\\040b rw shared:46 - nsfs nsfs rw
99 31 0:27 /@/tmp/x//deleted /mnt/gone rw master:1 unbindable - btrfs /dev/nvme0n1p2 rw,ssd,space_cache=v2,subvolid=256,subvol=/@
100 31 0:50 / /home/u/s ro,nosymfollow,idmapped shared:50 master:1 - fuse.sshfs u@h:/a\\040b\\043c rw,user_id=1000,group_id=1000
101 31 0:50 / /home/u/t rw shared:50 master:1 - fuse.sshfs u@h:/a\\040b\\043c rw,user_id=1000,group_id=1000
102 31 0:51 / /var/lib/overlay rw,relatime shared:51 - overlay  ro,lowerdir=/l1:/l2,upperdir=/u\\054,workdir=/w
";

/// A container: events come from groups that it can't see, and some of those from one that it can.
const CONTAINER: &str = "\
700 650 0:60 / / rw,relatime master:300 - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w
701 700 0:61 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
702 700 0:62 / /dev rw,nosuid shared:400 - tmpfs tmpfs rw,size=65536k,mode=755
703 700 0:62 / /mnt/dev rw,nosuid master:401 propagate_from:400 - tmpfs tmpfs rw,size=65536k,mode=755
";

#[rstest]
#[case::desktop(DESKTOP)]
#[case::root_is_the_namespace_root("5 5 0:2 / / rw - ramfs none rw\n6 5 0:3 / / rw - ramfs none rw\n")]
#[case::root_inside_of_a_mount(
    "6 5 0:3 / /a rw - tmpfs a rw\n7 5 0:4 / / rw - tmpfs b rw\n8 6 0:4 / /a/c rw - tmpfs b rw\n"
)]
#[case::options_that_are_not_shown("9 1 0:3 / / rw - tmpfs x rw\n10 9 0:4 / /a rw - devtmpfs d rw\n")]
#[case::children_before_parents(
    "9 12 0:3 / /a/b rw - tmpfs x rw\n12 20 0:4 / /a rw - tmpfs x rw\n20 1 0:5 / / rw - tmpfs x rw\n"
)]
fn a_loaded_table_reads_the_same(#[case] text: &str) {
    assert_eq!(table(&load(text)), text);
}

#[test]
fn what_the_simulation_knows_is_made_as_by_mount() {
    let linux = load(DESKTOP);
    let (_, proc) = linux.superblocks.iter().find(|(_, object)| object.filesystem == FilesystemType::Proc).unwrap();
    assert!(proc.options.is_empty(), "{proc:?}");
    assert!(proc.no_devices && proc.no_programs);
    let sizes = linux.superblocks.iter().filter(|(_, object)| object.filesystem == FilesystemType::Tmpfs);
    assert_eq!(sizes.count(), 2);
}

/// Those that every kernel has, and those that only some have.
#[test]
fn the_directories_to_mount_on_are_those_of_a_kernel() {
    let linux = load(concat!(
        "22 1 8:2 / / rw - ext4 /dev/sda2 rw\n",
        "23 22 0:21 / /proc rw - proc proc rw\n",
        "24 22 0:22 / /sys rw - sysfs sysfs rw\n",
        "25 23 0:23 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw\n",
        "26 23 0:24 / /proc/xen rw - xenfs xenfs rw\n",
        "27 23 0:25 / /proc/acpi ro - tmpfs tmpfs rw\n",
        "28 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "29 24 0:27 / /sys/fs/fuse/connections rw - fusectl fusectl rw\n",
        "30 24 0:28 / /sys/fs/fuse ro - tmpfs tmpfs rw\n",
        "31 24 0:29 / /sys/kernel/config rw - configfs configfs rw\n",
    ));
    let is_mount_point = |id| {
        let mount = linux.mounts.iter().find(|(_, mount)| mount.id == id).unwrap().1;
        linux.inodes[linux.dentries[mount.mountpoint].inode].entry == Entry::EmptyDirectory
    };
    let marked: Vec<u32> = (22..=31).filter(|id| is_mount_point(*id)).collect();
    assert_eq!(marked, [25, 26, 28, 29, 31]);
}

#[test]
fn directories_of_proc_that_are_mounted_on_are_its_own() {
    use cofferdam::UnixPath;
    use cofferdam::kernel::{AtFlags, CloneFlags, Fd, Kernel as _, Mode, MountFlags};

    let process = crate::Process::init(load(DESKTOP));
    let stat = process.statx(Fd::CWD, UnixPath::new("/proc/sys/fs"), AtFlags::empty()).unwrap();
    assert_eq!(stat.mode, Mode(0o555));
    // A process without privileges gets a proc of its own, since the one of the host hides nothing: what is mounted on
    // there is empty for ever.
    process.unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID).unwrap();
    let child = process.fork(CloneFlags::empty()).unwrap();
    let (proc, place) = (Some(UnixPath::new("proc")), UnixPath::new("/home"));
    assert_eq!(child.mount(proc, place, Some(b"proc"), MountFlags::empty(), None), Ok(()));
}

#[test]
fn mounts_of_one_device_share_a_superblock() {
    let linux = load(DESKTOP);
    let superblock = |id| linux.mounts.iter().find(|(_, mount)| mount.id == id).unwrap().1.superblock;
    assert_eq!(superblock(28), superblock(95));
    assert_eq!(superblock(31), superblock(99));
    // They do not show the same options.
    assert_ne!(superblock(31), superblock(81));
}

#[test]
fn events_of_groups_that_are_not_shown_come_from_another_process() {
    let linux = load(CONTAINER);
    assert_eq!(table(&linux), CONTAINER);
    assert_eq!(linux.tasks.len(), 2);
    let hidden: Vec<_> = linux.mounts.iter().filter(|(_, mount)| mount.group == 401).collect();
    let [(_, hidden)] = hidden[..] else { panic!("{hidden:?}") };
    assert_eq!(linux.mounts[hidden.master.unwrap()].id, 702);
    assert_eq!(load(DESKTOP).tasks.len(), 1);
}

#[test]
fn a_file_may_receive_events_of_a_group_that_is_not_shown() {
    let linux = load("5 1 0:2 / / rw - t s rw\n6 5 0:3 net:[4026531840] /a rw master:7 - nsfs nsfs rw\n");
    linux.check().unwrap();
}

#[test]
fn new_numbers_are_above_those_of_the_text() {
    let mut linux = load(DESKTOP);
    let superblock = linux.new_superblock(FilesystemType::Tmpfs, linux.initial_user_namespace);
    let mount = linux.new_mount(linux.superblocks[superblock].root, &Name::from("x"));
    assert!(linux.mounts[mount].id > 102);
    assert!(linux.superblocks[superblock].device.minor > 51);
    assert_eq!(linux.group_ids.allocate(), 52);
}

#[test]
fn nothing_is_left_of_the_machine_that_it_began_as() {
    let (linux, new) = (load("5 1 0:2 / / rw - ext4 none rw\n"), Linux::new());
    let sizes = |linux: &Linux| {
        let mounts = (linux.mounts.len(), linux.mount_namespaces.len(), linux.superblocks.len());
        (mounts, linux.dentries.len(), linux.inodes.len(), linux.contexts.len())
    };
    assert_eq!(sizes(&linux), sizes(&new));
}

#[rstest]
#[case("", "the table is empty")]
#[case("junk\n", "line 1: field 1 (mount ID) is not a number: \"junk\"")]
#[case("5 1 0:2 / / rw - t s rw\n5 1 0:2 / /a rw - t s rw\n", "line 2: a mount with the id 5 is there already")]
#[case("5 1 0:2 / / rw - t s rw\n6 2 0:2 / /a rw - t s rw\n", "line 2: the parent, 2, is not in the table")]
#[case("5 1 0:2 / / rw - t s rw\n6 6 0:2 / / rw - t s rw\n", "line 2: the parent, 6, is not in the table")]
#[case("5 6 0:2 / / rw - t s rw\n6 5 0:2 / / rw - t s rw\n", "line 1: the mount is on one that is on it")]
#[case(
    "5 1 0:2 / / rw - t s rw\n6 7 0:2 / /a rw - t s rw\n7 6 0:2 / /a rw - t s rw\n",
    "line 2: the mount is on one that is on it"
)]
#[case(
    "5 1 0:2 / / rw - t s rw\n6 5 0:2 / /a rw - t s rw\n7 6 0:2 / /ab rw - t s rw\n",
    "line 3: the mountpoint is not below that of the parent: \"/ab\""
)]
#[case(
    "5 1 0:2 / / rw - t s rw\n6 5 0:2 / /a rw - t s rw\n7 5 0:2 / /a rw - t s rw\n",
    "line 3: another mount is mounted on the same place of the same parent: \"/a\""
)]
#[case("5 5 0:2 / /a rw - t s rw\n", "line 1: the mountpoint is not below that of the parent: \"/a\"")]
#[case("5 1 0:2 / a rw - t s rw\n", "line 1: the mountpoint is not below that of the parent: \"a\"")]
#[case("5 1 0:2 / /a/../b rw - t s rw\n", "line 1: the mountpoint is not below that of the parent: \"/a/../b\"")]
#[case("5 1 0:2 / /a\\000 rw - t s rw\n", "line 1: the mountpoint is not below that of the parent: \"/a\\\\000\"")]
#[case("5 1 0:2 x / rw - t s rw\n", "line 1: the root is no path in a filesystem: \"x\"")]
#[case("5 1 0:2 //deleted / rw - t s rw\n", "line 1: the root is no path in a filesystem: \"//deleted\"")]
#[case("5 1 0:2 / / rw,wild - t s rw\n", "line 1: unknown option of a mount: \"wild\"")]
#[case("5 1 0:2 / / rw - t s rwx\n", "line 1: the options of the filesystem start with neither ro nor rw: \"rwx\"")]
#[case("2147483647 1 0:2 / / rw - t s rw\n", "line 1: 2147483647 is too large a number, or 0")]
#[case("5 1 0:1048576 / / rw - t s rw\n", "line 1: 1048576 is too large a number, or 0")]
#[case("5 1 0:2 / / rw shared:0 - t s rw\n", "line 1: 0 is too large a number, or 0")]
#[case("5 1 0:2 / / rw shared:1 unbindable - t s rw\n", "line 1: the mount is shared and unbindable")]
#[case("5 1 0:2 / / rw propagate_from:1 - t s rw\n", "line 1: no events come from the peer group 1")]
#[case("5 1 0:2 / / rw master:2 propagate_from:1 - t s rw\n", "line 1: no events come from the peer group 1")]
#[case("5 1 0:2 / / rw shared:1 master:1 - t s rw\n", "line 1: the peer group 1 receives its own events")]
#[case(
    "5 1 0:2 / / rw shared:1 master:2 - t s rw\n6 5 0:2 / /a rw master:1 shared:2 - t s rw\n",
    "line 1: the peer group 1 receives its own events"
)]
#[case(
    "5 1 0:2 / / rw shared:1 master:2 propagate_from:1 - t s rw\n",
    "line 1: the peer group 1 receives its own events"
)]
#[case(
    "5 1 0:2 / / rw shared:1 master:2 - t s rw\n6 5 0:2 / /a rw shared:1 - t s rw\n",
    "line 2: not all mounts of the peer group 1 receive events from the same group"
)]
#[case(
    "5 1 0:2 / / rw - t s rw\n6 5 0:2 net:[4026531840] /a rw - nsfs s rw\n7 6 0:3 / /a rw - t s rw\n",
    "line 3: one of what is mounted and its mountpoint is a directory, and the other is none: \"/a\""
)]
#[case(
    "5 1 0:2 net:[4026531840] / rw - nsfs s rw\n",
    "line 1: one of what is mounted and its mountpoint is a directory, and the other is none: \"/\""
)]
#[case(
    "5 1 0:2 / / rw - t s rw\n6 5 0:3 /x//deleted /a rw - t s rw\n7 6 0:2 / /a/b rw - t s rw\n",
    "line 3: there can be no \"b\" in a directory that was removed"
)]
#[case(
    "5 1 0:2 / / rw - t s rw\n6 5 0:3 /x//deleted /a rw - t s rw\n7 6 0:2 / /a rw - t s rw\n",
    "line 3: nothing can be mounted on \"/a\": it is a directory that was removed"
)]
fn what_no_process_sees_is_refused(#[case] text: &str, #[case] message: &str) {
    assert_eq!(Linux::from_mountinfo(text.as_bytes()).unwrap_err().to_string(), message);
}

#[test]
fn ten_thousand_mounts_are_loaded() {
    use std::fmt::Write as _;
    let mut text = String::from("5 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n");
    for id in 10..10_010 {
        let (parent, place) =
            if id % 10 == 0 { (5, format!("/a/{id}")) } else { (id - 1, format!("/a/{}", id / 10 * 10)) };
        writeln!(text, "{id} {parent} 0:{id} /x {place} rw - t s rw").unwrap();
    }
    assert_eq!(table(&load(&text)), text);
}

#[test]
fn what_is_mounted_on_a_file_of_proc_is_a_file_everywhere() {
    let text = b"20 1 0:40 / / rw - overlay overlay rw\n\
        21 20 0:41 / /proc rw - proc proc rw\n\
        22 20 0:42 / /dev rw - tmpfs tmpfs rw\n\
        23 21 0:42 /null /proc/keys rw - tmpfs tmpfs rw\n\
        24 21 0:41 /sysrq-trigger /proc/sysrq-trigger ro - proc proc rw\n\
        25 20 8:1 /hosts /etc/hosts rw - ext4 /dev/sda1 rw\n\
        26 20 8:1 /srv /srv rw - ext4 /dev/sda1 rw\n";
    let linux = Linux::from_mountinfo_with_files(text, |id| id == 25).unwrap();
    linux.check().unwrap();
    assert_eq!(linux.task(linux.init()).unwrap().mountinfo().as_deref(), Some(&text[..]));
    let process = Process::init(linux);
    let kind = |path| process.statx(Fd::CWD, UnixPath::new(path), AtFlags::empty()).map(|stat| stat.file_type);
    for path in ["/dev/null", "/proc/keys", "/proc/sysrq-trigger", "/etc/hosts"] {
        assert_eq!(kind(path), Ok(FileType::Regular), "{path}");
    }
    for path in ["/proc", "/etc", "/srv"] {
        assert_eq!(kind(path), Ok(FileType::Directory), "{path}");
    }
}

#[test]
fn a_file_of_a_mount_namespace_is_one() {
    let text = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
        21 20 0:4 mnt:[4026532730] /run/a rw - nsfs nsfs rw\n\
        22 20 0:4 net:[4026532731] /run/b rw - nsfs nsfs rw\n\
        23 20 0:4 mnt:[4026532730] /run/c rw - nsfs nsfs rw\n";
    let linux = load(text);
    assert_eq!(table(&linux), text);
    let process = Process::init(linux);
    process.unshare(CloneFlags::CLONE_NEWNS).unwrap();
    process.linux().check().unwrap();
    let copied = String::from_utf8(process.linux().mountinfo_table(process.task()).unwrap()).unwrap();
    let mountpoints: Vec<_> = copied.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    assert_eq!(mountpoints, ["/", "/run/b"]);
}

#[rstest]
#[case::options("21 20 0:4 mnt:[4026532730] /run/a rw - nsfs nsfs rw,subvol=/a\n")]
#[case::read_only("21 20 0:4 mnt:[4026532730] /run/a rw - nsfs nsfs ro\n")]
#[case::zeros("21 20 0:4 mnt:[0004026532730] /run/a rw - nsfs nsfs rw\n")]
#[case::two_devices(
    "21 20 0:4 mnt:[4026532730] /run/a rw - nsfs nsfs rw\n22 20 0:5 mnt:[4026532731] /run/b rw - nsfs nsfs rw\n"
)]
#[case::no_number("21 20 0:4 mnt:[18446744073709551615] /run/a rw - nsfs nsfs rw\n")]
fn a_file_of_a_mount_namespace_that_linux_would_not_write_so_is_some_file(#[case] lines: &str) {
    let text = format!("20 1 8:1 / / rw - ext4 /dev/sda1 rw\n{lines}");
    let linux = load(&text);
    assert_eq!(table(&linux), text);
    let process = Process::init(linux);
    process.unshare(CloneFlags::CLONE_NEWNS).unwrap();
    process.linux().check().unwrap();
}

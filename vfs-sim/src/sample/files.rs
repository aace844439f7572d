//! What is on the sample host, directories before what is in them.

use cofferdam::kernel::FileType::{BlockDevice, CharacterDevice};

use super::entry::{Entry, device, directory, file, link};
use super::{HOSTILE_ROOTFS, ROOTFS};
use crate::process::named_program;

/// A user of the host besides root.
const ALICE: u32 = 1000;

/// Programs of the host.
const PROGRAMS: [&str; 32] = [
    "bash",
    "cat",
    "chmod",
    "chown",
    "cofferdam",
    "cp",
    "dash",
    "echo",
    "env",
    "false",
    "find",
    "findmnt",
    "grep",
    "head",
    "id",
    "ln",
    "ls",
    "mkdir",
    "mount",
    "mv",
    "ps",
    "pwd",
    "readlink",
    "rm",
    "rmdir",
    "sleep",
    "stat",
    "tail",
    "touch",
    "true",
    "umount",
    "uname",
];

/// The commands of busybox.
const COMMANDS: [&str; 46] = [
    "ash",
    "cat",
    "chgrp",
    "chmod",
    "chown",
    "cp",
    "cut",
    "date",
    "dd",
    "df",
    "echo",
    "env",
    "false",
    "find",
    "grep",
    "head",
    "hostname",
    "id",
    "kill",
    "ln",
    "ls",
    "mkdir",
    "mknod",
    "mount",
    "mountpoint",
    "mv",
    "printf",
    "ps",
    "pwd",
    "readlink",
    "rm",
    "rmdir",
    "sed",
    "sh",
    "sleep",
    "sort",
    "stat",
    "tail",
    "tee",
    "test",
    "touch",
    "true",
    "umount",
    "uname",
    "wc",
    "whoami",
];

const HOST_PASSWD: &[u8] = b"\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
alice:x:1000:1000:Alice:/home/alice:/bin/bash
";

const HOST_GROUP: &[u8] = b"\
root:x:0:
daemon:x:1:
bin:x:2:
adm:x:4:alice
tty:x:5:
disk:x:6:
www-data:x:33:
users:x:100:alice
nogroup:x:65534:
alice:x:1000:
";

const HOST_SHADOW: &[u8] = b"root:*:20000:0:99999:7:::\nalice:!:20000:0:99999:7:::\n";

const HOST_FSTAB: &[u8] = b"\
/dev/sda2 / ext4 errors=remount-ro 0 1
/dev/sda1 /boot ext4 defaults 0 2
/dev/sdb1 /home ext4 nosuid,nodev 0 2
";

const HOSTS: &[u8] = b"127.0.0.1 localhost\n::1 localhost\n";

const ROOTFS_PASSWD: &[u8] = b"\
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
";

const ROOTFS_GROUP: &[u8] = b"root:x:0:\ntty:x:5:\nnogroup:x:65534:\n";

/// The files of the host itself.
pub(super) fn host() -> impl Iterator<Item = Entry> {
    let directories = [
        "/boot",
        "/dev",
        "/etc",
        "/home",
        "/media",
        "/mnt",
        "/opt",
        "/proc",
        "/run",
        "/srv",
        "/sys",
        "/usr",
        "/usr/bin",
        "/usr/lib",
        "/usr/local",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/share",
        "/var",
        "/var/cache",
        "/var/lib",
        "/var/log",
    ];
    let merged = [("/bin", "usr/bin"), ("/lib", "usr/lib"), ("/sbin", "usr/sbin")];
    let others = [
        directory("/root", 0o700),
        directory("/tmp", 0o1777),
        directory("/var/tmp", 0o1777),
        directory("/home/alice", 0o750).owned_by(ALICE),
        file("/home/alice/notes", 0o640, b"of alice\n").owned_by(ALICE),
        file("/etc/fstab", 0o644, HOST_FSTAB),
        file("/etc/group", 0o644, HOST_GROUP),
        file("/etc/hostname", 0o644, b"sample\n"),
        file("/etc/hosts", 0o644, HOSTS),
        file("/etc/passwd", 0o644, HOST_PASSWD),
        file("/etc/shadow", 0o600, HOST_SHADOW),
        link("/usr/bin/sh", "dash"),
    ];
    let programs = PROGRAMS.iter().map(|name| file(&format!("/usr/bin/{name}"), 0o755, named_program(name)));
    let directories = directories.into_iter().map(|path| directory(path, 0o755));
    let merged = merged.into_iter().map(|(path, target)| link(path, target));
    directories.chain(merged).chain(others).chain(programs).chain(devices())
}

/// What devtmpfs and udev make, or whoever made a `/dev` of another kind.
fn devices() -> impl Iterator<Item = Entry> {
    let characters = [("null", (1, 3)), ("zero", (1, 5)), ("full", (1, 7)), ("random", (1, 8)), ("urandom", (1, 9))];
    let characters = characters.into_iter().chain([("tty", (5, 0))]);
    let disks = [("sda", (8, 0)), ("sda1", (8, 1)), ("sda2", (8, 2)), ("sdb", (8, 16)), ("sdb1", (8, 17))];
    let links = [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")];
    characters
        .map(|(name, numbers)| device(&format!("/dev/{name}"), 0o666, CharacterDevice, numbers))
        .chain(disks.map(|(name, numbers)| device(&format!("/dev/{name}"), 0o660, BlockDevice, numbers)))
        .chain(links.map(|(name, target)| link(&format!("/dev/{name}"), target)))
}

/// The root filesystem for containers.
pub(super) fn rootfs() -> impl Iterator<Item = Entry> {
    let directories = [
        "/",
        "/bin",
        "/dev",
        "/etc",
        "/home",
        "/mnt",
        "/mnt/mesos",
        "/mnt/mesos/sandbox",
        "/proc",
        "/run",
        "/sbin",
        "/sys",
        "/usr",
        "/usr/bin",
        "/usr/sbin",
        "/var",
        "/var/log",
    ];
    let others = [
        directory("/root", 0o700),
        directory("/tmp", 0o1777),
        file("/bin/busybox", 0o755, named_program("busybox")),
        link("/sbin/chroot", "../bin/busybox"),
        link("/sbin/pivot_root", "../bin/busybox"),
        link("/usr/bin/env", "../../bin/busybox"),
        file("/etc/group", 0o644, ROOTFS_GROUP),
        file("/etc/hosts", 0o644, HOSTS),
        file("/etc/passwd", 0o644, ROOTFS_PASSWD),
    ];
    let commands = COMMANDS.iter().map(|name| link(&format!("/bin/{name}"), "busybox"));
    let directories = directories.into_iter().map(|path| directory(path, 0o755));
    directories.chain(others).chain(commands).map(|entry| entry.below(ROOTFS))
}

/// An image that wants the devices of a container in the host's `/etc`.
pub(super) fn hostile_rootfs() -> impl Iterator<Item = Entry> {
    let entries = [
        directory("/", 0o755),
        directory("/bin", 0o755),
        file("/bin/true", 0o755, named_program("true")),
        link("/dev", "/etc"),
    ];
    entries.into_iter().map(|entry| entry.below(HOSTILE_ROOTFS))
}

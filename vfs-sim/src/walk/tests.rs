//! What the walk and openat2(2) do, as the kernel does it (Linux 6.18).

use std::sync::Arc;

use cofferdam::kernel::{
    AtFlags, Capabilities, DeviceNumber, Errno, Fd, Mode, OpenFlags, OpenHow, ResolveFlags, UmountFlags,
};
use rstest::rstest;

use super::LookupFlags;
use crate::arena::Id;
use crate::failure::Failure;
use crate::filesystem::{Dentry, FilesystemType, Inode, InodeKind, Name};
use crate::linux::Linux;
use crate::mount::{Mount, Path};
use crate::namespace::{IdExtent, UserNamespace};
use crate::process::Task;

const READ: u32 = 0;
const WRITE: u32 = 1;
const CREATE: u32 = 0o100;
const EXCLUSIVE: u32 = 0o200;
const TMPFILE: u32 = 0o20_200_000;
const NO_ATIME: u32 = 0o1_000_000;
const PATH: u32 = 0o10_000_000;
const NO_FOLLOW: u32 = 0o400_000;

struct Machine {
    linux: Linux,
    task: Id<Task>,
}

impl Machine {
    fn new() -> Self {
        let linux = Linux::new();
        let task = linux.init;
        let mut machine = Self { linux, task };
        machine.fs().umask = 0;
        machine
    }

    fn fs(&mut self) -> &mut crate::process::FsState {
        let fs = self.linux.tasks[self.task].fs;
        &mut self.linux.fs_states[fs]
    }

    fn make(&mut self, path: &str, kind: InodeKind, owner: u32, mode: u32) -> Id<Dentry> {
        let place = self.linux.filename_create(self.task, Fd::CWD, path.as_bytes(), true).unwrap();
        let entry = self.linux.new_entry(self.task, place.directory, place.name, kind, mode).unwrap();
        let inode = self.inode(entry);
        self.linux.inodes[inode].uid = owner;
        self.linux.inodes[inode].gid = owner;
        self.linux.inodes[inode].mode = mode;
        entry
    }

    fn directory(&mut self, path: &str) {
        self.make(path, InodeKind::Directory, 0, 0o755);
    }

    fn file(&mut self, path: &str) {
        self.make(path, InodeKind::Regular(Arc::default()), 0, 0o644);
    }

    fn link(&mut self, path: &str, target: &str) {
        self.make(path, InodeKind::Symlink(Name::from(target)), 0, 0o777);
    }

    fn tmpfs(&mut self, path: &str) -> Id<Mount> {
        let superblock = self.linux.new_superblock(FilesystemType::Tmpfs, self.linux.initial_user_namespace);
        let mount = self.linux.new_mount(self.linux.superblocks[superblock].root, &Name::from("t"));
        let place = self.find(path).unwrap();
        self.linux.attach(mount, place);
        let namespace = self.linux.tasks[self.task].mount_namespace;
        self.linux.list_in_namespace(namespace, mount);
        mount
    }

    fn find(&mut self, path: &str) -> Result<Path, Errno> {
        self.linux.lookup(self.task, Fd::CWD, path.as_bytes(), LookupFlags::FOLLOW).map_err(Failure::errno)
    }

    fn inode(&self, dentry: Id<Dentry>) -> Id<Inode> {
        self.linux.dentries[dentry].inode
    }

    fn open(&mut self, path: &str, flags: u32, mode: u32, resolve: u64) -> Result<Fd, Errno> {
        let how = OpenHow {
            flags: OpenFlags::from_bits_retain(flags),
            mode: Mode(mode),
            resolve: ResolveFlags::from_bits_retain(resolve),
        };
        self.linux.openat2(self.task, Fd::CWD, path.as_bytes(), how).map_err(Failure::errno)
    }

    fn become_user(&mut self, id: u32) {
        let credentials = Arc::make_mut(&mut self.linux.tasks[self.task].credentials);
        credentials.filesystem_uid = id;
        credentials.filesystem_gid = id;
        if id != 0 {
            credentials.effective = Capabilities::empty();
        }
    }
}

/// A tree with a user namespace's ids, 0 to 9 of which are 1000 to 1009, mounted on `/i`.
fn id_mapped() -> Machine {
    let mut machine = Machine::new();
    machine.directory("/i");
    let mount = machine.tmpfs("/i");
    for (name, owner, mode) in
        [("f0", 0, 0o600), ("f5", 5, 0o600), ("f500", 500, 0o600), ("f500r", 500, 0o644), ("f500w", 500, 0o666)]
    {
        machine.make(&format!("/i/{name}"), InodeKind::Regular(Arc::default()), owner, mode);
    }
    for (name, owner, mode) in
        [("d0", 0, 0o700), ("d777", 0, 0o777), ("d500", 500, 0o777), ("d500x", 500, 0o700), ("dg5", 5, 0o2777)]
    {
        machine.make(&format!("/i/{name}"), InodeKind::Directory, owner, mode);
    }
    let map = vec![IdExtent { inside: 0, outside: 1000, count: 10 }];
    let initial = &machine.linux.user_namespaces[machine.linux.initial_user_namespace];
    let namespace = UserNamespace { uid_map: map.clone(), gid_map: map, ..initial.clone() };
    let namespace = machine.linux.user_namespaces.insert(namespace);
    machine.linux.mounts[mount].idmap = Some(namespace);
    machine
}

#[rstest]
#[case::root(0, "f0", READ, Ok(()))]
#[case::root_is_capable_over_mapped_owners(0, "f5", WRITE, Ok(()))]
#[case::root_is_not_over_others(0, "f500", READ, Err(Errno::EACCES))]
#[case::root_reads_what_all_read(0, "f500r", READ, Ok(()))]
#[case::nobody_writes_for_owners_without_number(0, "f500w", WRITE, Err(Errno::EACCES))]
#[case::nobody_owns_them(0, "f500r", NO_ATIME, Err(Errno::EPERM))]
#[case::root_has_no_number_to_give(0, "d777/n", CREATE | WRITE, Err(Errno::EOVERFLOW))]
#[case::numbers_before_permissions(0, "d500/n", CREATE | WRITE, Err(Errno::EOVERFLOW))]
#[case::search_before_numbers(0, "d500x/n", CREATE | WRITE, Err(Errno::EACCES))]
#[case::root_has_no_number_for_a_nameless_file(0, "d0", TMPFILE | WRITE, Err(Errno::EOVERFLOW))]
#[case::user_owns(1000, "f0", WRITE, Ok(()))]
#[case::user_owns_and_keeps_the_time(1000, "f0", NO_ATIME, Ok(()))]
#[case::user_does_not_own(1000, "f5", READ, Err(Errno::EACCES))]
#[case::user_creates(1000, "d0/n", CREATE | WRITE, Ok(()))]
#[case::user_creates_nameless(1000, "d777", TMPFILE | WRITE, Ok(()))]
#[case::user_creates_where_the_owner_has_no_number(1000, "d500/n", CREATE | WRITE, Err(Errno::EACCES))]
#[case::the_number_inside_is_another_user(5, "f5", READ, Err(Errno::EACCES))]
#[case::without_number(500, "d777/n", CREATE | WRITE, Err(Errno::EOVERFLOW))]
fn id_mapped_mounts(#[case] user: u32, #[case] path: &str, #[case] flags: u32, #[case] expected: Result<(), Errno>) {
    let mut machine = id_mapped();
    machine.become_user(user);
    let mode = if flags & (CREATE | 0o20_000_000) == 0 { 0 } else { 0o600 };
    assert_eq!(machine.open(&format!("/i/{path}"), flags, mode, 0).map(|_| ()), expected);
}

#[rstest]
#[case(1000, "/i/d777/n", (0, 0, 0o6777))]
#[case(1005, "/i/d777/n", (5, 5, 0o6777))]
// The group of the directory is not ours: no set-group-id for those who may run it.
#[case(1000, "/i/dg5/n", (0, 5, 0o4777))]
#[case(1005, "/i/dg5/n", (5, 5, 0o6777))]
fn owner_and_mode_of_what_is_created(#[case] user: u32, #[case] path: &str, #[case] expected: (u32, u32, u32)) {
    let mut machine = id_mapped();
    machine.become_user(user);
    machine.open(path, CREATE | WRITE, 0o6777, 0).unwrap();
    let dentry = machine.find(path).unwrap().dentry;
    let inode = &machine.linux.inodes[machine.inode(dentry)];
    assert_eq!((inode.uid, inode.gid, inode.mode), expected);
}

/// In a directory of all users, a device of another one can't be opened with `O_CREAT`, not even by root.
#[test]
fn devices_in_sticky_directories() {
    let mut machine = Machine::new();
    machine.make("/t", InodeKind::Directory, 500, 0o1777);
    machine.make("/t/null", InodeKind::CharacterDevice(DeviceNumber::NULL), 7, 0o666);
    assert_eq!(machine.open("/t/null", CREATE | WRITE, 0o600, 0), Err(Errno::EACCES));
    assert_eq!(machine.open("/t/null", WRITE, 0, 0), Ok(Fd(0)));
    machine.become_user(7);
    assert_eq!(machine.open("/t/null", CREATE | WRITE, 0o600, 0), Ok(Fd(1)));
}

#[rstest]
#[case::empty("", READ, Err(Errno::ENOENT))]
#[case::file_as_directory("f/", READ, Err(Errno::ENOTDIR))]
#[case::below_a_file("f/..", READ, Err(Errno::ENOTDIR))]
#[case::create_with_a_slash("f/", CREATE, Err(Errno::EISDIR))]
#[case::create_a_directory("d", CREATE, Err(Errno::EISDIR))]
#[case::create_dot(".", CREATE, Err(Errno::EISDIR))]
#[case::exclusive_before_directory(".", CREATE | EXCLUSIVE, Err(Errno::EEXIST))]
#[case::exclusive_does_not_follow("dangling", CREATE | EXCLUSIVE, Err(Errno::EEXIST))]
#[case::create_where_a_link_leads("dangling", CREATE, Ok(()))]
#[case::write_a_directory("d", WRITE, Err(Errno::EISDIR))]
#[case::link_not_followed("lf", NO_FOLLOW, Err(Errno::ELOOP))]
#[case::link_as_a_place("lf", NO_FOLLOW | PATH, Ok(()))]
#[case::slash_follows("ld/", NO_FOLLOW, Ok(()))]
#[case::slash_follows_to_a_file("lf/", NO_FOLLOW, Err(Errno::ENOTDIR))]
#[case::link_is_no_directory("ld", NO_FOLLOW | 0o200_000, Err(Errno::ENOTDIR))]
#[case::direct_directory("d", 0o40_000, Err(Errno::EINVAL))]
#[case::direct_file("f", 0o40_000, Ok(()))]
#[case::neither_read_nor_written("f", 3, Ok(()))]
#[case::name_too_long(LONG, READ, Err(Errno::ENAMETOOLONG))]
#[case::itself("loop", READ, Err(Errno::ELOOP))]
fn opening(#[case] path: &str, #[case] flags: u32, #[case] expected: Result<(), Errno>) {
    let mut machine = Machine::new();
    machine.file("f");
    machine.directory("d");
    machine.link("lf", "f");
    machine.link("ld", "d");
    machine.link("dangling", "new");
    machine.link("loop", "loop");
    let mode = if flags & CREATE == 0 { 0 } else { 0o600 };
    assert_eq!(machine.open(path, flags, mode, 0).map(|_| ()), expected);
}

const LONG: &str = match std::str::from_utf8(&[b'x'; 256]) {
    Ok(name) => name,
    Err(_) => "",
};

#[test]
fn forty_links_are_followed() {
    let mut machine = Machine::new();
    machine.file("0");
    for link in 1..=41 {
        machine.link(&link.to_string(), &(link - 1).to_string());
    }
    assert!(machine.find("40").is_ok());
    assert_eq!(machine.find("41"), Err(Errno::ELOOP));
    // A walk that is tried again, now with references, does not forget those that it has followed.
    machine.link("out", "../..");
    machine.link("d", ".");
    let out = |links: usize| format!("{}out", "d/".repeat(links));
    assert_eq!(machine.open(&out(19), READ, 0, 0x8), Err(Errno::EXDEV));
    assert_eq!(machine.open(&out(20), READ, 0, 0x8), Err(Errno::ELOOP));
}

/// Which walks let go of a reference to the mount on `/c`, which clears its mark.
#[rstest]
#[case::its_end("c", 0, true)]
#[case::through_it("c/..", 0, false)]
#[case::failure_in_it("c/missing", 0, true)]
#[case::failure_behind_it("c/../missing", 0, false)]
#[case::not_entered("c", 0x1, true)]
#[case::again_with_references("c/../..", 0x8, true)]
#[case::cached("c", 0x20, true)]
#[case::cached_failure("c/missing", 0x20, false)]
fn expiry_marks(#[case] path: &str, #[case] resolve: u64, #[case] is_cleared: bool) {
    let mut machine = Machine::new();
    machine.directory("/c");
    machine.tmpfs("/c");
    let flags = UmountFlags::MNT_EXPIRE;
    assert_eq!(machine.linux.umount2(machine.task, b"/c", flags).map_err(Failure::errno), Err(Errno::EAGAIN));
    if let Ok(fd) = machine.open(path, READ, 0, resolve) {
        let table = machine.linux.tasks[machine.task].files;
        let file = machine.linux.fd_tables[table].take(fd).unwrap();
        machine.linux.file_put(file);
    }
    let expected = if is_cleared { Err(Errno::EAGAIN) } else { Ok(()) };
    assert_eq!(machine.linux.umount2(machine.task, b"/c", flags).map_err(Failure::errno), expected);
}

#[test]
fn a_removed_directory_leads_up_only() {
    let mut machine = Machine::new();
    machine.directory("/d");
    machine.linux.chdir(machine.task, b"/d").unwrap();
    let at = AtFlags::AT_REMOVEDIR;
    machine.linux.unlinkat(machine.task, Fd::CWD, b"/d", at).unwrap();
    assert!(machine.find(".").is_ok());
    assert_eq!(machine.find(".."), machine.find("/"));
    assert_eq!(machine.find(LONG), Err(Errno::ENOENT));
    assert_eq!(machine.open("x", CREATE, 0o600, 0), Err(Errno::ENOENT));
    assert_eq!(machine.linux.getcwd(machine.task).map_err(Failure::errno), Err(Errno::ENOENT));
    assert_eq!(machine.open(".", TMPFILE | WRITE, 0o600, 0), Ok(Fd(0)));
}

#[test]
fn root_and_what_is_outside_of_it() {
    let mut machine = Machine::new();
    machine.directory("/a");
    machine.directory("/a/b");
    machine.directory("/o");
    let getcwd =
        |machine: &mut Machine| machine.linux.getcwd(machine.task).map(|text| String::from_utf8(text.0).unwrap());
    machine.linux.chdir(machine.task, b"/o").unwrap();
    machine.linux.chroot(machine.task, b"/a").unwrap();
    assert_eq!(getcwd(&mut machine).unwrap(), "(unreachable)/o");
    assert_eq!(machine.find("/../.."), machine.find("/"));
    // What is outside goes on to the true root.
    assert!(machine.find("../../a/b").is_ok());
    // `..` of the root goes to what is mounted on it.
    let mount = machine.tmpfs("/");
    assert_eq!(machine.find("/..").unwrap().mount, mount);
    assert!(machine.find("/b").is_ok());
    machine.become_user(1);
    assert_eq!(machine.linux.chroot(machine.task, b"/b").map_err(Failure::errno), Err(Errno::EPERM));
    assert_eq!(machine.linux.chroot(machine.task, b"/missing").map_err(Failure::errno), Err(Errno::ENOENT));
}

/// A directory that was moved out of a bind mount: from there it does not go up any more.
#[test]
fn moved_out_of_a_mount() {
    let mut machine = Machine::new();
    for path in ["/s", "/s/d", "/s/d/e", "/m"] {
        machine.directory(path);
    }
    let (source, place, root) = (machine.find("/s").unwrap(), machine.find("/m").unwrap(), machine.find("/").unwrap());
    let mount = machine.linux.new_mount(source.dentry, &Name::from("bind"));
    machine.linux.attach(mount, place);
    machine.linux.chdir(machine.task, b"/m/d/e").unwrap();
    let moved = machine.find("/s/d").unwrap().dentry;
    machine.linux.move_dentry(moved, root.dentry, Name::from("d"));
    assert_eq!(machine.find("../../s"), Err(Errno::ENOENT));
    assert_eq!(machine.find(".."), Err(Errno::ENOENT));
    assert_eq!(machine.linux.getcwd(machine.task).map(|text| text.0), Ok(b"(unreachable)/".to_vec()));
}

//! What the tables say.

use cofferdam::kernel::MountFlags;

use super::*;
use crate::filesystem::{FilesystemType, InodeKind, Name};

/// A machine with its namespace and the root of init.
fn machine() -> (Linux, Id<MountNamespace>, Path) {
    let linux = Linux::new();
    let init = &linux.tasks[linux.init];
    let (namespace, root) = (init.mount_namespace, linux.fs_states[init.fs].root);
    (linux, namespace, root)
}

fn directory(linux: &mut Linux, parent: Id<Dentry>, name: &str) -> Id<Dentry> {
    let superblock = linux.dentries[parent].superblock;
    let inode = linux.new_inode(superblock, InodeKind::Directory, 0o755, (0, 0));
    linux.new_dentry(parent, Name::from(name), inode)
}

fn mount(linux: &mut Linux, root: Id<Dentry>, source: &str, place: Path) -> Id<Mount> {
    let mount = linux.new_mount(root, &Name::from(source));
    linux.attach(mount, place);
    let namespace = linux.mounts[place.mount].namespace.unwrap();
    linux.list_in_namespace(namespace, mount);
    linux.mounts[mount].flags = MntFlags::RELATIME;
    mount
}

fn tmpfs(linux: &mut Linux) -> Id<Dentry> {
    let superblock = linux.new_superblock(FilesystemType::Tmpfs, linux.initial_user_namespace);
    linux.superblocks[superblock].root
}

fn lines(text: Vec<u8>) -> Vec<String> {
    String::from_utf8(text).unwrap().lines().map(String::from).collect()
}

/// Mounts in several directories, some of which the root does not show.
#[test]
fn parts_are_those_of_the_whole() {
    let (mut linux, namespace, root) = machine();
    let parents = [("a", root.dentry), ("b c", root.dentry)].map(|(name, parent)| directory(&mut linux, parent, name));
    let outside = linux.root_of(linux.mount_namespaces[namespace].root);
    for number in 0..100 {
        let dentry = directory(&mut linux, parents[number / 7 % 2], &format!("{number}"));
        let covered = tmpfs(&mut linux);
        let below = mount(&mut linux, covered, "s", Path { dentry, ..root });
        let top = tmpfs(&mut linux);
        if number % 5 == 0 {
            let deep = directory(&mut linux, covered, "deep");
            mount(&mut linux, top, "s", Path { mount: below, dentry: deep });
        } else if number % 3 == 0 {
            mount(&mut linux, top, "s", Path { mount: below, dentry: covered });
        }
        if number % 11 == 0 {
            let hidden = tmpfs(&mut linux);
            let dentry = directory(&mut linux, outside.dentry, &format!("{number}"));
            mount(&mut linux, hidden, "s", Path { dentry, ..outside });
        }
    }
    let whole = linux.mountinfo_text(namespace, root);
    assert!(lines(whole.clone()).iter().any(|line| line.contains(" /b\\040c/10/deep ")));
    for (wanted, space) in [(1, 64), (300, 350), (4096, 4096), (1 << 16, 1 << 16)] {
        let (mut parts, mut next) = (Vec::new(), 0);
        loop {
            let part = linux.mount_table_part(MountTable::MountInfo, (namespace, root), next, wanted, space);
            if part.text.is_empty() {
                break;
            }
            parts.extend(part.text);
            next = part.next;
        }
        assert_eq!(lines(parts), lines(whole.clone()));
    }
    for line in lines(whole) {
        let path = line.split(' ').nth(4).unwrap();
        let number: u32 = line.split(' ').next().unwrap().parse().unwrap();
        let mount = linux.mounts.iter().find(|(_, mount)| mount.id == number).unwrap().0;
        let text = linux.path_text(linux.root_of(mount), root);
        assert_eq!(cofferdam::mountinfo::escape::decode(path.as_bytes()), text.bytes);
    }
}

#[test]
fn lines_are_those_of_the_kernel() {
    let (mut linux, namespace, root) = machine();
    let place = Path { dentry: directory(&mut linux, root.dentry, "a b"), ..root };
    let dentry = tmpfs(&mut linux);
    let first = mount(&mut linux, dentry, "src #a", place);
    let d = directory(&mut linux, dentry, "d");
    let below = tmpfs(&mut linux);
    let second = mount(&mut linux, below, "", Path { mount: first, dentry: d });
    let bb = directory(&mut linux, dentry, "bb");
    let third = mount(&mut linux, bb, "src #a", Path { mount: second, dentry: below });
    linux.mounts[second].flags = MntFlags::NOSUID | MntFlags::NODEV | MntFlags::NOEXEC | MntFlags::NOSYMFOLLOW;
    linux.mounts[third].flags = MntFlags::READONLY | MntFlags::NOATIME | MntFlags::NODIRATIME;
    linux.mounts[third].idmap = Some(linux.initial_user_namespace);
    linux.mounts[third].is_unbindable = true;
    linux.unhash(bb);
    let superblock = linux.mounts[second].superblock;
    linux.superblocks[superblock].flags = MountFlags::MS_RDONLY | MountFlags::MS_LAZYTIME | MountFlags::MS_SYNCHRONOUS;
    assert_eq!(
        lines(linux.mountinfo_text(namespace, root)),
        [
            "2 1 0:2 / / rw,relatime - tmpfs root rw",
            "6 2 0:6 / /a\\040b rw,relatime - tmpfs src\\040\\043a rw",
            "7 6 0:7 / /a\\040b/d rw,nosuid,nodev,noexec,nosymfollow - tmpfs  ro,sync,lazytime",
            "8 7 0:6 /bb//deleted /a\\040b/d ro,noatime,nodiratime,idmapped unbindable - tmpfs src\\040\\043a rw",
        ]
    );
    assert_eq!(
        lines(linux.mounts_text(namespace, root)),
        [
            "root / tmpfs rw,relatime 0 0",
            "src\\040\\043a /a\\040b tmpfs rw,relatime 0 0",
            " /a\\040b/d tmpfs ro,sync,lazytime,nosuid,nodev,noexec,nosymfollow 0 0",
            "src\\040\\043a /a\\040b/d tmpfs ro,noatime,nodiratime,idmapped 0 0",
        ]
    );
    assert_eq!(
        lines(linux.mountstats_text(namespace, root))[1],
        "device src\\040\\043a mounted on /a\\040b with fstype tmpfs"
    );
}

#[test]
fn mounts_outside_of_the_root_are_left_out() {
    let (mut linux, namespace, root) = machine();
    let (inside, outside) = (directory(&mut linux, root.dentry, "in"), directory(&mut linux, root.dentry, "out"));
    let (x, below) = (directory(&mut linux, inside, "x"), tmpfs(&mut linux));
    mount(&mut linux, below, "outside", Path { dentry: outside, ..root });
    mount(&mut linux, below, "inside", Path { dentry: x, ..root });
    let top = mount(&mut linux, below, "on the root itself", Path { dentry: inside, ..root });
    let text = linux.mountinfo_text(namespace, Path { dentry: inside, ..root });
    assert_eq!(
        lines(text),
        [
            "7 2 0:6 / /x rw,relatime - tmpfs inside rw",
            "8 2 0:6 / / rw,relatime - tmpfs on\\040the\\040root\\040itself rw"
        ]
    );
    assert_eq!(
        lines(linux.mountinfo_text(namespace, linux.root_of(top))),
        ["8 2 0:6 / / rw,relatime - tmpfs on\\040the\\040root\\040itself rw"]
    );
}

#[test]
fn a_parent_may_come_after_its_children() {
    let (mut linux, namespace, root) = machine();
    let (a, b) = (directory(&mut linux, root.dentry, "a"), directory(&mut linux, root.dentry, "b"));
    let (first, second) = (tmpfs(&mut linux), tmpfs(&mut linux));
    let (c, d) = (directory(&mut linux, first, "c"), directory(&mut linux, second, "d"));
    let old = mount(&mut linux, first, "old", Path { dentry: a, ..root });
    let new = mount(&mut linux, second, "new", Path { dentry: b, ..root });
    linux.change_mountpoint(old, Path { mount: new, dentry: d });
    let third = mount(&mut linux, second, "third", Path { mount: old, dentry: c });
    linux.mounts[third].group = 7;
    linux.mounts[third].is_shared = true;
    assert_eq!(
        lines(linux.mountinfo_text(namespace, root))[1..],
        [
            "6 7 0:6 / /b/d rw,relatime - tmpfs old rw",
            "7 2 0:7 / /b rw,relatime - tmpfs new rw",
            "8 6 0:7 / /b/d/c rw,relatime shared:7 - tmpfs third rw",
        ]
    );
}

#[test]
fn a_mount_whose_mountpoint_was_moved_out_of_its_parent_is_left_out() {
    let (mut linux, namespace, root) = machine();
    let (a, place) = (directory(&mut linux, root.dentry, "a"), directory(&mut linux, root.dentry, "place"));
    let (b, below) = (directory(&mut linux, a, "b"), tmpfs(&mut linux));
    let bind = mount(&mut linux, a, "bind", Path { dentry: place, ..root });
    mount(&mut linux, below, "gone", Path { mount: bind, dentry: b });
    assert_eq!(lines(linux.mountinfo_text(namespace, root)).len(), 3);
    linux.move_dentry(b, root.dentry, Name::from("b"));
    let text = lines(linux.mountinfo_text(namespace, root));
    assert_eq!(text[1..], ["6 2 0:2 /a /place rw,relatime - tmpfs bind rw"]);
}

#[test]
fn the_nearest_group_that_is_visible_is_told_of_a_slave() {
    let (mut linux, namespace, root) = machine();
    let (inside, outside) = (directory(&mut linux, root.dentry, "in"), directory(&mut linux, root.dentry, "out"));
    let (x, y, below) = (directory(&mut linux, inside, "x"), directory(&mut linux, inside, "y"), tmpfs(&mut linux));
    let top = mount(&mut linux, below, "top", Path { dentry: x, ..root });
    let middle = mount(&mut linux, below, "middle", Path { dentry: outside, ..root });
    let slave = mount(&mut linux, below, "slave", Path { dentry: y, ..root });
    for (mount, group) in [(top, 1), (middle, 2)] {
        linux.mounts[mount].group = group;
        linux.mounts[mount].is_shared = true;
    }
    linux.mounts[middle].master = Some(top);
    linux.mounts[slave].master = Some(middle);
    assert!(lines(linux.mountinfo_text(namespace, root))[3].contains(" rw,relatime master:2 - tmpfs slave"));
    let text = lines(linux.mountinfo_text(namespace, Path { dentry: inside, ..root }));
    assert!(text[1].contains(" /y rw,relatime master:2 propagate_from:1 - tmpfs slave"), "{text:?}");
    linux.mounts[top].namespace = None;
    let text = lines(linux.mountinfo_text(namespace, Path { dentry: inside, ..root }));
    assert!(text[1].contains(" rw,relatime master:2 - tmpfs slave"), "{text:?}");
}

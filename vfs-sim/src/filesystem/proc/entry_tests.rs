//! Entries of proc and the places behind them.

use cofferdam::kernel::{FsConfig, FsmountFlags, FsopenFlags, MountAttrFlags};

use super::*;
use crate::filesystem::Dentry;
use crate::mount::Path;
use crate::process::{OpenFile, OpenFileKind};

/// A proc with the place of its root.
fn proc(linux: &mut Linux) -> Path {
    let task = linux.init();
    let fd = linux.fsopen(task, b"proc", FsopenFlags::empty()).unwrap();
    linux.fsconfig(task, fd, &FsConfig::Create).unwrap();
    let mount = linux.fsmount(task, fd, FsmountFlags::empty(), MountAttrFlags::empty()).unwrap();
    linux.files[linux.file(task, mount).unwrap()].path
}

fn find(linux: &mut Linux, root: Path, path: &str) -> Option<Path> {
    let task = linux.init();
    path.split('/').try_fold(root, |place, name| {
        let dentry: Id<Dentry> = linux.find_in_proc(task, place.dentry, name.as_bytes())?.ok()?;
        Some(Path { dentry, ..place })
    })
}

fn read(linux: &mut Linux, path: Path) -> String {
    let task = linux.init();
    let kind = linux.open_entry(task, path, false).unwrap().unwrap();
    linux.path_get(path);
    let file = linux.files.insert(OpenFile {
        references: 1,
        path,
        flags: cofferdam::kernel::OpenFlags::empty(),
        can_read: true,
        can_write: false,
        unmounts: false,
        position: 0,
        credentials: linux.tasks[task].credentials.clone(),
        kind,
    });
    let text = linux.read_entry(task, file, 4096).unwrap().unwrap();
    linux.file_put(file);
    String::from_utf8(text.0).unwrap()
}

#[test]
fn a_process_is_found_with_its_files() {
    let mut linux = Linux::new();
    let task = linux.init();
    let root = proc(&mut linux);
    let status = find(&mut linux, root, "1/status").unwrap();
    assert!(read(&mut linux, status).contains("\nPid:\t1\n"));
    let map = find(&mut linux, root, "1/task/1/uid_map").unwrap();
    assert_eq!(read(&mut linux, map), "         0          0 4294967295\n");
    let mountinfo = find(&mut linux, root, "1/mountinfo").unwrap();
    assert_eq!(read(&mut linux, mountinfo), "2 1 0:2 / / rw,relatime - tmpfs root rw\n");
    assert!(find(&mut linux, root, "2").is_none());
    assert!(find(&mut linux, root, "01").is_none());
    assert!(find(&mut linux, root, "1/fd/7").is_none());
    // Those of the context and of the mount.
    let fd = find(&mut linux, root, "1/fd").unwrap();
    let listed = linux.list_proc(task, fd.dentry).unwrap().unwrap();
    assert_eq!(listed.iter().map(|entry| entry.0).collect::<Vec<_>>(), [2, 3]);
    let context = linux.dentries[listed[0].1].inode;
    assert_eq!(linux.entry_link_text(task, context), Some(Ok(b"anon_inode:[fscontext]".to_vec())));
    assert_eq!(linux.inodes[context].mode, 0o700);
}

#[test]
fn the_file_of_a_namespace_lives_as_long_as_something_keeps_it() {
    let mut linux = Linux::new();
    let task = linux.init();
    let root = proc(&mut linux);
    let link = find(&mut linux, root, "1/ns/mnt").unwrap();
    let inode = linux.dentries[link.dentry].inode;
    assert_eq!(linux.entry_link_text(task, inode), Some(Ok(b"mnt:[4026531832]".to_vec())));
    let namespace = linux.tasks[task].mount_namespace;
    let before = (linux.dentries.len(), linux.inodes.len(), linux.mount_namespaces[namespace].references);
    let place = linux.magic_link_target(task, inode).unwrap().unwrap();
    assert_eq!(linux.mount_namespace_of_file(place.dentry), Some(namespace));
    assert_eq!(linux.inodes[linux.dentries[place.dentry].inode].number, 4_026_531_832);
    linux.path_get(place);
    linux.end_call();
    assert_eq!(linux.magic_link_target(task, inode), Some(Ok(place)));
    assert_eq!(linux.shown_path(task, place), b"mnt:[4026531832]");
    linux.path_put(place);
    linux.magic_link_target(task, inode).unwrap().unwrap();
    linux.end_call();
    let after = (linux.dentries.len(), linux.inodes.len(), linux.mount_namespaces[namespace].references);
    assert_eq!(before, after);
}

#[test]
fn what_is_mounted_on_a_process_goes_with_it() {
    let mut linux = Linux::new();
    let root = proc(&mut linux);
    let place = find(&mut linux, root, "1/task").unwrap();
    let tmpfs = linux.new_superblock(crate::filesystem::FilesystemType::Tmpfs, linux.initial_user_namespace);
    let mount = linux.new_mount(linux.superblocks[tmpfs].root, &Name::from("x"));
    linux.attach(mount, place);
    let process = find(&mut linux, root, "1").unwrap();
    linux.path_get(process);
    linux.forget_task(linux.init);
    assert!(linux.mounts.get(mount).is_none());
    assert!(linux.is_deleted(process.dentry));
    linux.path_put(process);
}

#[test]
fn the_root_is_listed_with_processes_last() {
    let mut linux = Linux::new();
    let task = linux.init();
    let root = proc(&mut linux);
    let listed = linux.list_proc(task, root.dentry).unwrap().unwrap();
    let names: Vec<String> = listed
        .iter()
        .map(|(_, dentry)| String::from_utf8_lossy(linux.dentries[*dentry].name.as_bytes()).into_owned())
        .collect();
    assert_eq!(names[..4], ["fs", "bus", "dma", "irq"]);
    assert_eq!(names[names.len() - 3..], ["self", "thread-self", "1"]);
    assert!(listed.is_sorted_by_key(|entry| entry.0));
}

#[test]
fn fs_mount_max_can_be_set() {
    let mut linux = Linux::new();
    assert!(linux.write_mount_max(b" 500 \n"));
    assert!(!linux.write_mount_max(b"0"));
    assert!(!linux.write_mount_max(b"x"));
    assert_eq!(linux.mount_max, 500);
    let root = proc(&mut linux);
    let file = find(&mut linux, root, "sys/fs/mount-max").unwrap();
    assert_eq!(read(&mut linux, file), "500\n");
    let kind = linux.open_entry(linux.init(), file, false);
    assert!(matches!(kind, Ok(Some(OpenFileKind::Entry(OpenEntry::Inode)))));
}

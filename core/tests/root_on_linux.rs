//! Paths below a directory that we do not trust.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::symlink;

use cofferdam::UnixPath;
use cofferdam::kernel::{Errno, OpenFlags};
use cofferdam::root::{Root, create_directories, remove_empty_directories};
use cofferdam_linux::LinuxKernel;
use rstest::rstest;
use tempfile::TempDir;

/// A root with a directory, a file, and symbolic links of every kind; beside it what it must not reach.
fn hostile_root() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir_all(at("outside/deep")).unwrap();
    fs::create_dir_all(at("root/directory")).unwrap();
    fs::write(at("root/file"), "").unwrap();
    symlink(at("outside"), at("root/absolute")).unwrap();
    symlink("../outside", at("root/relative")).unwrap();
    symlink("directory", at("root/inside")).unwrap();
    symlink("loop", at("root/loop")).unwrap();
    symlink("missing", at("root/dangling")).unwrap();
    symlink("/proc/self/cwd", at("root/magic")).unwrap();
    directory
}

fn open(directory: &TempDir) -> Root<'static> {
    let path = directory.path().join("root");
    Root::open(&LinuxKernel, UnixPath::new(path.as_os_str().as_encoded_bytes())).unwrap()
}

fn outside(directory: &TempDir) -> Vec<String> {
    let mut names: Vec<_> = ["outside", "outside/deep", "."]
        .iter()
        .flat_map(|name| fs::read_dir(directory.path().join(name)).unwrap())
        .map(|entry| entry.unwrap().path().display().to_string())
        .collect();
    names.sort();
    names
}

#[rstest]
#[case("absolute")]
#[case("relative")]
#[case("inside")]
#[case("loop")]
#[case("dangling")]
#[case("magic")]
fn no_symbolic_link_is_followed(#[case] link: &str, #[values("", "/deep", "/deep/new", "/new")] rest: &str) {
    let directory = hostile_root();
    let before = outside(&directory);
    let root = open(&directory);
    let path = format!("{link}{rest}");
    let path = UnixPath::new(&path);
    let errors = [
        root.resolve(path, OpenFlags::empty()).map(drop).unwrap_err(),
        root.create_directory(path).map(drop).unwrap_err(),
        root.create_file(path).map(drop).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.errno, Errno::ELOOP, "{error}");
        let culprit = format!("{}/root/{link}\" is a symbolic link", directory.path().display());
        assert!(error.to_string().contains(&culprit), "{error}");
    }
    assert_eq!(outside(&directory), before);
}

#[rstest]
#[case("..")]
#[case("../outside")]
#[case("directory/../../outside")]
#[case("/")]
#[case("/etc")]
fn nothing_leads_out(#[case] path: &str) {
    let directory = hostile_root();
    let before = outside(&directory);
    let root = open(&directory);
    let path = UnixPath::new(path);
    assert_eq!(root.resolve(path, OpenFlags::empty()).map(drop).unwrap_err().errno, Errno::EXDEV);
    assert_eq!(root.create_directory(path).map(drop).unwrap_err().errno, Errno::EXDEV);
    assert_eq!(outside(&directory), before);
}

#[test]
fn what_is_missing_is_made_with_what_is_above_it() {
    let directory = hostile_root();
    let root = open(&directory);
    root.create_directory(UnixPath::new("directory/a/b")).unwrap();
    root.create_directory(UnixPath::new("directory/a/b")).unwrap();
    root.create_file(UnixPath::new("c/d/file")).unwrap();
    root.create_file(UnixPath::new("c/d/file")).unwrap();
    assert!(directory.path().join("root/directory/a/b").is_dir());
    assert!(directory.path().join("root/c/d/file").is_file());
}

#[rstest]
#[case("file/below", Errno::ENOTDIR)]
#[case("file", Errno::ENOTDIR)]
fn a_file_is_no_directory(#[case] path: &str, #[case] errno: Errno) {
    let directory = hostile_root();
    let error = open(&directory).create_directory(UnixPath::new(path)).map(drop).unwrap_err();
    assert_eq!(error.errno, errno);
    assert!(error.to_string().contains(path), "{error}");
}

#[test]
fn directories_that_were_made_are_removed_while_they_are_empty() {
    let directory = hostile_root();
    let path = directory.path().join("a/b/c");
    let path = UnixPath::new(path.as_os_str().as_encoded_bytes());
    let made = create_directories(&LinuxKernel, path, cofferdam::kernel::Mode(0o755)).unwrap();
    assert_eq!(made.len(), 3);
    assert!(create_directories(&LinuxKernel, path, cofferdam::kernel::Mode(0o755)).unwrap().is_empty());
    fs::write(directory.path().join("a/b/used"), "").unwrap();
    remove_empty_directories(&LinuxKernel, &made);
    assert!(directory.path().join("a/b/used").exists());
    assert!(!directory.path().join("a/b/c").exists());
    let file = directory.path().join("a/b/used/d");
    let error = create_directories(
        &LinuxKernel,
        UnixPath::new(file.as_os_str().as_encoded_bytes()),
        cofferdam::kernel::Mode(0o755),
    );
    assert_eq!(error.unwrap_err().errno, Errno::ENOTDIR);
}

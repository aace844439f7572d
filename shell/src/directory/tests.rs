//! What is expected was seen with the GNU C library 2.36 on Linux 6.18.

use cofferdam::kernel::CloneFlags;

use super::*;
use crate::testing::Trial;

/// A tree with mounts in it, and a process in another mount namespace that has these of its directories open.
fn seen_from_outside(trial: &Trial, paths: &[&str]) -> (Process, Vec<Fd>) {
    for command in [
        "mount --make-rprivate /",
        "mount -t tmpfs t /mnt",
        "mkdir -p /mnt/a/b /mnt/a/gone /mnt/c /mnt/d /mnt/over/x /mnt/x/y",
        "mount --bind /mnt/a /mnt/c",
        "mount --bind /mnt/x/y /mnt/d",
        "mount --bind /mnt/over/x /mnt/over",
        "mkdir /mnt/over/x",
    ] {
        trial.quietly(command);
    }
    let process = trial.machine.new_process().unwrap();
    let how = OpenHow { flags: OpenFlags::O_DIRECTORY, ..OpenHow::default() };
    let opened = paths.iter().map(|path| process.openat2(Fd::CWD, UnixPath::new(path), how).unwrap()).collect();
    process.unshare(CloneFlags::CLONE_NEWNS).unwrap();
    (process, opened)
}

#[test]
fn a_working_directory_out_of_reach_is_found_from_below() {
    let trial = Trial::new();
    // Under the first name of a directory that has two; on a mount; on one that hides where it is from; removed.
    let paths = ["/mnt/a/b", "/mnt/c/b", "/mnt/d", "/mnt/over/x", "/mnt/a/gone"];
    let (process, opened) = seen_from_outside(&trial, &paths);
    let last = opened[opened.len() - 1];
    trial.quietly("rmdir /mnt/a/gone");
    let found = opened.into_iter().map(|directory| {
        process.fchdir(directory).unwrap();
        let told = process.getcwd().map(|path| String::from_utf8(path.0).unwrap());
        (told, working_directory(&process).map(|path| String::from_utf8(path).unwrap()))
    });
    let expected = [
        (Ok("(unreachable)/mnt/a/b".to_owned()), Ok("/mnt/a/b".to_owned())),
        (Ok("(unreachable)/mnt/c/b".to_owned()), Ok("/mnt/a/b".to_owned())),
        (Ok("(unreachable)/mnt/d".to_owned()), Ok("/mnt/d".to_owned())),
        (Ok("(unreachable)/mnt/over/x".to_owned()), Ok("/mnt/over/x".to_owned())),
        (Err(Errno::ENOENT), Err(Errno::ENOENT)),
    ];
    assert_eq!(found.collect::<Vec<_>>(), expected);
    // None of those that were opened on the way is left.
    let next = process.openat2(Fd::CWD, UnixPath::new("/"), OpenHow::default()).unwrap();
    assert_eq!(next.0, last.0 + 1);
}

#[test]
fn a_path_that_is_too_long_for_the_kernel_is_found_from_below() {
    let trial = Trial::new();
    let process = trial.machine.new_process().unwrap();
    process.chdir(UnixPath::new("/mnt")).unwrap();
    let name = "n".repeat(250);
    for _ in 0..20 {
        process.mkdirat(Fd::CWD, UnixPath::new(&name), cofferdam::kernel::Mode(0o755)).unwrap();
        process.chdir(UnixPath::new(&name)).unwrap();
    }
    assert_eq!(process.getcwd(), Err(Errno::ENAMETOOLONG));
    assert_eq!(working_directory(&process), Ok(format!("/mnt{}", format!("/{name}").repeat(20)).into_bytes()));
}

/// `nsenter --wd` leaves a program with a working directory of another namespace.
#[test]
fn programs_work_in_a_directory_out_of_reach() {
    let trial = Trial::new();
    let (process, opened) = seen_from_outside(&trial, &["/mnt/c/b"]);
    process.fchdir(opened[0]).unwrap();
    for (command, output) in [
        ("/usr/bin/pwd", "/mnt/a/b\n"),
        ("realpath x", "/mnt/a/b/x\n"),
        ("mount -t tmpfs inner .", ""),
        ("findmnt -n -o SOURCE /mnt/a/b", "inner\n"),
        // The name of the directory that the environment has is kept by the shell.
        ("env PWD=/mnt/c/b sh -c pwd", "/mnt/c/b\n"),
        ("sh -c pwd", "/mnt/a/b\n"),
    ] {
        assert_eq!(trial.run_as(&process, command), (0, output.to_owned(), String::new()), "{command}");
    }
}

//! The programs against what the real ones print: each file in `cases` is a list of commands, with what util-linux 2.38.1
//! prints and its exit status. One test runs the commands on the simulated machine; another, for root on a machine with that
//! version, runs them for real, which proves the files themselves.
//!
//! A line `$ COMMAND` is a command; what follows is what it prints (`|TEXT` to standard output, `!TEXT` to standard error),
//! and its exit status (`=STATUS`), if that is not 0.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use cofferdam::UnixPath;
use cofferdam::kernel::{DeviceNumber, Fd, FileType, Kernel as _, Mode, MountFlags, NodeMode};
use rstest::rstest;

use crate::testing::Trial;

/// What is done first, everywhere: all happens in a filesystem of its own.
const PREPARATION: &str = "mount -t tmpfs base /mnt
mkdir /mnt/a
mkdir /mnt/b
mkdir /mnt/c
mkdir /mnt/c/d
touch /mnt/file
touch /mnt/other
ln -s a /mnt/link
ln -s nowhere /mnt/dangling";

fn commands(cases: &str) -> impl Iterator<Item = &str> {
    cases.lines().filter_map(|line| line.strip_prefix("$ "))
}

fn record(transcript: &mut String, command: &str, (status, output, error): (i32, String, String)) {
    let _ = writeln!(transcript, "$ {command}");
    for line in error.lines() {
        let _ = writeln!(transcript, "!{line}");
    }
    for line in output.lines() {
        let _ = writeln!(transcript, "|{line}");
    }
    if status != 0 {
        let _ = writeln!(transcript, "={status}");
    }
}

/// Does what the programs for files do, which are not what is tried here.
fn file_command(trial: &Trial, words: &[&str]) -> Option<()> {
    let process = trial.machine.new_process().unwrap();
    match words {
        ["mkdir", path] => process.mkdirat(Fd::CWD, UnixPath::new(path), Mode(0o755)).unwrap(),
        ["touch", path] => {
            let mode = NodeMode { file_type: FileType::Regular, mode: Mode(0o644) };
            process.mknodat(Fd::CWD, UnixPath::new(path), mode, DeviceNumber::default()).unwrap();
        }
        ["ln", "-s", target, path] => {
            process.symlinkat(UnixPath::new(target), Fd::CWD, UnixPath::new(path)).unwrap();
        }
        _ => {
            process.exit(0);
            return None;
        }
    }
    process.exit(0);
    Some(())
}

fn run(trial: &Trial, command: &str) -> (i32, String, String) {
    let words: Vec<&str> = command.split(' ').map(|word| word.trim_matches('\'')).collect();
    match file_command(trial, &words) {
        Some(()) => (0, String::new(), String::new()),
        None => trial.run_words(&words),
    }
}

fn simulated(cases: &str) -> String {
    let trial = Trial::new();
    let process = trial.machine.new_process().unwrap();
    let private = MountFlags::MS_REC | MountFlags::MS_PRIVATE;
    process.mount(None, UnixPath::new("/"), None, private, None).unwrap();
    process.exit(0);
    for command in PREPARATION.lines() {
        assert_eq!(run(&trial, command), (0, String::new(), String::new()), "{command}");
    }
    let mut transcript = String::new();
    for command in commands(cases) {
        record(&mut transcript, command, run(&trial, command));
    }
    transcript
}

/// Runs the commands for real, in a mount namespace of their own; `None` where that can't be done.
fn real(cases: &str, name: &str) -> Option<String> {
    let version = Command::new("mount").arg("--version").output().ok()?;
    let is_root =
        std::fs::metadata("/proc/self/fd").is_ok() && Command::new("id").arg("-u").output().ok()?.stdout == b"0\n";
    if !is_root || !String::from_utf8_lossy(&version.stdout).contains("util-linux 2.38.1") {
        return None;
    }
    let directory = std::env::temp_dir().join(format!("cofferdam-shell-{name}-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    // mount(8) would remember some options on the machine.
    let mut script = String::from("set -e\nmount -t tmpfs run /run\n");
    script += PREPARATION;
    script += "\nset +e\ncd /\n";
    for (index, command) in commands(cases).enumerate() {
        let file = directory.join(index.to_string());
        let file = file.display();
        let _ = writeln!(script, "{command} >{file}.output 2>{file}.error </dev/null\necho $? >{file}.status");
    }
    let prepared = directory.join("script");
    std::fs::write(&prepared, script).unwrap();
    let mut unshare = Command::new("unshare");
    unshare.args(["-m", "--propagation", "private", "sh"]).arg(&prepared).env_clear();
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let status = unshare.env("PATH", path).env("LC_ALL", "C").status().unwrap();
    assert!(status.success(), "{status}");
    let mut transcript = String::new();
    for (index, command) in commands(cases).enumerate() {
        let read = |kind: &str| std::fs::read_to_string(directory.join(format!("{index}.{kind}"))).unwrap();
        record(&mut transcript, command, (read("status").trim().parse().unwrap(), read("output"), read("error")));
    }
    std::fs::remove_dir_all(&directory).unwrap();
    Some(transcript)
}

fn assert_same(found: &str, expected: &str) {
    let differing = found.lines().zip(expected.lines()).position(|(found, expected)| found != expected);
    if let Some(line) = differing {
        let context = |text: &str| text.lines().skip(line.saturating_sub(4)).take(8).collect::<Vec<_>>().join("\n");
        panic!("line {}:\n{}\n--- expected:\n{}", line + 1, context(found), context(expected));
    }
    assert_eq!(found, expected);
}

#[rstest]
#[case::mount(include_str!("cases/mount.txt"))]
#[case::umount(include_str!("cases/umount.txt"))]
#[case::findmnt(include_str!("cases/findmnt.txt"))]
#[case::namespaces(include_str!("cases/namespaces.txt"))]
fn programs_print_what_the_real_ones_print(#[case] cases: &str) {
    assert_same(&simulated(cases), cases);
}

#[rstest]
#[case::mount("mount", include_str!("cases/mount.txt"))]
#[case::umount("umount", include_str!("cases/umount.txt"))]
#[case::findmnt("findmnt", include_str!("cases/findmnt.txt"))]
#[case::namespaces("namespaces", include_str!("cases/namespaces.txt"))]
fn the_real_ones_print_that(#[case] name: &str, #[case] cases: &str) {
    let Some(transcript) = real(cases, name) else {
        println!("skipped: needs root and util-linux 2.38.1");
        return;
    };
    // To record new cases.
    if std::env::var_os("COFFERDAM_RECORD_CASES").is_some() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/programs/util_linux/cases/{name}.txt"));
        std::fs::write(file, transcript).unwrap();
        return;
    }
    assert_same(&transcript, cases);
}

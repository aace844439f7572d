//! The programs against what the real ones print: each file in `cases` is a list of commands, with what util-linux 2.38.1
//! prints and its exit status. One test runs the commands on the simulated machine; another, for root on a machine with that
//! version, runs them for real, which proves the files themselves.
//!
//! A line `$ COMMAND` is a command; what follows is what it prints (`|TEXT` to standard output, `!TEXT` to standard error),
//! and its exit status (`=STATUS`), if that is not 0.
//!
//! The commands are run for real: none may change a filesystem that was not mounted by an earlier one. In particular, what
//! is bound from elsewhere must not be remounted.

mod order;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use cofferdam::UnixPath;
use cofferdam::kernel::{
    AtFlags, CloneFlags, DeviceNumber, Errno, Fd, FileType, Kernel as _, Mode, MountFlags, NodeMode, OpenFlags, OpenHow,
};
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

/// What there is in `/mnt/fstab`.
const FSTAB: &str = "# a comment
src /mnt/a tmpfs size=64k,nodev 0 0

/mnt/c   /mnt/b\tnone bind,ro
root / tmpfs defaults 0 0
other /mnt/c/d tmpfs noauto
gone /mnt/nowhere tmpfs rw
broken
";

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
        ["cp", "/mnt/fstab", path] => write(&process, path, FSTAB.as_bytes()),
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

fn write(process: &cofferdam_vfs_sim::Process, path: &str, text: &[u8]) {
    let flags = OpenFlags::O_CREAT | OpenFlags::O_TRUNC | OpenFlags::O_WRONLY;
    let how = OpenHow { flags, mode: Mode(0o644), ..OpenHow::default() };
    let fd = process.openat2(Fd::CWD, UnixPath::new(path), how).unwrap();
    assert_eq!(process.write(fd, text), Ok(text.len()));
    process.close(fd).unwrap();
}

fn run(trial: &Trial, command: &str) -> (i32, String, String) {
    // The ids of mounts, and so the order of the lines, depend on when the real kernel gives an id back.
    if let Some(command) = command.strip_suffix(" | sort") {
        let (_, output, error) = run(trial, command);
        let mut lines: Vec<&str> = output.lines().collect();
        lines.sort_unstable();
        return (0, lines.join("\n"), error);
    }
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
    let process = trial.machine.new_process().unwrap();
    write(&process, "/mnt/fstab", FSTAB.as_bytes());
    process.exit(0);
    let mut transcript = String::new();
    for command in commands(cases) {
        record(&mut transcript, command, run(&trial, command));
    }
    transcript
}

/// What the machine has not, that it takes to run the commands for real.
fn unmet_need() -> Option<&'static str> {
    let output = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().map(|output| output.stdout);
        String::from_utf8_lossy(&output.unwrap_or_default()).into_owned()
    };
    if output("id", "-u") != "0\n" {
        Some("needs root")
    } else if !output("mount", "--version").contains("util-linux 2.38.1") {
        Some("needs util-linux 2.38.1")
    } else if !output("uname", "-r").starts_with("6.18") {
        Some("needs Linux 6.18")
    } else {
        None
    }
}

/// Runs the commands for real, in a mount namespace of their own; one list at a time, as each that ends gives back ids of
/// mounts, which the others would use.
fn real(cases: &str) -> String {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    // A test that has failed has not left anything behind.
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    // mount(8) would remember some options on the machine.
    let mut script = String::from("set -e\nmount -n -t tmpfs run /run\n");
    script += PREPARATION;
    let _ = write!(script, "\ncat >/mnt/fstab <<'END'\n{FSTAB}END\n");
    // The machine's own must stay as it is.
    script += "touch /run/fstab; mount --bind /run/fstab /etc/fstab\nset +e\ncd /\n";
    for (index, command) in commands(cases).enumerate() {
        let file = directory.join(index.to_string());
        let file = file.display();
        let _ = writeln!(script, "{{ {command}; }} >{file}.output 2>{file}.error </dev/null\necho $? >{file}.status");
    }
    let prepared = directory.join("script");
    std::fs::write(&prepared, script).unwrap();
    // On one processor, as each has numbers of its own for namespaces, by which the kernel tells which one is older.
    let mut unshare = Command::new("taskset");
    unshare.args(["-c", &first_processor(), "unshare", "-m", "--propagation", "private", "sh"]);
    unshare.arg(&prepared).env_clear();
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let status = unshare.env("PATH", path).env("LC_ALL", "C").status().unwrap();
    assert!(status.success(), "{status}");
    let mut transcript = String::new();
    for (index, command) in commands(cases).enumerate() {
        let read = |kind: &str| std::fs::read_to_string(directory.join(format!("{index}.{kind}"))).unwrap();
        record(&mut transcript, command, (read("status").trim().parse().unwrap(), read("output"), read("error")));
    }
    transcript
}

/// The first processor that this process may use.
fn first_processor() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    list.trim().split([',', '-']).next().unwrap().to_string()
}

/// The cases of a file, which is read when the test runs so that it can be recorded anew.
fn cases(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap()
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/programs/util_linux/cases/{name}.txt"))
}

fn assert_same(found: &str, expected: &str, is_same: fn(&str, &str) -> bool) {
    let blocks = |text: &str| -> Vec<String> { text.split("$ ").map(str::to_string).collect() };
    let (found, expected) = (blocks(found), blocks(expected));
    let mut differences = String::new();
    for (found, expected) in found.iter().zip(&expected).filter(|(found, expected)| !is_same(found, expected)) {
        let _ = writeln!(differences, "$ {found}--- expected: $ {expected}");
    }
    assert!(differences.is_empty() && found.len() == expected.len(), "{differences}");
}

#[rstest]
fn programs_print_what_the_real_ones_print(
    #[values("mount", "umount", "findmnt", "fstab", "namespaces", "propagation", "without_proc")] name: &str,
) {
    let cases = cases(name);
    assert_same(&simulated(&cases), &cases, |found, expected| found == expected);
}

#[rstest]
fn the_real_ones_print_that(
    #[values("mount", "umount", "findmnt", "fstab", "namespaces", "propagation", "without_proc")] name: &str,
) {
    let cases = cases(name);
    if let Some(need) = unmet_need() {
        let is_required = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!is_required, "{need}");
        // Not by eprintln!, which the test harness captures.
        std::io::stderr().write_all(format!("skipped: {need}: {name}\n").as_bytes()).unwrap();
        return;
    }
    let transcript = {
        let _turn = crate::testing::turn();
        real(&cases)
    };
    // To record new cases.
    if std::env::var_os("COFFERDAM_RECORD_CASES").is_some() {
        std::fs::write(file(name), transcript).unwrap();
        return;
    }
    assert_same(&transcript, &cases, order::is_same_in_any_order);
}

#[test]
fn trees_are_drawn_with_lines_where_the_locale_has_them() {
    let trial = Trial::new();
    for command in ["mount -t tmpfs one /mnt", "mount -m -t tmpfs two /mnt/ä", "mount -m -t tmpfs three /mnt/b"] {
        assert_eq!(run(&trial, command), (0, String::new(), String::new()), "{command}");
    }
    let show = |locale: &str| {
        let words = ["findmnt", "-R", "-n", "-o", "TARGET,SOURCE", "/mnt"];
        trial.run_with(&words, &["PATH=/bin", locale]).1
    };
    assert_eq!(show("LANG=C.UTF-8"), "/mnt     one\n├─/mnt/ä two\n└─/mnt/b three\n");
    assert_eq!(show("LC_ALL=C"), "/mnt            one\n|-/mnt/\\xc3\\xa4 two\n`-/mnt/b        three\n");
}

#[test]
fn the_root_is_switched() {
    let trial = Trial::new();
    let quietly = |command: &str| assert_eq!(run(&trial, command), (0, String::new(), String::new()), "{command}");
    let program = |path: &str, name: &str| {
        let process = trial.machine.new_process().unwrap();
        write(&process, path, &cofferdam_vfs_sim::named_program(name));
        process.fchmodat(Fd::CWD, UnixPath::new(path), Mode(0o755)).unwrap();
        process.exit(0);
    };
    quietly("mount -t tmpfs memory /mnt");
    quietly("mkdir /mnt/new");
    quietly("mount -t tmpfs new /mnt/new");
    for root in ["/mnt", "/mnt/new"] {
        for directory in ["dev", "proc", "sys", "run", "bin"] {
            quietly(&format!("mkdir {root}/{directory}"));
        }
    }
    program("/mnt/bin/switch_root", "switch_root");
    program("/mnt/new/bin/findmnt", "findmnt");
    // A root can't be moved below a shared mount.
    quietly("mount --make-rprivate /");
    // From the disk to a root in memory, and from there to the last one.
    let words = ["unshare", "-m", "switch_root", "/mnt", "/bin/switch_root", "/new", "/bin/findmnt", "-nlo", "TARGET"];
    let (status, output, error) = trial.run_words(&words);
    assert_eq!((status, &error[..]), (0, ""));
    let targets: Vec<&str> = output.lines().map(str::trim_end).collect();
    // The four that every new root needs are moved, with what is mounted below them; /boot and others are gone.
    let is_moved = |target: &&str| ["/proc", "/sys", "/dev", "/run"].iter().any(|moved| target.starts_with(moved));
    let (last, others) = targets.split_last().unwrap();
    assert!(*last == "/" && others.len() == 15 && others.iter().all(is_moved), "{output}");
    // What was in memory is gone, what is on the disk is not. A process of its own sees to that.
    trial.machine.run_others();
    let error = trial.run("true").2;
    assert!(error.starts_with("switch_root: old root filesystem is not an initramfs"), "{error}");
    let process = trial.machine.new_process().unwrap();
    let found = |path: &str| process.statx(Fd::CWD, UnixPath::new(path), AtFlags::empty()).map(|file| file.file_type);
    assert_eq!((found("/usr/bin"), found("/etc/passwd")), (Ok(FileType::Directory), Ok(FileType::Regular)));
    assert_eq!((found("/mnt/bin"), found("/mnt/run")), (Err(Errno::ENOENT), Err(Errno::ENOENT)));
    // Here the new root was still mounted on a directory that was removed there, and so it is no more.
    assert_eq!(found("/mnt/new"), Err(Errno::ENOENT));
}

#[test]
fn what_is_not_simulated_is_refused() {
    let trial = Trial::new();
    for (command, message) in [
        ("mount -F -a", "mount: option '--fork' is not simulated\n"),
        ("mount -o X-mount.subdir=x -t tmpfs a /mnt", "mount: option 'X-mount.subdir=x' is not simulated\n"),
        ("umount -O ro", "umount: option '--test-opts' is not simulated\n"),
        ("findmnt --poll", "findmnt: option '--poll' is not simulated\n"),
        ("unshare -T true", "unshare: option '--time' is not simulated\n"),
        ("nsenter -T true", "nsenter: option '--time' is not simulated\n"),
    ] {
        assert_eq!(run(&trial, command), (1, String::new(), message.to_string()), "{command}");
    }
}

#[test]
fn the_mount_table_of_a_new_machine() {
    let (status, output, error) = Trial::new().run("mount");
    assert_eq!((status, &error[..]), (0, ""));
    assert!(output.contains("\nproc on /proc type proc (rw,nosuid,nodev,noexec,relatime)\n"), "{output}");
    assert_eq!(
        Trial::new().run("mount -l -t proc,nosuch").1,
        "proc on /proc type proc (rw,nosuid,nodev,noexec,relatime)\n"
    );
}

#[test]
fn help_is_there() {
    let (status, output, _) = Trial::new().run("mount --help");
    assert_eq!(status, 0);
    assert!(output.contains(" mount [options] <source> <directory>\n"), "{output}");
    assert!(output.contains(" -t, --types <argument>\n"), "{output}");
    assert_eq!(Trial::new().run("umount --version").1, "umount from util-linux 2.38.1 (simulated)\n");
}

#[test]
fn the_namespaces_of_a_process_are_entered() {
    let trial = Trial::new();
    let host = trial.machine.new_process().unwrap();
    host.unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let private = MountFlags::MS_REC | MountFlags::MS_PRIVATE;
    host.mount(None, UnixPath::new("/"), None, private, None).unwrap();
    let (source, target) = (UnixPath::new("inside"), UnixPath::new("/mnt"));
    host.mount(Some(source), target, Some(b"tmpfs"), MountFlags::empty(), None).unwrap();
    host.mkdirat(Fd::CWD, UnixPath::new("/mnt/below"), Mode(0o755)).unwrap();
    host.chdir(UnixPath::new("/mnt/below")).unwrap();
    let pid = host.getpid().unwrap().0;
    let show = "findmnt -n -o SOURCE -M";
    for (command, output) in [
        (format!("{show} /mnt"), None),
        (format!("nsenter -t {pid} -m {show} /mnt"), Some("inside\n")),
        (format!("nsenter -t {pid} -a {show} /mnt"), Some("inside\n")),
        (format!("nsenter -t {pid} -m -p {show} /mnt"), Some("inside\n")),
        (format!("nsenter -t {pid} -m -w {show} .."), Some("inside\n")),
        (format!("nsenter --target={pid} --mount=/proc/{pid}/ns/mnt --wdns=/mnt {show} ."), Some("inside\n")),
        (format!("nsenter -t {pid} -m -r -w mountpoint .."), Some(".. is a mountpoint\n")),
        (format!("findmnt -n -o SOURCE -N {pid} -M /mnt"), Some("inside\n")),
        (format!("mount -N {pid} -v -t tmpfs over /mnt"), Some("mount: over mounted on /mnt.\n")),
        (format!("nsenter -t {pid} -m {show} /mnt"), Some("inside\nover\n")),
        (format!("umount -N {pid} /mnt"), Some("")),
        (format!("nsenter -t {pid} -m {show} /mnt"), Some("inside\n")),
    ] {
        let expected = (i32::from(output.is_none()), output.unwrap_or_default().to_string(), String::new());
        assert_eq!(run(&trial, &command), expected, "{command}");
    }
}

#[test]
fn the_first_process_of_a_pid_namespace_sees_itself_as_such() {
    let trial = Trial::new();
    let words = ["unshare", "-r", "-p", "-f", "--mount-proc", "findmnt", "-n", "-o", "TID", "-N", "1", "-M", "/mnt"];
    assert_eq!(trial.run_words(&words), (1, String::new(), String::new()));
    let words = ["unshare", "-r", "-p", "-f", "--mount-proc", "findmnt", "-n", "-o", "TID", "-M", "/"];
    assert_eq!(trial.run_words(&words), (0, "  1\n".to_string(), String::new()));
}

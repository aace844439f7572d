//! Public weaknesses of container runtimes that are about their processes, each tried on ours. Those about mounts and paths
//! are in `core/tests/containers/weaknesses`, on both kernels.

use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use rstest::rstest;

use crate::support::{COFFERDAM, Host, Run, scenario, wait_until};

/// Copies a program of the host into a root filesystem, with its shared libraries where it looks for them.
fn install(program: &Path, rootfs: &Path) {
    let output = Command::new("ldd").arg(program).output().unwrap();
    // A static program has none.
    let libraries = String::from_utf8_lossy(&output.stdout).into_owned();
    for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
        let copy = rootfs.join(library.trim_start_matches('/'));
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(library, copy).unwrap();
    }
}

/// A copy of the runtime that a test may lose, and `run` with it.
fn own_runtime(host: &Host) -> (PathBuf, Run) {
    let copy = host.path("cofferdam");
    // Not by this process: a child of another scenario could hold the file open for writing when it is executed.
    assert!(Command::new("cp").arg(COFFERDAM).arg(&copy).status().unwrap().success());
    let run = host.run();
    let mut command = Command::new(&copy);
    command.args(run.command.get_args());
    (copy, Run { command })
}

/// CVE-2024-21626 (runc): a program was executed by a path through a descriptor of the runtime, which was open on the host.
///
/// All descriptors, also those of whoever starts us, are closed before the program's path is looked at.
#[test]
fn cve_2024_21626() {
    scenario("cve_2024_21626", |host| {
        let rootfs = host.busybox();
        for descriptor in 3..16 {
            let program = format!("/proc/self/fd/{descriptor}/bin/busybox");
            symlink(&program, rootfs.join(format!("link{descriptor}"))).unwrap();
            for program in [program, format!("/link{descriptor}")] {
                let run = host.run().rootfs(&rootfs);
                let mut command = Command::new("/bin/sh");
                command.args(["-c", "exec 7<\"$0\" 9<\"$0\" && exec \"$@\""]).arg(&rootfs);
                command.arg(run.command.get_program()).args(run.command.get_args());
                let outcome = Run { command }.program([program.as_str(), "true"]);
                assert!(outcome.failure(127).contains("command not found"), "{outcome:?}");
            }
        }
    });
}

/// CVE-2019-5736 (runc): a program that is `/proc/self/exe`, or has it as its interpreter, is the runtime's own executable
/// on the host, which an accomplice then opens by way of /proc, to write to it once it is not executed any more.
///
/// The launcher is executed from a mount of its own that is read-only: whoever opens its executable by way of /proc opens
/// it there.
#[rstest]
fn cve_2019_5736(#[values("/proc/self/exe", "/link")] program: &str) {
    scenario(&format!("cve_2019_5736 {program}"), |host| {
        let rootfs = host.busybox();
        install(Path::new(COFFERDAM), &rootfs);
        symlink("/proc/self/exe", rootfs.join("link")).unwrap();
        let (runtime, run) = own_runtime(host);
        let before = fs::read(&runtime).unwrap();
        // It waits for its input.
        let container = run.rootfs(&rootfs).start_program(&[program, "sim"]);
        let mut executable = None;
        wait_until("the runtime in the container", || {
            let is_program = |pid: &u32| {
                let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                command.split(|byte| *byte == 0).any(|argument| argument == b"sim")
            };
            executable = container.processes().into_iter().find(is_program).and_then(|pid| {
                let mut options = fs::OpenOptions::new();
                options.read(true).custom_flags(OFlag::O_PATH.bits()).open(format!("/proc/{pid}/exe")).ok()
            });
            executable.is_some()
        });
        let executable = executable.unwrap();
        container.finish();
        let path = format!("/proc/self/fd/{}", executable.as_raw_fd());
        let opened = fs::OpenOptions::new().write(true).truncate(true).open(path);
        assert!(fs::read(&runtime).unwrap() == before, "the runtime was overwritten");
        assert_eq!(opened.unwrap_err().raw_os_error(), Some(Errno::EROFS as i32));
    });
}

//! Whatever is read, nothing panics, and nothing goes on for ever.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use cofferdam_replay::{Beginning, Trace, replay};
use cofferdam_vfs_sim::Linux;
use proptest::prelude::*;

const MOUNTINFO: &str = include_str!("traces/bubblewrap.mountinfo");
const LOG: &str = include_str!("traces/bubblewrap.strace");

fn read_and_replay(log: &[u8]) {
    if let Ok(trace) = Trace::parse(log) {
        let machine = Linux::from_mountinfo(MOUNTINFO.as_bytes()).unwrap();
        // Errors are fine.
        let _ = replay(&trace, &machine, &Beginning::default());
    }
}

/// Text as strace could have written it, more or less.
fn line() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "mount",
        "umount2",
        "openat",
        "close",
        "clone",
        "clone3",
        "dup2",
        "fcntl",
        "wait4",
        "execve",
        "newfstatat",
        "write",
        "pipe2",
        "setns",
        "unshare",
        "mount_setattr",
        "fsconfig",
        "mkdir",
        "rename",
        "readlink",
        "exit_group",
        "socketpair",
    ]);
    let argument = prop::sample::select(vec![
        "NULL",
        "\"/a\"",
        "\"/proc/self/fd/3\"",
        "\"\"",
        "AT_FDCWD",
        "3",
        "-1",
        "0x7f",
        "4294967295",
        "MS_BIND|MS_REC",
        "[3, 4]",
        "{st_mode=S_IFDIR|0755, ...}",
        "{attr_set=MOUNT_ATTR_RDONLY, userns_fd=3}",
        "flags=CLONE_NEWNS|CLONE_FILES",
        "F_DUPFD",
        "O_CREAT|O_PATH",
        "\"a\"...",
        "[{WIFEXITED(s) && WEXITSTATUS(s) == 0}]",
        "1<<CAP_KILL",
        "1<<99",
        "8*9",
        "FSCONFIG_SET_FD",
        "{",
        "}",
        "(",
        "\"",
    ]);
    let result = prop::sample::select(vec!["0", "3", "2", "12", "-1 EINVAL (x)", "-1 ENOENT (x)", "?", "-1 EWHAT (x)"]);
    let pid = 10..14_u32;
    (pid, name, prop::collection::vec(argument, 0..6), result, any::<bool>()).prop_map(
        |(pid, name, arguments, result, is_split)| {
            let arguments = arguments.join(", ");
            if is_split && pid == 11 {
                format!("{pid} {name}({arguments} <unfinished ...>\n{pid} <... {name} resumed>) = {result}\n")
            } else {
                format!("{pid} {name}({arguments}) = {result}\n")
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn bytes(log in prop::collection::vec(any::<u8>(), 0..400)) {
        read_and_replay(&log);
    }

    #[test]
    fn lines(lines in prop::collection::vec(line(), 0..40)) {
        // So that all processes are known.
        let forks = "10 fork() = 11\n10 clone(flags=CLONE_FILES|SIGCHLD) = 12\n11 fork() = 13\n";
        read_and_replay((forks.to_owned() + &lines.concat()).as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A real log with something else in some places.
    #[test]
    fn changed_bytes(changes in prop::collection::vec((0..LOG.len(), any::<u8>()), 1..12)) {
        let mut log = LOG.as_bytes().to_vec();
        for (position, byte) in changes {
            log[position] = byte;
        }
        read_and_replay(&log);
    }

    /// A real log without some of its lines.
    #[test]
    fn missing_lines(seed in prop::collection::vec(any::<bool>(), 64)) {
        let kept = LOG.lines().zip(seed.iter().cycle()).filter(|(_, is_kept)| **is_kept).map(|(line, _)| line);
        read_and_replay(kept.collect::<Vec<_>>().join("\n").as_bytes());
    }
}

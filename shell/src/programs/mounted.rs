//! What the programs say of mount points and other filesystems. The texts are those of the real programs, which were run
//! on a Linux where the same was mounted.

use cofferdam::UnixPath;
use cofferdam::kernel::{Kernel as _, MountFlags};
use rstest::rstest;

use crate::testing::Trial;

/// `/t` with the directory `d` and a file in it, a tmpfs on `e/m` with a file, and a read-only tmpfs on `ro`.
fn trial() -> Trial {
    let trial = Trial::new();
    for command in ["mkdir /t /t/d /t/ro /t/e /t/e/m", "touch /t/f /t/d/x"] {
        trial.quietly(command);
    }
    let process = trial.machine.new_process().unwrap();
    for (target, flags) in [("/t/e/m", MountFlags::empty()), ("/t/ro", MountFlags::MS_RDONLY)] {
        let source = UnixPath::new("none");
        process.mount(Some(source), UnixPath::new(target), Some(b"tmpfs"), flags, None).unwrap();
    }
    process.exit(0);
    trial.quietly("touch /t/e/m/k");
    trial
}

#[rstest]
#[case("mkdir ro/a", "mkdir: cannot create directory 'ro/a': Read-only file system\n")]
#[case("mkdir -p ro/a/b", "mkdir: cannot create directory 'ro/a': Read-only file system\n")]
#[case("touch ro/x", "touch: cannot touch 'ro/x': Read-only file system\n")]
#[case("rmdir ro", "rmdir: failed to remove 'ro': Device or resource busy\n")]
#[case("rmdir e/m", "rmdir: failed to remove 'e/m': Device or resource busy\n")]
#[case("rm -rf ro", "rm: cannot remove 'ro': Device or resource busy\n")]
#[case("rm -r e", "rm: cannot remove 'e/m': Device or resource busy\n")]
#[case("rm -rf --one-file-system e", "rm: skipping 'e/m', since it's on a different device\n")]
#[case("mv ro r2", "mv: cannot move 'ro' to 'r2': Device or resource busy\n")]
#[case("mv d ro/d", "mv: inter-device move failed: 'd' to 'ro/d'; unable to remove target: Read-only file system\n")]
#[case("cp d/x ro/x", "cp: cannot create regular file 'ro/x': Read-only file system\n")]
#[case("cp -r d ro/", "cp: cannot create directory 'ro/d': Read-only file system\n")]
#[case("ln -s a ro/b", "ln: failed to create symbolic link 'ro/b': Read-only file system\n")]
#[case("ln d/x ro/x", "ln: failed to create hard link 'ro/x': Read-only file system\n")]
#[case("ln d/x e/m/x", "ln: failed to create hard link 'e/m/x' => 'd/x': Invalid cross-device link\n")]
#[case("chmod 700 ro", "chmod: changing permissions of 'ro': Read-only file system\n")]
#[case("chown 1 ro", "chown: changing ownership of 'ro': Read-only file system\n")]
#[case("mkdir ro/", "mkdir: cannot create directory 'ro/': File exists\n")]
#[case("mknod ro/n p", "mknod: ro/n: Read-only file system\n")]
#[case("mkfifo ro/f", "mkfifo: cannot create fifo 'ro/f': Read-only file system\n")]
#[case("truncate -s 0 ro/q", "truncate: cannot open 'ro/q' for writing: Read-only file system\n")]
#[case("mktemp -p ro", "mktemp: failed to create file via template 'ro/tmp.XXXXXXXXXX': Read-only file system\n")]
#[case("mktemp -d ro/XXXX", "mktemp: failed to create directory via template 'ro/XXXX': Read-only file system\n")]
fn failures(#[case] command: &str, #[case] message: &str) {
    let words: Vec<&str> = command.split_whitespace().collect();
    assert_eq!(trial().run_in("/t", &words), (1, String::new(), message.to_owned()));
}

#[test]
fn mv_copies_to_another_filesystem_and_back() {
    let trial = trial();
    let text = "copied 'f' -> 'e/m/f'\nremoved 'f'\n";
    assert_eq!(trial.run_in("/t", &["mv", "-v", "f", "e/m/"]), (0, text.to_owned(), String::new()));
    let text = "created directory 'e/m/d'\ncopied 'd/x' -> 'e/m/d/x'\nremoved 'd/x'\nremoved directory 'd'\n";
    assert_eq!(trial.run_in("/t", &["mv", "-v", "d", "e/m"]), (0, text.to_owned(), String::new()));
    let text = "created directory './d'\ncopied 'e/m/d/x' -> './d/x'\nremoved 'e/m/d/x'\nremoved directory 'e/m/d'\n";
    assert_eq!(trial.run_in("/t", &["mv", "-v", "e/m/d", "."]), (0, text.to_owned(), String::new()));
}

#[test]
fn find_lists_mount_points_and_stays_above_them() {
    let (status, output, error) = trial().run_in("/t", &["find", "e", "-xdev"]);
    assert_eq!((status, &output[..], &error[..]), (0, "e\ne/m\n", ""));
}

#[test]
fn stat_names_the_mount_point() {
    let (status, output, error) = trial().run_in("/t", &["stat", "-c", "%m", "e/m/k", "e", "d/x"]);
    assert_eq!((status, &output[..], &error[..]), (0, "/t/e/m\n/\n/\n", ""));
}

#[rstest]
#[case("chown nobodyx f", 1, "", "chown: invalid user: 'nobodyx'\n")]
#[case("chown root:nog f", 1, "", "chown: invalid group: 'root:nog'\n")]
#[case("chown root no", 1, "", "chown: cannot access 'no': No such file or directory\n")]
#[case("chown -v nobody:nogroup f", 0, "changed ownership of 'f' from root:root to nobody:nogroup\n", "")]
#[case("chown -v nobody: f", 0, "changed ownership of 'f' from root:root to nobody:nogroup\n", "")]
#[case("chown -v root f", 0, "ownership of 'f' retained as root\n", "")]
#[case("chown -v : f", 0, "ownership of 'f' retained\n", "")]
#[case("chown -v :nogroup f", 0, "changed ownership of 'f' from root:root to :nogroup\n", "")]
#[case("chown -Rv 0:0 d", 0, "ownership of 'd/x' retained as root:root\nownership of 'd' retained as root:root\n", "")]
#[case("chown", 1, "", "chown: missing operand\nTry 'chown --help' for more information.\n")]
#[case("chown root", 1, "", "chown: missing operand after 'root'\nTry 'chown --help' for more information.\n")]
#[case(
    "chown -v 1:1 no",
    1,
    "failed to change ownership of 'no' to 1:1\n",
    "chown: cannot access 'no': No such file or directory\n"
)]
#[case("chgrp nog f", 1, "", "chgrp: invalid group: 'nog'\n")]
#[case("chgrp -v 5 f", 0, "changed group of 'f' from root to 5\n", "")]
fn ownership(#[case] command: &str, #[case] status: i32, #[case] output: &str, #[case] error: &str) {
    let words: Vec<&str> = command.split_whitespace().collect();
    assert_eq!(trial().run_in("/t", &words), (status, output.to_owned(), error.to_owned()));
}

#[test]
fn mktemp_gives_new_names() {
    let trial = trial();
    let (status, first, _) = trial.run("mktemp -d");
    let (_, second, _) = trial.run("mktemp -d");
    assert_eq!((status, first.len()), (0, "/tmp/tmp.XXXXXXXXXX\n".len()));
    assert_ne!(first, second);
    let (_, output, _) = trial.run(&format!("stat -c %A {}", first.trim()));
    assert_eq!(output, "drwx------\n");
}

#[rstest]
#[case("ls -Q", 2, "ls: option '-Q' is not simulated\n")]
#[case("cp --parents a b", 1, "cp: option '--parents' is not simulated\n")]
#[case("rm -i a", 1, "rm: option '-i' is not simulated\n")]
#[case("find / -newer a", 1, "find: option '-newer' is not simulated\n")]
#[case("diff -y a b", 2, "diff: option '-y' is not simulated\n")]
fn what_is_not_simulated_is_refused(#[case] command: &str, #[case] status: i32, #[case] message: &str) {
    assert_eq!(trial().run(command), (status, String::new(), message.to_owned()));
}

#[test]
fn sleep_passes_simulated_time() {
    let trial = trial();
    trial.quietly("sleep 1m 1.5");
    assert_eq!(trial.machine.clock(), std::time::Duration::from_millis(61_500));
}

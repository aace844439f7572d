//! The real world: sh and util-linux, in namespaces of their own.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::{ENVIRONMENT, SCRIPTS, Transcript, WORK, directory, path};

/// The util-linux of which the programs of the simulated machine give the texts.
const UTIL_LINUX: &str = "util-linux 2.38";

/// Runs in the new namespaces, with the directory of the scripts as the working directory. Nothing of the machine's own
/// mounts is seen below /mnt, and libmount has a /run of its own. The shell stays, so that the script is no init, for which
/// signals have no effect.
const SETUP: &str = r#"
mount -t proc proc /proc &&
    mount -t tmpfs tmpfs /run &&
    mount -t tmpfs -o mode=755 tmpfs /mnt &&
    mkdir "$1" "$2" &&
    cp -r . "$1" &&
    mount -t tmpfs -o mode=755 tmpfs "$2" &&
    cd "$2" || exit 125
sh "$3"
exit $?
"#;

/// How long a script may take, in seconds.
const LIMIT: &str = "120";

/// A command in new mount and pid namespaces, which end with it.
fn isolated() -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", LIMIT]);
    // On one processor: which of two mount namespaces is the older, and may be mounted in the other, is told by numbers of
    // which each processor has a stock of its own.
    command.args(["taskset", "--cpu-list", first_processor()]);
    command.args(["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]);
    command.env_clear().envs(ENVIRONMENT.iter().copied()).stdin(Stdio::null());
    command
}

/// The first processor that this process may use.
fn first_processor() -> &'static str {
    static PROCESSOR: OnceLock<String> = OnceLock::new();
    PROCESSOR.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or("0");
        list.trim().split([',', '-']).next().unwrap_or("0").to_owned()
    })
}

/// Whether scripts can be run here, or why not.
pub fn check() -> Result<(), &'static str> {
    static RESULT: OnceLock<Result<(), String>> = OnceLock::new();
    RESULT.get_or_init(try_commands).as_ref().copied().map_err(String::as_str)
}

fn try_commands() -> Result<(), String> {
    let shell = std::fs::canonicalize("/bin/sh").map_err(|error| format!("needs /bin/sh: {error}"))?;
    if !shell.ends_with("dash") {
        return Err(format!("needs dash as /bin/sh, not {}", shell.display()));
    }
    let version = isolated().args(["mount", "--version"]).output();
    let version = version.map_err(|error| format!("needs timeout(1): {error}"))?;
    if !version.status.success() {
        return Err(format!("needs root: {}", String::from_utf8_lossy(&version.stderr).trim()));
    }
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    if version.contains(UTIL_LINUX) { Ok(()) } else { Err(format!("needs {UTIL_LINUX}, not {version}")) }
}

/// Runs a script.
pub fn run(script: &Path) -> Transcript {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut child = isolated()
        .args(["sh", "-c", SETUP, "setup", SCRIPTS, WORK, &path(script)])
        .current_dir(directory())
        .stdout(writer.try_clone().unwrap())
        .stderr(writer)
        .spawn()
        .unwrap();
    let mut output = Vec::new();
    reader.read_to_end(&mut output).unwrap();
    let status = child.wait().unwrap().code().unwrap_or_else(|| panic!("{}: killed", script.display()));
    assert_ne!(status, 124, "{} took more than {LIMIT} s:\n{}", script.display(), String::from_utf8_lossy(&output));
    Transcript { output, status }
}

/// Says that a test is not done, which in CI is a failure.
pub fn skip(script: &Path, reason: &str) {
    let name = script.file_name().unwrap().to_string_lossy();
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{name}: in CI nothing is skipped: {reason}");
    // Not eprintln, which the test harness keeps to itself.
    std::io::stderr().write_all(format!("skipped: {reason}: {name}\n").as_bytes()).unwrap();
}

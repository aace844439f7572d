//! A command that is running.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Outcome, Run};

/// How long anything may take. It is much less, unless it hangs.
const LIMIT: Duration = Duration::from_secs(60);

impl Run {
    /// Starts a program in the container, to be watched and sent signals.
    pub(crate) fn spawn<S: Into<OsString>>(mut self, argv: impl IntoIterator<Item = S>) -> Started {
        self.command.arg("--").args(argv.into_iter().map(Into::into));
        Started::start(self.command)
    }
}

/// A command that is running, with its output in files: what it leaves running can't make us wait for the end of a
/// pipe. Dropped, it is killed.
pub(crate) struct Started {
    child: Child,
    stdout: File,
    stderr: File,
}

impl Started {
    pub(crate) fn start(mut command: Command) -> Self {
        let (stdout, stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        command.stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
        Self { child: command.spawn().unwrap(), stdout, stderr }
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub(crate) fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// What has been printed so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&content(&self.stdout)).into_owned()
    }

    /// Waits until the program has printed a text.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        wait_until(&format!("{text:?} on standard output"), || {
            let printed = self.text().contains(text);
            let ended = self.child.try_wait().unwrap().is_some();
            assert!(printed || !ended, "ended without it: {}", String::from_utf8_lossy(&content(&self.stderr)));
            printed
        });
    }

    /// Waits for the end, whatever it is.
    #[track_caller]
    pub(crate) fn status(&mut self) -> ExitStatus {
        wait_until("the end of the command", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap()
    }

    /// Waits for the end, whatever it is. Gives what was printed to standard error as well.
    #[track_caller]
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        (self.status(), String::from_utf8_lossy(&content(&self.stderr)).into_owned())
    }

    /// Waits for an end by exiting.
    #[track_caller]
    pub(crate) fn outcome(mut self) -> Outcome {
        let status = self.status();
        let stderr = String::from_utf8_lossy(&content(&self.stderr)).into_owned();
        assert_eq!(status.signal(), None, "cofferdam itself was killed by a signal: {stderr}");
        Outcome { status: status.code().unwrap(), stdout: content(&self.stdout), stderr }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The file's position is the program's: it writes there.
pub(crate) fn content(file: &File) -> Vec<u8> {
    let mut content = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    let length = file.read_at(&mut content, 0).unwrap();
    content.truncate(length);
    content
}

/// Waits for something to become true.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}

//! A terminal, and a command at it.

use std::fs;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};

/// How long anything may take, in milliseconds. It is much less, unless it hangs.
const LIMIT: u16 = 60_000;

pub(crate) const CTRL_C: &str = "\x03";
pub(crate) const CTRL_D: &str = "\x04";
pub(crate) const UP: &str = "\x1b[A";
/// What ends a prompt.
pub(crate) const PROMPT: &str = "# ";

/// `cofferdam` at a terminal. Dropped, it is killed.
pub(crate) struct Terminal {
    master: PtyMaster,
    child: Child,
    /// What was shown, and how much of it the test has seen.
    shown: String,
    seen: usize,
}

impl Terminal {
    /// Starts `cofferdam sim` with these arguments for somebody with this home directory, and waits for its prompt.
    #[track_caller]
    pub(crate) fn start(home: &Path, arguments: &[&str]) -> Self {
        let mut terminal = Self::start_command("sim", home, arguments);
        terminal.wait_for(PROMPT);
        terminal
    }

    /// Starts any command.
    pub(crate) fn start_command(command: &str, home: &Path, arguments: &[&str]) -> Self {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let slave = fs::OpenOptions::new().read(true).write(true).open(ptsname_r(&master).unwrap()).unwrap();
        let stream = || Stdio::from(OwnedFd::from(slave.try_clone().unwrap()));
        let child = Command::new("setsid")
            .args(["--ctty", "--wait", env!("CARGO_BIN_EXE_cofferdam"), command])
            .args(arguments)
            .env("HOME", home)
            .env("TERM", "xterm")
            .env_remove("XDG_STATE_HOME")
            .stdin(stream())
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .unwrap();
        Self { master, child, shown: String::new(), seen: 0 }
    }

    /// Presses keys. Those of the line editor, but for whole lines, mean nothing before there is a prompt.
    pub(crate) fn press(&self, keys: &str) {
        self.press_bytes(keys.as_bytes());
    }

    pub(crate) fn press_bytes(&self, keys: &[u8]) {
        nix::unistd::write(&self.master, keys).unwrap();
    }

    /// Types a command.
    pub(crate) fn line(&self, command: &str) {
        self.press(command);
        self.press("\r");
    }

    /// Waits until a text is shown, behind the one that was waited for before. Gives what is between.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        loop {
            if let Some(index) = self.shown[self.seen..].find(text) {
                let between = self.shown[self.seen..self.seen + index].to_owned();
                self.seen += index + text.len();
                return between;
            }
            assert!(self.read_more(), "{text:?} was not shown before the end: {:?}", self.shown);
        }
    }

    /// Presses Ctrl-C, and waits for the prompt.
    #[track_caller]
    pub(crate) fn interrupt(&mut self) {
        self.press(CTRL_C);
        self.wait_for("^C\r\n");
        self.wait_for(PROMPT);
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn end(self) -> ExitStatus {
        self.end_with_all().0
    }

    /// The same, with all that was shown.
    #[track_caller]
    pub(crate) fn end_with_all(mut self) -> (ExitStatus, String) {
        while self.read_more() {}
        (self.child.wait().unwrap(), std::mem::take(&mut self.shown))
    }

    /// Reads what is shown. False at the end.
    #[track_caller]
    fn read_more(&mut self) -> bool {
        let mut awaited = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        assert_ne!(poll(&mut awaited, PollTimeout::from(LIMIT)), Ok(0), "nothing more is shown: {:?}", self.shown);
        let mut bytes = [0; 4096];
        // An error if nobody has the other side any more.
        let count = nix::unistd::read(&self.master, &mut bytes).unwrap_or(0);
        self.shown.push_str(&String::from_utf8_lossy(&bytes[..count]));
        count > 0
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

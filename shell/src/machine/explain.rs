//! Why the system calls failed of which a program complains.

use cofferdam::kernel::{Call, Errno};
use cofferdam_vfs_sim::{FailedCall, Process};

use super::Machine;

impl Machine {
    /// Lets every message of a program or builtin on standard error be followed by the system calls that have failed since it
    /// began, or since its last message, each with the rule of the kernel that it met. Calls that only look are left out if
    /// another one failed. Scripts that read messages read those lines as well.
    pub fn explain(&self) {
        self.explains.set(true);
        self.init.linux().note_failures(true);
    }

    /// What follows a message of this process: lines, or nothing.
    pub(crate) fn explanation(&self, process: &Process) -> Vec<u8> {
        if !self.explains.get() {
            return Vec::new();
        }
        let failures = process.linux().take_failures(process.task());
        let (looks, mut acts): (Vec<_>, Vec<_>) = failures.into_iter().partition(FailedCall::only_looks);
        // Programs look for many things that need not be there: what does not lead to another call is what was missed.
        if acts.is_empty() {
            acts.extend(looks.into_iter().rev().find(|failed| !tells_no_link(failed)));
        }
        // What is tried again fails again.
        acts.dedup();
        acts.iter().map(|failed| format!("  {failed}\n")).collect::<Vec<_>>().concat().into_bytes()
    }

    /// Something begins that has nothing to do with what this process did before.
    pub(crate) fn forget_failures(&self, process: &Process) {
        if self.explains.get() {
            process.linux().take_failures(process.task());
        }
    }
}

/// Whether a call has only told that something is no symbolic link, as it does for each component of a path that is resolved.
fn tells_no_link(failed: &FailedCall) -> bool {
    matches!(failed.call, Call::Readlinkat { .. }) && failed.rule.errno() == Errno::EINVAL
}

#[cfg(test)]
mod tests {
    use crate::testing::Trial;

    /// What a command prints to standard error on a machine that explains.
    fn messages(command: &str) -> String {
        let trial = Trial::new();
        trial.machine.explain();
        trial.run_words(&["sh", "-c", command]).2
    }

    #[test]
    fn a_message_is_followed_by_what_failed() {
        assert_eq!(
            messages("umount /srv"),
            "umount: /srv: not mounted.\n  umount2(\"/srv\", 0) = -1 EINVAL: nothing is mounted at the target: it is not the root of \
             a mount (can_umount())\n"
        );
        // Of a builtin.
        let text = messages("cd /missing");
        assert!(text.starts_with("sh: 1: cd: can't cd to /missing\n  statx(AT_FDCWD, \"/missing\","), "{text}");
        // Of a redirection.
        let text = messages("echo x >/srv/missing/file");
        assert!(text.contains("\n  openat2(AT_FDCWD, \"/srv/missing/file\", "), "{text}");
    }

    #[test]
    fn each_message_has_its_own() {
        let text = messages("rmdir /missing /srv/missing");
        let explained: Vec<_> = text.lines().filter(|line| line.starts_with("  ")).collect();
        assert_eq!(explained.len(), 2, "{text}");
        assert!(explained[0].contains("\"/missing\"") && explained[1].contains("\"/srv/missing\""), "{text}");
    }

    /// A name that is looked for in `PATH`, and a file that need not be there, are no explanation of a later message.
    #[test]
    fn what_was_asked_before_is_left_out() {
        let text = messages("[ -e /missing ]; nosuchcommand; mount -t tmpfs none /missing");
        let explained: Vec<_> = text.lines().filter(|line| line.starts_with("  ") && !line.contains("dmesg")).collect();
        assert_eq!(explained.len(), 2, "{text}");
        assert!(explained[0].contains("/nosuchcommand\""), "{text}");
        assert!(explained[1].starts_with("  mount(\"none\", \"/missing\", "), "{text}");
    }

    #[test]
    fn nothing_follows_without_being_asked_for() {
        assert_eq!(Trial::new().run("umount /srv").2, "umount: /srv: not mounted.\n");
    }
}

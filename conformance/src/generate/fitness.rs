//! Which actions are fit for a sequence: neither do they harm the machinery or the machine, nor depends what they do on
//! anything but the sequence.

use cofferdam::kernel::{AtFlags, Call, FsConfig, MountFlags, Value};

use super::limits::NAMELESS;
use super::scene::{PROC, Scene, TMPFS};
use crate::observation::Observation;
use crate::sequence::{Action, Step};
use crate::universe::BASE;

impl Scene<'_> {
    /// Whether an action is fit for the sequence.
    pub(super) fn is_fit(&mut self, action: &Action) -> bool {
        self.admits(action)
            && !self.asks_the_machine(action)
            && !self.shows_a_number(action)
            && !self.would_change_the_machine(action)
            && !self.may_disturb(action)
            && !self.takes_other_layers(action)
            && !self.lists_temporary_names(action)
            && !self.would_be_crowded(action)
            && !self.would_expose_base(action)
            && !self.would_end_machinery(action)
    }

    /// Whether the kernels would pass an action over, as it would wait, or end or stop a process.
    pub(super) fn is_passed_over(&self, action: &Action) -> bool {
        let step = Step { task: self.task, action: action.clone() };
        needs_care(action) && self.kernel.clone().perform(&step) == Observation::Skipped
    }

    fn admits(&self, action: &Action) -> bool {
        self.kernel.census().admits(&Step { task: self.task, action: action.clone() })
    }

    /// Whether a call's path may lead through a mount and out again while one is about to expire. A walk that nobody else
    /// disturbs leaves no trace on such a mount, but one that has to be made anew because something is mounted elsewhere
    /// on the machine does (`try_to_unlazy()`).
    fn may_disturb(&self, action: &Action) -> bool {
        if !self.past.expiring {
            return false;
        }
        let text = serde_json::to_string(action).unwrap_or_default();
        text.contains("..") || text.contains("chain")
    }

    /// Whether a file without a name would be made elsewhere than in a tmpfs: its number, which is part of what it is
    /// called, is given out to all filesystems of the machine there.
    fn shows_a_number(&mut self, action: &Action) -> bool {
        match action {
            Action::Call(call @ Call::Openat2 { dirfd, path, how }) if how.flags.contains(NAMELESS) => {
                self.magic_at(*dirfd, path, true).is_some_and(|magic| magic != TMPFS) && self.refusal(call).is_none()
            }
            _ => false,
        }
    }

    /// Whether there would be very many mounts then: copies of trees and propagation can double them at each step, and
    /// what takes the kernel seconds is of no use.
    fn would_be_crowded(&self, action: &Action) -> bool {
        const FEW: usize = 25;
        const MANY: usize = 400;
        if !adds_mounts(action) || self.kernel.mounts() <= FEW {
            return false;
        }
        let mut kernel = self.kernel.clone();
        kernel.perform(&Step { task: self.task, action: action.clone() });
        kernel.mounts() > MANY
    }

    /// Whether the process would see what lies below the root of the universe: setns(2) leads to whatever is there when
    /// the root was unmounted.
    fn would_expose_base(&self, action: &Action) -> bool {
        if !matches!(action, Action::Call(Call::Setns { .. })) {
            return false;
        }
        let mut kernel = self.kernel.clone();
        kernel.perform(&Step { task: self.task, action: action.clone() });
        let table = kernel.mountinfo(self.task);
        let mut entries = cofferdam::mountinfo::entries(&table).filter_map(Result::ok);
        entries.any(|entry| entry.source_raw() == BASE.as_bytes() || entry.filesystem_type_raw() == b"rootfs")
    }

    /// Whether a call lists what overlays keep in their directories for work: the names are the machine's.
    fn lists_temporary_names(&mut self, action: &Action) -> bool {
        let Action::Call(call @ Call::Getdents64 { .. }) = action else { return false };
        let is_temporary = |name: &[u8]| {
            name.strip_prefix(b"#").is_some_and(|rest| !rest.is_empty() && rest.iter().all(u8::is_ascii_hexdigit))
        };
        match self.ask(call) {
            Some(Value::Entries(entries)) => entries.iter().any(|entry| is_temporary(&entry.name.0)),
            _ => false,
        }
    }

    /// Whether a call would remount a filesystem of which there is one on the machine: that of the files of namespaces,
    /// of which mounts can be had.
    fn would_change_the_machine(&self, action: &Action) -> bool {
        let is_remount = match action {
            Action::Call(Call::Mount { mountflags, .. }) => mountflags.contains(MountFlags::MS_REMOUNT),
            Action::Call(Call::Fsconfig { config, .. }) => matches!(config, FsConfig::Reconfigure),
            _ => false,
        };
        if !is_remount {
            return false;
        }
        let mut kernel = self.kernel.clone();
        kernel.perform(&Step { task: self.task, action: action.clone() });
        kernel.has_remounted(b"nsfs")
    }

    /// Whether a program would take the place of a process that others need.
    fn would_end_machinery(&mut self, action: &Action) -> bool {
        let Action::Call(call @ Call::Execve { .. }) = action else { return false };
        let is_needed = self.task == 0 || self.kernel.census().has_children(self.task);
        is_needed && self.kernel.clone().ask(self.task, call).is_ok()
    }

    /// Whether a call asks for the names, sizes and numbers of files of proc(5), which are the machine's.
    pub(super) fn asks_the_machine(&mut self, action: &Action) -> bool {
        match action {
            Action::Call(Call::Statx { dirfd, path, flags }) => {
                self.magic_at(*dirfd, path, !flags.contains(AtFlags::AT_SYMLINK_NOFOLLOW)) == Some(PROC)
            }
            Action::Call(Call::Getdents64 { fd }) => self.is_on_proc(*fd),
            _ => false,
        }
    }
}

fn needs_care(action: &Action) -> bool {
    matches!(action, Action::Call(call) if crate::simulated::needs_care(call))
}

fn adds_mounts(action: &Action) -> bool {
    match action {
        Action::Call(call) => matches!(
            call,
            Call::Mount { .. }
                | Call::MoveMount { .. }
                | Call::OpenTree { .. }
                | Call::OpenTreeAttr { .. }
                | Call::PivotRoot { .. }
                | Call::Unshare { .. }
        ),
        Action::Fork { .. } => true,
        Action::Exit { .. } => false,
    }
}

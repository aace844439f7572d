//! What a process that is stopped at a system call has in its registers.

use libc::{c_long, user_regs_struct};
use nix::Result;
use nix::sys::ptrace::{getregs, setregs};
use nix::unistd::Pid;

/// The registers of a process at the entry to a system call, or at its end: its number, arguments and result are where
/// syscall(2) says.
#[derive(Clone, Copy)]
pub(super) struct Registers(user_regs_struct);

impl Registers {
    /// The calls that return 0 if all their arguments are -1, and do nothing: to setresuid(2) and setresgid(2) it says that
    /// nothing is to change, and flock(2) takes it for a mandatory lock (`LOCK_MAND`), which it ignores since Linux 5.15.
    pub(super) const MEANING_NOTHING: [&str; 3] = ["flock", "setresgid", "setresuid"];

    pub(super) fn of(pid: Pid) -> Result<Self> {
        getregs(pid).map(Self)
    }

    pub(super) fn set(self, pid: Pid) -> Result<()> {
        setregs(pid, self.0)
    }

    /// The same, with no argument that any call could do something with. A number that is no call's could not be set in the
    /// same way on all architectures.
    ///
    /// -1 is no address, no descriptor, no process, no signal, and too much as flags or as a size, but for those in
    /// [`MEANING_NOTHING`](Self::MEANING_NOTHING).
    pub(super) fn with_bad_arguments(mut self) -> Self {
        for argument in self.arguments() {
            *argument = u64::MAX;
        }
        self
    }

    pub(super) fn first_argument(mut self) -> u64 {
        *self.arguments()[0]
    }

    /// The same, after a call that has failed.
    pub(super) fn with_error(mut self, errno: i32) -> Self {
        *self.result() = (-i64::from(errno)).cast_unsigned();
        self
    }

    /// Whether the call has failed.
    pub(super) fn is_error(mut self) -> bool {
        (-4095..0).contains(&self.result().cast_signed())
    }
}

#[cfg(target_arch = "x86_64")]
impl Registers {
    pub(super) fn number(self) -> c_long {
        self.0.orig_rax.cast_signed()
    }

    fn arguments(&mut self) -> [&mut u64; 6] {
        let registers = &mut self.0;
        [
            &mut registers.rdi,
            &mut registers.rsi,
            &mut registers.rdx,
            &mut registers.r10,
            &mut registers.r8,
            &mut registers.r9,
        ]
    }

    fn result(&mut self) -> &mut u64 {
        &mut self.0.rax
    }
}

#[cfg(target_arch = "aarch64")]
impl Registers {
    pub(super) fn number(self) -> c_long {
        self.0.regs[8].cast_signed()
    }

    fn arguments(&mut self) -> [&mut u64; 6] {
        let [zero, one, two, three, four, five, ..] = &mut self.0.regs;
        [zero, one, two, three, four, five]
    }

    fn result(&mut self) -> &mut u64 {
        &mut self.0.regs[0]
    }
}

//! The flags of clone3(2), and which of them are refused.

use cofferdam::kernel::CloneFlags;

use crate::failure::{Failure, fail};

/// The flags of clone3(2) that have no name in [`CloneFlags`] (`include/uapi/linux/sched.h`).
pub(super) mod flag {
    use cofferdam::kernel::CloneFlags;

    macro_rules! flags {
        ($($name:ident = $bits:expr;)*) => {
            $(pub(in super::super) const $name: CloneFlags = CloneFlags::from_bits_retain($bits);)*
        };
    }

    flags! {
        EXIT_SIGNAL_WITHOUT_NEWTIME = 0x7f;
        VM = 0x100;
        SIGHAND = 0x800;
        PIDFD = 0x1000;
        PARENT = 0x8000;
        THREAD = 0x1_0000;
        SYSVSEM = 0x4_0000;
        PARENT_SETTID = 0x10_0000;
        DETACHED = 0x40_0000;
        CLEAR_SIGHAND = 1 << 32;
        KNOWN = (1 << 33) - 1;
    }
}

/// The flags that are refused by themselves, or together (`clone3_args_valid()`, `copy_process()`).
pub(super) fn check_flags(flags: CloneFlags) -> Result<(), Failure> {
    if !flag::KNOWN.contains(flags) {
        return Err(fail!(EINVAL, "clone3_args_valid()", "a flag is not one that clone3(2) knows"));
    }
    if flags.intersects(flag::DETACHED | flag::EXIT_SIGNAL_WITHOUT_NEWTIME) {
        return Err(fail!(
            EINVAL,
            "clone3_args_valid()",
            "a flag is CLONE_DETACHED, or a bit where clone(2) has the exit signal"
        ));
    }
    if flags.intersects(flag::THREAD | flag::PARENT) {
        return Err(fail!(
            EINVAL,
            "clone3_args_valid()",
            "CLONE_THREAD or CLONE_PARENT goes with an exit signal, which is SIGCHLD here"
        ));
    }
    if flags.contains(flag::PIDFD | flag::PARENT_SETTID) {
        return Err(fail!(
            EINVAL,
            "kernel_clone()",
            "CLONE_PIDFD and CLONE_PARENT_SETTID would write to the same place"
        ));
    }
    if flags.contains(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS) {
        return Err(fail!(EINVAL, "copy_process()", "CLONE_FS goes with CLONE_NEWNS, where root is another one"));
    }
    if flags.contains(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWUSER) {
        return Err(fail!(EINVAL, "copy_process()", "CLONE_FS goes with CLONE_NEWUSER, where chroot(2) is permitted"));
    }
    if flags.contains(flag::SIGHAND) && !flags.contains(flag::VM) {
        return Err(fail!(EINVAL, "copy_process()", "CLONE_SIGHAND is given without CLONE_VM"));
    }
    if flags.contains(flag::VM) {
        return Err(fail!(EINVAL, "copy_process()", "CLONE_VM shares memory, which is not simulated"));
    }
    Ok(())
}

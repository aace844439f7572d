//! What a process of ours does while its child runs: it passes signals on, and reaps.

use typed_path::UnixPath;

use crate::error::{CallError, Doing};
use crate::kernel::{
    Errno, Kernel, Pid, Signal, SignalAction, SignalInfo, SignalMaskHow, SignalSet, WaitOptions, WaitStatus,
};

/// The signals that are passed on. Those of job control are not: they stop and continue us together with the program,
/// which is in our process group.
const PASSED_ON: [Signal; 7] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2, Signal::WINCH];

/// `SI_KERNEL`: the kernel sent the signal by itself.
const SENT_BY_KERNEL: i32 = 0x80;

fn awaited() -> SignalSet {
    PASSED_ON.into_iter().chain([Signal::CHLD]).collect()
}

fn ourselves() -> &'static UnixPath {
    UnixPath::new("this process")
}

/// Blocks the signals that [`supervise`] waits for, so that none is lost between now and then. Children inherit it.
///
/// # Errors
///
/// Those of sigprocmask(2).
pub fn block_signals(kernel: &dyn Kernel) -> Result<(), CallError> {
    // Where SIGCHLD is ignored, which is inherited, children vanish without a status.
    kernel.sigaction(Signal::CHLD, SignalAction::Default).doing("reset the signals of", ourselves())?;
    kernel.sigprocmask(SignalMaskHow::Block, awaited()).doing("block signals of", ourselves())?;
    Ok(())
}

/// Unblocks all signals.
///
/// # Errors
///
/// Those of sigprocmask(2).
pub fn unblock_signals(kernel: &dyn Kernel) -> Result<(), CallError> {
    kernel.sigprocmask(SignalMaskHow::SetMask, SignalSet::default()).doing("unblock signals of", ourselves())?;
    Ok(())
}

/// Waits for a child to end, passes signals on to it, and reaps whatever else ends. The signals must be blocked.
///
/// A signal of a terminal's key goes to the whole foreground process group by itself, so it is not passed on a second time.
/// That the terminal is gone is told to the session's leader alone, which we may be, and the program is not.
///
/// # Errors
///
/// Those of wait4(2).
pub fn supervise(kernel: &dyn Kernel, child: Pid) -> Result<WaitStatus, CallError> {
    loop {
        match kernel.sigwaitinfo(awaited()) {
            Ok(SignalInfo { signal: Signal::CHLD, .. }) => {
                if let Some(status) = reap(kernel, child)? {
                    return Ok(status);
                }
            }
            Ok(SignalInfo { code: SENT_BY_KERNEL, signal, .. }) if signal != Signal::HUP => {}
            Err(Errno::EINTR) => {}
            Ok(SignalInfo { signal, .. }) => match kernel.kill(child, signal) {
                // It has ended in the meantime.
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(errno) => return Err(CallError::new("pass a signal on to", UnixPath::new("the program"), errno)),
            },
            Err(errno) => return Err(CallError::new("wait for signals to", ourselves(), errno)),
        }
    }
}

/// Reaps all children that have ended; one SIGCHLD may stand for several.
fn reap(kernel: &dyn Kernel, child: Pid) -> Result<Option<WaitStatus>, CallError> {
    let mut ended = None;
    loop {
        match kernel.wait4(Pid(-1), WaitOptions::WNOHANG) {
            Ok(Some((pid, status))) if pid == child => ended = Some(status),
            Ok(Some(_)) | Err(Errno::EINTR) => {}
            Ok(None) => return Ok(ended),
            Err(Errno::ECHILD) if ended.is_some() => return Ok(ended),
            Err(errno) => return Err(CallError::new("wait for the children of", ourselves(), errno)),
        }
    }
}

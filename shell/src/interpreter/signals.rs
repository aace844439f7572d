//! Names and descriptions of signals.

use cofferdam::kernel::Signal;

/// The names without `SIG`, from 1 on, with what strsignal(3) says.
const SIGNALS: [(&str, &str); 31] = [
    ("HUP", "Hangup"),
    ("INT", "Interrupt"),
    ("QUIT", "Quit"),
    ("ILL", "Illegal instruction"),
    ("TRAP", "Trace/breakpoint trap"),
    ("ABRT", "Aborted"),
    ("BUS", "Bus error"),
    ("FPE", "Floating point exception"),
    ("KILL", "Killed"),
    ("USR1", "User defined signal 1"),
    ("SEGV", "Segmentation fault"),
    ("USR2", "User defined signal 2"),
    ("PIPE", "Broken pipe"),
    ("ALRM", "Alarm clock"),
    ("TERM", "Terminated"),
    ("STKFLT", "Stack fault"),
    ("CHLD", "Child exited"),
    ("CONT", "Continued"),
    ("STOP", "Stopped (signal)"),
    ("TSTP", "Stopped"),
    ("TTIN", "Stopped (tty input)"),
    ("TTOU", "Stopped (tty output)"),
    ("URG", "Urgent I/O condition"),
    ("XCPU", "CPU time limit exceeded"),
    ("XFSZ", "File size limit exceeded"),
    ("VTALRM", "Virtual timer expired"),
    ("PROF", "Profiling timer expired"),
    ("WINCH", "Window changed"),
    ("IO", "I/O possible"),
    ("PWR", "Power failure"),
    ("SYS", "Bad system call"),
];

/// All names, the first being that of signal 1.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SIGNALS.iter().map(|(name, _)| *name)
}

/// The name of a signal, without `SIG`.
pub(crate) fn name(signal: Signal) -> Option<&'static str> {
    entry(signal).map(|(name, _)| *name)
}

/// What strsignal(3) says of a signal.
pub(crate) fn description(signal: Signal) -> String {
    entry(signal).map_or_else(|| format!("Unknown signal {}", signal.0), |(_, text)| (*text).to_owned())
}

fn entry(signal: Signal) -> Option<&'static (&'static str, &'static str)> {
    SIGNALS.get(usize::try_from(signal.0).ok()?.checked_sub(1)?)
}

/// The signal of a number or a name, with or without `SIG`; 0 is `EXIT`.
pub(crate) fn parse(word: &[u8]) -> Option<Signal> {
    let word = std::str::from_utf8(word).ok()?;
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        return word.parse().ok().filter(|number| (0..=64).contains(number)).map(Signal);
    }
    let upper = word.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    if bare == "EXIT" {
        return Some(Signal(0));
    }
    let index = names().position(|name| name == bare)?;
    i32::try_from(index + 1).ok().map(Signal)
}

//! mkfifo(1) and mknod(1).

use cofferdam::UnixPath;
use cofferdam::kernel::{DeviceNumber, Errno, Fd, FileType, Kernel as _, Mode, NodeMode};

use super::support::mode::ModeChange;
use super::support::options::{not_simulated, take_options, usage};
use super::support::quote::{quoted_always, quoted_as_in_c, quoted_if_needed};
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Parsed, Takes, option};

const OPTIONS: &[Opt] = &[
    option("mode", 'm', "mode", Takes::Argument),
    not_simulated("!-Z", 'Z', "", Takes::Nothing),
    not_simulated("!--context", '\0', "context", Takes::Optional),
];

/// The permissions that `-m` says, or the usual ones. The error is the status, after a report.
fn mode(execution: &mut Execution, parsed: &Parsed) -> Result<Option<u32>, i32> {
    let Some(text) = parsed.value("mode") else { return Ok(None) };
    let mode = ModeChange::parse(text).map(|change| change.apply(0o666, false, execution.umask()));
    match mode {
        Some(mode) if mode & !0o777 == 0 => Ok(Some(mode)),
        Some(_) => {
            execution.report("mode must specify only file permission bits");
            Err(1)
        }
        None => {
            execution.report("invalid mode");
            Err(1)
        }
    }
}

fn make(
    execution: &Execution,
    path: &[u8],
    file_type: FileType,
    mode: Option<u32>,
    device: DeviceNumber,
) -> Result<(), Errno> {
    let node = NodeMode { file_type, mode: Mode(mode.unwrap_or(0o666)) };
    execution.process.mknodat(Fd::CWD, UnixPath::new(path), node, device)?;
    match mode {
        // Whatever the umask.
        Some(mode) => execution.process.fchmodat(Fd::CWD, UnixPath::new(path), Mode(mode)),
        None => Ok(()),
    }
}

/// mkfifo(1)
pub(crate) async fn mkfifo(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if parsed.operands.is_empty() {
        return usage(execution, "missing operand", 1);
    }
    let mode = match mode(execution, &parsed) {
        Ok(mode) => mode,
        Err(status) => return status,
    };
    let mut status = 0;
    for path in &parsed.operands {
        if let Err(errno) = make(execution, path, FileType::Fifo, mode, DeviceNumber::NONE) {
            status = execution.report_failure("cannot create fifo", path, errno);
        }
    }
    status
}

/// mknod(1)
pub(crate) async fn mknod(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let mode = match mode(execution, &parsed) {
        Ok(mode) => mode,
        Err(status) => return status,
    };
    let is_fifo = matches!(&parsed.operands[..], [_, kind, ..] if kind.starts_with(b"p"));
    let needed = if is_fifo { 2 } else { 4 };
    if parsed.operands.len() < needed {
        let text = match parsed.operands.last() {
            None => b"missing operand".to_vec(),
            Some(last) => [b"missing operand after ", &quoted_always(last)[..]].concat(),
        };
        if parsed.operands.len() == 2 {
            execution.report(text);
            execution.report_line("Special files require major and minor device numbers.");
            let help = execution.help_hint();
            execution.report_line(help);
            return 1;
        }
        return usage(execution, text, 1);
    }
    if let Some(extra) = parsed.operands.get(needed) {
        execution.report([b"extra operand ", &quoted_always(extra)[..]].concat());
        if is_fifo && parsed.operands.len() == 4 {
            execution.report_line("Fifos do not have major and minor device numbers.");
        }
        let help = execution.help_hint();
        execution.report_line(help);
        return 1;
    }
    let [path, kind, ..] = &parsed.operands[..] else { return 1 };
    let file_type = match kind.first() {
        Some(b'p') => FileType::Fifo,
        Some(b'b') => FileType::BlockDevice,
        Some(b'c' | b'u') => FileType::CharacterDevice,
        _ => return usage(execution, [b"invalid device type ", &quoted_always(kind)[..]].concat(), 1),
    };
    let mut device = DeviceNumber::NONE;
    if !is_fifo {
        let numbers = [("major", &mut device.major), ("minor", &mut device.minor)];
        for ((what, number), text) in numbers.into_iter().zip(parsed.operands.iter().skip(2)) {
            let Some(parsed) = device_number(text) else {
                let name = quoted_as_in_c(text);
                execution.report([b"invalid ", what.as_bytes(), b" device number ", &name].concat());
                return 1;
            };
            *number = parsed;
        }
    }
    match make(execution, path, file_type, mode, device) {
        Ok(()) => 0,
        Err(errno) => {
            execution.report([&quoted_if_needed(path)[..], b": ", errno.description().as_bytes()].concat());
            1
        }
    }
}

/// A number as C writes it: octal after `0`, hexadecimal after `0x`.
fn device_number(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(digits, 16).ok();
    }
    match text.strip_prefix('0') {
        Some(digits) if !digits.is_empty() => u32::from_str_radix(digits, 8).ok(),
        _ => text.parse().ok(),
    }
}

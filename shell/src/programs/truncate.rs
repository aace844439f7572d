//! truncate(1)

use cofferdam::kernel::{Kernel as _, Mode, OpenFlags, OpenHow};

use super::support::options::{not_simulated, take_options, usage};
use super::support::quote::{quoted_always, quoted_as_in_c};
use super::support::size::multiple;
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option};

const OPTIONS: &[Opt] = &[
    option("no-create", 'c', "no-create", Takes::Nothing),
    option("size", 's', "size", Takes::Argument),
    option("reference", 'r', "reference", Takes::Argument),
    not_simulated("!-o", 'o', "io-blocks", Takes::Nothing),
];

/// A size, absolute or relative to that of the file.
#[derive(Clone, Copy)]
enum Size {
    Absolute(u64),
    More(u64),
    Less(u64),
    AtMost(u64),
    AtLeast(u64),
}

impl Size {
    fn parse(text: &[u8]) -> Option<Self> {
        let (kind, number): (fn(u64) -> Self, &[u8]) = match text {
            [b'+', number @ ..] => (Self::More, number),
            [b'-', number @ ..] => (Self::Less, number),
            [b'<', number @ ..] => (Self::AtMost, number),
            [b'>', number @ ..] => (Self::AtLeast, number),
            number => (Self::Absolute, number),
        };
        multiple(number, b"EgGkKmMPtT").map(kind)
    }

    fn of(self, size: u64) -> u64 {
        match self {
            Self::Absolute(bytes) => bytes,
            Self::More(bytes) => size.saturating_add(bytes),
            Self::Less(bytes) => size.saturating_sub(bytes),
            Self::AtMost(bytes) => size.min(bytes),
            Self::AtLeast(bytes) => size.max(bytes),
        }
    }
}

/// truncate(1)
pub(crate) async fn truncate(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let size = match (parsed.value("size"), parsed.value("reference")) {
        (Some(text), None) => {
            let Some(size) = Size::parse(text) else {
                execution.report([b"Invalid number: ", &quoted_as_in_c(text)[..]].concat());
                return 1;
            };
            size
        }
        (None, Some(path)) => match execution.stat(path) {
            Ok(stat) => Size::Absolute(stat.size),
            Err(errno) => return execution.report_failure("cannot stat", path, errno),
        },
        (None, None) => return usage(execution, "you must specify either '--size' or '--reference'", 1),
        (Some(_), Some(_)) => {
            return usage(execution, "you must specify a relative '--size' with '--reference'", 1);
        }
    };
    if parsed.operands.is_empty() {
        return usage(execution, "missing file operand", 1);
    }
    let mut status = 0;
    for path in &parsed.operands {
        let keeps = parsed.has("no-create");
        let (create, mode) = if keeps { (OpenFlags::empty(), Mode(0)) } else { (OpenFlags::O_CREAT, Mode(0o666)) };
        let flags = OpenFlags::O_WRONLY | OpenFlags::O_NONBLOCK | create;
        let fd = match execution.open(path, OpenHow { flags, mode, ..OpenHow::default() }).await {
            Ok(fd) => fd,
            Err(cofferdam::kernel::Errno::ENOENT) if parsed.has("no-create") => continue,
            Err(errno) => {
                let name = quoted_always(path);
                let description = errno.description().as_bytes();
                execution.report([b"cannot open ", &name[..], b" for writing: ", description].concat());
                status = 1;
                continue;
            }
        };
        let old = execution.process_stat(fd).map_or(0, |stat| stat.size);
        let new = size.of(old);
        if let Err(errno) = execution.process.ftruncate(fd, new) {
            let name = quoted_always(path);
            let text = format!(" at {new} bytes: {}", errno.description());
            execution.report([b"failed to truncate ", &name[..], text.as_bytes()].concat());
            status = 1;
        }
        let _ = execution.process.close(fd);
    }
    status
}

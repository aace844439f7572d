//! cat(1)

use cofferdam::kernel::{Errno, Fd, Kernel as _, OpenFlags, OpenHow};

use super::support::options::take_options;
use super::support::quote::quoted_if_needed;
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option};

const OPTIONS: &[Opt] = &[
    option("all", 'A', "show-all", Takes::Nothing),
    option("number-nonblank", 'b', "number-nonblank", Takes::Nothing),
    option("e", 'e', "", Takes::Nothing),
    option("ends", 'E', "show-ends", Takes::Nothing),
    option("number", 'n', "number", Takes::Nothing),
    option("squeeze", 's', "squeeze-blank", Takes::Nothing),
    option("t", 't', "", Takes::Nothing),
    option("tabs", 'T', "show-tabs", Takes::Nothing),
    option("unbuffered", 'u', "", Takes::Nothing),
    option("nonprinting", 'v', "show-nonprinting", Takes::Nothing),
];

/// What is made of the bytes, and where in them it is: that goes on from one file to the next.
#[allow(clippy::struct_excessive_bools, reason = "they are the program's options")]
struct Format {
    numbers: bool,
    numbers_nonblank: bool,
    ends: bool,
    squeezes: bool,
    tabs: bool,
    nonprinting: bool,
    line: u64,
    is_at_start: bool,
    /// How many lines before this one were empty.
    blanks: u32,
    /// A carriage return that may belong to the end of the line, which is shown then.
    has_carriage_return: bool,
}

/// cat(1)
pub(crate) async fn cat(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let has = |ids: &[&str]| ids.iter().any(|id| parsed.has(id));
    let mut format = Format {
        numbers: has(&["number", "number-nonblank"]),
        numbers_nonblank: has(&["number-nonblank"]),
        ends: has(&["all", "e", "ends"]),
        squeezes: has(&["squeeze"]),
        tabs: has(&["all", "t", "tabs"]),
        nonprinting: has(&["all", "e", "t", "nonprinting"]),
        line: 0,
        is_at_start: true,
        blanks: 0,
        has_carriage_return: false,
    };
    let operands = if parsed.operands.is_empty() { vec![b"-".to_vec()] } else { parsed.operands };
    let mut status = 0;
    for path in &operands {
        if let Err(errno) = copy(execution, path, &mut format).await {
            execution.report([&quoted_if_needed(path)[..], b": ", errno.description().as_bytes()].concat());
            status = 1;
        }
    }
    let rest = format.finish();
    execution.print(rest);
    status
}

async fn copy(execution: &mut Execution, path: &[u8], format: &mut Format) -> Result<(), Errno> {
    if path == b"-" {
        return copy_from(execution, Fd::STDIN, format).await;
    }
    let how = OpenHow { flags: OpenFlags::O_CLOEXEC, ..OpenHow::default() };
    let fd = execution.open(path, how).await?;
    let result = copy_from(execution, fd, format).await;
    let _ = execution.process.close(fd);
    result
}

async fn copy_from(execution: &mut Execution, fd: Fd, format: &mut Format) -> Result<(), Errno> {
    loop {
        let bytes = execution.read(fd).await?;
        if bytes.is_empty() {
            return Ok(());
        }
        let text = format.apply(&bytes);
        execution.print(text);
        // What is read is written before more is waited for.
        execution.flush().await?;
    }
}

impl Format {
    fn apply(&mut self, bytes: &[u8]) -> Vec<u8> {
        if !(self.numbers || self.ends || self.squeezes || self.tabs || self.nonprinting) {
            return bytes.to_vec();
        }
        let mut text = Vec::new();
        for byte in bytes {
            self.show(*byte, &mut text);
        }
        text
    }

    fn show(&mut self, byte: u8, text: &mut Vec<u8>) {
        if self.has_carriage_return {
            self.has_carriage_return = false;
            text.extend_from_slice(if byte == b'\n' { b"^M" } else { b"\r" });
        }
        if byte == b'\n' {
            self.end_line(text);
            return;
        }
        if self.is_at_start && self.numbers {
            self.number(text);
        }
        self.is_at_start = false;
        self.blanks = 0;
        match byte {
            b'\t' if self.tabs => text.extend(b"^I"),
            b'\t' => text.push(byte),
            b'\r' if self.ends && !self.nonprinting => self.has_carriage_return = true,
            _ if self.nonprinting => show_nonprinting(byte, text),
            _ => text.push(byte),
        }
    }

    fn end_line(&mut self, text: &mut Vec<u8>) {
        if self.is_at_start {
            self.blanks = self.blanks.saturating_add(1);
            if self.squeezes && self.blanks > 1 {
                return;
            }
            if self.numbers && !self.numbers_nonblank {
                self.number(text);
            }
        }
        if self.ends {
            text.push(b'$');
        }
        text.push(b'\n');
        self.is_at_start = true;
    }

    fn number(&mut self, text: &mut Vec<u8>) {
        self.line += 1;
        text.extend(format!("{:6}\t", self.line).into_bytes());
    }

    fn finish(&mut self) -> &'static [u8] {
        if std::mem::take(&mut self.has_carriage_return) { b"\r" } else { b"" }
    }
}

fn show_nonprinting(byte: u8, text: &mut Vec<u8>) {
    let low = byte & 0x7f;
    if byte >= 0x80 {
        text.extend(b"M-");
    }
    match low {
        0..=31 => text.extend([b'^', low + 64]),
        127 => text.extend(b"^?"),
        _ => text.push(low),
    }
}

/// tee(1)
pub(crate) async fn tee(execution: &mut Execution) -> i32 {
    const OPTIONS: &[Opt] = &[
        option("append", 'a', "append", Takes::Nothing),
        option("ignore", 'i', "ignore-interrupts", Takes::Nothing),
        super::support::options::not_simulated("!-p", 'p', "", Takes::Nothing),
        super::support::options::not_simulated("!--output-error", '\0', "output-error", Takes::Optional),
    ];
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let mut status = 0;
    let mut outputs = vec![(Fd::STDOUT, b"standard output".to_vec())];
    let end = if parsed.has("append") { OpenFlags::O_APPEND } else { OpenFlags::O_TRUNC };
    let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_CLOEXEC | end;
    for path in &parsed.operands {
        let mode = cofferdam::kernel::Mode(0o666);
        match execution.open(path, OpenHow { flags, mode, ..OpenHow::default() }).await {
            Ok(fd) => outputs.push((fd, path.clone())),
            Err(errno) => {
                execution.report([&quoted_if_needed(path)[..], b": ", errno.description().as_bytes()].concat());
                status = 1;
            }
        }
    }
    loop {
        let bytes = match execution.read(Fd::STDIN).await {
            Ok(bytes) if bytes.is_empty() => return status,
            Ok(bytes) => bytes,
            Err(errno) => {
                execution.report(format!("read error: {}", errno.description()));
                return 1;
            }
        };
        let mut working = Vec::new();
        for (fd, name) in outputs {
            match execution.machine.write(&execution.process, fd, &bytes).await {
                Ok(()) => working.push((fd, name)),
                Err(errno) => {
                    execution.report([&quoted_if_needed(&name)[..], b": ", errno.description().as_bytes()].concat());
                    status = 1;
                }
            }
        }
        outputs = working;
    }
}

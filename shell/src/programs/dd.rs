//! dd(1)

use std::time::Duration;

use cofferdam::kernel::{Errno, Fd, Kernel as _, Mode, OpenFlags, OpenHow, Whence};

use super::support::options::{take_options, usage};
use super::support::quote::{quoted_always, quoted_as_in_c, quoted_if_needed};
use super::support::size::{decimal_and_binary, multiple};
use crate::execution::Execution;
use crate::getopt::Order;

/// The size of a block if nothing is said.
const BLOCK: u64 = 512;
/// More can't be kept at a time.
const LARGEST_BLOCK: u64 = 1 << 30;

/// What the operands say.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "they are the program's options")]
struct Operands {
    input: Option<Vec<u8>>,
    output: Option<Vec<u8>>,
    input_block: u64,
    output_block: u64,
    /// With `bs`, what is read is written as it is.
    is_direct: bool,
    count: Option<Amount>,
    skip: Amount,
    seek: Amount,
    truncates: bool,
    creates: bool,
    must_create: bool,
    pads: bool,
    syncs: bool,
    /// Input blocks are filled, however little a read gives.
    fills: bool,
    appends: bool,
    status: Status,
}

/// A number of blocks, or, with a `B` at its end, of bytes.
#[derive(Clone, Copy, Debug)]
enum Amount {
    Blocks(u64),
    Bytes(u64),
}

impl Amount {
    fn bytes(self, block: u64) -> u64 {
        match self {
            Self::Blocks(blocks) => blocks.saturating_mul(block),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// How much is told at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    All,
    Records,
    Nothing,
}

/// What is wrong with an operand: what is said, and whether it is a mistake in the way the program is called.
enum Mistake {
    Usage(Vec<u8>),
    Value(Vec<u8>),
    NotSimulated(Vec<u8>),
}

/// A product of numbers: `2x512`, `1k`.
fn number(text: &[u8]) -> Result<u64, Mistake> {
    let mut product = 1_u64;
    for factor in text.split(|byte| *byte == b'x') {
        let plain = factor.strip_suffix(b"B").filter(|digits| digits.iter().all(u8::is_ascii_digit));
        match multiple(plain.unwrap_or(factor), b"bcwkKMGTPE") {
            Some(factor) => product = product.saturating_mul(factor),
            None => return Err(Mistake::Value([b"invalid number: ", &quoted_as_in_c(text)[..]].concat())),
        }
    }
    Ok(product)
}

fn block(text: &[u8]) -> Result<u64, Mistake> {
    match number(text)? {
        size @ 1..=LARGEST_BLOCK => Ok(size),
        _ => Err(Mistake::Value([b"invalid number: ", &quoted_as_in_c(text)[..]].concat())),
    }
}

fn amount(text: &[u8]) -> Result<Amount, Mistake> {
    let number = number(text)?;
    Ok(if text.ends_with(b"B") { Amount::Bytes(number) } else { Amount::Blocks(number) })
}

impl Operands {
    fn parse(words: &[Vec<u8>]) -> Result<Self, Mistake> {
        let mut operands = Self {
            input: None,
            output: None,
            input_block: BLOCK,
            output_block: BLOCK,
            is_direct: false,
            count: None,
            skip: Amount::Blocks(0),
            seek: Amount::Blocks(0),
            truncates: true,
            creates: true,
            must_create: false,
            pads: false,
            syncs: false,
            fills: false,
            appends: false,
            status: Status::All,
        };
        for word in words {
            let unknown = || Mistake::Usage([b"unrecognized operand ", &quoted_as_in_c(word)[..]].concat());
            let equals = word.iter().position(|byte| *byte == b'=').ok_or_else(unknown)?;
            let value = word.get(equals + 1..).unwrap_or_default();
            match word.get(..equals).unwrap_or_default() {
                b"if" => operands.input = Some(value.to_vec()),
                b"of" => operands.output = Some(value.to_vec()),
                b"ibs" => operands.input_block = block(value)?,
                b"obs" => operands.output_block = block(value)?,
                b"bs" => {
                    operands.input_block = block(value)?;
                    operands.output_block = operands.input_block;
                    operands.is_direct = true;
                }
                b"count" => operands.count = Some(amount(value)?),
                b"skip" | b"iseek" => operands.skip = amount(value)?,
                b"seek" | b"oseek" => operands.seek = amount(value)?,
                b"status" => operands.status = status(value)?,
                b"conv" => each(value, |symbol| operands.convert(symbol))?,
                b"iflag" => each(value, |symbol| operands.flag(symbol, true))?,
                b"oflag" => each(value, |symbol| operands.flag(symbol, false))?,
                b"cbs" => return Err(Mistake::NotSimulated(b"cbs".to_vec())),
                _ => return Err(unknown()),
            }
        }
        Ok(operands)
    }

    fn convert(&mut self, symbol: &[u8]) -> Result<(), Mistake> {
        match symbol {
            b"notrunc" => self.truncates = false,
            b"nocreat" => self.creates = false,
            b"excl" => self.must_create = true,
            b"sync" => self.pads = true,
            b"fsync" | b"fdatasync" => self.syncs = true,
            b"ascii" | b"ebcdic" | b"ibm" | b"block" | b"unblock" | b"lcase" | b"ucase" | b"sparse" | b"swab"
            | b"noerror" => return Err(Mistake::NotSimulated([b"conv=", symbol].concat())),
            _ => return Err(Mistake::Usage([b"invalid conversion: ", &quoted_as_in_c(symbol)[..]].concat())),
        }
        Ok(())
    }

    fn flag(&mut self, symbol: &[u8], is_input: bool) -> Result<(), Mistake> {
        let name: &[u8] = if is_input { b"iflag=" } else { b"oflag=" };
        match symbol {
            b"fullblock" if is_input => self.fills = true,
            b"append" if !is_input => self.appends = true,
            // There is no disk that anything would wait for.
            b"direct" | b"dsync" | b"sync" | b"nonblock" | b"noatime" | b"nocache" | b"binary" | b"text" => {}
            b"append" | b"directory" | b"noctty" | b"nofollow" | b"cio" | b"count_bytes" | b"skip_bytes"
            | b"seek_bytes" => return Err(Mistake::NotSimulated([name, symbol].concat())),
            _ => {
                let what: &[u8] = if is_input { b"invalid input flag: " } else { b"invalid output flag: " };
                return Err(Mistake::Usage([what, &quoted_as_in_c(symbol)].concat()));
            }
        }
        Ok(())
    }
}

fn each(list: &[u8], take: impl FnMut(&[u8]) -> Result<(), Mistake>) -> Result<(), Mistake> {
    list.split(|byte| *byte == b',').try_for_each(take)
}

fn status(value: &[u8]) -> Result<Status, Mistake> {
    match value {
        b"none" => Ok(Status::Nothing),
        b"noxfer" => Ok(Status::Records),
        b"progress" => Err(Mistake::NotSimulated(b"status=progress".to_vec())),
        _ => Err(Mistake::Usage([b"invalid status level: ", &quoted_as_in_c(value)[..]].concat())),
    }
}

/// dd(1)
pub(crate) async fn dd(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, &[], Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let operands = match Operands::parse(&parsed.operands) {
        Ok(operands) => operands,
        Err(Mistake::Usage(text)) => return usage(execution, text, 1),
        Err(Mistake::Value(text)) => {
            execution.report(text);
            return 1;
        }
        Err(Mistake::NotSimulated(operand)) => {
            execution.report([b"operand ", &quoted_as_in_c(&operand)[..], b" is not simulated"].concat());
            return 1;
        }
    };
    let started = execution.machine.clock();
    let Some(mut copy) = Copy::open(execution, operands).await else { return 1 };
    let has_failed = copy.run(execution).await.is_none();
    copy.tell(execution, started);
    i32::from(has_failed)
}

/// A copy on its way.
struct Copy {
    operands: Operands,
    input: Fd,
    output: Fd,
    /// What was read and not written yet.
    buffer: Vec<u8>,
    /// Whole records, and others.
    read: (u64, u64),
    written: (u64, u64),
    bytes: u64,
}

impl Copy {
    fn input_name(&self) -> Vec<u8> {
        self.operands.input.clone().unwrap_or_else(|| b"standard input".to_vec())
    }

    fn output_name(&self) -> Vec<u8> {
        self.operands.output.clone().unwrap_or_else(|| b"standard output".to_vec())
    }

    /// Opens both files, and makes the second one as long as it is to be.
    async fn open(execution: &mut Execution, operands: Operands) -> Option<Self> {
        let mut copy = Self {
            operands,
            input: Fd::STDIN,
            output: Fd::STDOUT,
            buffer: Vec::new(),
            read: (0, 0),
            written: (0, 0),
            bytes: 0,
        };
        if let Some(path) = copy.operands.input.clone() {
            copy.input = open(execution, &path, OpenFlags::empty()).await?;
        }
        if let Some(path) = copy.operands.output.clone() {
            let seek = copy.operands.seek.bytes(copy.operands.output_block);
            let mut flags = OpenFlags::O_WRONLY;
            flags.set(OpenFlags::O_CREAT, copy.operands.creates);
            flags.set(OpenFlags::O_EXCL, copy.operands.must_create);
            flags.set(OpenFlags::O_APPEND, copy.operands.appends);
            flags.set(OpenFlags::O_TRUNC, copy.operands.truncates && seek == 0);
            copy.output = open(execution, &path, flags).await?;
            if copy.operands.truncates && seek > 0 {
                // What is no regular file can't be truncated, and need not be.
                let result = execution.process.ftruncate(copy.output, seek);
                let is_file = execution
                    .process_stat(copy.output)
                    .is_ok_and(|stat| stat.file_type == cofferdam::kernel::FileType::Regular);
                if let (Err(errno), true) = (result, is_file) {
                    let place = format!("failed to truncate to {seek} bytes in output file ");
                    let description = errno.description().as_bytes();
                    execution.report([place.as_bytes(), &quoted_always(&path), b": ", description].concat());
                    return None;
                }
            }
        }
        Some(copy)
    }

    /// Copies. Nothing if it failed, which was reported.
    async fn run(&mut self, execution: &mut Execution) -> Option<()> {
        self.skip(execution).await?;
        self.seek(execution)?;
        let mut left = self.operands.count;
        while let Some(size) = self.next_size(left) {
            let block = self.read_block(execution, size).await?;
            if block.is_empty() {
                break;
            }
            left = left.map(|left| match left {
                Amount::Blocks(blocks) => Amount::Blocks(blocks.saturating_sub(1)),
                Amount::Bytes(bytes) => Amount::Bytes(bytes.saturating_sub(length(&block))),
            });
            self.take(execution, block).await?;
        }
        if !self.buffer.is_empty() {
            let rest = std::mem::take(&mut self.buffer);
            self.write(execution, &rest).await?;
        }
        if self.operands.syncs
            && let Err(errno) = execution.process.fsync(self.output)
        {
            let name = self.output_name();
            execution.report_failure("fsync failed for", &name, errno);
            return None;
        }
        Some(())
    }

    /// How much is to be read next; nothing if that was all.
    fn next_size(&self, left: Option<Amount>) -> Option<u64> {
        match left {
            Some(Amount::Blocks(0) | Amount::Bytes(0)) => None,
            Some(Amount::Bytes(bytes)) => Some(bytes.min(self.operands.input_block)),
            Some(Amount::Blocks(_)) | None => Some(self.operands.input_block),
        }
    }

    /// A block of input; empty at the end.
    async fn read_block(&mut self, execution: &mut Execution, size: u64) -> Option<Vec<u8>> {
        let mut block = Vec::new();
        while length(&block) < size {
            let wanted = usize::try_from(size - length(&block)).unwrap_or(usize::MAX);
            match execution.machine.read(&execution.process, self.input, wanted).await {
                Ok(bytes) if bytes.is_empty() => break,
                Ok(bytes) => block.extend(bytes),
                Err(errno) => {
                    let name = self.input_name();
                    execution.report_failure("error reading", &name, errno);
                    return None;
                }
            }
            if !self.operands.fills {
                break;
            }
        }
        // A file never lets anybody wait, even if it has no end.
        execution.machine.yield_now().await;
        Some(block)
    }

    async fn take(&mut self, execution: &mut Execution, mut block: Vec<u8>) -> Option<()> {
        if length(&block) == self.operands.input_block {
            self.read.0 += 1;
        } else {
            self.read.1 += 1;
            if self.operands.pads {
                block.resize(usize::try_from(self.operands.input_block).unwrap_or(block.len()), 0);
            }
        }
        if self.operands.is_direct {
            return self.write(execution, &block).await;
        }
        self.buffer.extend(block);
        let size = usize::try_from(self.operands.output_block).unwrap_or(usize::MAX);
        while self.buffer.len() >= size {
            let rest = self.buffer.split_off(size);
            let whole = std::mem::replace(&mut self.buffer, rest);
            self.write(execution, &whole).await?;
        }
        Some(())
    }

    async fn write(&mut self, execution: &mut Execution, block: &[u8]) -> Option<()> {
        let mut rest = block;
        while !rest.is_empty() {
            let (machine, process, output) = (&execution.machine, &execution.process, self.output);
            let write = || {
                let written = process.write(output, rest);
                machine.forward();
                written
            };
            match machine.waiting(write).await {
                Ok(written) => {
                    self.bytes += u64::try_from(written).unwrap_or_default();
                    rest = rest.get(written..).unwrap_or_default();
                }
                Err(errno) => {
                    if rest.len() < block.len() {
                        self.written.1 += 1;
                    }
                    let name = self.output_name();
                    execution.report_failure("error writing", &name, errno);
                    return None;
                }
            }
        }
        if length(block) == self.operands.output_block {
            self.written.0 += 1;
        } else {
            self.written.1 += 1;
        }
        Some(())
    }

    /// Leaves out the beginning of the input.
    async fn skip(&mut self, execution: &mut Execution) -> Option<()> {
        let skip = self.operands.skip.bytes(self.operands.input_block);
        if skip == 0 {
            return Some(());
        }
        let name = quoted_if_needed(&self.input_name());
        let offset = i64::try_from(skip).unwrap_or(i64::MAX);
        let stat = execution.process_stat(self.input);
        let is_file = stat.is_ok_and(|stat| stat.file_type == cofferdam::kernel::FileType::Regular);
        let mut is_beyond = false;
        match execution.process.lseek(self.input, offset, Whence::Current) {
            Ok(_) => is_beyond = is_file && stat.is_ok_and(|stat| stat.size < skip),
            // It is read, and thrown away.
            Err(Errno::ESPIPE) => {
                let mut left = skip;
                while left > 0 {
                    let block = self.read_block(execution, left.min(self.operands.input_block)).await?;
                    if block.is_empty() {
                        is_beyond = true;
                        break;
                    }
                    left -= length(&block).min(left);
                }
            }
            Err(errno) => {
                let description = errno.description().as_bytes();
                execution.report([&name[..], b": cannot skip: ", description].concat());
                return None;
            }
        }
        if is_beyond {
            execution.report([&name[..], b": cannot skip to specified offset"].concat());
        }
        Some(())
    }

    fn seek(&self, execution: &mut Execution) -> Option<()> {
        let seek = self.operands.seek.bytes(self.operands.output_block);
        let offset = i64::try_from(seek).unwrap_or(i64::MAX);
        if seek == 0 {
            return Some(());
        }
        if let Err(errno) = execution.process.lseek(self.output, offset, Whence::Current) {
            let name = quoted_if_needed(&self.output_name());
            execution.report([&name[..], b": cannot seek: ", errno.description().as_bytes()].concat());
            return None;
        }
        Some(())
    }

    /// What was done, and how long it took: that is no time, unless something was waited for.
    fn tell(&self, execution: &mut Execution, started: Duration) {
        if self.operands.status == Status::Nothing {
            return;
        }
        execution.report_line(format!("{}+{} records in", self.read.0, self.read.1));
        execution.report_line(format!("{}+{} records out", self.written.0, self.written.1));
        if self.operands.status == Status::Records {
            return;
        }
        let (decimal, binary) = decimal_and_binary(self.bytes);
        let amount = match self.bytes {
            1 => "1 byte copied".to_owned(),
            bytes @ 0..1000 => format!("{bytes} bytes copied"),
            bytes @ 1000..1024 => format!("{bytes} bytes ({decimal}) copied"),
            bytes => format!("{bytes} bytes ({decimal}, {binary}) copied"),
        };
        let time = execution.machine.clock().saturating_sub(started);
        let speed = match time.as_nanos() {
            0 => "Infinity B/s".to_owned(),
            nanoseconds => {
                let speed = u128::from(self.bytes) * 1_000_000_000 / nanoseconds;
                let (speed, _) = decimal_and_binary(u64::try_from(speed).unwrap_or(u64::MAX));
                format!("{speed}/s")
            }
        };
        execution.report_line(format!("{amount}, {} s, {speed}", time.as_secs_f64()));
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

async fn open(execution: &mut Execution, path: &[u8], flags: OpenFlags) -> Option<Fd> {
    let mode = if flags.contains(OpenFlags::O_CREAT) { Mode(0o666) } else { Mode(0) };
    match execution.open(path, OpenHow { flags, mode, ..OpenHow::default() }).await {
        Ok(fd) => Some(fd),
        Err(errno) => {
            execution.report_failure("failed to open", path, errno);
            None
        }
    }
}

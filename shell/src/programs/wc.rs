//! wc(1)

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Fd, FileType, Kernel as _};

use crate::execution::Execution;
use crate::getopt::{Opt, Takes, option};

use super::support::options::not_simulated;
use super::utility::{Failure, complain_of, open, options, status};

const KNOWN: &[Opt] = &[
    option("bytes", 'c', "bytes", Takes::Nothing),
    option("chars", 'm', "chars", Takes::Nothing),
    option("lines", 'l', "lines", Takes::Nothing),
    option("words", 'w', "words", Takes::Nothing),
    option("length", 'L', "max-line-length", Takes::Nothing),
    not_simulated("!--files0-from", '\0', "files0-from", Takes::Argument),
];

/// In the order in which they are printed.
const ORDER: [&str; 5] = ["lines", "words", "chars", "bytes", "length"];

#[derive(Clone, Copy, Default)]
struct Counts([u64; 5]);

impl Counts {
    fn of(text: &[u8]) -> Self {
        let lines = memchr::memchr_iter(b'\n', text).count() as u64;
        let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
        let words = text.split(is_blank).filter(|word| word.iter().any(u8::is_ascii_graphic)).count() as u64;
        let bytes = text.len() as u64;
        let width = |line: &[u8]| {
            line.iter().fold(0_u64, |width, byte| match byte {
                b'\t' => width + 8 - width % 8,
                b' '..=b'~' => width + 1,
                _ => width,
            })
        };
        let length = text.split(|byte| matches!(byte, b'\n' | b'\r' | 0x0c)).map(width).max().unwrap_or(0);
        Self([lines, words, bytes, bytes, length])
    }

    fn add(&mut self, other: Self) {
        let length = self.0[4];
        self.0.iter_mut().zip(other.0).for_each(|(sum, value)| *sum += value);
        // The longest line of all files is not a sum.
        self.0[4] = length.max(other.0[4]);
    }
}

/// wc(1)
pub(crate) async fn wc(execution: &mut Execution) -> i32 {
    status(run(execution).await)
}

async fn run(execution: &mut Execution) -> Result<i32, Failure> {
    let parsed = options(execution, KNOWN, 1).await?;
    let is_default = parsed.options.is_empty();
    let wanted: Vec<bool> = ORDER
        .iter()
        .map(|id| if is_default { matches!(*id, "lines" | "words" | "bytes") } else { parsed.has(id) })
        .collect();
    let columns = wanted.iter().filter(|is_wanted| **is_wanted).count();
    let files = if parsed.operands.is_empty() { vec![b"-".to_vec()] } else { parsed.operands.clone() };
    let width = width(execution, &files, columns);
    let (mut total, mut result) = (Counts::default(), 0);
    for file in &files {
        let Some(mut source) = open(execution, file, "").await else {
            result = 1;
            continue;
        };
        let content = source.rest(execution).await;
        source.close(execution);
        let counts = match content {
            Ok(content) => Counts::of(&content),
            Err(errno) => {
                complain_of(execution, file, errno).await;
                result = 1;
                Counts::default()
            }
        };
        total.add(counts);
        let name = if parsed.operands.is_empty() { None } else { Some(&file[..]) };
        print(execution, counts, &wanted, width, name).await?;
    }
    if files.len() > 1 {
        print(execution, total, &wanted, width, Some(b"total")).await?;
    }
    Ok(result)
}

/// How wide the columns are: as the sizes of all files together need, or 7 if a file is none that has a size.
fn width(execution: &Execution, files: &[Vec<u8>], columns: usize) -> usize {
    if columns == 1 && files.len() == 1 {
        return 1;
    }
    let (mut sum, mut least) = (0, 1);
    for file in files {
        let stat = if file == b"-" {
            execution.process.statx(Fd::STDIN, UnixPath::new(""), AtFlags::AT_EMPTY_PATH)
        } else {
            execution.process.statx(Fd::CWD, UnixPath::new(file), AtFlags::empty())
        };
        match stat {
            Ok(stat) if stat.file_type == FileType::Regular => sum += stat.size,
            Ok(_) => least = 7,
            Err(_) => {}
        }
    }
    sum.to_string().len().max(least)
}

async fn print(
    execution: &mut Execution,
    counts: Counts,
    wanted: &[bool],
    width: usize,
    name: Option<&[u8]>,
) -> Result<(), cofferdam::kernel::Errno> {
    let numbers = counts.0.iter().zip(wanted).filter(|(_, is_wanted)| **is_wanted);
    let texts: Vec<String> = numbers.map(|(number, _)| format!("{number:width$}")).collect();
    let mut line = texts.join(" ").into_bytes();
    if let Some(name) = name {
        line.push(b' ');
        line.extend_from_slice(name);
    }
    line.push(b'\n');
    execution.put(line).await
}

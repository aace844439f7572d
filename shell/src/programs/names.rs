//! basename(1), dirname(1) and mktemp(1).

use cofferdam::UnixPath;
use cofferdam::kernel::{Errno, Fd, Kernel as _, Mode, OpenFlags, OpenHow};

use super::support::options::{take_options, usage};
use super::support::paths::{base_name, directory_name, join};
use super::support::quote::quoted_as_in_c;
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Parsed, Takes, option};

/// basename(1)
pub(crate) async fn basename(execution: &mut Execution) -> i32 {
    const OPTIONS: &[Opt] = &[
        option("multiple", 'a', "multiple", Takes::Nothing),
        option("suffix", 's', "suffix", Takes::Argument),
        option("zero", 'z', "zero", Takes::Nothing),
    ];
    let parsed = match take_options(execution, OPTIONS, Order::Strict, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let end: &[u8] = if parsed.has("zero") { b"\0" } else { b"\n" };
    let mut suffix = parsed.value("suffix").unwrap_or_default();
    let mut operands = &parsed.operands[..];
    if !parsed.has("multiple") && !parsed.has("suffix") {
        operands = match operands {
            [_, second, rest @ ..] => {
                if let Some(extra) = rest.first() {
                    return usage(execution, [b"extra operand ", &quoted_as_in_c(extra)[..]].concat(), 1);
                }
                suffix = second;
                operands.get(..1).unwrap_or_default()
            }
            _ => operands,
        };
    }
    if operands.is_empty() {
        return usage(execution, "missing operand", 1);
    }
    for path in operands {
        let name = base_name(path);
        let short = name.strip_suffix(suffix).filter(|short| !short.is_empty()).unwrap_or(name);
        execution.print([short, end].concat());
    }
    0
}

/// dirname(1)
pub(crate) async fn dirname(execution: &mut Execution) -> i32 {
    const OPTIONS: &[Opt] = &[option("zero", 'z', "zero", Takes::Nothing)];
    let parsed = match take_options(execution, OPTIONS, Order::Strict, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if parsed.operands.is_empty() {
        return usage(execution, "missing operand", 1);
    }
    let end: &[u8] = if parsed.has("zero") { b"\0" } else { b"\n" };
    for path in &parsed.operands {
        execution.print([directory_name(path), end].concat());
    }
    0
}

const MKTEMP: &[Opt] = &[
    option("directory", 'd', "directory", Takes::Nothing),
    option("dry-run", 'u', "dry-run", Takes::Nothing),
    option("quiet", 'q', "quiet", Takes::Nothing),
    option("in", 'p', "", Takes::Argument),
    option("in", '\0', "tmpdir", Takes::Optional),
    option("suffix", '\0', "suffix", Takes::Argument),
    option("t", 't', "", Takes::Nothing),
];

/// mktemp(1). The names are the same whenever the same is done on the same machine, but differ between processes.
pub(crate) async fn mktemp(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, MKTEMP, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if parsed.operands.len() > 1 {
        return usage(execution, "too many templates", 1);
    }
    let template = match template(execution, &parsed) {
        Ok(template) => template,
        Err(message) => {
            execution.report(message);
            return 1;
        }
    };
    match template.make(execution, parsed.has("directory"), parsed.has("dry-run")) {
        Ok(path) => {
            execution.print([&path[..], b"\n"].concat());
            0
        }
        Err(errno) => {
            if !parsed.has("quiet") {
                let what: &str = if parsed.has("directory") { "directory" } else { "file" };
                let name = quoted_as_in_c(&template.text());
                let action = format!("failed to create {what} via template ");
                execution.report([action.as_bytes(), &name, b": ", errno.description().as_bytes()].concat());
            }
            1
        }
    }
}

/// A path with a row of `X` in it.
struct Template {
    before: Vec<u8>,
    unknowns: usize,
    after: Vec<u8>,
}

fn template(execution: &Execution, parsed: &Parsed) -> Result<Template, Vec<u8>> {
    let given = parsed.operands.first().map(Vec::as_slice);
    let name = given.unwrap_or(b"tmp.XXXXXXXXXX");
    let last = name.iter().rposition(|byte| *byte == b'X').map_or(0, |last| last + 1);
    let (head, suffix) = name.split_at(last);
    let first = head.iter().rposition(|byte| *byte != b'X').map_or(0, |position| position + 1);
    let (before, unknowns) = head.split_at(first);
    let mut after = suffix.to_vec();
    if let Some(suffix) = parsed.value("suffix") {
        if !after.is_empty() || unknowns.is_empty() {
            return Err([b"with --suffix, template ", &quoted_as_in_c(name)[..], b" must end in X"].concat());
        }
        after = suffix.to_vec();
    }
    if after.contains(&b'/') {
        return Err([b"invalid suffix ", &quoted_as_in_c(&after)[..], b", contains directory separator"].concat());
    }
    if unknowns.len() < 3 {
        return Err([b"too few X's in template ", &quoted_as_in_c(name)[..]].concat());
    }
    let is_in_directory = given.is_none() || parsed.has("t") || parsed.has("in");
    let mut before = before.to_vec();
    if is_in_directory {
        let from_environment = execution.variable("TMPDIR").filter(|directory| !directory.is_empty());
        let given = parsed.value("in").filter(|directory| !directory.is_empty());
        let directory = if parsed.has("t") { from_environment.or(given) } else { given.or(from_environment) };
        if parsed.has("t") && name.contains(&b'/') {
            return Err([b"invalid template, ", &quoted_as_in_c(name)[..], b", contains directory separator"].concat());
        }
        if name.starts_with(b"/") {
            let name = quoted_as_in_c(name);
            return Err([b"invalid template, ", &name[..], b"; with --tmpdir, it may not be absolute"].concat());
        }
        before = join(directory.unwrap_or(b"/tmp"), &before);
    }
    Ok(Template { before, unknowns: unknowns.len(), after })
}

impl Template {
    fn text(&self) -> Vec<u8> {
        [&self.before[..], &b"X".repeat(self.unknowns), &self.after].concat()
    }

    fn make(&self, execution: &Execution, is_directory: bool, is_dry_run: bool) -> Result<Vec<u8>, Errno> {
        /// As many as mkstemp(3) tries.
        const ATTEMPTS: u64 = 62 * 62 * 62;
        let pid = execution.process.getpid()?.0;
        for attempt in 0..ATTEMPTS {
            let number = u64::from(pid.unsigned_abs()) + attempt * ATTEMPTS;
            let path = [&self.before[..], &letters(number, self.unknowns), &self.after].concat();
            let unix_path = UnixPath::new(&path);
            let result = if is_dry_run {
                match execution.lstat(&path) {
                    Err(Errno::ENOENT) => Ok(()),
                    Err(errno) => Err(errno),
                    Ok(_) => Err(Errno::EEXIST),
                }
            } else if is_directory {
                execution.process.mkdirat(Fd::CWD, unix_path, Mode(0o700))
            } else {
                let flags = OpenFlags::O_RDWR | OpenFlags::O_CREAT | OpenFlags::O_EXCL;
                let how = OpenHow { flags, mode: Mode(0o600), ..OpenHow::default() };
                execution.process.openat2(Fd::CWD, unix_path, how).and_then(|fd| execution.process.close(fd))
            };
            match result {
                Err(Errno::EEXIST) => {}
                Err(errno) => return Err(errno),
                Ok(()) => return Ok(path),
            }
        }
        Err(Errno::EEXIST)
    }
}

/// A number in letters and digits, the last first.
fn letters(mut number: u64, count: usize) -> Vec<u8> {
    const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut text = Vec::new();
    for _ in 0..count {
        let index = usize::try_from(number % 62).unwrap_or_default();
        text.extend(LETTERS.get(index));
        number /= 62;
    }
    text
}

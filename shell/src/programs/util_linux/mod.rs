//! What the programs of util-linux share: how they take options and complain, how they look at the mount table, how they
//! go on as another program.

pub(super) mod accounts;
pub(super) mod flags;
pub(super) mod path;
pub(super) mod table;
#[cfg(test)]
mod tests;

use cofferdam::kernel::{CloneFlags, Errno, Fd, Kernel as _, OpenFlags, OpenHow};

use crate::execution::Execution;
use crate::getopt::{Opt, Order, Parsed, Takes, parse};

/// The version that is simulated.
const VERSION: &str = "util-linux 2.38.1";

/// How a program is called. What an option is called here, its id, is its long name.
pub(super) struct Usage {
    pub(super) options: &'static [Opt],
    pub(super) order: Order,
    /// Options of which only one can be given, in the order of the message.
    pub(super) exclusive: &'static [&'static [&'static str]],
    /// Options of the real program that can't be simulated.
    pub(super) refused: &'static [&'static str],
    /// The exit status for a mistake.
    pub(super) mistake: i32,
    /// What comes after the program's name.
    pub(super) synopsis: &'static [&'static str],
}

impl Usage {
    /// Takes the arguments apart. The error is the exit status of a program that has nothing left to do.
    pub(super) async fn take(&self, execution: &mut Execution) -> Result<Parsed, i32> {
        let arguments = execution.arguments.get(1..).unwrap_or_default().to_vec();
        let parsed = match parse(self.options, self.order, &arguments) {
            Ok(parsed) => parsed,
            Err(message) => {
                execution.warn(message).await;
                return Err(self.try_help(execution).await);
            }
        };
        let mut given: Vec<&str> = Vec::new();
        for (id, _) in &parsed.options {
            if *id == "help" {
                self.print_help(execution);
                return Err(0);
            }
            if *id == "version" {
                let name = short_name(execution).to_vec();
                execution.print([&name, &b" from "[..], VERSION.as_bytes(), b" (simulated)\n"].concat());
                return Err(0);
            }
            if self.refused.contains(id) {
                warn(execution, format!("option '--{id}' is not simulated")).await;
                return Err(self.mistake);
            }
            let conflict =
                |row: &&&[&str]| row.contains(id) && given.iter().any(|other| other != id && row.contains(other));
            if let Some(row) = self.exclusive.iter().find(conflict) {
                let names: Vec<String> = row.iter().map(|name| format!(" --{name}")).collect();
                warn(execution, format!("mutually exclusive arguments:{}", names.concat())).await;
                return Err(self.mistake);
            }
            given.push(id);
        }
        Ok(parsed)
    }

    /// Says where help is to be had, and comes to the exit status for a mistake.
    pub(super) async fn try_help(&self, execution: &mut Execution) -> i32 {
        let name = short_name(execution).to_vec();
        let message = [b"Try '", &name[..], b" --help' for more information.\n"].concat();
        execution.write_error(&message).await;
        self.mistake
    }

    /// Says what is wrong with the arguments, and where help is to be had.
    pub(super) async fn refuse(&self, execution: &mut Execution, text: &str) -> i32 {
        warn(execution, text).await;
        self.try_help(execution).await
    }

    /// That the arguments make no sense together.
    pub(super) async fn bad_usage(&self, execution: &mut Execution) -> i32 {
        self.refuse(execution, "bad usage").await
    }

    fn print_help(&self, execution: &mut Execution) {
        let name = String::from_utf8_lossy(short_name(execution)).into_owned();
        let mut help = vec!["\nUsage:\n".to_string()];
        help.extend(self.synopsis.iter().map(|form| format!(" {name} {form}\n")));
        help.push("\nOptions:\n".to_string());
        for option in self.options.iter().filter(|option| !self.refused.contains(&option.id)) {
            let short = option.short.map(|letter| format!("-{}", char::from(letter)));
            let long = (!option.long.is_empty()).then(|| format!("--{}", option.long));
            let argument = match option.argument {
                Takes::Nothing => "",
                Takes::Argument => " <argument>",
                Takes::Optional => "[=<argument>]",
            };
            let names: Vec<String> = short.into_iter().chain(long).collect();
            help.push(format!(" {}{argument}\n", names.join(", ")));
        }
        help.push(format!("\nFor more details see {name} in the manual.\n"));
        let help = help.concat();
        execution.print(help);
    }
}

/// The program's name in messages of its own: without the directory it was found in.
pub(super) fn short_name(execution: &Execution) -> &[u8] {
    execution.name.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// Writes `NAME: TEXT` to standard error (`warnx()`).
pub(super) async fn warn(execution: &mut Execution, text: impl AsRef<[u8]>) {
    let message = [short_name(execution), b": ", text.as_ref(), b"\n"].concat();
    execution.write_error(&message).await;
}

/// Writes `NAME: TEXT: ERROR` to standard error (`warn()`).
pub(super) async fn warn_errno(execution: &mut Execution, text: impl AsRef<[u8]>, errno: Errno) {
    warn(execution, [text.as_ref(), b": ", errno.description().as_bytes()].concat()).await;
}

/// A program ends with this status: what is wrong has been said.
pub(super) type Ended = i32;

/// For what went wrong with a program that has but one status for it.
const FAILED: Ended = 1;

/// A result, or the end with a message.
pub(super) async fn end_if<T>(
    execution: &mut Execution,
    result: Result<T, Errno>,
    text: impl AsRef<[u8]>,
) -> Result<T, Ended> {
    match result {
        Ok(value) => Ok(value),
        Err(errno) => {
            warn_errno(execution, text, errno).await;
            Err(FAILED)
        }
    }
}

/// The number that an argument is, or the end with a message.
pub(super) async fn number_or_end(execution: &mut Execution, argument: &[u8], message: &str) -> Result<u32, Ended> {
    if let Some(number) = number(argument) {
        return Ok(number);
    }
    warn(execution, [message.as_bytes(), b": '", argument, b"'"].concat()).await;
    Err(FAILED)
}

/// Goes on as another program, and comes to its exit status: 127 or 126, if that can't be executed.
pub(super) async fn go_on_as(execution: &mut Execution, arguments: &[Vec<u8>]) -> i32 {
    let file = arguments.first().cloned().unwrap_or_default();
    match execution.execute(arguments).await {
        Ok(status) => status,
        Err(errno) => failed_to_execute(execution, &file, errno).await,
    }
}

/// Goes on as the user's shell, as a login shell.
pub(super) async fn go_on_as_shell(execution: &mut Execution) -> i32 {
    let shell = execution.variable("SHELL").unwrap_or(b"/bin/sh").to_vec();
    let base = shell.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let name = [b"-", base].concat();
    let (machine, process) = (execution.machine.clone(), execution.process.clone());
    match super::execute(&machine, &process, &shell, &[name], &execution.environment).await {
        Ok(status) => status,
        Err(errno) => failed_to_execute(execution, &shell, errno).await,
    }
}

async fn failed_to_execute(execution: &mut Execution, file: &[u8], errno: Errno) -> i32 {
    warn_errno(execution, [b"failed to execute ", file].concat(), errno).await;
    if errno == Errno::ENOENT { 127 } else { 126 }
}

/// Opens a file for reading or as the flags say, without `O_CLOEXEC`: who opens it closes it.
pub(super) fn open(execution: &Execution, path: &[u8], flags: OpenFlags) -> Result<Fd, Errno> {
    let how = OpenHow { flags, ..OpenHow::default() };
    execution.process.openat2(Fd::CWD, cofferdam::UnixPath::new(path), how)
}

/// Writes a short text to a file that exists.
pub(super) fn write_file(execution: &Execution, path: &[u8], text: &[u8]) -> Result<(), WriteError> {
    let fd = open(execution, path, OpenFlags::O_WRONLY).map_err(WriteError::Open)?;
    let written = execution.process.write(fd, text);
    let _ = execution.process.close(fd);
    written.map(drop).map_err(WriteError::Write)
}

/// What went wrong with a file that was to be written.
#[derive(Clone, Copy, Debug)]
pub(super) enum WriteError {
    Open(Errno),
    Write(Errno),
}

/// A whole number, as strtoul(3) takes it in base 10.
pub(super) fn number(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    std::str::from_utf8(digits).ok().filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))?.parse().ok()
}

/// Enters the mount namespace of option `--namespace`: a process, or a file. The error is the exit status.
pub(super) async fn enter_mount_namespace(execution: &mut Execution, namespace: &[u8]) -> Result<(), i32> {
    /// For what is wrong with the system.
    const SYSTEM_ERROR: i32 = 2;
    let path = match number(namespace) {
        Some(pid) if pid > 0 => format!("/proc/{pid}/ns/mnt").into_bytes(),
        _ => namespace.to_vec(),
    };
    let entered = open(execution, &path, OpenFlags::O_CLOEXEC).and_then(|fd| {
        let entered = execution.process.setns(fd, CloneFlags::CLONE_NEWNS);
        let _ = execution.process.close(fd);
        entered
    });
    if let Err(errno) = entered {
        warn_errno(execution, [b"failed to set target namespace to ", &path[..]].concat(), errno).await;
        return Err(SYSTEM_ERROR);
    }
    Ok(())
}

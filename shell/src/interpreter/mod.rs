//! The shell language: POSIX sh as dash has it, and what is common of bash.
//!
//! The grammar is that of `brush-parser`; what it means is here. A shell is a process of the simulated machine, a
//! subshell another one with a copy of the shell's state. What a builtin does are system calls of the shell's process.

mod alias;
mod builtins;
mod compound;
mod expand;
mod extended_test;
mod function;
mod interactive;
mod jobs;
mod list;
mod nesting;
mod options;
mod pipeline;
pub(crate) mod program;
mod redirect;
mod script;
mod session;
pub(crate) mod signals;
mod simple;
mod source;
mod stop;
mod subshell;
mod syntax_error;
mod trap;
mod variables;

use std::collections::BTreeMap;
use std::rc::Rc;

use brush_parser::ast;
use cofferdam::kernel::{Errno, Fd, Kernel as _, Pid};
use cofferdam_vfs_sim::Process;

use crate::directory::working_directory;
use crate::machine::Machine;
use jobs::Jobs;
use options::Options;
pub use session::{Completeness, Session};
use stop::Stop;
use trap::Traps;
use variables::Variables;

/// How deep functions and compound commands may be nested, unless more stack is there: 2 MiB are enough for these.
const DEFAULT_DEPTH: usize = if cfg!(any(debug_assertions, target_family = "wasm")) { 50 } else { 200 };

/// A shell: what it knows, and its process.
#[allow(clippy::struct_excessive_bools, reason = "they have nothing to do with each other")]
pub(crate) struct Shell {
    machine: Machine,
    process: Process,
    /// `$0`
    name: Vec<u8>,
    /// `$1` and so on.
    parameters: Vec<Vec<u8>>,
    variables: Variables,
    functions: BTreeMap<Vec<u8>, Rc<ast::FunctionBody>>,
    aliases: BTreeMap<Vec<u8>, Vec<u8>>,
    options: Options,
    /// The working directory, as the shell went there; a script can set `PWD` to something else.
    directory: Vec<u8>,
    /// `$?`
    status: i32,
    /// `$$`: that of the shell of which this is a subshell.
    pid: Pid,
    /// `$PPID`
    parent: Pid,
    /// The builtin, or sourced file, at work: messages begin with it.
    command_name: Option<Vec<u8>>,
    /// Whether the text at work is a file, whose lines `set -v` shows.
    is_file: bool,
    /// The line of the command at work.
    line: usize,
    /// What is added to the lines of the text at work, if it is part of another one.
    line_base: usize,
    jobs: Jobs,
    traps: Traps,
    /// Whether somebody looks at the status of what is at work, so that `set -e` does nothing.
    is_tested: bool,
    /// How many loops are at work around this, in the same function.
    loops: usize,
    /// How many functions and sourced files are at work.
    calls: usize,
    /// How deep all that is at work is nested.
    depth: usize,
    max_depth: usize,
    /// How many shells this is a child of.
    generation: usize,
    is_interactive: bool,
    /// Whether nothing comes after the command at work, so that a program is executed in the place of this shell.
    is_last: bool,
    /// The status of the last command substitution of the command at work.
    substitution_status: Option<i32>,
    /// Where getopts is in an argument.
    option_offset: usize,
}

impl Shell {
    /// A shell of a process. The environment becomes its variables.
    pub(crate) fn new(
        machine: Machine,
        process: Process,
        name: Vec<u8>,
        parameters: Vec<Vec<u8>>,
        environment: &[Vec<u8>],
    ) -> Self {
        let mut variables = Variables::default();
        for (name, value) in [("IFS", " \t\n"), ("OPTIND", "1"), ("PS1", "# "), ("PS2", "> "), ("PS4", "+ ")] {
            variables.set_own(name, value);
        }
        let unset_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        variables.set_own("PATH", unset_path);
        variables.import(&environment.iter().filter(|entry| !is_own(entry)).cloned().collect::<Vec<_>>());
        let pid = process.getpid().unwrap_or(Pid(0));
        let parent = process.getppid().unwrap_or(Pid(0));
        variables.set_own("PPID", parent.0.to_string());
        let mut shell = Self {
            machine,
            process,
            name,
            parameters,
            variables,
            functions: BTreeMap::new(),
            aliases: BTreeMap::new(),
            options: Options::default(),
            directory: Vec::new(),
            status: 0,
            pid,
            parent,
            command_name: None,
            is_file: true,
            line: 0,
            line_base: 0,
            jobs: Jobs::default(),
            traps: Traps::default(),
            is_tested: false,
            loops: 0,
            calls: 0,
            depth: 0,
            max_depth: DEFAULT_DEPTH,
            generation: 0,
            is_interactive: false,
            is_last: false,
            substitution_status: None,
            option_offset: 0,
        };
        shell.find_working_directory();
        shell
    }

    /// Sets `PWD`: what the environment says if it is the working directory, or what getcwd(3) says.
    fn find_working_directory(&mut self) {
        let inherited = self.variables.get(b"PWD").filter(|path| path.starts_with(b"/")).map(<[u8]>::to_vec);
        let is_here = |path: &Vec<u8>| {
            let here = self.stat(b".", true)?;
            let there = self.stat(path, true)?;
            Ok::<_, Errno>((here.device, here.inode) == (there.device, there.inode))
        };
        let path = match inherited {
            Some(path) if is_here(&path) == Ok(true) => path,
            _ => working_directory(&self.process).unwrap_or_default(),
        };
        self.variables.set_own("PWD", path.clone());
        self.directory = path;
    }

    /// Writes to standard output, at once.
    ///
    /// # Errors
    ///
    /// Those of write(2), in the words of dash.
    async fn print(&mut self, text: &[u8]) -> Result<(), Stop> {
        let written = self.machine.write(&self.process, Fd::STDOUT, text).await;
        written.map_err(|_| Stop::fatal("I/O error"))
    }

    /// Writes to standard error, at once.
    async fn write_error(&mut self, text: &[u8]) {
        // There is nowhere left to report that standard error is closed.
        let _ = self.machine.write(&self.process, Fd::STDERR, text).await;
    }

    /// Writes `NAME: LINE: TEXT`, or `NAME: LINE: BUILTIN: TEXT`, to standard error.
    async fn complain(&mut self, text: &[u8]) {
        let place = format!(": {}: ", self.line);
        let builtin = self.command_name.as_ref().map(|name| [&name[..], b": "].concat()).unwrap_or_default();
        let explanation = self.machine.explanation(&self.process);
        self.write_error(&[&self.name, place.as_bytes(), &builtin, text, b"\n", &explanation].concat()).await;
    }

    /// The value of a variable, if it has one.
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.variables.get(name.as_bytes())
    }

    /// Sets a variable; all are exported if `set -a` says so.
    ///
    /// # Errors
    ///
    /// It is read-only.
    fn set(&mut self, name: &[u8], value: impl Into<Vec<u8>>) -> Result<(), Stop> {
        let is_exported = self.options.has(b'a');
        self.variables.set(name, value, is_exported).map_err(|error| Stop::fatal(error.message()))?;
        if name == b"OPTIND" {
            self.option_offset = 0;
        }
        Ok(())
    }
}

/// Variables that a shell does not take from its environment.
fn is_own(entry: &[u8]) -> bool {
    [&b"IFS="[..], b"OPTIND=", b"PPID=", b"PS4="].iter().any(|name| entry.starts_with(name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests;

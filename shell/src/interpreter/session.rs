//! A shell on a machine, for those who are in front of it.

use cofferdam::UnixPath;
use cofferdam::kernel::{Errno, FileType, Kernel as _, Signal};
use cofferdam_vfs_sim::Process;

use super::stop::{Executed, Stop};
use super::{Shell, builtins, script, source};
use crate::machine::{Machine, Unfinished};

/// Whether a text can be executed, or needs more lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// It can be executed.
    Complete,
    /// Something is open at its end: quotes, a here-document, a loop.
    Incomplete,
    /// It is wrong, and more lines do not make it right. Executed, it says what is wrong.
    Invalid,
}

/// A shell on a machine: variables, functions, the working directory and jobs stay from one text to the next.
///
/// ```
/// use cofferdam_shell::{Console, Input, Machine, Session, Stream};
///
/// struct Quiet;
///
/// impl Console for Quiet {
///     fn write(&mut self, _: Stream, _: &[u8]) {}
///
///     fn read(&mut self) -> Input {
///         Input::End
///     }
/// }
///
/// let machine = Machine::new(Machine::boot(), Box::new(Quiet))?;
/// let mut session = Session::new(&machine, b"sh", &[])?;
/// assert_eq!(session.run(b"x=3; test $((x + 1)) = 4 && exit $x"), 3);
/// assert_eq!(session.exited(), Some(3));
/// # Ok::<(), cofferdam::kernel::Errno>(())
/// ```
///
/// Texts are executed on the stack of the caller: see [`allow_depth`](Self::allow_depth).
pub struct Session {
    machine: Machine,
    shell: Shell,
    exited: Option<i32>,
}

impl Session {
    /// A shell with `$0` and its parameters, as a new process of the machine whose standard streams are the console.
    ///
    /// # Errors
    ///
    /// Those of clone3(2).
    pub fn new(machine: &Machine, name: &[u8], parameters: &[Vec<u8>]) -> Result<Self, Errno> {
        let process = machine.new_process()?;
        let environment =
            [b"HOME=/root".to_vec(), b"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_vec()];
        let shell = Shell::new(machine.clone(), process, name.to_vec(), parameters.to_vec(), &environment);
        Ok(Self { machine: machine.clone(), shell, exited: None })
    }

    /// Makes the shell one that a person types into: neither an error nor Ctrl-C ends it. What is at work when Ctrl-C is
    /// pressed (see [`Console::take_interrupt`](crate::Console::take_interrupt)) gets `SIGINT`.
    pub fn set_interactive(&mut self) {
        self.shell.become_interactive();
        self.machine.lead(self.shell.process.clone());
    }

    /// How much stack a level of nesting can take, in bytes.
    pub const STACK_PER_LEVEL: usize = if cfg!(debug_assertions) { 40 << 10 } else { 8 << 10 };

    /// Lets functions and compound commands be nested deeper, or less deep: so many levels, each of which can take
    /// [`STACK_PER_LEVEL`](Self::STACK_PER_LEVEL) of the caller's stack; the parser takes up to 1 MiB more. A script that
    /// goes deeper ends with an error. The default is safe on a stack of 2 MiB, which threads have.
    pub fn allow_depth(&mut self, depth: usize) {
        self.shell.max_depth = depth;
    }

    /// Sets options as `set` does: `-e`, `-o errexit`. False if there is no such option.
    pub fn set_options(&mut self, options: &[Vec<u8>]) -> bool {
        let shell = &mut self.shell;
        self.machine.run(async { shell.take_options(options).await.is_ok() }).unwrap_or(false)
    }

    /// Changes the working directory. False if that is not possible.
    pub fn change_directory(&mut self, directory: &[u8]) -> bool {
        let is_changed = self.shell.process.chdir(UnixPath::new(directory)).is_ok();
        self.shell.find_working_directory();
        is_changed
    }

    /// Exports a variable.
    pub fn export(&mut self, name: &[u8], value: &[u8]) {
        // A new shell has no variable that is read-only.
        let _ = self.shell.variables.set(name, value, true);
    }

    /// Executes a whole script and ends: the commands trapped for `EXIT` are executed as well. Gives the exit status.
    /// Background jobs go on: see [`finish_jobs`](Self::finish_jobs).
    pub fn run(&mut self, text: &[u8]) -> i32 {
        self.execute(text);
        self.end()
    }

    /// Executes a text and gives its status; what it leaves is there for the next one. Nothing happens once the shell has
    /// exited.
    pub fn run_chunk(&mut self, text: &[u8]) -> i32 {
        self.execute(text);
        self.exited.unwrap_or(self.shell.status)
    }

    /// Ctrl-C in front of the prompt, where nothing is at work: the line is given up, and `$?` says so, or the commands
    /// trapped for `INT` are executed.
    pub fn interrupt(&mut self) {
        let process = &self.shell.process;
        let _ = process.getpid().and_then(|pid| process.kill(pid, Signal::INT));
        self.execute(b"");
    }

    fn execute(&mut self, text: &[u8]) {
        if self.exited.is_some() {
            return;
        }
        let text = source::encode(text);
        let shell = &mut self.shell;
        self.machine.forget_interrupt();
        let executed = self.machine.run(async {
            let executed =
                if shell.is_interactive { shell.run_typed(&text).await } else { shell.run_text(&text).await };
            match executed {
                Err(Stop::Exit(_) | Stop::Error(_)) => Some(shell.finish(executed).await),
                Err(Stop::Fatal(message)) => {
                    shell.complain(&message).await;
                    shell.status = 2;
                    None
                }
                _ => None,
            }
        });
        match executed {
            Ok(Some(status)) => self.exit(status),
            Ok(None) => {}
            Err(Unfinished::Abandoned) => self.exited = Some(128 + 1),
            Err(deadlock @ Unfinished::Deadlock) => {
                let message = format!("{deadlock}\n");
                let _ = self.machine.run(shell_error(&mut self.shell, message.as_bytes()));
                self.exit(128 + 2);
            }
        }
    }

    /// Ends the shell, unless it has ended: executes the commands trapped for `EXIT`. Gives the exit status.
    pub fn end(&mut self) -> i32 {
        if let Some(status) = self.exited {
            return status;
        }
        let shell = &mut self.shell;
        let last: Executed = Ok(shell.status);
        let status = self.machine.run(async { shell.finish(last).await }).unwrap_or(128 + 2);
        self.exit(status);
        status
    }

    fn exit(&mut self, status: i32) {
        let status = if self.shell.process.is_running() { status } else { self.shell.status_of_death() };
        self.shell.process.exit(status);
        self.exited = Some(status);
        if self.shell.is_interactive {
            // Nobody types for what is left in the background.
            self.machine.end_input();
        }
    }

    /// The process of the shell.
    pub fn process(&self) -> &Process {
        &self.shell.process
    }

    /// The exit status, once the shell has exited.
    pub fn exited(&self) -> Option<i32> {
        self.exited
    }

    /// The status of the last command: `$?`.
    pub fn status(&self) -> i32 {
        self.shell.status
    }

    /// Lets what still runs in the background run to its end. Simulated time passes.
    pub fn finish_jobs(&self) {
        self.machine.run_others();
    }

    /// Lets what still runs in the background go on until it sleeps or waits. There it stays, a process of the kernel which
    /// does nothing any more once the [machine is left alone](Machine::shut_down).
    pub fn leave_jobs(&self) {
        self.machine.settle();
    }

    /// Whether a text can be executed, for those who edit lines.
    pub fn completeness(text: &[u8]) -> Completeness {
        let text = source::encode(text);
        match source::parse(&text) {
            Ok(_) if script::has_ended(&text) => Completeness::Complete,
            Ok(_) => Completeness::Incomplete,
            Err(error) if error.is_incomplete => Completeness::Incomplete,
            Err(_) => Completeness::Invalid,
        }
    }

    /// The value of a variable: `PS1`, `PWD`.
    pub fn variable(&self, name: &str) -> Option<Vec<u8>> {
        self.shell.get(name).map(<[u8]>::to_vec)
    }

    /// The names of commands that begin so: builtins, functions, aliases, programs in `PATH`. Sorted.
    pub fn command_names(&self, prefix: &[u8]) -> Vec<Vec<u8>> {
        let mut names: Vec<Vec<u8>> = builtins::names().map(|name| name.as_bytes().to_vec()).collect();
        names.extend(self.shell.functions.keys().cloned());
        names.extend(self.shell.aliases.keys().cloned());
        let path = self.shell.get("PATH").unwrap_or_default();
        for directory in path.split(|byte| *byte == b':') {
            let directory = if directory.is_empty() { b"." } else { directory };
            names.extend(self.shell.names(directory).unwrap_or_default());
        }
        names.retain(|name| name.starts_with(prefix) && !matches!(&name[..], b"." | b".."));
        names.sort();
        names.dedup();
        names
    }

    /// The paths of the simulated machine that begin so; those of directories end with a slash. Sorted.
    pub fn paths(&self, prefix: &[u8]) -> Vec<Vec<u8>> {
        let split = prefix.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let (directory, start) = prefix.split_at(split);
        let looked_at = match directory.strip_prefix(b"~/") {
            Some(rest) => [self.shell.get("HOME").unwrap_or_default(), b"/", rest].concat(),
            None if directory.is_empty() => b".".to_vec(),
            None => directory.to_vec(),
        };
        let mut paths: Vec<Vec<u8>> = self
            .shell
            .names(&looked_at)
            .unwrap_or_default()
            .into_iter()
            .filter(|name| name.starts_with(start) && (start.starts_with(b".") || !name.starts_with(b".")))
            .map(|name| {
                let found = self.shell.stat(&[&looked_at[..], b"/", &name].concat(), true);
                let is_directory = found.is_ok_and(|stat| stat.file_type == FileType::Directory);
                [directory, &name, if is_directory { b"/" } else { b"" }].concat()
            })
            .collect();
        paths.sort();
        paths
    }
}

async fn shell_error(shell: &mut Shell, text: &[u8]) {
    shell.write_error(text).await;
}

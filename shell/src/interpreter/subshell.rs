//! Subshells: child processes with a copy of the shell's state.

use async_recursion::async_recursion;
use brush_parser::ast;
use cofferdam::kernel::{CloneFlags, Fd, Kernel as _, OpenFlags, Pid};
use cofferdam_vfs_sim::Process;

use super::stop::{Executed, INTERRUPTED, Stop};
use super::{Shell, redirect, source};

/// How many shells may be children of each other: each one is a process with a copy of everything.
const MAX_GENERATIONS: usize = 100;

/// What a child process is made for.
pub(super) enum Task {
    /// A command of a pipeline.
    Command(Box<ast::Command>),
    /// What is in the background.
    AndOr(Box<ast::AndOrList>),
    /// What is between parentheses, with its redirections.
    Subshell(Box<ast::CompoundList>, Vec<ast::IoRedirect>),
    /// A command substitution, and where its text begins.
    Text(String, usize),
    /// Writing a here-document that does not fit into a pipe.
    Document(Vec<u8>, Fd),
}

impl Shell {
    /// Makes a child process with a copy of this shell.
    pub(super) fn fork(&mut self) -> Result<(Pid, Self), Stop> {
        if self.generation >= MAX_GENERATIONS {
            return Err(Stop::fatal("Cannot fork: too many nested subshells"));
        }
        let cannot = |errno: cofferdam::kernel::Errno| Stop::fatal(format!("Cannot fork: {}", errno.description()));
        let process = self.process.fork(CloneFlags::empty()).map_err(cannot)?;
        let pid = self.process.linux().pid_for(self.process.task(), process.task());
        // The pid of a child in a pid namespace that the parent has unshared is one of the parent's as well.
        let pid = pid.ok_or_else(|| Stop::fatal("Cannot fork: No such process"))?;
        Ok((pid, self.copy(process)))
    }

    fn copy(&self, process: Process) -> Self {
        let mut child = Self {
            machine: self.machine.clone(),
            process,
            name: self.name.clone(),
            parameters: self.parameters.clone(),
            variables: self.variables.clone(),
            functions: self.functions.clone(),
            aliases: self.aliases.clone(),
            options: self.options.clone(),
            directory: self.directory.clone(),
            status: self.status,
            pid: self.pid,
            parent: self.parent,
            command_name: self.command_name.clone(),
            is_file: false,
            line: self.line,
            line_base: self.line_base,
            jobs: self.jobs.of_child(),
            traps: self.traps.clone(),
            is_tested: self.is_tested,
            loops: self.loops,
            calls: self.calls,
            depth: 0,
            max_depth: self.max_depth,
            generation: self.generation + 1,
            is_interactive: false,
            is_last: false,
            substitution_status: None,
            option_offset: self.option_offset,
        };
        child.options.set(b'm', false);
        child.reset_traps();
        child
    }

    /// Lets a shell that was made by [`fork`](Self::fork) do something, at the same time as all others.
    pub(super) fn start(mut self, task: Task) {
        let (machine, process) = (self.machine.clone(), self.process.clone());
        machine.start(
            process,
            Box::pin(async move {
                let executed = self.perform(task).await;
                self.finish(executed).await
            }),
        );
    }

    #[async_recursion(?Send)]
    async fn perform(&mut self, task: Task) -> Executed {
        match task {
            Task::Command(command) => {
                self.is_last = true;
                self.command(&command).await
            }
            Task::AndOr(list) => {
                self.is_tested = false;
                self.is_last = true;
                self.and_or(&list).await
            }
            Task::Subshell(list, redirects) => {
                // Nobody needs what was there before.
                let _ = self.redirect(&redirects).await?;
                self.is_last = true;
                self.list(&list).await
            }
            Task::Text(text, line) => {
                self.is_tested = false;
                self.text(&text, line).await
            }
            Task::Document(text, fd) => {
                let written = self.machine.write(&self.process, fd, &text).await;
                Ok(i32::from(written.is_err()))
            }
        }
    }

    /// What is done at the end of a shell: the trap for `EXIT`. Gives the exit status.
    pub(super) async fn finish(&mut self, executed: Executed) -> i32 {
        let status = match executed {
            Ok(status) | Err(Stop::Exit(status) | Stop::Error(status) | Stop::Return(status)) => status,
            Err(Stop::Interrupt) => INTERRUPTED,
            // Of a loop outside the subshell.
            Err(Stop::Break(_) | Stop::Continue(_)) => self.status,
            Err(Stop::Fatal(message)) => {
                self.complain(&message).await;
                2
            }
        };
        self.status = status;
        self.exit_trap(status).await & 0xff
    }

    /// A pipe whose ends are out of the way of the descriptors that scripts use.
    pub(super) fn pipe(&self) -> Result<(Fd, Fd), Stop> {
        let cannot =
            |errno: cofferdam::kernel::Errno| Stop::fatal(format!("Pipe call failed: {}", errno.description()));
        let (reader, writer) = self.process.pipe2(OpenFlags::O_CLOEXEC).map_err(cannot)?;
        Ok((self.move_up(reader).map_err(cannot)?, self.move_up(writer).map_err(cannot)?))
    }

    fn move_up(&self, fd: Fd) -> Result<Fd, cofferdam::kernel::Errno> {
        if fd.0 >= redirect::SCRIPTS_END {
            return Ok(fd);
        }
        let number = self.free_descriptor();
        let moved = self.process.dup3(fd, number, OpenFlags::O_CLOEXEC)?;
        self.process.close(fd)?;
        Ok(moved)
    }

    /// Puts a descriptor in the place of another one, and closes it.
    pub(super) fn put(&self, fd: Fd, target: Fd) {
        if self.process.dup3(fd, target, OpenFlags::empty()).is_ok() {
            let _ = self.process.close(fd);
        }
    }

    /// Executes a text and gives what it prints, without the newlines at the end.
    #[async_recursion(?Send)]
    pub(super) async fn substitute(&mut self, text: &str, line_base: usize) -> Result<Vec<u8>, Stop> {
        let (reader, writer) = self.pipe()?;
        let (pid, child) = self.fork()?;
        let _ = child.process.close(reader);
        child.put(writer, Fd::STDOUT);
        child.start(Task::Text(text.to_owned(), line_base));
        let _ = self.process.close(writer);
        let mut output = Vec::new();
        loop {
            match self.read_from(reader, 65536).await {
                Ok(bytes) if !bytes.is_empty() => output.extend(bytes),
                _ => break,
            }
        }
        let _ = self.process.close(reader);
        let status = self.wait_for(pid).await;
        self.substitution_status = Some(status);
        output.retain(|byte| *byte != 0);
        let end = output.iter().rposition(|byte| *byte != b'\n').map_or(0, |index| index + 1);
        output.truncate(end);
        Ok(output)
    }

    /// Executes a text of the shell's own, as `eval` does.
    #[async_recursion(?Send)]
    pub(super) async fn text(&mut self, text: &str, line_base: usize) -> Executed {
        let outer = std::mem::replace(&mut self.line_base, line_base);
        let was_file = std::mem::replace(&mut self.is_file, false);
        let executed = self.run_text(text).await;
        self.is_file = was_file;
        self.line_base = outer;
        executed
    }

    /// The same with bytes.
    #[async_recursion(?Send)]
    pub(super) async fn evaluate(&mut self, text: &[u8]) -> Executed {
        let text = source::encode(text);
        if self.depth >= self.max_depth {
            return Err(Stop::fatal("Maximum function recursion depth reached"));
        }
        self.depth += 1;
        let executed = self.text(&text, 0).await;
        self.depth -= 1;
        executed
    }
}

//! What a program has while it runs: its process, its arguments, its standard streams.

use std::time::Duration;

use cofferdam::kernel::{
    Bytes, CloneFlags, Errno, Fd, Kernel as _, OpenFlags, OpenHow, Pid, Signal, WaitOptions, WaitStatus,
};
use cofferdam_vfs_sim::Process;

use crate::machine::{Machine, Work};
use crate::programs::Program;

/// How much is read at a time.
const CHUNK: usize = 65536;
/// How much the C library keeps before it writes.
const BUFFER_SIZE: usize = 4096;

/// A program that runs, or a builtin that does what a program of that name does.
pub(crate) struct Execution {
    pub(crate) machine: Machine,
    /// The process that runs it; its system calls are the program's.
    pub(crate) process: Process,
    /// The arguments, the program's name first.
    pub(crate) arguments: Vec<Vec<u8>>,
    /// The environment, as `NAME=value`.
    pub(crate) environment: Vec<Vec<u8>>,
    /// What messages begin with: the name of the program, or where in a script a builtin was called.
    pub(crate) name: Vec<u8>,
    /// What was printed and not written yet.
    output: Vec<u8>,
    /// What is to be written before anything else is, and where.
    pending: Vec<(Fd, Vec<u8>)>,
    /// Why something that was printed could not be written.
    failed: Option<Errno>,
}

impl Execution {
    pub(crate) fn new(
        machine: Machine,
        process: Process,
        arguments: Vec<Vec<u8>>,
        environment: Vec<Vec<u8>>,
        name: Vec<u8>,
    ) -> Self {
        machine.forget_failures(&process);
        Self { machine, process, arguments, environment, name, output: Vec::new(), pending: Vec::new(), failed: None }
    }

    /// Prints to standard output, which is written when the program ends or calls [`flush`](Self::flush): as the C library
    /// does if it is no terminal.
    pub(crate) fn print(&mut self, text: impl AsRef<[u8]>) {
        self.output.extend_from_slice(text.as_ref());
    }

    /// Prints as [`print`](Self::print) does, and writes whenever the buffer of the C library would be full. For programs
    /// that go on as long as their input does.
    ///
    /// # Errors
    ///
    /// Those of write(2).
    pub(crate) async fn put(&mut self, text: impl AsRef<[u8]>) -> Result<(), Errno> {
        self.print(text);
        if self.output.len() >= BUFFER_SIZE { self.flush().await } else { Ok(()) }
    }

    /// Writes what was printed. `EPIPE` ends the process with `SIGPIPE` as it does a real one.
    ///
    /// # Errors
    ///
    /// Those of write(2).
    pub(crate) async fn flush(&mut self) -> Result<(), Errno> {
        let output = std::mem::take(&mut self.output);
        self.pending.push((Fd::STDOUT, output));
        self.write_pending().await;
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Writes `NAME: TEXT` and a newline to standard error, at once, after what was printed: as error(3) does, with which most
    /// programs of GNU complain.
    pub(crate) async fn complain(&mut self, text: impl AsRef<[u8]>) {
        self.report(text);
        self.write_pending().await;
    }

    /// Writes `NAME: TEXT` and a newline to standard error, at once, and leaves what was printed for later: as warnx(3) does,
    /// with which the programs of util-linux complain.
    pub(crate) async fn warn(&mut self, text: impl AsRef<[u8]>) {
        let message = [&self.name, &b": "[..], text.as_ref(), b"\n"].concat();
        self.write_error(&message).await;
    }

    /// As [`complain`](Self::complain), but the text is written before the next thing that is written, read or waited for:
    /// nobody else can act before, so that nobody can tell the difference.
    pub(crate) fn report(&mut self, text: impl AsRef<[u8]>) {
        let message = [&self.name, &b": "[..], text.as_ref()].concat();
        self.report_line(message);
    }

    /// As [`report`](Self::report), without the program's name.
    pub(crate) fn report_line(&mut self, text: impl AsRef<[u8]>) {
        let output = std::mem::take(&mut self.output);
        self.pending.push((Fd::STDOUT, output));
        let explanation = self.machine.explanation(&self.process);
        self.pending.push((Fd::STDERR, [text.as_ref(), b"\n", &explanation].concat()));
    }

    /// Writes to standard error, at once.
    pub(crate) async fn write_error(&mut self, text: &[u8]) {
        let explanation = self.machine.explanation(&self.process);
        self.pending.push((Fd::STDERR, [text, &explanation].concat()));
        self.write_pending().await;
    }

    /// Writes what is pending. What can't be written to standard error is lost: there is nowhere left to say so.
    async fn write_pending(&mut self) {
        for (fd, text) in std::mem::take(&mut self.pending) {
            let written = self.machine.write(&self.process, fd, &text).await;
            if let (Fd::STDOUT, Err(errno)) = (fd, written) {
                self.failed.get_or_insert(errno);
            }
        }
    }

    /// Reads from a descriptor; nothing at the end. Waits until there is something.
    ///
    /// # Errors
    ///
    /// Those of read(2).
    pub(crate) async fn read(&mut self, fd: Fd) -> Result<Vec<u8>, Errno> {
        self.write_pending().await;
        self.machine.read(&self.process, fd, CHUNK).await
    }

    /// Reads from a descriptor up to the end.
    ///
    /// # Errors
    ///
    /// Those of read(2).
    pub(crate) async fn read_to_end(&mut self, fd: Fd) -> Result<Vec<u8>, Errno> {
        let mut all = Vec::new();
        loop {
            let bytes = self.read(fd).await?;
            if bytes.is_empty() {
                return Ok(all);
            }
            all.extend(bytes);
        }
    }

    /// Opens a file. Waits for somebody at the other end of a fifo.
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub(crate) async fn open(&mut self, path: &[u8], how: OpenHow) -> Result<Fd, Errno> {
        self.write_pending().await;
        self.machine.open(&self.process, path, how).await
    }

    /// Reads a whole file.
    ///
    /// # Errors
    ///
    /// Those of open(2) and read(2).
    pub(crate) async fn read_file(&mut self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        let how = OpenHow { flags: OpenFlags::O_CLOEXEC, ..OpenHow::default() };
        let fd = self.open(path, how).await?;
        let content = self.read_to_end(fd).await;
        let _ = self.process.close(fd);
        content
    }

    /// The value of a variable of the environment.
    pub(crate) fn variable(&self, name: &str) -> Option<&[u8]> {
        self.environment.iter().find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
    }

    /// Makes a child process that does some work, at the same time.
    ///
    /// # Errors
    ///
    /// Those of clone3(2).
    pub(crate) fn fork(
        &mut self,
        flags: CloneFlags,
        work: impl FnOnce(Execution) -> Work<'static>,
    ) -> Result<Pid, Errno> {
        let child = self.process.fork(flags)?;
        // As the parent sees it.
        let pid = self.process.linux().pid_for(self.process.task(), child.task()).ok_or(Errno::ESRCH)?;
        let execution = Self::new(
            self.machine.clone(),
            child.clone(),
            self.arguments.clone(),
            self.environment.clone(),
            self.name.clone(),
        );
        self.machine.start(child, work(execution));
        Ok(pid)
    }

    /// Waits for a child to end.
    ///
    /// # Errors
    ///
    /// Those of wait4(2).
    pub(crate) async fn wait_for(&mut self, pid: Pid) -> Result<WaitStatus, Errno> {
        self.write_pending().await;
        let process = &self.process;
        let wait = || process.wait4(pid, WaitOptions::empty());
        loop {
            if let Some((_, status)) = self.machine.waiting(wait).await? {
                return Ok(status);
            }
        }
    }

    /// Lets simulated time pass.
    pub(crate) async fn sleep(&mut self, time: Duration) {
        self.write_pending().await;
        self.machine.sleep(time).await;
    }

    /// Does what another program does, with the same process and arguments.
    pub(crate) async fn become_program(&mut self, program: Program, name: Vec<u8>) -> i32 {
        let (arguments, environment) = (self.arguments.clone(), self.environment.clone());
        program(Self::new(self.machine.clone(), self.process.clone(), arguments, environment, name)).await
    }

    /// Executes a program in the place of this one, and comes to its exit status; `None` if the process was killed meanwhile.
    /// The file is looked for in `PATH` if its name has no slash, as execvp(3) does.
    ///
    /// # Errors
    ///
    /// Those of execve(2).
    pub(crate) async fn execute(&mut self, arguments: &[Vec<u8>]) -> Result<i32, Errno> {
        self.flush().await?;
        let path = self.variable("PATH").unwrap_or(b"/bin:/usr/bin").to_vec();
        crate::programs::execute_in_path(&self.machine, &self.process, &path, arguments, &self.environment).await
    }
}

/// The status that a shell gives for how a process ended.
pub(crate) fn shell_status(status: WaitStatus) -> i32 {
    match status {
        WaitStatus::Exited(status) => status,
        WaitStatus::Signaled(Signal(number)) | WaitStatus::Stopped(Signal(number)) => 128 + number,
        WaitStatus::Continued => 0,
    }
}

/// Arguments as the kernel takes them.
pub(crate) fn strings(strings: &[Vec<u8>]) -> Vec<Bytes> {
    strings.iter().map(|string| Bytes::from(&string[..])).collect()
}

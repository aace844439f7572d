//! What sed writes: standard output, the files of `w`, and files that are edited in place.

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Errno, Fd, Kernel as _, Mode, OpenFlags, OpenHow, RenameFlags};

use crate::execution::Execution;

use super::run::Stop;

/// Where output goes.
enum Target {
    Main,
    File(Fd),
}

/// An output.
pub(super) struct Output {
    target: Target,
    /// The last line lacks its newline, which comes if another one follows.
    lacks_newline: bool,
}

/// All outputs of a run.
pub(super) struct Outputs {
    main: Output,
    files: Vec<Output>,
    /// What becomes of the file that is edited in place.
    edited: Option<Vec<u8>>,
    delimiter: u8,
    is_unbuffered: bool,
}

impl Outputs {
    pub(super) fn new(delimiter: u8, is_in_place: bool, is_unbuffered: bool) -> Self {
        let main = Output { target: Target::Main, lacks_newline: false };
        Self { main, files: Vec::new(), edited: is_in_place.then(Vec::new), delimiter, is_unbuffered }
    }

    /// Opens the files of `w`.
    pub(super) async fn open(&mut self, execution: &mut Execution, names: &[Vec<u8>]) -> Result<(), Stop> {
        for name in names {
            let target = match &name[..] {
                b"/dev/stdout" => Target::Main,
                b"/dev/stderr" => Target::File(Fd::STDERR),
                name => {
                    let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC | OpenFlags::O_CLOEXEC;
                    let how = OpenHow { flags, mode: Mode(0o666), ..OpenHow::default() };
                    let fd = execution
                        .open(name, how)
                        .await
                        .map_err(|errno| trouble(b"couldn't open file ", name, errno))?;
                    Target::File(fd)
                }
            };
            self.files.push(Output { target, lacks_newline: false });
        }
        Ok(())
    }

    /// Writes to standard output, or to the file that is edited.
    pub(super) async fn print(&mut self, execution: &mut Execution, text: &[u8]) -> Result<(), Stop> {
        self.put(execution, None, text).await
    }

    /// Writes a line.
    pub(super) async fn line(
        &mut self,
        execution: &mut Execution,
        file: Option<usize>,
        text: &[u8],
        is_terminated: bool,
    ) -> Result<(), Stop> {
        let end = [self.delimiter];
        let line = [text, if is_terminated { &end[..] } else { b"" }].concat();
        self.put(execution, file, &line).await?;
        if let Some(output) = self.output(file) {
            output.lacks_newline = !is_terminated;
        }
        Ok(())
    }

    fn output(&mut self, file: Option<usize>) -> Option<&mut Output> {
        match file {
            None => Some(&mut self.main),
            Some(index) => match self.files.get_mut(index)? {
                Output { target: Target::Main, .. } => Some(&mut self.main),
                output => Some(output),
            },
        }
    }

    async fn put(&mut self, execution: &mut Execution, file: Option<usize>, text: &[u8]) -> Result<(), Stop> {
        let delimiter = self.delimiter;
        let Some(output) = self.output(file) else { return Ok(()) };
        let mut bytes = Vec::new();
        if std::mem::replace(&mut output.lacks_newline, false) {
            bytes.push(delimiter);
        }
        bytes.extend_from_slice(text);
        match output.target {
            Target::File(fd) => execution.machine.write(&execution.process, fd, &bytes).await?,
            Target::Main => match &mut self.edited {
                Some(edited) if file.is_none() => edited.extend(bytes),
                _ => execution.put(bytes).await?,
            },
        }
        if self.is_unbuffered {
            execution.flush().await?;
        }
        Ok(())
    }

    /// Replaces a file by what it was edited to.
    pub(super) async fn replace(&mut self, execution: &mut Execution, name: &[u8], suffix: &[u8]) -> Result<(), Stop> {
        let Some(edited) = &mut self.edited else { return Ok(()) };
        let content = std::mem::take(edited);
        self.main.lacks_newline = false;
        let stat = execution.process.statx(Fd::CWD, UnixPath::new(name), AtFlags::empty());
        let mode = stat.as_ref().map_or(Mode(0o600), |stat| stat.mode);
        let (directory, base) = match name.iter().rposition(|byte| *byte == b'/') {
            Some(at) => name.split_at(at + 1),
            None => (&b"./"[..], name),
        };
        let (fd, temporary) = create_temporary(execution, directory).await?;
        let written = execution.machine.write(&execution.process, fd, &content).await;
        let _ = execution.process.close(fd);
        written.map_err(|errno| trouble(b"couldn't write to ", &temporary, errno))?;
        let temporary_path = UnixPath::new(&temporary);
        if let Ok(stat) = stat {
            // As far as the process may: an owner that can't be kept is no reason not to edit.
            let _ =
                execution.process.fchownat(Fd::CWD, temporary_path, Some(stat.uid), Some(stat.gid), AtFlags::empty());
        }
        let _ = execution.process.fchmodat(Fd::CWD, temporary_path, mode);
        if !suffix.is_empty() {
            let backup = if suffix.contains(&b'*') {
                let named: Vec<&[u8]> = suffix.split(|byte| *byte == b'*').collect();
                named.join(base)
            } else {
                [base, suffix].concat()
            };
            let backup = if backup.contains(&b'/') { backup } else { [directory, &backup].concat() };
            rename(execution, name, &backup)?;
        }
        if let Err(stop) = rename(execution, &temporary, name) {
            let _ = execution.process.unlinkat(Fd::CWD, temporary_path, AtFlags::empty());
            return Err(stop);
        }
        Ok(())
    }
}

async fn create_temporary(execution: &mut Execution, directory: &[u8]) -> Result<(Fd, Vec<u8>), Stop> {
    let flags = OpenFlags::O_RDWR | OpenFlags::O_CREAT | OpenFlags::O_EXCL | OpenFlags::O_CLOEXEC;
    let how = OpenHow { flags, mode: Mode(0o600), ..OpenHow::default() };
    for number in 0.. {
        let name = [directory, format!("sed{number:06}").as_bytes()].concat();
        match execution.open(&name, how).await {
            Ok(fd) => return Ok((fd, name)),
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(trouble(b"couldn't open temporary file ", &name, errno)),
        }
    }
    Err(Stop::Errno(Errno::EEXIST))
}

fn rename(execution: &Execution, from: &[u8], to: &[u8]) -> Result<(), Stop> {
    let renamed =
        execution.process.renameat2(Fd::CWD, UnixPath::new(from), Fd::CWD, UnixPath::new(to), RenameFlags::empty());
    renamed.map_err(|errno| trouble(b"cannot rename ", from, errno))
}

fn trouble(what: &[u8], name: &[u8], errno: Errno) -> Stop {
    Stop::Message { message: [what, name, b": ", errno.description().as_bytes()].concat(), status: 4 }
}

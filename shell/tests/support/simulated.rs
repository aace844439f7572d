//! The simulated world: a machine that has booted, and its shell.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use cofferdam::UnixPath;
use cofferdam::kernel::{Errno, Fd, Kernel as _, Mode, MountFlags, OpenFlags, OpenHow};
use cofferdam_shell::{Console, Input, Machine, Session, Stream};
use cofferdam_vfs_sim::{Linux, Process};

use super::{ENVIRONMENT, SCRIPTS, Transcript, WORK, directory, path};

/// A console that remembers what was written to it, and has nothing to read.
#[derive(Clone, Default)]
struct Recorder(Rc<RefCell<Vec<u8>>>);

impl Console for Recorder {
    fn write(&mut self, _: Stream, bytes: &[u8]) {
        self.0.borrow_mut().extend_from_slice(bytes);
    }

    fn read(&mut self) -> Input {
        Input::End
    }
}

/// How long a script may take: no processor is so slow.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs a script.
pub fn run(script: &Path) -> Transcript {
    let (sender, receiver) = mpsc::channel();
    let command = format!("cd {WORK} && sh {}", path(script));
    let thread = std::thread::spawn(move || sender.send(run_command(&command)));
    match receiver.recv_timeout(LIMIT) {
        Ok(transcript) => transcript,
        Err(RecvTimeoutError::Timeout) => panic!("{} takes more than {LIMIT:?}", script.display()),
        Err(RecvTimeoutError::Disconnected) => std::panic::resume_unwind(thread.join().unwrap_err()),
    }
}

/// Runs a command on a machine of its own.
fn run_command(command: &str) -> Transcript {
    let recorder = Recorder::default();
    let machine = Machine::new(prepared().unwrap(), Box::new(recorder.clone())).unwrap();
    let mut session = Session::new(&machine, b"sh", &[]).unwrap();
    for (name, value) in ENVIRONMENT {
        session.export(name.as_bytes(), value.as_bytes());
    }
    let status = session.run(command.as_bytes());
    machine.snapshot().check().unwrap();
    Transcript { output: recorder.0.take(), status }
}

/// A kernel that has booted, without propagation, with the scripts and an empty directory to work in.
fn prepared() -> Result<Linux, Errno> {
    let init = Process::init(Machine::boot());
    init.mount(None, UnixPath::new("/"), None, MountFlags::MS_REC | MountFlags::MS_PRIVATE, None)?;
    mount_tmpfs(&init, "/mnt")?;
    init.mkdirat(Fd::CWD, UnixPath::new(WORK), Mode(0o755))?;
    mount_tmpfs(&init, WORK)?;
    copy(&init, &directory(), UnixPath::new(SCRIPTS))?;
    Ok(init.linux().clone())
}

fn mount_tmpfs(init: &Process, target: &str) -> Result<(), Errno> {
    let tmpfs = UnixPath::new("tmpfs");
    init.mount(Some(tmpfs), UnixPath::new(target), Some(b"tmpfs"), MountFlags::empty(), Some(b"mode=755"))
}

/// Copies a directory of this machine to the simulated one.
fn copy(init: &Process, source: &Path, target: &UnixPath) -> Result<(), Errno> {
    init.mkdirat(Fd::CWD, target, Mode(0o755))?;
    for entry in std::fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        let target = target.join(entry.file_name().as_encoded_bytes());
        if entry.file_type().unwrap().is_dir() {
            copy(init, &entry.path(), &target)?;
        } else {
            let flags = OpenFlags::O_CREAT | OpenFlags::O_EXCL | OpenFlags::O_WRONLY;
            let file = init.openat2(Fd::CWD, &target, OpenHow { flags, mode: Mode(0o644), ..OpenHow::default() })?;
            let content = std::fs::read(entry.path()).unwrap();
            let mut rest = &content[..];
            while !rest.is_empty() {
                rest = &rest[init.write(file, rest)?..];
            }
            init.close(file)?;
        }
    }
    Ok(())
}

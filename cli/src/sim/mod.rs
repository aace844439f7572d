//! `cofferdam sim`: a shell on a simulated machine.

mod state;

cfg_if::cfg_if! {
    if #[cfg(any(unix, windows))] {
        mod interactive;
        mod person;
        use interactive::interact;
    } else {
        mod plain;
        #[path = "person/none.rs"]
        mod person;
        use plain::interact;
    }
}

pub(crate) use person::Person;

use std::fs;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use cofferdam::kernel::Bytes;
use cofferdam_shell::{Machine, Session};
use cofferdam_vfs_sim::{Linux, LoadError};

use self::state::StateFile;
use crate::arguments::SimArguments;
use crate::run::Failure;
use crate::streams::{StandardStreams, host_path};

/// How much stack the shell has. What it does not need takes no memory.
const STACK: usize = 256 << 20;

/// How deep functions and compound commands may be nested with it; the rest of the program needs some of it as well.
const DEPTH: usize = (STACK - (1 << 20)) / Session::STACK_PER_LEVEL;

/// What keeps `sim` from starting.
#[derive(Debug, thiserror::Error)]
enum SimError {
    #[error("cannot read the script {}: {error}", path.display())]
    Script { path: PathBuf, error: io::Error },
    #[error("cannot read commands from standard input: {0}")]
    Input(io::Error),
    #[error("cannot read the mount table {}: {error}", path.display())]
    MountTable { path: PathBuf, error: io::Error },
    #[error("{} is no mount table: {error}", path.display())]
    Load { path: PathBuf, error: LoadError },
    #[error("{} exists: its machine is used, and --mountinfo is for a new one", path.display())]
    StateExists { path: PathBuf },
    #[error("cannot start the shell on the simulated machine: {0}")]
    Start(cofferdam::kernel::Errno),
    #[error("the directory {directory} of the simulated machine cannot be entered")]
    Directory { directory: Bytes },
    #[error("cannot let Ctrl-C interrupt what runs on the simulated machine: {0}")]
    Person(io::Error),
    #[error("cannot start a thread with a stack of its own: {0}")]
    Thread(io::Error),
}

/// Where commands come from.
enum Commands {
    /// A text.
    Text(Vec<u8>),
    /// A person, who types them in.
    Person,
}

/// Runs a shell on a simulated machine. Gives the exit status.
pub(crate) fn sim(arguments: &SimArguments) -> Result<i32, Failure> {
    // Nested commands take stack, of which a main thread has little on some platforms.
    if cfg!(target_family = "wasm") {
        return run(arguments, None);
    }
    let shell = || run(arguments, Some(DEPTH)).map_err(|error| error.to_string());
    let status = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, shell);
        Ok::<_, SimError>(thread.map_err(SimError::Thread)?.join())
    });
    match status? {
        Ok(result) => Ok(result?),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn run(arguments: &SimArguments, depth: Option<usize>) -> Result<i32, Failure> {
    let mut operands = arguments.operands.iter().map(|operand| operand.0.clone());
    let mut console = StandardStreams::default();
    let (commands, name) = match (&arguments.commands, operands.next()) {
        (Some(text), name) => (Commands::Text(text.0.clone()), name),
        (None, Some(script)) => {
            let path = host_path(&script);
            let text = fs::read(&path).map_err(|error| SimError::Script { path: path.clone(), error })?;
            console.script_directory = path.parent().map(Path::to_path_buf);
            (Commands::Text(text), Some(script))
        }
        (None, None) if io::stdin().is_terminal() => {
            console.person = Some(Person::new().map_err(SimError::Person)?);
            (Commands::Person, None)
        }
        (None, None) => {
            let mut text = Vec::new();
            io::stdin().read_to_end(&mut text).map_err(SimError::Input)?;
            (Commands::Text(text), None)
        }
    };
    let (state, saved) = match &arguments.state {
        Some(path) => {
            let (file, saved) = StateFile::open(path)?;
            (Some(file), saved)
        }
        None => (None, None),
    };
    let machine = Machine::new(start(arguments, saved)?, Box::new(console)).map_err(SimError::Start)?;
    if arguments.explain {
        machine.explain();
    }
    let name = name.unwrap_or_else(|| b"sh".to_vec());
    let mut session = Session::new(&machine, &name, &operands.collect::<Vec<_>>()).map_err(SimError::Start)?;
    if let Some(depth) = depth {
        session.allow_depth(depth);
    }
    enter(&mut session, arguments.directory.as_ref())?;
    let status = match commands {
        Commands::Text(text) => Ok(session.run(&text)),
        // Even if the terminal fails, the machine is saved.
        Commands::Person => interact(&mut session),
    };
    match state {
        Some(file) => {
            session.leave_jobs();
            machine.shut_down();
            file.save(&machine.snapshot())?;
        }
        None => session.finish_jobs(),
    }
    status
}

/// The machine at its beginning.
fn start(arguments: &SimArguments, saved: Option<Linux>) -> Result<Linux, Failure> {
    let linux = match (saved, &arguments.mountinfo, &arguments.state) {
        (Some(linux), None, _) => return Ok(linux),
        (Some(_), Some(_), state) => {
            return Err(SimError::StateExists { path: state.clone().unwrap_or_default() }.into());
        }
        (None, None, _) => return Ok(Machine::boot()),
        (None, Some(path), _) => {
            let text = fs::read(path).map_err(|error| SimError::MountTable { path: path.clone(), error })?;
            Linux::from_mountinfo(&text).map_err(|error| SimError::Load { path: path.clone(), error })?
        }
    };
    Ok(Machine::furnish(linux)?)
}

fn enter(session: &mut Session, directory: Option<&Bytes>) -> Result<(), SimError> {
    let Some(directory) = directory else { return Ok(()) };
    if session.change_directory(&directory.0) {
        return Ok(());
    }
    Err(SimError::Directory { directory: directory.clone() })
}

//! Who is the agent of two directories.

use typed_path::{UnixPath, UnixPathBuf};

use super::{LockError, check_distinct, flock, lock_directories, open};
use crate::checkpoint;
use crate::error::Doing;
use crate::kernel::{Descriptor, Errno, FlockOperation, Kernel, Mode, OpenFlags};
use crate::layout::Layout;
use crate::root::{create_directories, real_path};

/// Says who is the agent of work_dir and runtime_dir.
#[derive(Debug)]
pub struct AgentLock<'k> {
    _locked: Vec<Descriptor<'k>>,
}

impl<'k> AgentLock<'k> {
    /// For an agent that embeds the isolator: nobody else can act on the directories while it lives. They must exist.
    ///
    /// # Errors
    ///
    /// [`LockError::AgentRunning`] if another agent, or a command, is at work; [`LockError::OtherAgent`] if one of the two
    /// directories has containers of an agent with another one.
    pub fn exclusive(kernel: &'k dyn Kernel, layout: &Layout) -> Result<Self, LockError> {
        Self::take(kernel, layout, FlockOperation::LOCK_EX)
    }

    /// For a command: other commands can act on the directories at the same time, but no agent can that embeds the isolator.
    ///
    /// # Errors
    ///
    /// As [`exclusive`](Self::exclusive).
    pub fn shared(kernel: &'k dyn Kernel, layout: &Layout) -> Result<Self, LockError> {
        Self::take(kernel, layout, FlockOperation::LOCK_SH)
    }

    /// The same, if the directories have ever had an agent: nothing is written for one that never comes.
    ///
    /// # Errors
    ///
    /// As [`exclusive`](Self::exclusive).
    pub fn shared_if_there_is_one(kernel: &'k dyn Kernel, layout: &Layout) -> Result<Self, LockError> {
        let mut locked = Vec::new();
        for (file, directory) in lock_files(layout) {
            let opened = match open(kernel, &file, OpenFlags::empty()) {
                Err(Errno::ENOENT | Errno::ENOTDIR) => continue,
                opened => opened.doing("open lock file", &file)?,
            };
            locked.push(try_lock(kernel, opened, &file, FlockOperation::LOCK_SH, &directory)?);
        }
        Ok(Self { _locked: locked })
    }

    /// Whether [`shared`](Self::shared) would be given now; nothing is changed. The directories must exist.
    ///
    /// # Errors
    ///
    /// As [`exclusive`](Self::exclusive).
    pub fn check(kernel: &'k dyn Kernel, layout: &Layout) -> Result<(), LockError> {
        let layout = Layout {
            work_dir: real_path(kernel, &layout.work_dir)?,
            runtime_dir: real_path(kernel, &layout.runtime_dir)?,
        };
        if !is_claimed(kernel, &layout)? {
            check_distinct(kernel, &layout)?;
            check_claims(kernel, &layout)?;
        }
        Self::shared_if_there_is_one(kernel, &layout).map(drop)
    }

    fn take(kernel: &'k dyn Kernel, layout: &Layout, operation: FlockOperation) -> Result<Self, LockError> {
        let layout = Layout {
            work_dir: real_path(kernel, &layout.work_dir)?,
            runtime_dir: real_path(kernel, &layout.runtime_dir)?,
        };
        if !is_claimed(kernel, &layout)? {
            // So that two that come at once do not both find the directories to be nobody's.
            let _directories = lock_directories(kernel, &layout)?;
            create_directories(kernel, &layout.meta(), Mode(0o755))?;
            claim(kernel, &layout)?;
        }
        let mut locked = Vec::new();
        for (file, directory) in lock_files(&layout) {
            let opened = open(kernel, &file, OpenFlags::O_CREAT).doing("open lock file", &file)?;
            locked.push(try_lock(kernel, opened, &file, operation, &directory)?);
        }
        Ok(Self { _locked: locked })
    }
}

fn lock_files(layout: &Layout) -> [(UnixPathBuf, UnixPathBuf); 2] {
    [
        (layout.meta().join("agent.lock"), layout.work_dir.clone()),
        (layout.runtime_dir.join("agent.lock"), layout.runtime_dir.clone()),
    ]
}

/// Where it is noted in each of the two directories which the other is, and which it is.
fn claims(layout: &Layout) -> [(UnixPathBuf, &UnixPathBuf); 2] {
    [(layout.meta().join("runtime_dir"), &layout.runtime_dir), (layout.runtime_dir.join("work_dir"), &layout.work_dir)]
}

/// Whether that is noted already.
fn is_claimed(kernel: &dyn Kernel, layout: &Layout) -> Result<bool, LockError> {
    for (record, value) in claims(layout) {
        if claimed(kernel, &record)?.as_ref() != Some(value) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Checks that neither is another agent's.
fn check_claims(kernel: &dyn Kernel, layout: &Layout) -> Result<(), LockError> {
    let [(record, ours), (back, work)] = claims(layout);
    if let Some(theirs) = claimed(kernel, &record)?
        && theirs != *ours
        && has_containers(kernel, &theirs)?
    {
        let directory = layout.work_dir.as_path().into();
        return Err(LockError::OtherAgent { directory, other: "runtime_dir", theirs: theirs.into() });
    }
    if let Some(theirs) = claimed(kernel, &back)?
        && theirs != *work
        && has_containers(kernel, &layout.runtime_dir)?
    {
        let directory = layout.runtime_dir.as_path().into();
        return Err(LockError::OtherAgent { directory, other: "work_dir", theirs: theirs.into() });
    }
    Ok(())
}

/// Notes it.
fn claim(kernel: &dyn Kernel, layout: &Layout) -> Result<(), LockError> {
    check_claims(kernel, layout)?;
    for (record, value) in claims(layout) {
        if claimed(kernel, &record)?.as_ref() != Some(value) {
            checkpoint::write(kernel, &record, value.as_bytes(), Mode(0o644))?;
        }
    }
    Ok(())
}

fn claimed(kernel: &dyn Kernel, record: &UnixPath) -> Result<Option<UnixPathBuf>, LockError> {
    match checkpoint::read(kernel, record) {
        Err(error) if error.errno == Errno::ENOENT => Ok(None),
        path => Ok(Some(UnixPathBuf::from(path?))),
    }
}

fn has_containers(kernel: &dyn Kernel, runtime_dir: &UnixPath) -> Result<bool, LockError> {
    match checkpoint::list(kernel, &runtime_dir.join("containers")) {
        Err(error) if matches!(error.errno, Errno::ENOENT | Errno::ENOTDIR) => Ok(false),
        entries => Ok(!entries?.is_empty()),
    }
}

fn try_lock<'k>(
    kernel: &'k dyn Kernel,
    opened: Descriptor<'k>,
    file: &UnixPath,
    operation: FlockOperation,
    directory: &UnixPath,
) -> Result<Descriptor<'k>, LockError> {
    match flock(kernel, opened.fd(), operation | FlockOperation::LOCK_NB) {
        Err(Errno::EAGAIN) => Err(LockError::AgentRunning(directory.into())),
        locked => Ok(locked.doing("lock", file).map(|()| opened)?),
    }
}

//! The namespaces of the parent container that a container begins in.

use typed_path::{UnixPath, UnixPathBuf};

use super::LaunchRequest;
use super::error::LaunchError;
use crate::error::{CallError, Doing};
use crate::kernel::{AtFlags, Errno, Fd, Kernel, Mode, OpenFlags, OpenHow, Pid, ResolveFlags};
use crate::messages::Namespace;

/// Namespaces to join, open. What they are does not change any more, whatever becomes of the parent's process.
pub(super) struct Joined {
    namespaces: Vec<(Namespace, Fd)>,
}

impl Joined {
    /// Opens the namespaces of the parent that the request names.
    pub(super) fn open(kernel: &dyn Kernel, request: &LaunchRequest) -> Result<Self, LaunchError> {
        let wanted = &request.info.enter_namespaces;
        let Some(parent) = request.parent else {
            return match wanted.first() {
                None => Ok(Self { namespaces: Vec::new() }),
                Some(_) => Err(LaunchError::Refused(
                    "enter_namespaces names namespaces of the parent container, but there is no process of it",
                )),
            };
        };
        if wanted.contains(&Namespace::MOUNT) && request.info.clone_namespaces.contains(&Namespace::MOUNT) {
            return Err(LaunchError::Refused(
                "a container that joins a mount namespace can't have one of its own as well",
            ));
        }
        let mut namespaces = Vec::new();
        for namespace in wanted {
            namespaces.push((*namespace, open_namespace(kernel, parent, *namespace)?));
        }
        Ok(Self { namespaces })
    }

    /// Whether children of this process will be in the parent's pid namespace, as it itself can't.
    pub(super) fn has_pid_namespace(&self) -> bool {
        self.namespaces.iter().any(|(namespace, _)| *namespace == Namespace::PID)
    }

    /// Joins all but the mount namespace, in which the host's /proc is out of reach.
    pub(super) fn enter_others(&self, kernel: &dyn Kernel) -> Result<(), LaunchError> {
        self.enter(kernel, |namespace| namespace != Namespace::MOUNT)
    }

    /// Joins the mount namespace if it is to be joined: root and working directory are its root then (setns(2)).
    pub(super) fn enter_mount_namespace(&self, kernel: &dyn Kernel) -> Result<(), LaunchError> {
        self.enter(kernel, |namespace| namespace == Namespace::MOUNT)
    }

    fn enter(&self, kernel: &dyn Kernel, which: impl Fn(Namespace) -> bool) -> Result<(), LaunchError> {
        for (namespace, fd) in self.namespaces.iter().filter(|(namespace, _)| which(*namespace)) {
            let name = UnixPath::new(namespace.name());
            kernel.setns(*fd, namespace.flag()).doing("join the parent container's namespace", name)?;
        }
        Ok(())
    }
}

fn open_namespace(kernel: &dyn Kernel, Pid(parent): Pid, namespace: Namespace) -> Result<Fd, LaunchError> {
    let path = |process: &str| UnixPathBuf::from(format!("/proc/{process}/ns/{}", namespace.name()));
    let (theirs, ours) = (path(&parent.to_string()), path("self"));
    let how = OpenHow { flags: OpenFlags::O_CLOEXEC, mode: Mode(0), resolve: ResolveFlags::empty() };
    let opened = kernel.openat2(Fd::CWD, &theirs, how).map_err(|errno| {
        let error = CallError::new("open the parent container's namespace", &theirs, errno);
        if errno == Errno::ENOENT { error.with_hint("is the parent container still running?") } else { error }
    })?;
    let stat = |path: &UnixPath| kernel.statx(Fd::CWD, path, AtFlags::empty()).doing("look at namespace", path);
    let found = kernel.statx(opened, UnixPath::new(""), AtFlags::AT_EMPTY_PATH).doing("look at namespace", &theirs)?;
    // A process of the host that has the pid of one that is gone.
    if (found.device, found.inode) == {
        let own = stat(&ours)?;
        (own.device, own.inode)
    } {
        return Err(LaunchError::NotInContainer { pid: parent, namespace: namespace.name() });
    }
    Ok(opened)
}

//! What a machine has when it has booted.

use cofferdam::UnixPath;
use cofferdam::kernel::{Errno, Fd, Kernel, Mode, OpenFlags, OpenHow};
use cofferdam_vfs_sim::{Linux, Process, named_program, sample};

use crate::programs::PROGRAMS;

/// The umask that init, and all that it starts, has on most machines.
const UMASK: Mode = Mode(0o022);

/// The sample host, which has booted as one with systemd does, with the programs on its disk.
///
/// # Errors
///
/// Those of [`install_programs`]; there are none unless the simulation has a bug.
pub(crate) fn boot() -> Result<Linux, Errno> {
    install_programs(sample::host())
}

/// Puts the programs into `/usr/bin` of a host, where they are not yet.
///
/// # Errors
///
/// Those of open(2) and write(2), if the host can't be written there.
pub(crate) fn install_programs(linux: Linux) -> Result<Linux, Errno> {
    let init = Process::init(linux);
    init.umask(UMASK)?;
    for (name, _) in PROGRAMS {
        let path = UnixPath::new("/usr/bin").join(name);
        match write_file(&init, &path, &named_program(name)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    let linux = init.linux().clone();
    Ok(linux)
}

fn write_file(kernel: &dyn Kernel, path: &UnixPath, mut content: &[u8]) -> Result<(), Errno> {
    let flags = OpenFlags::O_CREAT | OpenFlags::O_EXCL | OpenFlags::O_WRONLY;
    let fd = kernel.openat2(Fd::CWD, path, OpenHow { flags, mode: Mode(0o755), ..OpenHow::default() })?;
    while !content.is_empty() {
        let written = kernel.write(fd, content)?;
        content = content.get(written..).unwrap_or_default();
    }
    kernel.close(fd)
}

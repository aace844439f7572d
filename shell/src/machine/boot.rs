//! What a machine has when it has booted: directories, the kernel's filesystems, devices, programs.

use cofferdam::UnixPath;
use cofferdam::kernel::{Errno, Fd, Kernel, Mode, MountFlags, OpenFlags, OpenHow};
use cofferdam_vfs_sim::{Linux, Process};

use crate::programs::{PROGRAMS, content};

/// The directories of a Debian with a merged /usr.
const DIRECTORIES: &[&str] = &[
    "boot",
    "dev",
    "etc",
    "home",
    "mnt",
    "opt",
    "proc",
    "root",
    "run",
    "srv",
    "sys",
    "usr",
    "usr/bin",
    "usr/lib",
    "usr/local",
    "usr/local/bin",
    "usr/sbin",
    "usr/share",
    "var",
    "var/lib",
    "var/log",
];

const LINKS: &[(&str, &str)] = &[("usr/bin", "bin"), ("usr/sbin", "sbin"), ("usr/lib", "lib"), ("/run", "var/run")];

const FILES: &[(&str, &str)] = &[
    ("etc/hostname", "simulated\n"),
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"),
    ("etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"),
    ("etc/shells", "/bin/sh\n"),
];

/// A machine that has booted as one with systemd does: all mounts are shared.
///
/// # Errors
///
/// Those of the calls that it takes; there are none on a new kernel.
pub(crate) fn boot() -> Result<Linux, Errno> {
    let init = Process::init(Linux::new());
    // An unlimited umask is that of the kernel; the one of init, and all that it starts, is the usual one.
    init.umask(Mode(0o022))?;
    for directory in DIRECTORIES {
        init.mkdirat(Fd::CWD, &below_root(directory), Mode(0o755))?;
    }
    init.mkdirat(Fd::CWD, UnixPath::new("/tmp"), Mode(0o755))?;
    init.fchmodat(Fd::CWD, UnixPath::new("/tmp"), Mode(0o1777))?;
    for (target, link) in LINKS {
        init.symlinkat(UnixPath::new(target), Fd::CWD, &below_root(link))?;
    }
    for (path, text) in FILES {
        write_file(&init, &below_root(path), text.as_bytes(), Mode(0o644))?;
    }
    install_programs(&init)?;
    mount_all(&init)?;
    Ok(init.linux().clone())
}

/// Puts the programs into `/usr/bin`, where they are not yet.
///
/// # Errors
///
/// Those of mkdir(2), open(2) and write(2).
pub(crate) fn install_programs(kernel: &dyn Kernel) -> Result<(), Errno> {
    for (name, _) in PROGRAMS {
        match write_file(kernel, &below_root(&format!("usr/bin/{name}")), &content(name), Mode(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn below_root(path: &str) -> cofferdam::UnixPathBuf {
    UnixPath::new("/").join(path)
}

fn write_file(kernel: &dyn Kernel, path: &UnixPath, mut content: &[u8], mode: Mode) -> Result<(), Errno> {
    let flags = OpenFlags::O_CREAT | OpenFlags::O_EXCL | OpenFlags::O_WRONLY;
    let fd = kernel.openat2(Fd::CWD, path, OpenHow { flags, mode, ..OpenHow::default() })?;
    while !content.is_empty() {
        let written = kernel.write(fd, content)?;
        content = content.get(written..).unwrap_or_default();
    }
    kernel.close(fd)
}

fn mount_all(kernel: &dyn Kernel) -> Result<(), Errno> {
    let safe = MountFlags::MS_NOSUID | MountFlags::MS_NODEV | MountFlags::MS_NOEXEC;
    let mounts: &[(&str, &str, &str, MountFlags, &str)] = &[
        ("proc", "/proc", "proc", safe, ""),
        ("sysfs", "/sys", "sysfs", safe, ""),
        ("udev", "/dev", "devtmpfs", MountFlags::MS_NOSUID, "mode=755"),
        ("devpts", "/dev/pts", "devpts", MountFlags::MS_NOSUID | MountFlags::MS_NOEXEC, "gid=5,mode=620,ptmxmode=000"),
        ("tmpfs", "/dev/shm", "tmpfs", MountFlags::MS_NOSUID | MountFlags::MS_NODEV, ""),
        ("tmpfs", "/run", "tmpfs", MountFlags::MS_NOSUID | MountFlags::MS_NODEV, "size=10%,mode=755"),
    ];
    for (source, target, kind, flags, options) in mounts {
        match kernel.mkdirat(Fd::CWD, UnixPath::new(target), Mode(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
        let options = (!options.is_empty()).then_some(options.as_bytes());
        kernel.mount(
            Some(UnixPath::new(source)),
            UnixPath::new(target),
            Some(kind.as_bytes()),
            *flags | MountFlags::MS_RELATIME,
            options,
        )?;
    }
    kernel.mount(None, UnixPath::new("/"), None, MountFlags::MS_REC | MountFlags::MS_SHARED, None)
}

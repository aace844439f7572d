//! Shows where a mount goes that is made on a shared mount: to its peers and slaves, in all namespaces.
//!
//! `cargo run -p cofferdam-vfs-sim --example propagation`

use cofferdam::kernel::{Call, CloneFlags, Errno, Fd, Mode, MountFlags};
use cofferdam_vfs_sim::{Id, Linux, Task};

fn mkdir(linux: &mut Linux, task: Id<Task>, path: &str) -> Result<(), Errno> {
    let call = Call::Mkdirat { dirfd: Fd::CWD, path: path.into(), mode: Mode(0o755) };
    linux.call(task, &call).map(|_| ())
}

fn mount(linux: &mut Linux, task: Id<Task>, source: &str, target: &str, flags: MountFlags) -> Result<(), Errno> {
    let filesystemtype = flags.is_empty().then(|| "tmpfs".into());
    let mountflags = flags;
    let call =
        Call::Mount { source: Some(source.into()), target: target.into(), filesystemtype, mountflags, data: None };
    println!("{}: {call}", linux.task(task).map_or(0, |task| task.pid().0));
    linux.call(task, &call).map(|_| ())
}

fn main() -> Result<(), Errno> {
    let mut linux = Linux::new();
    let init = linux.init();
    for path in ["/volumes", "/mirror"] {
        mkdir(&mut linux, init, path)?;
    }
    mount(&mut linux, init, "volumes", "/volumes", MountFlags::empty())?;
    mount(&mut linux, init, "", "/volumes", MountFlags::MS_SHARED)?;
    mount(&mut linux, init, "/volumes", "/mirror", MountFlags::MS_BIND)?;
    mkdir(&mut linux, init, "/volumes/db")?;

    // A container hears of what is mounted on the host, but does not tell.
    let container = linux.fork(init, CloneFlags::CLONE_NEWNS)?;
    mount(&mut linux, container, "", "/", MountFlags::MS_REC | MountFlags::MS_SLAVE)?;

    mount(&mut linux, init, "database", "/volumes/db", MountFlags::empty())?;
    mkdir(&mut linux, container, "/volumes/db/private")?;
    mount(&mut linux, container, "secret", "/volumes/db/private", MountFlags::empty())?;

    for namespace in linux.mount_namespaces() {
        let processes: Vec<i32> = namespace.tasks().map(|task| task.pid().0).collect();
        print!("\nThe mounts of {processes:?}: {namespace}");
    }
    for (group, mounts) in linux.peer_groups() {
        println!("\nPeer group {group}:");
        for mount in mounts {
            println!("  {}", mount.mountpoint());
        }
    }
    Ok(())
}

//! `/proc` and `/sys`: that they are what they seem, and what is hidden there.

use std::cell::RefCell;

use cofferdam::agent::CONTAINER_CAPABILITIES;
use cofferdam::kernel::{
    AtFlags, Call, Capabilities, DeviceNumber, Errno, Fd, Intercepted, Interceptor, Kernel, Mode, MountFlags, OpenFlags,
};
use cofferdam::{UnixPath, UnixPathBuf};
use serde_json::json;

use super::{Host, assert_link_is_refused, attempt_through, image_with_link, masked_file, put_link};
use crate::host_volumes::host_path;
use crate::scenarios::{CONTENT, Container, ensure, exists, open, path};
use crate::trees::listing::Listing;
use crate::world::World;

scenarios!(
    cve_2015_3630,
    cve_2015_3631,
    cve_2019_16884,
    cve_2019_19921,
    cve_2022_0492,
    cve_2023_25809,
    cve_2023_27561,
    cve_2023_28642,
    cve_2025_31133,
    cve_2025_52881,
    a_mask_does_not_give_the_null_device_away,
);

/// Who starts the container leaves it the usual capabilities.
fn bounded(container: &mut Container<'_, '_>) {
    let info = container.config.container_info.get_or_insert_default();
    info.linux_info.get_or_insert_default().bounding_capabilities = Some(CONTAINER_CAPABILITIES.into());
}

/// CVE-2015-3630 (Docker): `/proc/asound`, `/proc/timer_stats`, `/proc/latency_stats` and `/proc/fs` could be written.
///
/// They are masked, or bound read-only.
fn cve_2015_3630(world: &World<'_>) {
    let mut container = Container::new(world, vec![]).with_rootfs();
    let status = container.run(&|kernel| {
        for name in ["asound", "timer_stats", "latency_stats", "fs", "sys", "bus", "irq", "sysrq-trigger"] {
            let name = format!("/proc/{name}");
            let Ok(stat) = kernel.statx(Fd::CWD, path(&name), AtFlags::empty()) else { continue };
            let proc = kernel.statx(Fd::CWD, path("/proc"), AtFlags::empty()).map_err(|errno| errno.to_string())?;
            ensure(stat.mount_id != proc.mount_id, format!("nothing is mounted on {name}"))?;
            let flags = kernel.statfs(path(&name)).map_err(|errno| errno.to_string())?.flags;
            ensure(flags & 1 == 1, format!("{name} is not read-only"))?;
        }
        ensure(exists(kernel, "/proc/sys"), "there is nothing to look at")
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
}

/// CVE-2015-3631 (Docker): a volume could be put over files in `/proc`, such as those that say how a process is confined.
///
/// A volume's mount point is not reached through a symbolic link, which `/proc/self` is, and proc has no others that would
/// matter: how a program is confined is not said there.
fn cve_2015_3631(world: &World<'_>) {
    let host = Host::new(world);
    let data = world.make_directory("data");
    for target in ["/proc/self", "/proc/self/attr", "/proc/thread-self/attr/exec"] {
        let mut container =
            Container::new(world, vec![]).with_rootfs().volumes(json!([host_path(&data, target, "RW")]));
        let link = target.split('/').take(3).collect::<Vec<_>>().join("/");
        assert_link_is_refused(&mut container, &UnixPathBuf::from(format!("{}{link}", world.path("rootfs").display())));
        container.clean_up();
    }
    host.assert_untouched("volumes in /proc");
}

/// CVE-2019-16884 (runc): with a volume of the image at `/proc`, what is written to `/proc/self/attr/exec` to confine the
/// program went to the volume's files, and the program was not confined.
///
/// Nothing that confines a program is a file: privileges are given up by system calls, and nothing is written below `/proc`.
fn cve_2019_16884(world: &World<'_>) {
    let fake = world.make_directory("fake");
    for file in ["self/attr/exec", "self/attr/apparmor/exec", "sys/kernel/hostname", "1/status", "kcore"] {
        cofferdam::root::create_directories(world.kernel, fake.join(file).parent().unwrap(), Mode(0o755)).unwrap();
        world.write(&fake.join(file), "fake");
    }
    let listing = || {
        let mut listing = Listing::default();
        listing.add(world.kernel, &fake, UnixPath::new(""));
        listing
    };
    let before = listing();
    let mut container = Container::new(world, vec![]).with_rootfs().volumes(json!([host_path(&fake, "/proc", "RW")]));
    bounded(&mut container);
    let status = container.run(&|kernel| {
        ensure(exists(kernel, "/proc/self/attr/exec"), "the volume is not at /proc")?;
        let held = kernel.capget().map_err(|errno| errno.to_string())?;
        ensure(!held.permitted.contains(Capabilities::CAP_SYS_ADMIN), format!("{held:?}"))?;
        let mounted = kernel.mount(None, path("/mnt"), Some(b"proc"), MountFlags::empty(), None);
        ensure(mounted == Err(Errno::EPERM), format!("{mounted:?}"))
    });
    assert_eq!(status, CONTENT);
    assert!(listing().changes_since(&before).is_empty());
    container.clean_up();
}

/// CVE-2019-19921 (runc): an image with a symbolic link at `/proc` into a volume that another container changes had proc
/// mounted where that container wanted, and what confines a program was written elsewhere.
///
/// A link at `/proc` is an error, wherever it leads.
fn cve_2019_19921(world: &World<'_>) {
    let host = Host::new(world);
    let shared = world.make_directory("shared");
    world.make_directory("shared/level1/proc");
    put_link(world, &shared.join("link"), path("level1"));
    let rootfs = image_with_link(world, "proc", path("evil/level1/proc"));
    let volumes = json!([host_path(&shared, "/evil", "RW")]);
    let mut container = Container::new(world, vec![]).with_rootfs().volumes(volumes);
    assert_link_is_refused(&mut container, &rootfs.join("proc"));
    container.clean_up();
    host.assert_untouched("a link into a volume");
}

/// CVE-2023-27561 (runc): the mend for CVE-2019-19921 was lost again, for links that lead to another directory of the image.
///
/// A link at `/proc` is an error, also where it leads to a directory of the same image.
fn cve_2023_27561(world: &World<'_>) {
    let rootfs = image_with_link(world, "proc", path("elsewhere"));
    world.make_directory("rootfs/elsewhere");
    let mut container = Container::new(world, vec![]).with_rootfs();
    assert_link_is_refused(&mut container, &rootfs.join("proc"));
    container.clean_up();
    assert!(super::names_in(world.kernel, &rootfs.join("elsewhere").to_string()).is_empty());
}

/// CVE-2023-28642 (runc): where `/proc` in the image was a symbolic link, what confines a program could be passed by.
///
/// A link at `/proc` is an error, and so it is at `/sys`, which is mounted likewise.
fn cve_2023_28642(world: &World<'_>) {
    let host = Host::new(world);
    for name in ["proc", "sys"] {
        for (number, target) in ["tmp", "/tmp", "./tmp/../tmp", "self"].into_iter().enumerate() {
            let rootfs = world.make_directory(&format!("rootfs {name} {number}"));
            put_link(world, &rootfs.join(name), path(target));
            let mut container = Container::new(world, vec![]);
            container.config.rootfs = Some(rootfs.clone().into());
            assert_link_is_refused(&mut container, &rootfs.join(name));
            container.clean_up();
        }
    }
    host.assert_untouched("/proc is a link");
}

/// CVE-2023-25809 (runc): `/sys/fs/cgroup` of a container without a cgroup namespace was the host's, and could be written.
///
/// It is an empty tmpfs in a sysfs that is read-only.
fn cve_2023_25809(world: &World<'_>) {
    let mut container = Container::new(world, vec![]).with_rootfs();
    let status = container.run(&|kernel| {
        let names = super::names_in(kernel, "/sys/fs/cgroup");
        ensure(names.is_empty(), format!("/sys/fs/cgroup has {names:?}"))?;
        let made = kernel.mkdirat(Fd::CWD, path("/sys/fs/new"), Mode(0o755));
        ensure(made == Err(Errno::EROFS), format!("/sys/fs: {made:?}"))
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
}

/// CVE-2022-0492 (Linux): whoever could mount the hierarchy of a cgroup could have the host execute a program
/// (`release_agent`).
///
/// With the usual capabilities nothing can be mounted, and no hierarchy is there to begin with.
fn cve_2022_0492(world: &World<'_>) {
    let mut container = Container::new(world, vec![]).with_rootfs();
    bounded(&mut container);
    let status = container.run(&|kernel| {
        for name in [&b"cgroup"[..], b"cgroup2"] {
            let mounted = kernel.mount(None, path("/sys/fs/cgroup"), Some(name), MountFlags::empty(), None);
            ensure(mounted == Err(Errno::EPERM), format!("{mounted:?}"))?;
        }
        ensure(!exists(kernel, "/sys/fs/cgroup/release_agent"), "there is a release_agent")
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
}

/// CVE-2025-31133 (runc, youki: CVE-2025-62596): files were masked with the `/dev/null` of the container, which the image
/// could replace by a link to a file in proc: that was bound writable on the masked path.
///
/// A mask is the host's null device, opened on the host without following a link, and looked at once it is open.
fn cve_2025_31133(world: &World<'_>) {
    let host = Host::new(world);
    for (number, target) in ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger"].into_iter().enumerate() {
        let rootfs = world.make_directory(&format!("rootfs {number}"));
        put_link(world, &rootfs.join("dev/null"), path(target));
        put_link(world, &rootfs.join("link"), path("/proc/kcore"));
        let container = Container::new(world, vec![]);
        // The image's own /dev, with devices that it does not need a mount point for.
        let mut container = container.with_agent(|agent| {
            agent.special_mounts.retain(|special| special.target != "/dev".into());
            agent.devices = Vec::new();
        });
        container.config.rootfs = Some(rootfs.into());
        let status = container.run(&|kernel| {
            masked_file(kernel)?;
            for name in ["/proc/kcore", "/proc/timer_list", "/proc/keys", "/link"] {
                let Ok(stat) = kernel.statx(Fd::CWD, path(name), AtFlags::empty()) else { continue };
                ensure(stat.rdev == DeviceNumber::NULL, format!("{name} is {stat:?}"))?;
            }
            Ok(())
        });
        assert_eq!(status, CONTENT);
        container.clean_up();
        host.assert_untouched(target);
    }
}

/// Found here: a mask is the host's null device itself, whose mode and owner a program of root could have changed, for the
/// whole host.
///
/// It is mounted read-only, and takes what is written to it nevertheless.
fn a_mask_does_not_give_the_null_device_away(world: &World<'_>) {
    let host = Host::new(world);
    let mut container = Container::new(world, vec![]).with_rootfs();
    let status = container.run(&|kernel| {
        let masked = masked_file(kernel)?;
        let mask = path(masked);
        let mode = kernel.fchmodat(Fd::CWD, mask, Mode(0o600));
        ensure(mode == Err(Errno::EROFS), format!("its mode: {mode:?}"))?;
        let owner = kernel.fchownat(Fd::CWD, mask, Some(1000), Some(1000), AtFlags::empty());
        ensure(owner == Err(Errno::EROFS), format!("its owner: {owner:?}"))?;
        let opened = open(kernel, masked, OpenFlags::O_RDWR).map_err(|errno| errno.to_string())?;
        ensure(kernel.write(opened, b"gone") == Ok(4), "it takes nothing")
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
    host.assert_untouched("a mask");
}

/// Takes down which files are opened for writing, and where files are made.
#[derive(Default)]
struct Writes(RefCell<Vec<String>>);

impl Interceptor for Writes {
    fn before(&self, kernel: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        let writes = match call {
            Call::Openat2 { how, .. } => {
                how.flags.intersects(OpenFlags::O_WRONLY | OpenFlags::O_RDWR | OpenFlags::O_CREAT | OpenFlags::O_TRUNC)
            }
            _ => false,
        };
        if writes {
            self.0.borrow_mut().push(format!("{call}"));
            // In the launcher's own process, which may be a copy of this one.
            return Err(Errno::EUCLEAN);
        }
        let _ = kernel;
        Ok(())
    }
}

/// CVE-2025-52881 (runc; of its kind are CVE-2025-62161 in youki and CVE-2025-65105 in Apptainer): what the runtime writes
/// to `/proc/self/attr/exec` or to `/proc/sys` went to other files in proc, such as `/proc/sysrq-trigger`, once somebody had
/// put links or mounts in its way.
///
/// The launcher opens no file for writing at all.
fn cve_2025_52881(world: &World<'_>) {
    let host = Host::new(world);
    let rootfs = image_with_link(world, "link", path("/proc/sysrq-trigger"));
    put_link(world, &rootfs.join("attr"), path("/proc/sys/kernel"));
    let mut container = Container::new(world, vec![]).with_rootfs();
    bounded(&mut container);
    let info = container.agent.prepare(&container.id, &container.config).unwrap();
    let writes = Writes::default();
    let kernel = Intercepted::new(world.kernel, &writes);
    let result = attempt_through(&kernel, info, &|_| Ok(()));
    assert_eq!(result, Ok(()), "{:?}", writes.0.borrow());
    container.clean_up();
    host.assert_untouched("nothing is written");
}

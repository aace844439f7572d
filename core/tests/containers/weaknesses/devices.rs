//! `/dev`, its devices and its links.

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, DeviceNumber, Fd, Kernel, OpenFlags};
use cofferdam::launch::LaunchRequest;
use cofferdam::messages::ContainerLaunchInfo;
use cofferdam::user::Credentials;

use super::{
    Host, assert_link_is_refused, attempt, bind_read_only, image_with_link, masked_file, put_link, without_dev,
};
use crate::scenarios::{CONTENT, Container, ensure, exists, open, path};
use crate::trees::told::told;
use crate::world::World;

scenarios!(cve_2025_52565, cve_2026_41579, cve_2026_88264, cve_2026_88265,);

/// CVE-2025-52565 (runc): the console was bound on `/dev/console`, which the image had replaced by a symbolic link, before
/// paths were masked: what it led to in the container was not masked any more, or the host's was mounted on.
///
/// There is no console, and no mount point is reached through a symbolic link: `/dev` is a tmpfs of ours, and without it a
/// link in the place of a device is an error.
fn cve_2025_52565(world: &World<'_>) {
    let host = Host::new(world);
    let rootfs = image_with_link(world, "dev/console", &host.precious.join("console"));
    let mut container = Container::new(world, vec![]).with_rootfs();
    let status = container.run(&|kernel| {
        ensure(!exists(kernel, "/dev/console"), "there is a console")?;
        let masked = masked_file(kernel)?;
        let stat = kernel.statx(Fd::CWD, path(masked), AtFlags::empty());
        ensure(stat.is_ok_and(|stat| stat.rdev == DeviceNumber::NULL), format!("{masked} is not masked"))
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
    host.assert_untouched("a tmpfs at /dev");
    put_link(world, &rootfs.join("dev/tty"), &host.precious.join("tty"));
    let mut container = without_dev(Container::new(world, vec![])).with_rootfs();
    assert_link_is_refused(&mut container, &rootfs.join("dev/tty"));
    container.clean_up();
    host.assert_untouched("no tmpfs at /dev");
}

/// CVE-2026-41579 (runc): with an image whose `/dev` is a symbolic link, a `ptmx` was removed and links were made in the
/// directory of the host that it led to, before the root was switched.
///
/// Whatever is made or mounted in `/dev` is resolved below the root filesystem, and a link on the way is an error.
fn cve_2026_41579(world: &World<'_>) {
    let host = Host::new(world);
    let relative = format!("../../../../../../../..{}", host.precious.display());
    for (number, target) in
        [host.precious.clone(), relative.into(), "precious/../../precious".into()].iter().enumerate()
    {
        let rootfs = world.make_directory(&format!("rootfs {number}"));
        put_link(world, &rootfs.join("dev"), target);
        for has_dev in [true, false] {
            let container = Container::new(world, vec![]);
            let mut container = if has_dev { container } else { without_dev(container) };
            container.config.rootfs = Some(rootfs.clone().into());
            assert_link_is_refused(&mut container, &rootfs.join("dev"));
            container.clean_up();
            host.assert_untouched(&format!("{target:?}, with a tmpfs at /dev: {has_dev}"));
        }
    }
}

/// CVE-2026-88264 (crun): without a mount at `/dev`, the terminal's setup followed a symbolic link at `/dev/console`, also
/// where the image was read-only and something was bound instead: a file of root's came to be outside of it.
///
/// Nothing is made for a terminal. What is made in a `/dev` that is the image's is not made through a link, and a read-only
/// image is no reason to do it otherwise.
fn cve_2026_88264(world: &World<'_>) {
    let host = Host::new(world);
    let rootfs = image_with_link(world, "dev/console", &host.precious.join("new"));
    for name in ["mnt/mesos/sandbox", "proc", "sys", "dev/pts", "dev/shm"] {
        world.make_directory(&format!("rootfs/{name}"));
    }
    for link in ["console", "null", "stdin"] {
        for is_read_only in [true, false] {
            if link != "console" {
                let _ = world.kernel.unlinkat(Fd::CWD, &rootfs.join("dev").join(link), AtFlags::empty());
                put_link(world, &rootfs.join("dev").join(link), &host.precious.join("new"));
            }
            if is_read_only {
                bind_read_only(world, &rootfs);
            }
            let mut container = without_dev(Container::new(world, vec![])).with_rootfs();
            let info = container.agent.prepare(&container.id, &container.config).unwrap();
            let result = attempt(&container, info, &|_| Ok(()));
            // With nothing in the way an image that can be written gets all that it lacks.
            assert_eq!(result.is_ok(), link == "console" && !is_read_only, "{link}: {result:?}");
            container.clean_up();
            if is_read_only {
                world.umount(&rootfs);
            }
            host.assert_untouched(&format!("{link}, read-only: {is_read_only}"));
        }
        world.kernel.unlinkat(Fd::CWD, &rootfs.join("dev").join(link), AtFlags::empty()).unwrap();
    }
}

/// CVE-2026-88265 (crun): once the root was switched, `/dev/null` was opened anew for the standard streams, through a
/// symbolic link of the image, and given to the container's user.
///
/// The standard streams are those of whoever starts the launcher: none is opened, and none is given to anybody.
fn cve_2026_88265(world: &World<'_>) {
    let host = Host::new(world);
    image_with_link(world, "dev/null", &host.precious.join("null"));
    let container = Container::new(world, vec![]).with_agent(|agent| {
        agent.special_mounts.retain(|special| special.target != "/dev".into());
        // So that nothing is mounted there, which would be refused.
        agent.devices = Vec::new();
    });
    let mut container = container.with_rootfs();
    let info: ContainerLaunchInfo = container.agent.prepare(&container.id, &container.config).unwrap();
    let stream = |kernel: &dyn Kernel, fd: Fd| kernel.statx(fd, UnixPath::new(""), AtFlags::AT_EMPTY_PATH);
    let streams = |kernel: &dyn Kernel| {
        [Fd::STDIN, Fd::STDOUT, Fd::STDERR]
            .map(|fd| stream(kernel, fd).map(|stat| (stat.device, stat.inode, stat.uid, stat.gid, stat.mode)))
    };
    // Somebody may have started us without.
    let mut own = Vec::new();
    while own.last().is_none_or(|last: &Fd| last.0 < 3) {
        own.push(open(world.kernel, "/dev/null", OpenFlags::O_RDWR).unwrap());
    }
    let before = streams(world.kernel);
    let credentials = Some(Credentials { uid: 1000, gid: 1000, groups: Vec::new() });
    let request = LaunchRequest { info, credentials, ..LaunchRequest::default() };
    let (status, message) = told(world.kernel, &request, &|kernel| {
        let now = streams(kernel);
        ensure(now == before, format!("{now:?} is not {before:?}"))
    });
    assert_eq!(status, CONTENT, "{message}");
    for fd in own {
        world.kernel.close(fd).unwrap();
    }
    container.clean_up();
    host.assert_untouched("/dev/null is a link");
}

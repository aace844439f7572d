//! Sources of mounts, and names that become parts of paths.

use cofferdam::UnixPathBuf;
use cofferdam::agent::SpecialMount;
use cofferdam::kernel::{
    Call, DeviceNumber, Errno, Fd, FileType, Intercepted, Interceptor, Kernel, Mode, MountFlags, NodeMode,
};
use cofferdam::messages::ContainerId;
use serde_json::{Value, json};

use super::{Host, assert_link_is_refused, attempt_through, image_with_link, put_link};
use crate::host_volumes::host_path;
use crate::scenarios::{Container, path};
use crate::world::{World, volume};

scenarios!(cve_2020_2026, cve_2022_23648, cve_2024_0132, cve_2024_1753, cve_2024_9341, cve_2024_9675, cve_2024_9676,);

/// A part of the image that the operator has bound elsewhere in the container.
fn with_bound_part<'w, 'k>(container: Container<'w, 'k>, source: &str) -> Container<'w, 'k> {
    let special = SpecialMount {
        target: "/copy".into(),
        source: Some(source.into()),
        filesystem_type: None,
        flags: MountFlags::MS_BIND,
        options: None,
    };
    container.with_agent(|agent| agent.special_mounts.push(special)).with_rootfs()
}

/// CVE-2024-0132 (NVIDIA Container Toolkit): files of an image were mounted elsewhere in the container, and a symbolic link
/// among them brought a directory of the host into it.
///
/// A source within the container is opened below its root filesystem, and a link is an error.
fn cve_2024_0132(world: &World<'_>) {
    let host = Host::new(world);
    let rootfs = image_with_link(world, "usr/compat/lib.so", &host.precious);
    let mut container = with_bound_part(Container::new(world, vec![]), "/usr/compat/lib.so");
    assert_link_is_refused(&mut container, &rootfs.join("usr/compat/lib.so"));
    container.clean_up();
    host.assert_untouched("a link to a directory");
}

/// CVE-2024-1753 (Buildah, Podman): the source of a bind in a build was a symbolic link of the image to the root directory:
/// the host's.
///
/// A source within the container is opened below its root filesystem, and a link on the way is an error, wherever it leads.
fn cve_2024_1753(world: &World<'_>) {
    for (number, target) in ["/", "../../../../../../..", "/proc/1/root", "/proc/self/cwd"].into_iter().enumerate() {
        let rootfs = world.make_directory("rootfs");
        let link = format!("link {number}");
        put_link(world, &rootfs.join(&link), path(target));
        for source in [format!("/{link}"), format!("/{link}/etc")] {
            let mut container = with_bound_part(Container::new(world, vec![]), &source);
            assert_link_is_refused(&mut container, &rootfs.join(&link));
            container.clean_up();
        }
    }
}

/// CVE-2024-9341 (Podman, CRI-O): in FIPS mode a directory of the image was bound within it, and as a symbolic link it brought
/// one of the host into the container.
///
/// The same for paths that are bound on themselves, to be read-only, and for those that are masked.
fn cve_2024_9341(world: &World<'_>) {
    let host = Host::new(world);
    let rootfs = image_with_link(world, "etc/crypto-policies", &host.precious);
    for is_masked in [false, true] {
        let container = Container::new(world, vec![]).with_agent(|agent| {
            let paths = if is_masked { &mut agent.masked_paths } else { &mut agent.readonly_paths };
            paths.push("/etc/crypto-policies/file".into());
        });
        let mut container = container.with_rootfs();
        assert_link_is_refused(&mut container, &rootfs.join("etc/crypto-policies"));
        container.clean_up();
        host.assert_untouched("a link");
    }
}

/// CVE-2024-9675 (Buildah): the name of a cache with `..` in it was a path to any directory of the host.
///
/// Names that become components of paths are checked.
fn cve_2024_9675(world: &World<'_>) {
    let mut host = Host::new(world);
    let mut container = Container::new(world, vec![]);
    host.settle();
    for id in ["..", "../../../../precious", "a/../../x", ".", "", "a\nb"] {
        let resource = |role: &str, id: &str, name: &str| {
            let mut resource = volume(id, name, "RW", Value::Null);
            resource.reservations = serde_json::from_value(json!([{ "role": role }])).unwrap();
            resource
        };
        for resources in [vec![resource("role", id, "data")], vec![resource("role", "db", id)]] {
            container.config.resources = resources;
            let prepared = container.agent.prepare(&container.id, &container.config);
            // A name with a slash in it is none of a persistent volume, which is skipped.
            if prepared.is_ok() {
                assert!(id.contains('/') && container.agent.container(&container.id).unwrap().volumes().is_empty());
                container.agent.cleanup(&container.id).unwrap();
                container.agent.remove_runtime(&container.id).unwrap();
            }
        }
        assert!(ContainerId::new(id).is_err(), "{id:?}");
    }
    host.assert_unchanged("names");
}

/// CVE-2022-23648 (containerd): the path of a volume with `..` in it had files of the host copied into the container.
///
/// A container path, a host path and a path of a sandbox with `..` in it are errors.
fn cve_2022_23648(world: &World<'_>) {
    let host = Host::new(world);
    let data = world.make_directory("data");
    for wanted in ["../../../../precious", "/../../../precious", "/a/../../../precious", "/srv/.."] {
        for (target, source) in [(wanted, data.clone()), ("/srv", data.join(wanted.trim_start_matches('/')))] {
            let volumes = json!([host_path(&source, target, "RW")]);
            let mut container = Container::new(world, vec![]).with_rootfs().volumes(volumes);
            let error = container.agent.prepare(&container.id, &container.config).unwrap_err().to_string();
            assert!(error.contains("\"..\""), "{error}");
        }
        host.assert_untouched(wanted);
    }
}

/// Takes offence at what is opened in the image besides what is mounted on.
struct Etc;

impl Interceptor for Etc {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        let (Call::Openat2 { path: opened, .. }
        | Call::Statx { path: opened, .. }
        | Call::Readlinkat { path: opened, .. }) = call
        else {
            return Ok(());
        };
        let is_among = [&b"passwd"[..], b"etc/group", b"nsswitch.conf"].iter().any(|name| opened.0.ends_with(name));
        if is_among { Err(Errno::EUCLEAN) } else { Ok(()) }
    }
}

/// CVE-2024-9676 (Podman, Buildah, CRI-O): to find a container's users, `/etc/passwd` of its image was read: as a symbolic
/// link to a fifo of the host, it hung the host. CVE-2016-3697 (runc) was a user whose number is a name in there.
///
/// Nothing in an image says who a user is: those of the host are asked, before the image is opened.
fn cve_2024_9676(world: &World<'_>) {
    let rootfs = image_with_link(world, "etc/group", path("/proc/self/fd/0"));
    let fifo = NodeMode { file_type: FileType::Fifo, mode: Mode(0o666) };
    world.kernel.mknodat(Fd::CWD, &rootfs.join("etc/passwd"), fifo, DeviceNumber::NONE).unwrap();
    let mut container = Container::new(world, vec![]).with_rootfs();
    container.config.user = Some("1000:1000".into());
    let info = container.agent.prepare(&container.id, &container.config).unwrap();
    assert_eq!(attempt_through(&Intercepted::new(world.kernel, &Etc), info, &|_| Ok(())), Ok(()));
    container.clean_up();
}

/// CVE-2020-2026 (Kata Containers): a container put a symbolic link where the runtime was to mount the next one's files, in
/// a directory that both share.
///
/// The sandbox of a nested container lies in that of its parent, and is opened below it.
fn cve_2020_2026(world: &World<'_>) {
    let host = Host::new(world);
    for link in ["containers", "containers/n"] {
        let mut container = Container::new(world, vec![]).sharing_pids();
        container.agent.prepare(&container.id, &container.config).unwrap();
        let (id, config) = world.nested((&container.id, &container.config), "n");
        let sandbox = container.sandbox();
        let aside = UnixPathBuf::from(format!("{}/aside", sandbox.display()));
        let none = cofferdam::kernel::RenameFlags::empty();
        world.kernel.renameat2(Fd::CWD, &sandbox.join(link), Fd::CWD, &aside, none).unwrap();
        world.kernel.symlinkat(&host.precious, Fd::CWD, &sandbox.join(link)).unwrap();
        let error = container.agent.prepare(&id, &config).unwrap_err().to_string();
        assert!(error.contains("is a symbolic link, which is not followed here"), "{error}");
        host.assert_untouched(link);
        container.agent.cleanup(&container.id).unwrap();
        container.agent.remove(&container.id, &sandbox).unwrap();
    }
}

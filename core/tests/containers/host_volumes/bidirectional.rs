//! Volumes in which the host gets what the container mounts, and nothing else.

use cofferdam::UnixPathBuf;
use cofferdam::kernel::{Errno, Fd, Mode, MountFlags, UmountFlags};
use cofferdam::messages::{ContainerFileOperation, ContainerLaunchInfo, ContainerMountInfo, FileOperationKind, Mkdir};
use serde_json::json;

use super::{Namespaces, bidirectional, host_mount, mount, on_the_host, write};
use crate::scenarios::{CONTENT, Container, ensure, lines, path};
use crate::world::World;

scenarios!(
    bidirectional_reaches_the_host,
    bidirectional_and_read_only,
    nothing_else_lands_in_a_bidirectional_mount,
    a_copy_of_a_bidirectional_mount_stays_inside,
    what_is_not_shared_any_more_is_refused,
);

fn bidirectional_reaches_the_host(world: &World<'_>) {
    for with_rootfs in [true, false] {
        let data = host_mount(world, &format!("data of {with_rootfs}"), MountFlags::MS_SHARED);
        for name in ["new", "sub", "sub/new", "mounted", "later"] {
            world.kernel.mkdirat(Fd::CWD, &data.join(name), Mode(0o755)).unwrap();
        }
        world.mount_tmpfs(&data.join("mounted"), MountFlags::empty());
        world.kernel.mkdirat(Fd::CWD, &data.join("mounted/new"), Mode(0o755)).unwrap();
        // The root of a volume need not be that of a mount.
        let point = world.make_directory("point").to_string();
        let target = if with_rootfs { "/srv".to_string() } else { point };
        let volumes = json!([bidirectional(&data.join("sub"), "sub", "RW"), bidirectional(&data, &target, "RW")]);
        let container = Container::new(world, vec![]).sharing_pids().volumes(volumes);
        let mut container = if with_rootfs { container.with_rootfs() } else { container };
        let namespaces = Namespaces::new(world.kernel);
        let before = namespaces.tables();
        let sub = container.in_sandbox("sub");
        let later = data.join("later").to_string();
        let status = container.run(&|kernel| {
            mount(kernel, &format!("{target}/new"))?;
            write(kernel, &format!("{target}/new/file")).map_err(|errno| errno.to_string())?;
            mount(kernel, &format!("{sub}/new"))?;
            mount(kernel, &format!("{target}/mounted/new"))?;
            ensure(lines(kernel).iter().any(|line| line.starts_with(&format!("{target}/sub/new "))), "no peer")?;
            on_the_host(kernel, &|kernel| mount(kernel, &later))?;
            ensure(lines(kernel).iter().any(|line| line.starts_with(&format!("{target}/later "))), "it didn't arrive")?;
            let unmounted = kernel.umount2(path(&format!("{target}/later")), UmountFlags::empty());
            ensure(unmounted == Ok(()), format!("{unmounted:?}"))
        });
        assert_eq!(status, CONTENT);
        assert_eq!(world.mounts_at(&data.join("new")).len(), 1, "the host has it, and keeps it");
        assert_eq!(world.read(&data.join("new/file")), "of the container");
        assert!(world.mounts_at(path(&later)).is_empty(), "the container has unmounted it");
        world.umount(&data.join("new"));
        world.umount(&data.join("sub/new"));
        world.umount(&data.join("mounted/new"));
        container.clean_up();
        assert_eq!(namespaces.tables(), before);
    }
}

fn bidirectional_and_read_only(world: &World<'_>) {
    let data = host_mount(world, "data", MountFlags::MS_SHARED);
    let new = data.join("new");
    world.kernel.mkdirat(Fd::CWD, &new, Mode(0o755)).unwrap();
    let mut container =
        Container::new(world, vec![]).with_rootfs().volumes(json!([bidirectional(&data, "/srv", "RO")]));
    let namespaces = Namespaces::new(world.kernel);
    let before = namespaces.tables();
    let status = container.run(&|kernel| {
        let written = write(kernel, "/srv/file");
        ensure(written == Err(Errno::EROFS), format!("{written:?}"))?;
        mount(kernel, "/srv/new")
    });
    assert_eq!(status, CONTENT);
    assert_eq!(world.mounts_at(&new).len(), 1);
    world.umount(&new);
    world.write(&data.join("file"), "the host's own mount is not read-only");
    container.clean_up();
    assert_eq!(namespaces.tables(), before);
}

fn nothing_else_lands_in_a_bidirectional_mount(world: &World<'_>) {
    let data = host_mount(world, "data", MountFlags::MS_SHARED);
    world.kernel.mkdirat(Fd::CWD, &data.join("there"), Mode(0o755)).unwrap();
    world.kernel.mkdirat(Fd::CWD, &data.join("mounted"), Mode(0o755)).unwrap();
    world.mount_tmpfs(&data.join("mounted"), MountFlags::empty());
    let link = world.path("link");
    world.kernel.symlinkat(path("point/there"), Fd::CWD, &link).unwrap();
    let point = world.make_directory("point").to_string();
    for with_rootfs in [true, false] {
        let inside = if with_rootfs { "/srv".to_string() } else { point.clone() };
        let volumes = json!([bidirectional(&data, &inside, "RW")]);
        let container = Container::new(world, vec![]).volumes(volumes);
        let mut container = if with_rootfs { container.with_rootfs() } else { container };
        let info = container.agent.prepare(&container.id, &container.config).unwrap();
        let namespaces = Namespaces::new(world.kernel);
        let before = namespaces.tables();
        let target = info.mounts.last().unwrap().target.as_path().to_path_buf();
        let roundabout = target.parent().unwrap().join("else/..").join(target.file_name().unwrap());
        let tmpfs = |target: UnixPathBuf| ContainerMountInfo::filesystem("tmpfs", target, MountFlags::empty(), None);
        let operation = |operation| ContainerFileOperation {
            operation,
            symlink: None,
            mkdir: Some(Mkdir { target: target.join("there/new").into(), recursive: true }),
            rename: None,
            mount: Some(tmpfs(target.join("there"))),
        };
        let mut requests: Vec<ContainerLaunchInfo> = Vec::new();
        let mut with = |change: &dyn Fn(&mut ContainerLaunchInfo)| {
            requests.push(info.clone());
            change(requests.last_mut().unwrap());
        };
        with(&|info| info.mounts.push(tmpfs(target.join("there"))));
        with(&|info| info.mounts.push(tmpfs(target.join("not/there"))));
        with(&|info| info.mounts.push(tmpfs(target.clone())));
        with(&|info| info.mounts.push(tmpfs(roundabout.join("there"))));
        with(&|info| info.masked_paths.push(target.join("there").into()));
        with(&|info| info.file_operations.push(operation(FileOperationKind::Mkdir)));
        with(&|info| info.file_operations.push(operation(FileOperationKind::Mount)));
        with(&|info| {
            info.file_operations.push(ContainerFileOperation::symlink("somewhere", target.join("there/link")));
        });
        if !with_rootfs {
            with(&|info| info.mounts.push(tmpfs(link.clone())));
        }
        for request in requests {
            let refusal = container.refusal(request);
            let (path, reason) = refusal.split_once(": \"").unwrap();
            let names_path = [&target, &roundabout].into_iter().any(|target| path.contains(&target.to_string()));
            assert!(
                names_path && reason.starts_with(&format!("{}\" is a bidirectional", target.display())),
                "{refusal}"
            );
            assert_eq!(namespaces.tables(), before, "{refusal}");
            assert!(!world.exists(&data.join("not")) && !world.exists(&data.join("there/new")), "{refusal}");
        }
        let mut request = info.clone();
        let mount = request.mounts.pop().unwrap();
        request.file_operations.push(ContainerFileOperation {
            mount: Some(mount),
            mkdir: None,
            ..operation(FileOperationKind::Mount)
        });
        let refusal = container.refusal(request);
        assert!(refusal.contains("a file operation can't make a bidirectional mount"), "{refusal}");
        container.clean_up();
    }
}

/// Who binds a part of it elsewhere did not ask for it to be bidirectional as well.
fn a_copy_of_a_bidirectional_mount_stays_inside(world: &World<'_>) {
    let data = host_mount(world, "data", MountFlags::MS_SHARED);
    world.kernel.mkdirat(Fd::CWD, &data.join("new"), Mode(0o755)).unwrap();
    let point = world.make_directory("point");
    let other = world.make_directory("other");
    let volumes = json!([bidirectional(&data, &point.to_string(), "RW")]);
    let mut container = Container::new(world, vec![]).volumes(volumes);
    let mut info = container.agent.prepare(&container.id, &container.config).unwrap();
    info.mounts.push(ContainerMountInfo::bind(point.clone(), other.clone(), MountFlags::MS_REC));
    let namespaces = Namespaces::new(world.kernel);
    let before = namespaces.tables();
    let status = container.launch(info, &|kernel| {
        let other = other.to_string();
        let line = format!("{other} tmpfs rw,relatime master");
        ensure(lines(kernel).contains(&line), format!("no {line:?} in {:#?}", lines(kernel)))?;
        mount(kernel, &format!("{other}/new"))
    });
    assert_eq!(status, CONTENT);
    assert_eq!(namespaces.tables(), before);
    container.clean_up();
}

fn what_is_not_shared_any_more_is_refused(world: &World<'_>) {
    let data = host_mount(world, "data", MountFlags::MS_SHARED);
    let volumes = json!([bidirectional(&data, "/srv", "RW")]);
    let mut container = Container::new(world, vec![]).with_rootfs().volumes(volumes);
    let info = container.agent.prepare(&container.id, &container.config).unwrap();
    world.propagation(&data, MountFlags::MS_PRIVATE);
    let refusal = container.refusal(info);
    assert!(refusal.contains(&format!("mount --make-shared {:?}", data.to_string())), "{refusal}");
    container.clean_up();
}

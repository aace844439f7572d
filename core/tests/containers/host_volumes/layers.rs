//! Volumes of the host in containers, and what lies on what.

use cofferdam::kernel::{Errno, Fd, Mode, MountFlags, OpenFlags};
use serde_json::{Value, json};

use super::{Namespaces, content, host_mount, host_path, mount, on_the_host, write};
use crate::scenarios::{CONTENT, Container, ensure, lines, open, path};
use crate::world::{World, volume};

scenarios!(
    read_only_is_read_only_all_the_way_down,
    a_file_is_mounted_on_a_file,
    without_a_rootfs_the_host_stays_as_it_is,
    what_the_host_mounts_later_arrives,
    volumes_lie_on_each_other_in_order,
);

fn read_only_is_read_only_all_the_way_down(world: &World<'_>) {
    let data = world.make_directory("data");
    world.write(&data.join("file"), "of the host");
    let sub = world.make_directory("data/sub");
    world.mount_tmpfs(&sub, MountFlags::empty());
    let volumes = json!([host_path(&data, "/srv/data", "RW"), host_path(&data, "data", "RO")]);
    for with_rootfs in [true, false] {
        let container = Container::new(world, vec![]);
        let container = if with_rootfs { container.with_rootfs() } else { container };
        world.make_directory("point");
        let writable = if with_rootfs { "/srv/data".to_string() } else { world.path("point").to_string() };
        let volumes = volumes.to_string().replace("/srv/data", &writable);
        let mut container = container.volumes(serde_json::from_str(&volumes).unwrap());
        let namespaces = Namespaces::new(world.kernel);
        let before = namespaces.tables();
        let read_only = container.in_sandbox("data");
        let status = container.run(&|kernel| {
            for above in [&writable, &read_only] {
                ensure(content(kernel, &format!("{above}/file"))? == "of the host", format!("{above}/file"))?;
            }
            for below in ["new", "sub/new"] {
                let written = write(kernel, &format!("{writable}/{below}"));
                ensure(written == Ok(()), format!("{writable}/{below}: {written:?}"))?;
                let written = write(kernel, &format!("{read_only}/{below}"));
                ensure(written == Err(Errno::EROFS), format!("{read_only}/{below}: {written:?}"))?;
            }
            Ok(())
        });
        assert_eq!(status, CONTENT);
        assert_eq!(world.read(&sub.join("new")), "of the container");
        container.clean_up();
        assert_eq!(namespaces.tables(), before);
    }
}

fn a_file_is_mounted_on_a_file(world: &World<'_>) {
    let file = world.path("resolv.conf");
    world.write(&file, "of the host");
    let volumes = json!([host_path(&file, "/etc/resolv.conf", "RO"), host_path(&file, "conf", "RW")]);
    let mut container = Container::new(world, vec![]).with_rootfs().volumes(volumes);
    let status = container.run(&|kernel| {
        ensure(content(kernel, "/etc/resolv.conf")? == "of the host", "not the file")?;
        let opened = open(kernel, "/etc/resolv.conf", OpenFlags::O_WRONLY);
        ensure(opened == Err(Errno::EROFS), format!("{opened:?}"))?;
        let opened = open(kernel, "/mnt/mesos/sandbox/conf", OpenFlags::O_WRONLY | OpenFlags::O_TRUNC);
        let file = opened.map_err(|errno| errno.to_string())?;
        ensure(kernel.write(file, b"changed") == Ok(7), "not written")?;
        // It may be the one that messages are written to.
        kernel.close(file).map_err(|errno| errno.to_string())
    });
    assert_eq!(status, CONTENT);
    assert_eq!(world.read(&file), "changed");
    container.clean_up();
}

fn without_a_rootfs_the_host_stays_as_it_is(world: &World<'_>) {
    let data = world.make_directory("data");
    world.write(&data.join("file"), "of the volume");
    let point = world.make_directory("point");
    world.write(&point.join("file"), "beneath");
    let volumes = json!([host_path(&data, &point.to_string(), "RW"), host_path(&data, "a/b", "RW")]);
    let mut container = Container::new(world, vec![]).volumes(volumes);
    let namespaces = Namespaces::new(world.kernel);
    let before = namespaces.tables();
    let inside = container.in_sandbox("a/b");
    let status = container.run(&|kernel| {
        for above in [point.to_string(), inside.clone()] {
            ensure(content(kernel, &format!("{above}/file"))? == "of the volume", above)?;
        }
        let shared = lines(kernel).into_iter().find(|line| line.ends_with(" shared"));
        ensure(shared.is_none(), format!("what is mounted here reaches the host: {shared:?}"))
    });
    assert_eq!(status, CONTENT);
    assert_eq!(world.read(&point.join("file")), "beneath");
    assert!(!world.exists(&container.sandbox().join("a/b/file")), "the sandbox got no more than a mount point");
    container.clean_up();
    assert_eq!(namespaces.tables(), before);
}

fn what_the_host_mounts_later_arrives(world: &World<'_>) {
    for with_rootfs in [true, false] {
        let data = host_mount(world, &format!("data of {with_rootfs}"), MountFlags::MS_SHARED);
        let later = data.join("later").to_string();
        for name in ["later", "inner"] {
            world.kernel.mkdirat(Fd::CWD, &data.join(name), Mode(0o755)).unwrap();
        }
        let container = Container::new(world, vec![]).sharing_pids().volumes(json!([host_path(&data, "v", "RW")]));
        let mut container = if with_rootfs { container.with_rootfs() } else { container };
        let namespaces = Namespaces::new(world.kernel);
        let before = namespaces.tables();
        let volume = container.in_sandbox("v");
        let status = container.run(&|kernel| {
            on_the_host(kernel, &|kernel| {
                mount(kernel, &later)?;
                write(kernel, &format!("{later}/file")).map_err(|errno| errno.to_string())
            })?;
            ensure(content(kernel, &format!("{volume}/later/file"))? == "of the container", "another file")?;
            mount(kernel, &format!("{volume}/inner"))?;
            let line = format!("{volume} tmpfs rw,relatime master");
            ensure(lines(kernel).contains(&line), format!("no {line:?} in {:#?}", lines(kernel)))
        });
        assert_eq!(status, CONTENT);
        world.umount(path(&later));
        container.clean_up();
        assert_eq!(namespaces.tables(), before, "what the container mounted stayed inside");
    }
}

fn volumes_lie_on_each_other_in_order(world: &World<'_>) {
    for name in ["upper", "lower", "inner"] {
        let directory = world.make_directory(name);
        world.write(&directory.join("name"), name);
    }
    let volumes = json!([
        host_path(&world.path("lower"), "/srv/a/b/c", "RO"),
        host_path(&world.path("inner"), "/mnt/mesos/sandbox/data/inner", "RW"),
        host_path(&world.path("upper"), "/srv/a", "RW"),
    ]);
    let resources = vec![volume("db", "data", "RW", Value::Null)];
    let mut container = Container::new(world, resources).with_rootfs().volumes(volumes);
    let before = world.mounts();
    let status = container.run(&|kernel| {
        for (name, expected) in
            [("/srv/a/name", "upper"), ("/srv/a/b/c/name", "lower"), ("/mnt/mesos/sandbox/data/inner/name", "inner")]
        {
            ensure(content(kernel, name)? == expected, format!("{name} is another file"))?;
        }
        write(kernel, "/mnt/mesos/sandbox/data/new").map_err(|errno| errno.to_string())
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
    assert_eq!(world.mounts(), before);
    assert_eq!(world.read(&world.path("work/volumes/roles/role/db/new")), "of the container");
}

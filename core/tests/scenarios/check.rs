//! What `create` would do.

use cofferdam::UnixPath;
use cofferdam::agent::AgentConfig;
use cofferdam::isolator::{CreateError, HostCheck, IsolatorError, Step, check_host};
use cofferdam::kernel::{AtFlags, Errno, Fd, MountAttr, MountAttrFlags, MountFlags, OpenTreeFlags};
use cofferdam::layout::Layout;

use crate::world::World;

scenarios!(
    a_host_that_is_new,
    a_host_that_is_ready,
    a_work_dir_that_is_a_mount,
    devices_that_would_not_work,
    the_real_paths_are_told,
    volumes_on_a_disk,
    what_create_refuses,
    what_the_kernel_lacks,
);

/// With what there is before, which must not change.
fn check(world: &World<'_>, config: &AgentConfig) -> Result<HostCheck, CreateError> {
    let there = |world: &World<'_>| ["work", "run", "run/containers"].map(|name| world.exists(&world.path(name)));
    let before = (world.mounts(), there(world));
    let result = check_host(world.kernel, config, true);
    assert_eq!((world.mounts(), there(world)), before, "nothing is changed");
    result
}

fn steps(world: &World<'_>) -> Vec<Step> {
    check(world, &world.config()).unwrap().steps
}

/// What is always done once.
fn keep(world: &World<'_>) -> Step {
    Step::KeepNamespace(world.path("run/launch").into())
}

/// What is done where nothing is mounted on the directory of the volumes.
fn bind_volumes(world: &World<'_>) -> Step {
    Step::Bind(world.path("work/volumes").into())
}

/// What is done where nothing is mounted on the directory of the devices.
fn bind_containers(world: &World<'_>) -> Step {
    Step::BindWithDevices(world.path("run/containers").into())
}

fn a_host_that_is_new(world: &World<'_>) {
    let world = world.apart("private", MountFlags::MS_PRIVATE);
    let missing = ["work", "work/volumes", "run/containers"].map(|name| Step::MakeDirectory(world.path(name).into()));
    let bind = Step::BindShared(world.path("work").into());
    let all = [&missing[..], &[bind, bind_volumes(&world), bind_containers(&world), keep(&world)]].concat();
    assert_eq!(steps(&world), all);
    world.make_directory("work");
    assert_eq!(steps(&world), all[1..]);
    world.make_directory("work/volumes");
    let [containers, shared, ..] = &steps(&world)[..] else { panic!("other steps") };
    assert_eq!((containers.name(), shared.name()), ("make_directory", "bind_shared"));
    let told = shared.to_string();
    assert!(told.starts_with("bind ") && told.contains("/private/work\" on itself, as a shared mount"), "{told}");
}

fn a_host_that_is_ready(world: &World<'_>) {
    let agent = world.agent();
    assert_eq!(steps(world), [keep(world)]);
    agent.prepare_launches().unwrap();
    let found = check(world, &world.config()).unwrap();
    assert_eq!((found.steps, found.layout), (vec![], world.config().layout));
}

fn a_work_dir_that_is_a_mount(world: &World<'_>) {
    let work = world.make_directory("work");
    world.mount_tmpfs(&work, MountFlags::empty());
    world.propagation(&work, MountFlags::MS_PRIVATE);
    world.make_directory("run/containers");
    world.make_directory("work/volumes");
    let others = [bind_volumes(world), bind_containers(world), keep(world)];
    assert_eq!(steps(world), [&[Step::MakeShared(work.as_path().into())], &others[..]].concat());
    world.propagation(&work, MountFlags::MS_SHARED);
    assert_eq!(steps(world), others);
    world.agent();
}

fn devices_that_would_not_work(world: &World<'_>) {
    let run = world.make_directory("run");
    world.mount_tmpfs(&run, MountFlags::MS_NODEV);
    let containers = || world.path("run/containers").into();
    let expected = [Step::MakeDirectory(containers()), Step::BindWithDevices(containers())];
    let is_of_run = |step: &Step| step.path().as_path().starts_with(&run) && *step != keep(world);
    let steps_of_run = || steps(world).into_iter().filter(is_of_run).collect::<Vec<_>>();
    assert_eq!(steps_of_run(), expected);
    world.make_directory("run/containers");
    assert_eq!(steps_of_run(), expected[1..]);
    world.agent();
    assert_eq!(steps_of_run(), []);
    let nodev = MountAttr { attr_set: MountAttrFlags::MOUNT_ATTR_NODEV, ..MountAttr::default() };
    let path = world.path("run/containers");
    world.kernel.mount_setattr(Fd::CWD, &path, AtFlags::empty(), &nodev).unwrap();
    assert_eq!(steps_of_run(), [Step::AllowDevices(containers())]);
    world.agent();
}

fn the_real_paths_are_told(world: &World<'_>) {
    let real = world.make_directory("real");
    world.kernel.symlinkat(&real, Fd::CWD, &world.path("work")).unwrap();
    world.kernel.symlinkat(&real, Fd::CWD, &world.path("link")).unwrap();
    let layout = Layout { runtime_dir: world.path("link/run"), ..world.config().layout };
    let found = check(world, &AgentConfig::new(layout)).unwrap();
    assert_eq!(found.layout, Layout { work_dir: real.clone(), runtime_dir: real.join("run") });
    let missing = ["volumes", "run/containers"].map(|name| Step::MakeDirectory(real.join(name).into()));
    assert_eq!(found.steps[..2], missing);
}

/// They lie on that disk then, and so in another mount already.
fn volumes_on_a_disk(world: &World<'_>) {
    let disk = world.make_directory("disk");
    world.mount_tmpfs(&disk, MountFlags::empty());
    world.make_directory("work");
    world.kernel.symlinkat(&disk, Fd::CWD, &world.path("work/volumes")).unwrap();
    let before = world.mounts_at(&disk);
    assert!(!steps(world).iter().any(|step| step.path().as_path().ends_with("volumes")));
    world.agent();
    assert_eq!(world.mounts_at(&disk), before);
}

/// With the errors of `create`.
fn what_create_refuses(world: &World<'_>) {
    let world = &world.apart("private", MountFlags::MS_PRIVATE);
    let refused = |layout: Layout| {
        let config = AgentConfig::new(layout);
        let told = check(world, &config).unwrap_err();
        assert_eq!(world.create(config).unwrap_err(), told);
        told
    };
    let good = world.config().layout;
    // `create` does not make it, and the command only the default one.
    let missing = check_host(world.kernel, &world.config(), false);
    assert_eq!(missing, Err(CreateError::MissingWorkDir(good.work_dir.as_path().into())));
    world.make_directory("work");
    let relative = refused(Layout { runtime_dir: "run".into(), ..good.clone() });
    assert!(matches!(relative, CreateError::RelativeDirectory { name: "runtime_dir", .. }));
    let same = refused(Layout { runtime_dir: good.work_dir.clone(), ..good.clone() });
    assert!(same.to_string().contains("must be two directories"), "{same}");

    let errno = |error| match error {
        CreateError::Isolator(IsolatorError::Call(error)) => (error.action, error.errno),
        other => panic!("{other}"),
    };
    world.write(&world.path("file"), "");
    world.make_directory("read-only");
    world.mount_tmpfs(&world.path("read-only"), MountFlags::MS_RDONLY);
    for (name, expected) in [("file/run", Errno::ENOTDIR), ("read-only/run", Errno::EROFS)] {
        let config = AgentConfig::new(Layout { runtime_dir: world.path(name), ..good.clone() });
        // Of the path, `create` tells the lowest that it makes.
        let errors = [check(world, &config).unwrap_err(), world.create(config).unwrap_err()].map(errno);
        assert_eq!(errors, [("create directory", expected); 2], "{name}");
    }
    // What can't be bound.
    let work = world.make_directory("apart/work");
    world.mount_tmpfs(&world.path("apart"), MountFlags::empty());
    world.make_directory("apart/work");
    world.propagation(&world.path("apart"), MountFlags::MS_UNBINDABLE);
    let unbindable = errno(refused(Layout { work_dir: work, ..good }));
    assert_eq!(unbindable, ("bind", Errno::EINVAL));
}

fn what_the_kernel_lacks(world: &World<'_>) {
    world.make_directory("work");
    let missing = check(world, &world.config()).unwrap().support.missing;
    let empty = UnixPath::new("");
    let copies = world.kernel.open_tree_attr(Fd(-1), empty, OpenTreeFlags::empty(), &MountAttr::default());
    let is_missing = missing.iter().any(|call| call.name == "open_tree_attr");
    assert_eq!(is_missing, copies == Err(Errno::ENOSYS));
    assert!(missing.iter().all(|call| call.loss.is_some()), "{missing:?}");
}

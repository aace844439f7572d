//! Paths that somebody has prepared to lead elsewhere.

use cofferdam::UnixPathBuf;
use cofferdam::kernel::{AtFlags, Fd, RenameFlags};
use cofferdam::messages::ContainerLaunchInfo;
use serde_json::json;

use super::{Namespaces, host_path, sandbox_path};
use crate::scenarios::{Container, path};
use crate::world::World;

scenarios!(no_container_path_leads_out, a_source_is_what_was_checked, what_is_not_trusted_must_be_told_apart,);

fn no_container_path_leads_out(world: &World<'_>) {
    let data = world.make_directory("data");
    let outside = world.make_directory("outside");
    let sandbox = world.make_directory("work/slaves/a/frameworks/f/executors/e/runs/c");
    let rootfs = world.make_directory("rootfs");
    for above in [&sandbox, &rootfs] {
        world.kernel.symlinkat(&outside, Fd::CWD, &above.join("link")).unwrap();
        world.kernel.symlinkat(path("data"), Fd::CWD, &above.join("inner")).unwrap();
    }
    for (container_path, with_rootfs) in [
        ("/link", true),
        ("/link/new", true),
        ("/inner/new", true),
        ("link", true),
        ("link/new", true),
        ("inner", true),
        ("link", false),
        ("link/new", false),
        ("inner/new", false),
    ] {
        let container = Container::new(world, vec![]).volumes(json!([host_path(&data, container_path, "RW")]));
        let mut container = if with_rootfs { container.with_rootfs() } else { container };
        let info = container.agent.prepare(&container.id, &container.config).unwrap();
        let namespaces = Namespaces::new(world.kernel);
        let before = namespaces.tables();
        let refusal = container.refusal(info);
        assert!(refusal.contains("is a symbolic link, which is not followed here"), "{container_path}: {refusal}");
        assert_eq!(namespaces.tables(), before);
        container.clean_up();
        assert_eq!(world.kernel.unlinkat(Fd::CWD, &outside, AtFlags::AT_REMOVEDIR), Ok(()), "{container_path}");
        world.make_directory("outside");
    }
}

/// Containers write where these sources are: what is replaced after prepare has looked is not bound.
fn a_source_is_what_was_checked(world: &World<'_>) {
    let outside = world.make_directory("outside");
    let allowed = world.make_directory("allowed");
    let mut config = world.config();
    config.host_path_creation = vec![allowed.clone()];
    let sandbox = world.path("work/slaves/a/frameworks/f/executors/e/runs/c");
    for (volume, replaced) in [
        (sandbox_path("SELF", "a/b", "/srv"), sandbox.join("a")),
        (sandbox_path("SELF", "a/b", "/srv"), sandbox.join("a/b")),
        (host_path(&allowed.join("a/b"), "/srv", "RW"), allowed.join("a")),
        (host_path(&allowed.join("a/b"), "/srv", "RW"), allowed.join("a/b")),
    ] {
        world.make_directory("outside/b");
        let mut container = Container::new(world, vec![]).with_rootfs().volumes(json!([volume]));
        container.agent = world.create(config.clone()).unwrap();
        let info = container.agent.prepare(&container.id, &container.config).unwrap();
        let aside = UnixPathBuf::from(format!("{} aside", replaced.display()));
        world.kernel.renameat2(Fd::CWD, &replaced, Fd::CWD, &aside, RenameFlags::empty()).unwrap();
        world.kernel.symlinkat(&outside, Fd::CWD, &replaced).unwrap();
        let refusal = container.refusal(info);
        assert!(refusal.contains("is a symbolic link, which is not followed here"), "{refusal}");
        assert!(refusal.contains(&replaced.to_string()), "{refusal}");
        container.agent.cleanup(&container.id).unwrap();
        container.agent.remove(&container.id, &sandbox).unwrap();
        // The link is there, and prepare does not follow it either.
        if !world.exists(&replaced) {
            continue;
        }
        world.make_directory("work/slaves/a/frameworks/f/executors/e/runs/c");
        let error = container.agent.prepare(&container.id, &container.config).unwrap_err().to_string();
        assert!(error.contains("is a symbolic link, which is not followed here"), "{error}");
        world.kernel.unlinkat(Fd::CWD, &replaced, AtFlags::empty()).unwrap();
    }
}

fn what_is_not_trusted_must_be_told_apart(world: &World<'_>) {
    let mut container = Container::new(world, vec![]);
    let info = container.agent.prepare(&container.id, &container.config).unwrap();
    let sandbox = container.sandbox();
    for directory in [sandbox.strip_prefix("/").unwrap().to_path_buf(), sandbox.join("../c")] {
        let untrusted_directories = vec![directory.clone().into()];
        let refusal = container.refusal(ContainerLaunchInfo { untrusted_directories, ..info.clone() });
        assert!(refusal.contains("cannot tell what lies below"), "{refusal}");
        let refusal = container.refusal(ContainerLaunchInfo { rootfs: Some(directory.into()), ..info.clone() });
        assert!(refusal.contains("cannot tell what lies below"), "{refusal}");
    }
    container.clean_up();
}

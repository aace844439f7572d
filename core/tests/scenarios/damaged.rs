//! Records that are not what the agent has written.

use cofferdam::UnixPathBuf;
use cofferdam::isolator::IsolatorError;
use cofferdam::kernel::{AtFlags, DeviceNumber, Fd, FileType, Mode, NodeMode};
use cofferdam::messages::{ContainerConfig, ContainerId};
use cofferdam::metrics::Counters;
use cofferdam::record;
use serde_json::Value;

use crate::world::{World, volume};

scenarios!(
    what_is_not_the_record_is_told_and_cleaned_up_all_the_same,
    a_record_of_another_container_is_not_believed,
    what_was_counted_is_lost_with_its_record,
);

/// A container with a volume, prepared by an agent that has died since.
fn abandoned(world: &World<'_>, name: &str) -> (ContainerId, ContainerConfig) {
    let source = world.make_directory("work/volumes/roles/role").join(name);
    world.make_directory(&format!("work/volumes/roles/role/{name}"));
    world.write(&source.join("file"), "kept");
    let (id, config) = world.container(name, vec![volume(name, "data", "RW", Value::Null)]);
    world.agent().prepare(&id, &config).unwrap();
    (id, config)
}

/// Puts something else in the place of a record.
fn damage(world: &World<'_>, record: &UnixPathBuf, how: &str) {
    let whole = world.read(record);
    let kernel = world.kernel;
    kernel.unlinkat(Fd::CWD, record, AtFlags::empty()).unwrap();
    match how {
        "a directory" => kernel.mkdirat(Fd::CWD, record, Mode(0o755)).unwrap(),
        "a fifo" | "a socket" | "a device" => {
            let file_type = match how {
                "a fifo" => FileType::Fifo,
                "a socket" => FileType::Socket,
                _ => FileType::CharacterDevice,
            };
            let mode = NodeMode { file_type, mode: Mode(0o644) };
            kernel.mknodat(Fd::CWD, record, mode, DeviceNumber::NONE).unwrap();
        }
        "another path" => world.write(record, &whole.replace("data", "date")),
        "plain" => {
            world.write(record, whole.split_once("\"record\":").unwrap().1.trim_end().strip_suffix('}').unwrap());
        }
        "half" => world.write(record, &whole[..whole.len() / 2]),
        _ => world.write(record, how),
    }
}

fn what_is_not_the_record_is_told_and_cleaned_up_all_the_same(world: &World<'_>) {
    world.agent();
    let before = world.mounts();
    for name in ["config", "volumes"] {
        for how in
            ["a directory", "a fifo", "a socket", "a device", "another path", "plain", "half", "", "{}", "[]", "\0"]
        {
            let (id, config) = abandoned(world, "c");
            let record = world.config().layout.container_runtime(&id).join(name);
            damage(world, &record, how);
            let mut agent = world.agent();
            let unreadable = agent.resume().unwrap();
            assert!(
                matches!(&unreadable[..], [one] if one.id == id && matches!(one.error, IsolatorError::Record { .. })),
                "{name}, {how}: {unreadable:?}"
            );
            let message = unreadable[0].error.to_string();
            assert!(message.contains(&format!("containers/c/{name}\"")), "{message}");
            // Nobody knows it, and nothing stays mounted.
            agent.clean_up_unknown(&id).unwrap();
            agent.remove_runtime(&id).unwrap();
            assert_eq!(world.mounts(), before, "{name}, {how}");
            assert!(!world.exists(&world.config().layout.container_runtime(&id)), "{name}, {how}");
            assert_eq!(agent.clean_up_unknown(&id), Ok(()), "there is nothing left to do");
            agent.remove_sandbox(&id, config.directory.as_path()).unwrap();
            assert_eq!(world.read(&world.path("work/volumes/roles/role/c/file")), "kept");
        }
    }
}

fn a_record_of_another_container_is_not_believed(world: &World<'_>) {
    let (one, _) = abandoned(world, "c");
    let (other, _) = abandoned(world, "d");
    let layout = world.config().layout;
    let [config, others] = [&one, &other].map(|id| layout.container_config(id));
    world.write(&config, &world.read(&others));
    let mut agent = world.agent();
    let unreadable = agent.resume().unwrap();
    assert_eq!(unreadable.len(), 1, "{unreadable:?}");
    let message = unreadable[0].error.to_string();
    assert!(message.contains("containers/c/config\"") && message.contains("containers/d/config\""), "{message}");
    assert!(agent.container(&one).is_none() && agent.container(&other).is_some());
}

fn what_was_counted_is_lost_with_its_record(world: &World<'_>) {
    world.agent();
    let layout = world.config().layout;
    let counters = Counters { mounts_made: 7, ..Counters::default() };
    counters.record(world.kernel, &layout).unwrap();
    assert_eq!(Counters::recorded(world.kernel, &layout), Ok(counters.clone()));
    assert_eq!(record::read(world.kernel, &layout, &layout.metrics()), Ok(counters.clone()));
    world.write(&layout.metrics(), &world.read(&layout.metrics()).replace('7', "8"));
    assert_eq!(Counters::recorded(world.kernel, &layout), Ok(Counters::default()));
    counters.record(world.kernel, &layout).unwrap();
    assert_eq!(Counters::recorded(world.kernel, &layout), Ok(counters));
    for file in [layout.metrics(), layout.metrics_lock()] {
        world.kernel.unlinkat(Fd::CWD, &file, AtFlags::empty()).unwrap();
    }
}

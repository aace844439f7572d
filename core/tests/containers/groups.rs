//! Programs of users without privileges, and their groups.

use std::cell::Cell;

use cofferdam::agent::{AgentConfig, GidRange};
use cofferdam::kernel::{AtFlags, Call, CloneFlags, Errno, Fd, Intercepted, Interceptor, Kernel, Mode};
use cofferdam::launch::{LaunchRequest, launch};
use cofferdam::messages::{ContainerLaunchInfo, Resource};
use cofferdam::user::Credentials;
use cofferdam::{UnixPath, checkpoint};
use serde_json::{Value, json};

use crate::host_volumes::content;
use crate::scenarios::{CONTENT, Container, Instead, ensure, path, wait};
use crate::world::{World, volume};

scenarios!(
    two_users_share_a_volume,
    a_volume_is_its_users,
    a_volume_of_another_user_is_shared_by_its_group,
    a_task_with_its_own_rootfs_is_a_member_of_all_groups,
    a_program_without_a_rootfs_is_a_member_too,
    no_other_user_has_the_memory_of_init,
);

/// The first gid of volumes.
const FIRST: u32 = 10000;

const USER: u32 = 1000;

fn plain(id: &str, mode: &str) -> Resource {
    volume(id, id, mode, Value::Null)
}

/// An agent that gives volumes a group.
fn with_gids(agent: &mut AgentConfig) {
    agent.volume_gid_range = Some(GidRange::new(FIRST, FIRST + 9).unwrap());
}

fn chown(world: &World<'_>, path: &UnixPath, uid: u32) {
    world.kernel.fchownat(Fd::CWD, path, Some(uid), Some(uid), AtFlags::empty()).unwrap();
}

/// The user, whose sandbox it is, with these groups of their own.
fn user(container: &Container<'_, '_>, groups: &[u32]) -> Credentials {
    chown(container.world, &container.sandbox(), USER);
    Credentials { uid: USER, gid: USER, groups: groups.to_vec() }
}

/// The supplementary groups, as getgroups(2) would give them.
fn groups(kernel: &dyn Kernel) -> Result<Vec<u32>, String> {
    let status = content(kernel, "/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("Groups:")).ok_or("no groups")?;
    line.split_whitespace().map(|gid| gid.parse().map_err(|_| format!("{gid} is no number"))).collect()
}

fn has_groups(kernel: &dyn Kernel, expected: &[u32]) -> Result<(), String> {
    let found = groups(kernel)?;
    ensure(found == expected, format!("the groups are {found:?}, not {expected:?}"))
}

fn is_user(kernel: &dyn Kernel) -> Result<(), String> {
    ensure(kernel.geteuid() == Ok(USER), "it is another user")
}

fn write(kernel: &dyn Kernel, name: &str) -> Result<(), Errno> {
    checkpoint::write(kernel, path(name), b"of the user", Mode(0o664)).map_err(|error| error.errno)
}

fn can_write(kernel: &dyn Kernel, name: &str) -> Result<(), String> {
    write(kernel, name).map_err(|errno| format!("{name}: {errno}"))
}

/// The owner, group and mode of a file.
fn owner(world: &World<'_>, name: &str) -> (u32, u32, u32) {
    let stat = world.stat(&world.path("work/volumes/roles/role").join(name)).unwrap();
    (stat.uid, stat.gid, stat.mode.0)
}

/// Each reads and changes what the other one has written, in the volume's root and deeper.
fn two_users_share_a_volume(world: &World<'_>) {
    world.make_directory("work/volumes/roles/role/db/inner");
    let write = |kernel: &dyn Kernel, name: &str, content: &[u8]| {
        checkpoint::write(kernel, path(name), content, Mode(0o664)).map_err(|error| error.to_string())
    };
    let read =
        |kernel: &dyn Kernel, name: &str| checkpoint::read(kernel, path(name)).map_err(|error| error.to_string());
    for (uid, other) in [(77, None), (78, Some(b"77")), (77, Some(b"78"))] {
        let mut container = Container::new(world, vec![volume("db", "data", "RW", Value::Null)]).with_rootfs();
        let range = Some(GidRange::new(10000, 10009).unwrap());
        container.agent = world.create(AgentConfig { volume_gid_range: range, ..world.config() }).unwrap();
        let sandbox = container.config.directory.clone();
        world.kernel.fchownat(Fd::CWD, sandbox.as_path(), Some(uid), Some(uid), AtFlags::empty()).unwrap();
        let credentials = Credentials { uid, gid: uid, groups: Vec::new() };
        let status = container.run_as(credentials, &|kernel| {
            ensure(kernel.geteuid() == Ok(uid), "it is another user")?;
            for file in ["/mnt/mesos/sandbox/data/file", "/mnt/mesos/sandbox/data/inner/file"] {
                if let Some(other) = other {
                    ensure(read(kernel, file)? == other, format!("{file}: {:?}", read(kernel, file)))?;
                }
                write(kernel, file, uid.to_string().as_bytes())?;
            }
            Ok(())
        });
        assert_eq!(status, CONTENT, "user {uid}");
        container.clean_up();
    }
}

/// Without gids for volumes: the volume's root belongs to whom the sandbox belongs to, and nothing else changes hands.
fn a_volume_is_its_users(world: &World<'_>) {
    for with_rootfs in [true, false] {
        let mut container = Container::new(world, vec![plain("db", "RW"), plain("log", "RO")]);
        world.make_directory("work/volumes/roles/role/db/inner");
        let foreign = world.make_directory("work/volumes/roles/role/foreign");
        if with_rootfs {
            container = container.with_rootfs();
        }
        let [db, log] = ["db", "log"].map(|name| container.in_sandbox(name));
        let user = user(&container, &[]);
        let status = container.run_as(user, &|kernel| {
            is_user(kernel)?;
            can_write(kernel, &format!("{db}/file"))?;
            let inner = write(kernel, &format!("{db}/inner/file"));
            ensure(inner == Err(Errno::EACCES), format!("a directory of root: {inner:?}"))?;
            let read_only = write(kernel, &format!("{log}/file"));
            ensure(read_only == Err(Errno::EROFS), format!("a read-only volume: {read_only:?}"))
        });
        assert_eq!(status, CONTENT, "with a rootfs: {with_rootfs}");
        container.clean_up();
        assert_eq!(["db", "log", "db/file"].map(|name| owner(world, name).0), [USER; 3]);
        assert_eq!(owner(world, "db/inner"), (0, 0, 0o755));
        assert_eq!(world.stat(&foreign).unwrap().uid, 0);
    }
}

/// It keeps its owner; that the program is a member of its group is enough.
fn a_volume_of_another_user_is_shared_by_its_group(world: &World<'_>) {
    let mut container = Container::new(world, vec![plain("db", "RW")]).with_rootfs().with_agent(with_gids);
    let inner = world.make_directory("work/volumes/roles/role/db/inner");
    for path in [inner.parent().unwrap(), &inner] {
        chown(world, path, 77);
    }
    let user = user(&container, &[]);
    let status = container.run_as(user, &|kernel| {
        is_user(kernel)?;
        has_groups(kernel, &[FIRST])?;
        can_write(kernel, "/mnt/mesos/sandbox/db/file")?;
        can_write(kernel, "/mnt/mesos/sandbox/db/inner/file")?;
        let given = kernel.fchownat(Fd::CWD, path("/mnt/mesos/sandbox/db"), Some(USER), None, AtFlags::empty());
        ensure(given == Err(Errno::EPERM), format!("it is not the owner: {given:?}"))
    });
    assert_eq!(status, CONTENT);
    container.clean_up();
    for directory in ["db", "db/inner"] {
        assert_eq!(owner(world, directory), (77, FIRST, 0o2775), "{directory}");
        let (uid, gid, _) = owner(world, &format!("{directory}/file"));
        assert_eq!((uid, gid), (USER, FIRST), "a new file is the group's as well: {directory}");
    }
}

/// Prepares and runs a program of the user, with groups of their own and two volumes; gives what was decided.
fn run_as_member(container: &mut Container<'_, '_>) -> ContainerLaunchInfo {
    let user = user(container, &[2000, 2001]);
    container.config.user = Some(USER.to_string());
    let [db, log] = ["db", "log"].map(|name| container.in_sandbox(name));
    let info = container.agent.prepare(&container.id, &container.config).unwrap();
    let status = container.launch_as(info.clone(), user, &|kernel| {
        is_user(kernel)?;
        has_groups(kernel, &[2000, 2001, FIRST, FIRST + 1])?;
        can_write(kernel, &format!("{db}/file"))?;
        can_write(kernel, &format!("{log}/file"))
    });
    assert_eq!(status, CONTENT);
    info
}

/// A command task, whose executor would run as root without these groups. Here the launcher runs the task itself.
fn a_task_with_its_own_rootfs_is_a_member_of_all_groups(world: &World<'_>) {
    let resources = vec![plain("db", "RW"), plain("log", "RW")];
    let mut container = Container::new(world, resources).with_rootfs().with_agent(with_gids);
    container.config.task_info = Some(json!({ "name": "task" }));
    let info = run_as_member(&mut container);
    assert_eq!((info.supplementary_groups, info.task_supplementary_groups), (vec![], vec![FIRST, FIRST + 1]));
    container.clean_up();
}

fn a_program_without_a_rootfs_is_a_member_too(world: &World<'_>) {
    let resources = vec![plain("db", "RW"), plain("log", "RW")];
    let mut container = Container::new(world, resources).with_agent(with_gids);
    let info = run_as_member(&mut container);
    assert_eq!((info.supplementary_groups, info.task_supplementary_groups), (vec![FIRST, FIRST + 1], vec![]));
    container.clean_up();
}

/// Notes whether the last process was made as by vfork(2), and has a launch fail if it is no good that it was, or was not.
#[derive(Default)]
struct Memory {
    is_shared: Cell<bool>,
}

impl Interceptor for Memory {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        match call {
            Call::Clone3 { flags } => self.is_shared.set(flags.is_vfork()),
            Call::Setresuid { .. } if self.is_shared.get() => return Err(Errno::EUCLEAN),
            _ => {}
        }
        Ok(())
    }
}

/// Of the process that becomes another user's, another process of that user may get hold, as far as fs.suid_dumpable lets it
/// (proc_sys_fs(5)); in its memory there is only what is its own. The program of our own user needs no copy.
fn no_other_user_has_the_memory_of_init(world: &World<'_>) {
    let mut container = Container::new(world, vec![]).with_rootfs();
    let user = user(&container, &[]);
    let info = container.agent.prepare(&container.id, &container.config).unwrap();
    for (credentials, is_shared) in [(Some(user), false), (None, true)] {
        let memory = Memory::default();
        let kernel = Intercepted::new(world.kernel, &memory);
        let request = LaunchRequest { info: info.clone(), credentials, ..LaunchRequest::default() };
        let program = |_: &dyn Kernel| ensure(memory.is_shared.get() == is_shared, "is the memory shared?");
        let launcher = kernel
            .clone3(CloneFlags::empty(), &mut |kernel| launch(&Intercepted::new(kernel, &Instead(&program)), &request));
        assert_eq!(wait(world.kernel, launcher.unwrap()), CONTENT, "is shared: {is_shared}");
    }
    container.clean_up();
}

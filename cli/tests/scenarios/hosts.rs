//! Hosts on which directories are not as simple as one would like.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cofferdam::kernel::MountFlags;
use cofferdam::mountinfo::{Entry, Table};

use crate::support::{Host, Run, example_rootfs, scenario, unix};

/// Runs containers that use all there is, and checks that they work, and that the second leaves everything as it was.
#[track_caller]
fn check(host: &Host, work_dir: &Path, run: impl Fn() -> Run) {
    let script = "echo kept >data/file && cat data/file && echo x >/dev/null && head -c 2 /dev/zero | wc -c \
                  && echo here >file && exec 3<>/dev/ptmx && ls /dev/pts && ls -d /proc/1 /sys/kernel";
    let expected = "kept\n2\n0\nptmx\n/proc/1\n/sys/kernel\n";
    assert_eq!(run().volume("web/db:data").sh(script).success(), expected);
    assert_eq!(fs::read(work_dir.join("volumes/roles/web/db/file")).unwrap(), b"kept\n");
    assert!(!work_dir.join("slaves").exists());
    let (table, work_tree) = (host.mountinfo_without_agents(), host.tree(work_dir));
    assert_eq!(run().volume("web/db:data").sh(script).success(), expected);
    assert_eq!(String::from_utf8_lossy(&host.mountinfo_without_agents()), String::from_utf8_lossy(&table));
    assert_eq!(host.tree(work_dir), work_tree);
    assert!(fs::read_dir(host.runtime_dir().join("containers")).map_or(0, Iterator::count) == 0);
}

/// Calls a function on the mount that a path is in.
fn with_mount<R>(host: &Host, path: &Path, look: impl FnOnce(&Entry<'_>, &Table<'_>) -> R) -> R {
    let text = host.mountinfo();
    let table = Table::parse(&text).unwrap();
    look(table.containing(unix(path)).unwrap(), &table)
}

fn number_of_mounts(host: &Host) -> usize {
    host.mountinfo_without_agents().split(|byte| *byte == b'\n').count()
}

/// The mount that work_dir has become: shared, no slave, and in no group with a mount above.
#[track_caller]
fn assert_shared_alone(host: &Host) {
    with_mount(host, &host.work_dir(), |mount, table| {
        assert_eq!(*mount.mountpoint(), *unix(&host.work_dir()));
        let group = mount.peer_group().unwrap();
        assert_eq!(table.peers(group).count(), 1, "{table}");
    });
}

/// How often the volume is mounted on the host while a container runs.
fn mounts_of_the_volume(host: &Host, rootfs: &Path) -> usize {
    let mut container = host.run().rootfs(rootfs).volume("web/db:data").start("echo started; read -r _");
    container.line();
    let text = host.mountinfo_without_agents();
    let count =
        Table::parse(&text).unwrap().entries().iter().filter(|mount| mount.root().ends_with("roles/web/db")).count();
    container.finish().success();
    count
}

#[test]
fn work_dir_that_is_no_mount_becomes_one() {
    scenario("work_dir_that_is_no_mount_becomes_one", |host| {
        let rootfs = host.busybox();
        let before = number_of_mounts(host);
        check(host, &host.work_dir(), || host.run().rootfs(&rootfs));
        assert_eq!(number_of_mounts(host), before + 1);
        assert_shared_alone(host);
    });
}

#[test]
fn work_dir_that_is_shared_alone_is_left_as_it_is() {
    scenario("work_dir_that_is_shared_alone_is_left_as_it_is", |host| {
        let rootfs = host.busybox();
        host.mount("tmpfs", host.work_dir(), MountFlags::empty(), "mode=755");
        host.propagation(host.work_dir(), MountFlags::MS_SHARED, false);
        let before = host.mountinfo_without_agents();
        check(host, &host.work_dir(), || host.run().rootfs(&rootfs));
        assert_eq!(host.mountinfo_without_agents(), before);
    });
}

#[test]
fn work_dir_that_is_a_private_mount_is_shared() {
    scenario("work_dir_that_is_a_private_mount_is_shared", |host| {
        let rootfs = host.busybox();
        host.mount("tmpfs", host.work_dir(), MountFlags::empty(), "mode=755");
        let before = number_of_mounts(host);
        check(host, &host.work_dir(), || host.run().rootfs(&rootfs));
        assert_eq!(number_of_mounts(host), before);
        assert_shared_alone(host);
    });
}

/// Makes work_dir a mount that receives from another one.
fn make_slave(host: &Host) {
    let master = host.path("master");
    fs::create_dir(&master).unwrap();
    host.mount("tmpfs", &master, MountFlags::empty(), "mode=755");
    host.propagation(&master, MountFlags::MS_SHARED, false);
    host.bind(&master, host.work_dir());
    host.propagation(host.work_dir(), MountFlags::MS_SLAVE, false);
}

#[test]
fn work_dir_that_is_a_slave_is_shared() {
    scenario("work_dir_that_is_a_slave_is_shared", |host| {
        let rootfs = host.busybox();
        make_slave(host);
        let before = number_of_mounts(host);
        check(host, &host.work_dir(), || host.run().rootfs(&rootfs));
        assert_eq!(number_of_mounts(host), before);
        assert_shared_alone(host);
        assert_eq!(mounts_of_the_volume(host, &rootfs), 1);
    });
}

#[test]
fn work_dir_that_is_a_slave_and_shared_is_left_as_it_is() {
    scenario("work_dir_that_is_a_slave_and_shared_is_left_as_it_is", |host| {
        let rootfs = host.busybox();
        make_slave(host);
        host.propagation(host.work_dir(), MountFlags::MS_SHARED, false);
        let before = host.mountinfo_without_agents();
        check(host, &host.work_dir(), || host.run().rootfs(&rootfs));
        assert_eq!(host.mountinfo_without_agents(), before);
        assert_eq!(mounts_of_the_volume(host, &rootfs), 1);
    });
}

#[test]
fn work_dir_in_a_shared_mount_becomes_one_of_its_own() {
    scenario("work_dir_in_a_shared_mount_becomes_one_of_its_own", |host| {
        // As on hosts with systemd, where / is shared.
        let rootfs = host.busybox();
        host.propagation(host.path(""), MountFlags::MS_SHARED, false);
        let before = number_of_mounts(host);
        check(host, &host.work_dir(), || host.run().rootfs(&rootfs));
        assert_eq!(number_of_mounts(host), before + 1);
        assert_shared_alone(host);
        assert_eq!(mounts_of_the_volume(host, &rootfs), 1);
    });
}

#[test]
fn work_dir_in_one_group_with_the_mount_above_gets_one_of_its_own() {
    scenario("work_dir_in_one_group_with_the_mount_above_gets_one_of_its_own", |host| {
        let rootfs = host.busybox();
        host.propagation(host.path(""), MountFlags::MS_SHARED, false);
        host.bind(host.work_dir(), host.work_dir());
        let group = |path: &Path| with_mount(host, path, |mount, _| mount.peer_group().unwrap());
        assert_eq!(group(&host.work_dir()), group(&host.path("")), "a peer of the mount above");
        let before = number_of_mounts(host);
        check(host, &host.work_dir(), || host.run().rootfs(&rootfs));
        assert_eq!(number_of_mounts(host), before);
        assert_shared_alone(host);
        assert_eq!(mounts_of_the_volume(host, &rootfs), 1);
    });
}

#[test]
fn what_is_mounted_below_work_dir_stays_visible() {
    scenario("what_is_mounted_below_work_dir_stays_visible", |host| {
        // A disk for the volumes.
        let rootfs = host.busybox();
        fs::create_dir(host.path("work/volumes")).unwrap();
        host.mount("tmpfs", host.path("work/volumes"), MountFlags::empty(), "mode=755");
        check(host, &host.work_dir(), || host.run().rootfs(&rootfs));
        with_mount(host, &host.path("work/volumes"), |mount, _| {
            assert_eq!(*mount.mountpoint(), *unix(&host.path("work/volumes")));
        });
        assert!(host.path("work/volumes/roles/web/db/file").exists());
    });
}

#[test]
fn work_dir_that_is_mounted_twice_is_used_as_it_is_seen() {
    scenario("work_dir_that_is_mounted_twice_is_used_as_it_is_seen", |host| {
        let rootfs = host.busybox();
        for _ in 0..2 {
            host.mount("tmpfs", host.work_dir(), MountFlags::empty(), "mode=755");
        }
        let before = number_of_mounts(host);
        check(host, &host.work_dir(), || host.run().rootfs(&rootfs));
        assert_eq!(number_of_mounts(host), before);
        assert_shared_alone(host);
        host.umount(host.work_dir().join("volumes"));
        host.umount(host.work_dir());
        assert_eq!(fs::read_dir(host.work_dir()).unwrap().count(), 0, "nothing was made in the mount below");
    });
}

#[test]
fn image_and_runtime_directory_may_lie_below_work_dir() {
    scenario("image_and_runtime_directory_may_lie_below_work_dir", |host| {
        let (rootfs, runtime_dir) = (host.busybox_at("work/rootfs"), host.path("work/run"));
        let before = number_of_mounts(host);
        check(host, &host.work_dir(), || host.run_in(&host.work_dir(), &runtime_dir).rootfs(&rootfs));
        assert_eq!(number_of_mounts(host), before + 1);
        assert_eq!(fs::read_dir(runtime_dir.join("containers")).unwrap().count(), 0);
        // Now work_dir is shared, and so is the mount that the image is in.
        let run = host.run_in(&host.work_dir(), &runtime_dir).rootfs(&rootfs).arg("--privileged");
        let script = "echo started; read -r _; mount -t tmpfs tmpfs /home && echo mounted; read -r _";
        let mut container = run.start(script);
        assert_eq!(container.line(), "started");
        let before = host.mountinfo_without_agents();
        container.say("");
        assert_eq!(container.line(), "mounted");
        assert_eq!(host.mountinfo_without_agents(), before);
        container.finish().success();
    });
}

#[test]
fn devices_work_where_the_runtime_directory_is_nodev() {
    scenario("devices_work_where_the_runtime_directory_is_nodev", |host| {
        let rootfs = host.busybox();
        let flags = MountFlags::MS_NODEV | MountFlags::MS_NOSUID;
        host.mount("tmpfs", host.runtime_dir(), flags, "mode=755");
        let before = number_of_mounts(host);
        check(host, &host.work_dir(), || host.run().rootfs(&rootfs));
        assert_eq!(number_of_mounts(host), before + 1);
        let options = |path: &Path| {
            with_mount(host, path, |mount, _| {
                assert_eq!(*mount.mountpoint(), *unix(path));
                String::from_utf8_lossy(mount.mount_options_raw()).into_owned()
            })
        };
        assert_eq!(options(&host.runtime_dir()), "rw,nosuid,nodev,relatime");
        assert_eq!(options(&host.runtime_dir().join("containers")), "rw,nosuid,relatime");
    });
}

#[test]
fn nodev_is_cleared_where_the_directory_is_a_mount_already() {
    scenario("nodev_is_cleared_where_the_directory_is_a_mount_already", |host| {
        let rootfs = host.busybox();
        let containers = host.runtime_dir().join("containers");
        fs::create_dir(&containers).unwrap();
        host.mount("tmpfs", &containers, MountFlags::MS_NODEV, "mode=755");
        let before = number_of_mounts(host);
        check(host, &host.work_dir(), || host.run().rootfs(&rootfs));
        assert_eq!(number_of_mounts(host), before + 1);
        with_mount(host, &containers, |mount, _| assert!(!mount.has_mount_option(b"nodev")));
    });
}

fn read_only_rootfs(host: &Host, with_mount_point: bool) -> PathBuf {
    let rootfs = host.busybox();
    let _ = fs::remove_dir_all(rootfs.join("mnt"));
    fs::create_dir(rootfs.join("mnt")).unwrap();
    if with_mount_point {
        fs::create_dir_all(rootfs.join("mnt/mesos/sandbox")).unwrap();
    }
    host.bind(&rootfs, &rootfs);
    host.remount_read_only(&rootfs);
    rootfs
}

#[test]
fn a_read_only_rootfs_with_its_mount_point_works_and_stays_read_only() {
    scenario("a_read_only_rootfs_with_its_mount_point_works_and_stays_read_only", |host| {
        let rootfs = read_only_rootfs(host, true);
        let before = host.tree("rootfs");
        check(host, &host.work_dir(), || host.run().rootfs(&rootfs));
        let outcome =
            host.run().rootfs(&rootfs).sh("(: >/new) 2>&1; : >new && echo sandbox; : >/dev/shm/new && echo shm");
        assert_eq!(outcome.success(), "/bin/sh: can't create /new: Read-only file system\nsandbox\nshm\n");
        assert_eq!(host.tree("rootfs"), before);
    });
}

#[test]
fn a_read_only_rootfs_without_its_mount_point_is_refused_by_name() {
    scenario("a_read_only_rootfs_without_its_mount_point_is_refused_by_name", |host| {
        let rootfs = read_only_rootfs(host, false);
        host.run().sh("true").success();
        let before = (host.mountinfo_without_agents(), host.tree(""));
        let outcome = host.run().rootfs(&rootfs).volume("web/db:data").sh("true");
        let message = outcome.failure(125);
        let expected = format!("create directory \"{}\"", rootfs.join("mnt/mesos").display());
        assert!(message.contains(&expected) && message.contains("read-only"), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        let after = host.tree("");
        assert_eq!(host.mountinfo_without_agents(), before.0);
        // The volume had been created.
        let added: Vec<_> = after.iter().filter(|line| !before.1.contains(line)).collect();
        assert!(added.iter().all(|line| line.contains("/work/volumes")), "{added:?}");
    });
}

#[test]
fn an_image_without_directories_for_mounts_works() {
    scenario("an_image_without_directories_for_mounts_works", |host| {
        let rootfs = host.busybox();
        for name in ["dev", "proc", "sys", "tmp", "mnt"] {
            fs::remove_dir_all(rootfs.join(name)).unwrap();
        }
        check(host, &host.work_dir(), || host.run().rootfs(&rootfs));
        let mode = |name: &str| {
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(rootfs.join(name)).unwrap().permissions())
        };
        for name in ["dev", "proc", "sys", "mnt", "mnt/mesos", "mnt/mesos/sandbox"] {
            assert_eq!(mode(name), 0o40755, "{name}");
        }
        assert!(!rootfs.join("tmp").exists());
    });
}

/// Names with all that mount tables, shells, and text in general have trouble with.
const NAMES: [&[u8]; 8] =
    [b"a b", b"new\nline", b"back\\slash", b"tab\there", b"#hash", b"\xff\xfe", b"\\040", b" \n\t\\#\xff "];

fn names() -> impl Iterator<Item = &'static OsStr> {
    NAMES.into_iter().map(OsStr::from_bytes)
}

#[test]
fn work_dir_may_have_any_name() {
    scenario("work_dir_may_have_any_name", |host| {
        let rootfs = host.busybox();
        for name in names() {
            let work_dir = host.path(name);
            fs::create_dir(&work_dir).unwrap();
            check(host, &work_dir, || host.run_in(&work_dir, &host.runtime_dir()).rootfs(&rootfs));
            with_mount(host, &work_dir, |mount, _| assert_eq!(*mount.mountpoint(), *unix(&work_dir)));
        }
    });
}

#[test]
fn the_runtime_directory_may_have_any_name() {
    scenario("the_runtime_directory_may_have_any_name", |host| {
        let rootfs = host.busybox();
        for name in names() {
            let runtime_dir = host.path(name);
            fs::create_dir(&runtime_dir).unwrap();
            host.mount("tmpfs", &runtime_dir, MountFlags::MS_NODEV, "mode=755");
            check(host, &host.work_dir(), || host.run_in(&host.work_dir(), &runtime_dir).rootfs(&rootfs));
            let containers = runtime_dir.join("containers");
            assert_eq!(fs::read_dir(&containers).unwrap().count(), 0);
            with_mount(host, &containers, |mount, _| assert_eq!(*mount.mountpoint(), *unix(&containers)));
        }
    });
}

#[test]
fn the_rootfs_may_have_any_name() {
    scenario("the_rootfs_may_have_any_name", |host| {
        for name in names() {
            let rootfs = host.busybox_at(name);
            check(host, &host.work_dir(), || host.run().rootfs(&rootfs));
        }
    });
}

#[test]
fn without_rootfs_the_working_directory_may_have_any_name() {
    scenario("without_rootfs_the_working_directory_may_have_any_name", |host| {
        for name in names() {
            let work_dir = host.path(name);
            fs::create_dir(&work_dir).unwrap();
            let run = host.run_in(&work_dir, &host.runtime_dir()).id("c1").volume("web/db:data");
            let outcome = run.sh("echo kept >data/file; printf %s \"$MESOS_SANDBOX\"; cd \"$MESOS_SANDBOX\" && ls");
            let mut expected = work_dir.join("slaves/local/frameworks/run/executors/c1/runs/c1").into_os_string();
            expected.push("data\n");
            outcome.success();
            assert_eq!(OsStr::from_bytes(&outcome.stdout), expected);
            assert_eq!(fs::read(work_dir.join("volumes/roles/web/db/file")).unwrap(), b"kept\n");
        }
    });
}

#[test]
fn directories_may_be_reached_through_symbolic_links() {
    scenario("directories_may_be_reached_through_symbolic_links", |host| {
        host.busybox();
        for name in ["work", "run", "rootfs"] {
            std::os::unix::fs::symlink(name, host.path(format!("{name}-link"))).unwrap();
        }
        std::os::unix::fs::symlink(".", host.path("here")).unwrap();
        let before = number_of_mounts(host);
        check(host, &host.work_dir(), || {
            host.run_in(&host.path("here/work-link"), &host.path("here/run-link")).rootfs(host.path("here/rootfs-link"))
        });
        // The same work_dir by another name.
        check(host, &host.work_dir(), || host.run().rootfs(host.path("rootfs")));
        assert_eq!(number_of_mounts(host), before + 1);
        assert_shared_alone(host);
    });
}

#[test]
fn paths_need_not_be_normal() {
    scenario("paths_need_not_be_normal", |host| {
        host.busybox();
        let before = number_of_mounts(host);
        check(host, &host.work_dir(), || {
            host.run_in(&host.path("run/..//./work/"), &host.path("work/../run/."))
                .rootfs(host.path("rootfs/../rootfs//"))
        });
        assert_eq!(number_of_mounts(host), before + 1);
    });
}

/// The same invocation with another umask.
fn with_umask(umask: &str, run: &Run) -> Run {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "umask \"$0\" && exec \"$@\"", umask]).arg(run.command.get_program());
    command.args(run.command.get_args()).stdin(Stdio::null());
    Run { command }
}

#[test]
fn the_umask_of_whoever_starts_it_changes_nothing() {
    scenario("the_umask_of_whoever_starts_it_changes_nothing", |host| {
        let script = "umask; stat -c '%a %u %n' /mnt /mnt/mesos . data /dev /dev/null /dev/shm /proc; ls -l /dev/null \
                      >/dev/null && echo x >file && echo y >data/file && stat -c %a file data/file";
        let expected = "0022\n755 0 /mnt\n755 0 /mnt/mesos\n755 1234 .\n755 1234 data\n755 0 /dev\n666 0 /dev/null\n\
                        1777 0 /dev/shm\n555 0 /proc\n644\n644\n";
        for umask in ["022", "077", "000", "777"] {
            let rootfs = host.busybox_at(format!("rootfs-{umask}"));
            fs::remove_dir_all(rootfs.join("mnt")).unwrap();
            let (work_dir, runtime_dir) = (host.path(format!("work-{umask}")), host.path(format!("run-{umask}")));
            fs::create_dir(&work_dir).unwrap();
            let run =
                host.run_in(&work_dir, &runtime_dir).rootfs(&rootfs).volume("web/db:data").arg("--user").arg("1234");
            let outcome = with_umask(umask, &run).sh(script);
            assert_eq!((outcome.text().as_str(), outcome.stderr.as_str()), (expected, ""), "umask {umask}");
            let outcome = with_umask(umask, &host.run_in(&work_dir, &runtime_dir).arg("--user").arg("1234"))
                .sh("echo x >file; cat file");
            assert_eq!((outcome.text().as_str(), outcome.stderr.as_str()), ("x\n", ""), "umask {umask}, no rootfs");
        }
    });
}

#[test]
fn mounts_in_the_rootfs_are_seen_inside() {
    scenario("mounts_in_the_rootfs_are_seen_inside", |host| {
        let rootfs = host.busybox();
        for (directory, mode) in [("opt", "mode=700"), ("opt/inner", "mode=755")] {
            fs::create_dir(rootfs.join(directory)).unwrap();
            host.mount("tmpfs", rootfs.join(directory), MountFlags::empty(), mode);
        }
        fs::write(rootfs.join("opt/inner/file"), "from the host\n").unwrap();
        check(host, &host.work_dir(), || host.run().rootfs(&rootfs));
        let script = "cat /opt/inner/file; echo written >/opt/file; cut -d ' ' -f 5 /proc/self/mountinfo | grep opt";
        assert_eq!(host.run().rootfs(&rootfs).sh(script).success(), "from the host\n/opt\n/opt/inner\n");
        assert_eq!(fs::read(rootfs.join("opt/file")).unwrap(), b"written\n");
    });
}

#[test]
fn what_the_host_mounts_in_the_rootfs_does_not_hide_the_special_filesystems() {
    scenario("what_the_host_mounts_in_the_rootfs_does_not_hide_the_special_filesystems", |host| {
        // As left behind by somebody who worked in the image with chroot(8).
        let rootfs = host.busybox();
        for directory in ["dev", "proc", "sys"] {
            host.bind(Path::new("/").join(directory), rootfs.join(directory));
        }
        check(host, &host.work_dir(), || host.run().rootfs(&rootfs));
        let script =
            "ls -d /proc/[0-9]* | wc -l; [ -e /dev/kmsg ] && echo of the host; cat /proc/keys /proc/timer_list";
        // The shell, init, and two processes of the pipe.
        let outcome = host.run().rootfs(&rootfs).sh(script).text();
        assert!(outcome.trim().parse::<u32>().unwrap() < 8, "{outcome}");
    });
}

#[test]
fn a_rootfs_that_is_an_overlay_works() {
    scenario("a_rootfs_that_is_an_overlay_works", |host| {
        for name in ["upper", "scratch", "merged"] {
            fs::create_dir(host.path(name)).unwrap();
        }
        let lower = example_rootfs("busybox-rootfs.sh");
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            lower.display(),
            host.path("upper").display(),
            host.path("scratch").display()
        );
        host.mount("overlay", host.path("merged"), MountFlags::empty(), &options);
        check(host, &host.work_dir(), || host.run().rootfs(host.path("merged")));
        host.run().rootfs(host.path("merged")).sh("echo x >/etc/new").success();
        assert!(host.path("upper/etc/new").exists() && !lower.join("etc/new").exists());
    });
}

#[test]
fn what_the_host_shares_gets_nothing_from_the_container() {
    scenario("what_the_host_shares_gets_nothing_from_the_container", |host| {
        // All of the host shared, the rootfs a shared mount of its own, and a program that may mount.
        let rootfs = host.busybox();
        host.bind(&rootfs, &rootfs);
        host.propagation("/", MountFlags::MS_SHARED, true);
        let run = || host.run().rootfs(&rootfs).volume("web/db:data").arg("--privileged");
        run().sh("true").success();
        let script = "mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs data && mount -t tmpfs tmpfs /mnt && \
                      echo mounted; read -r _";
        let before = host.mountinfo_without_agents();
        let mut container = run().id("c1").start(script);
        assert_eq!(container.line(), "mounted");
        let during = host.mountinfo_without_agents();
        container.finish().success();
        assert_eq!(host.mountinfo_without_agents(), before);
        let (before, during) = (Table::parse(&before).unwrap(), Table::parse(&during).unwrap());
        let added: Vec<_> = during.entries().iter().filter(|mount| before.by_id(mount.id()).is_none()).collect();
        assert_eq!(added.len(), 2, "only the sandbox and the volume: {added:?}");
    });
}

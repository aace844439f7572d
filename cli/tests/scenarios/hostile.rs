//! Root filesystems and sandboxes whose author wants out, and hosts that are not what they seem.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use cofferdam::kernel::{DeviceNumber, Fd, FileType, Kernel as _, Mode, MountFlags, NodeMode, RenameFlags, quoted};
use cofferdam_linux::LinuxKernel;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode as Permissions;
use nix::unistd::mkfifo;
use rstest::rstest;

use crate::support::{Host, Outcome, Snapshot, scenario, unix};

/// What must be as it was after each of these scenarios; the root filesystem may have got mount points.
const WATCHED: [&str; 3] = ["work", "run", "canary"];

/// What is in the way in the root filesystem.
#[derive(Clone, Copy, Debug)]
enum Obstacle {
    /// A symbolic link to the canary.
    Absolute,
    /// A symbolic link to the canary that climbs far above the root.
    Relative,
    /// A symbolic link to what does not exist in the canary: it must not come into being.
    Dangling,
    /// A symbolic link to a file of the canary.
    ToFile,
    /// A symbolic link to itself.
    Itself,
    /// A symbolic link to one that links back.
    Loop,
    /// A symbolic link that names the root directory of the process by way of /proc.
    ByProc,
    File,
    Fifo,
    Device,
    Directory,
}

/// Puts an obstacle at a path of the root filesystem, instead of what is there.
fn plant(host: &Host, rootfs: &Path, path: &str, obstacle: Obstacle) {
    let place = rootfs.join(path);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    if fs::symlink_metadata(&place).is_ok() {
        fs::remove_dir_all(&place).unwrap();
    }
    let canary = host.path("canary");
    let link = |target: &Path| symlink(target, &place).unwrap();
    match obstacle {
        Obstacle::Absolute => link(&canary),
        Obstacle::Relative => link(&Path::new(&"../".repeat(40)).join(canary.strip_prefix("/").unwrap())),
        Obstacle::Dangling => link(&canary.join("missing")),
        Obstacle::ToFile => link(&canary.join("CANARY")),
        Obstacle::Itself => link(Path::new(place.file_name().unwrap())),
        Obstacle::Loop => {
            let other = place.with_extension("other");
            link(Path::new(other.file_name().unwrap()));
            symlink(place.file_name().unwrap(), other).unwrap();
        }
        Obstacle::ByProc => link(&Path::new("/proc/self/root").join(canary.strip_prefix("/").unwrap())),
        Obstacle::File => fs::write(place, "in the way").unwrap(),
        Obstacle::Fifo => mkfifo(&place, Permissions::S_IRWXU).unwrap(),
        Obstacle::Device => make_device(&place, DeviceNumber::NULL),
        Obstacle::Directory => fs::create_dir(place).unwrap(),
    }
}

fn make_device(path: &Path, number: DeviceNumber) {
    let node = NodeMode { file_type: FileType::CharacterDevice, mode: Mode(0o666) };
    LinuxKernel.mknodat(Fd::CWD, unix(path), node, number).unwrap();
}

/// A host directory in which all is that a mount could go to by way of a symbolic link.
pub(crate) fn make_canary(host: &Host) -> PathBuf {
    let canary = host.path("canary");
    for directory in ["mesos/sandbox", "sandbox", "pts", "shm", "sys", "bus", "fs/cgroup", "irq", "firmware"] {
        let directory = canary.join(directory);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("CANARY"), "of the host").unwrap();
    }
    for file in ["CANARY", "null", "zero", "full", "random", "urandom", "tty", "ptmx", "kcore", "sysrq-trigger"] {
        fs::write(canary.join(file), "of the host").unwrap();
    }
    canary
}

/// A root filesystem, and a host that has run a container before: what that leaves is legitimate.
fn prepared(host: &Host) -> (PathBuf, Snapshot) {
    let rootfs = host.busybox();
    make_canary(host);
    host.run().rootfs(&rootfs).sh("true").success();
    // So that the directories for mount points have to be made again.
    fs::remove_dir_all(rootfs.join("mnt/mesos")).unwrap();
    (rootfs, Snapshot::of(host, &WATCHED))
}

fn shown(path: &Path) -> String {
    quoted(path.as_os_str().as_bytes()).to_string()
}

/// Finds out whether anything of the canary can be seen in the container, and whether its devices are real.
const NOTHING_OF_THE_CANARY: &str = "
    find /dev /sys/fs/cgroup /mnt -name 'CANARY*'
    grep canary /proc/self/mountinfo
    for path in /proc/sys /sys/firmware /dev/pts /dev/shm /dev/fd; do ls $path/CANARY; done 2>/dev/null
    for device in full null random tty urandom zero; do [ -c /dev/$device ] || echo no device $device; done
    [ \"$(readlink /dev/fd)\" = /proc/self/fd ] || echo no /dev/fd
    [ -c /dev/ptmx ] || echo no /dev/ptmx
    grep -q ' /dev/pts .* devpts ' /proc/self/mountinfo || echo no /dev/pts
    grep -q ' /sys/fs/cgroup .* tmpfs ' /proc/self/mountinfo || echo no /sys/fs/cgroup
    true";

#[rstest]
fn a_symbolic_link_in_place_of_a_mount_point_or_above_it_is_refused(
    #[values("dev", "proc", "sys", "mnt", "mnt/mesos", "mnt/mesos/sandbox")] path: &str,
    #[values(
        Obstacle::Absolute,
        Obstacle::Relative,
        Obstacle::Dangling,
        Obstacle::ToFile,
        Obstacle::Itself,
        Obstacle::Loop,
        Obstacle::ByProc
    )]
    obstacle: Obstacle,
) {
    scenario(&format!("{path} as a symbolic link ({obstacle:?})"), |host| {
        let (rootfs, before) = prepared(host);
        plant(host, &rootfs, path, obstacle);
        let outcome = host.run().rootfs(&rootfs).sh("true");
        let message = outcome.failure(125);
        let expected = format!("{} is a symbolic link, which is not followed here", shown(&rootfs.join(path)));
        assert!(message.starts_with("cofferdam: ") && message.contains(&expected), "{message}");
        before.assert_unchanged(host, &WATCHED);
    });
}

#[rstest]
fn something_else_in_place_of_a_directory_is_refused(
    #[values("dev", "proc", "sys", "mnt", "mnt/mesos", "mnt/mesos/sandbox")] path: &str,
    #[values(Obstacle::File, Obstacle::Fifo, Obstacle::Device)] obstacle: Obstacle,
) {
    scenario(&format!("{path} as something else ({obstacle:?})"), |host| {
        let (rootfs, before) = prepared(host);
        plant(host, &rootfs, path, obstacle);
        let outcome = host.run().rootfs(&rootfs).sh("true");
        let message = outcome.failure(125);
        // What is named is the mount point, which may be further down.
        let path = rootfs.join(path);
        assert!(message.starts_with("cofferdam: ") && message.contains(path.to_str().unwrap()), "{message}");
        assert!(message.contains("a component of the path is no directory"), "{message}");
        before.assert_unchanged(host, &WATCHED);
    });
}

#[rstest]
fn what_an_image_has_below_a_mount_of_ours_is_never_reached(
    #[values(
        "proc/sys",
        "proc/kcore",
        "sys/fs",
        "sys/fs/cgroup",
        "sys/firmware",
        "dev/pts",
        "dev/shm",
        "dev/null",
        "dev/tty",
        "dev/fd",
        "dev/stdin",
        "dev/ptmx"
    )]
    path: &str,
    #[values(
        Obstacle::Absolute,
        Obstacle::Relative,
        Obstacle::ToFile,
        Obstacle::Loop,
        Obstacle::File,
        Obstacle::Fifo,
        Obstacle::Directory
    )]
    obstacle: Obstacle,
) {
    scenario(&format!("{path} as {obstacle:?}"), |host| {
        let (rootfs, before) = prepared(host);
        plant(host, &rootfs, path, obstacle);
        assert_eq!(host.run().rootfs(&rootfs).sh(NOTHING_OF_THE_CANARY).success(), "");
        before.assert_unchanged(host, &WATCHED);
    });
}

#[test]
fn an_image_that_swaps_directories_for_links_while_it_is_mounted_leads_nothing_out() {
    scenario("an_image_that_swaps_directories_for_links_while_it_is_mounted_leads_nothing_out", |host| {
        let (rootfs, before) = prepared(host);
        let swap = |path: &str| {
            let (real, link) = (rootfs.join(path), rootfs.join(format!("{path}-link")));
            let (real, link) = (unix(&real).to_path_buf(), unix(&link).to_path_buf());
            LinuxKernel.renameat2(Fd::CWD, &real, Fd::CWD, &link, RenameFlags::RENAME_EXCHANGE).unwrap();
        };
        fs::create_dir_all(rootfs.join("mnt/mesos/sandbox")).unwrap();
        symlink(host.path("canary"), rootfs.join("mnt-link")).unwrap();
        symlink(host.path("canary"), rootfs.join("dev-link")).unwrap();
        let done = AtomicBool::new(false);
        let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    swap("mnt");
                    swap("dev");
                }
            });
            // Nothing in here may panic: the swapping would never end.
            let outcomes = (0..40).map(|_| host.run().rootfs(&rootfs).sh(NOTHING_OF_THE_CANARY)).collect();
            done.store(true, Ordering::Relaxed);
            outcomes
        });
        for outcome in outcomes {
            // The image may break its own /dev so, but sees nothing of the host.
            assert!(
                [0, 125].contains(&outcome.status) && !outcome.text().to_lowercase().contains("canary"),
                "{outcome:?}"
            );
        }
        before.assert_unchanged(host, &WATCHED);
    });
}

/// What is at `/dev/null` on a host.
#[derive(Clone, Copy, Debug)]
enum Null {
    File,
    Directory,
    Fifo,
    Symlink,
    AnotherDevice,
    Missing,
}

/// Gives the scenario's host a /dev of its own in which /dev/null is something else.
fn replace_null_device(host: &Host, null: Null) {
    let dev = host.path("dev");
    fs::create_dir(&dev).unwrap();
    host.mount("tmpfs", &dev, MountFlags::empty(), "mode=755");
    for name in ["full", "random", "tty", "urandom", "zero"] {
        let device = fs::metadata(Path::new("/dev").join(name)).unwrap();
        let (major, minor) = (nix::sys::stat::major(device.rdev()), nix::sys::stat::minor(device.rdev()));
        let number = DeviceNumber { major: u32::try_from(major).unwrap(), minor: u32::try_from(minor).unwrap() };
        make_device(&dev.join(name), number);
    }
    let place = dev.join("null");
    match null {
        Null::File => fs::write(place, "written to the null device").unwrap(),
        Null::Directory => fs::create_dir(place).unwrap(),
        Null::Fifo => mkfifo(&place, Permissions::S_IRWXU).unwrap(),
        Null::Symlink => symlink("zero", place).unwrap(),
        Null::AnotherDevice => make_device(&place, DeviceNumber { major: 1, minor: 5 }),
        Null::Missing => {}
    }
    host.bind(dev, "/dev");
}

#[rstest]
fn a_null_device_that_is_none_is_refused(
    #[values(Null::File, Null::Directory, Null::Fifo, Null::Symlink, Null::AnotherDevice, Null::Missing)] null: Null,
) {
    scenario(&format!("/dev/null is {null:?}"), |host| {
        let (rootfs, _) = prepared(host);
        replace_null_device(host, null);
        let before = Snapshot::of(host, &["work", "run", "canary", "dev", "rootfs"]);
        let mut run = host.run();
        run.command.stdin(tempfile::tempfile().unwrap());
        let outcome = run.rootfs(&rootfs).sh("head -c 9 /proc/timer_list");
        let message = outcome.failure(125);
        assert!(message.starts_with("cofferdam: ") && message.contains("/dev/null"), "{message}");
        // The mount points of the launcher are all that may have come.
        let changes = before.changes(&Snapshot::of(host, &["work", "run", "canary", "dev", "rootfs"]));
        assert!(changes.iter().all(|change| change.contains("/rootfs/mnt/mesos")), "{changes:?}");
    });
}

#[test]
fn a_file_bound_over_the_null_device_is_refused() {
    scenario("a_file_bound_over_the_null_device_is_refused", |host| {
        let (rootfs, _) = prepared(host);
        fs::write(host.path("canary/null"), "secret").unwrap();
        host.bind(host.path("canary/null"), "/dev/null");
        let before = Snapshot::of(host, &WATCHED);
        let mut run = host.run();
        run.command.stdin(tempfile::tempfile().unwrap());
        let message = run.rootfs(&rootfs).sh("true").failure(125).to_string();
        assert!(message.contains("\"/dev/null\"") && message.contains("not a device"), "{message}");
        before.assert_unchanged(host, &WATCHED);
    });
}

/// Runs a script in a container and expects that its sandbox is removed soon, and nothing else is touched.
fn sandbox_is_removed_after(name: &str, script: &str) {
    scenario(name, |host| {
        let (rootfs, before) = prepared(host);
        let script = format!("{script}\n echo ended at $(cut -d ' ' -f 1 /proc/uptime)");
        let mut run = host.run().rootfs(&rootfs);
        run.command.env("CANARY", host.path("canary"));
        let canary = format!("canary={}", host.path("canary").display());
        let printed = run.arg("--env").arg(canary).sh(&script).success();
        let ended: f64 = printed.trim().strip_prefix("ended at ").unwrap().parse().unwrap();
        let uptime = fs::read_to_string("/proc/uptime").unwrap();
        let now: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        assert!(now - ended < 10.0, "removing the sandbox took {} s", now - ended);
        before.assert_unchanged(host, &WATCHED);
    });
}

/// A chain of 5000 directories below the working directory, made without a path that is too long.
const DEEP: &str = "
    path=$(printf 'd/%.0s' $(seq 1000))
    for i in 1 2 3 4 5; do mkdir -p $path && cd -P $path 2>/dev/null || echo mkdir failed; done
    echo deepest > file; cd /mnt/mesos/sandbox;";

#[rstest]
#[case::deep_directories(DEEP)]
#[case::many_files("i=0; while [ $i -lt 20000 ]; do : > $i; i=$((i+1)); done")]
#[case::many_directories("seq 8000 | xargs mkdir")]
#[case::files_and_directories_mixed("seq 2000 | xargs mkdir; i=0; while [ $i -lt 4000 ]; do : > f$i; i=$((i+1)); done")]
#[case::a_wide_tree("for a in $(seq 30); do mkdir $a; for b in $(seq 30); do mkdir $a/$b; : > $a/$b/f; done; done")]
#[case::names_of_255_bytes("n=$(printf 'n%.0s' $(seq 255)); mkdir -p $n/$n/$n; echo x > $n/$n/$n/$n; ln -s $n l")]
#[case::names_of_any_bytes(
    "mkdir \"$(printf 'a\\nb')\" \"$(printf '\\377\\001')\"; : > '-rf'; : > ' '; : > '*'; mkdir ..."
)]
#[case::links_out("ln -s $canary l; ln -s $canary/CANARY f; ln -s / r; mkdir d; ln -s $canary d/l; ln -s ../.. d/up")]
#[case::nested_links("ln -s l1 l0; i=1; while [ $i -lt 60 ]; do ln -s l$((i+1)) l$i; i=$((i+1)); done; ln -s l0 l60")]
#[case::special_files("mkfifo fifo; mkdir d; mkfifo d/fifo; echo x > a; ln a b; ln a d/c")]
#[case::no_permissions("mkdir -p d/e; echo x > d/e/f; chmod 0 d/e/f d/e d; chmod 0 .")]
#[case::a_set_user_id_program("cp /bin/busybox su; chmod 4755 su; chmod 1777 .")]
#[case::files_in_the_way_of_moving_up("{deep} for i in $(seq 0 90); do echo x > .cofferdam-removing-$i; done")]
#[case::directories_in_the_way_of_moving_up(
    "{deep} for i in $(seq 0 90); do mkdir -p .cofferdam-removing-$i/a/b; done"
)]
#[case::links_in_the_way_of_moving_up("{deep} for i in $(seq 0 90); do ln -s $canary .cofferdam-removing-$i; done")]
#[case::deep_directories_in_the_way_of_moving_up("mkdir .cofferdam-removing-0; cd .cofferdam-removing-0; {deep}")]
#[case::moving_up_into_itself(
    "for i in $(seq 0 90); do mkdir -p .cofferdam-removing-$i/$(printf '.cofferdam-removing-%d/' $(seq 1 80)); done"
)]
fn a_sandbox_is_removed_whatever_is_in_it(#[case] script: &str) {
    sandbox_is_removed_after(script, &script.replace("{deep}", DEEP));
}

#[test]
fn a_hard_link_to_a_file_of_the_host_is_removed_and_the_file_stays() {
    scenario("a_hard_link_to_a_file_of_the_host_is_removed_and_the_file_stays", |host| {
        make_canary(host);
        host.run().sh("true").success();
        // A link can't cross from one mount to another one, and the sandbox is one, but for somebody who sees what is below it.
        let aside = host.path("aside");
        fs::create_dir(&aside).unwrap();
        host.bind(host.work_dir(), &aside);
        host.propagation(&aside, MountFlags::MS_PRIVATE, false);
        let mut running = host.run().id("linked").spawn(["/bin/sh", "-c", "echo ready; sleep 1000"]);
        running.wait_for("ready");
        let before = host.tree("work/outside");
        fs::write(host.path("work/outside"), "stays").unwrap();
        fs::set_permissions(host.path("work/outside"), fs::Permissions::from_mode(0o4751)).unwrap();
        let sandbox = aside.join(host.sandbox("linked").strip_prefix(host.work_dir()).unwrap());
        fs::hard_link(aside.join("outside"), sandbox.join("inside")).unwrap();
        running.send(Signal::SIGTERM);
        assert_eq!(running.outcome().status, 143);
        assert!(before.is_empty() && !host.work_dir().join("slaves").exists());
        let outside = fs::metadata(host.path("work/outside")).unwrap();
        assert_eq!((outside.nlink(), outside.mode() & 0o7777), (1, 0o4751));
        assert_eq!(fs::read_to_string(host.path("work/outside")).unwrap(), "stays");
    });
}

#[test]
fn a_sandbox_that_the_program_has_replaced_by_a_link_is_not_followed() {
    scenario("a_sandbox_that_the_program_has_replaced_by_a_link_is_not_followed", |host| {
        let canary = make_canary(host);
        host.run().sh("true").success();
        let before = Snapshot::of(host, &["canary"]);
        // Without a root filesystem a program of root can do so if it may unmount: it sees the host's filesystem.
        let script = format!(
            "cd / && ! rmdir $MESOS_SANDBOX 2>/dev/null && umount $MESOS_SANDBOX && rmdir $MESOS_SANDBOX && \
             ln -s {} $MESOS_SANDBOX",
            canary.display()
        );
        let outcome = host.run().id("replaced").arg("--privileged").sh(&script);
        let message = outcome.failure(125);
        assert!(message.contains(&shown(&host.sandbox("replaced"))), "{message}");
        before.assert_unchanged(host, &["canary"]);
    });
}

#[test]
fn a_sandbox_that_the_program_has_removed_is_nothing_to_complain_about() {
    scenario("a_sandbox_that_the_program_has_removed_is_nothing_to_complain_about", |host| {
        host.run().sh("true").success();
        let before = Snapshot::of(host, &["work", "run"]);
        host.run().arg("--privileged").sh("cd / && umount $MESOS_SANDBOX && rmdir $MESOS_SANDBOX").success();
        before.assert_unchanged(host, &["work", "run"]);
    });
}

#[rstest]
#[case::a_tmpfs("mount -t tmpfs tmpfs $MESOS_SANDBOX/m && echo data > $MESOS_SANDBOX/m/file")]
#[case::a_shared_bind("mount --bind / $MESOS_SANDBOX/m && mount --make-rshared / && mount -t tmpfs tmpfs /mnt/mesos")]
#[case::over_the_sandbox("mount -t tmpfs tmpfs $MESOS_SANDBOX && echo data > $MESOS_SANDBOX/file")]
#[case::unmounting_all("umount -l /proc; umount -l /sys; umount -l /dev; umount -l $MESOS_SANDBOX; true")]
fn mounts_of_a_privileged_program_stay_in_its_namespace(#[case] script: &str) {
    scenario(script, |host| {
        let (rootfs, before) = prepared(host);
        let script = format!("mkdir $MESOS_SANDBOX/m && {script}");
        host.run().rootfs(&rootfs).arg("--privileged").sh(&script).success();
        before.assert_unchanged(host, &WATCHED);
    });
}

#[test]
fn a_program_without_privileges_can_neither_mount_nor_unmount() {
    scenario("a_program_without_privileges_can_neither_mount_nor_unmount", |host| {
        let (rootfs, before) = prepared(host);
        let script = "
            mkdir m
            mount -t tmpfs tmpfs m 2>/dev/null && echo mounted
            mount --bind / m 2>/dev/null && echo bound
            mount -o remount,rw /sys 2>/dev/null && echo remounted
            umount /proc/timer_list 2>/dev/null && echo unmasked
            unshare -m true 2>/dev/null && echo unshared
            true";
        assert_eq!(host.run().rootfs(&rootfs).sh(script).success(), "");
        before.assert_unchanged(host, &WATCHED);
    });
}

#[test]
fn a_mount_that_the_host_made_below_the_sandbox_is_detached_and_its_data_stays() {
    scenario("a_mount_that_the_host_made_below_the_sandbox_is_detached_and_its_data_stays", |host| {
        let (rootfs, before) = prepared(host);
        let script = "echo ready; while [ ! -e extra/file ]; do sleep 0.01; done; cat extra/file; sleep 1000";
        let mut running = host.run().rootfs(&rootfs).id("mounted").spawn(["/bin/sh", "-c", script]);
        running.wait_for("ready");
        let extra = host.sandbox("mounted").join("extra");
        for directory in [&extra, &host.path("kept")] {
            fs::create_dir(directory).unwrap();
        }
        host.mount("tmpfs", &extra, MountFlags::empty(), "mode=755");
        host.bind(&extra, host.path("kept"));
        fs::write(extra.join("file"), "survives").unwrap();
        // It reaches the container, as volumes do.
        running.wait_for("survives");
        running.send(Signal::SIGTERM);
        assert_eq!(running.outcome().status, 143);
        assert_eq!(fs::read_to_string(host.path("kept/file")).unwrap(), "survives");
        host.umount(host.path("kept"));
        before.assert_unchanged(host, &WATCHED);
    });
}

#[test]
fn a_file_system_that_the_host_left_in_a_sandbox_twice_is_detached_twice() {
    scenario("a_file_system_that_the_host_left_in_a_sandbox_twice_is_detached_twice", |host| {
        let (rootfs, before) = prepared(host);
        let mut running = host.run().rootfs(&rootfs).id("stack").spawn(["/bin/sh", "-c", "echo ready; sleep 1000"]);
        running.wait_for("ready");
        let sandbox = host.sandbox("stack");
        fs::create_dir(sandbox.join("a")).unwrap();
        for target in ["a", "a", "a/b", ""] {
            let _ = fs::create_dir(sandbox.join(target));
            host.mount("tmpfs", sandbox.join(target), MountFlags::empty(), "mode=755");
        }
        running.send(Signal::SIGTERM);
        assert_eq!(running.outcome().status, 143);
        before.assert_unchanged(host, &WATCHED);
    });
}

/// The loops in the image concern only what resolves them.
#[test]
fn an_image_full_of_nested_links_runs() {
    scenario("an_image_full_of_nested_links_runs", |host| {
        let (rootfs, before) = prepared(host);
        for number in 0..60 {
            symlink(format!("link{}", number + 1), rootfs.join(format!("etc/link{number}"))).unwrap();
        }
        fs::write(rootfs.join("etc/link60"), "the end").unwrap();
        let name = "n".repeat(255);
        fs::create_dir_all(rootfs.join(&name).join(&name).join(&name)).unwrap();
        let script = "cat /etc/link25 && ! cat /etc/link0 2>/dev/null && ls -d /nnn*";
        assert_eq!(host.run().rootfs(&rootfs).sh(script).success(), format!("the end/{name}\n"));
        before.assert_unchanged(host, &WATCHED);
    });
}

#[test]
fn a_test_for_links_would_notice_one_that_is_followed() {
    scenario("a_test_for_links_would_notice_one_that_is_followed", |host| {
        let (_, before) = prepared(host);
        host.mount("tmpfs", host.path("canary/mesos/sandbox"), MountFlags::empty(), "mode=755");
        let after = Snapshot::of(host, &WATCHED);
        assert!(before.changes(&after).iter().any(|change| change.starts_with("+ mount: ")), "{after:?}");
        host.umount(host.path("canary/mesos/sandbox"));
        fs::write(host.path("canary/CANARY"), "changed").unwrap();
        assert_eq!(before.changes(&Snapshot::of(host, &WATCHED)).len(), 2);
    });
}

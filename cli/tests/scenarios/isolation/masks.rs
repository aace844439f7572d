//! Masked and read-only paths stay so, whatever the program tries.

use std::path::Path;

use crate::support::scenario;

const MASKED: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/key-users",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/firmware",
];

const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The paths to mask that this kernel has.
pub(super) fn masked_paths() -> Vec<&'static str> {
    MASKED.into_iter().filter(|path| Path::new(path).exists()).collect()
}

fn read_only_paths() -> Vec<&'static str> {
    READ_ONLY.into_iter().filter(|path| Path::new(path).exists()).collect()
}

/// Prints what of the masked paths shows through.
const SHOW: &str = r#"
show() {
    for path in "$@"; do
        if [ -d "$path" ]; then
            ls -A "$path"
            mkdir "$path/new" 2>/dev/null && echo "$path: written to"
            [ "$(stat -f -c %T "$path")" = tmpfs ] || echo "$path: not masked"
        else
            cat "$path"
            [ "$(stat -c %t:%T "$path")" = 1:3 ] || echo "$path: not masked"
        fi
    done
}
"#;

#[test]
fn masked_paths_are_empty_and_swallow_writes() {
    scenario("masked_paths_are_empty_and_swallow_writes", |host| {
        let masked = masked_paths();
        assert!(masked.iter().any(|path| Path::new(path).is_file()), "this kernel has none to test with");
        let script = format!(
            "{SHOW} set -- {}; show \"$@\"; for path; do [ -d $path ] || echo written >$path; done; show \"$@\"",
            masked.join(" ")
        );
        assert_eq!(host.run().rootfs(host.busybox()).sh(&script).success(), "");
    });
}

#[test]
fn without_masks_the_same_paths_show_something() {
    scenario("without_masks_the_same_paths_show_something", |host| {
        let script = format!("{SHOW} show {}", masked_paths().join(" "));
        let shown = host.run().rootfs(host.busybox()).arg("--share-pid").sh(&script).text();
        for path in masked_paths() {
            assert!(shown.contains(&format!("{path}: not masked\n")), "{shown}");
        }
    });
}

#[test]
fn masks_can_not_be_unmounted_by_root() {
    scenario("masks_can_not_be_unmounted_by_root", |host| {
        let script = format!(
            "{SHOW} set -- {}; for path; do umount $path 2>&1; umount -l $path 2>&1; done; show \"$@\"",
            masked_paths().join(" ")
        );
        let expected = masked_paths()
            .iter()
            .map(|path| format!("umount: can't unmount {path}: Operation not permitted\n").repeat(2))
            .collect::<String>();
        assert_eq!(host.run().rootfs(host.busybox()).sh(&script).success(), expected);
    });
}

#[test]
fn masks_can_not_be_unmounted_in_a_new_user_namespace() {
    scenario("masks_can_not_be_unmounted_in_a_new_user_namespace", |host| {
        // There it has all capabilities, but the mounts came from a namespace with more privileges and are locked.
        let script = format!(
            "{SHOW} set -- {}; for path; do umount $path 2>&1; umount -l $path 2>&1; done; show \"$@\"; \
             mount -t tmpfs tmpfs /tmp && echo it may mount",
            masked_paths().join(" ")
        );
        let expected = masked_paths()
            .iter()
            .map(|path| format!("umount: can't unmount {path}: Invalid argument\n").repeat(2))
            .collect::<String>();
        let outcome =
            host.run().rootfs(host.busybox()).program(["/usr/bin/unshare", "-Urm", "/bin/sh", "-c", script.as_str()]);
        assert_eq!(outcome.success(), expected + "it may mount\n");
    });
}

#[test]
fn a_new_user_namespace_gives_no_unmasked_proc_or_sys() {
    scenario("a_new_user_namespace_gives_no_unmasked_proc_or_sys", |host| {
        let script = "umount /proc 2>&1; umount -l /proc 2>&1; mount -t proc proc /tmp 2>&1; mount -t sysfs sysfs /tmp \
                      2>&1; mount --bind /proc /tmp 2>&1; ls /tmp";
        let outcome =
            host.run().rootfs(host.busybox()).program(["/usr/bin/unshare", "-Urmpf", "/bin/sh", "-c", script]);
        let expected = "umount: can't unmount /proc: Invalid argument\n\
                        umount: can't unmount /proc: Invalid argument\n\
                        mount: permission denied (are you root?)\n\
                        mount: permission denied (are you root?)\n\
                        mount: mounting /proc on /tmp failed: Invalid argument\n";
        assert_eq!(outcome.success(), expected);
    });
}

#[test]
fn kernel_settings_are_read_only_and_stay_so() {
    scenario("kernel_settings_are_read_only_and_stay_so", |host| {
        let script = "
            for path in $paths; do
                touch $path 2>&1
                mount -o remount,rw,bind $path 2>&1
                umount $path 2>&1
            done
            (echo changed >/proc/sys/kernel/hostname) 2>&1
            (: >/sys/kernel/uevent_helper) 2>&1
            mkdir /sys/fs/cgroup/mine && rmdir /sys/fs/cgroup/mine";
        let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let paths = format!("paths={}", read_only_paths().join(" "));
        let refused = |umount: &str| {
            let each = read_only_paths().into_iter().map(|path| {
                format!(
                    "touch: {path}: Read-only file system\nmount: permission denied (are you root?)\n\
                     umount: can't unmount {path}: {umount}\n"
                )
            });
            each.collect::<String>()
                + "/bin/sh: can't create /proc/sys/kernel/hostname: Read-only file system\n\
                   /bin/sh: can't create /sys/kernel/uevent_helper: Read-only file system\n"
        };
        let rootfs = host.busybox();
        let run = || host.run().rootfs(&rootfs).arg("--env").arg(&paths);
        assert_eq!(run().sh(script).success(), refused("Operation not permitted"));
        let outcome = run().program(["/usr/bin/unshare", "-Urm", "/bin/sh", "-c", script]);
        assert_eq!(outcome.success(), refused("Invalid argument"));
        assert_eq!(std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), hostname);
    });
}

//! `/dev` of a container with its own root filesystem.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use crate::support::scenario;

const DEVICES: [(&str, u32, u32); 6] =
    [("full", 1, 7), ("null", 1, 3), ("random", 1, 8), ("tty", 5, 0), ("urandom", 1, 9), ("zero", 1, 5)];

#[test]
fn dev_holds_exactly_the_standard_devices_and_links() {
    scenario("dev_holds_exactly_the_standard_devices_and_links", |host| {
        let mut expected = vec![
            "directory /dev".to_string(),
            "link /dev/fd -> /proc/self/fd".into(),
            "link /dev/ptmx -> pts/ptmx".into(),
            "directory /dev/pts".into(),
            "character special file 666 5:2 /dev/pts/ptmx".into(),
            "directory /dev/shm".into(),
            "link /dev/stderr -> /proc/self/fd/2".into(),
            "link /dev/stdin -> /proc/self/fd/0".into(),
            "link /dev/stdout -> /proc/self/fd/1".into(),
        ];
        for (name, major, minor) in DEVICES {
            let mode = std::fs::metadata(format!("/dev/{name}")).unwrap().permissions().mode() & 0o7777;
            expected.push(format!("character special file {mode:o} {major:x}:{minor:x} /dev/{name}"));
        }
        let script = "find /dev | while read -r path; do
            if [ -L $path ]; then echo link $path '->' $(readlink $path)
            elif [ -d $path ]; then echo directory $path
            else stat -c '%F %a %t:%T %n' $path
            fi
        done";
        let found = host.run().rootfs(host.busybox()).sh(script).success();
        let sorted = |lines: Vec<&str>| {
            let mut lines: Vec<String> = lines.into_iter().map(String::from).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(found.lines().collect()), sorted(expected.iter().map(String::as_str).collect()));
    });
}

#[test]
fn devices_do_what_their_names_say() {
    scenario("devices_do_what_their_names_say", |host| {
        let script = "
            echo gone >/dev/null; wc -c </dev/null
            head -c 3 /dev/zero | hexdump -C | head -n 1
            (echo x >/dev/full) 2>&1
            head -c 16 /dev/random | wc -c
            head -c 16 /dev/urandom | wc -c
            echo written >/dev/stdout
            echo read | cat /dev/stdin /dev/fd/3 3<<end\nhere\nend\n
            echo written >/dev/stderr
            (: </dev/tty) 2>&1
            echo shared >/dev/shm/file; cat /dev/shm/file";
        let outcome = host.run().rootfs(host.busybox()).sh(script);
        let expected = "0\n00000000  00 00 00                                          |...|\n\
                        sh: write error: No space left on device\n16\n16\nwritten\nread\nhere\n\
                        /bin/sh: can't open /dev/tty: No such device or address\nshared\n";
        assert_eq!((outcome.status, outcome.text().as_str(), outcome.stderr.as_str()), (0, expected, "written\n"));
    });
}

#[test]
fn a_pseudo_terminal_can_be_opened() {
    scenario("a_pseudo_terminal_can_be_opened", |host| {
        let script = "exec 3<>/dev/ptmx; ls /dev/pts; stat -c '%F %a %u:%g' /dev/pts/0; exec 3>&-; ls /dev/pts";
        let expected = "0\nptmx\ncharacter special file 620 0:5\nptmx\n";
        assert_eq!(host.run().rootfs(host.busybox()).sh(script).success(), expected);
    });
}

#[test]
fn no_other_device_can_be_made() {
    scenario("no_other_device_can_be_made", |host| {
        let rootfs = host.busybox();
        let script = "for path in /dev/kmsg /node ./node data/node; do mknod $path c 1 11 2>&1; done";
        let expected = ["/dev/kmsg", "/node", "./node", "data/node"]
            .map(|path| format!("mknod: {path}: Operation not permitted\n"))
            .concat();
        let outcome = host.run().rootfs(&rootfs).volume("web/db:data").sh(script);
        assert_eq!((outcome.status, outcome.text()), (1, expected), "{outcome:?}");
        assert!(!rootfs.join("node").exists());
    });
}

#[test]
fn devices_of_another_user_are_usable_and_their_directory_is_not() {
    scenario("devices_of_another_user_are_usable_and_their_directory_is_not", |host| {
        let mut container = host
            .run()
            .rootfs(host.busybox())
            .id("c1")
            .arg("--user")
            .arg("1234:5678")
            .start("echo x >/dev/null && head -c 2 /dev/zero | wc -c; read -r _");
        assert_eq!(container.line(), "2");
        let devices = std::fs::metadata(host.runtime_dir().join("containers/c1/devices")).unwrap();
        assert_eq!((devices.mode() & 0o7777, devices.uid(), devices.gid()), (0o700, 1234, 5678));
        container.finish().success();
        assert!(!host.runtime_dir().join("containers/c1").exists());
    });
}

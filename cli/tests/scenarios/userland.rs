//! A distribution's own programs, from an image that is used as it is: read-only, with a tmpfs where the sandbox goes.

use std::fs;
use std::path::PathBuf;

use cofferdam::kernel::MountFlags;

use crate::support::{Host, Run, example_rootfs, scenario};

fn image(host: &Host) -> PathBuf {
    let image = host.path("debian");
    fs::create_dir(&image).unwrap();
    host.bind(example_rootfs("debian-rootfs.sh"), &image);
    host.remount_read_only(&image);
    host.mount("tmpfs", image.join("mnt"), MountFlags::empty(), "mode=755");
    image
}

fn run(host: &Host) -> Run {
    host.run().rootfs(image(host)).volume("web/db:data")
}

#[test]
fn bash_starts() {
    scenario("bash_starts", |host| {
        let version =
            run(host).program(["/bin/bash", "-c", "echo $BASH_VERSION; [[ $PWD == /mnt/mesos/sandbox ]]"]).success();
        assert!(version.contains("-release"), "{version}");
    });
}

#[test]
fn apt_starts() {
    scenario("apt_starts", |host| {
        let version = run(host).program(["apt-get", "--version"]).success();
        assert!(version.starts_with("apt "), "{version}");
    });
}

#[test]
fn coreutils_see_the_container() {
    scenario("coreutils_see_the_container", |host| {
        assert_eq!(run(host).program(["ls", "/mnt/mesos/sandbox"]).success(), "data\n");
        assert_eq!(
            host.run().rootfs(host.path("debian")).program(["id"]).success().split(' ').next(),
            Some("uid=0(root)")
        );
        let script =
            "df --output=target . && findmnt -n -o FSTYPE /dev/pts && stat -c %t:%T /dev/null && mountpoint /proc";
        let outcome = host.run().rootfs(host.path("debian")).sh(script).success();
        assert_eq!(outcome, "Mounted on\n/mnt/mesos/sandbox\ndevpts\n1:3\n/proc is a mountpoint\n");
    });
}

#[test]
fn a_user_of_the_image_can_be_named_by_number() {
    scenario("a_user_of_the_image_can_be_named_by_number", |host| {
        let outcome = run(host).arg("--user").arg("33:33").sh("id -un; id -gn; echo kept >data/file");
        assert_eq!(outcome.success(), "www-data\nwww-data\n");
    });
}

#[test]
fn a_program_gets_a_terminal_of_the_containers_own() {
    scenario("a_program_gets_a_terminal_of_the_containers_own", |host| {
        let script = "script -qec 'tty; echo seen >/dev/tty; stty size' /dev/null </dev/null | tr -d '\\r'";
        let outcome = run(host).sh(script).success();
        assert!(outcome.starts_with("/dev/pts/0\nseen\n"), "{outcome}");
    });
}

#[test]
fn set_user_id_programs_of_the_image_work() {
    scenario("set_user_id_programs_of_the_image_work", |host| {
        // The image is not mounted with nosuid, unlike /dev and /proc.
        let script =
            "stat -c %A /usr/bin/su; grep -c nosuid /proc/self/mountinfo; awk '$5 == \"/\"' /proc/self/mountinfo";
        let outcome = run(host).sh(script).success();
        assert!(outcome.starts_with("-rws"), "{outcome}");
        assert!(!outcome.lines().last().unwrap().contains("nosuid"), "{outcome}");
    });
}

#[test]
fn pipelines_and_here_documents_of_bash_work() {
    scenario("pipelines_and_here_documents_of_bash_work", |host| {
        let script = "cat <(echo one) <(echo two) && read -r line <<<three && echo $line | tee >(cat >/dev/null)";
        assert_eq!(run(host).program(["bash", "-c", script]).success(), "one\ntwo\nthree\n");
    });
}

#[test]
fn the_image_stays_as_it_is() {
    scenario("the_image_stays_as_it_is", |host| {
        let outcome = run(host).sh("touch /etc/new 2>&1; rm /etc/passwd 2>&1");
        assert_eq!(outcome.text().matches("Read-only file system").count(), 2, "{outcome:?}");
        assert!(!example_rootfs("debian-rootfs.sh").join("etc/new").exists());
    });
}

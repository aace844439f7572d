//! The sandbox and the volumes in it.

use std::fs;

use crate::support::scenario;

#[test]
fn a_volume_outlives_the_container_and_its_sandbox() {
    scenario("a_volume_outlives_the_container_and_its_sandbox", |host| {
        let rootfs = host.busybox();
        let run = || host.run().rootfs(&rootfs).volume("web/db:data");
        run().sh("echo kept > data/file").success();
        let volume = host.work_dir().join("volumes/roles/web/db/file");
        assert_eq!(fs::read_to_string(volume).unwrap(), "kept\n");
        assert_eq!(run().sh("cat data/file").success(), "kept\n");
        assert!(!host.work_dir().join("slaves").exists());
    });
}

#[test]
fn the_program_works_in_the_sandbox() {
    scenario("the_program_works_in_the_sandbox", |host| {
        let rootfs = host.busybox();
        assert_eq!(host.run().rootfs(&rootfs).program(["/bin/pwd"]).success(), "/mnt/mesos/sandbox\n");
        let mut container = host.run().rootfs(&rootfs).id("c1").start("pwd; echo here >file; echo written; read -r _");
        assert_eq!(container.line(), "/mnt/mesos/sandbox");
        assert_eq!(container.line(), "written");
        assert_eq!(fs::read_to_string(host.sandbox("c1").join("file")).unwrap(), "here\n");
        container.finish().success();
        assert!(!host.sandbox("c1").exists());
    });
}

#[test]
fn a_read_only_volume_is_read_only_in_the_container() {
    scenario("a_read_only_volume_is_read_only_in_the_container", |host| {
        let rootfs = host.busybox();
        let volume = "work/volumes/roles/eng web/db";
        fs::create_dir_all(host.path(volume)).unwrap();
        fs::write(host.path(volume).join("file"), "as it was\n").unwrap();
        let before = host.tree(volume);
        let script = "cat data/file; (echo x >data/file) 2>&1; (: >data/new) 2>&1; rm data/file 2>&1; touch data 2>&1
            mount -o remount,rw,bind data 2>&1";
        let expected = |umount: &str| {
            format!(
                "as it was\n/bin/sh: can't create data/file: Read-only file system\n\
                 /bin/sh: can't create data/new: Read-only file system\n\
                 rm: can't remove 'data/file': Read-only file system\ntouch: data: Read-only file system\n\
                 mount: {umount}\n"
            )
        };
        let run = || host.run().rootfs(&rootfs).volume("eng/web/db:data:ro");
        assert_eq!(run().sh(script).text(), expected("permission denied (are you root?)"));
        let outcome = run().program(["/usr/bin/unshare", "-Urm", "/bin/sh", "-c", script]);
        assert_eq!(outcome.text(), expected("permission denied (are you root?)"));
        assert_eq!(host.tree(volume), before);
        // Only that mount of it is read-only.
        host.run().rootfs(&rootfs).volume("eng/web/db:data:rw").sh("echo changed >data/file").success();
        assert_ne!(host.tree(volume), before);
    });
}

#[test]
fn several_volumes_in_one_sandbox() {
    scenario("several_volumes_in_one_sandbox", |host| {
        let run = host.run().rootfs(host.busybox()).volume("web/a:a").volume("web/b:b").volume("web/a:again:ro");
        assert_eq!(run.sh("echo a >a/file; echo b >b/file; cat again/file; ls").success(), "a\na\nagain\nb\n");
        let content = |id: &str| fs::read_to_string(host.work_dir().join("volumes/roles/web").join(id).join("file"));
        assert_eq!((content("a").unwrap(), content("b").unwrap()), ("a\n".into(), "b\n".into()));
    });
}

#[test]
fn a_mount_on_the_host_arrives_in_a_running_container_and_goes() {
    scenario("a_mount_on_the_host_arrives_in_a_running_container_and_goes", |host| {
        for run in [host.run().rootfs(host.busybox()), host.run()] {
            let mut container = run.id("c1").volume("web/db:data").start(
                "echo started; while read -r _; do cat late/file; grep -c '/late ' /proc/self/mountinfo; done 2>&1; :",
            );
            container.line();
            let late = host.sandbox("c1").join("late");
            fs::create_dir(&late).unwrap();
            host.mount("tmpfs", &late, cofferdam::kernel::MountFlags::empty(), "mode=755");
            fs::write(late.join("file"), "has come\n").unwrap();
            container.say("");
            assert_eq!((container.line(), container.line()), ("has come".into(), "1".into()));
            host.umount(&late);
            container.say("");
            assert!(container.line().contains("No such file"));
            assert_eq!(container.line(), "0");
            container.finish().success();
        }
    });
}

#[test]
fn an_unmount_on_the_host_reaches_a_container_that_has_a_file_open_there() {
    scenario("an_unmount_on_the_host_reaches_a_container_that_has_a_file_open_there", |host| {
        let mut container = host
            .run()
            .rootfs(host.busybox())
            .id("c1")
            .volume("web/db:data")
            .start("exec 3>data/file; echo started; read -r _; ls -A data; echo end; read -r _");
        container.line();
        let flags = cofferdam::kernel::UmountFlags::MNT_DETACH;
        let data = host.sandbox("c1").join("data");
        cofferdam::kernel::Kernel::umount2(&cofferdam_linux::LinuxKernel, crate::support::unix(&data), flags).unwrap();
        container.say("");
        assert_eq!(container.lines_until("end"), "");
        container.finish().success();
    });
}

//! The host's root is out of reach.

use crate::support::{Host, install_probe, scenario};

/// Prints every way in /proc that leads to a directory with a file that only the host has.
const WAYS_OUT: &str = r#"
tried=0
for way in /proc/[0-9]*/root /proc/[0-9]*/cwd /proc/[0-9]*/fd/* /proc/[0-9]*/task/*/root /proc/self/fd/*; do
    tried=$((tried + 1))
    for below in "$marker" /../../../../../../../.."$marker" /marker /../marker /../../marker; do
        [ -e "$way$below" ] && echo "$way$below"
    done
done
[ -e "/../../..$marker" ] && echo /..
cd /; cd ../../../..; [ -e ".$marker" ] && echo ..
[ $tried -gt 10 ] || echo "tried only $tried ways"
true
"#;

/// A file of the host's, above the root filesystem.
fn marker(host: &Host) -> String {
    std::fs::write(host.path("marker"), "").unwrap();
    format!("marker={}", host.path("marker").display())
}

#[test]
fn no_way_in_proc_leads_to_the_host() {
    scenario("no_way_in_proc_leads_to_the_host", |host| {
        let marker = marker(host);
        let rootfs = host.busybox();
        let run = || host.run().rootfs(&rootfs).volume("web/db:data").arg("--env").arg(&marker);
        assert_eq!(run().sh(WAYS_OUT).success(), "");
        // Those that only the capability to trace shows lead nowhere else.
        assert_eq!(run().arg("--privileged").sh(WAYS_OUT).success(), "");
    });
}

#[test]
fn the_same_ways_lead_out_where_processes_are_shared() {
    scenario("the_same_ways_lead_out_where_processes_are_shared", |host| {
        let marker = marker(host);
        let run = host.run().rootfs(host.busybox()).arg("--env").arg(&marker);
        let ways = run.arg("--privileged").arg("--share-pid").sh(WAYS_OUT).text();
        assert!(ways.contains("/root/"), "{ways}");
    });
}

#[test]
fn init_shows_nothing_of_itself() {
    scenario("init_shows_nothing_of_itself", |host| {
        let script =
            "for file in root cwd exe fd/0; do readlink /proc/1/$file; done; cat /proc/1/environ /proc/1/maps 2>&1
            head -c 1 /proc/1/exe 2>&1; true";
        let expected = "cat: can't open '/proc/1/environ': Permission denied\n\
                        cat: can't open '/proc/1/maps': Permission denied\n\
                        head: /proc/1/exe: Permission denied\n";
        assert_eq!(host.run().rootfs(host.busybox()).sh(script).success(), expected);
    });
}

#[test]
fn root_and_working_directory_of_all_processes_are_the_containers() {
    scenario("root_and_working_directory_of_all_processes_are_the_containers", |host| {
        let script = "for process in 1 $$; do readlink /proc/$process/root; readlink /proc/$process/cwd; done
            [ /proc/1/root/bin -ef /bin ] && echo same";
        let outcome = host.run().rootfs(host.busybox()).arg("--privileged").sh(script);
        assert_eq!(outcome.success(), "/\n/\n/\n/mnt/mesos/sandbox\nsame\n");
    });
}

#[test]
fn chroot_escapes_end_in_the_containers_root() {
    scenario("chroot_escapes_end_in_the_containers_root", |host| {
        let rootfs = host.busybox();
        install_probe(&rootfs);
        let names = host.run().rootfs(&rootfs).program(["/bin/ls", "-A", "/"]).success();
        assert!(names.contains("probe\n"));
        for escape in ["chroot-escape", "chroot-escape-by-descriptor"] {
            assert_eq!(host.run().rootfs(&rootfs).program(["/probe", escape]).success(), names);
        }
    });
}

#[test]
fn files_can_not_be_opened_by_handle() {
    scenario("files_can_not_be_opened_by_handle", |host| {
        let rootfs = host.busybox();
        install_probe(&rootfs);
        let refused = "open: Operation not permitted (os error 1)\nguess: Operation not permitted (os error 1)\n";
        assert_eq!(host.run().rootfs(&rootfs).program(["/probe", "handle"]).success(), refused);
        // The probe can do it where it may.
        let allowed = host.run().rootfs(&rootfs).arg("--privileged").program(["/probe", "handle"]).success();
        assert!(allowed.starts_with("open: opened Ok("), "{allowed}");
    });
}

#[test]
fn a_user_namespace_gives_no_handles_either() {
    scenario("a_user_namespace_gives_no_handles_either", |host| {
        let rootfs = host.busybox();
        install_probe(&rootfs);
        let refused = "open: Operation not permitted (os error 1)\nguess: Operation not permitted (os error 1)\n";
        let argv = ["/usr/bin/unshare", "-Urm", "/probe", "handle"];
        assert_eq!(host.run().rootfs(&rootfs).program(argv).success(), refused);
    });
}

#[test]
fn the_host_can_not_be_traced_or_signalled() {
    scenario("the_host_can_not_be_traced_or_signalled", |host| {
        let script = format!("ls -d /proc/{} 2>&1; kill -0 {} 2>&1; true", std::process::id(), std::process::id());
        let outcome = host.run().rootfs(host.busybox()).sh(&script).success();
        assert_eq!(outcome.matches("No such").count(), 2, "{outcome}");
    });
}

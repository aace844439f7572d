//! What the program may do.

use cofferdam::agent::CONTAINER_CAPABILITIES;

use crate::support::{Host, Run, scenario};

/// The capability sets in the text of a `/proc/<pid>/status`: inheritable, permitted, effective, bounding, ambient.
fn sets(status: &str) -> [u64; 5] {
    ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim_start_matches(':').trim(), 16).unwrap()
    })
}

fn ours() -> [u64; 5] {
    sets(&std::fs::read_to_string("/proc/self/status").unwrap())
}

/// Those of a container that we may give.
fn of_a_container() -> u64 {
    CONTAINER_CAPABILITIES.bits() & ours()[3]
}

fn program_status(run: Run) -> String {
    run.program(["/bin/cat", "/proc/self/status"]).success()
}

fn with_and_without_rootfs(host: &Host) -> [Run; 2] {
    [host.run().rootfs(host.busybox()), host.run()]
}

#[test]
fn root_has_the_capabilities_of_a_container_and_no_more() {
    scenario("root_has_the_capabilities_of_a_container_and_no_more", |host| {
        for run in with_and_without_rootfs(host) {
            let set = of_a_container();
            assert_eq!(sets(&program_status(run)), [0, set, set, set, 0]);
        }
    });
}

#[test]
fn the_capabilities_that_lead_out_are_none_of_a_containers() {
    // SYS_ADMIN, MKNOD, DAC_READ_SEARCH, SYS_PTRACE, SYS_MODULE, SYS_RAWIO, SYS_BOOT, LINUX_IMMUTABLE, SYS_TIME,
    // SYSLOG, MAC_ADMIN, BPF, PERFMON, CHECKPOINT_RESTORE
    for number in [21, 27, 2, 19, 16, 17, 22, 9, 25, 34, 33, 39, 38, 40] {
        assert_eq!(CONTAINER_CAPABILITIES.bits() >> number & 1, 0, "{number}");
    }
}

#[test]
fn privileged_keeps_all_of_ours() {
    scenario("privileged_keeps_all_of_ours", |host| {
        let [_, permitted, _, bounding, _] = ours();
        assert_ne!(permitted, of_a_container());
        for run in with_and_without_rootfs(host) {
            let [_, program_permitted, effective, program_bounding, ambient] =
                sets(&program_status(run.arg("--privileged")));
            assert_eq!((program_permitted, effective), (bounding, bounding));
            assert_eq!((program_bounding, ambient), (bounding, 0));
        }
    });
}

#[test]
fn a_user_has_its_ids_and_no_capabilities() {
    scenario("a_user_has_its_ids_and_no_capabilities", |host| {
        let nobody = nix::unistd::User::from_name("nobody").unwrap().expect("every host has nobody");
        let name = std::ffi::CString::new("nobody").unwrap();
        let groups = nix::unistd::getgrouplist(&name, nobody.gid).unwrap();
        let groups = groups.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        for run in with_and_without_rootfs(host) {
            let status = program_status(run.arg("--user").arg("nobody"));
            assert_eq!(sets(&status), [0, 0, 0, of_a_container(), 0]);
            assert_eq!(field(&status, "Uid"), [nobody.uid; 4].map(|uid| uid.to_string()).join("\t"));
            assert_eq!(field(&status, "Gid"), [nobody.gid; 4].map(|gid| gid.to_string()).join("\t"));
            assert_eq!(field(&status, "Groups"), groups);
        }
    });
}

#[test]
fn a_user_by_number_has_its_group_and_no_others() {
    scenario("a_user_by_number_has_its_group_and_no_others", |host| {
        for run in with_and_without_rootfs(host) {
            let status = program_status(run.arg("--user").arg("1234:5678"));
            assert_eq!(sets(&status), [0, 0, 0, of_a_container(), 0]);
            assert_eq!(field(&status, "Uid"), "1234\t1234\t1234\t1234");
            assert_eq!(field(&status, "Gid"), "5678\t5678\t5678\t5678");
            assert_eq!(field(&status, "Groups"), "");
        }
    });
}

#[test]
fn a_privileged_user_is_still_only_a_user() {
    scenario("a_privileged_user_is_still_only_a_user", |host| {
        for run in with_and_without_rootfs(host) {
            let status = program_status(run.arg("--privileged").arg("--user").arg("1234:5678"));
            assert_eq!(sets(&status), [0, 0, 0, ours()[3], 0]);
        }
    });
}

#[test]
fn a_user_owns_its_sandbox_and_volumes() {
    scenario("a_user_owns_its_sandbox_and_volumes", |host| {
        let script = "echo mine >file; echo kept >data/file; stat -c '%u:%g %n' . file data data/file
            (echo x >/file) 2>/dev/null || echo not the root; umask";
        let expected = "1234:5678 .\n1234:5678 file\n1234:5678 data\n1234:5678 data/file\nnot the root\n0022\n";
        for run in with_and_without_rootfs(host) {
            // Not `success`: whoever may not write there hears of it.
            let outcome = run.arg("--user").arg("1234:5678").volume("web/db:data").sh(script);
            assert_eq!((outcome.status, outcome.text().as_str()), (0, expected), "{outcome:?}");
        }
        assert_eq!(std::fs::read(host.work_dir().join("volumes/roles/web/db/file")).unwrap(), b"kept\n");
    });
}

fn field<'s>(status: &'s str, name: &str) -> &'s str {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim()
}

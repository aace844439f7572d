//! Without the privileges that it needs: a message that says so, and nothing is done.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rstest::rstest;

use crate::support::{COFFERDAM, Host, Outcome, Snapshot, scenario};

/// What could be touched; the last two are a scenario's own if the default directories are used.
const WATCHED: [&str; 4] = ["work", "run", "/var/lib", "/run"];

/// A copy of the binary that other users can execute.
fn binary(host: &Host) -> PathBuf {
    let copy = host.path("cofferdam");
    // Another thread's child would have a copy of a descriptor of ours that is open for writing until it executes something,
    // and nobody could execute the file (ETXTBSY).
    let status = Command::new("cp").arg(COFFERDAM).arg(&copy).status().unwrap();
    assert!(status.success());
    copy
}

/// Runs cofferdam by way of a program that takes privileges away.
fn with_less(host: &Host, how: &[&str], arguments: &[&str]) -> Outcome {
    let mut command = Command::new(how[0]);
    command.args(&how[1..]).arg(host.path("cofferdam")).args(arguments).current_dir("/");
    Outcome::of(command)
}

const NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const ROOT_WITHOUT_CAPABILITY: [&str; 3] = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"];
/// Root in a user namespace has all capabilities, but not over the mount namespace, which belongs to the host.
const ROOT_OF_A_USER_NAMESPACE: [&str; 2] = ["unshare", "--map-root-user"];

#[rstest]
#[case::nobody(&NOBODY, "needs root: effective uid 0, but it is 65534")]
#[case::root_without_the_capability(&ROOT_WITHOUT_CAPABILITY, "needs CAP_SYS_ADMIN")]
#[case::root_of_a_user_namespace(&ROOT_OF_A_USER_NAMESPACE, "needs CAP_SYS_ADMIN")]
fn it_says_what_it_needs_and_leaves_nothing(
    #[case] how: &[&str],
    #[case] named: &str,
    #[values(false, true)] default_directories: bool,
) {
    scenario(named, |host| {
        binary(host);
        let (work, run) = (host.work_dir(), host.runtime_dir());
        let directories = ["--work-dir", work.to_str().unwrap(), "--runtime-dir", run.to_str().unwrap()];
        let mut arguments = vec!["run"];
        if default_directories {
            // Where the default ones would be made, without touching the machine's.
            for directory in ["/var/lib", "/run"] {
                host.mount("tmpfs", directory, cofferdam::kernel::MountFlags::empty(), "mode=1777");
            }
        } else {
            arguments.extend(directories);
        }
        arguments.extend(["--", "/bin/true"]);
        let watched = if default_directories { &WATCHED[..] } else { &WATCHED[..2] };
        let before = Snapshot::of(host, watched);
        let outcome = with_less(host, how, &arguments);
        let message = outcome.failure(125);
        assert!(message.starts_with("cofferdam: ") && message.contains(named), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        before.assert_unchanged(host, watched);
    });
}

/// It is the first thing to say, even if other things are wrong as well.
#[test]
fn that_root_is_needed_comes_before_other_mistakes() {
    scenario("that_root_is_needed_comes_before_other_mistakes", |host| {
        binary(host);
        let outcome =
            with_less(host, &NOBODY, &["run", "--rootfs", "/no/such", "--user", "no-such", "--", "/bin/true"]);
        assert!(outcome.failure(125).contains("needs root"), "{outcome:?}");
    });
}

#[rstest]
#[case::nobody(&NOBODY)]
#[case::root_without_the_capability(&ROOT_WITHOUT_CAPABILITY)]
fn the_launcher_without_privileges_fails_before_the_program(#[case] how: &[&str]) {
    scenario("the_launcher_without_privileges_fails_before_the_program", |host| {
        binary(host);
        let info = host.path("launch_info");
        fs::write(&info, r#"{"clone_namespaces":[131072],"command":{"value":"echo executed"}}"#).unwrap();
        let before = Snapshot::of(host, &WATCHED[..2]);
        let outcome = with_less(host, how, &["launcher", "--launch-info", info.to_str().unwrap()]);
        let message = outcome.failure(125);
        assert!(
            message.starts_with("cofferdam: cannot make the namespaces") && message.contains("this needs root"),
            "{message}"
        );
        assert_eq!(outcome.text(), "");
        before.assert_unchanged(host, &WATCHED[..2]);
    });
}

/// Help is for everybody.
#[rstest]
#[case(&["--help"])]
#[case(&["run", "--help"])]
#[case(&["--version"])]
fn help_needs_no_privileges(#[case] arguments: &[&str]) {
    scenario("help_needs_no_privileges", |host| {
        binary(host);
        assert!(with_less(host, &NOBODY, arguments).success().contains("cofferdam"));
    });
}

//! Mistaken arguments and launch infos: a clear message, the right status, and a host that is as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{COFFERDAM, Host, Outcome, Snapshot, scenario};

/// All that is on a scenario's host.
const ALL: [&str; 1] = [""];

/// Runs cofferdam with these arguments, in which `{host}` is the scenario's directory.
fn cofferdam(host: &Host, arguments: &[&str]) -> Outcome {
    let directory = host.path("");
    let directory = directory.to_str().unwrap().trim_end_matches('/');
    let mut command = Command::new(COFFERDAM);
    command.args(arguments.iter().map(|argument| argument.replace("{host}", directory)));
    command.current_dir(directory).stdin(Stdio::null());
    Outcome::of(command)
}

/// `cofferdam run` with the scenario's directories and these arguments before `-- true`.
fn run(host: &Host, arguments: &str) -> Outcome {
    let mut all = vec!["run", "--work-dir", "{host}/work", "--runtime-dir", "{host}/run"];
    all.extend(arguments.split(' ').filter(|argument| !argument.is_empty()).map(|text| text.trim_matches('\'')));
    all.extend(["--", "/bin/true"]);
    cofferdam(host, &all)
}

/// What mistaken arguments refer to.
fn populate(host: &Host) {
    fs::write(host.path("file"), "a file").unwrap();
    fs::create_dir(host.path("empty")).unwrap();
    std::os::unix::fs::symlink("missing", host.path("dangling")).unwrap();
}

/// One message of one line that names what is wrong.
#[track_caller]
fn assert_message(outcome: &Outcome, status: i32, prefix: &str, named: &str) {
    let message = outcome.failure(status);
    assert!(message.starts_with(prefix) && message.contains(named), "{message}");
    assert!(outcome.stdout.is_empty(), "{outcome:?}");
    if prefix == "cofferdam: " {
        assert_eq!(message.matches('\n').count(), 1, "{message}");
    }
}

#[rstest]
#[case::slash_in_id("--id a/b", "'a/b'")]
#[case::absolute_id("--id /etc", "'/etc'")]
#[case::id_above("--id ..", "'..'")]
#[case::id_of_a_dot("--id .", "'.'")]
#[case::empty_id("--id ''", "--id <ID>")]
#[case::control_character_in_id("--id a\u{1}b", "contains a control character")]
#[case::newline_in_id("--id a\nb", "contains a control character")]
#[case::long_id("--id {256}", "is longer than 255 bytes")]
#[case::slash_in_the_name_of_a_volume("--persistent-volume web/db:a/b", "'web/db:a/b'")]
#[case::absolute_name_of_a_volume("--persistent-volume web/db:/etc", "'web/db:/etc'")]
#[case::volume_without_role("--persistent-volume db:data", "'db:data'")]
#[case::volume_without_name("--persistent-volume web/db", "'web/db'")]
#[case::volume_with_an_empty_name("--persistent-volume web/db:", "'web/db:'")]
#[case::volume_with_an_unknown_mode("--persistent-volume web/db:data:rx", "'web/db:data:rx'")]
#[case::empty_volume("--persistent-volume ''", "--persistent-volume")]
#[case::environment_without_equals("--env NAME", "'NAME'")]
#[case::environment_without_name("--env =value", "'=value'")]
#[case::unknown_option("--no-such-option", "'--no-such-option'")]
#[case::option_without_value("--rootfs", "--rootfs")]
#[case::id_given_twice("--id a --id b", "'--id <ID>'")]
fn arguments_that_do_not_parse_touch_nothing(#[case] arguments: &str, #[case] named: &str) {
    scenario(arguments, |host| {
        let before = Snapshot::of(host, &ALL);
        let arguments = arguments.replace("{256}", &"i".repeat(256));
        assert_message(&run(host, &arguments), 125, "error: ", named);
        before.assert_unchanged(host, &ALL);
    });
}

#[rstest]
#[case::missing_command(&["run"], "<CMD>")]
#[case::nothing_after_dashes(&["run", "--"], "<CMD>")]
#[case::unknown_subcommand(&["walk"], "'walk'")]
#[case::unknown_option_before_the_subcommand(&["--walk"], "'--walk'")]
#[case::launcher_without_a_launch_info(&["launcher"], "--launch-info <FILE>")]
#[case::launch_without_an_id(&["launch"], "--id <ID[.CHILD...]>")]
#[case::surplus_argument(&["launcher", "--launch-info", "file", "surplus"], "'surplus'")]
fn command_lines_that_do_not_parse_touch_nothing(#[case] arguments: &[&str], #[case] named: &str) {
    scenario("command_lines_that_do_not_parse_touch_nothing", |host| {
        let before = Snapshot::of(host, &ALL);
        assert_message(&cofferdam(host, arguments), 125, "error: ", named);
        before.assert_unchanged(host, &ALL);
    });
}

#[test]
fn without_a_subcommand_the_help_is_an_error() {
    scenario("without_a_subcommand_the_help_is_an_error", |host| {
        let outcome = cofferdam(host, &[]);
        assert!(outcome.failure(125).contains("Usage: cofferdam <COMMAND>"), "{outcome:?}");
        assert_eq!(outcome.text(), "");
    });
}

#[rstest]
#[case::help(&["--help"], "Usage: cofferdam <COMMAND>")]
#[case::help_in_short(&["-h"], "Usage: cofferdam <COMMAND>")]
#[case::help_command(&["help", "run"], "ROLE/ID:NAME[:ro|rw]")]
#[case::help_on_run(&["run", "--help"], "Exit status: that of CMD; 128+n if signal n killed it")]
#[case::help_on_launch(&["launch", "--help"], "--pid-file <FILE>")]
#[case::help_on_launcher(&["launcher", "--help"], "--launch-info <FILE>")]
#[case::version(&["--version"], concat!("cofferdam ", env!("CARGO_PKG_VERSION"), "\n"))]
fn help_that_was_asked_for_is_printed(#[case] arguments: &[&str], #[case] expected: &str) {
    scenario("help_that_was_asked_for_is_printed", |host| {
        let text = cofferdam(host, arguments).success();
        assert!(text.contains(expected), "{text}");
    });
}

#[rstest]
#[case::unknown_user("--user no-such-user", "no user \"no-such-user\"")]
#[case::empty_user("--user ''", "no user \"\"")]
#[case::unknown_group("--user root:no-such-group", "no group \"no-such-group\"")]
#[case::empty_group("--user root:", "no group \"\"")]
#[case::uid_that_means_none("--user 4294967295", "no user \"4294967295\"")]
#[case::too_many_parts("--user 0:0:0", "no group \"0:0\"")]
#[case::missing_rootfs("--rootfs {host}/missing", "/missing\"")]
#[case::dangling_rootfs("--rootfs {host}/dangling", "/dangling\"")]
#[case::empty_rootfs("--rootfs ''", "root filesystem")]
#[case::rootfs_that_is_a_file("--rootfs {host}/file", "/file\"")]
#[case::rootfs_below_a_file("--rootfs {host}/file/below", "/file/below\"")]
#[case::rootfs_of_the_host("--rootfs /", "host's root directory")]
#[case::rootfs_of_the_host_in_other_words("--rootfs /proc/self/root", "host's root directory")]
#[case::role_above("--persistent-volume ../db:data", "\"..\"")]
#[case::volume_above("--persistent-volume web/..:data", "\"..\"")]
#[case::volume_of_a_dot("--persistent-volume web/.:data", "\".\"")]
#[case::part_of_role_above("--persistent-volume a/../b/db:data", "\"..\"")]
#[case::name_above("--persistent-volume web/db:..", "\"..\"")]
#[case::control_character_in_a_volume("--persistent-volume web/d\u{1}b:data", "control character")]
#[case::two_volumes_of_one_name(
    "--persistent-volume web/db:data --persistent-volume web/other:data",
    "two persistent volumes have the name \"data\""
)]
fn arguments_that_make_no_sense_leave_nothing(#[case] arguments: &str, #[case] named: &str) {
    scenario(arguments, |host| {
        populate(host);
        let pristine = Snapshot::of(host, &ALL);
        assert_message(&run(host, arguments), 125, "cofferdam: ", named);
        pristine.assert_unchanged(host, &ALL);
        // The same on a host that has run containers.
        run(host, "").success();
        let settled = Snapshot::of(host, &ALL);
        assert_message(&run(host, arguments), 125, "cofferdam: ", named);
        settled.assert_unchanged(host, &ALL);
    });
}

#[rstest]
#[case::relative_work_dir("work", "{host}/run", "work_dir must be an absolute path, but is \"work\"")]
#[case::empty_work_dir("", "{host}/run", "work_dir must be an absolute path, but is \"\"")]
#[case::missing_work_dir("{host}/missing", "{host}/run", "/missing\" does not exist")]
#[case::dangling_work_dir("{host}/dangling", "{host}/run", "/dangling\" does not exist")]
#[case::work_dir_that_is_a_file("{host}/file", "{host}/run", "/file\"")]
#[case::work_dir_below_a_file("{host}/file/work", "{host}/run", "/file/work\"")]
#[case::relative_runtime_dir("{host}/work", "run", "runtime_dir must be an absolute path, but is \"run\"")]
#[case::empty_runtime_dir("{host}/work", "", "runtime_dir must be an absolute path, but is \"\"")]
#[case::runtime_dir_that_is_a_file("{host}/work", "{host}/file", "/file")]
#[case::runtime_dir_below_a_file("{host}/work", "{host}/file/a/b", "/file/a/b")]
#[case::dangling_runtime_dir("{host}/work", "{host}/dangling", "/dangling")]
fn mistaken_directories_of_the_agent_leave_nothing(
    #[case] work_dir: &str,
    #[case] runtime_dir: &str,
    #[case] named: &str,
) {
    scenario(&format!("{work_dir} and {runtime_dir}"), |host| {
        populate(host);
        let before = Snapshot::of(host, &ALL);
        let arguments = ["run", "--work-dir", work_dir, "--runtime-dir", runtime_dir, "--", "/bin/true"];
        assert_message(&cofferdam(host, &arguments), 125, "cofferdam: ", named);
        before.assert_unchanged(host, &ALL);
    });
}

/// Files in a root filesystem that are no programs.
fn rootfs_with_mistakes(host: &Host) -> PathBuf {
    let rootfs = host.busybox();
    let make = |name: &str, content: &[u8], mode: u32| {
        let path = rootfs.join("bin").join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    make("not-executable", b"#!/bin/sh\n", 0o644);
    make("without-interpreter", b"#!/no/such/interpreter\n", 0o755);
    make("of-no-format", b"\x7fnot a program", 0o755);
    make("empty", b"", 0o755);
    make("shadowed", b"#!/bin/sh\n", 0o644);
    fs::write(rootfs.join("sbin/shadowed"), "#!/bin/sh\necho found\n").unwrap();
    fs::set_permissions(rootfs.join("sbin/shadowed"), fs::Permissions::from_mode(0o755)).unwrap();
    rootfs
}

#[rstest]
#[case::unknown_name(127, "no-such-command")]
#[case::unknown_path(127, "/no/such/command")]
#[case::path_below_a_file(127, "/bin/sh/below")]
#[case::empty_name(127, "")]
// The file is there, but execve(2) says ENOENT of it all the same, and so do env(1) and shells.
#[case::script_without_interpreter(127, "/bin/without-interpreter")]
#[case::file_without_permission(126, "/bin/not-executable")]
#[case::name_without_permission(126, "not-executable")]
#[case::directory(126, "/bin")]
#[case::file_of_no_format(126, "/bin/of-no-format")]
#[case::empty_file(126, "/bin/empty")]
#[case::device(126, "/dev/null")]
fn commands_that_cannot_be_executed_have_the_status_of_a_shell(#[case] status: i32, #[case] command: &str) {
    scenario(&format!("command {command:?}"), |host| {
        let rootfs = rootfs_with_mistakes(host);
        host.run().rootfs(&rootfs).sh("true").success();
        let before = Snapshot::of(host, &ALL);
        let outcome = host.run().rootfs(&rootfs).program([command, "argument"]);
        assert_message(&outcome, status, "cofferdam: ", &format!("{command:?}: "));
        before.assert_unchanged(host, &ALL);
        // The same without a pid namespace.
        let outcome = host.run().rootfs(&rootfs).arg("--share-pid").program([command]);
        assert_message(&outcome, status, "cofferdam: ", &format!("{command:?}: "));
        before.assert_unchanged(host, &ALL);
    });
}

#[test]
fn a_file_that_may_not_be_executed_does_not_hide_a_later_one_in_path() {
    scenario("a_file_that_may_not_be_executed_does_not_hide_a_later_one_in_path", |host| {
        let rootfs = rootfs_with_mistakes(host);
        let path = "PATH=/bin:/no/such/directory:/sbin";
        assert_eq!(host.run().rootfs(&rootfs).arg("--env").arg(path).program(["shadowed"]).success(), "found\n");
    });
}

#[test]
fn a_second_container_of_the_same_id_is_refused_and_the_first_undisturbed() {
    scenario("a_second_container_of_the_same_id_is_refused_and_the_first_undisturbed", |host| {
        let rootfs = host.busybox();
        host.run().rootfs(&rootfs).volume("web/db:data").sh("true").success();
        let settled = Snapshot::of(host, &ALL);
        let script = "echo mine > file; echo kept > data/file; echo ready; trap 'cat file data/file; exit 3' TERM
            while :; do sleep 0.01; done";
        let first = || host.run().rootfs(&rootfs).id("twin").volume("web/db:data");
        let mut running = first().spawn(["/bin/sh", "-c", script]);
        running.wait_for("ready");
        let before = Snapshot::of(host, &ALL);
        for outcome in [first().sh("true"), host.run().id("twin").sh("true")] {
            assert_message(&outcome, 125, "cofferdam: ", "container twin exists already");
            before.assert_unchanged(host, &ALL);
        }
        // Another id is no problem.
        host.run().id("twin2").sh("true").success();
        before.assert_unchanged(host, &ALL);
        running.send(Signal::SIGTERM);
        let outcome = running.outcome();
        assert_eq!((outcome.status, outcome.text().as_str()), (3, "ready\nmine\nkept\n"));
        fs::remove_file(host.path("work/volumes/roles/web/db/file")).unwrap();
        settled.assert_unchanged(host, &ALL);
        // Nor is the same id, once it is free.
        first().sh("true").success();
    });
}

/// A launch info that makes a rootfs of the scenario's `image`, which the caller completes.
fn launch_info(host: &Host) -> Value {
    let image = host.path("image");
    json!({
        "clone_namespaces": [131_072],
        "rootfs": image,
        "mounts": [{ "source": image, "target": image, "flags": 4096 | 16384 }],
        "command": { "shell": true, "value": "true" },
    })
}

/// `cofferdam launch` with this text as the launch info.
fn launch_text(host: &Host, text: &[u8]) -> Outcome {
    fs::write(host.path("launch_info"), text).unwrap();
    cofferdam(host, &["launcher", "--launch-info", "{host}/launch_info"])
}

fn launch(host: &Host, info: &Value) -> Outcome {
    launch_text(host, info.to_string().as_bytes())
}

/// Puts `{host}` into all strings of a launch info.
fn on_host(host: &Host, mut info: Value) -> Value {
    fn replace(value: &mut Value, directory: &str) {
        match value {
            Value::String(text) => *text = text.replace("{host}", directory),
            Value::Array(values) => values.iter_mut().for_each(|value| replace(value, directory)),
            Value::Object(values) => values.values_mut().for_each(|value| replace(value, directory)),
            _ => {}
        }
    }
    replace(&mut info, host.path("").to_str().unwrap().trim_end_matches('/'));
    info
}

#[test]
fn a_missing_launch_info_is_reported() {
    scenario("a_missing_launch_info_is_reported", |host| {
        for file in ["{host}/missing", "{host}/work", ""] {
            let outcome = cofferdam(host, &["launcher", "--launch-info", file]);
            assert_message(&outcome, 125, "cofferdam: cannot ", file.strip_prefix("{host}").unwrap_or("\"\""));
        }
    });
}

#[rstest]
#[case::empty("", "EOF")]
#[case::no_json("mounts", "line 1 column 1")]
#[case::truncated("{\"mounts\": [", "EOF")]
#[case::another_type("[]", "launch_info\" is no launch info")]
#[case::surplus("{} {}", "trailing characters")]
#[case::namespace_by_name(r#"{"clone_namespaces":["mount"]}"#, "u64")]
#[case::unknown_namespace(r#"{"clone_namespaces":[7]}"#, "7 is not the CLONE_NEW* flag")]
#[case::user_namespace(r#"{"clone_namespaces":[268435456]}"#, "268435456 is not the CLONE_NEW* flag")]
#[case::two_namespaces_in_one(r#"{"clone_namespaces":[537001984]}"#, "537001984 is not the CLONE_NEW* flag")]
#[case::mount_without_target(r#"{"mounts":[{"source":"/"}]}"#, "target")]
#[case::negative_flags(r#"{"mounts":[{"target":"/","flags":-1}]}"#, "-1")]
#[case::unknown_operation(r#"{"file_operations":[{"operation":"CHMOD"}]}"#, "CHMOD")]
#[case::unknown_capability(r#"{"bounding_capabilities":{"capabilities":["FLY"]}}"#, "CAP_FLY")]
#[case::unknown_limit(r#"{"rlimits":{"rlimits":[{"type":"RLMT_LUCK"}]}}"#, "RLMT_LUCK")]
#[case::too_deep("{5000}", "recursion limit")]
fn a_malformed_launch_info_is_reported(#[case] text: &str, #[case] named: &str) {
    scenario(text, |host| {
        let text = text.replace("{5000}", &format!("{{\"x\":{}", "[".repeat(5000)));
        let outcome = launch_text(host, text.as_bytes());
        assert_message(&outcome, 125, "cofferdam: ", named);
        assert!(outcome.stderr.contains("/launch_info\" is no launch info: "), "{outcome:?}");
    });
}

#[rstest]
#[case::joining(json!({ "enter_namespaces": [131_072] }), "there is no process of it")]
#[case::mounts(json!({ "mounts": [{ "target": "{host}/t", "type": "tmpfs" }] }), "need a mount namespace")]
#[case::masks(json!({ "masked_paths": ["{host}/file"] }), "need a mount namespace")]
#[case::operations(
    json!({ "file_operations": [{ "operation": "MKDIR", "mkdir": { "target": "{host}/new" } }] }),
    "need a mount namespace"
)]
#[case::rootfs(json!({ "rootfs": "{host}/image" }), "need a mount namespace")]
#[case::mounts_with_other_namespaces(
    json!({ "clone_namespaces": [536_870_912, 134_217_728], "masked_paths": ["{host}/file"] }),
    "need a mount namespace"
)]
fn what_would_change_the_host_is_refused(#[case] mut info: Value, #[case] named: &str) {
    scenario(&info.to_string(), |host| {
        populate(host);
        fs::create_dir_all(host.path("image")).unwrap();
        fs::create_dir(host.path("t")).unwrap();
        info["command"] = json!({ "shell": true, "value": "echo executed" });
        fs::write(host.path("launch_info"), "").unwrap();
        let before = Snapshot::of(host, &["work", "image", "t", "new", "file"]);
        assert_message(&launch(host, &on_host(host, info)), 125, "cofferdam: refused: ", named);
        before.assert_unchanged(host, &["work", "image", "t", "new", "file"]);
    });
}

#[rstest]
#[case::bind_without_source(json!({ "target": "{host}/image/d", "flags": 4096 }), "a bind needs a source")]
#[case::neither_bind_nor_type(json!({ "target": "{host}/image/d" }), "names no filesystem type")]
#[case::shared_but_no_bind(
    json!({ "target": "{host}/image/d", "type": "tmpfs", "flags": 1_048_576 }),
    "MS_SHARED"
)]
#[case::shared_of_a_private_mount(
    json!({ "source": "/", "target": "{host}/image/d", "flags": 1_052_672 }),
    "which it is in, is not a shared mount"
)]
#[case::propagation_alone(json!({ "target": "{host}/image/d", "flags": 262_144 }), "MS_PRIVATE")]
#[case::remount(json!({ "source": "/", "target": "{host}/image/d", "flags": 4096 | 32 }), "MS_REMOUNT")]
#[case::moving(json!({ "source": "/", "target": "{host}/image/d", "flags": 8192 }), "MS_MOVE")]
#[case::unknown_type(json!({ "target": "{host}/image/d", "type": "nosuchfs" }), "no filesystem type \"nosuchfs\"")]
#[case::unknown_option(json!({ "target": "{host}/image/d", "type": "tmpfs", "options": "color=red" }), "\"color\"")]
#[case::missing_source(
    json!({ "source": "{host}/missing", "target": "{host}/image/d", "flags": 4096 }),
    "/missing\": ENOENT"
)]
#[case::directory_on_a_file(
    json!({ "source": "{host}/empty", "target": "{host}/image/f", "flags": 4096 }),
    "/image/f\""
)]
#[case::file_on_a_directory(
    json!({ "source": "{host}/file", "target": "{host}/image/d", "flags": 4096 }),
    "a file on a file only"
)]
#[case::target_above(json!({ "target": "{host}/image/../empty", "type": "tmpfs" }), "/image/../empty\"")]
#[case::target_through_a_link(json!({ "target": "{host}/image/l/x", "type": "tmpfs" }), "is a symbolic link")]
#[case::relative_target(json!({ "target": "empty", "type": "tmpfs" }), "\"empty\"")]
#[case::null_in_target(json!({ "target": "{host}/image/a\u{0}b", "type": "tmpfs" }), "EINVAL")]
fn a_mount_that_makes_no_sense_is_refused(#[case] mount: Value, #[case] named: &str) {
    refused(|info| info["mounts"].as_array_mut().unwrap().push(mount), named);
}

#[rstest]
#[case::outside("{host}/file", "is not below the root filesystem")]
#[case::rootfs_itself("{host}/image", "is not below the root filesystem")]
#[case::beside_the_rootfs("{host}/image2/f", "is not below the root filesystem")]
#[case::relative("file", "is not below the root filesystem")]
#[case::above("{host}/image/../file", "/image/../file\"")]
#[case::through_a_link("{host}/image/l/f", "is a symbolic link")]
#[case::a_link("{host}/image/l", "is a symbolic link")]
fn a_mask_outside_the_rootfs_is_refused(#[case] path: &str, #[case] named: &str) {
    refused(|info| info["masked_paths"] = json!([path]), named);
}

#[rstest]
#[case::no_parameters(json!({ "operation": "SYMLINK" }), "SYMLINK has no parameters")]
#[case::other_parameters(
    json!({ "operation": "RENAME", "mkdir": { "target": "{host}/image/n" } }),
    "RENAME has no parameters"
)]
#[case::no_mount(json!({ "operation": "MOUNT" }), "MOUNT has no parameters")]
#[case::mkdir_outside(json!({ "operation": "MKDIR", "mkdir": { "target": "{host}/new" } }), "is not below")]
#[case::mkdir_above(
    json!({ "operation": "MKDIR", "mkdir": { "target": "{host}/image/../new", "recursive": true } }),
    "/image/../new\""
)]
#[case::mkdir_through_a_link(
    json!({ "operation": "MKDIR", "mkdir": { "target": "{host}/image/l/new", "recursive": true } }),
    "is a symbolic link"
)]
#[case::mkdir_of_what_exists(json!({ "operation": "MKDIR", "mkdir": { "target": "{host}/image/d" } }), "EEXIST")]
#[case::mkdir_without_parents(json!({ "operation": "MKDIR", "mkdir": { "target": "{host}/image/x/y" } }), "ENOENT")]
#[case::symlink_outside(
    json!({ "operation": "SYMLINK", "symlink": { "source": "/", "target": "{host}/new" } }),
    "is not below"
)]
#[case::symlink_on_a_file(
    json!({ "operation": "SYMLINK", "symlink": { "source": "/", "target": "{host}/image/f" } }),
    "EEXIST"
)]
#[case::rename_into_the_rootfs(
    json!({ "operation": "RENAME", "rename": { "source": "{host}/file", "target": "{host}/image/n" } }),
    "is not below"
)]
#[case::rename_out_of_the_rootfs(
    json!({ "operation": "RENAME", "rename": { "source": "{host}/image/f", "target": "{host}/new" } }),
    "is not below"
)]
#[case::rename_through_a_link(
    json!({ "operation": "RENAME", "rename": { "source": "{host}/image/f", "target": "{host}/image/l/new" } }),
    "is a symbolic link"
)]
#[case::rename_of_nothing(
    json!({ "operation": "RENAME", "rename": { "source": "{host}/image/x", "target": "{host}/image/y" } }),
    "ENOENT"
)]
#[case::shared_mount(
    json!({ "operation": "MOUNT", "mount": { "source": "/", "target": "{host}/image/d", "flags": 1_052_672 } }),
    "MS_SHARED"
)]
fn a_file_operation_that_makes_no_sense_is_refused(#[case] operation: Value, #[case] named: &str) {
    refused(|info| info["file_operations"] = json!([operation]), named);
}

#[rstest]
#[case::no_command(json!({ "command": null }), "no command to execute")]
#[case::command_without_value(json!({ "command": { "shell": false } }), "no command to execute")]
#[case::missing_working_directory(json!({ "working_directory": "/x" }), "working directory \"/x\": ENOENT")]
#[case::working_directory_that_is_a_file(json!({ "working_directory": "/f" }), "\"/f\": ENOTDIR")]
#[case::unknown_user(json!({ "user": "no-such-user" }), "no user \"no-such-user\"")]
#[case::missing_rootfs(json!({ "rootfs": "{host}/missing" }), "/missing\"")]
#[case::rootfs_that_is_no_mount_point(json!({ "mounts": [] }), "is it bound on itself first?")]
#[case::null_in_argument(json!({ "command": { "shell": false, "value": "/d", "arguments": ["a\u{0}b"] } }), "EINVAL")]
fn a_launch_that_makes_no_sense_is_refused(#[case] changes: Value, #[case] named: &str) {
    refused(
        |info| {
            for (name, value) in changes.as_object().unwrap() {
                info[name] = value.clone();
            }
        },
        named,
    );
}

/// Launches with a change, and expects that it fails and that neither host nor image is changed.
#[track_caller]
fn refused(change: impl FnOnce(&mut Value) + Send, named: &str) {
    scenario(named, |host| {
        populate(host);
        for directory in ["image/d", "image2", "outside"] {
            fs::create_dir_all(host.path(directory)).unwrap();
        }
        for file in ["image/f", "image2/f", "outside/f"] {
            fs::write(host.path(file), "a file").unwrap();
        }
        std::os::unix::fs::symlink("../outside", host.path("image/l")).unwrap();
        let mut info = launch_info(host);
        change(&mut info);
        let info = on_host(host, info);
        fs::write(host.path("launch_info"), info.to_string()).unwrap();
        let before = Snapshot::of(host, &ALL);
        let outcome = launch(host, &info);
        let status = if named == "EINVAL" && outcome.status == 126 { 126 } else { 125 };
        assert_message(&outcome, status, "cofferdam: ", named);
        before.assert_unchanged(host, &ALL);
    });
}

#[test]
fn file_operations_are_performed_in_the_image_in_their_order() {
    scenario("file_operations_are_performed_in_the_image_in_their_order", |host| {
        let image = host.busybox_at("image");
        let path = |name: &str| image.join(name);
        fs::write(path("etc/old"), "content").unwrap();
        let mut info = launch_info(host);
        info["file_operations"] = json!([
            { "operation": "MKDIR", "mkdir": { "target": path("a/b/c"), "recursive": true } },
            { "operation": "MKDIR", "mkdir": { "target": path("a/b/c"), "recursive": true } },
            { "operation": "MKDIR", "mkdir": { "target": path("a/d") } },
            { "operation": "RENAME", "rename": { "source": path("etc/old"), "target": path("a/b/new") } },
            { "operation": "RENAME", "rename": { "source": path("a/d"), "target": path("a/e") } },
            { "operation": "SYMLINK", "symlink": { "source": "b/new", "target": path("a/link") } },
            { "operation": "SYMLINK", "symlink": { "source": "b/new", "target": path("a/link") } },
            { "operation": "MOUNT", "mount": { "target": path("a/b/c"), "type": "tmpfs", "options": "mode=700" } },
            { "operation": "MKDIR", "mkdir": { "target": path("a/b/c/in-tmpfs") } },
        ]);
        info["command"] = json!({
            "shell": true,
            "value": "cat a/link; echo; ls a a/b/c; stat -c '%a %U' a/b/c a/e; ! ls /etc/old 2>/dev/null",
        });
        let before = host.mountinfo();
        let expected = "content\na:\nb\ne\nlink\n\na/b/c:\nin-tmpfs\n700 root\n755 root\n";
        assert_eq!(launch(host, &info).success(), expected);
        assert_eq!(host.mountinfo(), before);
        assert!(!Path::new(&path("a/b/c/in-tmpfs")).exists());
    });
}

#[test]
fn fields_that_cofferdam_does_not_know_do_no_harm() {
    scenario("fields_that_cofferdam_does_not_know_do_no_harm", |host| {
        let info = json!({
            "command": { "shell": true, "value": "echo executed", "uris": [] },
            "tty_slave_path": "/dev/pts/0",
            "seccomp_profile": { "default_action": 1 },
        });
        assert_eq!(launch(host, &info).success(), "executed\n");
    });
}

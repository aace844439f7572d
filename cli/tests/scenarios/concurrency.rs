//! Many containers at once.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use cofferdam::mountinfo::Table;

use crate::support::{Host, Run, scenario, unix};

const MANY: usize = 64;

/// What they take on a slow machine, with room: a lock that is held while something waits would take longer.
const LIMIT: Duration = Duration::from_secs(60);

fn spawn(mut run: Run, script: &str) -> Child {
    run.command.args(["--", "/bin/sh", "-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped());
    run.command.spawn().unwrap()
}

/// Waits for all, and gives what they printed.
fn outputs(children: Vec<Child>) -> Vec<String> {
    let outputs: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    outputs
        .into_iter()
        .map(|output| {
            let (text, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
            assert_eq!((output.status.code(), errors.as_str()), (Some(0), ""), "{text}");
            text
        })
        .collect()
}

#[track_caller]
fn assert_nothing_left(host: &Host, mounts_before: usize) {
    let text = host.mountinfo_without_agents();
    let table = Table::parse(&text).unwrap();
    assert_eq!(table.entries().len(), mounts_before + 1, "{table}");
    assert_eq!(table.at_or_below(unix(&host.work_dir())).count(), 1, "{table}");
    assert_eq!(fs::read_dir(host.runtime_dir().join("containers")).unwrap().count(), 0);
    assert_eq!(host.tree("work/slaves"), [""; 0]);
}

fn mounts(host: &Host) -> usize {
    Table::parse(&host.mountinfo_without_agents()).unwrap().entries().len()
}

#[test]
fn many_containers_start_at_once_on_a_new_host() {
    scenario("many_containers_start_at_once_on_a_new_host", |host| {
        let rootfs = host.busybox();
        let before = mounts(host);
        let start = Instant::now();
        let script = "echo $me >file; echo $me >data/file; sleep 0.2; cat file data/file; ls; \
                      grep -c /executors/ /proc/self/mountinfo";
        let children = (0..MANY)
            .map(|number| {
                let run = host.run().rootfs(&rootfs).volume(&format!("web/{number}:data"));
                spawn(run.arg("--env").arg(format!("me={number}")), script)
            })
            .collect();
        for (number, text) in outputs(children).into_iter().enumerate() {
            assert_eq!(text, format!("{number}\n{number}\ndata\nfile\n1\n"));
        }
        assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
        for number in 0..MANY {
            let volume = host.work_dir().join(format!("volumes/roles/web/{number}/file"));
            assert_eq!(fs::read_to_string(volume).unwrap(), format!("{number}\n"));
        }
        assert_nothing_left(host, before);
    });
}

#[test]
fn many_containers_without_rootfs() {
    scenario("many_containers_without_rootfs", |host| {
        let before = mounts(host);
        let script = "echo $me >file; cat file; ls";
        let children =
            (0..MANY).map(|number| spawn(host.run().arg("--env").arg(format!("me={number}")), script)).collect();
        for (number, text) in outputs(children).into_iter().enumerate() {
            assert_eq!(text, format!("{number}\nfile\n"));
        }
        assert_nothing_left(host, before);
    });
}

#[test]
fn many_containers_use_one_new_volume_and_one_new_image() {
    scenario("many_containers_use_one_new_volume_and_one_new_image", |host| {
        let rootfs = host.busybox();
        // So that all of them have mount points to make.
        for name in ["dev", "proc", "sys", "mnt"] {
            fs::remove_dir_all(rootfs.join(name)).unwrap();
        }
        let before = mounts(host);
        let children = (0..MANY)
            .map(|number| {
                spawn(host.run().rootfs(&rootfs).volume("web/db:data"), &format!("echo {number} >data/{number}"))
            })
            .collect();
        outputs(children);
        assert_eq!(fs::read_dir(host.work_dir().join("volumes/roles/web/db")).unwrap().count(), MANY);
        assert_nothing_left(host, before);
    });
}

#[test]
fn one_id_is_given_to_one_of_many() {
    scenario("one_id_is_given_to_one_of_many", |host| {
        let rootfs = host.busybox();
        let mut first = host.run().rootfs(&rootfs).id("c1").start("echo started; read -r _; cat file");
        first.line();
        fs::write(host.sandbox("c1").join("file"), "still here\n").unwrap();
        let before = host.mountinfo_without_agents();
        let children: Vec<_> = (0..8).map(|_| spawn(host.run().rootfs(&rootfs).id("c1"), "true")).collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            let message = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(125), "{message}");
            assert!(message.contains("container c1 exists already"), "{message}");
        }
        assert_eq!(host.mountinfo_without_agents(), before);
        assert_eq!(first.finish().success(), "still here\n");
    });
}

#[test]
fn two_containers_share_a_volume() {
    scenario("two_containers_share_a_volume", |host| {
        let rootfs = host.busybox();
        let run = || host.run().rootfs(&rootfs);
        let mut first =
            run().volume("web/db:data").start("echo first >data/file; echo written; read -r _; cat data/file");
        first.line();
        let second = run().volume("web/db:mine").sh("cat mine/file; echo second >>mine/file");
        assert_eq!(second.success(), "first\n");
        let reader = run().volume("web/db:data:ro").sh("cat data/file; (: >data/file) 2>/dev/null || echo refused");
        assert_eq!(reader.success(), "first\nsecond\nrefused\n");
        // Their ends took nothing away from the first.
        assert_eq!(first.finish().success(), "first\nsecond\n");
    });
}

#[test]
fn a_volume_in_use_is_not_taken_from_its_user() {
    scenario("a_volume_in_use_is_not_taken_from_its_user", |host| {
        let rootfs = host.busybox();
        let run = |user: &str| host.run().rootfs(&rootfs).volume("web/db:data").arg("--user").arg(user);
        let mut first = run("1234").start("echo a >data/a; echo written; read -r _; echo b >data/b && cat data/b");
        first.line();
        assert_eq!(run("4321").sh("cat data/a; (: >data/c) 2>/dev/null || echo refused").success(), "a\nrefused\n");
        assert_eq!(first.finish().success(), "b\n");
        // Nobody uses it any more.
        run("4321").sh(": >data/c").success();
    });
}

#[test]
fn a_container_does_not_see_the_mounts_of_another() {
    scenario("a_container_does_not_see_the_mounts_of_another", |host| {
        let rootfs = host.busybox();
        let run = |id: &str| host.run().rootfs(&rootfs).id(id).volume(&format!("web/{id}:data"));
        let mut first =
            run("c1").start("echo started; while read -r _; do grep -c c10 /proc/self/mountinfo; done; true");
        first.line();
        let mut second = run("c10").start("echo started; grep -c /c1/ /proc/self/mountinfo; read -r _");
        assert_eq!((second.line(), second.line()), ("started".into(), "0".into()));
        first.say("");
        assert_eq!(first.line(), "0");
        // The sandbox of the first is no prefix of the second's, and its end no end of that.
        first.finish().success();
        assert!(host.sandbox("c10").join("data").exists());
        let text = host.mountinfo_without_agents();
        assert_eq!(Table::parse(&text).unwrap().at_or_below(unix(&host.sandbox("c10"))).count(), 2);
        second.finish().success();
    });
}

#[test]
fn mounts_of_one_container_are_gone_from_the_namespaces_of_others() {
    scenario("mounts_of_one_container_are_gone_from_the_namespaces_of_others", |host| {
        // Containers without rootfs see the host's mounts, and so all volumes; none may stay busy there.
        let mut watcher = host
            .run()
            .id("watcher")
            .start("echo started; while read -r _; do grep -c 'roles/web/db' /proc/self/mountinfo; done; true");
        watcher.line();
        let mut other = host.run().id("other").volume("web/db:data").start("echo started; read -r _");
        other.line();
        watcher.say("");
        assert_eq!(watcher.line(), "1");
        other.finish().success();
        watcher.say("");
        assert_eq!(watcher.line(), "0");
        watcher.finish().text();
    });
}

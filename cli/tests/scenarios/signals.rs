//! How a container ends, and what ends it: exit statuses, signals, terminals, and what is left of its processes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::Signal;
use rstest::rstest;

use crate::support::{Host, Run, Snapshot, Started, scenario, wait_until};

/// All that is on a scenario's host.
const ALL: [&str; 1] = [""];

/// A shell script that counts a signal, says so once it is ready, waits for the first one, and then some time for more;
/// it exits with their number.
fn count(signal: &str) -> String {
    format!(
        "n=0; trap 'n=$((n+1)); echo got $n' {signal}; echo ready
        i=0; while [ $n = 0 ] && [ $i -lt 2000 ]; do sleep 0.01; i=$((i+1)); done
        i=0; while [ $i -lt 20 ]; do sleep 0.01; i=$((i+1)); done
        exit $n"
    )
}

/// A host that has run a container, so that what the next one leaves can be told, and that one's root filesystem.
fn settled(host: &Host) -> (PathBuf, Snapshot) {
    let rootfs = host.busybox();
    host.run().rootfs(&rootfs).sh("true").success();
    (rootfs, Snapshot::of(host, &ALL))
}

/// With a pid namespace of the container's own, and without.
fn container(host: &Host, share_pid: bool) -> Run {
    let run = host.run().rootfs(host.path("rootfs"));
    if share_pid { run.arg("--share-pid") } else { run }
}

#[rstest]
#[case::success("exit 0", 0)]
#[case::failure("exit 1", 1)]
#[case::any_number("exit 42", 42)]
#[case::that_of_cofferdam("exit 125", 125)]
#[case::the_highest("exit 255", 255)]
#[case::terminated("kill -TERM $$", 143)]
#[case::interrupted("kill -INT $$", 130)]
#[case::killed("kill -KILL $$", 137)]
#[case::crashed("ulimit -c 0; kill -SEGV $$", 139)]
#[case::aborted("ulimit -c 0; kill -ABRT $$", 134)]
#[case::hung_up("kill -HUP $$", 129)]
#[case::user_defined("kill -USR1 $$", 138)]
#[case::broken_pipe("kill -PIPE $$", 141)]
#[case::alarm("kill -ALRM $$", 142)]
#[case::real_time("kill -40 $$", 168)]
fn the_exit_status_tells_how_the_program_ended(
    #[case] script: &str,
    #[case] status: i32,
    #[values(false, true)] share_pid: bool,
) {
    scenario(script, |host| {
        let (_, before) = settled(host);
        let outcome = container(host, share_pid).sh(script);
        assert_eq!(outcome.failure(status), "", "cofferdam has nothing to say about that");
        before.assert_unchanged(host, &ALL);
    });
}

#[rstest]
fn a_signal_is_passed_on_exactly_once(
    #[values("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "WINCH")] name: &str,
    #[values(false, true)] share_pid: bool,
) {
    scenario(&format!("SIG{name} is passed on"), |host| {
        let (_, before) = settled(host);
        let mut running = container(host, share_pid).spawn(["/bin/sh", "-c", &count(name)]);
        running.wait_for("ready");
        running.send(format!("SIG{name}").parse().unwrap());
        let outcome = running.outcome();
        assert_eq!((outcome.status, outcome.stderr.as_str()), (1, ""), "the number of signals");
        before.assert_unchanged(host, &ALL);
    });
}

#[rstest]
fn a_signal_ends_a_program_that_has_no_trap_for_it(
    #[values(Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGUSR1)] signal: Signal,
    #[values(false, true)] share_pid: bool,
) {
    scenario(&format!("{signal} ends"), |host| {
        let (_, before) = settled(host);
        let mut running =
            container(host, share_pid).spawn(["/bin/sh", "-c", "ulimit -c 0; echo ready; exec sleep 1000"]);
        running.wait_for("ready");
        running.send(signal);
        let outcome = running.outcome();
        assert_eq!((outcome.status, outcome.stderr.as_str()), (128 + signal as i32, ""));
        before.assert_unchanged(host, &ALL);
    });
}

#[test]
fn a_program_may_survive_signals_and_choose_its_status() {
    scenario("a_program_may_survive_signals_and_choose_its_status", |host| {
        let (_, before) = settled(host);
        let script = "trap '' INT; trap 'echo again' TERM; trap 'exit 7' USR1; echo ready
            while :; do sleep 0.01; done";
        let mut running = container(host, false).spawn(["/bin/sh", "-c", script]);
        running.wait_for("ready");
        running.send(Signal::SIGINT);
        for signals in 1..=3 {
            running.send(Signal::SIGTERM);
            wait_until("the trap", || running.text().matches("again").count() == signals);
        }
        running.send(Signal::SIGUSR1);
        assert_eq!(running.outcome().status, 7);
        before.assert_unchanged(host, &ALL);
    });
}

/// Whenever it comes: before cofferdam blocks it, while it sets up, before there is a program, while that runs.
#[rstest]
fn a_signal_at_any_time_of_the_start_leaves_nothing(#[values(false, true)] share_pid: bool) {
    scenario("a_signal_at_any_time_of_the_start_leaves_nothing", |host| {
        let (_, before) = settled(host);
        let mut statuses = BTreeMap::<_, u32>::new();
        // On a busy machine it takes longer until there is a program.
        let is_late = |statuses: &BTreeMap<_, u32>| statuses.contains_key(&(Some(143), true));
        let steps = (0..40_u64).chain((50..1000).step_by(50));
        for step in steps {
            if step >= 40 && is_late(&statuses) {
                break;
            }
            let mut running =
                container(host, share_pid).volume("web/db:data").spawn(["/bin/sh", "-c", "echo ran; exec sleep 1000"]);
            std::thread::sleep(Duration::from_micros(750 * step));
            running.send(Signal::SIGTERM);
            let status = running.status();
            // Until it blocks signals it has done nothing, and simply dies.
            assert!(status.code() == Some(143) || status.signal() == Some(15), "{status:?}");
            *statuses.entry((status.code(), running.text().contains("ran"))).or_default() += 1;
        }
        let volumes = host.path("work/volumes/roles");
        if volumes.exists() {
            fs::remove_dir_all(volumes).unwrap();
        }
        before.assert_unchanged(host, &ALL);
        // Otherwise this proves little.
        assert!(is_late(&statuses), "never as late as the program: {statuses:?}");
    });
}

/// A pseudoterminal: what the user sees of it, and a command whose session it controls.
fn on_terminal(run: &Run, script: &str) -> (PtyMaster, Started) {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname_r(&master).unwrap();
    let terminal = fs::OpenOptions::new().read(true).write(true).open(name).unwrap();
    let mut command = Command::new("setsid");
    command.arg("--ctty").arg(run.command.get_program()).args(run.command.get_args());
    command.args(["--", "/bin/sh", "-c", script]).stdin(Stdio::from(OwnedFd::from(terminal)));
    (master, Started::start(command))
}

#[rstest]
#[case::interrupt("INT", 3, false)]
#[case::interrupt_without_pid_namespace("INT", 3, true)]
#[case::quit("QUIT", 28, false)]
fn a_key_of_the_terminal_reaches_the_program_exactly_once(
    #[case] name: &str,
    #[case] key: u8,
    #[case] share_pid: bool,
) {
    scenario(&format!("SIG{name} by a key"), |host| {
        let (_, before) = settled(host);
        let (master, mut running) = on_terminal(&container(host, share_pid), &count(name));
        running.wait_for("ready");
        // Stopped, so that if it passed the signal on it would do so only after the program has seen that of the terminal:
        // two at once count as one.
        running.send(Signal::SIGSTOP);
        nix::unistd::write(&master, &[key]).unwrap();
        running.wait_for("got 1");
        running.send(Signal::SIGCONT);
        // It reaches the program's children too, of whose end a shell may tell.
        assert_eq!(running.outcome().status, 1, "the number of signals");
        before.assert_unchanged(host, &ALL);
    });
}

#[test]
fn a_key_of_the_terminal_ends_a_program_and_cofferdam_cleans_up() {
    scenario("a_key_of_the_terminal_ends_a_program_and_cofferdam_cleans_up", |host| {
        let (_, before) = settled(host);
        let (master, mut running) = on_terminal(&container(host, false), "echo ready; exec sleep 1000");
        running.wait_for("ready");
        nix::unistd::write(&master, &[3]).unwrap();
        assert_eq!(running.outcome().status, 130);
        before.assert_unchanged(host, &ALL);
    });
}

/// The kernel tells only the session's leader; a shell would pass it on to its jobs.
#[rstest]
fn a_terminal_that_is_gone_ends_the_program(#[values(false, true)] share_pid: bool) {
    scenario("a_terminal_that_is_gone_ends_the_program", |host| {
        let (_, before) = settled(host);
        let (master, mut running) = on_terminal(&container(host, share_pid), "echo ready; exec sleep 5");
        running.wait_for("ready");
        drop(master);
        assert_eq!(running.outcome().status, 129);
        before.assert_unchanged(host, &ALL);
    });
}

/// The processes that name a path in their command line.
fn processes(path: &str) -> Vec<(i32, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let Some(pid) = entry.unwrap().file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let command_line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let command_line = String::from_utf8_lossy(&command_line).replace('\0', " ");
        if command_line.contains(path) {
            found.push((pid, command_line));
        }
    }
    found
}

/// What marks a scenario's processes: the launcher and init name a directory of it, the program is told.
fn marker(host: &Host) -> String {
    host.path("run").to_str().unwrap().to_string()
}

#[rstest]
fn nothing_of_the_container_outlives_a_killed_cofferdam(#[values(false, true)] share_pid: bool) {
    scenario("nothing_of_the_container_outlives_a_killed_cofferdam", |host| {
        settled(host);
        let marker = marker(host);
        let mut running = container(host, share_pid).id("killed").spawn([
            "/bin/sh",
            "-c",
            "echo ready; while :; do sleep 0.01; done",
            &marker,
        ]);
        running.wait_for("ready");
        assert!(processes(&marker).len() >= 2);
        running.send(Signal::SIGKILL);
        assert_eq!(running.status().signal(), Some(9));
        wait_until("the end of all processes", || processes(&marker).is_empty());
        // Recovering what it left is another matter; a new container is none.
        let outcome = container(host, share_pid).id("next").sh("echo fine");
        assert_eq!(outcome.success(), "fine\n");
        let outcome = container(host, share_pid).id("killed").sh("true");
        assert!(outcome.failure(125).contains("container killed exists already"), "{outcome:?}");
    });
}

#[rstest]
fn nothing_outlives_a_cofferdam_that_is_killed_while_it_starts(#[values(false, true)] share_pid: bool) {
    scenario("nothing_outlives_a_cofferdam_that_is_killed_while_it_starts", |host| {
        settled(host);
        let marker = marker(host);
        for step in 0..60_u64 {
            let mut running = container(host, share_pid).spawn(["/bin/sh", "-c", "sleep 30; exit", &marker]);
            std::thread::sleep(Duration::from_micros(400 * step));
            running.send(Signal::SIGKILL);
            assert_eq!(running.status().signal(), Some(9));
        }
        let start = std::time::Instant::now();
        while !processes(&marker).is_empty() {
            assert!(start.elapsed() < Duration::from_secs(5), "these are left: {:?}", processes(&marker));
            std::thread::sleep(Duration::from_millis(10));
        }
    });
}

#[test]
fn background_processes_die_with_the_program() {
    scenario("background_processes_die_with_the_program", |host| {
        let (_, before) = settled(host);
        let marker = marker(host);
        let script = "
            setsid sh -c 'trap \"\" HUP TERM INT; while :; do sleep 0.01; done' \"$0\" &
            (sh -c 'while :; do sleep 0.01; done' \"$0\" &)
            sleep 0.05; exit 5";
        let running = container(host, false).spawn(["/bin/sh", "-c", script, &marker]);
        assert_eq!(running.outcome().status, 5);
        assert_eq!(processes(&marker), [], "are left");
        before.assert_unchanged(host, &ALL);
    });
}

/// The children of a process, and their states.
fn children(parent: i32) -> Vec<(i32, char)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let Some(pid) = entry.unwrap().file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        // The name, in parentheses, may contain anything.
        let Some((_, fields)) = stat.rsplit_once(") ") else { continue };
        let mut fields = fields.split(' ');
        let state = fields.next().unwrap().chars().next().unwrap();
        if fields.next().unwrap() == parent.to_string() {
            found.push((pid, state));
        }
    }
    found
}

#[test]
fn orphans_are_reaped_while_the_program_runs() {
    scenario("orphans_are_reaped_while_the_program_runs", |host| {
        let (_, before) = settled(host);
        let script = "i=0; while [ $i -lt 50 ]; do (sleep 0.05 &); i=$((i+1)); done; echo ready; sleep 1000";
        let mut running = container(host, false).spawn(["/bin/sh", "-c", script]);
        running.wait_for("ready");
        let only_child = |pid: i32| match children(pid)[..] {
            [(child, _)] => child,
            ref others => panic!("not one child of {pid}: {others:?}"),
        };
        let init = only_child(only_child(running.pid()));
        wait_until("init to reap all but the program", || children(init).len() == 1);
        running.send(Signal::SIGTERM);
        assert_eq!(running.outcome().status, 143);
        before.assert_unchanged(host, &ALL);
    });
}

#[rstest]
fn a_reader_that_goes_away_ends_the_program_quietly(#[values(false, true)] share_pid: bool) {
    scenario("a_reader_that_goes_away_ends_the_program_quietly", |host| {
        let (_, before) = settled(host);
        let mut run = container(host, share_pid);
        run.command.args(["--", "/bin/yes"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = run.command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "y\n");
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(141), ""));
        before.assert_unchanged(host, &ALL);
    });
}

#[rstest]
fn the_program_starts_without_blocked_or_ignored_signals(#[values(false, true)] share_pid: bool) {
    scenario("the_program_starts_without_blocked_or_ignored_signals", |host| {
        settled(host);
        let masks = container(host, share_pid).program(["/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]);
        let masks = masks.success();
        for (name, line) in ["SigBlk:\t", "SigIgn:\t"].into_iter().zip(masks.lines()) {
            let mask = u64::from_str_radix(line.strip_prefix(name).unwrap(), 16).unwrap();
            // 32 and 33, which C libraries keep for themselves, posix_spawn(3) makes ignored: by it this test runs cofferdam.
            assert_eq!(mask & !(0b11 << 31), 0, "{masks}");
        }
        assert_eq!(masks.lines().count(), 2, "{masks}");
    });
}

/// Runs `cofferdam run` under env(1), with options of that.
fn under_env(run: &Run, options: &[&str], script: &str) -> Started {
    let mut command = Command::new("env");
    command.args(options).arg(run.command.get_program()).args(run.command.get_args());
    command.args(["--", "/bin/sh", "-c", script]);
    Started::start(command)
}

#[test]
fn a_caller_that_ignores_or_blocks_signals_does_not_confuse_cofferdam() {
    scenario("a_caller_that_ignores_or_blocks_signals_does_not_confuse_cofferdam", |host| {
        let (_, before) = settled(host);
        for options in [["--ignore-signal=CHLD"], ["--block-signal=CHLD,TERM"]] {
            let mut running = under_env(&container(host, false), &options, "echo ready; exec sleep 1000");
            running.wait_for("ready");
            running.send(Signal::SIGTERM);
            assert_eq!(running.outcome().status, 143, "{options:?}");
            before.assert_unchanged(host, &ALL);
        }
    });
}

/// What nohup(1) is for.
#[test]
fn a_signal_that_the_caller_ignores_is_ignored_by_the_program() {
    scenario("a_signal_that_the_caller_ignores_is_ignored_by_the_program", |host| {
        let (_, before) = settled(host);
        let script = "echo ready; sleep 0.2; exit 4";
        let mut running = under_env(&container(host, false), &["--ignore-signal=HUP"], script);
        running.wait_for("ready");
        running.send(Signal::SIGHUP);
        assert_eq!(running.outcome().status, 4);
        before.assert_unchanged(host, &ALL);
    });
}

#[test]
fn closed_standard_descriptors_do_no_harm() {
    scenario("closed_standard_descriptors_do_no_harm", |host| {
        let (_, before) = settled(host);
        let run = container(host, false).id("closed");
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$@\" <&- >&- 2>&-", "sh"]).arg(run.command.get_program());
        command.args(run.command.get_args()).args(["--", "/bin/sh", "-c", "exit 9"]);
        assert_eq!(Started::start(command).outcome().status, 9);
        before.assert_unchanged(host, &ALL);
    });
}

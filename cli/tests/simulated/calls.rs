//! How many system calls `cofferdam run` makes as a whole: the other table of `docs/calls.md`.

use std::collections::BTreeSet;

use super::document::{self, Counts};
use super::run;

#[test]
fn the_calls_of_a_run() {
    let runs = [
        ("run with a root filesystem", "--trace --rootfs /srv/busybox -- /bin/true"),
        (
            "run with a root filesystem and a volume",
            "--trace --rootfs /srv/busybox --persistent-volume web/db:data -- true",
        ),
        ("run with a root filesystem, as a user", "--trace --rootfs /srv/busybox --user alice -- /bin/true"),
        ("run without a root filesystem", "--trace -- /bin/true"),
    ];
    let counts = runs.map(|(name, arguments)| {
        let output = run(arguments);
        assert!(output.status.success(), "{name}: {output:?}");
        (name.to_string(), counts(&String::from_utf8(output.stderr).unwrap()))
    });
    document::check("run", &counts);
}

/// Of lines such as `[pid 2] openat2(AT_FDCWD, "/proc/self/mountinfo", {...}) = 3`.
fn counts(trace: &str) -> Counts {
    let mut counts = Counts::default();
    let mut tables = BTreeSet::new();
    for line in trace.lines() {
        let (pid, call) = line.strip_prefix("[pid ").and_then(|line| line.split_once("] ")).unwrap();
        // A call that is about to be made.
        if call.ends_with(" ...") {
            continue;
        }
        let (name, arguments) = call.split_once('(').unwrap();
        counts.add(name);
        let (_, result) = call.rsplit_once(" = ").unwrap();
        let descriptor = arguments.split([',', ')']).next().unwrap();
        match name {
            "openat2" if arguments.contains("/mountinfo\"") && !result.starts_with('-') => {
                counts.tables += 1;
                counts.table_calls += 1;
                tables.insert((pid, result));
            }
            "read" if tables.contains(&(pid, descriptor)) => counts.table_calls += 1,
            "close" => drop(tables.remove(&(pid, descriptor))),
            _ => {}
        }
    }
    counts
}

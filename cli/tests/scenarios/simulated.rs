//! The simulated host against the real one: the same mounts, the same command, the same tables.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use cofferdam::kernel::MountFlags;
use cofferdam::mountinfo::{Entry, Table};

use crate::support::{COFFERDAM, Host, Outcome, scenario, table};

/// What both commands are given.
const ARGUMENTS: [&str; 7] = [
    "--id",
    "c1",
    "--rootfs",
    "/srv/busybox",
    "--persistent-volume",
    "web/db:data",
    "--persistent-volume=web/log:log:ro",
];

/// A mount as the report shows it, with the peer groups' numbers left out: those are the kernel's.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    target: String,
    filesystem_type: String,
    propagation: Vec<String>,
    options: String,
    source: String,
}

impl Row {
    /// Of a line of the report.
    fn of_report(line: &str) -> Self {
        let words: Vec<_> = line.split_whitespace().collect();
        let is_group = |word: &&&str| ["private", "shared:", "master:"].iter().any(|start| word.starts_with(start));
        let propagation = words[2..].iter().take_while(is_group).count();
        let [options, source] = words[2 + propagation..] else { panic!("no mount: {line}") };
        Self {
            target: words[0].into(),
            filesystem_type: words[1].into(),
            propagation: words[2..2 + propagation].iter().map(|word| without_number(word)).collect(),
            options: options.into(),
            source: if words[1] == "nsfs" { without_number(source) } else { source.into() },
        }
    }

    /// Of a line of a real table.
    fn of_entry(entry: &Entry<'_>) -> Self {
        let text = |field: &[u8]| String::from_utf8(field.to_vec()).unwrap();
        let groups = text(entry.optional_fields_raw());
        let propagation: Vec<_> = groups.split_whitespace().map(without_number).collect();
        let root = text(entry.root_raw());
        let own = table::super_options(entry);
        let (_, own) = own.split_once(',').unwrap_or((&own, ""));
        let options = [&text(entry.mount_options_raw()), own];
        let source = text(entry.source_raw()) + &if root == "/" { String::new() } else { format!("[{root}]") };
        Self {
            target: text(entry.mountpoint_raw()),
            filesystem_type: text(entry.filesystem_type_raw()),
            propagation: if propagation.is_empty() { vec!["private".into()] } else { propagation },
            options: options.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(","),
            source: if entry.filesystem_type_raw() == b"nsfs" { without_number(&source) } else { source },
        }
    }
}

fn without_number(propagation: &str) -> String {
    propagation.split(':').next().unwrap().into()
}

/// The rows of a report after a line, up to the next one that is empty or without a mount.
fn rows(report: &str, heading: &str, mark: &str) -> Vec<Row> {
    let lines = report.lines().skip_while(|line| *line != heading).skip(2).take_while(|line| !line.is_empty());
    let marked = lines.filter_map(|line| line.strip_prefix(mark)).filter(|line| line.starts_with('/'));
    marked.map(Row::of_report).collect()
}

/// Without the files of proc and sysfs that only one of the two machines has.
fn of_both(rows: &[Row], others: &[Row]) -> Vec<Row> {
    let targets: BTreeSet<_> = others.iter().map(|row| &row.target).collect();
    let is_of_the_machine = |row: &Row| row.target.starts_with("/proc/") || row.target.starts_with("/sys/");
    rows.iter().filter(|row| targets.contains(&row.target) || !is_of_the_machine(row)).cloned().collect()
}

fn assert_same(host: &Host) {
    let before = host.mountinfo();
    let file = host.path("mountinfo");
    fs::write(&file, &before).unwrap();

    let mut real = Command::new(COFFERDAM);
    real.arg("run").args(ARGUMENTS).args(["--", "/bin/cat", "/proc/self/mountinfo"]);
    let seen = Outcome::of(real).success();
    let seen: Vec<_> = Table::parse(seen.as_bytes()).unwrap().entries().iter().map(Row::of_entry).collect();
    let after = host.mountinfo();
    let (before, after) = (Table::parse(&before).unwrap(), Table::parse(&after).unwrap());
    let added = after.entries().iter().filter(|entry| before.by_id(entry.id()).is_none()).map(Row::of_entry);
    let added: Vec<_> = added.collect();

    let mut simulated = Command::new(COFFERDAM);
    simulated.arg("run").arg("--mountinfo").arg(&file).args(ARGUMENTS).args(["--", "/bin/cat", "/proc/self/mountinfo"]);
    let report = Outcome::of(simulated).success();
    let predicted = rows(&report, "The mounts that the program sees", "");

    let (expected, found) = (of_both(&seen, &predicted), of_both(&predicted, &seen));
    assert!(expected.len() >= 20, "{expected:#?}");
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
    assert_eq!(rows(&report, "The host's mounts before and after", "+  "), added);
}

/// Directories of the scenario's own in the places that a simulated host has them in.
fn furnish(host: &Host, propagation: MountFlags) {
    for directory in ["/srv", "/var/lib", "/run"] {
        let flags =
            if directory == "/run" { MountFlags::MS_NODEV | MountFlags::MS_NOSUID } else { MountFlags::empty() };
        host.mount("tmpfs", directory, flags, "mode=755");
        host.propagation(directory, propagation, false);
    }
    host.busybox_at("/srv/busybox");
}

#[test]
fn a_private_host() {
    scenario("a_private_host", |host| {
        furnish(host, MountFlags::MS_PRIVATE);
        assert_same(host);
    });
}

/// As systemd makes them.
#[test]
fn a_shared_host() {
    scenario("a_shared_host", |host| {
        furnish(host, MountFlags::MS_SHARED);
        assert_same(host);
    });
}

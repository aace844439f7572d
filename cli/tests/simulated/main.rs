//! `cofferdam run` on a simulated host: on every platform, by anybody.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod agent_config;
mod calls;
#[path = "../../../core/tests/calls/document.rs"]
mod document;
mod errors;
mod hosts;
mod report;

use std::process::{Command, Output};

/// A table of mounts with those of pods, snaps, and other things that hosts have.
const KUBERNETES_NODE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/kubernetes-node.mountinfo");

/// `cofferdam run --sim`, with arguments that are separated by spaces.
fn run(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cofferdam"))
        .args(["run", "--sim"])
        .args(arguments.split(' '))
        .env_remove("TERM")
        .output()
        .unwrap()
}

/// What is printed to standard output by a run that succeeds.
#[track_caller]
fn report(arguments: &str) -> Report {
    let output = run(arguments);
    assert!(output.status.success(), "{output:?}");
    Report(String::from_utf8(output.stdout).unwrap())
}

/// The report of a run.
struct Report(String);

impl Report {
    /// The lines of the section with this heading.
    #[track_caller]
    fn section(&self, heading: &str) -> Vec<&str> {
        let mut lines = self.0.lines().skip_while(|line| *line != heading);
        assert_eq!(lines.next(), Some(heading), "{}", self.0);
        lines.skip(1).take_while(|line| !line.is_empty()).collect()
    }

    /// The mounts that the program sees, without the headings: target, type, propagation, options, source.
    fn seen(&self) -> Vec<Vec<&str>> {
        let rows = self.section("The mounts that the program sees").into_iter().skip(1);
        rows.map(|line| line.split_whitespace().collect()).collect()
    }

    /// What stands behind a label of what the program reaches, on all of its lines.
    fn reached(&self, label: &str) -> String {
        let lines = self.section("What the program is allowed to reach");
        let is_label = |line: &&str| !line.starts_with(' ');
        let found = lines.iter().skip_while(|line| !is_label(line) || !line.starts_with(label));
        let texts: Vec<_> = found
            .enumerate()
            .take_while(|(index, line)| *index == 0 || !is_label(line))
            .map(|(_, line)| line[16..].trim_end())
            .collect();
        texts.join(" ")
    }

    /// What came of an attempt to get out.
    #[track_caller]
    fn attempt(&self, what: &str) -> &str {
        let lines = self.section("Ways out, each of them tried");
        let found = lines.iter().find_map(|line| line.strip_prefix(what));
        found.unwrap_or_else(|| panic!("no {what} in {lines:#?}")).trim()
    }

    /// The lines about the host with this mark before them, each from the mark on.
    fn host(&self, mark: char) -> Vec<&str> {
        let lines = self.section("The host's mounts before and after").into_iter();
        lines.filter(|line| line.starts_with(&format!("{mark}  "))).collect()
    }
}

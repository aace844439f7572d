//! `cofferdam graph`: the pictures in the documents are those that it makes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn graph(arguments: &[&str]) -> Output {
    let directory = Path::new(ROOT).join("docs/pictures");
    Command::new(env!("CARGO_BIN_EXE_cofferdam")).arg("graph").args(arguments).current_dir(directory).output().unwrap()
}

#[track_caller]
fn text(arguments: &[&str]) -> String {
    let output = graph(arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// With `UPDATE_PICTURES=1`, it is made anew.
#[test]
fn the_picture_of_the_readme() {
    let made = text(&["--file", "host.mountinfo", "--file", "container.mountinfo"]);
    let path = Path::new(ROOT).join("docs/pictures/propagation.svg");
    if std::env::var_os("UPDATE_PICTURES").is_some() {
        fs::write(&path, &made).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), made, "UPDATE_PICTURES=1 makes it anew");
    assert!(fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap().contains("(docs/pictures/propagation.svg)"));
}

#[test]
fn some_of_the_mounts() {
    let all = text(&["--file", "host.mountinfo", "--format", "mermaid"]);
    assert!(all.starts_with("flowchart LR\n") && all.contains("/secret"), "{all}");
    let some =
        text(&["--file", "host.mountinfo", "--under", "/srv", "--file", "container.mountinfo", "--format", "dot"]);
    // The other namespace has what receives from those, and no more.
    assert!(some.contains("/srv/data") && !some.contains("/mnt/data") && !some.contains("/secret"), "{some}");
    assert!(some.contains("/data/logs") && !some.contains("/proc"), "{some}");
}

#[test]
fn mistakes() {
    for (arguments, expected) in [
        (&["--file", "nowhere"][..], "cannot read nowhere: "),
        (&["--file", "propagation.svg"], "cannot read the mounts in propagation.svg: "),
        (&["--file", "host.mountinfo", "--under", "srv"], "srv must be an absolute path"),
        (&["--format", "png"], "invalid value 'png'"),
    ] {
        let output = graph(arguments);
        assert!(String::from_utf8_lossy(&output.stderr).contains(expected), "{output:?}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(125), 0));
    }
}

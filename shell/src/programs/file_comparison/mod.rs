//! The same commands with the real programs and with ours: both have to print the same and to exit with the same status.
//!
//! A case is a paragraph of `cases.txt`: its lines are run one after the other in an empty directory of a tmpfs, whose
//! entries come in the same order in both worlds. Blanks separate words; `\s`, `\n`, `\t`, `\r`, `\e` (nothing) and `\\` are
//! what else may be in a word. `write FILE TEXT` writes a file. A line that starts with `~` may print its lines in any order.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::testing::{Outcome, Trial};

const CASES: &str = include_str!("cases.txt");

/// A word with its escapes replaced.
fn word(text: &str) -> String {
    let mut word = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            word.push(character);
            continue;
        }
        match characters.next() {
            Some('s') => word.push(' '),
            Some('n') => word.push('\n'),
            Some('t') => word.push('\t'),
            Some('r') => word.push('\r'),
            Some('e') => {}
            Some(other) => word.extend(['\\', other].iter().skip(usize::from(other == '\\'))),
            None => word.push('\\'),
        }
    }
    word
}

fn run_really(directory: &Path, words: &[&str]) -> Outcome {
    let output = Command::new("sh")
        .args(["-c", "umask 022; exec \"$@\" </dev/null", "sh"])
        .args(words)
        .current_dir(directory)
        .env_clear()
        .env("PATH", "/usr/bin")
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// The programs have to be those that ours are modelled on, run by root, on a filesystem that the simulation knows.
fn why_not() -> Option<String> {
    let has = |program: &str, version: &str| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(version))
    };
    let programs = [("ls", "coreutils) 9.1"), ("find", "findutils) 4.9.0"), ("diff", "diffutils) 3.8")];
    if let Some((program, version)) = programs.into_iter().find(|(program, version)| !has(program, version)) {
        return Some(format!("{program} is not of version {version}"));
    }
    // The simulated user is: owners are shown, and what root may do.
    if Command::new("id").arg("-u").output().ok()?.stdout != b"0\n" {
        return Some("needs root".to_owned());
    }
    let filesystem = Command::new("stat").args(["-f", "-c", "%T", "/dev/shm"]).output().ok()?.stdout;
    (filesystem != b"tmpfs\n").then(|| "/dev/shm is no tmpfs".to_owned())
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn compare_case(trial: &Trial, case: &str, number: usize) -> String {
    let parent = Path::new("/dev/shm");
    let directory = parent.join(format!("comparison-{}-{number}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let path = directory.to_str().unwrap().to_owned();
    trial.quietly(&format!("mkdir {path}"));
    let mut differences = String::new();
    for line in case.lines() {
        let (is_unordered, line) = line.strip_prefix('~').map_or((false, line), |line| (true, line));
        let words: Vec<String> = line.split_whitespace().map(word).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let ["write", file, text] = words[..] {
            std::fs::write(directory.join(file), text).unwrap();
            trial.write(&format!("{path}/{file}"), text.as_bytes());
            continue;
        }
        if words.first() == Some(&"ls") {
            // There are no dates in the simulation: all is as old as the epoch.
            run_really(&directory, &["find", ".", "-exec", "touch", "-h", "-d", "@0", "{}", "+"]);
        }
        let real = run_really(&directory, &words);
        let ours = trial.run_in(&path, &words);
        let is_same = if is_unordered {
            (real.0, sorted(&real.1), sorted(&real.2)) == (ours.0, sorted(&ours.1), sorted(&ours.2))
        } else {
            real == ours
        };
        if !is_same {
            writeln!(differences, "case {number}: {line}\n  real {real:?}\n  ours {ours:?}").unwrap();
        }
    }
    std::fs::remove_dir_all(&directory).unwrap();
    differences
}

#[test]
fn programs_do_what_the_real_ones_do() {
    let _turn = crate::testing::turn();
    if let Some(reason) = why_not() {
        assert!(std::env::var_os("CI").is_none(), "{reason}");
        eprintln!("skipped: {reason}");
        return;
    }
    let trial = Trial::new();
    let without_comments: Vec<&str> = CASES.lines().filter(|line| !line.starts_with('#')).collect();
    let text = without_comments.join("\n");
    let cases = text.split("\n\n").filter(|case| !case.trim().is_empty());
    let differences: String =
        cases.enumerate().map(|(number, case)| compare_case(&trial, case.trim(), number)).collect();
    assert!(differences.is_empty(), "{differences}");
}

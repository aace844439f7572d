//! Cases with what the real programs did for them: ours do the same. The cases are in files, one per family of programs:
//! a line `$ INPUT | PROGRAM ARGUMENTS` with the escapes of Rust in the input and the quotes `'` of the shell in the
//! arguments, and a line with the exit status, standard output and standard error.
//!
//! Where the real programs are, in the versions that ours follow, another test runs them for every case, so that what
//! is recorded is what they do. To record new cases: `COFFERDAM_RECORD_CASES=1 cargo test -p cofferdam-shell the_real`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cofferdam::UnixPath;
use cofferdam::kernel::{Fd, Kernel as _, Mode, OpenFlags, OpenHow};
use rstest::rstest;

use crate::testing::{Outcome, Trial};

/// The files that cases may read.
const FILES: &[(&str, &str)] = &[
    ("one", "a b\nc d\n"),
    ("two", "b\nxx a\n\nlast"),
    ("numbers", "10\n9\n2\n1\n10\n"),
    ("table", "root:x:0:0\nnobody:x:65534:65534\nmail:x:8:8\n"),
    (
        "mountinfo",
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n30 22 0:25 / /mnt rw shared:7 master:1 - tmpfs tmpfs rw\n",
    ),
    ("binary", "a\0b\nx\n"),
    ("empty", ""),
];

fn split(command: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted, mut is_word) = (Vec::new(), String::new(), false, false);
    for character in command.chars() {
        match character {
            '\'' => {
                is_quoted = !is_quoted;
                is_word = true;
            }
            ' ' if !is_quoted => {
                if std::mem::take(&mut is_word) {
                    words.push(std::mem::take(&mut word));
                }
            }
            // A newline in an argument.
            '\u{b6}' => word.push('\n'),
            other => {
                word.push(other);
                is_word = true;
            }
        }
    }
    if is_word {
        words.push(word);
    }
    words
}

fn unescape(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\t", "\t").replace("\\0", "\0")
}

struct Case {
    command: String,
    input: String,
    words: Vec<String>,
    recorded: String,
}

fn cases(file: &str) -> Vec<Case> {
    let text = std::fs::read_to_string(directory().join(file)).unwrap();
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            let (input, words) = command.split_once("| ").unwrap_or_else(|| panic!("no input: {line}"));
            let input = unescape(input.trim_end());
            cases.push(Case { command: command.into(), input, words: split(words), recorded: String::new() });
        } else if let Some(case) = cases.last_mut().filter(|_| !line.is_empty()) {
            case.recorded = line.into();
        }
    }
    cases
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/programs/text_comparison")
}

fn shown((status, output, error): &Outcome) -> String {
    format!("{status} {output:?} {error:?}")
}

fn simulated(case: &Case) -> Outcome {
    let trial = Trial::new();
    let process = trial.machine.new_process().unwrap();
    let flags = OpenFlags::O_CREAT | OpenFlags::O_WRONLY;
    for (name, content) in FILES {
        let how = OpenHow { flags, mode: Mode(0o644), ..OpenHow::default() };
        let fd = process.openat2(Fd::CWD, UnixPath::new(name), how).unwrap();
        process.write(fd, content.as_bytes()).unwrap();
        process.close(fd).unwrap();
    }
    process.mkdirat(Fd::CWD, UnixPath::new("directory"), Mode(0o755)).unwrap();
    process.exit(0);
    let words: Vec<&str> = case.words.iter().map(String::as_str).collect();
    trial.run_with_input(&words, case.input.as_bytes())
}

fn real(case: &Case) -> Outcome {
    let place = tempfile::tempdir().unwrap();
    for (name, content) in FILES {
        std::fs::write(place.path().join(name), content).unwrap();
    }
    std::fs::create_dir(place.path().join("directory")).unwrap();
    let mut child = Command::new(&case.words[0])
        .args(&case.words[1..])
        .current_dir(place.path())
        .env_clear()
        .envs([("PATH", "/usr/bin"), ("LC_ALL", "C")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that ends before it has read all is none the worse.
    let _ = child.stdin.take().unwrap().write_all(case.input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// Whether the programs of this machine are those that ours follow.
fn has_real_programs() -> bool {
    let version = |program: &str, option: &[&str]| {
        let output = Command::new(program).args(option).output();
        output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default()
    };
    let is =
        |program, option: &[&str], wanted: &str| String::from_utf8_lossy(&version(program, option)).contains(wanted);
    cfg!(target_os = "linux")
        && is("grep", &["--version"], "GNU grep) 3.8")
        && is("sed", &["--version"], "GNU sed) 4.9")
        && is("awk", &["-W", "version"], "mawk 1.3.4 20200120")
        && is("sort", &["--version"], "coreutils) 9.1")
        && is("column", &["--version"], "util-linux 2.38")
}

#[rstest]
#[case("grep.txt")]
#[case("sed.txt")]
#[case("awk.txt")]
#[case("coreutils.txt")]
fn simulated_programs_do_as_recorded(#[case] file: &str) {
    let cases = cases(file);
    assert!(!cases.is_empty());
    let mut differences = String::new();
    for case in &cases {
        let ours = shown(&simulated(case));
        if ours != case.recorded {
            writeln!(differences, "$ {}\n real {}\n ours {ours}", case.command, case.recorded).unwrap();
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}

#[rstest]
#[case("grep.txt")]
#[case("sed.txt")]
#[case("awk.txt")]
#[case("coreutils.txt")]
fn real_programs_do_as_recorded(#[case] file: &str) {
    if !has_real_programs() {
        // What is recorded was compared where they are.
        assert!(std::env::var("CI").as_deref() != Ok("true"), "in CI the real programs have to be there");
        eprintln!("skipped: the real programs of this machine are other versions");
        return;
    }
    let _turn = crate::testing::turn();
    if std::env::var_os("COFFERDAM_RECORD_CASES").is_some() {
        record(file);
    }
    for case in cases(file) {
        assert_eq!(shown(&real(&case)), case.recorded, "{}", case.command);
    }
}

/// Writes what the real programs do into a file of cases.
fn record(file: &str) {
    let mut text = String::new();
    for case in cases(file) {
        writeln!(text, "$ {}\n{}", case.command, shown(&real(&case))).unwrap();
    }
    std::fs::write(directory().join(file), text).unwrap();
}

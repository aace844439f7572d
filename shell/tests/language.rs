//! The shell language, compared with the real sh: each snippet gives the same output, messages and exit status in a
//! [`Session`] and in dash. The snippets are in `language/`, separated by lines of four hyphens; `$T` is a directory in which
//! they may make files.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::cell::RefCell;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::rc::Rc;

use cofferdam_shell::{Console, Input, Machine, Session, Stream};
use rstest::rstest;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Exit status, standard output, standard error.
type Outcome = (i32, String, String);

#[derive(Clone, Default)]
struct Recorder(Rc<RefCell<(Vec<u8>, Vec<u8>)>>);

impl Console for Recorder {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let mut written = self.0.borrow_mut();
        match stream {
            Stream::Output => written.0.extend_from_slice(bytes),
            Stream::Error => written.1.extend_from_slice(bytes),
        }
    }

    fn read(&mut self) -> Input {
        Input::End
    }
}

fn simulated(snippet: &str) -> Outcome {
    let recorder = Recorder::default();
    let machine = Machine::new(Machine::boot(), Box::new(recorder.clone())).unwrap();
    let mut session = Session::new(&machine, b"sh", &[]).unwrap();
    session.export(b"T", b"/tmp");
    let status = session.run(snippet.as_bytes());
    session.finish_jobs();
    let (output, error) = recorder.0.take();
    (status, String::from_utf8_lossy(&output).into_owned(), String::from_utf8_lossy(&error).into_owned())
}

fn real(snippet: &str) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        .args(["-c", snippet, "sh"])
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", "/root")
        .env("T", directory.path())
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let status = output.status.code().or_else(|| output.status.signal().map(|signal| 128 + signal)).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(directory.path().to_str().unwrap(), "/tmp");
    (status, text(&output.stdout), text(&output.stderr))
}

/// Whether sh is dash, and is run by root, as the simulated one is. What it lacks fails where nothing may be skipped.
fn has_reference() -> bool {
    let is_dash = std::fs::canonicalize("/bin/sh").is_ok_and(|path| path.ends_with("dash"));
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let lacks = match (is_dash, is_root) {
        (false, _) => "sh is not dash",
        (_, false) => "needs root",
        (true, true) => return true,
    };
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{lacks}");
    println!("skipped: {lacks}");
    false
}

#[rstest]
#[case::words(include_str!("language/words.txt"))]
#[case::commands(include_str!("language/commands.txt"))]
#[case::errexit(include_str!("language/errexit.txt"))]
#[case::redirections(include_str!("language/redirections.txt"))]
#[case::jobs_and_traps(include_str!("language/jobs_and_traps.txt"))]
#[case::builtins(include_str!("language/builtins.txt"))]
#[case::messages(include_str!("language/messages.txt"))]
#[case::scripts(include_str!("language/scripts.txt"))]
#[case::more_scripts(include_str!("language/more_scripts.txt"))]
#[case::invocation(include_str!("language/invocation.txt"))]
fn snippets_do_the_same_as_in_dash(#[case] snippets: &str) {
    if !has_reference() {
        return;
    }
    let differences: Vec<String> = snippets
        .trim_end_matches('\n')
        .split("\n----\n")
        .map(|snippet| (snippet, simulated(snippet), real(snippet)))
        .filter(|(_, simulated, real)| simulated != real)
        .map(|(snippet, simulated, real)| format!("{snippet}\nsimulated: {simulated:#?}\nreal: {real:#?}\n"))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

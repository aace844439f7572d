//! Completions and manual pages: they are of the commands that there are.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::process::{Command, Output};

use rstest::rstest;

const COFFERDAM: &str = env!("CARGO_BIN_EXE_cofferdam");

fn cofferdam(arguments: &[&str]) -> Output {
    Command::new(COFFERDAM).args(arguments).output().unwrap()
}

#[track_caller]
fn text(arguments: &[&str]) -> String {
    let output = cofferdam(arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands, as `cofferdam --help` lists them.
fn commands() -> Vec<String> {
    let help = text(&["--help"]);
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let lines = list.lines().take_while(|line| !line.is_empty());
    // A line that is indented further goes on with the one before.
    let named = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    named.map(|line| line.split_whitespace().next().unwrap().to_owned()).filter(|name| name != "help").collect()
}

/// The long options of a command, as its help lists them.
fn options(command: &str) -> BTreeSet<String> {
    let help = text(&[command, "--help"]);
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words = lines.flat_map(|line| line.split([' ', ',']).take(3));
    words.filter(|word| word.starts_with("--")).map(str::to_owned).collect()
}

#[test]
fn each_command_has_a_page_with_its_options() {
    let commands = commands();
    assert!(commands.len() > 10 && commands.contains(&"run".to_owned()), "{commands:?}");
    let all = text(&["man"]);
    let directory = tempfile::tempdir().unwrap();
    text(&["man", "--directory", directory.path().to_str().unwrap()]);
    for command in commands {
        assert!(all.contains(&format!("cofferdam\\-{command}(1)")), "{command}: {all}");
        let page = text(&["man", &command]);
        let options = options(&command);
        assert!(!options.is_empty(), "{command}");
        for option in options {
            assert!(page.contains(&option.replace('-', "\\-")), "{command} {option}");
        }
        let file = directory.path().join(format!("cofferdam-{command}.1"));
        assert!(std::fs::read_to_string(file).unwrap().contains(&format!("cofferdam\\-{command} \\- ")));
    }
}

#[test]
fn the_readme_lists_each_command() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let (_, list) = readme.split_once("\n## Commands\n").unwrap();
    let (list, _) = list.split_once("\n## ").unwrap();
    let rows: String = list.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next()).collect();
    let listed: Vec<&str> = rows.split(['`', ',', ' ']).filter(|word| !word.is_empty()).collect();
    let (listed, commands): (BTreeSet<_>, _) = (listed.into_iter().map(str::to_owned).collect(), commands());
    assert_eq!(listed, commands.into_iter().collect());
}

#[rstest]
#[case("bash")]
#[case("elvish")]
#[case("fish")]
#[case("powershell")]
#[case("zsh")]
fn each_shell_has_all_commands(#[case] shell: &str) {
    let script = text(&["completions", shell]);
    for command in commands() {
        assert!(script.contains(&command), "{command}");
    }
    assert!(script.contains("peers-of"));
}

#[cfg(unix)]
#[rstest]
#[case(&["mou"], &["mounts"])]
#[case(&["mounts", "--pe"], &["--peers-of"])]
#[case(&["run", "--ru"], &["--runtime-dir"])]
fn bash_completes(#[case] words: &[&str], #[case] expected: &[&str]) {
    let script = format!(
        "source <({COFFERDAM} completions bash); COMP_WORDS=(cofferdam {}); COMP_CWORD={}; \
         _cofferdam cofferdam {} cofferdam; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words.len(),
        words.last().unwrap(),
    );
    let output = Command::new("bash").args(["--norc", "-c", &script]).output().unwrap();
    let found = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{output:?}");
}

#[test]
fn mistakes() {
    let unknown = cofferdam(&["man", "launcher"]);
    let error = String::from_utf8_lossy(&unknown.stderr);
    assert!(error.contains("there is no command launcher") && unknown.status.code() == Some(125), "{unknown:?}");
    let nowhere = cofferdam(&["man", "--directory", "/nowhere/at/all"]);
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("into /nowhere/at/all: "), "{nowhere:?}");
    assert_eq!(nowhere.status.code(), Some(125));
}

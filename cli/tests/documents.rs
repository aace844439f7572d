//! Pages about commands: all that they show was printed by the commands that they name.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;

use rstest::rstest;

const COFFERDAM: &str = env!("CARGO_BIN_EXE_cofferdam");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What pages name of the repository.
const NAMED: [&str; 3] = ["cli", "docs", "replay"];

/// What no command prints.
const END: &str = "@@ end of a command @@";

/// Where the commands of a page are typed that root is to type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    /// Into `cofferdam sim`.
    Simulated,
    /// On a real machine: nobody types them here.
    Real,
}

/// Who types a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prompt {
    /// `# `
    Root,
    /// `$ `, in a shell of this machine, in a directory with what is in the repository.
    Anybody,
}

impl Prompt {
    const ALL: [Self; 2] = [Self::Root, Self::Anybody];

    fn text(self) -> &'static str {
        match self {
            Self::Root => "# ",
            Self::Anybody => "$ ",
        }
    }
}

/// A command on a page, and what it prints there.
struct Shown<'p> {
    prompt: Prompt,
    command: &'p str,
    output: String,
}

/// The commands of a block, which begins with one.
fn commands(block: &str) -> Vec<Shown<'_>> {
    let mut shown: Vec<Shown<'_>> = Vec::new();
    for line in block.lines() {
        let prompt = Prompt::ALL.into_iter().find(|prompt| line.starts_with(prompt.text()));
        match prompt {
            Some(prompt) => shown.push(Shown { prompt, command: &line[2..], output: String::new() }),
            None => shown.last_mut().unwrap().output.extend([line, "\n"]),
        }
    }
    shown
}

/// What the commands print, each, when they are typed one after the other.
fn typed(shell: &mut Command, commands: &[&str]) -> Vec<String> {
    // $? and $! stay the same.
    let mut script = format!("exec 2>&1\nend() {{ set -- $?; echo '{END}'; return $1; }}\n");
    for command in commands {
        script.extend([command, "\nend\n"]);
    }
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "TERM"] {
        shell.env_remove(name);
    }
    let output = shell.arg("-c").arg(script).env("LC_ALL", "C.UTF-8").output().unwrap();
    assert_eq!(output.stderr, b"", "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let end = format!("{END}\n");
    let printed: Vec<_> = text.split_terminator(&end).map(str::to_owned).collect();
    assert_eq!(printed.len(), commands.len(), "{text}");
    printed
}

/// A simulated machine.
fn simulated() -> Command {
    let mut shell = Command::new(COFFERDAM);
    shell.arg("sim");
    shell
}

/// A shell that finds `cofferdam`, in a directory in which it may write.
fn shell(directory: &Path) -> Command {
    for name in NAMED {
        std::os::unix::fs::symlink(Path::new(ROOT).join(name), directory.join(name)).unwrap();
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("sh");
    shell.current_dir(directory).env("PATH", format!("{}:{path}", Path::new(COFFERDAM).parent().unwrap().display()));
    shell
}

/// With `UPDATE_DOCUMENTS=1`, what is printed is written down.
#[rstest]
#[case::tutorial("propagation.md", Root::Simulated, 40)]
#[case::mounts("mounts.md", Root::Simulated, 18)]
#[case::graph("graph.md", Root::Simulated, 3)]
#[case::run("run.md", Root::Real, 7)]
#[case::life_cycle("life-cycle.md", Root::Real, 1)]
#[case::plan("plan.md", Root::Real, 2)]
#[case::replay("replay.md", Root::Real, 1)]
#[case::sim("sim.md", Root::Real, 10)]
fn what_is_shown_is_what_is_printed(#[case] page: &str, #[case] root: Root, #[case] fewest: usize) {
    let page = Path::new(ROOT).join("docs").join(page);
    let text = fs::read_to_string(&page).unwrap();
    let mut parts: Vec<String> = text.split("```").map(str::to_owned).collect();
    let blocks: Vec<(usize, Vec<Shown<'_>>)> = text
        .split("```")
        .enumerate()
        .skip(1)
        .step_by(2)
        .filter_map(|(number, part)| Some((number, commands(part.strip_prefix("console\n")?))))
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let output_of = |prompt| {
        let shown = blocks.iter().flat_map(|(_, shown)| shown);
        let commands: Vec<_> = shown.filter(|shown| shown.prompt == prompt).map(|shown| shown.command).collect();
        match (prompt, root) {
            (Prompt::Root, Root::Real) => Vec::new(),
            (Prompt::Root, Root::Simulated) => typed(&mut simulated(), &commands),
            (Prompt::Anybody, _) => typed(&mut shell(directory.path()), &commands),
        }
    };
    let mut printed = Prompt::ALL.map(|prompt| output_of(prompt).into_iter());
    assert!(printed.iter().map(ExactSizeIterator::len).sum::<usize>() >= fewest, "{}", page.display());
    for (number, shown) in &blocks {
        let mut part = String::from("console\n");
        for Shown { prompt, command, output } in shown {
            let output = printed[*prompt as usize].next().unwrap_or_else(|| output.clone());
            part.extend([prompt.text(), command, "\n", &output]);
        }
        parts[*number] = part;
    }
    let expected = parts.join("```");
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(&page, &expected).unwrap();
    }
    assert_eq!(fs::read_to_string(&page).unwrap(), expected, "UPDATE_DOCUMENTS=1 writes down what is printed");
}

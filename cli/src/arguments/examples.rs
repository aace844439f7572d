//! Each command has examples in its help, and takes what they say.

use super::{description, parse_from};

/// The commands that people are told of.
fn commands() -> Vec<clap::Command> {
    let shown = |command: &&clap::Command| !command.is_hide_set();
    description().get_subcommands().filter(shown).cloned().collect()
}

/// The lines between `Examples:` and the end of the paragraph.
fn examples(command: &clap::Command) -> Vec<String> {
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines = after.lines().skip_while(|line| *line != "Examples:").skip(1);
    lines.take_while(|line| !line.is_empty()).map(|line| line.trim_start().to_owned()).collect()
}

/// The arguments of each `cofferdam` that a line for a shell begins with, or goes on with after `;` or `|`.
fn command_lines(line: &str) -> Vec<Vec<String>> {
    let words = shlex::split(line).unwrap_or_else(|| panic!("no line for a shell: {line}"));
    let mut found = Vec::new();
    let mut words = words.into_iter().peekable();
    while words.peek().is_some() {
        let mut command = Vec::new();
        for word in words.by_ref() {
            match word.strip_suffix(';') {
                _ if ["|", "||", "&&", "&", ">", "<"].contains(&&*word) => break,
                Some(last) => {
                    command.push(last.to_owned());
                    break;
                }
                None => command.push(word),
            }
        }
        if command.first().is_some_and(|program| program == "cofferdam") {
            found.push(command);
        }
    }
    found
}

#[test]
fn each_command_has_examples() {
    let commands = commands();
    assert!(commands.len() > 15, "{commands:?}");
    for command in commands {
        let name = command.get_name();
        let examples = examples(&command);
        let lines = examples.iter().flat_map(|example| command_lines(example));
        let own = lines.filter(|line| line.get(1).is_some_and(|word| word == name));
        assert!(own.count() >= 2, "{name}: {examples:?}");
    }
}

#[test]
fn examples_are_accepted() {
    for line in commands().iter().flat_map(examples).flat_map(|example| command_lines(&example)) {
        if let Err(error) = parse_from(&line) {
            panic!("{line:?}: {error}");
        }
    }
}

#[test]
fn a_line_for_a_shell_has_several_commands() {
    let lines = command_lines("cat a > b; cofferdam mounts --diff b | cofferdam sim -c 'ls; ls' && x");
    assert_eq!(lines, [vec!["cofferdam", "mounts", "--diff", "b"], vec!["cofferdam", "sim", "-c", "ls; ls"]]);
}

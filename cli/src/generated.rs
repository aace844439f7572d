//! What is made of the descriptions of the commands: completions for shells, and manual pages.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap_mangen::Man;

use crate::arguments::{CompletionsArguments, ManArguments, description};
use crate::run::Failure;

/// It can't be made, or not be printed.
#[derive(Debug, thiserror::Error)]
enum GeneratedError {
    #[error("there is no command {0}; `cofferdam --help` lists them")]
    UnknownCommand(String),
    #[error("cannot print it: {0}")]
    Print(io::Error),
    #[error("cannot write the manual pages into {}: {error}; does the directory exist?", .directory.display())]
    Write { directory: PathBuf, error: io::Error },
}

/// Prints a completion script. Gives the exit status.
pub(crate) fn completions(arguments: &CompletionsArguments) -> Result<i32, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut description(), "cofferdam", &mut script);
    print(&script)
}

/// Prints a manual page, or writes all of them. Gives the exit status.
pub(crate) fn man(arguments: &ManArguments) -> Result<i32, Failure> {
    if let Some(directory) = &arguments.directory {
        clap_mangen::generate_to(description(), directory)
            .map_err(|error| GeneratedError::Write { directory: directory.clone(), error })?;
        return Ok(0);
    }
    let mut all = description();
    // Each command is told its whole name.
    all.build();
    let command = match &arguments.command {
        None => all,
        Some(name) => {
            let found = all.get_subcommands().find(|command| command.get_name() == name && !command.is_hide_set());
            found.ok_or_else(|| GeneratedError::UnknownCommand(name.clone()))?.clone()
        }
    };
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    print(&page)
}

fn print(text: &[u8]) -> Result<i32, Failure> {
    match io::stdout().write_all(text) {
        // Who reads no further has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(GeneratedError::Print(error).into()),
        _ => Ok(0),
    }
}

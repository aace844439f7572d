//! Arguments of the commands that print what is made of descriptions: `cofferdam completions`, `man` and `schema`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;

pub(crate) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  cofferdam completions bash > /usr/share/bash-completion/completions/cofferdam
  cofferdam completions zsh > /usr/local/share/zsh/site-functions/_cofferdam
  cofferdam completions fish > ~/.config/fish/completions/cofferdam.fish";

/// Arguments of `cofferdam completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// Shell that is to complete them
    pub(crate) shell: clap_complete::Shell,
}

pub(crate) const MAN_EXAMPLES: &str = "\
Examples:
  cofferdam man run | man -l -
  cofferdam man --directory /usr/local/share/man/man1";

/// Arguments of `cofferdam man`.
#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// Command whose page is printed; without it, the page about all of cofferdam
    pub(crate) command: Option<String>,
    /// Write the pages of all commands there, instead
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(crate) directory: Option<PathBuf>,
}

pub(crate) const SCHEMA_EXAMPLES: &str = "\
Examples:
  cofferdam schema
  cofferdam schema container-config > container-config.schema.json
  cofferdam schema agent-config | jq .properties.masked_paths

Messages are those of the commands of the life cycle: what they read from standard input, and what they print.";

/// Arguments of `cofferdam schema`.
#[derive(Debug, Args)]
pub(crate) struct SchemaArguments {
    /// Which schema; without it, the names are printed
    #[arg(value_parser = PossibleValuesParser::new(cofferdam::schema::NAMES))]
    pub(crate) name: Option<String>,
}

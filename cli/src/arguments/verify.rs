//! Arguments of `cofferdam verify`.

use clap::Args;
use cofferdam::messages::ContainerId;

use super::AgentArguments;
use super::life_cycle::container_id;

pub(crate) const EXAMPLES: &str = "\
Examples:
  cofferdam verify --id web
  cofferdam verify --id web --json || logger 'the mounts of web have drifted'

What should be there is found out on a simulated kernel, on which the container is made anew; needs root.

Exit status: 0 if nothing is different, 1 if something is, 125 if that can't be told.";

/// Arguments of `cofferdam verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    pub(crate) agent: AgentArguments,
    /// Id of the container
    #[arg(long, value_name = "ID", value_parser = container_id)]
    pub(crate) id: ContainerId,
    /// Print the differences as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

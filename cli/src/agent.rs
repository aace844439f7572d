//! The agent that a command acts for: its configuration, from a file and from options.
//!
//! The file is one of this machine, also for a simulated host.

mod parse;

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use cofferdam::agent::{AgentConfig, InvalidConfig};
use cofferdam::layout::Layout;

use self::parse::{Mistake, Parsed};
use crate::arguments::{AgentArguments, DEFAULT_RUNTIME_DIR, DEFAULT_WORK_DIR};

/// More than anybody writes, so that a device or a pipe that never ends is no file to read.
const LONGEST: u64 = 4 << 20;

/// The agent that a command acts for.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    /// Its configuration.
    pub(crate) config: AgentConfig,
    /// Whether nobody has said which work_dir it is.
    pub(crate) has_default_work_dir: bool,
}

/// The agent's configuration file can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigFileError {
    #[error("cannot read the agent's configuration {}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("{} is no agent configuration: it is longer than {LONGEST} bytes", .0.display())]
    TooLong(PathBuf),
    #[error("{} is no agent configuration: it is not UTF-8 after {valid} bytes", path.display())]
    NotText { path: PathBuf, valid: usize },
    #[error("{}", Lines(path, mistakes))]
    Mistakes { path: PathBuf, mistakes: Vec<Mistake> },
}

/// A line for each mistake: `agent.toml:3:1: devices: ...`, with the line and the column where they are known.
struct Lines<'a>(&'a Path, &'a [Mistake]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(path, mistakes) = self;
        for (index, mistake) in mistakes.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}{mistake}", path.display())?;
        }
        Ok(())
    }
}

impl AgentArguments {
    /// The agent, whose configuration file is read now; options count more than what that says.
    pub(crate) fn agent(&self) -> Result<Agent, ConfigFileError> {
        let layout = Layout { work_dir: DEFAULT_WORK_DIR.into(), runtime_dir: DEFAULT_RUNTIME_DIR.into() };
        let defaults = AgentConfig::new(layout);
        let (mut config, says_work_dir) = match &self.agent_config {
            Some(path) => read(path, defaults)?,
            None => (defaults, false),
        };
        let options =
            [(&self.work_dir, &mut config.layout.work_dir), (&self.runtime_dir, &mut config.layout.runtime_dir)];
        for (option, setting) in options {
            if let Some(path) = option {
                *setting = path.as_path().to_path_buf();
            }
        }
        Ok(Agent { config, has_default_work_dir: !says_work_dir && self.work_dir.is_none() })
    }
}

/// The configuration that a file says, and whether it says a work_dir.
fn read(path: &Path, defaults: AgentConfig) -> Result<(AgentConfig, bool), ConfigFileError> {
    let text = read_text(path)?;
    let mistaken = |mistakes| ConfigFileError::Mistakes { path: path.into(), mistakes };
    let Parsed { file, locations } = parse::parse(path, &text).map_err(|mistake| mistaken(vec![mistake]))?;
    let says_work_dir = file.work_dir.is_some();
    let config = file.over(defaults).map_err(|InvalidConfig(problems)| {
        mistaken(problems.into_iter().map(|problem| locations.mistake(problem)).collect())
    })?;
    Ok((config, says_work_dir))
}

fn read_text(path: &Path) -> Result<String, ConfigFileError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
    match read {
        Err(error) => Err(ConfigFileError::Read { path: path.into(), error }),
        Ok(length) if length as u64 > LONGEST => Err(ConfigFileError::TooLong(path.into())),
        Ok(_) => String::from_utf8(bytes)
            .map_err(|error| ConfigFileError::NotText { path: path.into(), valid: error.utf8_error().valid_up_to() }),
    }
}

#[cfg(test)]
mod tests;

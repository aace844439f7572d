//! Arguments of `cofferdam replay`.

use std::path::PathBuf;

use clap::Args;
use cofferdam::kernel::Bytes;

pub(crate) const EXAMPLES: &str = "\
Examples:
  cat /proc/self/mountinfo > mountinfo; strace -f -o trace -s 4096 -- mount --move /srv /mnt
  cofferdam replay --mountinfo mountinfo trace
  cofferdam replay --mountinfo mountinfo --user 1000:1000 --json trace

The first line is for the machine where something fails, the others for any machine. What is there besides the mounts is learned \
from the log. docs/replay.md says what is compared.

Exit status: 0 if every call gives what was recorded; 1 if one gives something else; 125 if cofferdam failed.";

/// Arguments of `cofferdam replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// Mounts of the traced machine: a copy of the /proc/PID/mountinfo of the traced process, or of the one that started it, made
    /// before it began [default: those of a sample host, with its files]
    #[arg(long, value_name = "FILE")]
    pub(crate) mountinfo: Option<PathBuf>,
    /// User and group, as numbers, that the first process ran as [default: 0:0]
    #[arg(long, value_name = "UID[:GID]", value_parser = user)]
    pub(crate) user: Option<(u32, u32)>,
    /// Working directory of the first process [default: what the log tells, or /]
    #[arg(long, value_name = "DIR", value_parser = super::bytes())]
    pub(crate) directory: Option<Bytes>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Log of `strace -f -o TRACE -s 4096`; `-` is standard input
    #[arg(value_name = "TRACE")]
    pub(crate) trace: PathBuf,
}

/// A user alone has the group of the same number.
fn user(text: &str) -> Result<(u32, u32), String> {
    let (uid, gid) = text.split_once(':').unwrap_or((text, text));
    let number =
        |text: &str| text.parse::<u32>().map_err(|error| format!("{text:?} is no number of a user or group: {error}"));
    Ok((number(uid)?, number(gid)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users() {
        assert_eq!(user("1000"), Ok((1000, 1000)));
        assert_eq!(user("1000:100"), Ok((1000, 100)));
        assert!(user("alice").is_err());
        assert!(user("1000:").is_err());
    }
}

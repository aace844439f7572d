//! Arguments of `cofferdam launcher`.

use clap::Args;
use cofferdam::kernel::Bytes;

use super::bytes;

/// Arguments of `cofferdam launcher`.
#[derive(Clone, Debug, Args)]
pub(crate) struct LaunchArguments {
    /// The launch info: what `prepare` decided, as JSON
    #[arg(long, value_name = "FILE", value_parser = bytes())]
    pub(crate) launch_info: Bytes,
    /// Kill the container when this process, which started this one, dies
    #[arg(long, value_name = "PID")]
    pub(crate) die_with_parent: Option<i32>,
    /// Process of the container that this one is nested in
    #[arg(long, value_name = "PID")]
    pub(crate) parent: Option<i32>,
    /// Write the number of the container's process there once its filesystem is complete
    #[arg(long, value_name = "FILE", value_parser = bytes())]
    pub(crate) pid_file: Vec<Bytes>,
    /// Print every system call to standard error, as strace does
    #[arg(long)]
    pub(crate) trace: bool,
    /// Note the beginning of each phase in this descriptor
    #[arg(long, value_name = "FD")]
    pub(crate) timings: Option<i32>,
    /// Begin once there is a byte to read from this descriptor; end if it is closed instead
    #[arg(long, value_name = "FD")]
    pub(crate) begin: Option<i32>,
    /// Execute the program once there is a byte to read from this descriptor; end if it is closed instead
    #[arg(long, value_name = "FD")]
    pub(crate) hold: Option<i32>,
}

impl LaunchArguments {
    /// The command line that says so.
    pub(crate) fn command_line(&self) -> Vec<Bytes> {
        let mut line: Vec<Bytes> = vec!["cofferdam".into(), "launcher".into()];
        if let Some(parent) = self.die_with_parent {
            line.extend(["--die-with-parent".into(), parent.to_string().into()]);
        }
        if let Some(parent) = self.parent {
            line.extend(["--parent".into(), parent.to_string().into()]);
        }
        for path in &self.pid_file {
            line.extend(["--pid-file".into(), path.clone()]);
        }
        if self.trace {
            line.push("--trace".into());
        }
        if let Some(notes) = self.timings {
            line.extend(["--timings".into(), notes.to_string().into()]);
        }
        if let Some(pipe) = self.begin {
            line.extend(["--begin".into(), pipe.to_string().into()]);
        }
        if let Some(pipe) = self.hold {
            line.extend(["--hold".into(), pipe.to_string().into()]);
        }
        line.extend(["--launch-info".into(), self.launch_info.clone()]);
        line
    }
}

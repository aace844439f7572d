//! Both worlds, and what a script says in one of them.

#[cfg(target_os = "linux")]
pub mod real;
pub mod simulated;

use std::fmt;
use std::path::{Path, PathBuf};

/// Where scripts and what they source are, in both worlds.
pub const SCRIPTS: &str = "/mnt/scripts";

/// The empty directory in which a script starts.
pub const WORK: &str = "/mnt/work";

/// The environment of a script. The paths of both worlds' programs are in it.
pub const ENVIRONMENT: &[(&str, &str)] =
    &[("HOME", "/root"), ("LC_ALL", "C"), ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")];

/// What a script wrote, standard output and standard error as it came, and its exit status.
pub struct Transcript {
    pub output: Vec<u8>,
    pub status: i32,
}

impl fmt::Display for Transcript {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let output = String::from_utf8_lossy(&self.output);
        formatter.write_str(&output)?;
        if !output.is_empty() && !output.ends_with('\n') {
            formatter.write_str("\n(no newline)\n")?;
        }
        writeln!(formatter, "exit status {}", self.status)
    }
}

/// Where the scripts are kept.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts")
}

/// The path of a script in both worlds.
pub fn path(script: &Path) -> String {
    format!("{SCRIPTS}/{}", script.file_name().unwrap().to_string_lossy())
}

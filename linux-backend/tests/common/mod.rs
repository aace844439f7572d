//! What several test programs need.

use std::io::Write as _;

use cofferdam::kernel::{Capabilities, Kernel};
use cofferdam_linux::LinuxKernel;

/// Whether mounts may be changed here. If not, the test that asks says that it is skipped, which CI does not tolerate.
pub fn is_root(test: &str) -> bool {
    let root = LinuxKernel.capget().unwrap().effective.contains(Capabilities::CAP_SYS_ADMIN);
    if !root {
        // Not `eprintln!`, which libtest would capture; and in one piece, as tests run at the same time.
        std::io::stderr().write_all(format!("skipped: needs root: {test}\n").as_bytes()).unwrap();
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "in CI, nothing is skipped");
    }
    root
}

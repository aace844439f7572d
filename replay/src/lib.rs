//! Logs of strace(1), replayed on the simulated kernel: whether each call would give there what it gave on the machine where it
//! was recorded, and why those that failed did.
//!
//! ```
//! use cofferdam_replay::{Beginning, Trace, replay};
//! use cofferdam_vfs_sim::Linux;
//!
//! let machine = Linux::from_mountinfo(b"\
//! 29 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
//! 36 29 0:31 / /srv rw,relatime shared:2 - tmpfs tmpfs rw
//! ")?;
//! let trace = Trace::parse(br#"
//! 812 mkdir("/mnt/a", 0755) = 0
//! 812 mount("/srv", "/mnt/a", NULL, MS_MOVE, NULL) = -1 EINVAL (Invalid argument)
//! "#)?;
//! let report = replay(&trace, &machine, &Beginning::default())?;
//! assert_eq!(report.difference, None);
//! let failure = &report.failures[0];
//! let rule = "the mount that the source is mounted on, its parent, is shared (do_move_mount())";
//! assert_eq!(failure.reason.as_deref(), Some(rule));
//! assert!(failure.detail.as_deref().expect("it is known").contains("which is shared (peer group 1)"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`syntax`] | the text of strace: lines, calls, arguments as trees |
//! | [`trace`], `children` | a log as a sequence of events, and which call made which process |
//! | [`decode`] | what a call means: the call of the kernel, and what it gave |
//! | `world` | the simulated machine: processes and descriptors by their numbers, and what the log proves of its files |
//! | `replay` | call by call |
//! | `compare`, `reason`, `report` | whether both gave the same, why not, and how that is told |
#![forbid(unsafe_code)]

mod children;
mod compare;
pub mod decode;
mod reason;
mod replay;
mod report;
pub mod syntax;
pub mod trace;
mod uses;
mod world;

pub use replay::{ReplayError, replay, replay_with_progress};
pub use report::{Difference, Failure, Replaced, Report, Skipped};
pub use trace::{Trace, TraceError};
pub use world::Beginning;

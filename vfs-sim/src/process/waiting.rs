//! Calls that would have to wait for another process: to read an empty pipe, to take a lock that somebody holds, for a
//! child that lives, for a signal, for somebody to open the other end of a fifo.
//!
//! Processes act one at a time, and none acts during the call of another, so that the wait would never end. It ends as if a
//! signal had interrupted it: what the call has done by then is done. Part of a write into a pipe that is full is a short
//! write; a lock that was to become one of the other kind is given up. A call with nothing to show for it fails, not with
//! `EINTR` though, upon which callers try again at once, but with [`WOULD_WAIT`].

use crate::failure::{Failure, fail};

/// What a call gets that would have to wait for another process: it would wait for ever.
pub(crate) const WOULD_WAIT: Failure =
    fail!(EDEADLK, "schedule()", "the call would wait for another process, none of which acts meanwhile");

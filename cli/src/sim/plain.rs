//! A person in front of the machine, where there is no line editor.

use std::io::{self, BufRead as _, Write as _};

use cofferdam_shell::{Completeness, Session};

use crate::run::Failure;

/// Executes what is typed in, up to the end. Gives the exit status.
pub(super) fn interact(session: &mut Session) -> Result<i32, Failure> {
    session.set_interactive();
    let mut text = Vec::new();
    loop {
        print!("{}", if text.is_empty() { "# " } else { "> " });
        io::stdout().flush()?;
        if io::stdin().lock().read_until(b'\n', &mut text)? == 0 {
            return Ok(session.end());
        }
        if Session::completeness(&text) == Completeness::Incomplete {
            continue;
        }
        session.run_chunk(&std::mem::take(&mut text));
        if let Some(status) = session.exited() {
            return Ok(status);
        }
    }
}

//! Steps, and what came of them, for people.

use std::fmt::{self, Display};

use crate::observation::{Observation, Tables};
use crate::sequence::{Action, Step};

/// A step with what came of it, as strace prints it.
pub fn shown(step: Option<&Step>, observation: &Observation) -> String {
    match (observation, step.map(|step| &step.action)) {
        (Observation::Returned(result), Some(Action::Call(call))) => call.with_result(result).to_string(),
        (Observation::Returned(result), _) => match result {
            Ok(value) => format!("{value:?}"),
            Err(errno) => format!("-1 {errno}"),
        },
        (Observation::Skipped, _) => "passed over".into(),
        (Observation::Looked(Ok(Tables { mountinfo, mounts })), _) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            format!("mountinfo:\n{}mounts:\n{}", text(&mountinfo.0), text(&mounts.0))
        }
        (Observation::Looked(Err(errno)), _) => format!("the tables can't be read: {errno}"),
        (Observation::Broken(message), _) => format!("broken: {message}"),
    }
}

/// A step of a sequence with what came of it, if that is known: a line of a script.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Which step it is.
    pub index: usize,
    /// The step.
    pub step: &'a Step,
    /// What a kernel returned.
    pub result: Option<&'a Observation>,
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = self.result.and_then(Observation::result);
        write!(f, "{:3}  task {}  ", self.index, self.step.task)?;
        match (&self.step.action, result) {
            (Action::Call(call), Some(result)) => write!(f, "{}", call.with_result(result)),
            (Action::Call(call), None) => write!(f, "{call}"),
            (Action::Fork { child, flags }, result) => {
                write!(f, "clone3({flags}) -> task {child}")?;
                match result {
                    Some(Err(errno)) => write!(f, " = -1 {errno}"),
                    _ => Ok(()),
                }
            }
            (Action::Exit { status }, _) => write!(f, "exit({status})"),
        }
    }
}

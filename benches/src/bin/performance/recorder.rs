//! Records the system calls of a launch: `performance recorder LAUNCH-INFO 2>> FILE`.

use std::cell::RefCell;
use std::fs;
use std::path::Path;

use cofferdam::kernel::{Call, Errno, Fd, Intercepted, Interceptor, Kernel, Value};
use cofferdam::launch::launch;
use cofferdam_linux::LinuxKernel;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::launcher;

/// A call, and who made it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// The launcher is `0`, its first child `0.0`, and so on.
    pub process: String,
    /// The call.
    pub call: Call,
    /// Its result; none of an execve(2), which had not returned when it was written.
    pub result: Option<Result<Value, Errno>>,
}

/// Writes each call to standard error: the launcher closes all other descriptors before it executes the program.
struct Recorder {
    state: RefCell<State>,
}

/// Each process of the launch has a copy of its own.
struct State {
    process: String,
    children: usize,
    /// What it was before each clone3(2) that has not returned.
    before: Vec<(String, usize)>,
}

impl Recorder {
    fn write(&self, kernel: &dyn Kernel, call: &Call, result: Option<&Result<Value, Errno>>) {
        let recorded =
            Recorded { process: self.state.borrow().process.clone(), call: call.clone(), result: result.cloned() };
        // What can't be written is missed by whoever reads it.
        if let Ok(line) = serde_json::to_string(&recorded) {
            let _ = kernel.write(Fd::STDERR, format!("{line}\n").as_bytes());
        }
    }
}

impl Interceptor for Recorder {
    fn before(&self, kernel: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        match call {
            Call::Clone3 { .. } => {
                let mut state = self.state.borrow_mut();
                let (process, children) = (state.process.clone(), state.children);
                state.process = child_name(&process, children);
                state.children = 0;
                state.before.push((process, children));
            }
            Call::Execve { .. } => self.write(kernel, call, None),
            _ => {}
        }
        Ok(())
    }

    fn after(&self, kernel: &dyn Kernel, call: &Call, result: &Result<Value, Errno>) {
        if let Call::Clone3 { .. } = call {
            let mut state = self.state.borrow_mut();
            if let Some((process, children)) = state.before.pop() {
                (state.process, state.children) = (process, children + 1);
            }
        }
        self.write(kernel, call, Some(result));
    }
}

/// The name of a process's child, which are counted from 0.
pub fn child_name(process: &str, child: usize) -> String {
    format!("{process}.{child}")
}

/// Carries a launch info out. Gives the exit status.
pub fn record(launch_info: &str) -> Result<i32, Failure> {
    let request = launcher::request(launch_info)?;
    let state = State { process: "0".into(), children: 0, before: Vec::new() };
    let recorder = Recorder { state: RefCell::new(state) };
    Ok(launch(&Intercepted::new(&LinuxKernel, &recorder), &request))
}

/// Reads what a recorder has written.
pub fn read(path: &Path) -> Result<Vec<Recorded>, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| format!("cannot read the recorded calls in {}: {error}", path.display()))?;
    let recorded = text.lines().map(|line| {
        serde_json::from_str(line)
            .map_err(|error| format!("the recorder wrote what is no call: {line}: {error}").into())
    });
    recorded.collect()
}

//! What leads elsewhere: `break`, `continue`, `return`, `exit`, `eval`, `.`, `let`.

use async_recursion::async_recursion;
use cofferdam::kernel::{Errno, FileType};

use super::number;
use crate::interpreter::stop::{Executed, Stop};
use crate::interpreter::{Shell, source};

impl Shell {
    pub(super) fn break_loop(&mut self, arguments: &[Vec<u8>], stop: fn(usize) -> Stop) -> Executed {
        let count = match arguments.first() {
            Some(word) => number(word)?,
            None => 1,
        };
        if count == 0 {
            return Err(Stop::fatal("Illegal number: 0"));
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.loops);
        // Outside of loops there is nothing to leave.
        if count == 0 { Ok(0) } else { Err(stop(count)) }
    }

    pub(super) fn return_builtin(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let status = match arguments.first() {
            Some(word) => number(word)?,
            None => self.status,
        };
        if self.calls == 0 { Err(Stop::Exit(status)) } else { Err(Stop::Return(status)) }
    }

    pub(super) fn exit(&mut self, arguments: &[Vec<u8>]) -> Executed {
        match arguments.first() {
            Some(word) => Err(Stop::Exit(number(word)? & 0xff)),
            None => Err(Stop::Exit(self.status)),
        }
    }

    #[async_recursion(?Send)]
    pub(super) async fn eval(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let text = arguments.join(&b' ');
        if text.is_empty() {
            return Ok(0);
        }
        self.evaluate(&text).await
    }

    pub(super) async fn let_builtin(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let mut value = 0;
        for argument in arguments {
            value = self.arithmetic(&source::encode(argument)).await?;
        }
        Ok(i32::from(value == 0))
    }

    /// `.`: executes a file in this shell.
    #[async_recursion(?Send)]
    pub(super) async fn source(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let arguments = arguments.strip_prefix(&[b"--".to_vec()]).unwrap_or(arguments);
        let Some((path, parameters)) = arguments.split_first() else {
            return Err(Stop::fatal("filename argument required"));
        };
        let content = self.find_source(path)?;
        self.command_name = Some(path.clone());
        let outer = (!parameters.is_empty()).then(|| std::mem::replace(&mut self.parameters, parameters.to_vec()));
        let line = self.line;
        let loops = std::mem::take(&mut self.loops);
        self.calls += 1;
        self.depth += 1;
        let executed = if self.depth > self.max_depth {
            Err(Stop::fatal("Maximum function recursion depth reached"))
        } else {
            self.status = 0;
            self.text(&source::encode(&content), 0).await
        };
        self.depth -= 1;
        self.calls -= 1;
        self.loops = loops;
        self.line = line;
        if let Some(outer) = outer {
            self.parameters = outer;
        }
        match executed {
            Err(Stop::Return(status)) => Ok(status),
            executed => executed,
        }
    }

    /// A file of the simulated machine, or, if there is none, of the one in front of it.
    fn find_source(&mut self, path: &[u8]) -> Result<Vec<u8>, Stop> {
        let candidates: Vec<Vec<u8>> = if path.contains(&b'/') {
            vec![path.to_vec()]
        } else {
            let directories = self.get("PATH").unwrap_or_default();
            let in_directory = |directory: &[u8]| match directory {
                b"" => path.to_vec(),
                directory => [directory, b"/", path].concat(),
            };
            directories.split(|byte| *byte == b':').map(in_directory).collect()
        };
        for candidate in &candidates {
            match self.stat(candidate, true) {
                Ok(stat) if stat.file_type == FileType::Directory && !path.contains(&b'/') => {}
                Ok(_) => {
                    let cannot = |errno: Errno| {
                        Stop::fatal([b"cannot open ", path, b": ", errno.description().as_bytes()].concat())
                    };
                    return self.read_whole(candidate).map_err(cannot);
                }
                Err(_) => {}
            }
        }
        if let Some(content) = self.machine.script(path) {
            return Ok(content);
        }
        let reason: &[u8] = if path.contains(&b'/') { b"cannot open " } else { b"" };
        let why: &[u8] = if path.contains(&b'/') { b": No such file" } else { b": not found" };
        Err(Stop::fatal([reason, path, why].concat()))
    }
}

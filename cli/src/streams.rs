//! The console of a simulated machine: our own standard streams.

use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;

use cofferdam_shell::{Console, Input, Stream};

use crate::sim::Person;

/// How much is read at a time.
const CHUNK: usize = 65536;

/// A path of this machine, as a simulated one has it.
pub(crate) fn host_path(path: &[u8]) -> PathBuf {
    cfg_if::cfg_if! {
        if #[cfg(unix)] {
            use std::os::unix::ffi::OsStrExt as _;
            PathBuf::from(std::ffi::OsStr::from_bytes(path))
        } else {
            PathBuf::from(String::from_utf8_lossy(path).into_owned())
        }
    }
}

/// Our standard streams.
#[derive(Debug, Default)]
pub(crate) struct StandardStreams {
    /// Who types, if somebody does.
    pub(crate) person: Option<Person>,
    /// Where the script lies that is run: what it sources may lie there too.
    pub(crate) script_directory: Option<PathBuf>,
}

impl Console for StandardStreams {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        // Who closes our output wants no more of it; the machine goes on, so that its state can be saved.
        let _ = match stream {
            Stream::Output => {
                let mut output = io::stdout().lock();
                output.write_all(bytes).and_then(|()| output.flush())
            }
            Stream::Error => io::stderr().lock().write_all(bytes),
        };
    }

    fn read(&mut self) -> Input {
        if let Some(person) = &self.person
            && person.wait_for_input().unwrap_or_default()
        {
            return Input::Interrupt;
        }
        let mut buffer = vec![0; CHUNK];
        loop {
            match io::stdin().lock().read(&mut buffer) {
                Ok(0) if self.person.is_some() => return Input::Pause,
                Ok(count) => {
                    buffer.truncate(count);
                    return Input::all(buffer);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // As if it had ended there.
                Err(_) => return Input::End,
            }
        }
    }

    fn is_terminal(&self) -> bool {
        self.person.is_some()
    }

    fn take_interrupt(&mut self) -> bool {
        self.person.as_ref().is_some_and(Person::take_interrupt)
    }

    fn script(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        let path = host_path(path);
        let beside = self.script_directory.as_ref().map(|directory| directory.join(&path));
        std::fs::read(&path).ok().or_else(|| std::fs::read(beside?).ok())
    }
}

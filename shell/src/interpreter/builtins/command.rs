//! What names mean: `command`, `type`, `hash`, `exec`, `alias`, `unalias`.

use super::{is_builtin, options};
use crate::interpreter::Shell;
use crate::interpreter::simple::Found;
use crate::interpreter::stop::{Executed, Stop};
use crate::interpreter::variables::quoted;

/// Where standard programs are (`command -p`).
const STANDARD_PATH: &[u8] = b"/usr/sbin:/usr/bin:/sbin:/bin";

const KEYWORDS: &[&str] =
    &["!", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in", "then", "until", "while", "{", "}"];

impl Shell {
    pub(super) async fn command_builtin(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let (given, operands) = options(arguments, b"pvV")?;
        let Some(name) = operands.first() else { return Ok(0) };
        let path =
            if given.contains(&b'p') { STANDARD_PATH.to_vec() } else { self.get("PATH").unwrap_or_default().to_vec() };
        if given.contains(&b'v') || given.contains(&b'V') {
            let mut status = 0;
            for name in operands {
                status = status.max(self.describe(name, &path, given.contains(&b'V')).await?);
            }
            return Ok(status);
        }
        if is_builtin(name) {
            return match self.builtin(operands.to_vec()).await {
                // A special builtin is none here.
                Err(Stop::Error(status)) => Ok(status),
                executed => executed,
            };
        }
        match self.find_program(name, &path) {
            Ok(path) => self.run_program(path, operands.to_vec()).await,
            Err(errno) => Ok(self.not_executed(name, errno).await),
        }
    }

    pub(super) async fn type_builtin(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let path = self.get("PATH").unwrap_or_default().to_vec();
        let mut status = 0;
        for name in arguments {
            status = status.max(self.describe(name, &path, true).await?);
        }
        Ok(status)
    }

    /// Prints what a name means, in a sentence or so that it can be used.
    async fn describe(&mut self, name: &[u8], path: &[u8], is_sentence: bool) -> Executed {
        let (short, long) = if KEYWORDS.iter().any(|keyword| keyword.as_bytes() == name) {
            (name.to_vec(), b" is a shell keyword".to_vec())
        } else if let Some(alias) = self.aliases.get(name) {
            ([b"alias ", name, b"=", &quoted(alias)].concat(), [&b" is an alias for "[..], alias].concat())
        } else {
            match self.find_command(name) {
                Found::Special => (name.to_vec(), b" is a special shell builtin".to_vec()),
                Found::Function(_) => (name.to_vec(), b" is a shell function".to_vec()),
                Found::Builtin => (name.to_vec(), b" is a shell builtin".to_vec()),
                _ => match self.find_program(name, path) {
                    Ok(path) if self.stat(&path, true).is_ok() => (path.clone(), [&b" is "[..], &path].concat()),
                    _ => {
                        if is_sentence {
                            self.print(&[name, b": not found\n"].concat()).await?;
                        }
                        return Ok(127);
                    }
                },
            }
        };
        let text = if is_sentence { [name, &long, b"\n"].concat() } else { [&short[..], b"\n"].concat() };
        self.print(&text).await?;
        Ok(0)
    }

    /// `hash`: nothing is remembered here, so there is nothing to forget.
    pub(super) async fn hash(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let (_, operands) = options(arguments, b"rv")?;
        let path = self.get("PATH").unwrap_or_default().to_vec();
        let mut status = 0;
        for name in operands {
            if !is_builtin(name) && !self.functions.contains_key(name) && self.find_program(name, &path).is_err() {
                self.complain(&[b"hash: ", &name[..], b": not found"].concat()).await;
                status = 1;
            }
        }
        Ok(status)
    }

    pub(super) async fn exec(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let arguments = arguments.strip_prefix(&[b"--".to_vec()]).unwrap_or(arguments);
        let Some(name) = arguments.first() else { return Ok(0) };
        let path = self.get("PATH").unwrap_or_default().to_vec();
        let status = match self.find_program(name, &path) {
            Ok(path) => {
                let message = self.name.clone();
                let status = self.become_program(&path, arguments).await;
                self.name = message;
                status
            }
            Err(errno) => {
                let status = if errno == cofferdam::kernel::Errno::ENOENT { 127 } else { 126 };
                let reason = if status == 127 { "not found" } else { errno.description() };
                self.complain(&[b"exec: ", &name[..], b": ", reason.as_bytes()].concat()).await;
                status
            }
        };
        Err(Stop::Exit(status))
    }

    pub(super) async fn alias(&mut self, arguments: &[Vec<u8>]) -> Executed {
        if arguments.is_empty() {
            let line = |(name, value): (&Vec<u8>, &Vec<u8>)| [&name[..], b"=", &quoted(value), b"\n"].concat();
            let text: Vec<u8> = self.aliases.iter().flat_map(line).collect();
            self.print(&text).await?;
            return Ok(0);
        }
        let mut status = 0;
        for argument in arguments {
            let mut parts = argument.splitn(2, |byte| *byte == b'=');
            let name = parts.next().unwrap_or_default();
            match (parts.next(), self.aliases.get(name)) {
                (Some(value), _) => drop(self.aliases.insert(name.to_vec(), value.to_vec())),
                (None, Some(value)) => {
                    let text = [name, b"=", &quoted(value), b"\n"].concat();
                    self.print(&text).await?;
                }
                (None, None) => {
                    self.write_error(&[b"alias: ", name, b" not found\n"].concat()).await;
                    status = 1;
                }
            }
        }
        Ok(status)
    }

    pub(super) async fn unalias(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let (given, operands) = options(arguments, b"a")?;
        if given.contains(&b'a') {
            self.aliases.clear();
        }
        let mut status = 0;
        for name in operands {
            if self.aliases.remove(name).is_none() {
                self.write_error(&[b"unalias: ", &name[..], b" not found\n"].concat()).await;
                status = 1;
            }
        }
        Ok(status)
    }
}

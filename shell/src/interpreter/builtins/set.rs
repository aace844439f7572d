//! `set`, `shift`, `shopt`.

use super::number;
use crate::interpreter::Shell;
use crate::interpreter::stop::{Executed, Stop};
use crate::interpreter::variables::quoted;

impl Shell {
    pub(super) async fn set_builtin(&mut self, arguments: &[Vec<u8>]) -> Executed {
        if arguments.is_empty() {
            let mut text = Vec::new();
            for (name, variable) in self.variables.iter() {
                if let Some(value) = &variable.value {
                    text.extend_from_slice(&[name, b"=", &quoted(value), b"\n"].concat());
                }
            }
            self.print(&text).await?;
            return Ok(0);
        }
        if let Some(parameters) = self.take_options(arguments).await? {
            self.parameters = parameters;
        }
        Ok(0)
    }

    /// Sets options, also those of sh(1). Gives the parameters, if there are any.
    pub(in crate::interpreter) async fn take_options(
        &mut self,
        arguments: &[Vec<u8>],
    ) -> Result<Option<Vec<Vec<u8>>>, Stop> {
        let mut rest = arguments;
        while let [first, after @ ..] = rest {
            let is_set = match &first[..] {
                b"--" => return Ok(Some(after.to_vec())),
                b"-" => {
                    self.options.set(b'x', false);
                    self.options.set(b'v', false);
                    return Ok((!after.is_empty()).then(|| after.to_vec()));
                }
                [b'-', _, ..] => true,
                [b'+', ..] => false,
                _ => break,
            };
            rest = after;
            for letter in first.iter().skip(1) {
                if *letter != b'o' {
                    if !self.options.set(*letter, is_set) {
                        return Err(Stop::fatal([b"Illegal option -", &[*letter][..]].concat()));
                    }
                    continue;
                }
                let [name, after @ ..] = rest else {
                    let text = if is_set { self.options.table() } else { self.options.commands() };
                    self.print(text.as_bytes()).await?;
                    continue;
                };
                rest = after;
                // It matters in dash neither, but scripts of bash have it.
                if !self.options.set_named(name, is_set) {
                    return Err(Stop::fatal([b"Illegal option -o ", &name[..]].concat()));
                }
            }
        }
        Ok((!rest.is_empty()).then(|| rest.to_vec()))
    }

    pub(super) fn shift(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let count = match arguments.first() {
            Some(word) => usize::try_from(number(word)?).unwrap_or_default(),
            None => 1,
        };
        if count > self.parameters.len() {
            return Err(Stop::fatal("can't shift that many"));
        }
        self.parameters.drain(..count);
        Ok(0)
    }

    /// bash's options: there are none of them.
    pub(super) async fn shopt(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let names = arguments.iter().filter(|argument| !argument.starts_with(b"-"));
        for name in names {
            self.complain(&[&name[..], b": invalid shell option name"].concat()).await;
        }
        Ok(i32::from(arguments.iter().any(|argument| !argument.starts_with(b"-"))))
    }
}

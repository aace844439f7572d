//! Variables: `export`, `readonly`, `local`, `declare`, `unset`, `getopts`.

use super::options;
use crate::interpreter::Shell;
use crate::interpreter::stop::{Executed, Stop};
use crate::interpreter::variables::{is_name, quoted};

/// `name=value`, or only a name.
fn parts(argument: &[u8]) -> Result<(&[u8], Option<&[u8]>), Stop> {
    let mut parts = argument.splitn(2, |byte| *byte == b'=');
    let name = parts.next().unwrap_or_default();
    if !is_name(name) {
        return Err(Stop::fatal([name, b": bad variable name"].concat()));
    }
    Ok((name, parts.next()))
}

impl Shell {
    /// `export`, `readonly`
    pub(super) async fn mark(&mut self, arguments: &[Vec<u8>], kind: &str) -> Executed {
        let (given, operands) = options(arguments, b"p")?;
        let is_export = kind == "export";
        if operands.is_empty() || given.contains(&b'p') {
            let mut text = Vec::new();
            for (name, variable) in self.variables.iter() {
                if if is_export { variable.is_exported } else { variable.is_readonly } {
                    text.extend_from_slice(&[kind.as_bytes(), b" ", name].concat());
                    if let Some(value) = &variable.value {
                        text.extend_from_slice(&[b"=", &quoted(value)[..]].concat());
                    }
                    text.push(b'\n');
                }
            }
            self.print(&text).await?;
            return Ok(0);
        }
        for operand in operands {
            let (name, value) = parts(operand)?;
            if let Some(value) = value {
                self.set(name, value)?;
            }
            if is_export { self.variables.export(name) } else { self.variables.make_readonly(name) }
        }
        Ok(0)
    }

    pub(super) fn local(&mut self, arguments: &[Vec<u8>]) -> Executed {
        for argument in arguments {
            let (name, value) = parts(argument)?;
            if !self.variables.make_local(name) {
                return Err(Stop::fatal("not in a function"));
            }
            if let Some(value) = value {
                self.set(name, value)?;
            }
        }
        Ok(0)
    }

    /// bash's `declare`, as far as variables go.
    pub(super) async fn declare(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let (given, operands) = options(arguments, b"gprx")?;
        if given.contains(&b'p') {
            return self.mark(&[b"-p".to_vec()], "export").await;
        }
        for operand in operands {
            let (name, value) = parts(operand)?;
            if !given.contains(&b'g') {
                self.variables.make_local(name);
            }
            if let Some(value) = value {
                self.set(name, value)?;
            }
            if given.contains(&b'x') {
                self.variables.export(name);
            }
            if given.contains(&b'r') {
                self.variables.make_readonly(name);
            }
        }
        Ok(0)
    }

    pub(super) fn unset(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let (given, operands) = options(arguments, b"fv")?;
        for name in operands {
            if given.contains(&b'f') {
                self.functions.remove(name);
            } else if is_name(name) {
                self.variables.unset(name).map_err(|error| Stop::fatal(error.message()))?;
            } else {
                return Err(Stop::fatal([&name[..], b": bad variable name"].concat()));
            }
        }
        Ok(0)
    }

    pub(super) async fn getopts(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let [letters, name, rest @ ..] = arguments else {
            return Err(Stop::fatal("Usage: getopts optstring var [arg]"));
        };
        let words = if rest.is_empty() { self.parameters.clone() } else { rest.to_vec() };
        let is_silent = letters.starts_with(b":");
        let index =
            self.get("OPTIND").and_then(|value| std::str::from_utf8(value).ok()?.parse().ok()).unwrap_or(1_usize);
        let mut next = Getopts { words: &words, index: index.max(1), offset: self.option_offset };
        let Some(letter) = next.letter() else {
            let index = next.index;
            self.end_getopts(index, 0, None)?;
            self.set(name, b"?")?;
            return Ok(1);
        };
        let position = letters.iter().skip(usize::from(is_silent)).position(|known| *known == letter && letter != b':');
        let takes_argument = position.map(|position| letters.get(position + usize::from(is_silent) + 1) == Some(&b':'));
        let (found, value) = match takes_argument {
            None if is_silent => (b'?', Some(vec![letter])),
            None => {
                self.complain_option("Illegal option -", letter).await;
                (b'?', None)
            }
            Some(false) => (letter, None),
            Some(true) => match next.argument() {
                Some(argument) => (letter, Some(argument)),
                None if is_silent => (b':', Some(vec![letter])),
                None => {
                    self.complain_option("No arg for -", letter).await;
                    (b'?', None)
                }
            },
        };
        let (index, offset) = (next.index, next.offset);
        self.end_getopts(index, offset, value)?;
        self.set(name, [found])?;
        Ok(0)
    }

    async fn complain_option(&mut self, what: &str, letter: u8) {
        let message = [what.as_bytes(), &[letter], b" option\n"].concat();
        let message = if what.starts_with("No") { message } else { [what.as_bytes(), &[letter], b"\n"].concat() };
        self.write_error(&message).await;
    }

    fn end_getopts(&mut self, index: usize, offset: usize, argument: Option<Vec<u8>>) -> Result<(), Stop> {
        match argument {
            Some(argument) => self.set(b"OPTARG", argument)?,
            None => drop(self.variables.unset(b"OPTARG")),
        }
        self.set(b"OPTIND", index.to_string())?;
        self.option_offset = offset;
        Ok(())
    }
}

/// Where getopts is: in the argument of this number from 1, at this offset.
struct Getopts<'a> {
    words: &'a [Vec<u8>],
    index: usize,
    offset: usize,
}

impl Getopts<'_> {
    fn word(&self) -> Option<&[u8]> {
        self.words.get(self.index - 1).map(Vec::as_slice)
    }

    /// The next letter; none at the end.
    fn letter(&mut self) -> Option<u8> {
        if self.offset == 0 {
            match self.word()? {
                b"--" => {
                    self.index += 1;
                    return None;
                }
                [b'-', _, ..] => self.offset = 1,
                _ => return None,
            }
        }
        let word = self.word()?;
        let (letter, length) = (*word.get(self.offset)?, word.len());
        self.offset += 1;
        if self.offset >= length {
            self.index += 1;
            self.offset = 0;
        }
        Some(letter)
    }

    /// The argument of the letter that was just taken.
    fn argument(&mut self) -> Option<Vec<u8>> {
        let word = self.word()?;
        let argument = word.get(self.offset..).unwrap_or_default().to_vec();
        self.index += 1;
        self.offset = 0;
        Some(argument)
    }
}

//! `read`

use cofferdam::kernel::{Errno, Fd};

use super::options;
use crate::interpreter::Shell;
use crate::interpreter::stop::{Executed, Stop};
use crate::interpreter::variables::is_name;

/// A line, of which each byte was quoted by a backslash or not.
type Line = Vec<(u8, bool)>;

impl Shell {
    pub(super) async fn read(&mut self, arguments: &[Vec<u8>]) -> Executed {
        // `-p` takes an argument.
        let mut is_raw = false;
        let mut rest = arguments;
        let mut prompt = None;
        while let [first, after @ ..] = rest {
            if first == b"-p" {
                let [text, after @ ..] = after else { return Err(Stop::fatal("No arg for -p option")) };
                prompt = Some(text.clone());
                rest = after;
                continue;
            }
            let (given, _) = options(std::slice::from_ref(first), b"r")?;
            if given.is_empty() {
                break;
            }
            is_raw = true;
            rest = after;
        }
        let names = rest.strip_prefix(&[b"--".to_vec()]).unwrap_or(rest);
        if names.is_empty() {
            return Err(Stop::fatal("arg count"));
        }
        if let Some(name) = names.iter().find(|name| !is_name(name)) {
            return Err(Stop::fatal([&name[..], b": bad variable name"].concat()));
        }
        if let Some(prompt) = prompt.filter(|_| self.is_interactive) {
            self.write_error(&prompt).await;
        }
        let (line, is_complete) = self.read_line(is_raw).await;
        let separators = self.get("IFS").unwrap_or(b" \t\n").to_vec();
        for (name, value) in names.iter().zip(distribute(&line, names.len(), &separators)) {
            self.set(name, value)?;
        }
        Ok(i32::from(!is_complete))
    }

    /// A line, byte by byte, so that the rest is there for others. Whether its end was there.
    async fn read_line(&mut self, is_raw: bool) -> (Line, bool) {
        let mut line = Line::new();
        loop {
            let Ok(byte) = self.read_byte().await else { return (line, false) };
            match byte {
                None => return (line, false),
                Some(b'\n') => return (line, true),
                Some(0) => {}
                Some(b'\\') if !is_raw => match self.read_byte().await {
                    Ok(Some(b'\n')) => {}
                    Ok(Some(escaped)) => line.push((escaped, true)),
                    _ => return (line, false),
                },
                Some(byte) => line.push((byte, false)),
            }
        }
    }

    async fn read_byte(&mut self) -> Result<Option<u8>, Errno> {
        let byte = self.read_from(Fd::STDIN, 1).await?;
        Ok(byte.first().copied())
    }
}

/// The fields of a line for so many variables; the last one gets the rest (POSIX, read).
fn distribute(line: &[(u8, bool)], count: usize, separators: &[u8]) -> Vec<Vec<u8>> {
    let is_separator = |byte: &(u8, bool)| !byte.1 && separators.contains(&byte.0);
    let is_blank = |byte: &(u8, bool)| is_separator(byte) && matches!(byte.0, b' ' | b'\t' | b'\n');
    let skip = |rest: &mut &[(u8, bool)]| {
        while let [first, after @ ..] = *rest
            && is_blank(first)
        {
            *rest = after;
        }
    };
    let bytes = |field: &[(u8, bool)]| field.iter().map(|(byte, _)| *byte).collect::<Vec<u8>>();
    let mut rest = line;
    skip(&mut rest);
    let mut fields = Vec::new();
    while fields.len() + 1 < count {
        let end = rest.iter().position(is_separator).unwrap_or(rest.len());
        fields.push(bytes(rest.get(..end).unwrap_or_default()));
        rest = rest.get(end..).unwrap_or_default();
        skip(&mut rest);
        if let [first, after @ ..] = rest
            && is_separator(first)
        {
            rest = after;
            skip(&mut rest);
        }
    }
    while let [before @ .., last] = rest
        && is_blank(last)
    {
        rest = before;
    }
    // One field and its end: the separator is not part of it.
    if let [field @ .., last] = rest
        && is_separator(last)
        && !field.iter().any(is_separator)
    {
        rest = field;
    }
    fields.push(bytes(rest));
    fields
}

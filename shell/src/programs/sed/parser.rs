//! From the text of a script to its commands.

use std::collections::HashMap;
use std::rc::Rc;

use crate::programs::regular_expression::{Flavor, RegularExpression, Syntax};

use super::reader::{Chunk, Reader};
use super::replacement;
use super::script::{Action, Address, Command, End, Pattern, Script, Substitution};

/// What is wrong with a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) message: Vec<u8>,
    pub(super) status: i32,
}

type Parsed<T> = Result<T, Mistake>;

pub(super) fn parse(chunks: Vec<Chunk>, is_extended: bool) -> Parsed<Script> {
    let mut parser = Parser {
        reader: Reader::new(chunks),
        is_extended,
        script: Script::default(),
        blocks: Vec::new(),
        labels: HashMap::new(),
        jumps: Vec::new(),
    };
    while parser.command()? {}
    if !parser.blocks.is_empty() {
        return Err(mistake(parser.reader.complaint_at_end("unmatched `{'")));
    }
    parser.resolve()?;
    Ok(parser.script)
}

fn mistake(message: Vec<u8>) -> Mistake {
    Mistake { message, status: 1 }
}

struct Parser {
    reader: Reader,
    is_extended: bool,
    script: Script,
    /// The commands `{` that are open.
    blocks: Vec<usize>,
    labels: HashMap<Vec<u8>, usize>,
    jumps: Vec<(usize, Vec<u8>)>,
}

/// Flags of a regular expression.
#[derive(Clone, Copy, Default)]
struct Flags {
    ignores_case: bool,
    has_lines: bool,
}

impl Parser {
    fn wrong<T>(&self, message: &str) -> Parsed<T> {
        Err(mistake(self.reader.complaint(message)))
    }

    /// Reads a command; false at the end.
    fn command(&mut self) -> Parsed<bool> {
        let first = loop {
            match self.reader.next() {
                Some(b';' | b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c) => {}
                other => break other,
            }
        };
        if first.is_none() {
            return Ok(false);
        }
        let (start, end, mut next) = self.addresses(first)?;
        let mut is_negated = false;
        if next == Some(b'!') {
            is_negated = true;
            next = self.reader.next_after_blanks();
            if next == Some(b'!') {
                return self.wrong("multiple `!'s");
            }
        }
        let Some(letter) = next else { return self.wrong("missing command") };
        if let Some(action) = self.action(letter, start.is_some(), end.is_some())? {
            self.script.commands.push(Command { start, end, is_negated, action });
        }
        Ok(true)
    }

    fn addresses(&mut self, first: Option<u8>) -> Parsed<(Option<Address>, Option<End>, Option<u8>)> {
        let start = match self.address(first)? {
            None => return Ok((None, None, first)),
            Some(End::At(address)) => address,
            Some(End::Plus(_) | End::Multiple(_)) => return self.wrong("invalid usage of +N or ~N as first address"),
        };
        let mut end = None;
        let mut next = self.reader.next_after_blanks();
        if next == Some(b',') {
            let first = self.reader.next_after_blanks();
            end = self.address(first)?;
            if end.is_none() {
                return self.wrong("unexpected `,'");
            }
            next = self.reader.next_after_blanks();
        }
        if matches!(start, Address::Line(0)) && !matches!(end, Some(End::At(Address::Pattern(_)))) {
            return self.wrong("invalid usage of line address 0");
        }
        Ok((Some(start), end, next))
    }

    /// An address that begins with this byte.
    fn address(&mut self, first: Option<u8>) -> Parsed<Option<End>> {
        Ok(Some(match first {
            Some(b'/' | b'\\') => {
                let delimiter = if first == Some(b'/') { first } else { self.reader.next() };
                let Some(text) = delimiter.and_then(|delimiter| self.delimited(delimiter, true)) else {
                    return self.wrong("unterminated address regex");
                };
                let mut flags = Flags::default();
                loop {
                    match self.reader.next_after_blanks() {
                        Some(b'I') => flags.ignores_case = true,
                        Some(b'M') => flags.has_lines = true,
                        other => {
                            self.reader.back(other);
                            break;
                        }
                    }
                }
                End::At(Address::Pattern(self.pattern(&text, flags)?.0))
            }
            Some(digit @ b'0'..=b'9') => {
                let number = self.reader.number(digit);
                match self.reader.next_after_blanks() {
                    Some(b'~') => {
                        let step = self.digits();
                        End::At(if step > 0 { Address::Step(number, step) } else { Address::Line(number) })
                    }
                    other => {
                        self.reader.back(other);
                        End::At(Address::Line(number))
                    }
                }
            }
            Some(b'+') => End::Plus(self.digits()),
            Some(b'~') => End::Multiple(self.digits()),
            Some(b'$') => End::At(Address::Last),
            _ => return Ok(None),
        }))
    }

    /// A number, or 0.
    fn digits(&mut self) -> u64 {
        match self.reader.next_after_blanks() {
            Some(digit @ b'0'..=b'9') => self.reader.number(digit),
            other => {
                self.reader.back(other);
                0
            }
        }
    }

    fn pattern(&self, text: &[u8], flags: Flags) -> Parsed<(Pattern, usize)> {
        if text.is_empty() {
            return Ok((None, 9));
        }
        let flavor = if self.is_extended { Flavor::Extended } else { Flavor::Basic };
        let syntax = Syntax { ignores_case: flags.ignores_case, has_lines: flags.has_lines, ..Syntax::new(flavor) };
        match RegularExpression::new(&replacement::unescape_pattern(text), syntax) {
            Ok(expression) => {
                let groups = expression.groups();
                Ok((Some(Rc::new(expression)), groups))
            }
            Err(error) => self.wrong(&error.to_string()),
        }
    }

    /// What is before the next delimiter.
    fn delimited(&mut self, delimiter: u8, is_pattern: bool) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        // In a pattern, a delimiter in brackets is one of the characters.
        let mut bracket: Option<usize> = None;
        loop {
            let byte = self.reader.next()?;
            if let (Some(start), true) = (bracket, is_pattern) {
                let inside = text.get(start..).unwrap_or_default();
                let is_first = inside.is_empty() || inside == b"^";
                let in_class = inside.windows(2).rposition(|pair| matches!(pair, [b'[', b':' | b'.' | b'=']));
                let is_open = in_class.is_some_and(|at| {
                    let mark = inside.get(at + 1).copied().unwrap_or_default();
                    !inside.get(at + 2..).unwrap_or_default().windows(2).any(|pair| pair == [mark, b']'])
                });
                let closes_class = is_open && inside.len() > in_class.unwrap_or(0) + 2;
                if byte == b']' && !is_first && !is_open {
                    bracket = None;
                } else if byte == b']' && closes_class {
                    // It belongs to `:]`.
                } else if byte == b'\\' && self.reader.peek() == Some(b'n') {
                    self.reader.next();
                    text.push(b'\n');
                    continue;
                }
                if byte == b'\n' {
                    self.reader.back(Some(byte));
                    return None;
                }
                text.push(byte);
                continue;
            }
            match byte {
                byte if byte == delimiter => return Some(text),
                b'\n' => {
                    self.reader.back(Some(byte));
                    return None;
                }
                b'\\' => match self.reader.next()? {
                    b'n' if is_pattern && delimiter != b'n' => text.push(b'\n'),
                    escaped if escaped == delimiter && (is_pattern || escaped != b'&') => text.push(escaped),
                    b'\n' if is_pattern => text.push(b'\n'),
                    escaped => text.extend_from_slice(&[b'\\', escaped]),
                },
                b'[' if is_pattern => {
                    text.push(byte);
                    bracket = Some(text.len());
                }
                byte => text.push(byte),
            }
        }
    }

    fn end_of_command(&mut self) -> Parsed<()> {
        match self.reader.next_after_blanks() {
            byte @ Some(b'}' | b'#') => {
                self.reader.back(byte);
                Ok(())
            }
            None | Some(b'\n' | b';') => Ok(()),
            Some(_) => self.wrong("extra characters after command"),
        }
    }

    /// The rest of the line.
    fn file_name(&mut self) -> Parsed<Vec<u8>> {
        let mut name = Vec::new();
        let mut next = self.reader.next_after_blanks();
        while let Some(byte) = next.filter(|byte| *byte != b'\n') {
            name.push(byte);
            next = self.reader.next();
        }
        if name.is_empty() {
            self.reader.back(next);
            return self.wrong("missing filename in r/R/w/W commands");
        }
        Ok(name)
    }

    fn output(&mut self) -> Parsed<usize> {
        let name = self.file_name()?;
        if let Some(index) = self.script.outputs.iter().position(|known| *known == name) {
            return Ok(index);
        }
        self.script.outputs.push(name);
        Ok(self.script.outputs.len() - 1)
    }

    fn label(&mut self) -> Vec<u8> {
        let mut label = Vec::new();
        let mut next = self.reader.next_after_blanks();
        while let Some(byte) = next.filter(|byte| !byte.is_ascii_whitespace() && *byte != b';') {
            label.push(byte);
            next = self.reader.next();
        }
        self.reader.back(next);
        label
    }

    fn action(&mut self, letter: u8, has_address: bool, has_range: bool) -> Parsed<Option<Action>> {
        let here = self.script.commands.len();
        Ok(Some(match letter {
            b'#' => return self.comment(has_address),
            b'{' => {
                self.blocks.push(here);
                Action::Block(0)
            }
            b'}' => {
                let Some(open) = self.blocks.pop() else { return self.wrong("unexpected `}'") };
                if has_address {
                    return self.wrong("} doesn't want any addresses");
                }
                self.end_of_command()?;
                if let Some(command) = self.script.commands.get_mut(open) {
                    command.action = Action::Block(here);
                }
                Action::Nothing
            }
            b':' => {
                if has_address {
                    return self.wrong(": doesn't want any addresses");
                }
                let label = self.label();
                if label.is_empty() {
                    return self.wrong("\":\" lacks a label");
                }
                self.labels.insert(label, here);
                Action::Nothing
            }
            b'b' | b't' | b'T' => {
                let mut label = self.label();
                // A brace ends a branch, as it ends all other commands.
                if let Some(at) = label.iter().position(|byte| *byte == b'}') {
                    for byte in label.drain(at..).rev() {
                        self.reader.back(Some(byte));
                    }
                }
                self.jumps.push((here, label));
                match letter {
                    b'b' => Action::Branch(0),
                    b't' => Action::BranchIfSubstituted(0),
                    _ => Action::BranchUnlessSubstituted(0),
                }
            }
            b'a' => Action::Append(self.text()?),
            b'i' => Action::Insert(self.text()?),
            b'c' => Action::Change(self.text()?),
            b'q' | b'Q' if has_range => return self.wrong("command only uses one address"),
            b'q' | b'Q' | b'l' => {
                let number = match self.reader.next_after_blanks() {
                    Some(digit @ b'0'..=b'9') => Some(self.reader.number(digit)),
                    other => {
                        self.reader.back(other);
                        None
                    }
                };
                self.end_of_command()?;
                // The kernel keeps eight bits of an exit status.
                let status = i32::try_from(number.unwrap_or(0) & 0xff).unwrap_or(0);
                match letter {
                    b'q' => Action::Quit(status),
                    b'Q' => Action::QuitSilently(status),
                    _ => Action::List(number),
                }
            }
            b'r' => Action::ReadFile(self.file_name()?),
            b'R' => Action::ReadLine(self.file_name()?),
            b'w' => Action::Write(self.output()?),
            b'W' => Action::WriteLine(self.output()?),
            b's' => self.substitution()?,
            b'y' => self.translation()?,
            b'e' => return self.wrong("command `e' is not simulated"),
            b'v' => {
                self.label();
                return Ok(None);
            }
            _ => {
                let Some(action) = simple(letter) else {
                    let name = String::from_utf8_lossy(&[letter]).into_owned();
                    return self.wrong(&format!("unknown command: `{name}'"));
                };
                self.end_of_command()?;
                action
            }
        }))
    }

    fn comment(&mut self, has_address: bool) -> Parsed<Option<Action>> {
        if has_address {
            return self.wrong("comments don't accept any addresses");
        }
        let is_first = self.reader.position() == 1;
        let mut comment = Vec::new();
        while let Some(byte) = self.reader.next().filter(|byte| *byte != b'\n') {
            comment.push(byte);
        }
        self.script.is_silent |= is_first && comment == b"n";
        Ok(None)
    }

    /// The text of `a`, `i` and `c`.
    fn text(&mut self) -> Parsed<Vec<u8>> {
        let mut next = self.reader.next_after_blanks();
        if matches!(next, None | Some(b'\n')) {
            self.reader.back(next.filter(|_| false));
            return self.wrong("expected \\ after `a', `c' or `i'");
        }
        if next == Some(b'\\') {
            next = self.reader.next_after_blanks_or_newline();
        }
        let mut text = Vec::new();
        while let Some(byte) = next {
            match byte {
                b'\n' => break,
                b'\\' => match self.reader.next() {
                    Some(escaped) => text.extend(replacement::unescape_text(&mut self.reader, escaped)),
                    None => break,
                },
                byte => text.push(byte),
            }
            next = self.reader.next();
        }
        if !text.is_empty() || next.is_some() {
            text.push(b'\n');
        }
        Ok(text)
    }

    fn substitution(&mut self) -> Parsed<Action> {
        let parts = self
            .reader
            .next()
            .and_then(|delimiter| Some((self.delimited(delimiter, true)?, self.replacement_text(delimiter)?)));
        let Some((pattern, replacement)) = parts else { return self.wrong("unterminated `s' command") };
        let (replacement, highest) = replacement::parse(&replacement);
        let mut substitution =
            Substitution { pattern: None, replacement, number: 1, is_global: false, prints: false, output: None };
        let flags = self.substitution_flags(&mut substitution)?;
        let (pattern, groups) = self.pattern(&pattern, flags)?;
        if highest > groups {
            return self.wrong(&format!("invalid reference \\{highest} on `s' command's RHS"));
        }
        substitution.pattern = pattern;
        Ok(Action::Substitute(Box::new(substitution)))
    }

    /// The replacement of `s`, where newlines are escaped.
    fn replacement_text(&mut self, delimiter: u8) -> Option<Vec<u8>> {
        self.delimited(delimiter, false)
    }

    fn substitution_flags(&mut self, substitution: &mut Substitution) -> Parsed<Flags> {
        let mut flags = Flags::default();
        let mut number = None;
        loop {
            match self.reader.next() {
                Some(b'i' | b'I') => flags.ignores_case = true,
                Some(b'm' | b'M') => flags.has_lines = true,
                Some(b'e') => return self.wrong("flag `e' of the `s' command is not simulated"),
                Some(b'p') if substitution.prints => return self.wrong("multiple `p' options to `s' command"),
                Some(b'p') => substitution.prints = true,
                Some(b'g') if substitution.is_global => return self.wrong("multiple `g' options to `s' command"),
                Some(b'g') => substitution.is_global = true,
                Some(b'w') => {
                    substitution.output = Some(self.output()?);
                    break;
                }
                Some(b'0'..=b'9') if number.is_some() => return self.wrong("multiple number options to `s' command"),
                Some(digit @ b'0'..=b'9') => {
                    let given = self.reader.number(digit);
                    if given == 0 {
                        return self.wrong("number option to `s' command may not be zero");
                    }
                    number = Some(given);
                }
                byte @ Some(b'}' | b'#') => {
                    self.reader.back(byte);
                    break;
                }
                Some(b' ' | b'\t' | b'\r') => {}
                None | Some(b'\n' | b';') => break,
                Some(_) => return self.wrong("unknown option to `s'"),
            }
        }
        substitution.number = usize::try_from(number.unwrap_or(1)).unwrap_or(usize::MAX);
        Ok(flags)
    }

    fn translation(&mut self) -> Parsed<Action> {
        let parts = self
            .reader
            .next()
            .and_then(|delimiter| Some((self.delimited(delimiter, false)?, self.delimited(delimiter, false)?)));
        let Some((from, to)) = parts else { return self.wrong("unterminated `y' command") };
        let (from, to) = (replacement::unescape_set(&from), replacement::unescape_set(&to));
        if from.len() != to.len() {
            return self.wrong("strings for `y' command are different lengths");
        }
        let mut table = Box::new([0; 256]);
        (0..=u8::MAX).zip(table.iter_mut()).for_each(|(byte, place)| *place = byte);
        for (from, to) in from.iter().zip(to) {
            if let Some(place) = table.get_mut(usize::from(*from)) {
                *place = to;
            }
        }
        self.end_of_command()?;
        Ok(Action::Translate(table))
    }

    /// Connects branches with labels.
    fn resolve(&mut self) -> Parsed<()> {
        let end = self.script.commands.len();
        for (index, label) in std::mem::take(&mut self.jumps) {
            let target = if label.is_empty() { Some(end) } else { self.labels.get(&label).copied() };
            let Some(target) = target else {
                let message = [b"can't find label for jump to `", &label[..], b"'"].concat();
                return Err(Mistake { message, status: 4 });
            };
            if let Some(command) = self.script.commands.get_mut(index) {
                command.action = match command.action {
                    Action::BranchIfSubstituted(_) => Action::BranchIfSubstituted(target),
                    Action::BranchUnlessSubstituted(_) => Action::BranchUnlessSubstituted(target),
                    _ => Action::Branch(target),
                };
            }
        }
        Ok(())
    }
}

impl Reader {
    /// What follows the backslash of `a`, `i` and `c`: blanks and one newline are passed over.
    fn next_after_blanks_or_newline(&mut self) -> Option<u8> {
        let start = self.position();
        if let Some(b'\n') = self.next_after_blanks() {
            self.next()
        } else {
            while self.position() > start {
                self.back(Some(0));
            }
            self.next()
        }
    }
}

fn simple(letter: u8) -> Option<Action> {
    Some(match letter {
        b'=' => Action::LineNumber,
        b'd' => Action::Delete,
        b'D' => Action::DeleteLine,
        b'F' => Action::FileName,
        b'g' => Action::Get,
        b'G' => Action::GetAppend,
        b'h' => Action::Hold,
        b'H' => Action::HoldAppend,
        b'x' => Action::Exchange,
        b'n' => Action::Next,
        b'N' => Action::NextAppend,
        b'p' => Action::Print,
        b'P' => Action::PrintLine,
        b'z' => Action::Zap,
        _ => return None,
    })
}

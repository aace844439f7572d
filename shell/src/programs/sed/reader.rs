//! The text of a script, read byte by byte, with the place for messages.

/// Where a piece of the script comes from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// The number of a `-e` option, or of the first argument.
    Expression(usize),
    File(Vec<u8>),
}

/// A piece of the script.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) origin: Origin,
    pub(super) text: Vec<u8>,
}

/// Reads all pieces as one text, with newlines between them.
pub(super) struct Reader {
    text: Vec<u8>,
    /// Where each piece begins.
    starts: Vec<(usize, Origin)>,
    position: usize,
}

impl Reader {
    pub(super) fn new(chunks: Vec<Chunk>) -> Self {
        let (mut text, mut starts) = (Vec::new(), Vec::new());
        for chunk in chunks {
            if !starts.is_empty() {
                text.push(b'\n');
            }
            starts.push((text.len(), chunk.origin));
            text.extend(chunk.text);
        }
        Self { text, starts, position: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.text.get(self.position).copied()?;
        self.position += 1;
        Some(byte)
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    /// Takes back what [`next`](Self::next) gave.
    pub(super) fn back(&mut self, byte: Option<u8>) {
        if byte.is_some() {
            self.position = self.position.saturating_sub(1);
        }
    }

    /// The next byte that is no blank.
    pub(super) fn next_after_blanks(&mut self) -> Option<u8> {
        loop {
            match self.next() {
                Some(b' ' | b'\t') => {}
                other => return other,
            }
        }
    }

    /// A number that begins with this digit.
    pub(super) fn number(&mut self, first: u8) -> u64 {
        let mut value = u64::from(first - b'0');
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            value = value.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
            self.position += 1;
        }
        value
    }

    /// A message about what was read last, with its place.
    pub(super) fn complaint(&self, message: &str) -> Vec<u8> {
        let piece = self.starts.iter().rev().find(|(start, _)| *start <= self.position.saturating_sub(1));
        match piece.or(self.starts.first()) {
            Some((start, Origin::File(name))) => {
                let read = self.text.get(*start..self.position).unwrap_or_default();
                let lines = memchr::memchr_iter(b'\n', read).count();
                // At the end of a line, the newline has not been counted yet.
                let line = if read.last() == Some(&b'\n') { lines } else { lines + 1 };
                [b"file ", &name[..], format!(" line {line}: {message}").as_bytes()].concat()
            }
            Some((start, Origin::Expression(number))) => {
                format!("-e expression #{number}, char {}: {message}", self.position.saturating_sub(*start))
                    .into_bytes()
            }
            None => message.as_bytes().to_vec(),
        }
    }

    /// A message about the script as a whole.
    pub(super) fn complaint_at_end(&self, message: &str) -> Vec<u8> {
        match self.starts.last() {
            Some((_, Origin::File(name))) => [b"file ", &name[..], format!(" line 0: {message}").as_bytes()].concat(),
            Some((_, Origin::Expression(number))) => format!("-e expression #{number}, char 0: {message}").into_bytes(),
            None => message.as_bytes().to_vec(),
        }
    }
}

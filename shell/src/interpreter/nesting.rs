//! How a script's text is nested, found without recursion: before the parser, which is recursive, sees it.

/// What is open at some place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Open {
    /// `(`, `$(`
    Parenthesis,
    /// `{`
    Brace,
    /// `${`
    Parameter,
    /// `"`
    Quote,
    /// A backquote.
    Backquote,
    /// `if`, `for`, `while`, `until`, `case`, and which word came last: `then`, `do`.
    Keyword(String),
}

/// What a scan has found.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    /// How deep it is at most.
    pub(super) deepest: usize,
    /// On which line.
    pub(super) deepest_line: usize,
    /// A line with a number of a descriptor, or of a tilde, that no integer holds.
    pub(super) bad_number: Option<usize>,
    /// What is open at the end.
    pub(super) open: Vec<Open>,
}

/// Where the scan is.
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
    /// Whether a word here would be the name of a command, or a reserved word.
    is_command: bool,
    /// The ends of the here-documents that begin on the next line, and whether tabs are removed.
    documents: Vec<(Vec<u8>, bool)>,
    found: Nesting,
}

impl Nesting {
    pub(super) fn of(text: &str) -> Self {
        let mut scanner = Scanner {
            text: text.as_bytes(),
            at: 0,
            line: 1,
            is_command: true,
            documents: Vec::new(),
            found: Self::default(),
        };
        while scanner.at < scanner.text.len() {
            scanner.step();
        }
        scanner.found
    }
}

impl Scanner<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or_default()
    }

    fn push(&mut self, open: Open) {
        self.found.open.push(open);
        if self.found.open.len() > self.found.deepest {
            self.found.deepest = self.found.open.len();
            self.found.deepest_line = self.line;
        }
    }

    fn pop(&mut self, open: &Open) -> bool {
        let is_open = self.found.open.last() == Some(open);
        if is_open {
            self.found.open.pop();
        }
        is_open
    }

    fn advance(&mut self, count: usize) {
        let passed = self.text.get(self.at..(self.at + count).min(self.text.len())).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', passed).count();
        self.at += count;
    }

    fn step(&mut self) {
        match self.found.open.last() {
            Some(Open::Quote) => self.in_quotes(),
            Some(Open::Parameter) => self.in_parameter(),
            _ => self.in_command(),
        }
    }

    /// What begins an expansion. False if nothing does.
    fn expansion(&mut self) -> bool {
        match (self.peek(0), self.peek(1)) {
            (b'\\', _) => self.advance(2),
            (b'$', b'(') => {
                self.push(Open::Parenthesis);
                self.advance(2);
                self.is_command = true;
            }
            (b'$', b'{') => {
                self.push(Open::Parameter);
                self.advance(2);
            }
            (b'`', _) => {
                match self.found.open.iter().rposition(|open| *open == Open::Backquote) {
                    Some(index) => self.found.open.truncate(index),
                    None => self.push(Open::Backquote),
                }
                self.advance(1);
            }
            _ => return false,
        }
        true
    }

    fn in_quotes(&mut self) {
        if self.expansion() {
            return;
        }
        if self.peek(0) == b'"' {
            self.pop(&Open::Quote);
        }
        self.advance(1);
    }

    fn in_parameter(&mut self) {
        if self.expansion() {
            return;
        }
        match self.peek(0) {
            b'}' => drop(self.pop(&Open::Parameter)),
            b'"' => self.push(Open::Quote),
            b'\'' if !self.found.open.contains(&Open::Quote) => self.single_quotes(),
            _ => {}
        }
        self.advance(1);
    }

    /// Goes to the closing quote.
    fn single_quotes(&mut self) {
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\'').unwrap_or(rest.len());
        self.advance(length + 1);
    }

    fn in_command(&mut self) {
        if matches!((self.peek(0), self.peek(1)), (b'\\' | b'`', _) | (b'$', b'(' | b'{')) {
            self.word();
            return;
        }
        match self.peek(0) {
            b'\n' => {
                self.advance(1);
                self.is_command = true;
                self.skip_documents();
            }
            b'#' => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                self.advance(rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()));
            }
            b';' | b'&' | b'|' => {
                self.advance(1);
                self.is_command = true;
            }
            b'(' => {
                self.push(Open::Parenthesis);
                self.advance(1);
                self.is_command = true;
            }
            b')' => {
                self.pop(&Open::Parenthesis);
                self.advance(1);
                self.is_command = true;
            }
            b'<' if self.peek(1) == b'<' && self.peek(2) != b'<' => self.document(),
            b' ' | b'\t' | b'<' | b'>' => self.advance(1),
            _ => self.word(),
        }
    }

    /// A word up to its end, or to an expansion or quotes in it.
    fn word(&mut self) {
        let start = self.at;
        loop {
            match self.peek(0) {
                b'"' => {
                    self.push(Open::Quote);
                    self.advance(1);
                    self.is_command = false;
                    return;
                }
                b'\'' => {
                    self.single_quotes();
                    self.advance(1);
                }
                0 | b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>' => break,
                _ => {
                    let depth = self.found.open.len();
                    if !self.expansion() {
                        self.advance(1);
                    } else if self.found.open.len() != depth {
                        return;
                    }
                }
            }
        }
        let word = self.text.get(start..self.at.min(self.text.len())).unwrap_or_default().to_vec();
        if self.at == start {
            self.advance(1);
        }
        self.check_number(&word);
        self.is_command = self.is_command && self.reserved(&word);
    }

    fn check_number(&mut self, word: &[u8]) {
        let digits = word.strip_prefix(b"~").unwrap_or(word);
        let digits = digits.strip_prefix(b"+").or_else(|| digits.strip_prefix(b"-")).unwrap_or(digits);
        let digits = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits > 9 && (word.starts_with(b"~") || digits == word.len() && matches!(self.peek(0), b'<' | b'>')) {
            self.found.bad_number = Some(self.line);
        }
    }

    /// Takes notice of a word in the place of a command; whether another such place follows.
    fn reserved(&mut self, word: &[u8]) -> bool {
        match word {
            b"if" | b"while" | b"until" | b"for" | b"case" => {
                self.push(Open::Keyword(String::from_utf8_lossy(word).into_owned()));
                !matches!(word, b"for" | b"case")
            }
            b"fi" | b"done" | b"esac" => {
                if matches!(self.found.open.last(), Some(Open::Keyword(_))) {
                    self.found.open.pop();
                }
                false
            }
            b"then" | b"do" | b"else" | b"elif" => {
                if let Some(Open::Keyword(last)) = self.found.open.last_mut() {
                    *last = String::from_utf8_lossy(word).into_owned();
                }
                true
            }
            b"{" => {
                self.push(Open::Brace);
                true
            }
            b"}" => {
                self.pop(&Open::Brace);
                false
            }
            b"!" => true,
            _ => false,
        }
    }

    /// `<<END`
    fn document(&mut self) {
        self.advance(2);
        let has_tabs = self.peek(0) == b'-';
        self.advance(usize::from(has_tabs));
        while matches!(self.peek(0), b' ' | b'\t') {
            self.advance(1);
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b')');
        let word = rest.get(..rest.iter().position(is_end).unwrap_or(rest.len())).unwrap_or_default();
        let end = word.iter().copied().filter(|byte| !matches!(byte, b'\'' | b'"' | b'\\')).collect();
        let is_arithmetic = word.first().is_none_or(u8::is_ascii_digit);
        if !is_arithmetic {
            self.documents.push((end, has_tabs));
        }
        self.advance(word.len());
    }

    fn skip_documents(&mut self) {
        for (end, has_tabs) in std::mem::take(&mut self.documents) {
            while self.at < self.text.len() {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                let line = rest.get(..length).unwrap_or_default();
                let tabs = if has_tabs { line.iter().take_while(|byte| **byte == b'\t').count() } else { 0 };
                let is_end = line.get(tabs..) == Some(&end[..]);
                self.advance(length + 1);
                if is_end {
                    break;
                }
            }
        }
    }
}

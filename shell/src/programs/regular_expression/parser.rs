//! From a pattern to its syntax tree.

use super::syntax::{ByteSet, Error, Flavor, Look, Node, Syntax, is_word};

/// How deep groups may be nested.
const DEPTH_LIMIT: usize = 50;
/// `RE_DUP_MAX` of the C library.
const REPETITION_LIMIT: u32 = 0x7fff;

/// What a pattern was.
pub(super) struct Parsed {
    pub(super) node: Node,
    pub(super) groups: usize,
    pub(super) has_back_references: bool,
}

pub(super) fn parse(pattern: &[u8], syntax: Syntax) -> Result<Parsed, Error> {
    let mut parser = Parser { rest: pattern, syntax, groups: 0, complete: Vec::new(), has_back_references: false };
    let node = parser.alternation(0)?;
    Ok(Parsed { node, groups: parser.groups, has_back_references: parser.has_back_references })
}

struct Parser<'a> {
    rest: &'a [u8],
    syntax: Syntax,
    groups: usize,
    /// The groups that have been closed.
    complete: Vec<usize>,
    has_back_references: bool,
}

/// What a pattern has at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Literal(u8),
    Any,
    Bracket,
    Open,
    Close,
    Alternative,
    Star,
    Plus,
    Question,
    Interval,
    Caret,
    Dollar,
    Escape(u8),
    TrailingBackslash,
}

impl Parser<'_> {
    fn is_basic(&self) -> bool {
        self.syntax.flavor == Flavor::Basic
    }

    /// What comes next, and how long it is.
    fn peek(&self) -> Option<(Token, usize)> {
        let basic = self.is_basic();
        let (first, after) = self.rest.split_first()?;
        Some(match (first, after.first()) {
            (b'\\', None) => (Token::TrailingBackslash, 1),
            (b'\\', Some(next)) => match next {
                b'(' if basic => (Token::Open, 2),
                b')' if basic => (Token::Close, 2),
                b'|' if basic => (Token::Alternative, 2),
                b'+' if basic => (Token::Plus, 2),
                b'?' if basic => (Token::Question, 2),
                b'{' if basic => (Token::Interval, 2),
                next => (Token::Escape(*next), 2),
            },
            (b'.', _) => (Token::Any, 1),
            (b'[', _) => (Token::Bracket, 1),
            (b'*', _) => (Token::Star, 1),
            (b'^', _) => (Token::Caret, 1),
            (b'$', _) => (Token::Dollar, 1),
            (b'(', _) if !basic => (Token::Open, 1),
            (b')', _) if !basic => (Token::Close, 1),
            (b'|', _) if !basic => (Token::Alternative, 1),
            (b'+', _) if !basic => (Token::Plus, 1),
            (b'?', _) if !basic => (Token::Question, 1),
            (b'{', _) if self.syntax.flavor == Flavor::Extended => (Token::Interval, 1),
            (byte, _) => (Token::Literal(*byte), 1),
        })
    }

    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    fn alternation(&mut self, depth: usize) -> Result<Node, Error> {
        let mut alternatives = vec![self.concatenation(depth)?];
        while let Some((Token::Alternative, length)) = self.peek() {
            self.skip(length);
            alternatives.push(self.concatenation(depth)?);
        }
        Ok(match alternatives.len() {
            1 => alternatives.pop().unwrap_or(Node::Empty),
            _ => Node::Alternation(alternatives),
        })
    }

    fn concatenation(&mut self, depth: usize) -> Result<Node, Error> {
        let mut nodes: Vec<Node> = Vec::new();
        // Whether nothing that could be repeated is before.
        let mut is_start = true;
        while let Some((token, length)) = self.peek() {
            match token {
                Token::Alternative => break,
                Token::Close if depth > 0 => break,
                Token::Close if !self.syntax.is_lenient => return Err(Error::UnmatchedClosing),
                Token::Star | Token::Plus | Token::Question | Token::Interval => {
                    self.repetition(token, length, &mut nodes, is_start)?;
                    is_start = false;
                    continue;
                }
                _ => self.skip(length),
            }
            let node = self.atom(token, depth, is_start)?;
            // In a basic expression, a star after an anchor at the start is itself.
            is_start = is_start && self.is_basic() && matches!(node, Node::Look(Look::Start | Look::StartLF));
            nodes.push(node);
        }
        Ok(match nodes.len() {
            0 => Node::Empty,
            1 => nodes.pop().unwrap_or(Node::Empty),
            _ => Node::Concatenation(nodes),
        })
    }

    fn repetition(&mut self, token: Token, length: usize, nodes: &mut Vec<Node>, is_start: bool) -> Result<(), Error> {
        let start = self.rest;
        self.skip(length);
        let (minimum, maximum) = match token {
            Token::Star => (0, None),
            Token::Plus => (1, None),
            Token::Question => (0, Some(1)),
            _ => {
                if let Some(interval) = self.interval()? {
                    interval
                } else {
                    // Only an extended expression comes here: a brace that begins no interval is itself.
                    self.rest = start.get(1..).unwrap_or_default();
                    nodes.push(self.literal(b'{'));
                    return Ok(());
                }
            }
        };
        if is_start {
            if self.is_basic() {
                if token == Token::Interval {
                    return Err(Error::NothingToRepeat);
                }
                let skipped = start.get(..length).unwrap_or_default();
                if let Some(byte) = skipped.last() {
                    nodes.push(self.literal(*byte));
                }
                return Ok(());
            }
            return if self.syntax.is_lenient && self.syntax.flavor != Flavor::Awk {
                Ok(())
            } else {
                Err(Error::NothingToRepeat)
            };
        }
        let Some(node) = nodes.pop() else { return Ok(()) };
        nodes.push(match node {
            // The same once more: `a**`.
            Node::Repetition { minimum: 0, maximum: None, .. } if token != Token::Interval => node,
            node => {
                if depth_of_repetitions(&node) >= DEPTH_LIMIT {
                    return Err(Error::TooBig);
                }
                Node::Repetition { node: Box::new(node), minimum, maximum }
            }
        });
        Ok(())
    }

    /// What is in braces; `None` if it is no interval and may be something else.
    fn interval(&mut self) -> Result<Option<(u32, Option<u32>)>, Error> {
        let basic = self.is_basic();
        let bad = |error| if basic { Err(error) } else { Ok(None) };
        let first = self.number();
        let mut last = first;
        if self.rest.first() == Some(&b',') {
            self.skip(1);
            last = self.number();
            if first.is_none() && last.is_none() && !basic {
                // `{,}` is `*`.
                last = None;
            }
        } else if first.is_none() {
            return if self.rest.is_empty() { bad(Error::UnmatchedBrace) } else { bad(Error::BadInterval) };
        }
        let close: &[u8] = if basic { b"\\}" } else { b"}" };
        match self.rest.strip_prefix(close) {
            Some(rest) => self.rest = rest,
            None if self.rest.is_empty() || self.rest == b"\\" => return bad(Error::UnmatchedBrace),
            None => return bad(Error::BadInterval),
        }
        let minimum = first.unwrap_or(0);
        if last.is_some_and(|last| last < minimum) {
            return Err(Error::BadInterval);
        }
        if minimum.max(last.unwrap_or(0)) > REPETITION_LIMIT {
            return Err(Error::TooBig);
        }
        Ok(Some((minimum, last)))
    }

    fn number(&mut self) -> Option<u32> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.rest.split_at_checked(digits)?;
        self.rest = rest;
        let value = |value: u32, digit: &u8| value.saturating_mul(10).saturating_add(u32::from(*digit - b'0'));
        (digits > 0).then(|| number.iter().fold(0, value))
    }

    fn atom(&mut self, token: Token, depth: usize, is_start: bool) -> Result<Node, Error> {
        let (line_start, line_end) =
            if self.syntax.has_lines { (Look::StartLF, Look::EndLF) } else { (Look::Start, Look::End) };
        Ok(match token {
            Token::Any => Node::Byte(ByteSet::ALL),
            Token::Bracket => Node::Byte(self.bracket()?),
            Token::Open => self.group(depth)?,
            Token::Close => self.literal(b')'),
            Token::Caret if !self.is_basic() || is_start => Node::Look(line_start),
            Token::Caret => self.literal(b'^'),
            Token::Dollar => {
                let is_end = matches!(self.peek(), None | Some((Token::Close | Token::Alternative, _)));
                if !self.is_basic() || is_end { Node::Look(line_end) } else { self.literal(b'$') }
            }
            Token::Escape(byte) => self.escape(byte)?,
            Token::TrailingBackslash if self.syntax.flavor == Flavor::Awk => self.literal(b'\\'),
            Token::TrailingBackslash => return Err(Error::TrailingBackslash),
            Token::Literal(byte) => self.literal(byte),
            // Those are not atoms.
            Token::Alternative | Token::Star | Token::Plus | Token::Question | Token::Interval => Node::Empty,
        })
    }

    fn literal(&self, byte: u8) -> Node {
        let mut set = ByteSet::single(byte);
        if self.syntax.ignores_case {
            set.fold();
        }
        Node::Byte(set)
    }

    fn group(&mut self, depth: usize) -> Result<Node, Error> {
        if depth >= DEPTH_LIMIT {
            return Err(Error::TooBig);
        }
        self.groups += 1;
        let number = self.groups;
        let node = self.alternation(depth + 1)?;
        match self.peek() {
            Some((Token::Close, length)) => self.skip(length),
            _ => return Err(Error::UnmatchedOpening),
        }
        self.complete.push(number);
        Ok(Node::Group(Box::new(node), number))
    }

    fn escape(&mut self, byte: u8) -> Result<Node, Error> {
        if self.syntax.flavor == Flavor::Awk {
            let value = self.awk_escape(byte);
            return Ok(self.literal(value));
        }
        let is_space = |byte: u8| byte.is_ascii_whitespace() || byte == 0x0b;
        Ok(match byte {
            b'1'..=b'9' => {
                let number = usize::from(byte - b'0');
                if !self.complete.contains(&number) {
                    return Err(Error::BadBackReference);
                }
                self.has_back_references = true;
                Node::BackReference(number)
            }
            b'w' => Node::Byte(ByteSet::matching(is_word)),
            b'W' => Node::Byte(ByteSet::matching(|byte| !is_word(byte))),
            b's' => Node::Byte(ByteSet::matching(is_space)),
            b'S' => Node::Byte(ByteSet::matching(|byte| !is_space(byte))),
            b'b' => Node::Look(Look::WordAscii),
            b'B' => Node::Look(Look::WordAsciiNegate),
            b'<' => Node::Look(Look::WordStartAscii),
            b'>' => Node::Look(Look::WordEndAscii),
            b'`' => Node::Look(Look::Start),
            b'\'' => Node::Look(Look::End),
            byte => self.literal(byte),
        })
    }

    /// What an escape of awk stands for; its first byte has been read.
    fn awk_escape(&mut self, byte: u8) -> u8 {
        match byte {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'f' => 0x0c,
            b'v' => 0x0b,
            b'a' => 0x07,
            b'b' => 0x08,
            b'0'..=b'7' => {
                let mut value = byte - b'0';
                for _ in 0..2 {
                    let Some(digit @ b'0'..=b'7') = self.rest.first().copied() else { break };
                    value = value.wrapping_mul(8).wrapping_add(digit - b'0');
                    self.skip(1);
                }
                value
            }
            byte => byte,
        }
    }

    /// A bracket expression; its `[` has been read.
    fn bracket(&mut self) -> Result<ByteSet, Error> {
        let mut set = ByteSet::default();
        let is_negated = self.rest.first() == Some(&b'^');
        self.skip(usize::from(is_negated));
        if self.rest.is_empty() {
            return Err(Error::Invalid);
        }
        let mut is_first = true;
        loop {
            let byte = *self.rest.first().ok_or(Error::UnmatchedBracket)?;
            if byte == b']' && !is_first {
                self.skip(1);
                break;
            }
            is_first = false;
            if self.rest.starts_with(b"[:") {
                let name = self.delimited(b':')?;
                set.union(class(name, self.syntax.ignores_case).ok_or(Error::BadClass)?);
                continue;
            }
            let start = self.element()?;
            match self.rest {
                [b'-', next, ..] if *next != b']' => {
                    self.skip(1);
                    let end = self.element()?;
                    if start > end {
                        return Err(Error::BadRange);
                    }
                    (start..=end).for_each(|byte| set.insert(byte));
                }
                _ => set.insert(start),
            }
        }
        if self.syntax.ignores_case {
            set.fold();
        }
        if is_negated {
            set.negate();
        }
        Ok(set)
    }

    /// A single byte in brackets, which may be written as `[.x.]` or `[=x=]`.
    fn element(&mut self) -> Result<u8, Error> {
        for mark in [b'.', b'='] {
            if self.rest.starts_with(&[b'[', mark]) {
                return match self.delimited(mark)? {
                    [byte] => Ok(*byte),
                    _ => Err(Error::BadCollation),
                };
            }
        }
        let byte = *self.rest.first().ok_or(Error::UnmatchedBracket)?;
        self.skip(1);
        if byte == b'\\' && self.syntax.flavor == Flavor::Awk {
            let escaped = *self.rest.first().ok_or(Error::UnmatchedBracket)?;
            self.skip(1);
            return Ok(self.awk_escape(escaped));
        }
        Ok(byte)
    }

    /// What is between `[:` and `:]`, or its like.
    fn delimited<'b>(&mut self, mark: u8) -> Result<&'b [u8], Error>
    where
        Self: 'b,
    {
        let content = self.rest.get(2..).unwrap_or_default();
        let end = content.windows(2).position(|pair| pair == [mark, b']']).ok_or(Error::UnmatchedBracket)?;
        self.skip(end + 4);
        Ok(content.get(..end).unwrap_or_default())
    }
}

fn depth_of_repetitions(node: &Node) -> usize {
    let mut depth = 0;
    let mut node = node;
    while let Node::Repetition { node: inner, .. } = node {
        depth += 1;
        node = inner;
    }
    depth
}

/// The bytes of a character class, in the locale C.
fn class(name: &[u8], ignores_case: bool) -> Option<ByteSet> {
    let has: fn(u8) -> bool = match name {
        b"alpha" => |byte| byte.is_ascii_alphabetic(),
        b"digit" => |byte| byte.is_ascii_digit(),
        b"alnum" => |byte| byte.is_ascii_alphanumeric(),
        b"upper" | b"lower" if ignores_case => |byte| byte.is_ascii_alphabetic(),
        b"upper" => |byte| byte.is_ascii_uppercase(),
        b"lower" => |byte| byte.is_ascii_lowercase(),
        b"space" => |byte| byte.is_ascii_whitespace() || byte == 0x0b,
        b"blank" => |byte| byte == b' ' || byte == b'\t',
        b"punct" => |byte| byte.is_ascii_punctuation(),
        b"print" => |byte| byte.is_ascii_graphic() || byte == b' ',
        b"graph" => |byte| byte.is_ascii_graphic(),
        b"cntrl" => |byte| byte.is_ascii_control(),
        b"xdigit" => |byte| byte.is_ascii_hexdigit(),
        _ => return None,
    };
    Some(ByteSet::matching(has))
}

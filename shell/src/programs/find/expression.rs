//! The expression of find(1): what is tested, and what is done.

use cofferdam::kernel::FileType;

use crate::programs::support::mode::ModeChange;
use crate::programs::support::text::{Piece, pieces, unescape};

/// An expression.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    /// Both; the second one counts.
    List(Box<Expression>, Box<Expression>),
    Primary(Primary),
}

/// A number, or what is more or less.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    /// `+` or `-`.
    sign: Option<u8>,
    value: u64,
}

impl Number {
    pub(super) fn matches(self, value: u64) -> bool {
        match self.sign {
            Some(b'+') => value > self.value,
            Some(_) => value < self.value,
            None => value == self.value,
        }
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let (sign, digits) = match text {
            [sign @ (b'+' | b'-'), digits @ ..] => (Some(*sign), digits),
            digits => (None, digits),
        };
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        Some(Self { sign, value: std::str::from_utf8(digits).ok()?.parse().ok()? })
    }
}

/// What `-perm` compares.
#[derive(Clone, Copy, Debug)]
pub(super) enum Permissions {
    Exactly(u32),
    All(u32),
    Any(u32),
}

/// A test or an action.
#[derive(Clone, Debug)]
pub(super) enum Primary {
    True,
    False,
    Name {
        pattern: Vec<u8>,
        ignores_case: bool,
    },
    Path {
        pattern: Vec<u8>,
        ignores_case: bool,
    },
    LinkName {
        pattern: Vec<u8>,
        ignores_case: bool,
    },
    Type(Vec<FileType>),
    TypeOfTarget(Vec<FileType>),
    Empty,
    Permissions(Permissions),
    User(Vec<u8>),
    Group(Vec<u8>),
    Uid(Number),
    Gid(Number),
    NoUser,
    NoGroup,
    Size {
        number: Number,
        unit: u64,
    },
    Links(Number),
    Inode(Number),
    SameFile(Vec<u8>),
    Print(&'static [u8]),
    PrintFormat(Vec<Piece>),
    /// `-exec ... ;`
    Execute(Vec<Vec<u8>>),
    /// `-exec ... {} +`: which of all such actions this is.
    ExecuteMany(usize),
    Delete,
    Prune,
    Quit,
}

/// What stands before the expression is evaluated, and what holds for all files.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "they are the program's options")]
pub(super) struct Globals {
    pub(super) max_depth: Option<usize>,
    pub(super) min_depth: usize,
    pub(super) stays_on_filesystem: bool,
    pub(super) is_depth_first: bool,
    pub(super) follows: bool,
    /// The commands of `-exec ... {} +`.
    pub(super) commands: Vec<Vec<Vec<u8>>>,
    has_action: bool,
}

/// Reads an expression. The error is the message.
pub(super) fn parse(words: &[Vec<u8>]) -> Result<(Expression, Globals), Vec<u8>> {
    let mut parser = Parser { words, globals: Globals::default() };
    let expression = if words.is_empty() {
        Expression::Primary(Primary::True)
    } else {
        let expression = parser.list()?;
        if !parser.words.is_empty() {
            return Err(b"invalid expression; you have too many ')'".to_vec());
        }
        expression
    };
    if parser.globals.has_action {
        return Ok((expression, parser.globals));
    }
    let print = Expression::Primary(Primary::Print(b"\n"));
    Ok((Expression::And(Box::new(expression), Box::new(print)), parser.globals))
}

struct Parser<'a> {
    words: &'a [Vec<u8>],
    globals: Globals,
}

fn missing(name: &[u8]) -> Vec<u8> {
    [b"missing argument to `", name, b"'"].concat()
}

impl Parser<'_> {
    fn peek(&self) -> Option<&[u8]> {
        self.words.first().map(Vec::as_slice)
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first.clone())
    }

    fn list(&mut self) -> Result<Expression, Vec<u8>> {
        let mut left = self.or()?;
        while self.peek() == Some(b",") {
            self.next();
            self.need_operand(b",")?;
            left = Expression::List(Box::new(left), Box::new(self.or()?));
        }
        Ok(left)
    }

    fn or(&mut self) -> Result<Expression, Vec<u8>> {
        let mut left = self.and()?;
        while let Some(operator @ (b"-o" | b"-or")) = self.peek() {
            let operator = operator.to_vec();
            self.next();
            self.need_operand(&operator)?;
            left = Expression::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression, Vec<u8>> {
        let mut left = self.not()?;
        loop {
            match self.peek() {
                None | Some(b"-o" | b"-or" | b"," | b")") => return Ok(left),
                Some(operator @ (b"-a" | b"-and")) => {
                    let operator = operator.to_vec();
                    self.next();
                    self.need_operand(&operator)?;
                }
                Some(_) => {}
            }
            left = Expression::And(Box::new(left), Box::new(self.not()?));
        }
    }

    fn need_operand(&self, operator: &[u8]) -> Result<(), Vec<u8>> {
        match self.peek() {
            None => Err([b"expected an expression after '", operator, b"'"].concat()),
            Some(_) => Ok(()),
        }
    }

    fn not(&mut self) -> Result<Expression, Vec<u8>> {
        let Some(word) = self.next() else { return Err(b"expected an expression".to_vec()) };
        match &word[..] {
            b"!" | b"-not" => {
                self.need_operand(&word)?;
                Ok(Expression::Not(Box::new(self.not()?)))
            }
            b"(" => {
                if self.peek() == Some(b")") {
                    return Err(b"invalid expression; empty parentheses are not allowed.".to_vec());
                }
                if self.peek().is_none() {
                    return Err(unclosed());
                }
                let inner = self.list()?;
                match self.next() {
                    Some(word) if word == b")" => Ok(inner),
                    _ => Err(unclosed()),
                }
            }
            b"-o" | b"-or" | b"-a" | b"-and" | b"," => {
                let text = b"invalid expression; you have used a binary operator '";
                Err([&text[..], &word, b"' with nothing before it."].concat())
            }
            b")" => Err(b"invalid expression; expected to find a ')' but didn't see one.".to_vec()),
            _ if !word.starts_with(b"-") => Err([b"paths must precede expression: `", &word[..], b"'"].concat()),
            _ => self.primary(&word).map(Expression::Primary),
        }
    }

    fn argument(&mut self, name: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
        self.next().ok_or_else(|| missing(name))
    }

    fn number(&mut self, name: &[u8]) -> Result<Number, Vec<u8>> {
        let text = self.argument(name)?;
        Number::parse(&text).ok_or_else(|| [b"invalid argument `", &text[..], b"' to `", name, b"'"].concat())
    }

    fn depth(&mut self, name: &[u8]) -> Result<usize, Vec<u8>> {
        let text = self.argument(name)?;
        let number = std::str::from_utf8(&text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        number.and_then(|text| text.parse().ok()).ok_or_else(|| {
            let start = [b"Expected a positive decimal integer argument to ", name].concat();
            [&start[..], b", but got '", &text, b"'"].concat()
        })
    }

    fn primary(&mut self, name: &[u8]) -> Result<Primary, Vec<u8>> {
        Ok(match name {
            b"-maxdepth" => {
                self.globals.max_depth = Some(self.depth(name)?);
                Primary::True
            }
            b"-mindepth" => {
                self.globals.min_depth = self.depth(name)?;
                Primary::True
            }
            b"-xdev" | b"-mount" => {
                self.globals.stays_on_filesystem = true;
                Primary::True
            }
            b"-depth" | b"-d" => {
                self.globals.is_depth_first = true;
                Primary::True
            }
            b"-follow" => {
                self.globals.follows = true;
                Primary::True
            }
            b"-noleaf" | b"-warn" | b"-nowarn" | b"-ignore_readdir_race" | b"-noignore_readdir_race" | b"-true" => {
                Primary::True
            }
            b"-false" => Primary::False,
            b"-name" | b"-iname" => Primary::Name { pattern: self.argument(name)?, ignores_case: name == b"-iname" },
            b"-path" | b"-wholename" | b"-ipath" | b"-iwholename" => {
                Primary::Path { pattern: self.argument(name)?, ignores_case: name.starts_with(b"-i") }
            }
            b"-lname" | b"-ilname" => {
                Primary::LinkName { pattern: self.argument(name)?, ignores_case: name == b"-ilname" }
            }
            b"-type" => Primary::Type(self.types(name)?),
            b"-xtype" => Primary::TypeOfTarget(self.types(name)?),
            b"-empty" => Primary::Empty,
            b"-perm" => Primary::Permissions(self.permissions(name)?),
            b"-user" => Primary::User(self.argument(name)?),
            b"-group" => Primary::Group(self.argument(name)?),
            b"-uid" => Primary::Uid(self.number(name)?),
            b"-gid" => Primary::Gid(self.number(name)?),
            b"-nouser" => Primary::NoUser,
            b"-nogroup" => Primary::NoGroup,
            b"-size" => self.size(name)?,
            b"-links" => Primary::Links(self.number(name)?),
            b"-inum" => Primary::Inode(self.number(name)?),
            b"-samefile" => Primary::SameFile(self.argument(name)?),
            b"-prune" => Primary::Prune,
            b"-quit" => Primary::Quit,
            _ => return self.action(name),
        })
    }

    fn action(&mut self, name: &[u8]) -> Result<Primary, Vec<u8>> {
        self.globals.has_action = true;
        Ok(match name {
            b"-print" => Primary::Print(b"\n"),
            b"-print0" => Primary::Print(b"\0"),
            b"-printf" => Primary::PrintFormat(self.format(name)?),
            b"-exec" => self.command(name)?,
            b"-delete" => {
                self.globals.is_depth_first = true;
                Primary::Delete
            }
            _ if NOT_SIMULATED.contains(&name) => return Err([b"option '", name, b"' is not simulated"].concat()),
            _ => return Err([b"unknown predicate `", name, b"'"].concat()),
        })
    }

    fn types(&mut self, name: &[u8]) -> Result<Vec<FileType>, Vec<u8>> {
        let text = self.argument(name)?;
        let mut types = Vec::new();
        for letter in text.split(|byte| *byte == b',') {
            types.push(match letter {
                b"f" => FileType::Regular,
                b"d" => FileType::Directory,
                b"l" => FileType::Symlink,
                b"p" => FileType::Fifo,
                b"s" => FileType::Socket,
                b"c" => FileType::CharacterDevice,
                b"b" => FileType::BlockDevice,
                _ => return Err([b"Unknown argument to ", name, b": ", letter].concat()),
            });
        }
        Ok(types)
    }

    fn permissions(&mut self, name: &[u8]) -> Result<Permissions, Vec<u8>> {
        let text = self.argument(name)?;
        let (kind, mode): (fn(u32) -> Permissions, &[u8]) = match &text[..] {
            [b'-', mode @ ..] => (Permissions::All, mode),
            [b'/', mode @ ..] => (Permissions::Any, mode),
            mode => (Permissions::Exactly, mode),
        };
        let change = ModeChange::parse(mode).ok_or_else(|| [b"invalid mode '", &text[..], b"'"].concat())?;
        Ok(kind(change.apply(0, false, 0)))
    }

    fn size(&mut self, name: &[u8]) -> Result<Primary, Vec<u8>> {
        let text = self.argument(name)?;
        let (unit, number) = match &text[..] {
            [number @ .., b'c'] => (1, number),
            [number @ .., b'w'] => (2, number),
            [number @ .., b'b'] => (512, number),
            [number @ .., b'k'] => (1024, number),
            [number @ .., b'M'] => (1024 * 1024, number),
            [number @ .., b'G'] => (1024 * 1024 * 1024, number),
            [.., letter] if !letter.is_ascii_digit() => {
                return Err([b"invalid -size type `", &[*letter][..], b"'"].concat());
            }
            number => (512, number),
        };
        match Number::parse(number) {
            Some(number) => Ok(Primary::Size { number, unit }),
            None => Err([b"Invalid argument `", &text[..], b"' to -size"].concat()),
        }
    }

    fn format(&mut self, name: &[u8]) -> Result<Vec<Piece>, Vec<u8>> {
        let format = pieces(&unescape(&self.argument(name)?));
        for piece in &format {
            if let Piece::Conversion(conversion) = piece
                && b"aAcCtTBZ".contains(&conversion.letter)
            {
                return Err([b"option '-printf ", &conversion.source[..], b"' is not simulated"].concat());
            }
        }
        Ok(format)
    }

    fn command(&mut self, name: &[u8]) -> Result<Primary, Vec<u8>> {
        let mut words: Vec<Vec<u8>> = Vec::new();
        while let Some(word) = self.next() {
            if word == b";" && !words.is_empty() {
                return Ok(Primary::Execute(words));
            }
            if word == b"+" && words.last().is_some_and(|last| last == b"{}") {
                words.pop();
                self.globals.commands.push(words);
                return Ok(Primary::ExecuteMany(self.globals.commands.len() - 1));
            }
            words.push(word);
        }
        Err(missing(name))
    }
}

fn unclosed() -> Vec<u8> {
    let text = "invalid expression; expected to find a ')' but didn't see one. \
                Perhaps you need an extra predicate after '('";
    text.as_bytes().to_vec()
}

const NOT_SIMULATED: &[&[u8]] = &[
    b"-amin",
    b"-anewer",
    b"-atime",
    b"-cmin",
    b"-cnewer",
    b"-context",
    b"-ctime",
    b"-daystart",
    b"-execdir",
    b"-executable",
    b"-files0-from",
    b"-fls",
    b"-fprint",
    b"-fprint0",
    b"-fprintf",
    b"-fstype",
    b"-iregex",
    b"-ls",
    b"-mmin",
    b"-mtime",
    b"-newer",
    b"-newerXY",
    b"-ok",
    b"-okdir",
    b"-readable",
    b"-regex",
    b"-regextype",
    b"-used",
    b"-writable",
    b"-help",
    b"--help",
    b"-version",
    b"--version",
];

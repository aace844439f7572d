//! Expansion of words, in the order of POSIX: tilde, parameters, commands and arithmetic; fields; paths; quotes.

mod arithmetic;
mod glob;
mod parameter;
pub(super) mod pattern;
mod quotes;
mod split;

use brush_parser::ParserOptions;
use brush_parser::word::{self, TildeExpr, WordPiece, WordPieceWithSource};

use super::Shell;
use super::source::{self, decode};
use super::stop::Stop;
use pattern::Text;

/// Part of a word that was expanded, but not split into fields yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// In quotes: no part of it is special.
    Quoted(Vec<u8>),
    /// As it is in the script.
    Literal(Vec<u8>),
    /// What an expansion outside quotes has given: it is split into fields.
    Expanded(Vec<u8>),
    /// The end of a field: between the parameters of `$@`.
    Break,
}

/// In what a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Context {
    /// Whether it is in double quotes, or in a here-document.
    is_quoted: bool,
    /// Whether it becomes fields, or is one string whatever it has in it.
    is_split: bool,
}

const FIELDS: Context = Context { is_quoted: false, is_split: true };
const STRING: Context = Context { is_quoted: false, is_split: false };
const QUOTED: Context = Context { is_quoted: true, is_split: false };

type Pieces = Vec<Piece>;
type Boxed<'a, T> = std::pin::Pin<Box<dyn Future<Output = Result<T, Stop>> + 'a>>;

impl Shell {
    /// The fields of a word.
    pub(super) async fn fields(&mut self, text: &str) -> Result<Vec<Vec<u8>>, Stop> {
        if is_plain(text) {
            return Ok(vec![text.as_bytes().to_vec()]);
        }
        let pieces = self.pieces(text, FIELDS).await?;
        let separators = self.get("IFS").unwrap_or(b" \t\n").to_vec();
        let mut words = Vec::new();
        for field in split::split(pieces, &separators) {
            if self.options.has(b'f') {
                words.push(field.into_bytes());
            } else {
                words.extend(self.paths(field).await);
            }
        }
        Ok(words)
    }

    /// A word that is one string: of a redirection, of `case`.
    pub(super) async fn string(&mut self, text: &str) -> Result<Vec<u8>, Stop> {
        if is_plain(text) {
            return Ok(text.as_bytes().to_vec());
        }
        Ok(join(self.pieces(text, STRING).await?).into_bytes())
    }

    /// What is assigned to a variable: tildes can be behind colons.
    pub(super) async fn assigned(&mut self, text: &str) -> Result<Vec<u8>, Stop> {
        if is_plain(text) {
            return Ok(text.as_bytes().to_vec());
        }
        let options = ParserOptions { tilde_expansion_after_colon: true, ..source::options() };
        let parsed = parse(text, &options)?;
        let mut pieces = Pieces::new();
        self.expand(&parsed, STRING, &mut pieces).await?;
        Ok(join(pieces).into_bytes())
    }

    /// An argument of `export` and its like: `name=value`.
    pub(super) async fn assignment_word(&mut self, text: &str) -> Result<Vec<u8>, Stop> {
        match text.split_once('=') {
            Some((name, value)) => Ok([name.as_bytes(), b"=", &self.assigned(value).await?].concat()),
            None => self.string(text).await,
        }
    }

    /// A pattern, in which what is quoted is not special.
    pub(super) async fn pattern(&mut self, text: &str) -> Result<Text, Stop> {
        Ok(join(self.pieces(text, STRING).await?))
    }

    /// A here-document, or what is expanded as one.
    pub(super) async fn document(&mut self, text: &str) -> Result<Vec<u8>, Stop> {
        let text = text.replace("\\\n", "");
        let parsed = word::parse_heredoc(&text, &source::options()).map_err(|_| bad_substitution())?;
        let mut pieces = Pieces::new();
        self.expand(&parsed, QUOTED, &mut pieces).await?;
        Ok(join(pieces).into_bytes())
    }

    fn pieces<'a>(&'a mut self, text: &'a str, context: Context) -> Boxed<'a, Pieces> {
        Box::pin(async move {
            let parsed = parse(text, &source::options())?;
            let mut pieces = Pieces::new();
            self.expand(&parsed, context, &mut pieces).await?;
            Ok(pieces)
        })
    }

    fn expand<'a>(
        &'a mut self,
        parsed: &'a [WordPieceWithSource],
        context: Context,
        pieces: &'a mut Pieces,
    ) -> Boxed<'a, ()> {
        Box::pin(async move {
            for part in parsed {
                self.expand_piece(&part.piece, context, pieces).await?;
            }
            Ok(())
        })
    }

    async fn expand_piece(&mut self, piece: &WordPiece, context: Context, pieces: &mut Pieces) -> Result<(), Stop> {
        match piece {
            WordPiece::Text(text) if context.is_quoted => pieces.push(Piece::Quoted(decode(text))),
            WordPiece::Text(text) => pieces.push(Piece::Literal(decode(text))),
            WordPiece::SingleQuotedText(text) => pieces.push(Piece::Quoted(decode(text))),
            WordPiece::AnsiCQuotedText(text) => pieces.push(Piece::Quoted(quotes::ansi_c(&decode(text)))),
            WordPiece::EscapeSequence(text) => match text.strip_prefix('\\') {
                Some("\n") => {}
                Some(escaped) => pieces.push(Piece::Quoted(decode(escaped))),
                None => pieces.push(Piece::Quoted(decode(text))),
            },
            WordPiece::DoubleQuotedSequence(parts) | WordPiece::GettextDoubleQuotedSequence(parts) => {
                self.expand_quoted(parts, context, pieces).await?;
            }
            WordPiece::TildeExpansion(tilde) => pieces.push(self.tilde(tilde)),
            WordPiece::ParameterExpansion(expression) => self.parameter(expression, context, pieces).await?,
            WordPiece::CommandSubstitution(text) => {
                let output = self.substitute(text).await?;
                pieces.push(expanded(output, context));
            }
            WordPiece::BackquotedCommandSubstitution(text) => {
                let output = self.substitute(&quotes::backquoted(text, context.is_quoted)).await?;
                pieces.push(expanded(output, context));
            }
            WordPiece::ArithmeticExpression(expression) => {
                let number = self.arithmetic(&expression.value).await?;
                pieces.push(expanded(number.to_string().into_bytes(), context));
            }
        }
        Ok(())
    }

    /// What is in double quotes is a field even if it is empty, unless it is `"$@"` without parameters.
    async fn expand_quoted(
        &mut self,
        parts: &[WordPieceWithSource],
        context: Context,
        pieces: &mut Pieces,
    ) -> Result<(), Stop> {
        let inner = Context { is_quoted: true, ..context };
        let mut quoted = Pieces::new();
        self.expand(parts, inner, &mut quoted).await?;
        let is_list = parts.iter().any(|part| parameter::is_list(&part.piece));
        if quoted.is_empty() && !is_list {
            quoted.push(Piece::Quoted(Vec::new()));
        }
        pieces.append(&mut quoted);
        Ok(())
    }

    fn tilde(&self, tilde: &TildeExpr) -> Piece {
        let quoted = |value: Option<&[u8]>, text: &str| match value {
            Some(value) => Piece::Quoted(value.to_vec()),
            None => Piece::Literal(text.as_bytes().to_vec()),
        };
        match tilde {
            TildeExpr::Home => quoted(self.get("HOME"), "~"),
            TildeExpr::UserHome(user) => {
                let text = format!("~{}", String::from_utf8_lossy(&decode(user)));
                quoted(self.home_of(user).as_deref(), &text)
            }
            // These are of bash; in dash they are no users.
            TildeExpr::WorkingDir => quoted(None, "~+"),
            TildeExpr::OldWorkingDir => quoted(None, "~-"),
            TildeExpr::NthDirFromTopOfDirStack { n, plus_used } => {
                quoted(None, &format!("~{}{n}", if *plus_used { "+" } else { "" }))
            }
            TildeExpr::NthDirFromBottomOfDirStack { n } => quoted(None, &format!("~-{n}")),
        }
    }

    /// The home directory of a user, as `/etc/passwd` has it.
    fn home_of(&self, user: &str) -> Option<Vec<u8>> {
        let content = self.read_whole(b"/etc/passwd").ok()?;
        content.split(|byte| *byte == b'\n').find_map(|line| {
            let mut fields = line.split(|byte| *byte == b':');
            (fields.next()? == user.as_bytes()).then(|| fields.nth(4).map(<[u8]>::to_vec)).flatten()
        })
    }
}

fn parse(text: &str, options: &ParserOptions) -> Result<Vec<WordPieceWithSource>, Stop> {
    word::parse(text, options).map_err(|_| bad_substitution())
}

fn bad_substitution() -> Stop {
    Stop::fatal("Bad substitution")
}

/// Whether nothing in a word is special.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b',' | b':' | b'=' | b'+' | b'%')
    };
    !text.is_empty() && text.bytes().all(is_plain)
}

fn expanded(value: Vec<u8>, context: Context) -> Piece {
    if context.is_quoted { Piece::Quoted(value) } else { Piece::Expanded(value) }
}

/// The pieces as one string, with what is quoted marked.
fn join(pieces: Pieces) -> Text {
    let mut text = Text::default();
    for piece in pieces {
        match piece {
            Piece::Quoted(bytes) => text.push(&bytes, true),
            Piece::Literal(bytes) | Piece::Expanded(bytes) => text.push(&bytes, false),
            Piece::Break => text.push(b" ", true),
        }
    }
    text
}

//! What is wrong with a script's text, as dash says it.

use brush_parser::{ParseError, SourcePosition, Token, TokenizerError, TokenizerOptions};

use super::nesting::{Nesting, Open};

/// A script that can't be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: Syntax error: {message}")]
pub(crate) struct SyntaxError {
    /// The line, from 1.
    pub(super) line: usize,
    message: String,
    /// Whether more text could make it right.
    pub(super) is_incomplete: bool,
}

impl SyntaxError {
    pub(super) fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into(), is_incomplete: false }
    }

    /// The same on a line that many lines further on.
    pub(super) fn after(self, lines: usize) -> Self {
        Self { line: self.line + lines, ..self }
    }
}

/// What is added at the end of a text where shells do without it: the end of a here-document, the second half of an escape.
pub(super) fn completion(error: &ParseError) -> Option<String> {
    match error {
        ParseError::Tokenizing { inner: TokenizerError::UnterminatedHereDocuments(ends, _), .. } => {
            let end = ends.split(", ").next().unwrap_or_default();
            let end: String = end.chars().filter(|character| !matches!(character, '\'' | '"' | '\\')).collect();
            Some(format!("\n{end}\n"))
        }
        ParseError::Tokenizing { inner: TokenizerError::UnterminatedEscapeSequence, .. } => Some("\\".to_owned()),
        _ => None,
    }
}

/// The error in the words of dash.
pub(super) fn describe(text: &str, error: &ParseError) -> SyntaxError {
    let last_line = text.lines().count().max(1);
    let incomplete = |message: String| SyntaxError { line: last_line, message, is_incomplete: true };
    match error {
        ParseError::ParsingNear(position) => unexpected(text, position),
        ParseError::ParsingAtEndOfInput => incomplete(format!("end of file unexpected{}", expecting(text))),
        ParseError::Tokenizing { inner, .. } => match inner {
            TokenizerError::UnterminatedSingleQuote(_)
            | TokenizerError::UnterminatedDoubleQuote(_)
            | TokenizerError::UnterminatedAnsiCQuote(_) => incomplete("Unterminated quoted string".to_owned()),
            TokenizerError::UnterminatedBackquote(_) => incomplete("EOF in backquote substitution".to_owned()),
            TokenizerError::UnterminatedVariable => incomplete("Missing '}'".to_owned()),
            TokenizerError::UnterminatedExpansion | TokenizerError::UnterminatedCommandSubstitution => {
                incomplete("end of file unexpected (expecting \")\")".to_owned())
            }
            other => SyntaxError::new(last_line, other.to_string()),
        },
    }
}

/// The text before a place, of which only complete lines have ended.
fn before<'a>(text: &'a str, position: &SourcePosition) -> &'a str {
    let end = text.char_indices().nth(position.index).map_or(text.len(), |(index, _)| index);
    text.get(..end).unwrap_or(text)
}

fn unexpected(text: &str, position: &SourcePosition) -> SyntaxError {
    let options = TokenizerOptions { enable_extended_globbing: false, ..TokenizerOptions::default() };
    let tokens = brush_parser::uncached_tokenize_str(text, &options).unwrap_or_default();
    let found = tokens.iter().find(|token| token.location().start.index == position.index);
    // The position of a token can be that of the blanks before it.
    let found = found.or_else(|| tokens.iter().find(|token| token.location().start.index >= position.index));
    let what = match found {
        None => {
            return SyntaxError { is_incomplete: true, ..SyntaxError::new(position.line, "end of file unexpected") };
        }
        Some(Token::Operator(operator, _)) if operator == "\n" => "newline".to_owned(),
        Some(Token::Operator(operator, _)) => format!("\"{operator}\""),
        Some(Token::Word(word, _)) if is_reserved(word) => format!("\"{word}\""),
        Some(Token::Word(..)) => "word".to_owned(),
    };
    let line = found.map_or(position.line, |token| token.location().start.line);
    SyntaxError::new(line, format!("{what} unexpected{}", expecting(before(text, position))))
}

fn is_reserved(word: &str) -> bool {
    matches!(
        word,
        "!" | "{"
            | "}"
            | "case"
            | "do"
            | "done"
            | "elif"
            | "else"
            | "esac"
            | "fi"
            | "for"
            | "if"
            | "in"
            | "then"
            | "until"
            | "while"
    )
}

/// What would close what is open at the end of a text.
fn expecting(text: &str) -> String {
    let end = match Nesting::of(text).open.last() {
        Some(Open::Parenthesis) => ")",
        Some(Open::Brace | Open::Parameter) => "}",
        Some(Open::Keyword(word)) => match word.as_str() {
            "if" | "elif" => "then",
            "then" | "else" => "fi",
            "while" | "until" | "for" => "do",
            "do" => "done",
            _ => ";;",
        },
        _ => return String::new(),
    };
    format!(" (expecting \"{end}\")")
}

//! Script text as the grammar takes it, and back.
//!
//! Scripts are bytes; the grammar is one of characters. A byte that is not ASCII becomes a character of a private plane, so
//! that nothing is lost and all lengths are those of bytes, as in dash.

use std::borrow::Cow;

use brush_parser::{Parser, ParserOptions, ast};

use super::nesting::Nesting;
use super::syntax_error::{self, SyntaxError};

/// Where in Unicode the bytes beyond ASCII are.
const PRIVATE: u32 = 0xF_0000;

/// How deep a script's text may be nested: the parser is recursive.
const MAX_NESTING: usize = 40;

/// How the grammar is set.
pub(super) fn options() -> ParserOptions {
    ParserOptions { enable_extended_globbing: false, ..ParserOptions::default() }
}

/// Bytes as characters. NUL bytes are left out, as shells do.
pub(super) fn encode(bytes: &[u8]) -> String {
    bytes.iter().filter(|byte| **byte != 0).map(|byte| encode_byte(*byte)).collect()
}

fn encode_byte(byte: u8) -> char {
    if byte.is_ascii() { char::from(byte) } else { char::from_u32(PRIVATE + u32::from(byte)).unwrap_or('?') }
}

/// The bytes that [`encode`] was given.
pub(super) fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match u32::from(character).checked_sub(PRIVATE).map(u8::try_from) {
            Some(Ok(byte)) => bytes.push(byte),
            _ => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// A text in which characters that stand for blanks in `${...}` are blanks.
pub(super) fn plain(text: &str) -> String {
    let blank = |character: char| match u32::from(character).checked_sub(PRIVATE) {
        Some(0x20) => ' ',
        Some(0x09) => '\t',
        _ => character,
    };
    text.chars().map(blank).collect()
}

/// Makes up for what the grammar's tokenizer does not do: of several blanks in `${...}` it keeps only one, so they are hidden;
/// and in `$(...)` it does not know that a parenthesis ends a pattern of `case`, unless one begins it; and `for x in; do` is `for x;
/// do` to it.
fn prepare<'a>(text: &'a str, nesting: &Nesting) -> Cow<'a, str> {
    if nesting.blanks.is_empty() && nesting.insertions.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut prepared = String::with_capacity(text.len());
    let (mut blanks, mut insertions) = (nesting.blanks.iter().peekable(), nesting.insertions.iter().peekable());
    for (index, character) in text.char_indices() {
        if let Some((_, insertion)) = insertions.next_if(|(at, _)| *at == index) {
            prepared.push_str(insertion);
        }
        let is_hidden = blanks.next_if(|blank| **blank == index).is_some();
        let hidden = char::from_u32(PRIVATE + u32::from(character)).filter(|_| is_hidden);
        prepared.push(hidden.unwrap_or(character));
    }
    Cow::Owned(prepared)
}

/// Parses a script.
///
/// # Errors
///
/// What dash says of it, as far as possible.
pub(super) fn parse(text: &str) -> Result<ast::Program, SyntaxError> {
    let nesting = Nesting::of(text);
    if nesting.deepest > MAX_NESTING {
        return Err(SyntaxError::new(nesting.deepest_line, "nested too deeply"));
    }
    if let Some(line) = nesting.bad_number {
        return Err(SyntaxError::new(line, "Bad fd number"));
    }
    let mut completed = prepare(text, &nesting);
    // As often as something can be missing at the end that shells do without.
    for _ in 0..16 {
        let error = match Parser::new(completed.as_bytes(), &options()).parse_program() {
            Ok(program) => return Ok(program),
            Err(error) => error,
        };
        match syntax_error::completion(&error) {
            Some(missing) => {
                let is_line = completed.ends_with('\n');
                completed.to_mut().push_str(if is_line { missing.trim_start_matches('\n') } else { &missing });
            }
            None => return Err(syntax_error::describe(&completed, &error, &nesting)),
        }
    }
    Err(SyntaxError::new(0, "too many here-documents without an end"))
}

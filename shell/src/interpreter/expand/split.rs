//! Field splitting.

use super::pattern::Text;
use super::{Piece, Pieces};

/// Splits what expansions have given into fields.
pub(super) fn split(pieces: Pieces, separators: &[u8]) -> Vec<Text> {
    let mut splitter = Splitter::default();
    for piece in pieces {
        match piece {
            Piece::Quoted(bytes) => splitter.push(&bytes, true),
            Piece::Literal(bytes) => splitter.push(&bytes, false),
            Piece::Expanded(bytes) => splitter.expanded(&bytes, separators),
            Piece::Break => {
                splitter.end();
                splitter.is_after_blank = false;
            }
        }
    }
    splitter.end();
    splitter.fields
}

#[derive(Default)]
struct Splitter {
    fields: Vec<Text>,
    field: Option<Text>,
    /// Whether a blank has ended the last field: another separator that follows does not end one more.
    is_after_blank: bool,
}

impl Splitter {
    fn push(&mut self, bytes: &[u8], is_quoted: bool) {
        if is_quoted || !bytes.is_empty() {
            self.field.get_or_insert_default().push(bytes, is_quoted);
            self.is_after_blank = false;
        }
    }

    /// Ends the field, if there is one.
    fn end(&mut self) {
        self.fields.extend(self.field.take());
    }

    fn expanded(&mut self, bytes: &[u8], separators: &[u8]) {
        for byte in bytes {
            if !separators.contains(byte) {
                self.push(&[*byte], false);
            } else if matches!(byte, b' ' | b'\t' | b'\n') {
                self.is_after_blank |= self.field.is_some();
                self.end();
            } else {
                if self.field.is_none() && !self.is_after_blank {
                    self.field = Some(Text::default());
                }
                self.end();
                self.is_after_blank = false;
            }
        }
    }
}

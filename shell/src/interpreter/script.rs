//! Whole texts: scripts, `-c`, `eval`, sourced files.

use brush_parser::ast::{self, SourceLocation as _};

use super::Shell;
use super::source;
use super::stop::{Executed, Stop};
use super::syntax_error::SyntaxError;

impl Shell {
    /// Executes a text. Where it can't be parsed, what is complete before is executed first, as shells do that read line by
    /// line.
    pub(super) async fn run_text(&mut self, text: &str) -> Executed {
        let was_empty = text.trim().is_empty();
        if was_empty {
            self.status = 0;
        }
        match source::parse(text) {
            Ok(program) => self.program(&program, text).await,
            Err(error) => self.run_lines(text, error).await,
        }
    }

    async fn program(&mut self, program: &ast::Program, text: &str) -> Executed {
        let mut shown = 0;
        for list in &program.complete_commands {
            if self.options.has(b'v') {
                shown = self.show_lines(text, shown, list).await;
            } else if let Some(location) = list.location() {
                shown = location.end.line;
            }
            if self.options.has(b'n') && !self.is_interactive {
                continue;
            }
            self.list_of_text(list).await?;
        }
        Ok(self.status)
    }

    /// A line of a text. No deeper than the text itself.
    async fn list_of_text(&mut self, list: &ast::CompoundList) -> Executed {
        match self.list(list).await {
            Err(Stop::Fatal(message)) => {
                self.complain(&message).await;
                self.status = 2;
                Err(Stop::Error(2))
            }
            executed => executed,
        }
    }

    /// `set -v`: the lines up to the end of a command, from those on that were shown. Gives the last line.
    async fn show_lines(&mut self, text: &str, shown: usize, list: &ast::CompoundList) -> usize {
        let end = list.location().map_or(shown, |location| location.end.line);
        for line in text.lines().skip(shown).take(end.saturating_sub(shown)) {
            let line = source::decode(line);
            self.write_error(&[&line[..], b"\n"].concat()).await;
        }
        end.max(shown)
    }

    /// Executes as much of a text as is complete before an error.
    async fn run_lines(&mut self, text: &str, error: SyntaxError) -> Executed {
        let mut start = 0;
        let mut lines_before = 0;
        let mut end = 0;
        let mut error = error;
        for line in text.split_inclusive('\n') {
            end += line.len();
            let chunk = text.get(start..end).unwrap_or_default();
            match source::parse(chunk) {
                Ok(program) if has_ended(chunk) => {
                    let outer = self.line_base;
                    self.line_base += lines_before;
                    let executed = self.program(&program, chunk).await;
                    self.line_base = outer;
                    executed?;
                    lines_before += chunk.matches('\n').count();
                    start = end;
                }
                Ok(_) => {}
                Err(found) => {
                    let is_incomplete = found.is_incomplete;
                    error = found.after(lines_before);
                    if !is_incomplete {
                        break;
                    }
                }
            }
        }
        self.line = error.line + self.line_base;
        let message = error.to_string();
        let message = message.split_once(": ").map_or(message.as_str(), |(_, message)| message);
        self.complain(&source::decode(message)).await;
        self.status = 2;
        Err(Stop::Error(2))
    }
}

/// Whether a text that can be parsed has ended: a line can go on, and a here-document is ended by the end of the text only if
/// there is no more.
pub(super) fn has_ended(text: &str) -> bool {
    !text.trim_end_matches('\n').ends_with('\\') && !is_in_document(text)
}

fn is_in_document(text: &str) -> bool {
    use brush_parser::{ParserOptions, TokenizerError};
    let options: ParserOptions = source::options();
    matches!(
        brush_parser::uncached_tokenize_str(text, &options.tokenizer_options()),
        Err(TokenizerError::UnterminatedHereDocuments(..))
    )
}

//! Aliases, as far as a command's first word goes.

use brush_parser::ast;

use super::source::{decode, encode};
use super::{Shell, source};

impl Shell {
    /// What a command is in the place of which its alias is put; none if its first word is no alias.
    ///
    /// Aliases are put in when the command is executed, so that one whose text is only part of a command does not work.
    pub(super) fn expand_alias(&self, command: &ast::SimpleCommand) -> Option<ast::Program> {
        if self.aliases.is_empty() {
            return None;
        }
        let name = &command.word_or_name.as_ref()?.value;
        let mut text = decode(name);
        let mut seen = vec![text.clone()];
        let mut alias = self.aliases.get(&text)?;
        // An alias can begin with another one, but not with itself.
        loop {
            let first = alias.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            let rest = text.get(seen.last().map_or(0, Vec::len)..).unwrap_or_default().to_vec();
            text = [&alias[..], &rest].concat();
            match self.aliases.get(first).filter(|_| !seen.iter().any(|name| name == first)) {
                Some(next) => {
                    seen.push(first.to_vec());
                    alias = next;
                }
                None => break,
            }
        }
        let bare = ast::SimpleCommand { word_or_name: Some(ast::Word::from(encode(&text))), ..command.clone() };
        let mut program = source::parse(&bare.to_string()).ok()?;
        // An alias of its own name is the command of that name.
        for list in &mut program.complete_commands {
            for item in &mut list.0 {
                mark_first(&mut item.0.first, &seen);
            }
        }
        Some(program)
    }
}

/// Keeps a name from being an alias again.
fn mark_first(pipeline: &mut ast::Pipeline, seen: &[Vec<u8>]) {
    if let Some(ast::Command::Simple(command)) = pipeline.seq.first_mut()
        && let Some(word) = &mut command.word_or_name
        && seen.contains(&decode(&word.value))
    {
        word.value = format!("\\{}", word.value);
    }
}

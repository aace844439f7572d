//! find(1)

mod evaluate;
mod expression;

use cofferdam::kernel::{DeviceNumber, Errno, FileType, Stat};

use super::support::paths::join;
use super::support::quote::quoted_as_in_c;
use super::support::users::Names;
use crate::execution::Execution;
use expression::{Expression, Globals};

struct Finder {
    globals: Globals,
    /// `-L`
    follows: bool,
    /// `-H`
    follows_operands: bool,
    users: Names,
    groups: Names,
    /// What `-exec ... {} +` is to be given.
    pending: Vec<Vec<Vec<u8>>>,
    has_quit: bool,
    status: i32,
}

/// A file that is looked at.
struct Visit<'a> {
    path: &'a [u8],
    /// The operand below which it is.
    start: &'a [u8],
    depth: usize,
    stat: Stat,
    is_pruned: bool,
}

type FileId = (DeviceNumber, u64);

/// find(1)
pub(crate) async fn find(execution: &mut Execution) -> i32 {
    let mut words = execution.arguments.get(1..).unwrap_or_default();
    let (mut follows, mut follows_operands) = (false, false);
    while let [word, rest @ ..] = words {
        match &word[..] {
            b"-P" => (follows, follows_operands) = (false, false),
            b"-H" => (follows, follows_operands) = (false, true),
            b"-L" => (follows, follows_operands) = (true, true),
            b"--" => {}
            b"-D" | b"-O0" | b"-O1" | b"-O2" | b"-O3" => {
                let text = [b"option '", &word[..], b"' is not simulated"].concat();
                execution.report(text);
                return 1;
            }
            _ => break,
        }
        words = rest;
    }
    let is_expression = |word: &Vec<u8>| word.len() > 1 && word.starts_with(b"-") || word == b"(" || word == b"!";
    let count = words.iter().position(is_expression).unwrap_or(words.len());
    let (operands, words) = words.split_at(count);
    let operands = if operands.is_empty() { vec![b".".to_vec()] } else { operands.to_vec() };
    let (expression, globals) = match expression::parse(words) {
        Ok(parsed) => parsed,
        Err(message) => {
            execution.report(message);
            return 1;
        }
    };
    let mut finder = Finder {
        follows: follows || globals.follows,
        follows_operands: follows_operands || globals.follows,
        users: Names::users(&execution.process),
        groups: Names::groups(&execution.process),
        pending: vec![Vec::new(); globals.commands.len()],
        globals,
        has_quit: false,
        status: 0,
    };
    if !finder.check_names(execution, &expression) {
        return 1;
    }
    for operand in &operands {
        finder.visit(execution, &expression, operand, operand, 0, &[]).await;
    }
    finder.run_pending(execution).await;
    finder.status
}

impl Finder {
    /// Whether all that is named in the expression exists; what does not is reported.
    fn check_names(&self, execution: &mut Execution, expression: &Expression) -> bool {
        let text = match expression {
            Expression::Not(inner) => return self.check_names(execution, inner),
            Expression::And(left, right) | Expression::Or(left, right) | Expression::List(left, right) => {
                return self.check_names(execution, left) && self.check_names(execution, right);
            }
            Expression::Primary(expression::Primary::User(name)) if self.users.number(name).is_none() => {
                [&quoted_as_in_c(name)[..], b" is not the name of a known user"].concat()
            }
            Expression::Primary(expression::Primary::Group(name)) if self.groups.number(name).is_none() => {
                [&quoted_as_in_c(name)[..], b" is not the name of an existing group"].concat()
            }
            Expression::Primary(expression::Primary::SameFile(path)) => match execution.stat(path) {
                Ok(_) => return true,
                Err(errno) => [&quoted_as_in_c(path)[..], b": ", errno.description().as_bytes()].concat(),
            },
            Expression::Primary(_) => return true,
        };
        execution.report(text);
        false
    }

    fn fail(&mut self, execution: &mut Execution, path: &[u8], errno: Errno) {
        execution.report([&quoted_as_in_c(path)[..], b": ", errno.description().as_bytes()].concat());
        self.status = 1;
    }

    async fn visit(
        &mut self,
        execution: &mut Execution,
        expression: &Expression,
        path: &[u8],
        operand: &[u8],
        depth: usize,
        ancestors: &[FileId],
    ) {
        if self.has_quit {
            return;
        }
        let follows = if depth == 0 { self.follows_operands } else { self.follows };
        let stat = match execution.lstat(path) {
            // A link that leads nowhere is what it is.
            Ok(link) if follows && link.file_type == FileType::Symlink => execution.stat(path).unwrap_or(link),
            Ok(found) => found,
            Err(errno) => return self.fail(execution, path, errno),
        };
        let id = (stat.device, stat.inode);
        if stat.file_type == FileType::Directory && ancestors.contains(&id) {
            let text = [b"File system loop detected; ", &quoted_as_in_c(path)[..]].concat();
            execution.report(
                [&text[..], b" is part of the same file system loop as ", &quoted_as_in_c(operand), b"."].concat(),
            );
            self.status = 1;
            return;
        }
        let mut visit = Visit { path, start: operand, depth, stat, is_pruned: false };
        let is_shown = depth >= self.globals.min_depth;
        let is_depth_first = self.globals.is_depth_first;
        if is_shown && !is_depth_first {
            self.evaluate(execution, expression, &mut visit).await;
        }
        let is_deep_enough = self.globals.max_depth.is_some_and(|max| depth >= max);
        let is_elsewhere =
            self.globals.stays_on_filesystem && ancestors.first().is_some_and(|(device, _)| *device != stat.device);
        if stat.file_type == FileType::Directory
            && !visit.is_pruned
            && !is_deep_enough
            && !is_elsewhere
            && !self.has_quit
        {
            let below = [ancestors, &[id]].concat();
            match execution.entries(path) {
                Ok(entries) => {
                    for entry in entries {
                        let child = join(path, &entry.name.0);
                        Box::pin(self.visit(execution, expression, &child, operand, depth + 1, &below)).await;
                    }
                }
                Err(errno) => self.fail(execution, path, errno),
            }
        }
        if is_shown && is_depth_first {
            self.evaluate(execution, expression, &mut visit).await;
        }
    }
}

//! Evaluating the expression of find(1) for one file.

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, CloneFlags, Errno, Fd, FileType, Kernel as _, Stat, WaitStatus};

use super::expression::{Expression, Permissions, Primary};
use super::{Finder, Visit};
use crate::execution::Execution;
use crate::programs::support::files::{blocks, is_same_file};
use crate::programs::support::glob;
use crate::programs::support::mode::mode_text;
use crate::programs::support::paths::{base_name, without_trailing_slashes};
use crate::programs::support::quote::quoted_as_in_c;
use crate::programs::support::text::{Conversion, Piece};

/// So many bytes of paths are given to a command of `-exec ... {} +` at a time.
const BATCH: usize = 128 * 1024;

impl Finder {
    /// Whether the expression is true of a file.
    pub(super) async fn evaluate(
        &mut self,
        execution: &mut Execution,
        expression: &Expression,
        visit: &mut Visit<'_>,
    ) -> bool {
        if self.has_quit {
            return false;
        }
        match expression {
            Expression::Not(inner) => !Box::pin(self.evaluate(execution, inner, visit)).await,
            Expression::And(left, right) => {
                Box::pin(self.evaluate(execution, left, visit)).await
                    && Box::pin(self.evaluate(execution, right, visit)).await
            }
            Expression::Or(left, right) => {
                Box::pin(self.evaluate(execution, left, visit)).await
                    || Box::pin(self.evaluate(execution, right, visit)).await
            }
            Expression::List(left, right) => {
                Box::pin(self.evaluate(execution, left, visit)).await;
                Box::pin(self.evaluate(execution, right, visit)).await
            }
            Expression::Primary(primary) => self.act(execution, primary, visit).await,
        }
    }

    async fn act(&mut self, execution: &mut Execution, primary: &Primary, visit: &mut Visit<'_>) -> bool {
        match primary {
            Primary::Print(end) => execution.print([visit.path, *end].concat()),
            Primary::PrintFormat(format) => {
                let text = self.format(execution, format, visit);
                execution.print(text);
            }
            Primary::Execute(words) => {
                let command: Vec<Vec<u8>> = words.iter().map(|word| replace(word, visit.path)).collect();
                return self.run(execution, command).await;
            }
            Primary::ExecuteMany(index) => {
                let Some(paths) = self.pending.get_mut(*index) else { return true };
                paths.push(visit.path.to_vec());
                if paths.iter().map(Vec::len).sum::<usize>() > BATCH {
                    self.run_pending(execution).await;
                }
            }
            Primary::Delete => return self.delete(execution, visit),
            Primary::Prune => visit.is_pruned = true,
            Primary::Quit => self.has_quit = true,
            test => return self.test(execution, test, visit),
        }
        true
    }

    fn test(&self, execution: &Execution, primary: &Primary, visit: &Visit<'_>) -> bool {
        let stat = &visit.stat;
        match primary {
            Primary::Name { pattern, ignores_case } => glob::matches(pattern, base_name(visit.path), *ignores_case),
            Primary::Path { pattern, ignores_case } => glob::matches(pattern, visit.path, *ignores_case),
            Primary::LinkName { pattern, ignores_case } => {
                let target = execution.read_link(visit.path);
                target.is_ok_and(|target| glob::matches(pattern, &target, *ignores_case))
            }
            Primary::Type(types) => types.contains(&stat.file_type),
            Primary::TypeOfTarget(types) => {
                let target = if self.follows { execution.lstat(visit.path) } else { execution.stat(visit.path) };
                types.contains(&target.map_or(stat.file_type, |stat| stat.file_type))
            }
            Primary::Empty => match stat.file_type {
                FileType::Regular => stat.size == 0,
                FileType::Directory => execution.entries(visit.path).is_ok_and(|entries| entries.is_empty()),
                _ => false,
            },
            Primary::Permissions(permissions) => match permissions {
                Permissions::Exactly(mode) => stat.mode.0 == *mode,
                Permissions::All(mode) => stat.mode.0 & mode == *mode,
                Permissions::Any(mode) => *mode == 0 || stat.mode.0 & mode != 0,
            },
            Primary::User(name) => self.users.number(name) == Some(stat.uid),
            Primary::Group(name) => self.groups.number(name) == Some(stat.gid),
            Primary::Uid(number) => number.matches(stat.uid.into()),
            Primary::Gid(number) => number.matches(stat.gid.into()),
            Primary::NoUser => self.users.name(stat.uid).is_none(),
            Primary::NoGroup => self.groups.name(stat.gid).is_none(),
            Primary::Size { number, unit } => number.matches(stat.size.div_ceil(*unit)),
            Primary::Links(number) => number.matches(stat.links.into()),
            Primary::Inode(number) => number.matches(stat.inode),
            Primary::SameFile(path) => {
                let other = if self.follows { execution.stat(path) } else { execution.lstat(path) };
                other.is_ok_and(|other| is_same_file(&other, stat))
            }
            Primary::False => false,
            // The others are actions.
            _ => true,
        }
    }

    fn delete(&mut self, execution: &mut Execution, visit: &Visit<'_>) -> bool {
        if visit.path == b"." {
            return true;
        }
        let is_directory = visit.stat.file_type == FileType::Directory;
        let flags = if is_directory { AtFlags::AT_REMOVEDIR } else { AtFlags::empty() };
        match execution.process.unlinkat(Fd::CWD, UnixPath::new(visit.path), flags) {
            Ok(()) => true,
            Err(errno) => {
                let name = quoted_as_in_c(visit.path);
                execution.report([b"cannot delete ", &name[..], b": ", errno.description().as_bytes()].concat());
                self.status = 1;
                false
            }
        }
    }

    /// Runs a command; whether it succeeded.
    async fn run(&mut self, execution: &mut Execution, command: Vec<Vec<u8>>) -> bool {
        // What was found before is seen before what the command prints.
        let _ = execution.flush().await;
        let child = execution.fork(CloneFlags::empty(), |mut child| {
            Box::pin(async move {
                match child.execute(&command).await {
                    Ok(status) => status,
                    Err(errno) => {
                        let name = quoted_as_in_c(command.first().map(Vec::as_slice).unwrap_or_default());
                        child.complain([&name[..], b": ", errno.description().as_bytes()].concat()).await;
                        1
                    }
                }
            })
        });
        let result = match child {
            Ok(pid) => execution.wait_for(pid).await,
            Err(errno) => Err(errno),
        };
        match result {
            Ok(status) => status == WaitStatus::Exited(0),
            Err(errno) => {
                execution.report([b"cannot fork: ", errno.description().as_bytes()].concat());
                self.status = 1;
                false
            }
        }
    }

    /// Runs the commands of `-exec ... {} +` with what was found for them.
    pub(super) async fn run_pending(&mut self, execution: &mut Execution) {
        let pending: Vec<_> = self.pending.iter_mut().map(std::mem::take).collect();
        for (paths, command) in pending.into_iter().zip(self.globals.commands.clone()) {
            if !paths.is_empty() && !self.run(execution, [command, paths].concat()).await {
                self.status = 1;
            }
        }
    }

    fn format(&self, execution: &mut Execution, format: &[Piece], visit: &Visit<'_>) -> Vec<u8> {
        let mut text = Vec::new();
        for piece in format {
            match piece {
                Piece::Text(plain) => text.extend(plain),
                Piece::Conversion(conversion) => match self.value(execution, conversion, visit) {
                    Some(value) => text.extend(conversion.pad(&value)),
                    None => text.extend(&conversion.source),
                },
            }
        }
        text
    }

    fn value(&self, execution: &Execution, conversion: &Conversion, visit: &Visit<'_>) -> Option<Vec<u8>> {
        let (stat, path) = (&visit.stat, visit.path);
        let text = match conversion.letter {
            b'p' => return Some(path.to_vec()),
            b'H' => return Some(visit.start.to_vec()),
            b'P' => {
                let rest = path.strip_prefix(visit.start).unwrap_or_default();
                return Some(rest.strip_prefix(b"/").unwrap_or(rest).to_vec());
            }
            b'f' => {
                let end = without_trailing_slashes(path).len();
                let slash = path.get(..end).and_then(|path| path.iter().rposition(|byte| *byte == b'/'));
                let name = slash.filter(|_| end > 1).map_or(0, |slash| slash + 1);
                return path.get(name..).map(<[u8]>::to_vec);
            }
            b'h' => {
                let slash = path.iter().rposition(|byte| *byte == b'/');
                return Some(
                    slash.map_or_else(|| b".".to_vec(), |slash| path.get(..slash).unwrap_or_default().to_vec()),
                );
            }
            b'l' if stat.file_type == FileType::Symlink => return execution.read_link(path).ok(),
            b'l' => String::new(),
            b'u' => return Some(self.users.name_or_number(stat.uid)),
            b'g' => return Some(self.groups.name_or_number(stat.gid)),
            b'U' => stat.uid.to_string(),
            b'G' => stat.gid.to_string(),
            b'd' => visit.depth.to_string(),
            b'y' => type_letter(stat).to_string(),
            b'Y' => match execution.stat(path) {
                Ok(stat) => type_letter(&stat).to_string(),
                Err(Errno::ELOOP) => "L".to_owned(),
                Err(Errno::ENOENT | Errno::ENOTDIR) => "N".to_owned(),
                Err(_) => "?".to_owned(),
            },
            b's' => stat.size.to_string(),
            b'b' => blocks(stat).to_string(),
            b'k' => blocks(stat).div_ceil(2).to_string(),
            b'm' => format!("{}{:o}", if conversion.is_alternate { "0" } else { "" }, stat.mode.0),
            b'M' => mode_text(stat),
            b'n' => stat.links.to_string(),
            b'i' => stat.inode.to_string(),
            b'D' => (u64::from(stat.device.major) << 8 | u64::from(stat.device.minor)).to_string(),
            _ => return None,
        };
        Some(text.into_bytes())
    }
}

fn type_letter(stat: &Stat) -> char {
    match mode_text(stat).chars().next() {
        Some('-') => 'f',
        Some(letter) => letter,
        None => '?',
    }
}

/// Replaces `{}` in a word.
fn replace(word: &[u8], path: &[u8]) -> Vec<u8> {
    let mut result = Vec::new();
    let mut rest = word;
    while let Some(position) = rest.windows(2).position(|pair| pair == b"{}") {
        let (before, after) = rest.split_at(position);
        result.extend(before);
        result.extend(path);
        rest = after.get(2..).unwrap_or_default();
    }
    [&result[..], rest].concat()
}

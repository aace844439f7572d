//! test(1), as a program and as a builtin of the shell.

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Errno, Fd, FileType, Kernel as _, Stat};
use cofferdam_vfs_sim::Process;

use crate::execution::Execution;

/// How deep expressions may be nested.
const MAX_NESTING: usize = 100;

/// `ST_RDONLY` and `ST_NOEXEC` of statfs(2).
const READ_ONLY: u64 = 1;
const NO_EXECUTION: u64 = 8;

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    NotANumber(Vec<u8>),
    /// A word in the place of an operator.
    NotAnOperator(Vec<u8>),
    /// Nothing after this word.
    Missing(Vec<u8>),
    Unclosed,
    TooMuch(Vec<u8>),
    TooDeep,
}

impl Problem {
    /// What dash says.
    pub(crate) fn of_shell(&self) -> Vec<u8> {
        match self {
            Self::NotANumber(word) => [b"Illegal number: ", &word[..]].concat(),
            Self::NotAnOperator(word) | Self::TooMuch(word) => [&word[..], b": unexpected operator"].concat(),
            Self::Missing(_) => b"argument expected".to_vec(),
            Self::Unclosed => b"closing paren expected".to_vec(),
            Self::TooDeep => b"nested too deeply".to_vec(),
        }
    }

    /// What GNU test says.
    fn of_program(&self) -> Vec<u8> {
        match self {
            Self::NotANumber(word) => [b"invalid integer '", &word[..], b"'"].concat(),
            Self::NotAnOperator(word) => [b"'", &word[..], b"': binary operator expected"].concat(),
            Self::Missing(word) => [b"missing argument after '", &word[..], b"'"].concat(),
            Self::Unclosed => b"')' expected".to_vec(),
            Self::TooMuch(word) => [b"extra argument '", &word[..], b"'"].concat(),
            Self::TooDeep => b"nested too deeply".to_vec(),
        }
    }
}

/// test(1) and `[`
pub(crate) async fn test(execution: &mut Execution) -> i32 {
    let name = execution.name.clone();
    let is_bracket = name.ends_with(b"[");
    let arguments = execution.arguments.get(1..).unwrap_or_default();
    let arguments = match arguments.split_last() {
        Some((last, arguments)) if is_bracket && last == b"]" => arguments.to_vec(),
        _ if is_bracket => {
            execution.complain("missing ']'").await;
            return 2;
        }
        _ => arguments.to_vec(),
    };
    match evaluate(&execution.process, &arguments) {
        Ok(is_true) => i32::from(!is_true),
        Err(problem) => {
            execution.complain(problem.of_program()).await;
            2
        }
    }
}

/// Whether an expression is true. With up to four words, what they mean depends on their number (POSIX, test).
pub(crate) fn evaluate(process: &Process, words: &[Vec<u8>]) -> Result<bool, Problem> {
    let mut parser = Parser { process, words, at: 0, depth: 0 };
    match words {
        [] => Ok(false),
        [word] => Ok(!word.is_empty()),
        [not, word] if not == b"!" => Ok(word.is_empty()),
        [left, operator, right] if is_binary(operator) => parser.binary(left, operator, right),
        [open, word, close] if open == b"(" && close == b")" => Ok(!word.is_empty()),
        [not, rest @ ..] if not == b"!" && rest.len() == 3 => Ok(!evaluate(process, rest)?),
        [open, inner @ .., close] if open == b"(" && close == b")" && inner.len() == 2 => evaluate(process, inner),
        _ => {
            let value = parser.or()?;
            match words.get(parser.at) {
                None => Ok(value),
                Some(word) => Err(Problem::TooMuch(word.clone())),
            }
        }
    }
}

fn is_binary(operator: &[u8]) -> bool {
    const OPERATORS: [&str; 17] =
        ["=", "==", "!=", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef", "-a", "-o", "=~"];
    OPERATORS.iter().any(|known| known.as_bytes() == operator) && operator != b"=~"
}

fn is_unary(operator: &[u8]) -> bool {
    matches!(operator, [b'-', letter] if b"bcdefghknprstuwxzGLOS".contains(letter))
}

struct Parser<'a> {
    process: &'a Process,
    words: &'a [Vec<u8>],
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self, ahead: usize) -> Option<&'a [u8]> {
        self.words.get(self.at + ahead).map(Vec::as_slice)
    }

    fn takes(&mut self, word: &[u8]) -> bool {
        let is_next = self.peek(0) == Some(word);
        self.at += usize::from(is_next);
        is_next
    }

    fn last(&self) -> Vec<u8> {
        self.at.checked_sub(1).and_then(|index| self.words.get(index)).cloned().unwrap_or_default()
    }

    fn or(&mut self) -> Result<bool, Problem> {
        let mut value = self.and()?;
        while self.takes(b"-o") {
            value |= self.and()?;
        }
        Ok(value)
    }

    fn and(&mut self) -> Result<bool, Problem> {
        let mut value = self.not()?;
        while self.takes(b"-a") {
            value &= self.not()?;
        }
        Ok(value)
    }

    fn not(&mut self) -> Result<bool, Problem> {
        let mut is_negated = false;
        while self.peek(0) == Some(b"!") && self.peek(1).is_some() && !self.is_comparison() {
            self.at += 1;
            is_negated = !is_negated;
        }
        Ok(self.primary()? != is_negated)
    }

    /// Whether the next three words compare two.
    fn is_comparison(&self) -> bool {
        self.peek(1).is_some_and(|word| is_binary(word) && !matches!(word, b"-a" | b"-o")) && self.peek(2).is_some()
    }

    fn primary(&mut self) -> Result<bool, Problem> {
        let Some(word) = self.peek(0) else { return Err(Problem::Missing(self.last())) };
        if self.is_comparison() {
            let (operator, right) = (self.peek(1).unwrap_or_default(), self.peek(2).unwrap_or_default());
            self.at += 3;
            return self.binary(word, operator, right);
        }
        self.at += 1;
        if word == b"(" && self.peek(0).is_some() {
            self.depth += 1;
            if self.depth > MAX_NESTING {
                return Err(Problem::TooDeep);
            }
            let value = self.or()?;
            self.depth -= 1;
            return if self.takes(b")") { Ok(value) } else { Err(Problem::Unclosed) };
        }
        if is_unary(word) {
            if let Some(operand) = self.peek(0) {
                self.at += 1;
                return self.unary(word, operand);
            }
            // Alone, it is a word like any other.
            return if self.words.len() > 2 { Err(Problem::Missing(word.to_vec())) } else { Ok(true) };
        }
        match self.peek(0) {
            Some(next) if next != b"-a" && next != b"-o" && next != b")" => {
                // Two words that are no comparison.
                Err(Problem::NotAnOperator(if self.words.len() == 2 { word.to_vec() } else { next.to_vec() }))
            }
            _ => Ok(!word.is_empty()),
        }
    }

    fn binary(&self, left: &[u8], operator: &[u8], right: &[u8]) -> Result<bool, Problem> {
        let compare = |holds: fn(i64, i64) -> bool| Ok(holds(integer(left)?, integer(right)?));
        match operator {
            b"=" | b"==" => Ok(left == right),
            b"!=" => Ok(left != right),
            b"<" => Ok(left < right),
            b">" => Ok(left > right),
            b"-eq" => compare(|left, right| left == right),
            b"-ne" => compare(|left, right| left != right),
            b"-lt" => compare(|left, right| left < right),
            b"-le" => compare(|left, right| left <= right),
            b"-gt" => compare(|left, right| left > right),
            b"-ge" => compare(|left, right| left >= right),
            // Files have no dates here: none is newer than another one that is there.
            b"-nt" => Ok(self.stat(left).is_ok() && self.stat(right).is_err()),
            b"-ot" => Ok(self.stat(left).is_err() && self.stat(right).is_ok()),
            b"-ef" => Ok(match (self.stat(left), self.stat(right)) {
                (Ok(left), Ok(right)) => (left.device, left.inode) == (right.device, right.inode),
                _ => false,
            }),
            b"-a" => Ok(!left.is_empty() && !right.is_empty()),
            b"-o" => Ok(!left.is_empty() || !right.is_empty()),
            other => Err(Problem::NotAnOperator(other.to_vec())),
        }
    }

    fn unary(&self, operator: &[u8], operand: &[u8]) -> Result<bool, Problem> {
        let is_a = |file_type| self.stat(operand).is_ok_and(|stat| stat.file_type == file_type);
        let has_bit = |bit: u32| self.stat(operand).is_ok_and(|stat| stat.mode.0 & bit != 0);
        match operator {
            b"-n" => Ok(!operand.is_empty()),
            b"-z" => Ok(operand.is_empty()),
            b"-e" => Ok(self.stat(operand).is_ok()),
            b"-f" => Ok(is_a(FileType::Regular)),
            b"-d" => Ok(is_a(FileType::Directory)),
            b"-b" => Ok(is_a(FileType::BlockDevice)),
            b"-c" => Ok(is_a(FileType::CharacterDevice)),
            b"-p" => Ok(is_a(FileType::Fifo)),
            b"-S" => Ok(is_a(FileType::Socket)),
            b"-h" | b"-L" => Ok(self.lstat(operand).is_ok_and(|stat| stat.file_type == FileType::Symlink)),
            b"-s" => Ok(self.stat(operand).is_ok_and(|stat| stat.size > 0)),
            b"-u" => Ok(has_bit(0o4000)),
            b"-g" => Ok(has_bit(0o2000)),
            b"-k" => Ok(has_bit(0o1000)),
            b"-O" => Ok(self.stat(operand).is_ok_and(|stat| self.process.geteuid() == Ok(stat.uid))),
            b"-G" => Ok(self.stat(operand).is_ok_and(|stat| stat.gid == self.group())),
            b"-r" => Ok(self.may(operand, 4)),
            b"-w" => Ok(self.may(operand, 2)),
            b"-x" => Ok(self.may(operand, 1)),
            // The console is a pipe.
            b"-t" => integer(operand).map(|_| false),
            other => Err(Problem::NotAnOperator(other.to_vec())),
        }
    }

    fn stat(&self, path: &[u8]) -> Result<Stat, Errno> {
        self.process.statx(Fd::CWD, UnixPath::new(path), AtFlags::empty())
    }

    fn lstat(&self, path: &[u8]) -> Result<Stat, Errno> {
        self.process.statx(Fd::CWD, UnixPath::new(path), AtFlags::AT_SYMLINK_NOFOLLOW)
    }

    fn group(&self) -> u32 {
        let linux = self.process.linux();
        linux.task(self.process.task()).map_or(0, |task| task.groups().1)
    }

    /// access(2), for the effective user.
    fn may(&self, path: &[u8], permission: u32) -> bool {
        let Ok(stat) = self.stat(path) else { return false };
        let flags = self.process.statfs(UnixPath::new(path)).map_or(0, |statfs| statfs.flags);
        let is_file = matches!(stat.file_type, FileType::Regular | FileType::Directory | FileType::Symlink);
        if permission == 2 && is_file && flags & READ_ONLY != 0 {
            return false;
        }
        if permission == 1 && stat.file_type == FileType::Regular && flags & NO_EXECUTION != 0 {
            return false;
        }
        match self.process.geteuid() {
            Ok(0) => permission != 1 || stat.file_type == FileType::Directory || stat.mode.0 & 0o111 != 0,
            Ok(user) if user == stat.uid => stat.mode.0 >> 6 & permission != 0,
            Ok(_) if self.group() == stat.gid => stat.mode.0 >> 3 & permission != 0,
            Ok(_) => stat.mode.0 & permission != 0,
            Err(_) => false,
        }
    }
}

fn integer(word: &[u8]) -> Result<i64, Problem> {
    let text = std::str::from_utf8(word).ok().map(str::trim);
    let text = text.map(|text| text.strip_prefix('+').unwrap_or(text));
    text.and_then(|text| text.parse().ok()).ok_or_else(|| Problem::NotANumber(word.to_vec()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::testing::Trial;

    #[rstest]
    #[case(&["test", "1", "-eq", "x"], 2, "test: invalid integer 'x'\n")]
    #[case(&["[", "a"], 2, "[: missing ']'\n")]
    #[case(&["test", "a", "b", "c"], 2, "test: 'b': binary operator expected\n")]
    #[case(&["test", "a", "=", "b", "c"], 2, "test: extra argument 'c'\n")]
    #[case(&["test", "-d", "/usr"], 0, "")]
    #[case(&["test", "-f", "/usr"], 1, "")]
    #[case(&["test", "-h", "/bin"], 0, "")]
    #[case(&["test", "-x", "/bin/test"], 0, "")]
    #[case(&["test", "/bin", "-ef", "/usr/bin"], 0, "")]
    #[case(&["test", "!", "-d", "/usr"], 1, "")]
    #[case(&["test", "(", "a", "=", "b", ")", "-o", "c", "=", "c"], 0, "")]
    #[case(&["test", "-n"], 0, "")]
    #[case(&["test", "!"], 0, "")]
    #[case(&["test", "-w", "/sys/kernel"], 0, "")]
    fn expressions(#[case] words: &[&str], #[case] status: i32, #[case] error: &str) {
        assert_eq!(Trial::new().run_words(words), (status, String::new(), error.to_owned()));
    }
}

//! The arguments of ps(1): options of Unix with a dash, those of BSD without, and long ones.

use super::columns;
use super::format::Column;
use crate::programs::support::users::Names;

/// What comes after the message about a mistake.
pub(super) const USAGE: &str = "\nUsage:\n ps [options]\n\n Try 'ps --help <simple|list|output|threads|misc|all>'\n  or \
                                'ps --help <s|l|o|t|m|a>'\n for additional help text.\n\nFor more details see ps(1).";

/// Which processes are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    All,
    /// Those that have a terminal (`a`).
    WithTerminal,
    /// Those of the caller (`x`).
    Own,
    Pids(Vec<u32>),
    Parents(Vec<u32>),
    Names(Vec<Vec<u8>>),
    EffectiveUsers(Vec<u32>),
    RealUsers(Vec<u32>),
}

/// What is wrong with the arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    /// procps would know this option.
    NotSimulated(Vec<u8>),
    Usage(Vec<u8>),
}

/// What is to be shown.
#[derive(Clone, Debug)]
pub(super) struct Arguments {
    pub(super) selections: Vec<Selection>,
    pub(super) columns: Vec<Column>,
    pub(super) has_heading: bool,
}

/// How the columns are chosen that are not named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    /// `-f`
    Full,
    /// With an option of BSD.
    Bsd,
    /// `u`
    BsdUser,
}

impl Style {
    fn columns(self) -> &'static [u8] {
        match self {
            Self::Plain => b"pid,tname,time,ucmd",
            Self::Full => b"user,pid,ppid,c,stime,tname,time,cmd",
            Self::Bsd => b"pid,tname,stat,bsdtime,args",
            Self::BsdUser => b"user,pid,%cpu,%mem,vsz,rss,tname,stat,start_time,bsdtime,args",
        }
    }
}

struct Reader<'a> {
    rest: &'a [Vec<u8>],
    users: &'a Names,
    style: Style,
    selections: Vec<Selection>,
    columns: Vec<Column>,
    has_heading: bool,
    /// `a` and `x`: together they mean all.
    has_terminal: bool,
    needs_no_terminal: bool,
}

impl Arguments {
    pub(super) fn parse(words: &[Vec<u8>], users: &Names) -> Result<Self, Mistake> {
        let mut reader = Reader {
            rest: words,
            users,
            style: Style::Plain,
            selections: Vec::new(),
            columns: Vec::new(),
            has_heading: true,
            has_terminal: false,
            needs_no_terminal: false,
        };
        reader.read()?;
        match (reader.has_terminal, reader.needs_no_terminal) {
            (true, true) => reader.selections.push(Selection::All),
            (true, false) => reader.selections.push(Selection::WithTerminal),
            (false, true) => reader.selections.push(Selection::Own),
            (false, false) => {}
        }
        if reader.columns.is_empty() {
            reader.columns = columns(reader.style.columns()).unwrap_or_default();
            if reader.style == Style::Full
                && let Some(user) = reader.columns.first_mut()
            {
                user.set_heading(b"UID");
            }
        }
        Ok(Self { selections: reader.selections, columns: reader.columns, has_heading: reader.has_heading })
    }
}

fn mistake(text: &str) -> Mistake {
    Mistake::Usage(text.as_bytes().to_vec())
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), Mistake> {
        while let Some((word, rest)) = self.rest.split_first() {
            self.rest = rest;
            match &word[..] {
                [b'-', b'-', long @ ..] => self.long(long)?,
                [b'-', letters @ ..] => self.letters(letters, true)?,
                [digit, ..] if digit.is_ascii_digit() => {
                    self.be_bsd();
                    let pids = pids(word)?;
                    self.selections.push(Selection::Pids(pids));
                }
                letters => {
                    self.be_bsd();
                    self.letters(letters, false)?;
                }
            }
        }
        Ok(())
    }

    fn be_bsd(&mut self) {
        if self.style == Style::Plain {
            self.style = Style::Bsd;
        }
    }

    fn long(&mut self, word: &[u8]) -> Result<(), Mistake> {
        let mut parts = word.splitn(2, |byte| *byte == b'=');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next());
        match name {
            b"no-headers" | b"no-heading" | b"no-headings" | b"no-header" | b"noheaders" | b"noheading"
            | b"noheadings" | b"noheader" => {
                self.has_heading = false;
            }
            b"pid" => self.take(b'p', value, "list of process IDs must follow --pid")?,
            b"ppid" => {
                let list = self.argument(value, "list of process IDs must follow --ppid")?;
                self.selections.push(Selection::Parents(pids(&list)?));
            }
            b"user" => self.take(b'u', value, "list of users must follow --user")?,
            b"format" => self.take(b'o', value, "format specification must follow --format")?,
            b"cols" | b"columns" | b"cumulative" | b"deselect" | b"forest" | b"group" | b"Group" | b"headers"
            | b"help" | b"info" | b"lines" | b"quick-pid" | b"rows" | b"sid" | b"sort" | b"tty" | b"User"
            | b"version" | b"width" => return Err(Mistake::NotSimulated([b"--", name].concat())),
            _ => return Err(mistake("unknown gnu long option")),
        }
        Ok(())
    }

    /// The argument of an option: in the same word, or the next one.
    fn argument(&mut self, value: Option<&[u8]>, message: &str) -> Result<Vec<u8>, Mistake> {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            return Ok(value.to_vec());
        }
        let (word, rest) = self.rest.split_first().ok_or_else(|| mistake(message))?;
        self.rest = rest;
        if word.is_empty() { Err(mistake(message)) } else { Ok(word.clone()) }
    }

    fn letters(&mut self, letters: &[u8], has_dash: bool) -> Result<(), Mistake> {
        let mut rest = letters;
        while let Some((letter, after)) = rest.split_first() {
            rest = after;
            match (has_dash, letter) {
                (true, b'A' | b'e') => self.selections.push(Selection::All),
                (true, b'f') => self.style = Style::Full,
                (_, b'w') => {}
                (false, b'a') => self.has_terminal = true,
                (false, b'x') => self.needs_no_terminal = true,
                (false, b'u') => self.style = Style::BsdUser,
                (false, b'h') => self.has_heading = false,
                (true, b'C' | b'U' | b'u') | (_, b'o' | b'p') => {
                    let message = match letter {
                        b'C' => "list of command names must follow -C",
                        b'U' => "list of real users must follow -U",
                        b'u' => "list of users must follow -u",
                        b'o' if has_dash => "format specification must follow -o",
                        b'o' => "format specification must follow o",
                        _ if has_dash => "list of process IDs must follow -p",
                        _ => "list of process IDs must follow p",
                    };
                    return self.take(*letter, Some(after), message);
                }
                _ => {
                    let dash: &[u8] = if has_dash { b"-" } else { b"" };
                    return Err(Mistake::NotSimulated([dash, &[*letter]].concat()));
                }
            }
        }
        Ok(())
    }

    /// An option that takes a list.
    fn take(&mut self, letter: u8, value: Option<&[u8]>, message: &str) -> Result<(), Mistake> {
        let list = self.argument(value, message)?;
        match letter {
            b'C' => self.selections.push(Selection::Names(items(&list).map(<[u8]>::to_vec).collect())),
            b'U' => self.selections.push(Selection::RealUsers(self.numbers_of_users(&list)?)),
            b'u' => self.selections.push(Selection::EffectiveUsers(self.numbers_of_users(&list)?)),
            b'o' => self.columns.extend(columns(&list).map_err(Mistake::Usage)?),
            _ => self.selections.push(Selection::Pids(pids(&list)?)),
        }
        Ok(())
    }

    fn numbers_of_users(&self, list: &[u8]) -> Result<Vec<u32>, Mistake> {
        let number = |name: &[u8]| self.users.number(name).ok_or_else(|| mistake("user name does not exist"));
        items(list).map(number).collect()
    }
}

fn items(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| matches!(byte, b',' | b' ')).filter(|item| !item.is_empty())
}

fn pids(list: &[u8]) -> Result<Vec<u32>, Mistake> {
    let pid = |item: &[u8]| std::str::from_utf8(item).ok().and_then(|text| text.parse().ok());
    items(list).map(|item| pid(item).ok_or_else(|| mistake("process ID list syntax error"))).collect()
}

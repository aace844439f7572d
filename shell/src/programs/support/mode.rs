//! Permissions as chmod(1) takes them and as ls(1) shows them.

use cofferdam::kernel::{FileType, Stat};

/// A change of permissions: octal or symbolic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ModeChange {
    /// `0755`. A directory keeps its set-id bits, unless five digits or more say otherwise.
    Octal { mode: u32, has_all_digits: bool },
    /// `u+x,go=r`.
    Symbolic(Vec<Clause>),
}

/// One change of some permissions of some: `go+rX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clause {
    /// The bits of those whom it is about; `None` for all, as far as the umask lets them.
    who: Option<u32>,
    operator: u8,
    permissions: Permissions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Permissions {
    /// Bits for everyone, and whether `X` is among them.
    Bits { bits: u32, has_conditional_execute: bool },
    /// Those of the owner, the group, or the others, in the lowest three bits after a shift.
    CopyOf(u32),
}

const SET_USER: u32 = 0o4000;
const SET_GROUP: u32 = 0o2000;
const STICKY: u32 = 0o1000;

impl ModeChange {
    /// Reads what the user typed; `None` if it is no mode.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        if text.first().is_some_and(u8::is_ascii_digit) {
            let digits = std::str::from_utf8(text).ok()?;
            let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o7777)?;
            return Some(Self::Octal { mode, has_all_digits: text.len() > 4 });
        }
        let mut clauses = Vec::new();
        for part in text.split(|byte| *byte == b',') {
            parse_clauses(part, &mut clauses)?;
        }
        Some(Self::Symbolic(clauses))
    }

    /// The permissions after the change.
    pub(crate) fn apply(&self, old: u32, is_directory: bool, umask: u32) -> u32 {
        match self {
            Self::Octal { mode, has_all_digits } => {
                let kept = if is_directory && !has_all_digits { old & (SET_USER | SET_GROUP) } else { 0 };
                mode | kept
            }
            Self::Symbolic(clauses) => clauses.iter().fold(old, |mode, clause| clause.apply(mode, is_directory, umask)),
        }
    }

    /// The permissions without a umask, where a change with it says something else: chmod(1) warns of that.
    pub(crate) fn surprises(&self, old: u32, is_directory: bool, umask: u32) -> bool {
        self.apply(old, is_directory, umask) != self.apply(old, is_directory, 0)
    }
}

fn parse_clauses(part: &[u8], clauses: &mut Vec<Clause>) -> Option<()> {
    let who_length = part.iter().take_while(|byte| b"ugoa".contains(byte)).count();
    let (who, mut rest) = part.split_at_checked(who_length)?;
    let who = (!who.is_empty()).then(|| {
        who.iter().fold(0, |bits, letter| {
            bits | match letter {
                b'u' => SET_USER | 0o700,
                b'g' => SET_GROUP | 0o070,
                b'o' => STICKY | 0o007,
                _ => 0o7777,
            }
        })
    });
    if rest.is_empty() {
        return None;
    }
    while let [operator @ (b'+' | b'-' | b'='), after @ ..] = rest {
        let length = after.iter().take_while(|byte| !b"+-=".contains(byte)).count();
        let (letters, next) = after.split_at_checked(length)?;
        clauses.push(Clause { who, operator: *operator, permissions: Permissions::parse(letters)? });
        rest = next;
    }
    rest.is_empty().then_some(())
}

impl Permissions {
    fn parse(letters: &[u8]) -> Option<Self> {
        match letters {
            b"u" => return Some(Self::CopyOf(6)),
            b"g" => return Some(Self::CopyOf(3)),
            b"o" => return Some(Self::CopyOf(0)),
            _ => {}
        }
        let (mut bits, mut has_conditional_execute) = (0, false);
        for letter in letters {
            bits |= match letter {
                b'r' => 0o444,
                b'w' => 0o222,
                b'x' => 0o111,
                b's' => SET_USER | SET_GROUP,
                b't' => STICKY,
                b'X' => {
                    has_conditional_execute = true;
                    0
                }
                _ => return None,
            };
        }
        Some(Self::Bits { bits, has_conditional_execute })
    }

    fn bits(self, old: u32, is_directory: bool) -> u32 {
        match self {
            Self::Bits { bits, has_conditional_execute } => {
                let may_execute = has_conditional_execute && (is_directory || old & 0o111 != 0);
                bits | if may_execute { 0o111 } else { 0 }
            }
            Self::CopyOf(shift) => (old >> shift & 7) * 0o111,
        }
    }
}

impl Clause {
    fn apply(self, old: u32, is_directory: bool, umask: u32) -> u32 {
        let affected = self.who.unwrap_or(0o7777);
        let allowed = if self.who.is_some() { affected } else { affected & !umask };
        let bits = self.permissions.bits(old, is_directory) & allowed;
        // Set-id bits of a directory go only where they are named.
        let kept = if is_directory { (SET_USER | SET_GROUP) & !bits } else { 0 };
        match self.operator {
            b'+' => old | bits,
            b'-' => old & !bits,
            _ => old & !(affected & !kept) | bits,
        }
    }
}

/// The type and the permissions as `ls -l` shows them.
pub(crate) fn mode_text(stat: &Stat) -> String {
    let kind = match stat.file_type {
        FileType::Regular => '-',
        FileType::Directory => 'd',
        FileType::Symlink => 'l',
        FileType::CharacterDevice => 'c',
        FileType::BlockDevice => 'b',
        FileType::Fifo => 'p',
        FileType::Socket => 's',
        FileType::Anonymous => '?',
    };
    format!("{kind}{}", permissions_text(stat.mode.0))
}

/// The permissions as `ls -l` shows them.
pub(crate) fn permissions_text(mode: u32) -> String {
    let mut text = String::new();
    for (shift, special, both, alone) in [(6, SET_USER, 's', 'S'), (3, SET_GROUP, 's', 'S'), (0, STICKY, 't', 'T')] {
        text.push(if mode >> shift & 4 == 0 { '-' } else { 'r' });
        text.push(if mode >> shift & 2 == 0 { '-' } else { 'w' });
        text.push(match (mode >> shift & 1 == 0, mode & special == 0) {
            (false, true) => 'x',
            (true, true) => '-',
            (false, false) => both,
            (true, false) => alone,
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("755", 0o644, false, 0o755)]
    #[case("755", 0o2700, true, 0o2755)]
    #[case("00755", 0o2700, true, 0o755)]
    #[case("u+x", 0o644, false, 0o744)]
    #[case("+x", 0o644, false, 0o755)]
    #[case("+w", 0o444, false, 0o644)]
    #[case("a+w", 0o444, false, 0o666)]
    #[case("go-rwx", 0o755, false, 0o700)]
    #[case("u=rw,go=r", 0o777, false, 0o644)]
    #[case("a=rX", 0o700, false, 0o555)]
    #[case("a=rX", 0o600, false, 0o444)]
    #[case("g=u", 0o740, false, 0o770)]
    #[case("+t", 0o777, true, 0o1777)]
    #[case("u+s,g+s", 0o755, false, 0o6755)]
    #[case("u=rwx", 0o4700, true, 0o4700)]
    #[case("=", 0o777, false, 0)]
    fn changes(#[case] text: &str, #[case] old: u32, #[case] is_directory: bool, #[case] expected: u32) {
        let change = ModeChange::parse(text.as_bytes()).unwrap();
        let new = change.apply(old, is_directory, 0o022);
        assert_eq!(new, expected, "{new:o}");
    }

    #[rstest]
    #[case("zz")]
    #[case("")]
    #[case("u")]
    #[case("888")]
    #[case("17777")]
    #[case("u+q")]
    fn no_modes(#[case] text: &str) {
        assert_eq!(ModeChange::parse(text.as_bytes()), None);
    }
}

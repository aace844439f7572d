//! What is limited: `umask`, `ulimit`, and `times`.

use cofferdam::kernel::{Kernel as _, Mode, Rlimit, RlimitResource};

use super::options;
use crate::interpreter::Shell;
use crate::interpreter::stop::{Executed, Stop};

impl Shell {
    pub(super) async fn umask(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let (given, operands) = options(arguments, b"S")?;
        let current = self.current_umask()?;
        let Some(word) = operands.first() else {
            let text = if given.contains(&b'S') { symbolic(current) } else { format!("{current:04o}\n") };
            self.print(text.as_bytes()).await?;
            return Ok(0);
        };
        let text = String::from_utf8_lossy(word).into_owned();
        let illegal = || Stop::fatal(format!("Illegal number: {text}"));
        let mask = if text.starts_with(|first: char| first.is_ascii_digit()) {
            u32::from_str_radix(&text, 8).ok().filter(|mask| *mask <= 0o777).ok_or_else(illegal)?
        } else {
            !apply(&text, !current & 0o777).ok_or_else(|| Stop::fatal(format!("Illegal mode: {text}")))? & 0o777
        };
        self.process.umask(Mode(mask)).map_err(|errno| Stop::fatal(errno.description()))?;
        Ok(0)
    }

    fn current_umask(&self) -> Result<u32, Stop> {
        let ask = |mask| self.process.umask(Mode(mask)).map_err(|errno| Stop::fatal(errno.description()));
        let current = ask(0)?;
        ask(current.0)?;
        Ok(current.0)
    }

    /// `ulimit`, as far as the simulated kernel limits anything: the number of descriptors and the size of files.
    pub(super) fn ulimit(&self, arguments: &[Vec<u8>]) -> Executed {
        let (given, operands) = options(arguments, b"HSfn")?;
        let (resource, unit) = if given.contains(&b'n') {
            (RlimitResource::RLIMIT_NOFILE, 1)
        } else {
            (RlimitResource::RLIMIT_FSIZE, 512)
        };
        let Some(word) = operands.first() else {
            return Err(Stop::fatal("limits can be set, but not be read, on the simulated machine"));
        };
        let value = match &word[..] {
            b"unlimited" => None,
            digits => Some(u64::try_from(super::number(digits)?).unwrap_or_default().saturating_mul(unit)),
        };
        let limit = Rlimit { soft: value, hard: value };
        let error =
            |errno: cofferdam::kernel::Errno| Stop::fatal(format!("error setting limit: {}", errno.description()));
        self.process.setrlimit(resource, limit).map_err(error)?;
        Ok(0)
    }

    /// `times`: no time passes while something works.
    pub(super) async fn times(&mut self) -> Executed {
        self.print(b"0m0.000000s 0m0.000000s\n0m0.000000s 0m0.000000s\n").await?;
        Ok(0)
    }
}

fn symbolic(mask: u32) -> String {
    let part = |who: char, shift: u32| {
        let allowed = !mask >> shift;
        let letters =
            [(4, 'r'), (2, 'w'), (1, 'x')].iter().filter(|(bit, _)| allowed & bit != 0).map(|(_, letter)| *letter);
        [who, '='].into_iter().chain(letters).collect::<String>()
    };
    format!("{},{},{}\n", part('u', 6), part('g', 3), part('o', 0))
}

/// A symbolic mode, as chmod(1) has it, applied to permissions.
fn apply(text: &str, permissions: u32) -> Option<u32> {
    let mut permissions = permissions;
    for clause in text.split(',') {
        let start = clause.find(['+', '-', '='])?;
        let (who, actions) = clause.split_at(start);
        let who = who.chars().try_fold(0, |mask, letter| {
            Some(
                mask | match letter {
                    'u' => 0o700,
                    'g' => 0o070,
                    'o' => 0o007,
                    'a' => 0o777,
                    _ => return None,
                },
            )
        })?;
        let who = if who == 0 { 0o777 } else { who };
        let (operator, letters) = (actions.get(..1)?, actions.get(1..)?);
        let bits = letters.chars().try_fold(0, |mask, letter| {
            Some(
                mask | match letter {
                    'r' => 0o444,
                    'w' => 0o222,
                    'x' | 'X' => 0o111,
                    's' | 't' => 0,
                    _ => return None,
                },
            )
        })? & who;
        permissions = match operator {
            "+" => permissions | bits,
            "-" => permissions & !bits,
            _ => permissions & !who | bits,
        };
    }
    Some(permissions)
}

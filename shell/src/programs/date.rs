//! date(1): the simulated clock, which starts at the epoch.

use std::time::Duration;

use super::support::options::{not_simulated, take_options, usage};
use super::support::quote::{quoted_always, quoted_as_in_c};
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option};

const OPTIONS: &[Opt] = &[
    option("utc", 'u', "utc", Takes::Nothing),
    option("utc", '\0', "universal", Takes::Nothing),
    not_simulated("!-d", 'd', "date", Takes::Argument),
    not_simulated("!-f", 'f', "file", Takes::Argument),
    not_simulated("!-I", 'I', "iso-8601", Takes::Optional),
    not_simulated("!-R", 'R', "rfc-email", Takes::Nothing),
    not_simulated("!-r", 'r', "reference", Takes::Argument),
    not_simulated("!-s", 's', "set", Takes::Argument),
    not_simulated("!--debug", '\0', "debug", Takes::Nothing),
    not_simulated("!--resolution", '\0', "resolution", Takes::Nothing),
    not_simulated("!--rfc-3339", '\0', "rfc-3339", Takes::Argument),
];

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// date(1)
pub(crate) async fn date(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let format = match &parsed.operands[..] {
        [] => &b"%a %b %e %H:%M:%S %Z %Y"[..],
        [operand] => {
            let Some(format) = operand.strip_prefix(b"+") else {
                execution.report([b"invalid date ", &quoted_always(operand)[..]].concat());
                return 1;
            };
            format
        }
        [_, extra, ..] => return usage(execution, [b"extra operand ", &quoted_as_in_c(extra)[..]].concat(), 1),
    };
    let now = Now::new(execution.machine.clock());
    let mut text = Vec::new();
    let mut rest = format;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let (b'%', Some((letter, after))) = (*byte, rest.split_first()) else {
            text.push(*byte);
            continue;
        };
        rest = after;
        let Some(field) = now.field(*letter) else {
            execution.report(format!("directive '%{}' is not simulated", char::from(*letter)));
            return 1;
        };
        text.extend(field.into_bytes());
    }
    execution.print([&text[..], b"\n"].concat());
    0
}

/// A time, taken apart.
struct Now {
    time: Duration,
    year: u64,
    /// From 0.
    month: usize,
    day: u64,
    /// From 0.
    day_of_year: u64,
    days: u64,
}

impl Now {
    fn new(time: Duration) -> Self {
        let days = time.as_secs() / 86_400;
        let is_leap = |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
        // A cycle of the calendar is 400 years.
        let (mut year, mut rest) = (1970 + days / 146_097 * 400, days % 146_097);
        while rest >= 365 + u64::from(is_leap(year)) {
            rest -= 365 + u64::from(is_leap(year));
            year += 1;
        }
        let day_of_year = rest;
        let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut month = 0;
        for length in lengths {
            if rest < length {
                break;
            }
            rest -= length;
            month += 1;
        }
        Self { time, year, month, day: rest + 1, day_of_year, days }
    }

    /// What a directive stands for.
    fn field(&self, letter: u8) -> Option<String> {
        let seconds = self.time.as_secs();
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        // The epoch was a Thursday.
        let weekday = usize::try_from((self.days + 4) % 7).unwrap_or_default();
        let day_name = DAYS.get(weekday).copied().unwrap_or_default();
        let month_name = MONTHS.get(self.month).copied().unwrap_or_default();
        let (year, month, day) = (self.year, self.month + 1, self.day);
        let half = (hour + 11) % 12 + 1;
        Some(match letter {
            b'%' => "%".to_owned(),
            b'n' => "\n".to_owned(),
            b't' => "\t".to_owned(),
            b's' => seconds.to_string(),
            b'N' => format!("{:09}", self.time.subsec_nanos()),
            b'Y' => year.to_string(),
            b'C' => (year / 100).to_string(),
            b'y' => format!("{:02}", year % 100),
            b'm' => format!("{month:02}"),
            b'd' => format!("{day:02}"),
            b'e' => format!("{day:2}"),
            b'j' => format!("{:03}", self.day_of_year + 1),
            b'H' => format!("{hour:02}"),
            b'k' => format!("{hour:2}"),
            b'I' => format!("{half:02}"),
            b'l' => format!("{half:2}"),
            b'M' => format!("{minute:02}"),
            b'S' => format!("{second:02}"),
            b'p' => if hour < 12 { "AM" } else { "PM" }.to_owned(),
            b'F' => format!("{year}-{month:02}-{day:02}"),
            b'D' | b'x' => format!("{month:02}/{day:02}/{:02}", year % 100),
            b'T' | b'X' => format!("{hour:02}:{minute:02}:{second:02}"),
            b'R' => format!("{hour:02}:{minute:02}"),
            b'a' => day_name.chars().take(3).collect(),
            b'A' => day_name.to_owned(),
            b'b' | b'h' => month_name.chars().take(3).collect(),
            b'B' => month_name.to_owned(),
            b'u' => (if weekday == 0 { 7 } else { weekday }).to_string(),
            b'w' => weekday.to_string(),
            b'Z' => "UTC".to_owned(),
            b'z' => "+0000".to_owned(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::testing::Trial;

    // As `date -u -d @SECONDS '+%F %T %a %b %e %j %u %I %p'` prints it.
    #[rstest]
    #[case(0, "1970-01-01 00:00:00 Thu Jan  1 001 4 12 AM")]
    #[case(951_827_696, "2000-02-29 12:34:56 Tue Feb 29 060 2 12 PM")]
    #[case(4_107_542_399, "2100-02-28 23:59:59 Sun Feb 28 059 7 11 PM")]
    #[case(4_107_542_400, "2100-03-01 00:00:00 Mon Mar  1 060 1 12 AM")]
    #[case(1_735_603_200, "2024-12-31 00:00:00 Tue Dec 31 366 2 12 AM")]
    fn dates(#[case] seconds: u64, #[case] expected: &str) {
        let now = Now::new(Duration::from_secs(seconds));
        let fields: Vec<String> = b"FTabejuIp".iter().filter_map(|letter| now.field(*letter)).collect();
        assert_eq!(fields.join(" "), expected);
    }

    #[test]
    fn time_passes_in_sleep() {
        let trial = Trial::new();
        assert_eq!(trial.run("date").1, "Thu Jan  1 00:00:00 UTC 1970\n");
        trial.quietly("sleep 90");
        assert_eq!(trial.run("date +%s").1, "90\n");
    }
}

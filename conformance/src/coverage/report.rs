//! The report of what occurred and what did not, for people, for the documentation, and for programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use cofferdam::kernel::Errno;

use super::variants::{ARGUMENTS, Argument};
use super::{Coverage, Outcome, Tries};
use crate::errors::reasons::SELDOM;
use crate::errors::{NO_CALL, ROWS, Row};

/// A report of what occurred.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    coverage: &'a Coverage,
}

impl<'a> Report<'a> {
    pub(crate) fn new(coverage: &'a Coverage) -> Self {
        Self { coverage }
    }

    /// What contradicts the tables: what should have occurred, and what should not have.
    pub(crate) fn flaws(&self) -> Vec<String> {
        let missing = ROWS
            .iter()
            .flat_map(|row| self.missing(row).map(|outcome| format!("{} never gave {}", row.call, outcome.name())));
        let strange = self.coverage.calls.iter().flat_map(|(call, outcomes)| {
            let strange = outcomes.keys().filter(|outcome| !may_occur(call, **outcome));
            strange.map(move |outcome| {
                format!("{call} gave {}, of which the table says nothing or that it never does", outcome.name())
            })
        });
        let unused = ARGUMENTS.iter().flat_map(|argument| {
            let unused = argument.accepted.iter().filter(|name| self.tries(argument, name).succeeded == 0);
            unused.map(move |name| format!("{} never succeeded with {name} in {}", argument.call, argument.name))
        });
        let used = ARGUMENTS.iter().flat_map(|argument| {
            let used = argument.never.iter().filter(|(name, _)| self.tries(argument, name).succeeded > 0);
            used.map(move |(name, _)| {
                format!("{} succeeded with {name}, which the table says it never does", argument.call)
            })
        });
        missing.chain(strange).chain(unused).chain(used).collect()
    }

    fn missing(&self, row: &Row) -> impl Iterator<Item = Outcome> {
        expected(row).filter(|outcome| self.coverage.times(row.call, *outcome) == 0)
    }

    /// The pairs of call and outcome that have to occur: how many did, and how many there are.
    fn share(&self) -> (usize, usize) {
        let all = ROWS.iter().flat_map(expected).count();
        let missing = ROWS.iter().map(|row| self.missing(row).count()).sum::<usize>();
        (all - missing, all)
    }

    /// How often a call was made with a flag among others, or with an operation.
    fn tries(&self, argument: &Argument, name: &str) -> Tries {
        let mut tries = Tries::default();
        for (variant, other) in self.variants(argument) {
            if variant.split('|').any(|flag| flag == name) {
                tries += *other;
            }
        }
        tries
    }

    fn variants(&self, argument: &Argument) -> impl Iterator<Item = (&String, &Tries)> {
        self.coverage.variants.get(&format!("{} {}", argument.call, argument.name)).into_iter().flatten()
    }

    /// The report as text, or as Markdown.
    pub(crate) fn text(&self, is_markdown: bool) -> String {
        let (seen, all) = self.share();
        let mut text = format!(
            "{} calls, {} of which succeeded; {seen} of {all} expected outcomes occurred.\n\n",
            self.coverage.total(),
            self.coverage.successes()
        );
        let outcomes = ROWS.iter().map(|row| self.outcomes(row));
        text += &table(is_markdown, ["call", "succeeded", "errors"], outcomes);
        text += &heading(is_markdown, "Seldom produced: no run has to");
        for (reason, outcomes) in seldom() {
            let _ = writeln!(text, "- {reason}: {}.", listed(is_markdown, &outcomes));
        }
        text += &heading(is_markdown, "Never produced");
        for (reason, outcomes) in never() {
            let _ = writeln!(text, "- {reason}: {}.", listed(is_markdown, &outcomes));
        }
        text += &heading(is_markdown, "Flags and operations");
        let arguments = ARGUMENTS.iter().map(|argument| self.argument(argument));
        text += &table(
            is_markdown,
            ["argument", "combinations that succeeded, of those tried", "successes with each"],
            arguments,
        );
        let unused: Vec<_> =
            ARGUMENTS.iter().flat_map(|argument| argument.never.iter().map(move |never| (argument, never))).collect();
        text += &heading(is_markdown, "Flags never made use of");
        for (argument, (name, reason)) in unused {
            let _ = writeln!(text, "- {}: {reason}.", code(is_markdown, &format!("{} {name}", argument.call)));
        }
        text
    }

    fn outcomes(&self, row: &Row) -> [String; 3] {
        let occurred = self.coverage.calls.get(row.call).into_iter().flatten();
        let errors: Vec<_> = occurred
            .filter(|(outcome, _)| **outcome != Outcome::SUCCESS)
            .map(|(outcome, count)| format!("{} {count}", outcome.name()))
            .collect();
        let successes = self.coverage.times(row.call, Outcome::SUCCESS);
        [row.call.to_string(), successes.to_string(), errors.join(", ")]
    }

    fn argument(&self, argument: &Argument) -> [String; 3] {
        let tried = self.variants(argument).count();
        let succeeded = self.variants(argument).filter(|(_, tries)| tries.succeeded > 0).count();
        let each = argument.accepted.iter().map(|name| format!("{name} {}", self.tries(argument, name).succeeded));
        let name = format!("{} {}", argument.call, argument.name.replace('/', "."));
        [name, format!("{succeeded} of {tried}"), each.collect::<Vec<_>>().join(", ")]
    }

    /// The report for programs.
    pub(crate) fn json(&self) -> serde_json::Value {
        let missing: BTreeMap<_, Vec<_>> =
            ROWS.iter().map(|row| (row.call, self.missing(row).map(Outcome::name).collect())).collect();
        let (seen, all) = self.share();
        serde_json::json!({
            "calls": self.coverage.total(),
            "successes": self.coverage.successes(),
            "expected_outcomes": { "all": all, "occurred": seen },
            "outcomes": self.coverage.calls,
            "missing": missing,
            "variants": self.coverage.variants,
            "flaws": self.flaws(),
        })
    }
}

/// What a run has to produce: the errors, and success.
fn expected(row: &Row) -> impl Iterator<Item = Outcome> {
    [Outcome::SUCCESS].into_iter().chain(row.expected().map(Outcome::from))
}

fn may_occur(call: &str, outcome: Outcome) -> bool {
    let may_occur = |row: &Row| {
        expected(row).chain(row.seldom().map(|(_, errno)| errno.into())).any(|possible| possible == outcome)
    };
    ROWS.iter().any(|row| row.call == call && may_occur(row))
}

/// The reasons for which outcomes are seldom, and for each the outcomes.
fn seldom() -> Vec<(&'static str, Vec<String>)> {
    let of_reason = |reason: &'static str| {
        let outcomes = ROWS.iter().filter_map(move |row| {
            let errors: Vec<_> =
                row.seldom().filter(|(other, _)| *other == reason).map(|(_, errno)| name(errno)).collect();
            (!errors.is_empty()).then(|| format!("{} {}", row.call, errors.join(" ")))
        });
        (reason, outcomes.collect())
    };
    SELDOM.iter().map(|reason| of_reason(reason)).collect()
}

/// The reasons in the order of the table, and for each the outcomes that it keeps away.
fn never() -> Vec<(&'static str, Vec<String>)> {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    let mut note = |reason, what| match reasons.iter_mut().find(|(other, _)| *other == reason) {
        Some((_, all)) => all.push(what),
        None => reasons.push((reason, vec![what])),
    };
    for (errno, reason) in NO_CALL {
        note(reason, format!("{} of every call{}", name(*errno), exceptions(*errno)));
    }
    for row in ROWS {
        let by_reason = row.never().fold(BTreeMap::<&str, Vec<String>>::new(), |mut reasons, (reason, errno)| {
            reasons.entry(reason).or_default().push(name(errno));
            reasons
        });
        for (reason, errors) in by_reason {
            note(reason, format!("{} {}", row.call, errors.join(" ")));
        }
    }
    reasons
}

/// The calls that give an error which no other gives.
fn exceptions(errno: Errno) -> String {
    let calls = ROWS.iter().filter(|row| row.expected().any(|expected| expected == errno));
    let calls: BTreeSet<_> = calls.map(|row| row.call).collect();
    if calls.is_empty() { String::new() } else { format!(" but {}", calls.into_iter().collect::<Vec<_>>().join(", ")) }
}

fn name(errno: Errno) -> String {
    Outcome::from(errno).name()
}

fn heading(is_markdown: bool, text: &str) -> String {
    if is_markdown { format!("\n### {text}\n\n") } else { format!("\n{text}:\n\n") }
}

fn code(is_markdown: bool, text: &str) -> String {
    if is_markdown { format!("`{text}`") } else { text.to_string() }
}

fn listed(is_markdown: bool, all: &[String]) -> String {
    all.iter().map(|one| code(is_markdown, one)).collect::<Vec<_>>().join(", ")
}

/// A table whose first column is a name.
fn table(is_markdown: bool, head: [&str; 3], rows: impl Iterator<Item = [String; 3]>) -> String {
    let mut text = String::new();
    let mut line = |row: [&str; 3]| {
        // Writing to a string does not fail.
        let _ = if is_markdown {
            writeln!(text, "| {} |", row.join(" | "))
        } else {
            writeln!(text, "{:<30} {:>12}  {}", row[0], row[1], row[2])
        };
    };
    line(head);
    if is_markdown {
        line(["---", "---:", "---"]);
    }
    for [name, number, rest] in rows {
        line([&code(is_markdown, &name), &number, &rest]);
    }
    text
}

#[cfg(test)]
mod tests {
    use cofferdam::kernel::{Call, Fd, Value};

    use super::*;
    use crate::observation::Observation;
    use crate::sequence::{Action, Looks, Sequence, Step};

    fn counted(results: Vec<Result<Value, Errno>>) -> Coverage {
        let step = Step { task: 0, action: Action::Call(Call::Close { fd: Fd(3) }) };
        let steps = vec![step; results.len()];
        let plan = Sequence { steps, ..Sequence::default() }.plan(Looks::AtTheEnd);
        let observations: Vec<_> = results.into_iter().map(Observation::Returned).collect();
        let mut coverage = Coverage::default();
        coverage.count(&plan, &observations);
        coverage
    }

    fn flaws_of_close(coverage: &Coverage) -> Vec<String> {
        Report::new(coverage).flaws().into_iter().filter(|flaw| flaw.starts_with("close ")).collect()
    }

    #[test]
    fn what_should_have_occurred_is_a_flaw() {
        assert_eq!(flaws_of_close(&counted(vec![Ok(Value::Done)])), ["close never gave EBADF"]);
        assert_eq!(flaws_of_close(&counted(vec![Ok(Value::Done), Err(Errno::EBADF)])), [""; 0]);
    }

    #[test]
    fn what_the_table_does_not_know_is_a_flaw() {
        let flaws = flaws_of_close(&counted(vec![Ok(Value::Done), Err(Errno::EBADF), Err(Errno::EIO)]));
        assert_eq!(flaws.len(), 1);
        assert!(flaws[0].starts_with("close gave EIO"));
    }

    #[test]
    fn a_report_has_the_counts_and_the_reasons() {
        let coverage = counted(vec![Ok(Value::Done), Err(Errno::EBADF), Err(Errno::EBADF)]);
        let text = Report::new(&coverage).text(true);
        assert!(text.contains("| `close` | 1 | EBADF 2 |"), "{text}");
        assert!(text.contains("- there are no bad addresses"), "{text}");
        assert_eq!(coverage.total(), 3);
    }

    #[test]
    fn counts_survive_json_and_add_up() {
        let coverage = counted(vec![Ok(Value::Done), Err(Errno::from_raw(4095))]);
        let json = serde_json::to_string(&coverage).unwrap();
        let mut sum: Coverage = serde_json::from_str(&json).unwrap();
        sum.add(&coverage);
        assert_eq!(sum.total(), 4);
        assert_eq!(sum.times("close", Errno::from_raw(4095).into()), 2);
    }
}

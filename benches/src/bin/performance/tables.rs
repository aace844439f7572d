//! The results as tables in Markdown.

use std::fmt::Write as _;

use crate::measure::added;
use crate::results::{Results, Row, Summary, rows_of};

/// What launches containers, in the order of tables and plots.
pub const LAUNCHES: [&str; 6] = ["run", "bwrap", "runc", "unshare", "launch", "replay"];

/// What an agent does, and what it is compared with.
pub const OPERATIONS: [&str; 4] = ["update", "cleanup", "recover", "pass"];

/// A row of the table of ratios.
struct Ratio {
    what: &'static str,
    reach: f64,
    ours: Option<Summary>,
    theirs: Option<Summary>,
}

/// All tables.
pub fn markdown(results: &Results) -> String {
    let mut text = String::new();
    let machine = &results.machine;
    let _ = writeln!(
        text,
        "Linux {}, {} x {}; mounts of the hosts are {}.\n",
        machine.kernel, machine.processors, machine.processor, machine.propagation
    );
    for skipped in &results.skipped {
        let _ = writeln!(text, "skipped: {}: {}\n", name(&skipped.name), skipped.reason);
    }
    ratios(&mut text, &launch_ratios(&results.launches));
    by_mounts(&mut text, &results.launches, &LAUNCHES);
    ratios(&mut text, &agent_ratios(&results.agent));
    by_mounts(&mut text, &results.agent, &OPERATIONS);
    volumes(&mut text, &results.agent);
    memory(&mut text, results);
    text
}

/// What a contender is called in tables and plots.
pub fn name(what: &str) -> &str {
    match what {
        "run" => "`cofferdam run`",
        "bwrap" => "`bwrap`",
        "runc" => "`runc run`",
        "unshare" => "`unshare --root`",
        "launch" => "launch",
        "replay" => "the same calls from C",
        "update" => "update, one volume more",
        "cleanup" => "cleanup",
        "recover" => "recover",
        "pass" => "one pass over the mount table",
        other => other,
    }
}

fn least(rows: &[Row], what: &str) -> Option<Summary> {
    rows_of(rows, what).first().map(|row| row.summary)
}

fn most(rows: &[Row], what: &str) -> Option<Summary> {
    let rows = rows_of(rows, what);
    rows.last().filter(|_| rows.len() > 1).map(|row| row.summary)
}

fn launch_ratios(rows: &[Row]) -> Vec<Ratio> {
    let least = |what| least(rows, what);
    let growth = |name, what, reach| Ratio { what: name, reach, ours: most(rows, what), theirs: least(what) };
    vec![
        Ratio { what: "`cofferdam run` : `bwrap`", reach: 0.8, ours: least("run"), theirs: least("bwrap") },
        Ratio { what: "`cofferdam run` : `runc run`", reach: 0.1, ours: least("run"), theirs: least("runc") },
        Ratio { what: "launch : the same calls from C", reach: 1.2, ours: least("launch"), theirs: least("replay") },
        growth("`cofferdam run`, most mounts : fewest", "run", 1.3),
        growth("launch, most mounts : fewest", "launch", 1.3),
        growth("the same calls from C, most mounts : fewest", "replay", f64::NAN),
        growth("`bwrap`, most mounts : fewest", "bwrap", f64::NAN),
        growth("`runc run`, most mounts : fewest", "runc", f64::NAN),
        growth("`unshare --root`, most mounts : fewest", "unshare", f64::NAN),
    ]
}

fn agent_ratios(rows: &[Row]) -> Vec<Ratio> {
    let growth = |name, what| Ratio { what: name, reach: 1.5, ours: most(rows, what), theirs: least(rows, what) };
    vec![
        growth("update, most mounts and containers : fewest", "update"),
        growth("cleanup, most mounts and containers : fewest", "cleanup"),
        Ratio {
            what: "recover : one pass over the mount table",
            reach: 2.0,
            ours: most(rows, "recover"),
            theirs: most(rows, "pass"),
        },
    ]
}

fn ratios(text: &mut String, ratios: &[Ratio]) {
    let measured: Vec<_> = ratios.iter().filter_map(|ratio| Some((ratio, ratio.ours?, ratio.theirs?))).collect();
    if measured.is_empty() {
        return;
    }
    text.push_str("| what | median | is compared with | ratio of medians | of minima | to reach |\n");
    text.push_str("| --- | ---: | ---: | ---: | ---: | ---: |\n");
    for (ratio, ours, theirs) in measured {
        let reach = if ratio.reach.is_nan() { String::new() } else { format!("{}", ratio.reach) };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.2} | {:.2} | {reach} |",
            ratio.what,
            time(ours.median),
            time(theirs.median),
            quotient(ours.median, theirs.median),
            quotient(ours.minimum, theirs.minimum)
        );
    }
    text.push('\n');
}

/// A line for each thing, a column for each number of mounts: medians, with minima.
fn by_mounts(text: &mut String, rows: &[Row], order: &[&str]) {
    let lines: Vec<_> =
        order.iter().map(|what| (*what, rows_of(rows, what))).filter(|line| !line.1.is_empty()).collect();
    let Some((_, first)) = lines.first() else { return };
    text.push_str("| median (minimum) with so many mounts |");
    for row in first {
        let _ = write!(text, " {} |", thousands(row.mounts));
    }
    text.push_str("\n| --- |");
    text.push_str(&" ---: |".repeat(first.len()));
    text.push('\n');
    for (what, rows) in &lines {
        let _ = write!(text, "| {} |", name(what));
        for row in rows {
            let _ = write!(text, " {} ({}) |", time(row.summary.median), time(row.summary.minimum));
        }
        text.push('\n');
    }
    text.push('\n');
}

/// Whether an update is linear in the number of volumes.
fn volumes(text: &mut String, rows: &[Row]) {
    let lines: Vec<_> =
        crate::measure::ADDED.iter().filter_map(|count| Some((*count, least(rows, &added(*count))?))).collect();
    let Some((few, base)) = lines.first().copied() else { return };
    text.push_str("| volumes that one update adds | median | per volume | times that of the fewest | to reach |\n");
    text.push_str("| ---: | ---: | ---: | ---: | ---: |\n");
    for (count, summary) in lines {
        let [each, base] =
            [(summary, count), (base, few)].map(|(summary, count)| float(summary.median) / number(count));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.2} | 1.2 |",
            thousands(count),
            time(summary.median),
            nanoseconds(each),
            each / base
        );
    }
    text.push('\n');
}

fn memory(text: &mut String, results: &Results) {
    let Some(agent) = results.memory else { return };
    let (before, after) = (agent.memory.before, agent.memory.after);
    let _ = writeln!(
        text,
        "An agent's resident memory: {} KiB at first, {} KiB with {} containers and {} volumes.\n",
        before,
        after,
        thousands(agent.containers),
        thousands(agent.volumes)
    );
}

#[allow(clippy::cast_precision_loss, reason = "durations and counts are far below 2^52")]
pub fn float(number: u64) -> f64 {
    number as f64
}

pub fn number(number: usize) -> f64 {
    float(u64::try_from(number).unwrap_or(u64::MAX))
}

fn quotient(ours: u64, theirs: u64) -> f64 {
    float(ours) / float(theirs)
}

fn time(time: u64) -> String {
    nanoseconds(float(time))
}

/// A duration with three digits.
pub fn nanoseconds(time: f64) -> String {
    let (value, unit) = match time {
        _ if time < 1e3 => (time, "ns"),
        _ if time < 1e6 => (time / 1e3, "µs"),
        _ if time < 1e9 => (time / 1e6, "ms"),
        _ => (time / 1e9, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

/// A number with commas.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

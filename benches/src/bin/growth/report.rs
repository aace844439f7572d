//! The table: how each call's cost grows, next to the real kernel.

use std::fmt;

use serde::Serialize;

use crate::measure::{Cost, Costs};
use crate::scene::Dimension;

/// How much worse than the real kernel's growth may look by chance.
const NOISE: f64 = 1.2;
/// Growth below this is none.
const CONSTANT: f64 = 2.0;

/// A call among more and more of something.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The call.
    pub call: &'static str,
    /// What there is more and more of.
    pub dimension: Dimension,
    /// What it cost on the simulated kernel.
    pub simulated: Costs,
    /// What it cost on the real kernel; nothing if that was left out.
    pub real: Costs,
}

/// What the comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The cost on the simulated kernel does not grow.
    Constant,
    /// From the smallest to the largest size it grows no more than on the real kernel.
    NoWorse,
    /// It does so over the last step: from the second largest size on, where what a call costs in any case does not count.
    NoWorseAtLast,
    /// It grows more.
    Worse,
    /// There is nothing to compare it with.
    Unknown,
}

impl Row {
    /// The costs at the sizes that both kernels reached.
    fn common(&self) -> Vec<(Cost, Cost)> {
        let real = |cost: &Cost| self.real.iter().find(|real| real.size == cost.size);
        self.simulated.iter().filter_map(|cost| Some((*cost, *real(cost)?))).collect()
    }

    /// What the comparison says.
    pub fn verdict(&self) -> Verdict {
        if self.simulated.len() > 1 && growth(self.simulated.first(), self.simulated.last()) < CONSTANT {
            return Verdict::Constant;
        }
        let common = self.common();
        let [first, .., before, last] = common.as_slice() else { return Verdict::Unknown };
        let is_no_worse =
            |from: &(Cost, Cost)| growth(Some(&from.0), Some(&last.0)) <= NOISE * growth(Some(&from.1), Some(&last.1));
        if is_no_worse(first) {
            Verdict::NoWorse
        } else if is_no_worse(before) {
            Verdict::NoWorseAtLast
        } else {
            Verdict::Worse
        }
    }
}

fn growth(from: Option<&Cost>, to: Option<&Cost>) -> f64 {
    match (from, to) {
        (Some(from), Some(to)) if from.median_ns > 0 => ratio(to.median_ns, from.median_ns),
        _ => f64::NAN,
    }
}

#[allow(clippy::cast_precision_loss, reason = "two digits are shown")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// The heading of the table.
pub const HEADING: &str = "\
| call | among | simulated, fewest | simulated, most | real, fewest | real, most | growth simulated | growth real | last step simulated | last step real | |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = match (self.simulated.first(), self.simulated.last()) {
            (Some(first), Some(last)) => format!("{} - {} {}", first.size, last.size, self.dimension.name()),
            _ => self.dimension.name().to_owned(),
        };
        let ends = |costs: &Costs| format!("{} | {}", Time(costs.first()), Time(costs.last()));
        write!(f, "| {} | {sizes} | {} | {}", self.call, ends(&self.simulated), ends(&self.real))?;
        for costs in [&self.simulated, &self.real] {
            write!(f, " | {}", Factor(growth(costs.first(), costs.last())))?;
        }
        for costs in [&self.simulated, &self.real] {
            write!(f, " | {}", Factor(growth(costs.iter().rev().nth(1), costs.last())))?;
        }
        let verdict = match self.verdict() {
            Verdict::Constant => "constant",
            Verdict::NoWorse => "no worse",
            Verdict::NoWorseAtLast => "no worse at last",
            Verdict::Worse => "**worse**",
            Verdict::Unknown => "",
        };
        write!(f, " | {verdict} |")
    }
}

/// A time with a unit that fits.
struct Time<'a>(Option<&'a Cost>);

impl fmt::Display for Time<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(cost) = self.0 else { return f.write_str("-") };
        match cost.median_ns {
            time @ 0..1_000 => write!(f, "{time} ns"),
            time @ 1_000..1_000_000 => write!(f, "{:.*} µs", digits(time, 1_000), ratio(time, 1_000)),
            time => write!(f, "{:.*} ms", digits(time, 1_000_000), ratio(time, 1_000_000)),
        }
    }
}

/// How many digits behind the point make three in all.
fn digits(time: u64, unit: u64) -> usize {
    match time / unit {
        0..10 => 2,
        10..100 => 1,
        _ => 0,
    }
}

struct Factor(f64);

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            factor if factor.is_nan() => f.write_str("-"),
            factor if factor < 100.0 => write!(f, "{factor:.1}"),
            factor => write!(f, "{factor:.0}"),
        }
    }
}

//! sleep(1) of simulated time.

use std::time::Duration;

use super::support::options::{take_options, usage};
use super::support::quote::quoted_as_in_c;
use crate::execution::Execution;
use crate::getopt::Order;

/// sleep(1)
pub(crate) async fn sleep(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, &[], Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if parsed.operands.is_empty() {
        return usage(execution, "missing operand", 1);
    }
    let mut time = Duration::ZERO;
    let mut has_mistake = false;
    for operand in &parsed.operands {
        if let Some(more) = duration(operand) {
            time = time.saturating_add(more);
        } else {
            execution.report([b"invalid time interval ", &quoted_as_in_c(operand)[..]].concat());
            has_mistake = true;
        }
    }
    if has_mistake {
        let help = execution.help_hint();
        execution.report_line(help);
        return 1;
    }
    execution.sleep(time).await;
    0
}

/// A number with one of the letters s, m, h, d; for ever is a long time.
pub(super) fn duration(text: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(text).ok()?;
    let (number, unit) = match text.chars().last()? {
        's' => (text.strip_suffix('s')?, 1.0),
        'm' => (text.strip_suffix('m')?, 60.0),
        'h' => (text.strip_suffix('h')?, 3600.0),
        'd' => (text.strip_suffix('d')?, 86400.0),
        _ => (text, 1.0),
    };
    let seconds: f64 = number.parse().ok()?;
    if seconds.is_nan() || seconds < 0.0 {
        return None;
    }
    Some(Duration::try_from_secs_f64(seconds * unit).unwrap_or(Duration::MAX))
}

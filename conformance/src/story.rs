//! What the explorer has found, saved and told call by call.

use std::path::Path;

use cofferdam_explorer::explore::Exploration;
use cofferdam_explorer::invariants::Violation;
use cofferdam_explorer::scenarios;
use cofferdam_explorer::variant::Variant;
use serde::{Deserialize, Serialize};

use crate::explore::ExplorationError;

/// A variant of a scenario in which an invariant did not hold.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Found {
    scenario: String,
    variant: Variant,
    /// What was found.
    violation: String,
}

impl Found {
    pub(crate) fn new(scenario: &str, variant: &Variant, violation: &Violation) -> Self {
        Self { scenario: scenario.into(), variant: variant.clone(), violation: violation.to_string() }
    }

    pub(crate) fn save(&self, path: &Path) -> Result<(), ExplorationError> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| ExplorationError::Format { path: path.into(), error })?;
        std::fs::write(path, text + "\n").map_err(|error| ExplorationError::File { path: path.into(), error })
    }

    /// Tries it again, and tells what happens; true if every invariant holds.
    pub(crate) fn replay(&self) -> Result<bool, ExplorationError> {
        let scenario = scenarios::all()?.into_iter().find(|scenario| scenario.name == self.scenario);
        let scenario = scenario.ok_or_else(|| ExplorationError::NoSuchScenario(self.scenario.clone()))?;
        let failed = |error| ExplorationError::Explore { name: scenario.name.clone(), error };
        Ok(print(&Exploration::new(&scenario).map_err(failed)?, &self.variant))
    }
}

/// Prints what happens in a variant; true if every invariant holds.
fn print(exploration: &Exploration<'_>, variant: &Variant) -> bool {
    println!("  {variant}");
    let story = match exploration.tell(variant) {
        Err(violation) => {
            println!("  {violation}");
            return false;
        }
        Ok(story) => story,
    };
    for (number, title) in story.titles.iter().enumerate() {
        println!("  {number}. {title}");
    }
    print_calls(&story.lines);
    if let Some(error) = &story.error {
        println!("  It says: {error}");
    }
    if let Some(lines) = &story.recovery {
        println!("  An agent starts again and recovers, until it dies:");
        print_calls(lines);
    }
    println!("  An agent starts again, recovers, twice, and cleans everything up:");
    print_calls(&story.restart);
    match &story.result {
        Ok(()) => println!("  every invariant holds"),
        Err(violation) => println!("  {violation}"),
    }
    story.result.is_ok()
}

fn print_calls(lines: &[String]) {
    for (number, line) in lines.iter().enumerate() {
        println!("     {number:4}  {line}");
    }
}

//! What JavaScript calls. Values go across as JSON.

use wasm_bindgen::prelude::{JsError, wasm_bindgen};

use crate::command::{Command, Input};
use crate::history::History;
use crate::moment::Moment;

#[wasm_bindgen]
extern "C" {
    /// Of the worker: a panic is about to end it.
    fn report_panic(message: &str);
}

/// Lets panics be told to the page; once, before anything else.
#[wasm_bindgen(start)]
pub fn begin() {
    std::panic::set_hook(Box::new(|panic| report_panic(&panic.to_string())));
}

/// A session.
#[wasm_bindgen]
pub struct Machine {
    history: History,
}

#[wasm_bindgen]
impl Machine {
    /// A session on the sample host.
    ///
    /// # Errors
    ///
    /// See [`History`], as for all that follow.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Result<Self, JsError> {
        Ok(Self { history: History::new()? })
    }

    /// Goes on with a saved session instead. Gives all its moments.
    pub fn restore(&mut self, saved: &str) -> Result<String, JsError> {
        let (history, moments) = History::restore(saved)?;
        self.history = history;
        Ok(serde_json::to_string(&moments)?)
    }

    /// Does a command, a [`Command`].
    pub fn execute(&mut self, command: &str) -> Result<String, JsError> {
        let command: Command = serde_json::from_str(command)?;
        json(&self.history.execute(command)?)
    }

    /// Types an [`Input`].
    pub fn input(&mut self, input: &str) -> Result<String, JsError> {
        let input: Input = serde_json::from_str(input)?;
        json(&self.history.input(input)?)
    }

    /// Makes an earlier moment the present.
    pub fn go_back(&mut self, number: usize) -> Result<(), JsError> {
        Ok(self.history.go_back(number)?)
    }

    /// Completes a line.
    pub fn complete(&self, line: &str) -> Result<String, JsError> {
        Ok(serde_json::to_string(&self.history.complete(line))?)
    }

    /// Whether a command goes on in the next line.
    pub fn is_incomplete(text: &str) -> bool {
        History::is_incomplete(text)
    }
}

fn json(moment: &Moment) -> Result<String, JsError> {
    Ok(serde_json::to_string(moment)?)
}

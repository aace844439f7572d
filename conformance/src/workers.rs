//! The workers that a `conform` has started, and what they say.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::worker::{Event, Job};

/// Workers can't be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkersError {
    /// The system does not start them.
    #[error("cannot start a worker: {0}")]
    Start(#[from] std::io::Error),
    /// A job can't be written down.
    #[error("cannot write a job: {0}")]
    Job(#[from] serde_json::Error),
}

/// Workers at work. When this goes, they go.
#[derive(Debug)]
pub(crate) struct Workers {
    children: Vec<Child>,
    events: Receiver<Event>,
}

impl Workers {
    /// Starts a worker for each job.
    pub(crate) fn start(jobs: &[Job]) -> Result<Self, WorkersError> {
        let (sender, events) = channel();
        let mut workers = Self { children: Vec::new(), events };
        for job in jobs {
            workers.add(job, sender.clone())?;
        }
        Ok(workers)
    }

    fn add(&mut self, job: &Job, sender: Sender<Event>) -> Result<(), WorkersError> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("worker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        self.children.push(child);
        let mut line = serde_json::to_vec(job)?;
        line.push(b'\n');
        if let Some(mut input) = input {
            input.write_all(&line)?;
        }
        if let Some(output) = output {
            std::thread::spawn(move || pass_on(BufReader::new(output), &sender));
        }
        Ok(())
    }

    /// The events, until all workers are done.
    pub(crate) fn events(&self) -> impl Iterator<Item = Event> {
        self.events.iter()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Hands on what a worker says. One that ends without a word has failed.
fn pass_on(output: impl BufRead, sender: &Sender<Event>) {
    let mut is_done = false;
    for line in output.lines() {
        let event = line.map_err(|error| error.to_string()).and_then(|line| {
            serde_json::from_str(&line).map_err(|error| format!("a worker said something else: {error}"))
        });
        let event = event.unwrap_or_else(Event::Failed);
        is_done |= matches!(event, Event::Done | Event::Failed(_));
        // Nobody may be listening any more.
        let _ = sender.send(event);
    }
    if !is_done {
        let _ = sender.send(Event::Failed("a worker ended without a word".into()));
    }
}

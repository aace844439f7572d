//! Runs a container on the simulated host, again and again, until nothing new is asked about the host.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use cofferdam::checkpoint;
use cofferdam::kernel::{Bytes, Errno};
use cofferdam::messages::ContainerLaunchInfo;
use cofferdam::mountinfo::Table;
use cofferdam::{UnixPath, UnixPathBuf};
use cofferdam_shell::{Console, Input, Stream};
use cofferdam_vfs_sim::{FailedCall, FileKind, Linux, Place, Process, Question};
use cofferdam_view::difference::Difference;

use super::knowledge::{self, Answer, Knowledge};
use super::life::{live, renew_launch_namespace};
use super::wanted::Wanted;
use crate::agent::Agent;
use crate::mounts::tables::Text;
use crate::progress::Progress;
use crate::run::Failure;
use crate::simulated::{Begun, Session};

/// More than any container asks: each time at least one more file is known.
const ATTEMPTS: usize = 10_000;

/// The plan can't be made.
#[derive(Debug, thiserror::Error)]
enum PlanError {
    #[error("cannot load the mount table {path}: {error}")]
    Load { path: String, error: cofferdam_vfs_sim::LoadError },
    #[error("the files that the container asks for do not come to an end: is something else changing them?")]
    NoEnd,
}

/// What happens to the host, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its mounts are the same all the time.
    NoChange,
    Changes,
    WouldFail,
}

/// What would happen.
pub(super) struct Prediction {
    /// The host's mount table.
    pub(super) before: Vec<u8>,
    /// The same, while the container's program runs; none if it never does.
    pub(super) meanwhile: Option<Vec<u8>>,
    /// The same, once the container is gone.
    pub(super) after: Vec<u8>,
    /// The program at its beginning.
    pub(super) begun: Option<Begun>,
    /// What its launcher was told.
    pub(super) launch_info: Option<ContainerLaunchInfo>,
    /// Why it would fail, as the real run would tell.
    pub(super) error: Option<String>,
    /// What could not be looked at.
    pub(super) unseen: Vec<(UnixPathBuf, Errno)>,
    /// The system calls that failed, and why, in the order in which they were made.
    pub(super) failed_calls: Vec<FailedCall>,
}

impl Prediction {
    pub(super) fn outcome(&self) -> Result<Outcome, Failure> {
        if self.error.is_some() {
            return Ok(Outcome::WouldFail);
        }
        let before = Table::parse(&self.before)?;
        for text in self.meanwhile.iter().chain([&self.after]) {
            if !Difference::between(&before, &Table::parse(text)?).is_none() {
                return Ok(Outcome::Changes);
            }
        }
        Ok(Outcome::NoChange)
    }
}

/// What happens if it happens on the host of this table.
pub(super) fn predict(
    text: &Text,
    knowledge: &dyn Knowledge,
    wanted: &Wanted,
    agent: &Agent,
) -> Result<Prediction, Failure> {
    let loaded = Linux::from_mountinfo_with_files(&text.bytes, |id| knowledge.is_file(id));
    let mut linux = loaded.map_err(|error| PlanError::Load { path: text.path.clone(), error })?;
    linux.note_questions();
    linux.note_failures(true);
    if let Some(names) = knowledge.names_in_proc() {
        linux.omit_in_proc(Linux::names_in_proc().filter(|name| !names.contains_key(*name)));
        for (name, is_directory) in &names {
            linux.add_in_proc(name, *is_directory);
        }
    }
    let progress = Progress::counting("files looked at");
    let mut known = BTreeSet::new();
    // What is in a directory is looked at before the directory itself may turn out not to be there.
    for place in linux.assumed_files().into_iter().rev() {
        tell(&mut linux, knowledge, &place);
        known.insert(Question::Name(place));
        progress.advance();
    }
    for _ in 0..ATTEMPTS {
        let attempt = attempt(linux.clone(), knowledge, wanted, agent)?;
        let asked: Vec<_> = attempt.linux.questions().filter(|question| !known.contains(question)).cloned().collect();
        if asked.is_empty() {
            return Ok(Prediction { unseen: knowledge.unseen(), ..attempt.prediction });
        }
        for question in asked {
            answer(&mut linux, knowledge, &mut known, &question);
            known.insert(question);
            progress.advance();
        }
    }
    Err(PlanError::NoEnd.into())
}

fn answer(linux: &mut Linux, knowledge: &dyn Knowledge, known: &mut BTreeSet<Question>, question: &Question) {
    let directory = match question {
        Question::Name(place) => return tell(linux, knowledge, place),
        Question::InProc(path) => return tell_of_proc(linux, knowledge, path),
        Question::Listing(directory) => directory,
    };
    let Some(known_place) = place_of(linux, directory) else { return };
    for Bytes(name) in knowledge.list(&known_place) {
        let slash: &[u8] = if directory.path.0 == b"/" { b"" } else { b"/" };
        let path = Bytes([&directory.path.0[..], slash, &name].concat());
        let place = Place { filesystem: directory.filesystem, path };
        if known.insert(Question::Name(place.clone())) {
            tell(linux, knowledge, &place);
        }
    }
}

/// A place as it is known outside of the simulated kernel.
fn place_of(linux: &Linux, place: &Place) -> Option<knowledge::Place> {
    Some(knowledge::Place { device: linux.device_of(place)?, path: place.path.as_path().to_path_buf() })
}

fn tell(linux: &mut Linux, knowledge: &dyn Knowledge, place: &Place) {
    let Some(known_place) = place_of(linux, place) else { return };
    // What is below something that is not there, or no directory, is nowhere.
    let _ = match knowledge.look(&known_place) {
        Answer::File(file) => linux.tell(place, Some(&file)),
        Answer::Nothing => linux.tell(place, None),
        Answer::Unknown => Ok(()),
    };
}

fn tell_of_proc(linux: &mut Linux, knowledge: &dyn Knowledge, path: &str) {
    match knowledge.look_in_proc(UnixPath::new(path)) {
        Answer::File(file) => linux.add_in_proc(path, file.kind == FileKind::Directory),
        Answer::Nothing => linux.omit_in_proc([path]),
        Answer::Unknown => {}
    }
}

/// What has happened, and the machine on which it has.
struct Attempt {
    prediction: Prediction,
    linux: Linux,
}

fn attempt(linux: Linux, knowledge: &dyn Knowledge, wanted: &Wanted, agent: &Agent) -> Result<Attempt, Failure> {
    let output = Output::default();
    let console = Box::new(output.clone());
    let session = Session::start(linux, console, knowledge.users(), knowledge.executable())?;
    let renewed = renew_launch_namespace(&session, agent);
    let before = session.mountinfo();
    let directory = knowledge.working_directory();
    let result = renewed.and_then(|()| live(&session, directory.as_path(), wanted, agent));
    let begun = session.begun();
    let layout = &agent.config.layout;
    let launch_info = begun.as_ref().and_then(|begun| {
        let host = Process::init(begun.linux.clone());
        let text = checkpoint::read(&host, &layout.container_launching(wanted.id())).ok()?;
        serde_json::from_slice(&text).ok()
    });
    // The host's first process has only waited for the others.
    session.init().linux().take_failures(session.init().task());
    let mut told = output.errors();
    let error = match result {
        Err(failure) => {
            told.push_str(&failure.to_string());
            Some(told)
        }
        Ok(_) if begun.is_none() => Some(told),
        Ok(_) => None,
    };
    let prediction = Prediction {
        before,
        meanwhile: begun.as_ref().and_then(|begun| begun.linux.mountinfo_table(begun.linux.init())),
        after: session.mountinfo(),
        begun,
        launch_info,
        error: error.map(|error| error.trim_end().to_owned()),
        unseen: Vec::new(),
        failed_calls: session.init().linux().failures().cloned().collect(),
    };
    let linux = session.init().linux().clone();
    Ok(Attempt { prediction, linux })
}

/// What processes have written to standard error.
#[derive(Clone, Default)]
struct Output(Rc<RefCell<Vec<u8>>>);

impl Output {
    /// Without the name in front of each line.
    fn errors(&self) -> String {
        let text = String::from_utf8_lossy(&self.0.borrow()).into_owned();
        let lines = text.lines().map(|line| line.strip_prefix("cofferdam: ").unwrap_or(line));
        lines.flat_map(|line| [line, "\n"]).collect()
    }
}

impl Console for Output {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if stream == Stream::Error {
            self.0.borrow_mut().extend_from_slice(bytes);
        }
    }

    fn read(&mut self) -> Input {
        Input::End
    }
}

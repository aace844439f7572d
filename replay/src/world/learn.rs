//! What was on the traced machine, as the log proves it, call by call.
//!
//! The machine begins with the directories on the way to its mounts, and nothing else. Where a call needs more to give what it
//! has given, that is supplied right then: the first thing on its way that is missing, and the next one, each in the filesystem
//! in which the walk stopped, below whatever is mounted there. It makes no difference that it was not there from the beginning:
//! a call that had looked there before would have proved it, or that it was not there.
//!
//! What a thing is may have been guessed, and be known better later: something that was opened turns out to be a directory, and
//! a directory a symbolic link. Then the fact is corrected, and all is replayed again from the start. A fact is corrected a few
//! times at most, so that this comes to an end.

use cofferdam::kernel::{Bytes, Call, DeviceNumber, Errno, Fd, FileType, Mode, OpenFlags, Prctl, Value};
use cofferdam_vfs_sim::{File, FileKind, Id, Location, Place, Task};

use super::World;
use super::facts::{Fact, directory, file, program, regular};
use super::wanted::{Wanted, What, wanted_by};
use crate::decode::Given;

/// How many names a path can have, links included.
const MOST_NAMES: usize = 4096;

/// What came of an attempt to learn from a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learned {
    /// Nothing.
    Nothing,
    /// Something is there now that was not.
    Supplied,
    /// A fact is different from what was supplied.
    Corrected,
    /// It is about a file that the kernel has, and the simulated one has not.
    NotSimulated,
}

impl World {
    /// Learns from a call that gave something else on the traced machine. What the call did here is undone already.
    pub(crate) fn learn(
        &mut self,
        task: Id<Task>,
        call: &Call,
        recorded: &Result<Given, Errno>,
        simulated: &Result<Value, Errno>,
    ) -> Learned {
        if let (Call::Prctl { operation: Prctl::ReadBoundingCapability(number) }, Ok(Given::Number(0))) =
            (call, recorded)
            && simulated == &Ok(Value::Number(1))
            && self.facts.missing_capabilities.insert(*number)
        {
            return Learned::Corrected;
        }
        if let (Ok(Given::Target(path) | Given::Directory(path)), Ok(Value::Bytes(simulated))) = (recorded, simulated)
            && (self.learn_link(task, simulated, path) || self.learn_directory(recorded))
        {
            return Learned::Corrected;
        }
        if recorded == &Err(Errno::ENOENT) {
            return self.learn_absence(task, call, simulated);
        }
        if simulated == &Err(Errno::ENOENT) || recorded == &Err(Errno::EEXIST) {
            if self.supply(task, call, recorded) {
                return Learned::Supplied;
            }
            if self.is_about_the_kernels_own(task, call) {
                return Learned::NotSimulated;
            }
        }
        if recorded.is_ok() && simulated == &Err(Errno::ENOTEMPTY) && self.withdraw(task, call) {
            return Learned::Supplied;
        }
        if recorded.is_err() && simulated.is_err() && simulated != &Err(Errno::ENOTDIR) {
            return Learned::Nothing;
        }
        self.correct(task, call, recorded, simulated)
    }

    /// Something that is not there: in the root of proc, where this kernel does not have it, or in what is a directory after all.
    fn learn_absence(&mut self, task: Id<Task>, call: &Call, simulated: &Result<Value, Errno>) -> Learned {
        for wanted in wanted_by(call, &Err(Errno::ENOENT)) {
            let located = self.linux.locate(task, wanted.dirfd, &wanted.path.0, wanted.follow);
            let place = match located {
                Ok(Location::NotADirectory(place)) if simulated == &Err(Errno::ENOTDIR) => {
                    if self.facts.correct(&place, directory()) {
                        return Learned::Corrected;
                    }
                    continue;
                }
                Ok(Location::Found { place, .. }) => place,
                _ => continue,
            };
            let name = place.path.0.strip_prefix(b"/").and_then(|name| std::str::from_utf8(name).ok());
            let Some(name) = name.filter(|name| is_in_proc(&wanted, name)) else { continue };
            if self.facts.missing_in_proc.insert(name.to_owned()) {
                return Learned::Corrected;
            }
        }
        Learned::Nothing
    }

    /// The first getcwd(2) that gives something else: nobody had gone anywhere yet.
    fn learn_directory(&mut self, recorded: &Result<Given, Errno>) -> bool {
        match recorded {
            Ok(Given::Directory(directory)) if self.facts.directory.is_none() => {
                self.facts.directory = Some(directory.clone());
                true
            }
            _ => false,
        }
    }

    /// The kernel has another path for the same file: there is a symbolic link where the paths begin to be the same, seen from
    /// their end.
    fn learn_link(&mut self, task: Id<Task>, simulated: &Bytes, recorded: &Bytes) -> bool {
        let (mut from, mut to) = (&simulated.0[..], &recorded.0[..]);
        if !from.starts_with(b"/") || !to.starts_with(b"/") {
            return false;
        }
        while let (Some(left), Some(right)) = (last_name(from), last_name(to))
            && left.1 == right.1
            && !left.0.is_empty()
            && !right.0.is_empty()
        {
            (from, to) = (left.0, right.0);
        }
        match self.linux.locate(task, Fd::CWD, from, false) {
            Ok(Location::Found { place, .. }) => {
                self.facts.correct(&place, file(FileKind::Symlink(Bytes(to.to_vec())), 0o777))
            }
            _ => false,
        }
    }

    /// Makes what a call finds, as far as it is missing. Says whether there was anything to make.
    pub(crate) fn supply(&mut self, task: Id<Task>, call: &Call, recorded: &Result<Given, Errno>) -> bool {
        let mut has_supplied = false;
        for wanted in wanted_by(call, recorded) {
            for _ in 0..MOST_NAMES {
                let located = self.linux.locate(task, wanted.dirfd, &wanted.path.0, wanted.follow);
                let Ok(Location::Missing { place, is_last, can_be_supplied: true }) = located else { break };
                if is_last && wanted.what == What::Parent {
                    break;
                }
                let guess = guess(&wanted, recorded, is_last);
                let fact = self
                    .facts
                    .files
                    .entry(place.clone())
                    .or_insert(Fact::new(guess, is_last && wanted.what.is_certain()));
                if self.linux.supply(&place, &fact.file).is_err() {
                    break;
                }
                has_supplied = true;
            }
        }
        has_supplied
    }

    /// A directory was removed: what was supplied in it had gone by then, in a way that the log does not show; as what the kernel
    /// itself puts into the directory of a control group.
    fn withdraw(&mut self, task: Id<Task>, call: &Call) -> bool {
        let mut has_withdrawn = false;
        for wanted in wanted_by(call, &Ok(Given::Done)) {
            let located = self.linux.locate(task, wanted.dirfd, &wanted.path.0, wanted.follow);
            let Ok(Location::Found { place, .. }) = located else { continue };
            let below = [&place.path.0[..], b"/"].concat();
            let is_below = |other: &Place| other.filesystem == place.filesystem && other.path.0.starts_with(&below);
            // The innermost last in the order of paths.
            let supplied: Vec<Place> = self.facts.files.keys().filter(|other| is_below(other)).cloned().collect();
            for place in supplied.iter().rev() {
                has_withdrawn |= self.linux.withdraw(place).is_ok();
            }
        }
        has_withdrawn
    }

    fn is_about_the_kernels_own(&self, task: Id<Task>, call: &Call) -> bool {
        wanted_by(call, &Ok(Given::Done)).iter().any(|wanted| {
            let located = self.linux.locate(task, wanted.dirfd, &wanted.path.0, wanted.follow);
            matches!(located, Ok(Location::Missing { can_be_supplied: false, .. }))
        })
    }

    /// Finds out which of the supplied files is something else.
    fn correct(
        &mut self,
        task: Id<Task>,
        call: &Call,
        recorded: &Result<Given, Errno>,
        simulated: &Result<Value, Errno>,
    ) -> Learned {
        let all = wanted_by(call, recorded);
        let located: Vec<_> =
            all.iter().map(|wanted| self.linux.locate(task, wanted.dirfd, &wanted.path.0, wanted.follow)).collect();
        if let Some(has_corrected) = self.correct_kinds_of_mount(call, &located, simulated) {
            return if has_corrected { Learned::Corrected } else { Learned::Nothing };
        }
        for (wanted, located) in all.iter().zip(&located) {
            let has_corrected = match located {
                Ok(Location::NotADirectory(place)) => self.facts.correct(place, directory()),
                Ok(Location::Found { place, file_type }) => {
                    let Some(better) = better(&wanted.what, *file_type, call, simulated) else { continue };
                    match &better.kind {
                        // Also if it was made during the log: what is in it is not known.
                        FileKind::Regular(content) if simulated == &Err(Errno::ENOEXEC) => {
                            if self.linux.supply_content(place, content).is_ok() {
                                return Learned::Supplied;
                            }
                            false
                        }
                        // Nobody has followed it yet: it led nowhere.
                        FileKind::Symlink(target) if *file_type == FileType::Symlink => {
                            let is_known = self.facts.correct(place, better.clone());
                            if is_known && self.linux.supply_target(place, target).is_ok() {
                                return Learned::Supplied;
                            }
                            is_known
                        }
                        _ => self.facts.correct(place, better),
                    }
                }
                _ => false,
            };
            if has_corrected {
                return Learned::Corrected;
            }
        }
        if self.relax(&located, simulated) {
            return Learned::Corrected;
        }
        Learned::Nothing
    }

    /// What is mounted and where: both are directories, or both are none. None if it is not about that.
    fn correct_kinds_of_mount(
        &mut self,
        call: &Call,
        located: &[Result<Location, Errno>],
        simulated: &Result<Value, Errno>,
    ) -> Option<bool> {
        let (Call::Mount { .. }, Err(Errno::ENOTDIR)) = (call, simulated) else { return None };
        let [Ok(Location::Found { place: one, file_type: is }), Ok(Location::Found { place: other, file_type: has })] =
            located
        else {
            return None;
        };
        let is_directory = |file_type: &FileType| *file_type == FileType::Directory;
        if is_directory(is) == is_directory(has) {
            return None;
        }
        let like = |file_type| if is_directory(file_type) { directory() } else { regular() };
        Some(self.facts.guess_again(one, like(has)) || self.facts.guess_again(other, like(is)))
    }

    /// A user may do what the permissions of supplied files are not known to allow.
    fn relax(&mut self, located: &[Result<Location, Errno>], simulated: &Result<Value, Errno>) -> bool {
        if simulated != &Err(Errno::EACCES) {
            return false;
        }
        let mut places = Vec::new();
        for location in located.iter().flatten() {
            let (Location::Found { place, .. } | Location::Missing { place, .. } | Location::NotADirectory(place)) =
                location;
            let mut place = place.clone();
            places.push(place.clone());
            while let Some(slash) = place.path.0.iter().rposition(|byte| *byte == b'/').filter(|slash| *slash > 0) {
                place.path.0.truncate(slash);
                places.push(place.clone());
            }
        }
        places.iter().any(|place| {
            let Some(fact) = self.facts.files.get(place) else { return false };
            let relaxed = File { mode: Mode(fact.file.mode.0 | 0o777), ..fact.file.clone() };
            self.facts.correct(place, relaxed)
        })
    }
}

/// Whether a path leads to a name in the root of proc that some kernels have, by that name.
fn is_in_proc(wanted: &Wanted, name: &str) -> bool {
    let ends_so = wanted.path.0.rsplit(|byte| *byte == b'/').next() == Some(name.as_bytes());
    ends_so && cofferdam_vfs_sim::Linux::names_in_proc().any(|known| known == name)
}

/// What something is most likely, of which only is known that it is on the way.
fn guess(wanted: &Wanted, recorded: &Result<Given, Errno>, is_last: bool) -> File {
    match (recorded, is_last) {
        (Err(Errno::ENOTDIR), true) if wanted.what == What::Directory => regular(),
        (Err(Errno::ENOTDIR), false) => regular(),
        (Err(Errno::ELOOP), true) => file(FileKind::Symlink("?".into()), 0o777),
        // What the controlling terminal is for who has none.
        (Err(Errno::ENXIO), true) => file(FileKind::CharacterDevice(DeviceNumber { major: 5, minor: 0 }), 0o666),
        (_, true) => wanted.what.as_file(),
        (_, false) => directory(),
    }
}

/// A path without its last name, and that.
fn last_name(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let slash = path.iter().rposition(|byte| *byte == b'/')?;
    path.split_at_checked(slash)
}

/// What something is that is known to be of another kind than it was taken for.
fn better(what: &What, is: FileType, call: &Call, simulated: &Result<Value, Errno>) -> Option<File> {
    let is_directory = is == FileType::Directory;
    match (what, simulated) {
        (What::File { file_type, device, .. }, Ok(_)) if *file_type != is || device.is_some() => Some(what.as_file()),
        (What::Symlink(_), _) => Some(what.as_file()),
        (What::Program, Err(Errno::EACCES | Errno::ENOEXEC)) => Some(program()),
        (What::Directory | What::LikelyDirectory, Err(Errno::ENOTDIR)) if !is_directory => Some(directory()),
        (_, Err(Errno::ENOTDIR)) if is_directory && removes_a_file(call) => Some(regular()),
        (_, Err(Errno::EISDIR)) if is_directory => Some(regular()),
        (_, Err(Errno::ENOTDIR)) if wants_directory(call) => Some(directory()),
        _ => None,
    }
}

fn removes_a_file(call: &Call) -> bool {
    matches!(call, Call::Unlinkat { flags, .. } if flags.is_empty())
}

fn wants_directory(call: &Call) -> bool {
    match call {
        Call::Openat2 { how, .. } => how.flags.contains(OpenFlags::O_DIRECTORY),
        Call::Unlinkat { flags, .. } => !flags.is_empty(),
        _ => false,
    }
}

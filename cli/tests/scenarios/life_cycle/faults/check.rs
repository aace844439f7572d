//! What must hold after a command in which something went wrong, as `docs/reliability.md` has it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use cofferdam::error::Report;
use cofferdam::kernel::{CloneFlags, Errno, Kernel as _, MountFlags};
use cofferdam::mountinfo::Table;
use cofferdam_linux::LinuxKernel;

use super::super::agent::{assert_is_of_group, names, processes};
use super::operation::{Bench, GIDS, Operation, VOLUMES};
use super::trace::{Fault, Strike, Traced};
use crate::support::{Host, Snapshot, Started, table, wait_until};

/// What may not be changed. A volume that gets a group is changed, but for the content of its files.
fn unchanging(operation: Operation) -> &'static [&'static str] {
    if operation.has_groups() { &["precious"] } else { &["work/volumes", "precious"] }
}

/// A mount namespace that somebody made of the host's once the agent had prepared it.
struct Namespace {
    thread: Option<JoinHandle<()>>,
    /// The thread ends when this is gone.
    end: Option<Sender<()>>,
    thread_id: i32,
}

impl Namespace {
    /// One that has the mounts of `work_dir` in common with the host, or that only receives them.
    fn new(host: &Host, propagation: MountFlags) -> Self {
        let work_dir = host.work_dir();
        let (end, ends): (_, Receiver<()>) = channel();
        let (tell, told) = channel();
        let thread = std::thread::spawn(move || {
            LinuxKernel.unshare(CloneFlags::CLONE_NEWNS).unwrap();
            Host::set_propagation(&work_dir, propagation, true);
            tell.send(nix::unistd::gettid().as_raw()).unwrap();
            let _ = ends.recv();
        });
        let thread_id = told.recv().unwrap();
        Self { thread: Some(thread), end: Some(end), thread_id }
    }

    fn mountinfo(&self) -> String {
        fs::read_to_string(format!("/proc/self/task/{}/mountinfo", self.thread_id)).unwrap()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.end = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A mount table without the numbers that differ from run to run.
fn shape(text: &[u8], host: &[u8]) -> Vec<String> {
    let (inside, host) = (Table::parse(text).unwrap(), Table::parse(host).unwrap());
    let mut lines = table::lines(&inside, &host);
    for line in &mut lines {
        // The last are the peer groups.
        let (rest, propagation) = line.rsplit_once(' ').unwrap();
        let propagation: String = propagation.chars().filter(|character| !character.is_ascii_digit()).collect();
        *line = format!("{rest} {propagation}");
    }
    // What is made anew comes last.
    lines.sort();
    lines
}

/// What a command that goes well comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Achieved {
    /// What it prints, the mount table of a program line by line.
    output: Vec<String>,
    /// The mounts of the host.
    mounts: Vec<String>,
    /// The containers that are listed, and the sandboxes.
    containers: Vec<String>,
}

impl Achieved {
    pub(super) fn by(bench: &Bench<'_>, operation: Operation, traced: &Traced) -> Self {
        let host = bench.host.mountinfo();
        let output = match traced.stdout.split_once("descriptors\n") {
            Some((mounts, descriptors)) if operation.is_launch() => {
                let mut lines = shape(mounts.as_bytes(), &host);
                lines.push(descriptors.to_owned());
                lines
            }
            _ => vec![traced.stdout.clone()],
        };
        let sandboxes = names(&bench.sandboxes());
        Self { output, mounts: shape(&host, &host), containers: [bench.agent.ids(), sandboxes].concat() }
    }

    /// What is in one of both only.
    fn difference(&self, other: &Self) -> String {
        let all = |one: &Self| [&one.output[..], &one.mounts, &one.containers].concat();
        let (here, there) = (all(self), all(other));
        let only = |sign: &str, lines: &[String], others: &[String]| -> Vec<String> {
            lines.iter().filter(|line| !others.contains(line)).map(|line| format!("{sign} {line}")).collect()
        };
        [only("-", &here, &there), only("+", &there, &here)].concat().join("\n")
    }

    /// A kernel that says that something is not there is believed, and one that says that a lock is taken. A program may lack
    /// nothing but what is to be masked or to be read-only; what is there all the same of a container is found by those that
    /// come later.
    fn is_believed(&self, other: &Self, operation: Operation, call: &str, errno: Errno) -> bool {
        let may_lack = |line: &String| line.starts_with("/proc/") || line.starts_with("/sys/");
        let is_launched = || {
            self.output.iter().all(|line| other.output.contains(line) || may_lack(line))
                && other.output.iter().all(|line| self.output.contains(line))
                && (&self.mounts, &self.containers) == (&other.mounts, &other.containers)
        };
        let is_told = errno == Errno::ENOENT || (call, errno) == ("flock", Errno::EAGAIN);
        is_told && (!operation.is_launch() || is_launched())
    }
}

/// How a command ended in which a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It was made without that call, or by another one.
    Achieved,
    /// It was, as far as a kernel was believed that said that something was not there.
    Believed,
    /// It said what failed, and this very error.
    ToldErrno,
    /// It said what failed.
    Told,
    /// It could not say anything.
    Mute,
    /// It was killed.
    Killed,
}

/// The state of a host to which all must come back.
pub(super) struct Baseline {
    operation: Operation,
    host: Snapshot,
    mounts: Vec<String>,
    namespaces: Vec<Namespace>,
    tables: Vec<String>,
}

impl Baseline {
    pub(super) fn of(bench: &Bench<'_>, operation: Operation) -> Self {
        let namespaces = [MountFlags::MS_SHARED, MountFlags::MS_SLAVE].map(|flags| Namespace::new(bench.host, flags));
        let table = bench.host.mountinfo();
        Self {
            operation,
            host: Snapshot::of(bench.host, unchanging(operation)),
            mounts: shape(&table, &table),
            tables: namespaces.iter().map(Namespace::mountinfo).collect(),
            namespaces: namespaces.into(),
        }
    }

    /// Right after the command.
    pub(super) fn check_end(&self, bench: &Bench<'_>, traced: &Traced, strike: Strike<'_>, expected: &Achieved) -> End {
        assert_eq!(traced.problem, None);
        let Fault::Fail(errno) = strike.fault else { return End::Killed };
        match traced.status {
            Some(0) if traced.hit => {
                let achieved = Achieved::by(bench, self.operation, traced);
                if achieved == *expected {
                    return End::Achieved;
                }
                let difference = expected.difference(&achieved);
                let is_believed = expected.is_believed(&achieved, self.operation, strike.name, errno);
                assert!(is_believed, "it says that all went well, but:\n{difference}");
                End::Believed
            }
            Some(0) => End::Achieved,
            Some(125..=127) if traced.was_mute => End::Mute,
            Some(status @ 125..=127) => {
                assert!(status == 125 || self.operation.is_launch(), "exit status {status}");
                told(&traced.stderr, errno)
            }
            status => panic!("it ends with {status:?}: {}", traced.stderr),
        }
    }

    /// Recovers, and cleans all up.
    pub(super) fn check_aftermath(&self, bench: &Bench<'_>, running: Vec<Started>, fault: Option<Fault>) {
        let (agent, host) = (&bench.agent, bench.host);
        if self.operation.is_launch() && running.is_empty() {
            // The program of a container whose launcher was killed.
            wait_until("the end of all processes", || processes(host).is_empty());
        }
        agent.recover();
        let recovered = Snapshot::of(host, &["work", "run/containers", "precious"]);
        let told = agent.recover();
        assert_eq!(told["cleaned"], serde_json::json!([]), "a second recovery has something to do");
        recovered.assert_unchanged(host, &["work", "run/containers", "precious"]);
        drop(running);
        wait_until("the end of all processes", || processes(host).is_empty());
        agent.clean_up_all();
        remove_sandboxes(bench);
        agent.assert_no_container_left();
        agent.assert_volumes_intact(&VOLUMES);
        if self.operation == Operation::Create {
            let table = host.mountinfo();
            assert_eq!(shape(&table, &table), self.mounts);
        } else {
            self.host.assert_unchanged(host, unchanging(self.operation));
            let tables: Vec<_> = self.namespaces.iter().map(Namespace::mountinfo).collect();
            assert_eq!(tables, self.tables, "the mounts of other namespaces");
        }
        // A kernel is believed that says that a directory of the volume is gone.
        if self.operation.has_groups() && fault != Some(Fault::Fail(Errno::ENOENT)) {
            self.check_group(bench);
        }
    }

    /// The volume has its group when it is used again, as a whole.
    fn check_group(&self, bench: &Bench<'_>) {
        let agent = &bench.agent;
        agent.prepare("c1", &bench.config("c1")).outcome().success();
        let volume = bench.host.work_dir().join("volumes/roles/web/db");
        let gid = fs::metadata(&volume).unwrap().gid();
        assert!(GIDS.contains(&gid), "{gid}");
        assert_is_of_group(&volume, gid);
        agent.cleanup("c1").outcome().success();
        self.host.assert_unchanged(bench.host, unchanging(self.operation));
    }
}

/// An agent does so with the sandboxes of containers that it does not know any more.
fn remove_sandboxes(bench: &Bench<'_>) {
    let sandboxes = bench.sandboxes();
    let table = String::from_utf8(bench.host.mountinfo()).unwrap();
    assert!(!table.contains(&format!("{}/", sandboxes.display())), "mounts are left: {table}");
    let _ = fs::remove_dir_all(&sandboxes);
}

/// What is said on standard error: an object, but where the launcher says it, which is a line. Warnings may come before.
fn told(stderr: &str, errno: Errno) -> End {
    let last = stderr.lines().last().unwrap_or_default();
    let named = if let Ok(report) = serde_json::from_str::<Report>(last) {
        assert!(!report.message.is_empty(), "{last}");
        assert_eq!(report.path.is_some(), report.errno.is_some(), "{last}");
        report.errno == Some(errno)
    } else {
        assert!(last.starts_with("cofferdam: "), "it does not say what has failed: {stderr:?}");
        errno.name().is_some_and(|name| last.contains(name))
    };
    if named { End::ToldErrno } else { End::Told }
}

//! The columns of ps(1).

use std::time::Duration;

use super::options::Arguments;
use super::process::Process;
use crate::execution::Execution;
use crate::programs::support::users::Names;

/// What a column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Pid,
    Parent,
    EffectiveUserName,
    EffectiveUser,
    UserName,
    User,
    EffectiveGroupName,
    EffectiveGroup,
    GroupName,
    Group,
    Command,
    CommandLine,
    State,
    Terminal,
    /// Time on the processor, which no process of the simulation takes: with hours, or without.
    Time,
    ShortTime,
    Start,
    Threads,
    /// What none of the simulated processes takes: time, memory.
    Nothing,
    NothingOfPercent,
    Namespace(&'static str),
}

/// A column.
#[derive(Clone, Debug)]
pub(super) struct Column {
    value: Value,
    heading: Vec<u8>,
    width: usize,
    is_left: bool,
}

type Known = (&'static [&'static str], &'static str, usize, bool, Value);

/// All columns: their names, heading, width, whether they are at the left, and what they show.
const COLUMNS: &[Known] = &[
    (&["pid", "tgid"], "PID", 5, false, Value::Pid),
    (&["ppid"], "PPID", 5, false, Value::Parent),
    (&["user", "uname"], "USER", 8, true, Value::EffectiveUserName),
    (&["euser"], "EUSER", 8, true, Value::EffectiveUserName),
    (&["uid"], "UID", 5, false, Value::EffectiveUser),
    (&["euid"], "EUID", 5, false, Value::EffectiveUser),
    (&["ruser"], "RUSER", 8, true, Value::UserName),
    (&["ruid"], "RUID", 5, false, Value::User),
    (&["group"], "GROUP", 8, true, Value::EffectiveGroupName),
    (&["egroup"], "EGROUP", 8, true, Value::EffectiveGroupName),
    (&["gid"], "GID", 5, false, Value::EffectiveGroup),
    (&["egid"], "EGID", 5, false, Value::EffectiveGroup),
    (&["rgroup"], "RGROUP", 8, true, Value::GroupName),
    (&["rgid"], "RGID", 5, false, Value::Group),
    (&["comm"], "COMMAND", 15, true, Value::Command),
    (&["ucmd", "ucomm"], "CMD", 15, true, Value::Command),
    (&["args", "command"], "COMMAND", 27, true, Value::CommandLine),
    (&["cmd"], "CMD", 27, true, Value::CommandLine),
    (&["stat"], "STAT", 4, true, Value::State),
    (&["s", "state"], "S", 1, true, Value::State),
    (&["tty", "tname"], "TTY", 8, true, Value::Terminal),
    (&["tt"], "TT", 8, true, Value::Terminal),
    (&["time", "cputime"], "TIME", 8, false, Value::Time),
    (&["bsdtime"], "TIME", 6, false, Value::ShortTime),
    (&["stime"], "STIME", 5, true, Value::Start),
    (&["start_time"], "START", 5, true, Value::Start),
    (&["c"], "C", 2, false, Value::Nothing),
    (&["%cpu", "pcpu"], "%CPU", 4, false, Value::NothingOfPercent),
    (&["%mem", "pmem"], "%MEM", 4, false, Value::NothingOfPercent),
    (&["vsz", "vsize"], "VSZ", 6, false, Value::Nothing),
    (&["rss", "rssize"], "RSS", 5, false, Value::Nothing),
    (&["nlwp", "thcount"], "NLWP", 4, false, Value::Threads),
    (&["cgroupns"], "CGROUPNS", 10, false, Value::Namespace("cgroup")),
    (&["ipcns"], "IPCNS", 10, false, Value::Namespace("ipc")),
    (&["mntns"], "MNTNS", 10, false, Value::Namespace("mnt")),
    (&["netns"], "NETNS", 10, false, Value::Namespace("net")),
    (&["pidns"], "PIDNS", 10, false, Value::Namespace("pid")),
    (&["userns"], "USERNS", 10, false, Value::Namespace("user")),
    (&["utsns"], "UTSNS", 10, false, Value::Namespace("uts")),
];

impl Column {
    /// The column of this name, if there is one.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        let is_meant = |known: &&Known| known.0.iter().any(|known| known.as_bytes() == name);
        let (_, heading, width, is_left, value) = COLUMNS.iter().find(is_meant)?;
        Some(Self { value: *value, heading: heading.as_bytes().to_vec(), width: *width, is_left: *is_left })
    }

    /// Gives it another heading, for which there is room.
    pub(super) fn set_heading(&mut self, heading: &[u8]) {
        self.heading = heading.to_vec();
        self.width = self.width.max(heading.len());
    }

    fn text(&self, process: &Process, names: (&Names, &Names), start: &str) -> Vec<u8> {
        let (users, groups) = names;
        let number = |number: u32| number.to_string().into_bytes();
        match self.value {
            Value::Pid => number(process.pid),
            Value::Parent => number(process.parent),
            Value::EffectiveUserName => name(users, process.effective_user, self.width),
            Value::EffectiveUser => number(process.effective_user),
            Value::UserName => name(users, process.user, self.width),
            Value::User => number(process.user),
            Value::EffectiveGroupName => name(groups, process.effective_group, self.width),
            Value::EffectiveGroup => number(process.effective_group),
            Value::GroupName => name(groups, process.group, self.width),
            Value::Group => number(process.group),
            Value::Command => process.command(),
            Value::CommandLine => process.command_line(),
            Value::State => vec![process.state],
            Value::Terminal => b"?".to_vec(),
            Value::Time => b"00:00:00".to_vec(),
            Value::ShortTime => b"0:00".to_vec(),
            Value::Start => start.as_bytes().to_vec(),
            Value::Threads => number(process.threads),
            Value::Nothing => b"0".to_vec(),
            Value::NothingOfPercent => b"0.0".to_vec(),
            Value::Namespace(kind) => {
                let found = process.namespaces.iter().find(|(known, _)| *known == kind);
                found.map(|(_, number)| number.clone()).unwrap_or_default()
            }
        }
    }

    /// A text in its place. The last column is as wide as what is in it; what is at the left is cut in the others.
    fn place(&self, text: &[u8], is_last: bool, line: &mut Vec<u8>) {
        let padding = vec![b' '; self.width.saturating_sub(text.len())];
        match (self.is_left, is_last) {
            (true, true) => line.extend(text),
            (true, false) => {
                line.extend(text.get(..self.width).unwrap_or(text));
                line.extend(padding);
            }
            (false, _) => {
                line.extend(padding);
                line.extend(text);
            }
        }
    }
}

/// A name if there is room for it; else the beginning of it, and a plus.
fn name(names: &Names, number: u32, width: usize) -> Vec<u8> {
    let name = names.name_or_number(number);
    match name.get(..width.saturating_sub(1)) {
        Some(start) if name.len() > width => [start, b"+"].concat(),
        _ => name,
    }
}

/// Prints the heading, if there is one, and a line for each process.
pub(super) fn print(execution: &mut Execution, arguments: &Arguments, users: &Names, processes: &[&Process]) {
    let groups = Names::groups(&execution.process);
    // All have been started when the machine was, at the epoch, or soon after: nobody counts the minutes.
    let is_today = execution.machine.clock() < Duration::from_secs(24 * 60 * 60);
    let start = if is_today { "00:00" } else { "Jan01" };
    let line = |texts: Vec<Vec<u8>>| {
        let mut line = Vec::new();
        for (index, (column, text)) in arguments.columns.iter().zip(&texts).enumerate() {
            if index > 0 {
                line.push(b' ');
            }
            column.place(text, index + 1 == arguments.columns.len(), &mut line);
        }
        line.push(b'\n');
        line
    };
    let has_heading = arguments.has_heading && arguments.columns.iter().any(|column| !column.heading.is_empty());
    if has_heading {
        execution.print(line(arguments.columns.iter().map(|column| column.heading.clone()).collect()));
    }
    for process in processes {
        let texts = arguments.columns.iter().map(|column| column.text(process, (users, &groups), start));
        execution.print(line(texts.collect()));
    }
}

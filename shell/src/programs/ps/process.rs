//! What proc tells of processes.

use crate::execution::Execution;

/// A process, as `status` and `cmdline` have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::programs) struct Process {
    pub(in crate::programs) pid: u32,
    pub(in crate::programs) parent: u32,
    pub(super) name: Vec<u8>,
    /// The letter of its state.
    pub(super) state: u8,
    pub(super) user: u32,
    pub(super) effective_user: u32,
    pub(super) group: u32,
    pub(super) effective_group: u32,
    pub(super) threads: u32,
    /// The arguments, with a blank between them; nothing of a process that has none any more.
    pub(super) arguments: Vec<u8>,
    /// The numbers of its namespaces, by what they are called in `ns`.
    pub(super) namespaces: Vec<(&'static str, Vec<u8>)>,
}

/// The namespaces that a column can show.
const NAMESPACES: [&str; 7] = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];

/// All processes, in the order of their numbers; none if there is no proc.
pub(in crate::programs) async fn all(execution: &mut Execution) -> Option<Vec<Process>> {
    let entries = execution.entries(b"/proc").ok()?;
    execution.stat(b"/proc/self").ok()?;
    let mut pids: Vec<u32> = entries.iter().filter_map(|entry| number(&entry.name.0)).collect();
    pids.sort_unstable();
    let mut processes = Vec::new();
    for pid in pids {
        // It may have gone.
        if let Some(process) = read(execution, pid).await {
            processes.push(process);
        }
    }
    Some(processes)
}

async fn read(execution: &mut Execution, pid: u32) -> Option<Process> {
    let directory = format!("/proc/{pid}");
    let status = execution.read_file(format!("{directory}/status").as_bytes()).await.ok()?;
    let arguments = execution.read_file(format!("{directory}/cmdline").as_bytes()).await.unwrap_or_default();
    let mut process = Process { pid, threads: 1, arguments: readable(&arguments), ..Process::default() };
    for line in status.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (Some(key), Some(value)) = (parts.next(), parts.next()) else { continue };
        let value = value.trim_ascii();
        let numbers: Vec<u32> = value.split(u8::is_ascii_whitespace).filter_map(number).collect();
        let nth = |index: usize| numbers.get(index).copied().unwrap_or_default();
        match key {
            b"Name" => process.name = value.to_vec(),
            b"State" => process.state = value.first().copied().unwrap_or(b'?'),
            b"PPid" => process.parent = nth(0),
            b"Uid" => (process.user, process.effective_user) = (nth(0), nth(1)),
            b"Gid" => (process.group, process.effective_group) = (nth(0), nth(1)),
            b"Threads" => process.threads = nth(0),
            _ => {}
        }
    }
    for namespace in NAMESPACES {
        let link = execution.read_link(format!("{directory}/ns/{namespace}").as_bytes()).unwrap_or_default();
        let number: Vec<u8> = link.into_iter().filter(u8::is_ascii_digit).collect();
        process.namespaces.push((namespace, if number.is_empty() { b"-".to_vec() } else { number }));
    }
    Some(process)
}

/// What is no printable character is a question mark; the end of an argument is a blank.
fn readable(arguments: &[u8]) -> Vec<u8> {
    let text = arguments.strip_suffix(b"\0").unwrap_or(arguments);
    let character = |byte: &u8| match byte {
        0 => b' ',
        b' '..=b'~' => *byte,
        _ => b'?',
    };
    text.iter().map(character).collect()
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl Process {
    fn is_zombie(&self) -> bool {
        self.state == b'Z'
    }

    /// Its name.
    pub(super) fn command(&self) -> Vec<u8> {
        let name = readable(&self.name);
        if self.is_zombie() { [&name[..], b" <defunct>"].concat() } else { name }
    }

    /// Its arguments; its name in brackets if there are none.
    pub(super) fn command_line(&self) -> Vec<u8> {
        if !self.arguments.is_empty() {
            return self.arguments.clone();
        }
        let bracketed = [b"[", &readable(&self.name)[..], b"]"].concat();
        if self.is_zombie() { [&bracketed[..], b" <defunct>"].concat() } else { bracketed }
    }
}

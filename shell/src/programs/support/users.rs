//! Names of users and groups: `/etc/passwd` and `/etc/group` as the process sees them.

use cofferdam::UnixPath;
use cofferdam::kernel::{Errno, Fd, Kernel, OpenHow};

/// Names with their numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(Vec<Entry>);

/// A line of such a file, as far as it matters.
#[derive(Clone, Debug)]
struct Entry {
    name: Vec<u8>,
    number: u32,
    /// The group of a user who logs in.
    login_group: Option<u32>,
}

impl Names {
    /// The users.
    pub(crate) fn users(kernel: &dyn Kernel) -> Self {
        Self::read(kernel, b"/etc/passwd")
    }

    /// The groups.
    pub(crate) fn groups(kernel: &dyn Kernel) -> Self {
        Self::read(kernel, b"/etc/group")
    }

    /// A file that can't be read has no names, as for the C library.
    fn read(kernel: &dyn Kernel, path: &[u8]) -> Self {
        let content = read_file(kernel, path).unwrap_or_default();
        let entry = |line: &[u8]| {
            let mut fields = line.split(|byte| *byte == b':');
            let name = fields.next()?.to_vec();
            let entry_number = number(fields.nth(1)?)?;
            Some(Entry { name, number: entry_number, login_group: fields.next().and_then(number) })
        };
        Self(content.split(|byte| *byte == b'\n').filter_map(entry).collect())
    }

    /// The number of a name, or of a number as text.
    pub(crate) fn number(&self, name: &[u8]) -> Option<u32> {
        self.0.iter().find(|entry| entry.name == name).map(|entry| entry.number).or_else(|| number(name))
    }

    /// The group that a user has when logging in.
    pub(crate) fn login_group(&self, name: &[u8]) -> Option<u32> {
        self.0.iter().find(|entry| entry.name == name)?.login_group
    }

    /// The name of a number, if it has one.
    pub(crate) fn name(&self, number: u32) -> Option<&[u8]> {
        self.0.iter().find(|entry| entry.number == number).map(|entry| &entry.name[..])
    }

    /// The name of a number, or the number as text.
    pub(crate) fn name_or_number(&self, number: u32) -> Vec<u8> {
        self.name(number).map_or_else(|| number.to_string().into_bytes(), <[u8]>::to_vec)
    }
}

fn number(text: &[u8]) -> Option<u32> {
    if text.first()?.is_ascii_digit() { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

fn read_file(kernel: &dyn Kernel, path: &[u8]) -> Result<Vec<u8>, Errno> {
    let fd = kernel.openat2(Fd::CWD, UnixPath::new(path), OpenHow::default())?;
    let mut content = Vec::new();
    let result = loop {
        match kernel.read(fd, 65536) {
            Ok(bytes) if bytes.0.is_empty() => break Ok(content),
            Ok(bytes) => content.extend(bytes.0),
            Err(errno) => break Err(errno),
        }
    };
    let _ = kernel.close(fd);
    result
}

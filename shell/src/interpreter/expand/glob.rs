//! Pathname expansion, on the simulated filesystem.

use cofferdam::UnixPath;
use cofferdam::kernel::{Errno, Fd, Kernel as _, OpenFlags, OpenHow};

use super::pattern::{Pattern, Text};
use crate::directory::read_directory;
use crate::interpreter::Shell;

impl Shell {
    /// The paths that a field matches, sorted; itself if there is none, or nothing in it is special.
    pub(super) async fn paths(&mut self, field: Text) -> Vec<Vec<u8>> {
        if !field.is_pattern() {
            return vec![field.into_bytes()];
        }
        let components: Vec<Text> = field.components().collect();
        let count = components.len();
        let mut paths = vec![Vec::new()];
        for (index, component) in components.into_iter().enumerate() {
            // Directories can be many.
            self.machine.yield_now().await;
            let is_last = index + 1 == count;
            paths = self.step(&paths, &component, index == 0, is_last);
            if paths.is_empty() {
                return vec![field.into_bytes()];
            }
        }
        paths.retain(|path| self.stat(path, false).is_ok());
        if paths.is_empty() {
            return vec![field.into_bytes()];
        }
        paths.sort();
        paths
    }

    /// Goes on from these paths by one more component.
    fn step(&self, paths: &[Vec<u8>], component: &Text, is_first: bool, is_last: bool) -> Vec<Vec<u8>> {
        let end = if is_last { &b""[..] } else { b"/" };
        if !component.is_pattern() {
            let name = component.clone().into_bytes();
            return paths.iter().map(|path| [path, &name[..], end].concat()).collect();
        }
        let pattern = Pattern::new(component);
        let mut next = Vec::new();
        for path in paths {
            let directory = if is_first { b"." } else { &path[..] };
            let mut names = self.names(directory).unwrap_or_default();
            names.retain(|name| (!name.starts_with(b".") || pattern.begins_with_dot()) && pattern.is_match(name));
            next.extend(names.iter().map(|name| [path, &name[..], end].concat()));
        }
        next
    }

    /// The names in a directory, `.` and `..` among them.
    pub(in crate::interpreter) fn names(&self, directory: &[u8]) -> Result<Vec<Vec<u8>>, Errno> {
        let how = OpenHow { flags: OpenFlags::O_DIRECTORY | OpenFlags::O_CLOEXEC, ..OpenHow::default() };
        let fd = self.process.openat2(Fd::CWD, UnixPath::new(directory), how)?;
        let read = read_directory(&self.process, fd);
        self.process.close(fd)?;
        let mut names: Vec<Vec<u8>> = read?.into_iter().map(|entry| entry.name.0).collect();
        for own in [&b"."[..], b".."] {
            if !names.iter().any(|name| name == own) {
                names.push(own.to_vec());
            }
        }
        Ok(names)
    }

    /// The content of a file that waits for nobody.
    pub(in crate::interpreter) fn read_whole(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        let how = OpenHow { flags: OpenFlags::O_CLOEXEC, ..OpenHow::default() };
        let fd = self.process.openat2(Fd::CWD, UnixPath::new(path), how)?;
        let mut content = Vec::new();
        let read = loop {
            match self.process.read(fd, 65536) {
                Ok(bytes) if bytes.0.is_empty() => break Ok(()),
                Ok(bytes) => content.extend(bytes.0),
                Err(errno) => break Err(errno),
            }
        };
        self.process.close(fd)?;
        read.map(|()| content)
    }
}

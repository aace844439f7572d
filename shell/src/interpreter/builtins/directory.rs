//! `cd` and `pwd`.

use cofferdam::UnixPath;
use cofferdam::kernel::{FileType, Kernel as _};

use super::options;
use crate::directory::working_directory;
use crate::interpreter::Shell;
use crate::interpreter::stop::{Executed, Stop};

impl Shell {
    pub(super) async fn cd(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let (given, operands) = options(arguments, b"LP")?;
        let is_physical = given.last() == Some(&b'P');
        let (target, mut is_shown) = match operands.first().map(Vec::as_slice) {
            None => match self.get("HOME") {
                Some(home) if !home.is_empty() => (home.to_vec(), false),
                _ => return Ok(0),
            },
            Some(b"-") => (self.get("OLDPWD").unwrap_or_default().to_vec(), true),
            Some(target) => (target.to_vec(), false),
        };
        if target.is_empty() {
            return Ok(0);
        }
        let is_direct = [&b"/"[..], b"./", b"../"].iter().any(|start| target.starts_with(start))
            || matches!(&target[..], b"." | b"..");
        let mut candidates = vec![(target.clone(), false)];
        if !is_direct && let Some(directories) = self.get("CDPATH") {
            candidates = directories
                .split(|byte| *byte == b':')
                .map(|directory| match directory {
                    b"" => (target.clone(), false),
                    directory => ([directory, b"/", &target].concat(), true),
                })
                .chain(candidates)
                .collect();
        }
        for (path, is_found_elsewhere) in candidates {
            if !self.stat(&path, true).is_ok_and(|stat| stat.file_type == FileType::Directory) {
                continue;
            }
            if self.change_directory(&path, is_physical) {
                is_shown |= is_found_elsewhere;
                if is_shown {
                    let line = [&self.directory[..], b"\n"].concat();
                    self.print(&line).await?;
                }
                return Ok(0);
            }
        }
        Err(Stop::fatal([b"can't cd to ", &target[..]].concat()))
    }

    /// Goes to a directory, and remembers the way there unless only the place counts.
    fn change_directory(&mut self, path: &[u8], is_physical: bool) -> bool {
        let here = self.directory.clone();
        let logical = logical_path(&here, path);
        let went = if is_physical || !here.starts_with(b"/") {
            self.process.chdir(UnixPath::new(path))
        } else {
            self.process.chdir(UnixPath::new(&logical))
        };
        if went.is_err() {
            return false;
        }
        let now = if is_physical || !logical.starts_with(b"/") {
            working_directory(&self.process).unwrap_or(logical)
        } else {
            logical
        };
        let is_exported = |name: &[u8]| self.variables.variable(name).is_some_and(|variable| variable.is_exported);
        let (pwd, oldpwd) = (is_exported(b"PWD"), is_exported(b"OLDPWD"));
        let _ = self.variables.set(b"OLDPWD", here, oldpwd);
        self.directory.clone_from(&now);
        let _ = self.variables.set(b"PWD", now, pwd);
        true
    }

    pub(super) async fn pwd(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let (given, _) = options(arguments, b"LP")?;
        let path = if given.last() == Some(&b'P') {
            match working_directory(&self.process) {
                Ok(path) => path,
                Err(errno) => return Err(Stop::fatal(format!("getcwd() failed: {}", errno.description()))),
            }
        } else {
            self.directory.clone()
        };
        self.print_as(b"pwd", &[&path[..], b"\n"].concat()).await
    }
}

/// A path from a directory, with `.` and `..` taken as names (POSIX, cd, step 8).
fn logical_path(directory: &[u8], path: &[u8]) -> Vec<u8> {
    let whole = if path.starts_with(b"/") { path.to_vec() } else { [directory, b"/", path].concat() };
    let mut names: Vec<&[u8]> = Vec::new();
    for name in whole.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    // Two slashes at the beginning are kept.
    let start: &[u8] = if path.starts_with(b"//") && !path.starts_with(b"///") { b"//" } else { b"/" };
    [start, &names.join(&b'/')].concat()
}

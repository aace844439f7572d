//! What sed reads: all files as one stream, or each by itself.

use std::collections::VecDeque;

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Errno, Fd, FileType, Kernel as _};

use crate::execution::Execution;
use crate::programs::lines::{Line, Source};

use super::run::Stop;

/// The files that are left, and the one that is being read.
pub(super) struct Input {
    files: VecDeque<Vec<u8>>,
    current: Option<Current>,
    /// The next file, which was opened to see whether this one's last line is the last one of all.
    upcoming: Option<Current>,
    /// Files are separate streams (`-s`, `-i`).
    is_separate: bool,
    is_in_place: bool,
    delimiter: u8,
    pub(super) number: u64,
    /// The exit status that files that can't be read leave.
    pub(super) status: i32,
}

struct Current {
    name: Vec<u8>,
    source: Source,
}

/// What reading came to.
pub(super) enum Read {
    Line(Line),
    /// A file is over, which matters when files are edited in place.
    FileEnd(Vec<u8>),
    End,
}

impl Input {
    pub(super) fn new(files: Vec<Vec<u8>>, is_separate: bool, is_in_place: bool, delimiter: u8) -> Self {
        Self {
            files: files.into(),
            current: None,
            upcoming: None,
            is_separate: is_separate || is_in_place,
            is_in_place,
            delimiter,
            number: 0,
            status: 0,
        }
    }

    /// The name of the file that is being read.
    pub(super) fn name(&self) -> &[u8] {
        self.current.as_ref().map_or(b"-", |current| &current.name)
    }

    /// Opens the next file that can be read.
    async fn open_next(&mut self, execution: &mut Execution) -> Result<Option<Current>, Stop> {
        while let Some(name) = self.files.pop_front() {
            if name == b"-" && !self.is_in_place {
                return Ok(Some(Current { name, source: Source::new(Fd::STDIN) }));
            }
            if self.is_in_place {
                let stat = execution.process.statx(Fd::CWD, UnixPath::new(&name), AtFlags::empty());
                if stat.is_ok_and(|stat| stat.file_type != FileType::Regular) {
                    execution.warn([b"couldn't edit ", &name[..], b": not a regular file"].concat()).await;
                    self.status = 4;
                    continue;
                }
            }
            match Source::open(execution, &name).await {
                Ok(source) => return Ok(Some(Current { name, source })),
                Err(errno) => {
                    let reason = errno.description();
                    execution.warn([b"can't read ", &name[..], b": ", reason.as_bytes()].concat()).await;
                    self.status = self.status.max(2);
                }
            }
        }
        Ok(None)
    }

    pub(super) async fn read(&mut self, execution: &mut Execution) -> Result<Read, Stop> {
        loop {
            if self.current.is_none() {
                self.current = match self.upcoming.take() {
                    Some(upcoming) => Some(upcoming),
                    None => self.open_next(execution).await?,
                };
                if self.is_separate {
                    self.number = 0;
                }
            }
            let delimiter = self.delimiter;
            let Some(current) = &mut self.current else { return Ok(Read::End) };
            let line = current.source.line(execution, delimiter).await;
            match line.map_err(|errno| read_error(&current.name, errno))? {
                Some(line) => {
                    self.number += 1;
                    return Ok(Read::Line(line));
                }
                None => {
                    if let Some(current) = self.current.take() {
                        current.source.close(execution);
                        if self.is_separate {
                            return Ok(Read::FileEnd(current.name));
                        }
                    }
                }
            }
        }
    }

    /// Whether the line that was read last is the last one.
    pub(super) async fn is_last(&mut self, execution: &mut Execution) -> Result<bool, Stop> {
        if let Some(current) = &mut self.current {
            let is_over = current.source.is_over(execution).await;
            if !is_over.map_err(|errno| read_error(&current.name, errno))? {
                return Ok(false);
            }
        }
        if self.is_separate {
            return Ok(true);
        }
        loop {
            if self.upcoming.is_none() {
                self.upcoming = self.open_next(execution).await?;
            }
            let Some(upcoming) = &mut self.upcoming else { return Ok(true) };
            let is_over = upcoming.source.is_over(execution).await;
            if !is_over.map_err(|errno| read_error(&upcoming.name, errno))? {
                return Ok(false);
            }
            self.upcoming = None;
        }
    }

    /// Whether nothing is left to read at all.
    pub(super) async fn is_over(&mut self, execution: &mut Execution) -> Result<bool, Stop> {
        Ok(self.is_last(execution).await? && (!self.is_separate || self.files.is_empty()))
    }

    /// Reads the file no further; its name.
    pub(super) fn abandon(&mut self, execution: &Execution) -> Option<Vec<u8>> {
        let current = self.current.take()?;
        current.source.close(execution);
        Some(current.name)
    }
}

fn read_error(name: &[u8], errno: Errno) -> Stop {
    let message = [b"read error on ", name, b": ", errno.description().as_bytes()].concat();
    Stop::Message { message, status: 4 }
}

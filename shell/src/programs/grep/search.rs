//! Searching files, and what is printed of them.

use std::collections::VecDeque;

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Errno, Fd, FileType, Kernel as _};

use crate::execution::Execution;
use crate::programs::lines::{Line, Source};

use super::matcher::Matcher;
use super::options::{Binary, Directories, Options, Output};
use super::{TROUBLE, complain_of, tree};

/// A search of several files.
pub(super) struct Search<'a> {
    pub(super) options: &'a Options,
    matcher: &'a Matcher,
    filter: tree::Filter,
    has_selected: bool,
    pub(super) has_trouble: bool,
}

/// Where a file is read, and what was printed of it.
struct Progress {
    name: Option<Vec<u8>>,
    number: u64,
    offset: u64,
    selected: u64,
    /// The lines before this one, if they may be printed as context.
    before: VecDeque<(u64, u64, Vec<u8>)>,
    /// How many lines of context are still to be printed.
    after: u64,
    last_printed: Option<u64>,
}

impl<'a> Search<'a> {
    pub(super) fn new(options: &'a Options, matcher: &'a Matcher) -> Self {
        let filter = tree::Filter::new(options);
        Self { options, matcher, filter, has_selected: false, has_trouble: false }
    }

    pub(super) fn status(&self) -> i32 {
        if self.has_trouble {
            return TROUBLE;
        }
        i32::from(!self.has_selected)
    }

    pub(super) async fn trouble(&mut self, execution: &mut Execution, file: &[u8], errno: Errno) {
        self.has_trouble = true;
        if !self.options.is_silent {
            complain_of(execution, file, errno).await;
        }
    }

    /// Searches what was named as an operand. True if there is nothing more to find out.
    pub(super) async fn operand(&mut self, execution: &mut Execution, file: &[u8]) -> Result<bool, Errno> {
        if file == b"-" {
            let name = self.options.names.unwrap_or(self.options.files.len() > 1);
            let mut source = Source::new(Fd::STDIN);
            return self.source(execution, &mut source, file, name).await;
        }
        let path: &[u8] =
            if file.is_empty() && matches!(self.options.directories, Directories::Recurse(_)) { b"." } else { file };
        let stat = execution.process.statx(Fd::CWD, UnixPath::new(path), AtFlags::empty());
        let is_directory = stat.is_ok_and(|stat| stat.file_type == FileType::Directory);
        if self.filter.skips_operand(path, is_directory) {
            return Ok(false);
        }
        match self.options.directories {
            Directories::Recurse(follows) if is_directory => tree::search(self, execution, file, follows).await,
            Directories::Skip if is_directory => Ok(false),
            _ => {
                let name = self.options.names.unwrap_or(self.options.files.len() > 1);
                self.file(execution, file, name).await
            }
        }
    }

    pub(super) fn filter(&self) -> &tree::Filter {
        &self.filter
    }

    /// Searches a file. True if there is nothing more to find out.
    pub(super) async fn file(&mut self, execution: &mut Execution, file: &[u8], name: bool) -> Result<bool, Errno> {
        let mut source = match Source::open(execution, file).await {
            Ok(source) => source,
            Err(errno) => {
                self.trouble(execution, file, errno).await;
                return Ok(false);
            }
        };
        let is_over = self.source(execution, &mut source, file, name).await;
        source.close(execution);
        is_over
    }

    async fn source(
        &mut self,
        execution: &mut Execution,
        source: &mut Source,
        file: &[u8],
        name: bool,
    ) -> Result<bool, Errno> {
        let shown = if file == b"-" { self.options.label.clone() } else { file.to_vec() };
        if let Err(errno) = source.fill(execution).await {
            self.trouble(execution, &shown, errno).await;
            return Ok(false);
        }
        let is_binary = self.options.delimiter != 0 && source.pending().contains(&0);
        if is_binary && self.options.binary == Binary::Skip {
            return Ok(false);
        }
        let mut progress = Progress {
            name: name.then(|| shown.clone()),
            number: 0,
            offset: 0,
            selected: 0,
            before: VecDeque::new(),
            after: 0,
            last_printed: None,
        };
        let mut is_binary = is_binary && self.options.binary == Binary::Report;
        let stops_at_first = matches!(self.options.output, Output::FilesWith | Output::FilesWithout | Output::Nothing);
        let limit = self.options.limit.unwrap_or(u64::MAX);
        while progress.selected < limit || progress.after > 0 {
            let line = match source.line(execution, self.options.delimiter).await {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(errno) => {
                    self.trouble(execution, &shown, errno).await;
                    break;
                }
            };
            is_binary |= self.options.binary == Binary::Report && self.options.delimiter != 0 && line.text.contains(&0);
            progress.number += 1;
            let is_selected = progress.selected < limit && self.selects(execution, &line).await?;
            if is_selected {
                progress.selected += 1;
                self.has_selected = true;
                if stops_at_first {
                    break;
                }
            }
            if matches!(self.options.output, Output::Lines | Output::Matches) {
                if is_selected && is_binary {
                    execution.flush().await?;
                    execution.complain([&shown[..], b": binary file matches"].concat()).await;
                    return Ok(false);
                }
                self.show(execution, &mut progress, &line, is_selected).await?;
            }
            progress.offset += line.text.len() as u64 + 1;
        }
        self.summary(execution, &progress, &shown).await
    }

    async fn selects(&mut self, execution: &mut Execution, line: &Line) -> Result<bool, Errno> {
        match self.matcher.is_match(&line.text) {
            Ok(is_match) => Ok(is_match != self.options.selects_others),
            Err(error) => {
                self.has_trouble = true;
                execution.complain(error.to_string()).await;
                Err(Errno::ENOMEM)
            }
        }
    }

    async fn summary(&mut self, execution: &mut Execution, progress: &Progress, shown: &[u8]) -> Result<bool, Errno> {
        let end: &[u8] = if self.options.null_names { b"\0" } else { b"\n" };
        match self.options.output {
            Output::Nothing => return Ok(progress.selected > 0),
            Output::Count => {
                if let Some(name) = &progress.name {
                    let mark: &[u8] = if self.options.null_names { b"\0" } else { b":" };
                    execution.put([name, mark].concat()).await?;
                }
                execution.put(format!("{}\n", progress.selected)).await?;
            }
            Output::FilesWith if progress.selected > 0 => execution.put([shown, end].concat()).await?,
            Output::FilesWithout if progress.selected == 0 => {
                execution.put([shown, end].concat()).await?;
            }
            _ => {}
        }
        Ok(false)
    }

    async fn show(
        &self,
        execution: &mut Execution,
        progress: &mut Progress,
        line: &Line,
        is_selected: bool,
    ) -> Result<(), Errno> {
        let options = self.options;
        if is_selected {
            let first = progress.before.front().map_or(progress.number, |(number, ..)| *number);
            let has_context = options.before > 0 || options.after > 0;
            if has_context
                && progress.last_printed.is_some_and(|last| last + 1 < first)
                && let Some(separator) = &options.separator
            {
                execution.put([&separator[..], b"\n"].concat()).await?;
            }
            for (number, offset, text) in std::mem::take(&mut progress.before) {
                self.line(execution, progress, number, offset, b'-', &text).await?;
            }
            if options.output == Output::Matches {
                self.matches(execution, progress, &line.text).await?;
            } else {
                self.line(execution, progress, progress.number, progress.offset, b':', &line.text).await?;
            }
            progress.last_printed = Some(progress.number);
            progress.after = options.after;
        } else if progress.after > 0 {
            progress.after -= 1;
            self.line(execution, progress, progress.number, progress.offset, b'-', &line.text).await?;
            progress.last_printed = Some(progress.number);
        } else if options.before > 0 {
            if progress.before.len() as u64 >= options.before {
                progress.before.pop_front();
            }
            progress.before.push_back((progress.number, progress.offset, line.text.clone()));
        }
        if options.flushes_lines { execution.flush().await } else { Ok(()) }
    }

    async fn matches(&self, execution: &mut Execution, progress: &Progress, text: &[u8]) -> Result<(), Errno> {
        if self.options.selects_others {
            return Ok(());
        }
        let mut start = 0;
        while let Ok(Some(found)) = self.matcher.find(text, start) {
            if found.is_empty() {
                start = found.end + 1;
                continue;
            }
            let part = text.get(found.clone()).unwrap_or_default();
            let offset = progress.offset + found.start as u64;
            self.line(execution, progress, progress.number, offset, b':', part).await?;
            start = found.end;
        }
        Ok(())
    }

    async fn line(
        &self,
        execution: &mut Execution,
        progress: &Progress,
        number: u64,
        offset: u64,
        mark: u8,
        text: &[u8],
    ) -> Result<(), Errno> {
        let mut output = Vec::new();
        if let Some(name) = &progress.name {
            output.extend_from_slice(name);
            output.push(if self.options.null_names { 0 } else { mark });
        }
        if self.options.line_numbers {
            output.extend_from_slice(number.to_string().as_bytes());
            output.push(mark);
        }
        if self.options.byte_offsets {
            output.extend_from_slice(offset.to_string().as_bytes());
            output.push(mark);
        }
        output.extend_from_slice(text);
        output.push(self.options.delimiter);
        execution.put(output).await
    }
}

//! Redirections.

use async_recursion::async_recursion;
use brush_parser::ast::{self, IoFileRedirectKind, IoFileRedirectTarget, IoRedirect};
use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Errno, Fd, FileType, Kernel as _, Mode, OpenFlags, OpenHow};

use super::Shell;
use super::source::decode;
use super::stop::Stop;
use super::subshell::Task;

/// The shell keeps its own descriptors from here on.
pub(super) const FIRST_SAVED: i32 = 200;

/// Below are the descriptors that scripts use.
pub(super) const SCRIPTS_END: i32 = 100;

/// How much a here-document can have that a pipe certainly takes (`PIPE_BUF`).
const PIPE_SIZE: usize = 4096;

/// What descriptors were before: where a copy is, if they were open.
#[derive(Debug, Default)]
pub(super) struct Saved(Vec<(Fd, Option<Fd>)>);

impl Shell {
    /// A number for a descriptor of the shell's own: one that is not open.
    pub(super) fn free_descriptor(&self) -> Fd {
        let is_closed = |fd: &Fd| {
            // A process that was killed has none.
            self.process.statx(*fd, UnixPath::new(""), AtFlags::AT_EMPTY_PATH).is_err()
        };
        // If there is none, it is beyond the limit, and the kernel says so.
        (FIRST_SAVED..i32::MAX).map(Fd).find(is_closed).unwrap_or(Fd(i32::MAX))
    }

    /// Redirects. What was done is undone if there is an error.
    #[async_recursion(?Send)]
    pub(super) async fn redirect(&mut self, redirects: &[IoRedirect]) -> Result<Saved, Stop> {
        let mut saved = Saved::default();
        for redirect in redirects {
            if let Err(stop) = self.redirect_one(redirect, &mut saved).await {
                self.restore(saved);
                return Err(stop);
            }
        }
        Ok(saved)
    }

    /// Makes descriptors what they were before.
    pub(super) fn restore(&mut self, saved: Saved) {
        for (fd, copy) in saved.0.into_iter().rev() {
            match copy {
                Some(copy) => self.put(copy, fd),
                None => drop(self.process.close(fd)),
            }
        }
    }

    /// Makes redirections last.
    pub(super) fn keep(&mut self, saved: Saved) {
        for copy in saved.0.into_iter().filter_map(|(_, copy)| copy) {
            let _ = self.process.close(copy);
        }
    }

    fn save(&mut self, fd: Fd, saved: &mut Saved) {
        if saved.0.iter().any(|(known, _)| *known == fd) {
            return;
        }
        let copy = self.free_descriptor();
        let copy = self.process.dup3(fd, copy, OpenFlags::O_CLOEXEC).ok();
        saved.0.push((fd, copy));
    }

    #[async_recursion(?Send)]
    async fn redirect_one(&mut self, redirect: &IoRedirect, saved: &mut Saved) -> Result<(), Stop> {
        match redirect {
            IoRedirect::File(fd, kind, target) => self.redirect_file(*fd, kind, target, saved).await,
            IoRedirect::HereDocument(fd, document) => {
                let text = if document.requires_expansion {
                    self.document(&document.doc.value).await?
                } else {
                    decode(&document.doc.value)
                };
                self.redirect_text(Fd(fd.unwrap_or(0)), text, saved)
            }
            IoRedirect::HereString(fd, word) => {
                let mut text = self.string(&word.value).await?;
                text.push(b'\n');
                self.redirect_text(Fd(fd.unwrap_or(0)), text, saved)
            }
            IoRedirect::OutputAndError(word, is_appended) => {
                let path = self.string(&word.value).await?;
                let kind = if *is_appended { IoFileRedirectKind::Append } else { IoFileRedirectKind::Write };
                self.redirect_both(&path, &kind, saved).await
            }
        }
    }

    async fn redirect_both(&mut self, path: &[u8], kind: &IoFileRedirectKind, saved: &mut Saved) -> Result<(), Stop> {
        self.save(Fd::STDOUT, saved);
        self.save(Fd::STDERR, saved);
        let fd = self.open_for(path, kind).await?;
        self.place_opened(fd, Fd::STDOUT);
        self.duplicate(Fd::STDOUT, Fd::STDERR)
    }

    async fn redirect_file(
        &mut self,
        fd: Option<i32>,
        kind: &IoFileRedirectKind,
        target: &IoFileRedirectTarget,
        saved: &mut Saved,
    ) -> Result<(), Stop> {
        let is_input = matches!(
            kind,
            IoFileRedirectKind::Read | IoFileRedirectKind::ReadAndWrite | IoFileRedirectKind::DuplicateInput
        );
        let number = Fd(fd.unwrap_or(i32::from(!is_input)));
        match target {
            IoFileRedirectTarget::Filename(word) => {
                let path = self.string(&word.value).await?;
                self.save(number, saved);
                let opened = self.open_for(&path, kind).await?;
                self.place_opened(opened, number);
                Ok(())
            }
            IoFileRedirectTarget::Fd(source) => {
                self.save(number, saved);
                self.duplicate(Fd(*source), number)
            }
            IoFileRedirectTarget::Duplicate(word) => {
                let source = self.string(&word.value).await?;
                match &source[..] {
                    b"-" => {
                        self.save(number, saved);
                        let _ = self.process.close(number);
                        Ok(())
                    }
                    digits if digits.len() < 10 && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
                        self.save(number, saved);
                        let source = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
                        self.duplicate(Fd(source.unwrap_or(-1)), number)
                    }
                    path if fd.is_none() && !is_input => {
                        self.redirect_both(path, &IoFileRedirectKind::Write, saved).await
                    }
                    _ => Err(Stop::fatal("Syntax error: Bad fd number")),
                }
            }
            IoFileRedirectTarget::ProcessSubstitution(..) => {
                Err(Stop::fatal("process substitution is not simulated: use a pipe or a file"))
            }
        }
    }

    fn duplicate(&self, source: Fd, target: Fd) -> Result<(), Stop> {
        if source == target && self.process.statx(source, UnixPath::new(""), AtFlags::AT_EMPTY_PATH).is_ok() {
            return Ok(());
        }
        match self.process.dup3(source, target, OpenFlags::empty()) {
            Ok(_) => Ok(()),
            Err(Errno::EINVAL) if source == target => Err(bad_descriptor(source, Errno::EBADF)),
            Err(errno) => Err(bad_descriptor(source, errno)),
        }
    }

    /// Puts a descriptor that was just opened in its place.
    fn place_opened(&self, opened: Fd, target: Fd) {
        if opened != target {
            self.put(opened, target);
        }
    }

    async fn open_for(&mut self, path: &[u8], kind: &IoFileRedirectKind) -> Result<Fd, Stop> {
        let create = OpenFlags::O_CREAT | OpenFlags::O_WRONLY;
        let protects = matches!(kind, IoFileRedirectKind::Write) && self.options.has(b'C');
        let flags = match kind {
            IoFileRedirectKind::Read | IoFileRedirectKind::DuplicateInput => OpenFlags::empty(),
            IoFileRedirectKind::ReadAndWrite => OpenFlags::O_CREAT | OpenFlags::O_RDWR,
            IoFileRedirectKind::Append => create | OpenFlags::O_APPEND,
            // What is no file, `/dev/null` above all, may be written to.
            _ if protects => match self.stat(path, true) {
                Ok(stat) if stat.file_type == FileType::Regular => return Err(cannot_open(path, Errno::EEXIST, true)),
                Ok(_) => OpenFlags::O_WRONLY,
                Err(_) => create | OpenFlags::O_EXCL,
            },
            _ => create | OpenFlags::O_TRUNC,
        };
        let creates = !matches!(kind, IoFileRedirectKind::Read);
        let mode = if flags.contains(OpenFlags::O_CREAT) { Mode(0o666) } else { Mode(0) };
        let opened = self.open(path, OpenHow { flags, mode, ..OpenHow::default() }).await;
        if opened == Err(Errno::EINTR) {
            // Nothing is said of a fifo that somebody did not want to wait for.
            self.take_signals().await?;
        }
        opened.map_err(|errno| cannot_open(path, errno, creates))
    }

    /// Opens a file, and waits for somebody at the other end of a fifo.
    pub(super) async fn open(&self, path: &[u8], how: OpenHow) -> Result<Fd, Errno> {
        self.interruptible(self.machine.open(&self.process, path, how)).await
    }

    /// Lets a text be read from a descriptor: a here-document.
    fn redirect_text(&mut self, fd: Fd, text: Vec<u8>, saved: &mut Saved) -> Result<(), Stop> {
        let (reader, writer) = self.pipe()?;
        if text.len() <= PIPE_SIZE {
            let _ = self.process.write(writer, &text);
        } else {
            let (_, child) = self.fork()?;
            let _ = child.process.close(reader);
            child.start(Task::Document(text, writer));
        }
        let _ = self.process.close(writer);
        self.save(fd, saved);
        self.put(reader, fd);
        Ok(())
    }
}

fn bad_descriptor(fd: Fd, errno: Errno) -> Stop {
    Stop::fatal(format!("{}: {}", fd.0, errno.description()))
}

fn cannot_open(path: &[u8], errno: Errno, creates: bool) -> Stop {
    let (what, reason) = match (errno, creates) {
        (Errno::ENOENT | Errno::ENOTDIR, true) => ("cannot create ", "Directory nonexistent"),
        (Errno::ENOENT | Errno::ENOTDIR, false) => ("cannot open ", "No such file"),
        (errno, true) => ("cannot create ", errno.description()),
        (errno, false) => ("cannot open ", errno.description()),
    };
    Stop::fatal([what.as_bytes(), path, b": ", reason.as_bytes()].concat())
}

/// The redirections among what is around a command's name.
pub(super) fn of_command(command: &ast::SimpleCommand) -> Vec<IoRedirect> {
    let prefix = command.prefix.iter().flat_map(|prefix| &prefix.0);
    let items = prefix.chain(command.suffix.iter().flat_map(|suffix| &suffix.0));
    items
        .filter_map(|item| match item {
            ast::CommandPrefixOrSuffixItem::IoRedirect(redirect) => Some(redirect.clone()),
            _ => None,
        })
        .collect()
}

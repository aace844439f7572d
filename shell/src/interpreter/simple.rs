//! Simple commands: assignments, a builtin, a function or a program, with redirections.

use async_recursion::async_recursion;
use brush_parser::ast::{self, CommandPrefixOrSuffixItem as Item};
use cofferdam::kernel::{Errno, FileType, Kernel as _};

use super::stop::{Executed, Stop};
use super::variables::Variable;
use super::{Shell, builtins, redirect};

/// What a command's name means.
pub(super) enum Found {
    Special,
    Function(std::rc::Rc<ast::FunctionBody>),
    Builtin,
    /// The path of a program.
    Program(Vec<u8>),
    Nothing(Errno),
}

/// What was before the assignments in front of a command.
type Before = Vec<(Vec<u8>, Option<Variable>)>;

impl Shell {
    #[async_recursion(?Send)]
    pub(super) async fn simple(&mut self, command: &ast::SimpleCommand) -> Executed {
        if let Some(program) = self.expand_alias(command) {
            for list in &program.complete_commands {
                self.list(list).await?;
            }
            return Ok(self.status);
        }
        self.machine.forget_failures(&self.process);
        self.substitution_status = None;
        let words = self.words_of(command).await?;
        let redirects = redirect::of_command(command);
        let is_special = words.first().is_some_and(|name| builtins::is_special(name));
        let saved = match self.redirect(&redirects).await {
            Ok(saved) => saved,
            Err(Stop::Fatal(message)) if !is_special => {
                self.complain(&message).await;
                return Ok(2);
            }
            Err(stop) => return Err(stop),
        };
        if words.first().is_some_and(|name| name == b"exec") && words.len() == 1 {
            self.keep(saved);
            return self.assign_all(command, false).await.map(|_| 0);
        }
        let executed = self.assign_and_execute(command, words).await;
        // Messages go where the command's output goes.
        let executed = match executed {
            Err(Stop::Fatal(message)) => {
                self.complain(&message).await;
                Err(Stop::Error(2))
            }
            executed => executed,
        };
        self.restore(saved);
        executed
    }

    #[async_recursion(?Send)]
    async fn assign_and_execute(&mut self, command: &ast::SimpleCommand, words: Vec<Vec<u8>>) -> Executed {
        let Some(name) = words.first() else {
            let values = self.assign_all(command, false).await?;
            self.trace(&values, &[]).await?;
            return Ok(self.substitution_status.take().unwrap_or(0));
        };
        let name = name.clone();
        let found = self.find_command(&name);
        let lasts = matches!(found, Found::Special);
        let mut before = Before::new();
        if !lasts {
            for assignment in assignments(command) {
                let name = name_of(assignment)?;
                before.push((name.to_vec(), self.variables.variable(name).cloned()));
            }
        }
        let values = self.assign_all(command, !lasts).await;
        let executed = match values {
            Ok(values) => match self.trace(&values, &words).await {
                Ok(()) => self.execute(found, words).await,
                Err(stop) => Err(stop),
            },
            Err(stop) => Err(stop),
        };
        for (name, variable) in before.into_iter().rev() {
            self.variables.restore(&name, variable);
        }
        executed
    }

    #[async_recursion(?Send)]
    async fn execute(&mut self, found: Found, words: Vec<Vec<u8>>) -> Executed {
        let is_last = std::mem::take(&mut self.is_last) && self.traps.iter().next().is_none();
        match found {
            Found::Special | Found::Builtin => self.builtin(words).await,
            Found::Function(body) => self.call(&body, words.into_iter().skip(1).collect()).await,
            Found::Program(path) if is_last => Err(Stop::Exit(self.become_program(&path, &words).await)),
            Found::Program(path) => self.run_program(path, words).await,
            Found::Nothing(errno) => {
                let name = words.first().map(Vec::as_slice).unwrap_or_default();
                Ok(self.not_executed(name, errno).await)
            }
        }
    }

    /// Says why a program was not executed; gives the status.
    #[async_recursion(?Send)]
    pub(super) async fn not_executed(&mut self, name: &[u8], errno: Errno) -> i32 {
        let (status, reason) = match errno {
            Errno::ENOENT if name.is_empty() => (127, "Permission denied"),
            Errno::ENOENT | Errno::ENOTDIR => (127, "not found"),
            errno => (126, errno.description()),
        };
        self.complain(&[name, b": ", reason.as_bytes()].concat()).await;
        status
    }

    /// The words of a command, expanded: its name first.
    #[async_recursion(?Send)]
    async fn words_of(&mut self, command: &ast::SimpleCommand) -> Result<Vec<Vec<u8>>, Stop> {
        let Some(first) = &command.word_or_name else { return Ok(Vec::new()) };
        let mut words = self.fields(&first.value).await?;
        for item in command.suffix.iter().flat_map(|suffix| &suffix.0) {
            match item {
                Item::Word(word) => words.extend(self.fields(&word.value).await?),
                Item::AssignmentWord(assignment, word) => {
                    let is_declaration = words.first().is_some_and(|name| builtins::takes_assignments(name));
                    match &assignment.value {
                        ast::AssignmentValue::Array(_) => return Err(Stop::fatal("arrays are not simulated")),
                        ast::AssignmentValue::Scalar(_) if is_declaration => {
                            words.push(self.assignment_word(&word.value).await?);
                        }
                        ast::AssignmentValue::Scalar(_) => words.extend(self.fields(&word.value).await?),
                    }
                }
                Item::IoRedirect(_) => {}
                Item::ProcessSubstitution(..) => {
                    return Err(Stop::fatal("process substitution is not simulated: use a pipe or a file"));
                }
            }
        }
        Ok(words)
    }

    /// Does the assignments in front of a command; gives them as `name=value`.
    #[async_recursion(?Send)]
    async fn assign_all(&mut self, command: &ast::SimpleCommand, exports: bool) -> Result<Vec<Vec<u8>>, Stop> {
        let mut done = Vec::new();
        for assignment in assignments(command) {
            let name = name_of(assignment)?;
            let ast::AssignmentValue::Scalar(word) = &assignment.value else {
                return Err(Stop::fatal("arrays are not simulated"));
            };
            let mut value = self.assigned(&word.value).await?;
            if assignment.append {
                value = [self.variables.get(name).unwrap_or_default(), &value].concat();
            }
            done.push([name, b"=", &value].concat());
            self.set(name, value)?;
            if exports {
                self.variables.export(name);
            }
        }
        Ok(done)
    }

    /// `set -x`
    #[async_recursion(?Send)]
    async fn trace(&mut self, values: &[Vec<u8>], words: &[Vec<u8>]) -> Result<(), Stop> {
        if !self.options.has(b'x') {
            return Ok(());
        }
        let prompt = self.get("PS4").unwrap_or_default().to_vec();
        let prompt = self.document(&super::source::encode(&prompt)).await?;
        let line = values.iter().chain(words).map(Vec::as_slice).collect::<Vec<_>>().join(&b' ');
        self.write_error(&[&prompt, &line, &b"\n"[..]].concat()).await;
        Ok(())
    }

    /// What a command's name means.
    pub(super) fn find_command(&self, name: &[u8]) -> Found {
        if builtins::is_special(name) {
            return Found::Special;
        }
        if let Some(body) = self.functions.get(name) {
            return Found::Function(body.clone());
        }
        self.find_without_functions(name)
    }

    /// The same for `command NAME`.
    pub(super) fn find_without_functions(&self, name: &[u8]) -> Found {
        if builtins::is_builtin(name) {
            return Found::Builtin;
        }
        let path = self.get("PATH").unwrap_or_default().to_vec();
        match self.find_program(name, &path) {
            Ok(path) => Found::Program(path),
            Err(errno) => Found::Nothing(errno),
        }
    }

    /// The path of a program: as it is if it has a slash, looked for in `PATH` if not.
    ///
    /// # Errors
    ///
    /// `ENOENT`; `EACCES` if there are only files that can't be executed.
    pub(super) fn find_program(&self, name: &[u8], path: &[u8]) -> Result<Vec<u8>, Errno> {
        if name.contains(&b'/') {
            return Ok(name.to_vec());
        }
        if name.is_empty() {
            return Err(Errno::ENOENT);
        }
        let mut telling = Errno::ENOENT;
        for directory in path.split(|byte| *byte == b':') {
            let file = if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() };
            match self.stat(&file, true) {
                Ok(stat) if stat.file_type != FileType::Regular => telling = Errno::EACCES,
                // Who may execute it is the kernel's business.
                Ok(stat) if stat.mode.0 & 0o111 == 0 => telling = Errno::EACCES,
                Ok(_) => return Ok(file),
                Err(_) => {}
            }
        }
        Err(telling)
    }

    /// Executes a program as a child process.
    #[async_recursion(?Send)]
    pub(super) async fn run_program(&mut self, path: Vec<u8>, arguments: Vec<Vec<u8>>) -> Executed {
        let (pid, child) = self.fork()?;
        let (machine, process) = (child.machine.clone(), child.process.clone());
        machine.start(
            process,
            Box::pin(async move {
                let mut child = child;
                child.become_program(&path, &arguments).await
            }),
        );
        Ok(self.wait_for_foreground(pid).await)
    }

    /// Executes a program in the place of this shell. Gives its exit status, or that for an error.
    pub(super) async fn become_program(&mut self, path: &[u8], arguments: &[Vec<u8>]) -> i32 {
        self.unblock_signals();
        let environment = self.variables.environment();
        let executed = crate::programs::execute(&self.machine, &self.process, path, arguments, &environment).await;
        let executed = match executed {
            // A text without `#!` is a script of this shell.
            Err(Errno::ENOEXEC) => {
                let rest = arguments.iter().skip(1).cloned();
                let arguments: Vec<Vec<u8>> = [b"/bin/sh".to_vec(), path.to_vec()].into_iter().chain(rest).collect();
                crate::programs::execute(&self.machine, &self.process, b"/bin/sh", &arguments, &environment).await
            }
            executed => executed,
        };
        match executed {
            Ok(status) => status,
            Err(errno) => {
                let name = arguments.first().cloned().unwrap_or_default();
                self.not_executed(&name, errno).await
            }
        }
    }

    /// stat(2), or lstat(2).
    pub(super) fn stat(&self, path: &[u8], follows: bool) -> Result<cofferdam::kernel::Stat, Errno> {
        use cofferdam::kernel::{AtFlags, Fd};
        let flags = if follows { AtFlags::empty() } else { AtFlags::AT_SYMLINK_NOFOLLOW };
        self.process.statx(Fd::CWD, cofferdam::UnixPath::new(path), flags)
    }
}

fn assignments(command: &ast::SimpleCommand) -> impl Iterator<Item = &ast::Assignment> {
    command.prefix.iter().flat_map(|prefix| &prefix.0).filter_map(|item| match item {
        Item::AssignmentWord(assignment, _) => Some(assignment),
        _ => None,
    })
}

fn name_of(assignment: &ast::Assignment) -> Result<&[u8], Stop> {
    match &assignment.name {
        ast::AssignmentName::VariableName(name) => Ok(name.as_bytes()),
        ast::AssignmentName::ArrayElementName(..) => Err(Stop::fatal("arrays are not simulated")),
    }
}

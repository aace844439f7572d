//! Executing a program (`fs/exec.c`).

use std::sync::Arc;

use cofferdam::kernel::{Bytes, Fd, RlimitResource};

use super::program::{Format, check_interpreter};
use super::{Memory, OpenFileKind, RlimitValue, Task};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Content, InodeKind};
use crate::linux::Linux;
use crate::mount::{MntFlags, Path};
use crate::namespace::UserNamespace;
use crate::walk::{Access, LookupFlags};

/// How long an argument may be, with the NUL at its end (`MAX_ARG_STRLEN`).
const MAX_ARGUMENT: usize = 32 * 4096;

/// What arguments and environment may have, whatever the limit of the stack is (`ARG_MAX`).
const MIN_SPACE: u64 = 131_072;

/// What they may have at most (`_STK_LIM / 4 * 3`).
const MAX_SPACE: u64 = 6 * 1024 * 1024;

/// How many interpreters of interpreters there may be.
const MAX_DEPTH: usize = 5;

/// How much of a name is kept (`TASK_COMM_LEN`, without the NUL).
const MAX_NAME: usize = 15;

/// The arguments of a program, and the room that is left for them (`struct linux_binprm`).
struct Arguments {
    strings: Vec<Bytes>,
    space: u64,
}

impl Arguments {
    /// Takes room for a string.
    fn charge(&mut self, string: &[u8]) -> Result<(), Failure> {
        if string.len() >= MAX_ARGUMENT {
            return Err(fail!(
                E2BIG,
                "copy_strings()",
                "an argument or a variable of the environment has 128 KiB or more"
            ));
        }
        self.space = self.space.checked_sub(string.len() as u64 + 1).ok_or(fail!(
            E2BIG,
            "copy_strings()",
            "arguments and environment are longer than a quarter of RLIMIT_STACK, or 6 MiB"
        ))?;
        Ok(())
    }

    /// Takes the first argument away.
    fn remove_first(&mut self) {
        let first = self.strings.remove(0);
        self.space += first.0.len() as u64 + 1;
    }

    fn insert_first(&mut self, string: &[u8]) -> Result<(), Failure> {
        self.charge(string)?;
        self.strings.insert(0, string.into());
        Ok(())
    }
}

/// A program that can be executed.
struct Loaded {
    executable: Path,
    interpreter: Option<Path>,
}

impl Linux {
    /// Executes a program, as far as that has to do with files and privileges: the process then has its name, arguments and
    /// credentials, and does what the next calls say (`do_execveat_common()`).
    ///
    /// # Errors
    ///
    /// Those of execve(2).
    pub(crate) fn execute(
        &mut self,
        task: Id<Task>,
        path: &[u8],
        argv: &[Bytes],
        envp: &[Bytes],
    ) -> Result<(), Failure> {
        if argv.iter().chain(envp).any(|string| string.0.contains(&0)) {
            return Err(fail!(
                EINVAL,
                "copy_strings()",
                "an argument or a variable of the environment contains a NUL, which is where strings end"
            ));
        }
        self.check_process_count_of_user(task)?;
        let file = self.open_program(task, path)?;
        let mut arguments = self.arguments(task, path, argv, envp)?;
        let loaded = self.load(task, path, file, &mut arguments)?;
        let base = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let memory = Memory {
            executable: Some(loaded.executable),
            interpreter: loaded.interpreter,
            name: base[..base.len().min(MAX_NAME)].into(),
            arguments: Arc::new(arguments.strings),
            environment: Arc::new(envp.to_vec()),
        };
        self.begin_program(task, memory, &loaded);
        Ok(())
    }

    /// A process that became a user with too many processes executes nothing while they are too many.
    fn check_process_count_of_user(&mut self, task: Id<Task>) -> Result<(), Failure> {
        let object = &self.tasks[task];
        let user = (object.credentials.user_namespace, object.credentials.uid);
        if object.has_too_many_processes && self.has_too_many_processes(task, user, 0) {
            return Err(fail!(
                EAGAIN,
                "do_execveat_common()",
                "the process became a user who has more processes than RLIMIT_NPROC allows, and still has"
            ));
        }
        self.tasks[task].has_too_many_processes = false;
        Ok(())
    }

    /// The file of a program (`do_open_execat()`, `may_open()`).
    fn open_program(&mut self, task: Id<Task>, path: &[u8]) -> Result<Path, Failure> {
        let file = self.lookup(task, Fd::CWD, path, LookupFlags::FOLLOW)?;
        let mount = &self.mounts[file.mount];
        let inode = self.dentries[file.dentry].inode;
        if matches!(self.inodes[inode].kind, InodeKind::Symlink(_)) {
            return Err(fail!(ELOOP, "may_open()", "a magic link leads to a symbolic link, which is no program"));
        }
        if !matches!(self.inodes[inode].kind, InodeKind::Regular(_)) {
            return Err(fail!(EACCES, "may_open()", "the program is no regular file"));
        }
        if mount.flags.contains(MntFlags::NOEXEC) {
            return Err(fail!(EACCES, "path_noexec()", "the program is on a mount with noexec"));
        }
        if self.superblocks[mount.superblock].no_programs {
            return Err(fail!(EACCES, "path_noexec()", "the program is in a filesystem that has none (SB_I_NOEXEC)"));
        }
        self.inode_permission(task, file.mount, inode, Access::EXECUTE)?;
        // Who writes to a file of an overlay writes to that of the layer as well.
        let is_being_written = self.files.iter().any(|(_, open)| {
            let written = self.dentries[open.path.dentry].inode;
            open.can_write
                && matches!(open.kind, OpenFileKind::Plain)
                && (written == inode || self.content_inode(written) == inode)
        });
        if is_being_written {
            return Err(fail!(ETXTBSY, "deny_write_access()", "the program is open for writing"));
        }
        Ok(file)
    }

    /// What is in the file of a program.
    pub(crate) fn program_content(&self, file: Path) -> Arc<Content> {
        match &self.inodes[self.content_inode(self.dentries[file.dentry].inode)].kind {
            InodeKind::Regular(content) => content.clone(),
            _ => Arc::default(),
        }
    }

    /// Arguments and environment, if there is room for them (`bprm_stack_limits()`, `copy_strings()`).
    fn arguments(&self, task: Id<Task>, path: &[u8], argv: &[Bytes], envp: &[Bytes]) -> Result<Arguments, Failure> {
        let stack = self.tasks[task].limits.soft(RlimitResource::RLIMIT_STACK).value();
        let space = MAX_SPACE.min(stack / 4).max(MIN_SPACE);
        let pointers = (argv.len().max(1) + envp.len()) as u64 * 8;
        let space = space.checked_sub(pointers).filter(|space| *space > 0).ok_or(fail!(
            E2BIG,
            "bprm_stack_limits()",
            "the pointers to arguments and environment alone are longer than a quarter of RLIMIT_STACK, or 6 MiB"
        ))?;
        let mut arguments = Arguments { strings: argv.to_vec(), space };
        for string in [path].into_iter().chain(envp.iter().chain(argv).map(|string| &string.0[..])) {
            arguments.charge(string)?;
        }
        if argv.is_empty() {
            arguments.insert_first(b"")?;
        }
        Ok(arguments)
    }

    /// Finds the program that interprets a file, or is it (`exec_binprm()`).
    fn load(&mut self, task: Id<Task>, path: &[u8], file: Path, arguments: &mut Arguments) -> Result<Loaded, Failure> {
        let (mut name, mut file) = (path.to_vec(), file);
        for _ in 0..=MAX_DEPTH {
            match Format::of(&self.program_content(file))? {
                Format::Elf { interpreter } => {
                    let interpreter = interpreter.map(|path| self.open_interpreter(task, &path)).transpose()?;
                    if let Some(interpreter) = interpreter {
                        check_interpreter(&self.program_content(interpreter))?;
                    }
                    return Ok(Loaded { executable: file, interpreter });
                }
                Format::Script { interpreter, argument } => {
                    arguments.remove_first();
                    arguments.insert_first(&name)?;
                    if let Some(argument) = argument {
                        arguments.insert_first(&argument)?;
                    }
                    arguments.insert_first(&interpreter)?;
                    file = self.open_interpreter(task, &interpreter)?;
                    name = interpreter;
                }
            }
        }
        Err(fail!(ELOOP, "exec_binprm()", "scripts are interpreted by scripts more than 5 deep"))
    }

    /// The file of an interpreter (`open_exec()`).
    fn open_interpreter(&mut self, task: Id<Task>, path: &[u8]) -> Result<Path, Failure> {
        if path.is_empty() {
            return Err(fail!(
                EACCES,
                "may_open()",
                "the path of the interpreter is empty: the working directory, which is no program"
            ));
        }
        self.open_program(task, path)
    }

    /// What can't fail any more (`begin_new_exec()`).
    fn begin_program(&mut self, task: Id<Task>, memory: Memory, loaded: &Loaded) {
        let (credentials, is_privileged) = self.credentials_of_program(task, loaded.executable);
        let own = self.tasks[task].credentials.user_namespace;
        let (namespace, is_readable) = self.namespace_of_memory(task, loaded, own);
        // Before descriptors are closed: the program may be on a mount that one of them alone keeps.
        self.memory_get(&memory, namespace);
        self.unshare_descriptors(task);
        self.close_on_exec(self.tasks[task].files);
        let object = &mut self.tasks[task];
        let old_memory = std::mem::replace(&mut object.memory, memory);
        let old_namespace = std::mem::replace(&mut object.memory_namespace, namespace);
        let mut namespaces = object.namespaces;
        // By the credentials of before.
        let Task { credentials: ref old, .. } = *object;
        object.is_dumpable = is_readable && old.effective_uid == old.uid && old.effective_gid == old.gid;
        if is_privileged {
            object.parent_death_signal = None;
        }
        self.memory_put(&old_memory, old_namespace);
        self.enter_time_namespace(&mut namespaces);
        self.tasks[task].namespaces = namespaces;
        self.commit_credentials(task, credentials);
    }

    /// The user namespace of the new memory, and whether the process could read all that is in there.
    fn namespace_of_memory(
        &self,
        task: Id<Task>,
        loaded: &Loaded,
        own: Id<UserNamespace>,
    ) -> (Id<UserNamespace>, bool) {
        let (mut namespace, mut is_readable) = (own, true);
        for file in loaded.interpreter.iter().chain([&loaded.executable]) {
            if let Some(above) = self.namespace_of_unreadable(task, *file, namespace) {
                (namespace, is_readable) = (above, false);
            }
        }
        (namespace, is_readable)
    }

    /// Gives a process a table of descriptors of its own (`unshare_fd()`).
    pub(crate) fn unshare_descriptors(&mut self, task: Id<Task>) {
        let files = self.tasks[task].files;
        if self.fd_tables[files].references > 1 {
            let copy = self.copy_descriptors(files);
            self.tasks[task].files = copy;
            self.descriptors_put(files);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use cofferdam::kernel::{Errno, Mode, OpenFlags, OpenHow, Prctl};
    use rstest::rstest;

    use super::*;
    use crate::process::PROGRAM;

    /// Makes a file that everybody may read and execute.
    pub(crate) fn make_program(linux: &mut Linux, path: &[u8], content: &[u8]) {
        make_file(linux, path, content, 0o755);
    }

    fn make_file(linux: &mut Linux, path: &[u8], content: &[u8], mode: u32) {
        let init = linux.init();
        let flags = OpenFlags::O_CREAT | OpenFlags::O_EXCL | OpenFlags::O_WRONLY;
        let how = OpenHow { flags, mode: Mode(0o600), ..OpenHow::default() };
        let fd = linux.openat2(init, Fd::CWD, path, how).unwrap();
        assert_eq!(linux.write(init, fd, content), Ok(content.len()));
        linux.fchmod(init, fd, Mode(mode)).unwrap();
        linux.close(init, fd).unwrap();
    }

    fn execute(linux: &mut Linux, path: &str) -> Result<(), Errno> {
        let init = linux.init();
        linux.execute(init, path.as_bytes(), &["zero".into(), "one".into()], &["A=b".into()]).map_err(Failure::errno)
    }

    fn arguments(linux: &Linux) -> Vec<String> {
        linux.tasks[linux.init()]
            .memory
            .arguments
            .iter()
            .map(|argument| String::from_utf8(argument.0.clone()).unwrap())
            .collect()
    }

    #[test]
    fn a_program_is_executed_with_its_arguments() {
        let mut linux = Linux::new();
        make_program(&mut linux, b"/program", PROGRAM);
        assert_eq!(execute(&mut linux, "/program"), Ok(()));
        assert_eq!(arguments(&linux), ["zero", "one"]);
        assert_eq!(linux.tasks[linux.init()].memory.name, "program".into());
        linux.check().unwrap();
    }

    #[test]
    fn a_script_is_executed_by_its_interpreter() {
        let mut linux = Linux::new();
        make_program(&mut linux, b"/program", PROGRAM);
        make_program(&mut linux, b"/inner", b"#!/program -x  y \n");
        make_program(&mut linux, b"/outer", b"#! ./inner\n");
        assert_eq!(execute(&mut linux, "/outer"), Ok(()));
        assert_eq!(arguments(&linux), ["/program", "-x  y", "./inner", "/outer", "one"]);
        assert_eq!(linux.tasks[linux.init()].memory.name, "outer".into());
    }

    #[test]
    fn without_arguments_there_is_an_empty_one() {
        let mut linux = Linux::new();
        make_program(&mut linux, b"/program", PROGRAM);
        let init = linux.init();
        assert_eq!(linux.execute(init, b"/program", &[], &[]), Ok(()));
        assert_eq!(arguments(&linux), [""]);
    }

    #[test]
    fn interpreters_can_be_nested_five_deep() {
        let mut linux = Linux::new();
        make_program(&mut linux, b"/0", PROGRAM);
        for depth in 1..=6 {
            let (path, content) = (format!("/{depth}"), format!("#!/{}\n", depth - 1));
            make_program(&mut linux, path.as_bytes(), content.as_bytes());
        }
        assert_eq!(execute(&mut linux, "/5"), Ok(()));
        assert_eq!(execute(&mut linux, "/6"), Err(Errno::ELOOP));
    }

    #[rstest]
    #[case("/missing", Err(Errno::ENOENT))]
    #[case("", Err(Errno::ENOENT))]
    #[case("/program/", Err(Errno::ENOTDIR))]
    #[case("/", Err(Errno::EACCES))]
    #[case("/plain", Err(Errno::EACCES))]
    #[case("/empty", Err(Errno::ENOEXEC))]
    #[case("/text", Err(Errno::ENOEXEC))]
    #[case("/lost", Err(Errno::ENOENT))]
    #[case("/nameless", Err(Errno::EACCES))]
    #[case("/odd", Err(Errno::EACCES))]
    fn what_is_no_program(#[case] path: &str, #[case] expected: Result<(), Errno>) {
        let mut linux = Linux::new();
        make_program(&mut linux, b"/program", PROGRAM);
        make_file(&mut linux, b"/plain", PROGRAM, 0o644);
        make_program(&mut linux, b"/empty", b"");
        make_program(&mut linux, b"/text", b"echo");
        make_program(&mut linux, b"/lost", b"#!/missing\n");
        make_program(&mut linux, b"/nameless", b"#!");
        make_program(&mut linux, b"/odd", b"#!/plain\n");
        assert_eq!(execute(&mut linux, path), expected);
        linux.check().unwrap();
    }

    #[test]
    fn arguments_can_be_too_long() {
        let mut linux = Linux::new();
        make_program(&mut linux, b"/program", PROGRAM);
        let init = linux.init();
        let long = |length| vec![Bytes::from("x".repeat(length))];
        assert_eq!(linux.execute(init, b"/program", &long(131_071), &[]), Ok(()));
        assert_eq!(linux.execute(init, b"/program", &long(131_072), &[]).map_err(Failure::errno), Err(Errno::E2BIG));
        // 2 MiB, a quarter of the stack, are for all together.
        let many = |count| vec![Bytes::from("x".repeat(131_071)); count];
        assert_eq!(linux.execute(init, b"/program", &many(15), &[]), Ok(()));
        assert_eq!(linux.execute(init, b"/program", &many(8), &many(8)).map_err(Failure::errno), Err(Errno::E2BIG));
        assert_eq!(linux.execute(init, b"/program", &["a\0b".into()], &[]).map_err(Failure::errno), Err(Errno::EINVAL));
    }

    #[test]
    fn a_file_that_is_written_is_not_executed() {
        let mut linux = Linux::new();
        make_program(&mut linux, b"/program", PROGRAM);
        let init = linux.init();
        let how = OpenHow { flags: OpenFlags::O_WRONLY, ..OpenHow::default() };
        let fd = linux.openat2(init, Fd::CWD, b"/program", how).unwrap();
        assert_eq!(execute(&mut linux, "/program"), Err(Errno::ETXTBSY));
        linux.close(init, fd).unwrap();
        assert_eq!(execute(&mut linux, "/program"), Ok(()));
    }

    #[test]
    fn descriptors_are_closed_that_say_so() {
        let mut linux = Linux::new();
        make_program(&mut linux, b"/program", PROGRAM);
        let init = linux.init();
        let mut open = |flags| linux.openat2(init, Fd::CWD, b"/", OpenHow { flags, ..OpenHow::default() }).unwrap();
        let (kept, closed) = (open(OpenFlags::empty()), open(OpenFlags::O_CLOEXEC));
        assert_eq!(execute(&mut linux, "/program"), Ok(()));
        assert_eq!(linux.close(init, kept), Ok(()));
        assert_eq!(linux.close(init, closed).map_err(Failure::errno), Err(Errno::EBADF));
    }

    #[test]
    fn the_set_user_id_bit_counts_unless_nothing_may_be_gained() {
        let user_of = |mode, no_new_privileges| {
            let mut linux = Linux::new();
            let init = linux.init();
            make_file(&mut linux, b"/program", PROGRAM, mode);
            linux.setresuid(init, 1000, 1000, 1000).unwrap();
            if no_new_privileges {
                linux.prctl(init, Prctl::SetNoNewPrivileges).unwrap();
            }
            assert_eq!(execute(&mut linux, "/program"), Ok(()));
            linux.geteuid(init)
        };
        assert_eq!(user_of(0o4755, false), Ok(0));
        assert_eq!(user_of(0o0755, false), Ok(1000));
        assert_eq!(user_of(0o4755, true), Ok(1000));
    }
}

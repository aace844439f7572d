//! The programs of the simulated machine: a file per program, or per family.
//!
//! A program is a file of the simulated machine that the simulated kernel can execute, with its name at the end; so it is
//! found, or not, as a real one is: in the directories of `PATH`, below the root directory of the process.

use cofferdam::UnixPath;
use cofferdam::kernel::{Bytes, Errno, Kernel as _};
use cofferdam_vfs_sim::Process;

use crate::execution::{Execution, strings};
use crate::machine::{Machine, Work};

/// A program.
pub(crate) type Program = fn(Execution) -> Work<'static>;

macro_rules! programs {
    ($($(#[$attribute:meta])* $name:literal => $path:path;)*) => {
        /// All programs, by name.
        pub(crate) const PROGRAMS: &[(&str, Program)] = &[
            $($(#[$attribute])* ($name, |execution| Box::pin(async move {
                let mut execution = execution;
                let status = $path(&mut execution).await;
                finish(execution, status).await
            })),)*
        ];
    };
}

mod awk;
mod basic;
mod cat;
mod chroot;
mod cmp;
mod cp;
mod cut;
mod date;
mod dd;
mod df;
mod diff;
mod directories;
mod du;
pub(crate) mod echo;
mod environment;
mod escape;
mod expr;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod file_comparison;
mod find;
mod findmnt;
mod float;
mod grep;
mod head;
mod identity;
mod install;
mod kill;
mod lines;
mod links;
mod ln;
mod ls;
mod mount;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod mounted;
mod mountpoint;
mod mounts;
mod mv;
mod names;
mod nodes;
mod nsenter;
mod ownership;
mod permissions;
mod pivot_root;
pub(crate) mod printf;
mod ps;
mod pwd;
mod regular_expression;
mod rm;
mod sed;
mod sleep;
mod sort;
mod stat;
mod support;
mod tac;
pub(crate) mod test;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod text_comparison;
mod timeout;
mod touch;
mod tr;
mod truncate;
mod umount;
mod uniq;
mod unshare;
mod util_linux;
mod utility;
mod wc;
mod which;
mod xargs;

programs! {
    "[" => test::test;
    "awk" => awk::awk;
    "basename" => names::basename;
    "bash" => crate::interpreter::program::sh;
    "busybox" => basic::busybox;
    "cat" => cat::cat;
    "chgrp" => ownership::chgrp;
    "chmod" => permissions::chmod;
    "chown" => ownership::chown;
    "chroot" => chroot::chroot;
    "cmp" => cmp::cmp;
    "cofferdam" => mounts::cofferdam;
    "comm" => uniq::comm;
    "cp" => cp::cp;
    "cut" => cut::cut;
    "dash" => crate::interpreter::program::sh;
    "date" => date::date;
    "dd" => dd::dd;
    "df" => df::df;
    "diff" => diff::diff;
    "dirname" => names::dirname;
    "du" => du::du;
    "echo" => echo::echo;
    "egrep" => grep::egrep;
    "env" => environment::env;
    "expr" => expr::expr;
    "false" => basic::fail;
    "fgrep" => grep::fgrep;
    "find" => find::find;
    "findmnt" => findmnt::findmnt;
    "grep" => grep::grep;
    "head" => head::head;
    "hostname" => identity::hostname;
    "id" => identity::id;
    "install" => install::install;
    "kill" => kill::kill;
    "ln" => ln::ln;
    "ls" => ls::ls;
    "mawk" => awk::awk;
    "md5sum" => tac::md5sum;
    "mkdir" => directories::mkdir;
    "mkfifo" => nodes::mkfifo;
    "mknod" => nodes::mknod;
    "mktemp" => names::mktemp;
    "mount" => mount::mount;
    "mountpoint" => mountpoint::mountpoint;
    "mv" => mv::mv;
    "nohup" => timeout::nohup;
    "nproc" => identity::nproc;
    "nsenter" => nsenter::nsenter;
    "paste" => cut::paste;
    "pivot_root" => pivot_root::pivot_root;
    "printenv" => environment::printenv;
    "printf" => printf::printf;
    "ps" => ps::ps;
    "pwd" => pwd::pwd;
    "readlink" => links::readlink;
    "realpath" => links::realpath;
    "rev" => tac::rev;
    "rm" => rm::rm;
    "rmdir" => directories::rmdir;
    "sed" => sed::sed;
    "seq" => environment::seq;
    "sh" => crate::interpreter::program::sh;
    "sha256sum" => tac::sha256sum;
    "sleep" => sleep::sleep;
    "sort" => sort::sort;
    "stat" => stat::stat;
    "switch_root" => pivot_root::switch_root;
    "sync" => basic::sync;
    "tac" => tac::tac;
    "tail" => head::tail;
    "tee" => cat::tee;
    "test" => test::test;
    "timeout" => timeout::timeout;
    "touch" => touch::touch;
    "tr" => tr::tr;
    "true" => basic::succeed;
    "truncate" => truncate::truncate;
    "tty" => identity::tty;
    "umount" => umount::umount;
    "uname" => identity::uname;
    "uniq" => uniq::uniq;
    "unshare" => unshare::unshare;
    "wc" => wc::wc;
    "which" => which::which;
    "whoami" => identity::whoami;
    "xargs" => xargs::xargs;
    "yes" => environment::yes;
}

/// Writes what a program has printed, as the C library does when it ends.
async fn finish(mut execution: Execution, status: i32) -> i32 {
    match execution.flush().await {
        Ok(()) | Err(Errno::EPIPE) => status,
        Err(errno) => {
            execution.complain(format!("write error: {}", errno.description())).await;
            1
        }
    }
}

/// The program of this name.
pub(crate) fn program(name: &str) -> Option<Program> {
    PROGRAMS.iter().find(|(known, _)| *known == name).map(|(_, program)| *program)
}

/// What the program does that a process has executed, with what it was given; none if it is none that anybody knows.
pub(crate) fn executed(machine: &Machine, process: &Process) -> Option<Work<'static>> {
    let linux = process.linux();
    let task = linux.task(process.task())?;
    let program_name = task.program_name()?;
    let copies = |strings: &[Bytes]| strings.iter().map(|string| string.0.clone()).collect::<Vec<_>>();
    let (arguments, environment) = (copies(task.arguments()), copies(task.environment()));
    drop(linux);
    let name = arguments.first().cloned().unwrap_or_default();
    let execution = Execution::new(machine.clone(), process.clone(), arguments, environment, name);
    Some(program(&program_name).unwrap_or(not_simulated)(execution))
}

/// What becomes of a program of a sample host of which nobody knows what it does.
fn not_simulated(mut execution: Execution) -> Work<'static> {
    Box::pin(async move {
        execution.complain("this program is not simulated").await;
        126
    })
}

/// Executes a program as a process, and comes to its exit status.
///
/// # Errors
///
/// Those of execve(2).
pub(crate) async fn execute(
    machine: &Machine,
    process: &Process,
    path: &[u8],
    arguments: &[Vec<u8>],
    environment: &[Vec<u8>],
) -> Result<i32, Errno> {
    process.execve(UnixPath::new(path), &strings(arguments), &strings(environment))?;
    // A program that is none of ours does what it does on the simulated kernel: it ends at once.
    let Some(work) = executed(machine, process) else { return Ok(0) };
    Ok(work.await)
}

/// Executes a program that is looked for in `PATH` if its name has no slash (execvp(3)).
///
/// # Errors
///
/// Those of execve(2): the most telling one, if several files were tried.
pub(crate) async fn execute_in_path(
    machine: &Machine,
    process: &Process,
    path: &[u8],
    arguments: &[Vec<u8>],
    environment: &[Vec<u8>],
) -> Result<i32, Errno> {
    let name = arguments.first().map(Vec::as_slice).unwrap_or_default();
    if name.is_empty() || name.contains(&b'/') {
        return execute(machine, process, name, arguments, environment).await;
    }
    let mut telling = Errno::ENOENT;
    for directory in path.split(|byte| *byte == b':') {
        let file = if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() };
        match execute(machine, process, &file, arguments, environment).await {
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(Errno::EACCES) => telling = Errno::EACCES,
            result => return result,
        }
    }
    Err(telling)
}

#[cfg(test)]
mod tests {
    use crate::testing::Trial;

    #[test]
    fn programs_are_found_and_executed() {
        let trial = Trial::new();
        assert_eq!(trial.run("true"), (0, String::new(), String::new()));
        assert_eq!(trial.run("/bin/false"), (1, String::new(), String::new()));
    }
}

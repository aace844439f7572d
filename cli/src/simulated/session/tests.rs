//! Programs that do something, as those of a user do.

use std::rc::Rc;

use cofferdam::checkpoint;
use cofferdam::kernel::{AtFlags, Fd};
use cofferdam_shell::{Input, Stream};

use super::*;
use crate::arguments::{Command, parse_from};
use crate::simulated::programs::ShellPrograms;

/// Nobody knows what a program does.
struct NoPrograms;

impl Programs for NoPrograms {
    fn run(&self, _: &Machine, _: &Process) -> Option<i32> {
        None
    }
}

/// What is printed.
#[derive(Clone, Default)]
struct Output(Rc<RefCell<Vec<u8>>>);

impl Console for Output {
    fn write(&mut self, _: Stream, text: &[u8]) {
        self.0.borrow_mut().extend_from_slice(text);
    }

    fn read(&mut self) -> Input {
        Input::End
    }
}

/// Runs a program in a container of the sample root filesystem with a volume.
fn run(programs: &dyn Programs, command: &[&str]) -> (Session, i32, String) {
    let line = "cofferdam run --sim --rootfs /srv/busybox --persistent-volume web/db:data --env A=b --";
    let Ok(Command::Run(arguments)) = parse_from(line.split(' ').chain(command.iter().copied())) else {
        panic!("not run")
    };
    let output = Output::default();
    let users = crate::simulated::users::Users::read(&Process::init(Machine::boot())).unwrap();
    let (console, users) = (Box::new(output.clone()), Rc::new(users));
    let session = Session::start(Machine::boot(), console, users, "/usr/bin/cofferdam".into()).unwrap();
    let status = session.run(programs, &arguments, &arguments.container.agent.agent().unwrap()).unwrap();
    session.init().linux().check().unwrap();
    let output = String::from_utf8(output.0.take()).unwrap();
    (session, status, output)
}

/// Runs commands of the shell in such a container.
fn sh(commands: &str) -> (Session, i32, String) {
    run(&ShellPrograms, &["sh", "-c", commands])
}

#[test]
fn a_program_is_carried_out_where_it_is_executed() {
    let (session, status, output) = sh("echo hello >> data/log; echo $A $$ $(pwd); mount | grep -c ' on /sys'; exit 7");
    assert_eq!((status, &output[..]), (7, "b 2 /mnt/mesos/sandbox\n3\n"));
    assert!(session.begun().unwrap().was_carried_out);
    let log = checkpoint::read(session.init(), UnixPath::new("/var/lib/cofferdam/volumes/roles/web/db/log"));
    assert_eq!(log.unwrap(), b"hello\n");
}

#[test]
fn what_is_not_known_does_nothing() {
    let (session, status, _) = run(&NoPrograms, &["/bin/true"]);
    assert_eq!(status, 0);
    assert!(!session.begun().unwrap().was_carried_out);
}

#[test]
fn a_signal_ends_a_program() {
    assert_eq!(sh("kill -9 $$; echo alive").1, 128 + 9);
}

/// More than pipes hold.
#[test]
fn output_is_passed_on_as_it_is_written() {
    let (_, status, output) = sh("for i in 1 2 3; do printf %65536d $i; printf %65536d $i >&2; done; printf end");
    assert_eq!(status, 0);
    assert_eq!(output.len(), 6 * 65536 + 3);
    assert!(output.ends_with("3end"));
}

/// What a program executes is its own business, and does not begin as the container's program.
#[test]
fn what_a_program_executes_is_not_the_containers_program() {
    let (session, status, output) = sh("ls /mnt; exec ls data");
    assert_eq!((status, &output[..]), (0, "mesos\n"));
    assert_eq!(session.begun().unwrap().path, "/bin/sh".into());
}

/// The report is about the beginning, whatever the program does.
#[test]
fn the_beginning_is_kept() {
    let (session, _, _) = sh("mkdir new; cd /");
    let process = session.begun().unwrap().process().unwrap();
    assert_eq!(process.statx(Fd::CWD, UnixPath::new("new"), AtFlags::empty()), Err(Errno::ENOENT));
    assert_eq!(process.getcwd(), Ok("/mnt/mesos/sandbox".into()));
}

/// The masks hold, and the way out is closed, for what the program does as for what is tried.
#[test]
fn a_program_does_not_get_out() {
    let (_, status, output) = sh("umount /proc/keys; echo $?; echo 1 > /proc/sys/kernel/hostname; ls /proc/1/root/");
    assert_ne!(status, 0);
    let expected = [
        "umount: /proc/keys: must be superuser to unmount.",
        "32",
        "sh: 1: cannot create /proc/sys/kernel/hostname: Read-only file system",
        "ls: cannot access '/proc/1/root/': Permission denied",
    ];
    assert_eq!(output.lines().collect::<Vec<_>>(), expected);
}

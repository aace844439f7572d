//! Programs that do something, as those of a test do.

use std::rc::Rc;

use cofferdam::checkpoint;
use cofferdam::kernel::{AtFlags, Signal};
use cofferdam_vfs_sim::sample;

use super::*;
use crate::arguments::{Command, parse_from};

type Body = dyn Fn(&dyn Kernel, &UnixPath, &[Bytes], &[Bytes]) -> Option<i32>;

struct Does(Box<Body>);

impl Programs for Does {
    fn run(&self, process: &dyn Kernel, path: &UnixPath, argv: &[Bytes], envp: &[Bytes]) -> Option<i32> {
        (self.0)(process, path, argv, envp)
    }
}

/// What is printed.
#[derive(Clone, Default)]
struct Output(Rc<RefCell<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(text)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs a program in a container of the sample root filesystem with a volume.
fn run(
    command: &str,
    program: impl Fn(&dyn Kernel, &UnixPath, &[Bytes], &[Bytes]) -> Option<i32> + 'static,
) -> (Session, i32, Output) {
    let line = "cofferdam run --sim --rootfs /srv/busybox --persistent-volume web/db:data --env A=b --";
    let Ok(Command::Run(arguments)) = parse_from(line.split(' ').chain(command.split(' '))) else { panic!("not run") };
    let output = Output::default();
    let session = Session::start(sample::host(), Box::new(output.clone()), Box::new(output.clone())).unwrap();
    let status = session.run(&Does(Box::new(program)), &arguments).unwrap();
    session.init.linux().check().unwrap();
    (session, status, output)
}

#[test]
fn a_program_is_carried_out_where_it_is_executed() {
    let (session, status, _) = run("sh -c x", |process, path, argv, envp| {
        assert_eq!((path, argv), (UnixPath::new("/bin/sh"), &["sh", "-c", "x"].map(Bytes::from)[..]));
        assert!(envp.contains(&"A=b".into()), "{envp:?}");
        assert_eq!(process.getpid(), Ok(Pid(2)));
        assert_eq!(process.getcwd(), Ok("/mnt/mesos/sandbox".into()));
        checkpoint::write(process, UnixPath::new("data/log"), b"hello\n", Mode(0o644)).unwrap();
        Some(7)
    });
    assert_eq!(status, 7);
    assert!(session.begun().unwrap().was_carried_out);
    let log = checkpoint::read(&session.init, UnixPath::new("/var/lib/cofferdam/volumes/roles/web/db/log"));
    assert_eq!(log.unwrap(), b"hello\n");
}

#[test]
fn what_is_not_known_does_nothing() {
    let (session, status, _) = run("/bin/true", |_, _, _, _| None);
    assert_eq!(status, 0);
    assert!(!session.begun().unwrap().was_carried_out);
}

#[test]
fn a_signal_ends_a_program() {
    let (_, status, _) = run("sh", |process, _, _, _| {
        process.kill(process.getpid().unwrap(), Signal::KILL).unwrap();
        assert_eq!(process.getpid(), Err(Errno::ESRCH));
        Some(0)
    });
    assert_eq!(status, 128 + 9);
}

/// More than pipes hold.
#[test]
fn output_is_passed_on_as_it_is_written() {
    let (_, status, output) = run("sh", |process, _, _, _| {
        for fd in [Fd::STDOUT, Fd::STDERR].repeat(8) {
            assert_eq!(process.write(fd, &[b'x'; 1 << 14]), Ok(1 << 14));
        }
        process.write(Fd::STDOUT, b"end").unwrap();
        Some(0)
    });
    assert_eq!(status, 0);
    let output = output.0.borrow();
    assert_eq!(output.len(), (1 << 18) + 3);
    assert!(output.ends_with(b"xend"));
}

/// What a program executes is its own business, and does not begin as the container's program.
#[test]
fn what_a_program_executes_is_not_the_containers_program() {
    let (session, status, _) = run("sh", |process, _, _, _| {
        let ls = UnixPath::new("/bin/ls");
        let child = process.clone3(CloneFlags::empty(), &mut |child| match child.execve(ls, &["ls".into()], &[]) {
            Ok(()) => 3,
            Err(_) => 4,
        });
        let ended = process.wait4(child.unwrap(), WaitOptions::empty()).unwrap();
        assert_eq!(ended.map(|(_, status)| cofferdam::launch::exit_status(status)), Some(3));
        Some(0)
    });
    assert_eq!(status, 0);
    assert_eq!(session.begun().unwrap().path, "/bin/sh".into());
}

/// The report is about the beginning, whatever the program does.
#[test]
fn the_beginning_is_kept() {
    let (session, _, _) = run("sh", |process, _, _, _| {
        process.mkdirat(Fd::CWD, UnixPath::new("new"), Mode(0o755)).unwrap();
        Some(0)
    });
    let process = session.begun().unwrap().process().unwrap();
    assert_eq!(process.statx(Fd::CWD, UnixPath::new("new"), AtFlags::empty()), Err(Errno::ENOENT));
    assert_eq!(process.getcwd(), Ok("/mnt/mesos/sandbox".into()));
}

//! Lives of processes at random: after each call everything hangs together.

use crate::linux::Linux;
use crate::process::{PROGRAM, make_program};
use cofferdam::kernel::{
    Bytes, Call, CloneFlags, Fd, MountFlags, OpenFlags, OpenHow, Pid, Prctl, Signal, SignalAction, SignalMaskHow,
    SignalSet, UmountFlags, WaitOptions,
};

/// Numbers that look random, always the same (`xorshift64*`).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end
    }

    fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()].clone()
    }
}

const FLAGS: [u64; 14] = [
    0,
    0,
    0x200,
    0x400,
    0x600,
    0x2_0000,
    0x1000_0000,
    0x1002_0000,
    0x2000_0000,
    0x3000_0000,
    0x4E00_0080,
    0x7E02_0000,
    0x80,
    0x1000,
];

fn call(numbers: &mut Numbers) -> Call {
    let flags = CloneFlags::from_bits_retain(numbers.one_of(&FLAGS));
    let pid = Pid(numbers.one_of(&[-1, 0, 1, 2, 3, 4, 5, 6, 7]));
    let signal = Signal(numbers.one_of(&[0, 9, 15, 17, 18, 19, 20, 40]));
    let path: Bytes = numbers.one_of(&["/a", "/a/b", "/", "/program", "."]).into();
    let fd = Fd(i32::try_from(numbers.below(4)).unwrap());
    let set = SignalSet(numbers.one_of(&[0, 1 << 16, 1 << 14, u64::MAX]));
    match numbers.below(17) {
        0 | 1 => Call::Unshare { flags },
        2 => Call::Kill { pid, signal },
        3 | 4 => Call::Wait4 { pid, options: WaitOptions::WNOHANG | WaitOptions::WUNTRACED },
        5 => {
            let how = OpenHow { flags: OpenFlags::O_PATH | OpenFlags::O_CLOEXEC, ..OpenHow::default() };
            Call::Openat2 { dirfd: Fd::CWD, path, how }
        }
        6 => Call::Close { fd },
        7 => Call::Chdir { path },
        8 => Call::Chroot { path },
        9 => Call::Mount {
            source: None,
            target: path,
            filesystemtype: Some("tmpfs".into()),
            mountflags: MountFlags::empty(),
            data: None,
        },
        10 => Call::Umount2 { target: path, flags: UmountFlags::MNT_DETACH },
        11 => Call::Sigprocmask { how: SignalMaskHow::SetMask, set },
        12 => Call::Sigaction { signal, action: numbers.one_of(&[SignalAction::Default, SignalAction::Ignore]) },
        13 => Call::Prctl { operation: Prctl::SetParentDeathSignal(Some(signal)) },
        14 => Call::Setresuid { real: 0, effective: numbers.one_of(&[0, 1000]), saved: 0 },
        15 => Call::Execve { path, argv: vec!["x".into()], envp: Vec::new() },
        _ => Call::Sigwaitinfo { set },
    }
}

/// What one process after the other does at random; how many were made.
fn random_life(seed: u64) -> u32 {
    let mut linux = Linux::new();
    let init = linux.init();
    linux.mkdirat(init, Fd::CWD, b"/a", cofferdam::kernel::Mode(0o755)).unwrap();
    make_program(&mut linux, b"/program", PROGRAM);
    let mut numbers = Numbers(seed);
    let mut made = 0;
    for step in 0..200 {
        let tasks: Vec<_> = linux.tasks.iter().map(|(id, _)| id).collect();
        let task = numbers.one_of(&tasks);
        let what = match numbers.below(6) {
            0 if tasks.len() < 12 => {
                let flags = CloneFlags::from_bits_retain(numbers.one_of(&FLAGS));
                made += u32::from(linux.fork(task, flags).is_ok());
                format!("fork({flags})")
            }
            1 if numbers.below(3) == 0 => {
                linux.exit(task, 3);
                "exit".to_owned()
            }
            _ => {
                let call = call(&mut numbers);
                let result = linux.call(task, &call);
                format!("{call} = {result:?}")
            }
        };
        if let Err(message) = linux.check() {
            panic!("seed {seed}, step {step}: {task:?}: {what}: {message}");
        }
    }
    end_all(&mut linux);
    made
}

/// Ends and reaps all processes but init: nothing of them is left.
fn end_all(linux: &mut Linux) {
    let init = linux.init();
    linux.set_ignored(init, Signal::CHLD, true).unwrap();
    let others = |linux: &Linux| linux.tasks.iter().map(|(id, _)| id).filter(|id| *id != init).collect::<Vec<_>>();
    while let Some(task) = others(linux).first().copied() {
        // One that has ended already is gone once its parent is.
        let victim = others(linux).into_iter().find(|task| linux.is_running(*task)).unwrap_or(task);
        if linux.is_running(victim) {
            linux.end_task(victim, cofferdam::kernel::WaitStatus::Signaled(Signal::KILL));
        }
        while linux.wait_for_child(init, Pid(-1), WaitOptions::WNOHANG).is_ok_and(|child| child.is_some()) {}
    }
    linux.check().unwrap();
    let own = linux.tasks[init].credentials.user_namespace;
    assert!(own != linux.initial_user_namespace || linux.pid_namespaces.len() <= 2);
    assert_eq!((linux.fs_states.len(), linux.fd_tables.len()), (1, 1));
}

#[test]
fn counts_are_right_whatever_processes_do() {
    let made: u32 = (1..=150).map(random_life).sum();
    assert!(made > 1000, "{made}");
}

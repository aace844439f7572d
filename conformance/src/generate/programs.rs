//! Files that are programs, or nearly so, and execve(2).

use cofferdam::kernel::{Bytes, Call, OpenFlags};
use cofferdam_vfs_sim::{DescriptorKind, PROGRAM};

use super::Action;
use super::routines::open_at;
use super::scene::{Scene, TMPFS};

const PATH: &str = "/n2";
const INTERPRETER: &str = "/n3";

/// What strings may have at most, with the NUL at the end (`MAX_ARG_STRLEN`).
const LONGEST: usize = 32 * 4096;

/// A program that another interprets, or would if it were one.
fn interpreted(path: &[u8], offset: u64) -> Vec<u8> {
    const TYPE: usize = 64;
    const OFFSET: usize = 72;
    const LENGTH: usize = 96;
    let mut program = PROGRAM.to_vec();
    let length = program.len() as u64 + offset;
    // PT_INTERP
    program[TYPE] = 3;
    program[OFFSET..OFFSET + 8].copy_from_slice(&length.to_le_bytes());
    program[LENGTH..LENGTH + 8].copy_from_slice(&(path.len() as u64).to_le_bytes());
    program.extend_from_slice(path);
    program
}

fn content(scene: &mut Scene<'_>) -> Bytes {
    Bytes(match scene.below(14) {
        0..3 => PROGRAM.to_vec(),
        3 => PROGRAM[..40].to_vec(),
        4 => PROGRAM[..100].to_vec(),
        5 => b"#!/n2\n".to_vec(),
        6 => b"#! /n3  with an argument \n".to_vec(),
        7 => b"#!/n3".to_vec(),
        8 => interpreted(b"/n3\0", 0),
        9 => interpreted(b"/n3", 0),
        10 => interpreted(b"/n3\0", 1),
        11 => interpreted(b"/n3\0", 1 << 63),
        12 => b"\x7fELF".to_vec(),
        _ => b"text".to_vec(),
    })
}

fn open_to_write(path: &str) -> Action {
    open_at(path.into(), OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC | OpenFlags::O_NONBLOCK)
}

pub(super) fn open(_: &mut Scene<'_>) -> Option<Action> {
    Some(open_to_write(PATH))
}

pub(super) fn open_interpreter(_: &mut Scene<'_>) -> Option<Action> {
    Some(open_to_write(INTERPRETER))
}

pub(super) fn write(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Other], Some(TMPFS))?;
    Some(Action::Call(Call::Write { fd, data: content(scene) }))
}

pub(super) fn close(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Other], Some(TMPFS))?;
    Some(Action::Call(Call::Close { fd }))
}

pub(super) fn execute(scene: &mut Scene<'_>) -> Option<Action> {
    let argument = |length| Bytes(vec![b'x'; length]);
    let argv = match scene.below(10) {
        0 => vec![argument(LONGEST)],
        1 => vec![argument(LONGEST - 1); 20],
        2 => Vec::new(),
        _ => vec![argument(1)],
    };
    let path = if scene.chance(90) { PATH } else { INTERPRETER };
    Some(Action::Call(Call::Execve { path: path.into(), argv, envp: vec!["A=b".into()] }))
}

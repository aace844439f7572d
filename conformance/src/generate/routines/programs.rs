//! Files that are programs, or nearly so, and execve(2).

use cofferdam::kernel::{Bytes, Call, OpenFlags};
use cofferdam_vfs_sim::{DescriptorKind, PROGRAM};

use super::open_at;
use crate::generate::Action;
use crate::generate::scene::{Scene, TMPFS};

const PATH: &str = "/n2";
const INTERPRETER: &str = "/n3";

/// What strings may have at most, with the NUL at the end (`MAX_ARG_STRLEN`).
const LONGEST: usize = 32 * 4096;

/// A program that another interprets, or would if it were one. It says where in the file that one's path is, which is right
/// if `offset` is 0. Its own code is loaded to `address`, not to where that of the other one is.
fn interpreted(path: &[u8], offset: u64, address: u64) -> Vec<u8> {
    const HEADER: usize = 64;
    const PROGRAM_HEADER: usize = 56;
    const CODE: usize = HEADER + 2 * PROGRAM_HEADER;
    let code = &PROGRAM[HEADER + PROGRAM_HEADER..];
    let length = (CODE + code.len() + path.len()) as u64;
    let mut program = PROGRAM[..HEADER].to_vec();
    program[24..32].copy_from_slice(&(address + CODE as u64).to_le_bytes());
    program[56] = 2;
    // PT_LOAD, readable and executable.
    header(&mut program, 1, 5, [0, address, length]);
    // PT_INTERP
    header(&mut program, 3, 4, [(CODE + code.len()) as u64 + offset, 0, path.len() as u64]);
    program.extend_from_slice(code);
    program.extend_from_slice(path);
    program
}

/// Appends a program header.
fn header(program: &mut Vec<u8>, kind: u32, flags: u32, [offset, address, length]: [u64; 3]) {
    const PAGE: u64 = 0x1000;
    program.extend(kind.to_le_bytes().into_iter().chain(flags.to_le_bytes()));
    let fields = [offset, address, address, length, length, PAGE];
    program.extend(fields.into_iter().flat_map(u64::to_le_bytes));
}

fn content(scene: &mut Scene<'_>) -> Bytes {
    let address = 0x80_0000 + scene.below(64) * 0x10_0000;
    Bytes(match scene.below(14) {
        0..4 => PROGRAM.to_vec(),
        4 => PROGRAM[..100].to_vec(),
        5 => b"#!/n2\n".to_vec(),
        6 => b"#! /n3  with an argument \n".to_vec(),
        7 => b"#!/n3".to_vec(),
        8..10 => interpreted(b"/n3\0", 0, address),
        10 => interpreted(b"/n3", 0, address),
        11 => interpreted(b"/n3\0", 1, address),
        12 => interpreted(b"/n3\0", 1 << 63, address),
        _ => b"text".to_vec(),
    })
}

/// What interprets: no program that is interpreted itself, as both would be loaded.
fn interpreter(scene: &mut Scene<'_>) -> Bytes {
    Bytes(match scene.below(7) {
        0..3 => PROGRAM.to_vec(),
        3 => PROGRAM[..100].to_vec(),
        4 => vec![b'x'; 100],
        5 => b"#!/n3\n".to_vec(),
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

pub(super) fn write_interpreter(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.last_descriptor(&[DescriptorKind::Other], Some(TMPFS))?;
    Some(Action::Call(Call::Write { fd, data: interpreter(scene) }))
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

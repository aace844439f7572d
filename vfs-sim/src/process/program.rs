//! What execve(2) makes of the content of a file (`fs/binfmt_script.c`, `fs/binfmt_elf.c`). The machine is an x86-64.

use crate::failure::{Failure, fail};
use crate::filesystem::Content;

/// A program that ends at once with status 0, which Linux on x86-64 can execute as well.
pub const PROGRAM: &[u8] = &[
    0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 64 bits, little endian
    2, 0, 62, 0, 1, 0, 0, 0, // an executable for x86-64
    0x78, 0, 0x40, 0, 0, 0, 0, 0, // where it begins
    64, 0, 0, 0, 0, 0, 0, 0, // the program headers
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // no sections, no flags
    64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0, // the size of this header; one program header
    1, 0, 0, 0, 5, 0, 0, 0, // to be loaded, readable and executable
    0, 0, 0, 0, 0, 0, 0, 0, // from the start of the file
    0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, // to this address
    0x81, 0, 0, 0, 0, 0, 0, 0, 0x81, 0, 0, 0, 0, 0, 0, 0, // all of it
    0, 0x10, 0, 0, 0, 0, 0, 0, // in pages
    0xb8, 60, 0, 0, 0, // mov $60, %eax: exit
    0x31, 0xff, // xor %edi, %edi
    0x0f, 0x05, // syscall
];

/// What is between the part of a program's file that is executed and the program's name.
const NAME_MARK: &[u8] = b"\0cofferdam program ";

/// The file of a program with a name: [`PROGRAM`] with the name behind it, so that whoever stands in for programs, which do not
/// run, knows which one it is, wherever the file was copied or linked to.
pub fn named_program(name: &str) -> Vec<u8> {
    [PROGRAM, NAME_MARK, name.as_bytes()].concat()
}

/// The name of the program in a file that [`named_program`] has made; `None` in any other.
pub fn program_name(file: &[u8]) -> Option<&str> {
    std::str::from_utf8(file.strip_prefix(PROGRAM)?.strip_prefix(NAME_MARK)?).ok()
}

/// How much of a file decides about its format (`BINPRM_BUF_SIZE`).
const HEAD: usize = 256;

const ELF_HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;

/// `EM_X86_64`
const MACHINE: u16 = 62;

/// `PT_INTERP`
const INTERPRETER: u32 = 3;

/// `PATH_MAX`
const MAX_PATH: usize = 4096;

/// A file that can be executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A script: the interpreter with the one argument that it can be given.
    Script { interpreter: Vec<u8>, argument: Option<Vec<u8>> },
    /// A program, with the path of what interprets it, if it is linked dynamically.
    Elf { interpreter: Option<Vec<u8>> },
}

impl Format {
    /// The format of a file with this content.
    ///
    /// # Errors
    ///
    /// `ENOEXEC` if it has none; `EIO` if it ends too early.
    pub(crate) fn of(content: &Content) -> Result<Self, Failure> {
        let mut head = [0; HEAD];
        let start = content.read(0, HEAD);
        head[..start.len()].copy_from_slice(&start);
        if head.starts_with(b"#!") { script(&head) } else { elf(&head, content) }
    }
}

/// Whether the content of a file that interprets programs is sound (`load_elf_binary()`).
///
/// # Errors
///
/// `EIO` if it is shorter than its header; `ELIBBAD` if it is no program for this machine.
pub(crate) fn check_interpreter(content: &Content) -> Result<(), Failure> {
    let head = slice(content, 0, ELF_HEADER).ok_or(fail!(
        EIO,
        "elf_read()",
        "the interpreter is shorter than the header of an ELF file"
    ))?;
    if !head.starts_with(b"\x7fELF") {
        return Err(fail!(ELIBBAD, "load_elf_binary()", "the interpreter is no ELF file"));
    }
    if u16_at(&head, 18) != MACHINE {
        return Err(fail!(ELIBBAD, "load_elf_binary()", "the interpreter is for another machine than x86-64"));
    }
    if program_headers(&head, content).is_none() {
        return Err(fail!(ELIBBAD, "load_elf_binary()", "the program headers of the interpreter are not sound"));
    }
    Ok(())
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// `load_script()`
fn script(head: &[u8; HEAD]) -> Result<Format, Failure> {
    const LAST: usize = HEAD - 1;
    const NO_NAME: Failure = fail!(ENOEXEC, "load_script()", "the first line names no interpreter");
    let find = |from: usize, to: usize, matches: fn(u8) -> bool| (from..=to).find(|index| matches(head[*index]));
    let not_blank = |from, to| find(from, to, |byte| !is_blank(byte));
    let terminator = |from, to| find(from, to, |byte| is_blank(byte) || byte == 0);
    let text = head.iter().position(|byte| *byte == 0).unwrap_or(HEAD);
    let newline = head[..text].iter().position(|byte| *byte == b'\n');
    if newline.is_none() {
        let start = not_blank(2, LAST).ok_or(NO_NAME)?;
        terminator(start, LAST).ok_or(fail!(
            ENOEXEC,
            "load_script()",
            "the path of the interpreter does not end within 256 bytes, and may be cut off"
        ))?;
    }
    let mut end = newline.unwrap_or(LAST);
    while is_blank(head[end - 1]) {
        end -= 1;
    }
    let name = not_blank(2, end).filter(|name| *name != end).ok_or(NO_NAME)?;
    let string = |from: usize, to: usize| {
        let bytes = &head[from..to];
        bytes.split(|byte| *byte == 0).next().unwrap_or(bytes).to_vec()
    };
    let separator = terminator(name, end).filter(|separator| head[*separator] != 0);
    let argument = separator.and_then(|separator| not_blank(separator, end));
    Ok(match (separator, argument) {
        (Some(separator), Some(argument)) => {
            Format::Script { interpreter: string(name, separator), argument: Some(string(argument, end)) }
        }
        _ => Format::Script { interpreter: string(name, end), argument: None },
    })
}

/// `load_elf_binary()`
fn elf(head: &[u8; HEAD], content: &Content) -> Result<Format, Failure> {
    const EXECUTABLE: u16 = 2;
    const SHARED_OBJECT: u16 = 3;
    if !head.starts_with(b"\x7fELF") {
        return Err(fail!(ENOEXEC, "load_elf_binary()", "the file begins neither with #! nor as an ELF file does"));
    }
    if ![EXECUTABLE, SHARED_OBJECT].contains(&u16_at(head, 16)) {
        return Err(fail!(ENOEXEC, "load_elf_binary()", "the ELF file is neither an executable nor a shared object"));
    }
    if u16_at(head, 18) != MACHINE {
        return Err(fail!(ENOEXEC, "load_elf_binary()", "the program is for another machine than x86-64"));
    }
    let headers = program_headers(head, content).ok_or(fail!(
        ENOEXEC,
        "load_elf_binary()",
        "the program headers are not sound"
    ))?;
    let interpreter = headers.chunks_exact(PROGRAM_HEADER).find(|header| u32_at(header, 0) == INTERPRETER);
    let Some(header) = interpreter else { return Ok(Format::Elf { interpreter: None }) };
    let (offset, length) = (u64_at(header, 8), u64_at(header, 32));
    let length = usize::try_from(length).ok().filter(|length| (2..=MAX_PATH).contains(length)).ok_or(fail!(
        ENOEXEC,
        "load_elf_binary()",
        "the path of the interpreter is empty or longer than 4095 bytes"
    ))?;
    if i64::try_from(offset).is_err() {
        return Err(fail!(
            EINVAL,
            "rw_verify_area()",
            "the path of the interpreter is at a negative position of the file"
        ));
    }
    let path = slice(content, offset, length).ok_or(fail!(
        EIO,
        "elf_read()",
        "the file ends before the path of the interpreter does"
    ))?;
    if path.last() != Some(&0) {
        return Err(fail!(ENOEXEC, "load_elf_binary()", "the path of the interpreter does not end in a NUL"));
    }
    let path = path.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
    Ok(Format::Elf { interpreter: Some(path) })
}

/// `load_elf_phdrs()`
fn program_headers(head: &[u8], content: &Content) -> Option<Vec<u8>> {
    const MAX_SIZE: usize = 65536;
    let size = usize::from(u16_at(head, 56)) * PROGRAM_HEADER;
    if usize::from(u16_at(head, 54)) != PROGRAM_HEADER || size == 0 || size > MAX_SIZE {
        return None;
    }
    slice(content, u64_at(head, 32), size)
}

/// So many bytes, if there are as many.
fn slice(content: &Content, offset: u64, length: usize) -> Option<Vec<u8>> {
    Some(content.read(offset, length)).filter(|bytes| bytes.len() == length)
}

fn array<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    bytes.get(offset..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or([0; N])
}

fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes(array(bytes, offset))
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(array(bytes, offset))
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(array(bytes, offset))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use cofferdam::kernel::Errno;

    use super::*;

    fn format_of(bytes: &[u8]) -> Result<Format, Errno> {
        Format::of(&file(bytes)).map_err(Failure::errno)
    }

    fn file(bytes: &[u8]) -> Content {
        let mut content = Content::default();
        content.write(0, bytes, u64::MAX);
        content
    }

    #[allow(clippy::unnecessary_wraps, reason = "it is compared with what can fail")]
    fn script_of(interpreter: &str, argument: Option<&str>) -> Result<Format, Errno> {
        Ok(Format::Script { interpreter: interpreter.into(), argument: argument.map(Into::into) })
    }

    #[rstest]
    #[case(b"#!/bin/sh\n", script_of("/bin/sh", None))]
    #[case(b"#! \t/bin/sh \t\nrest", script_of("/bin/sh", None))]
    #[case(b"#!/bin/sh  -e -x \n", script_of("/bin/sh", Some("-e -x")))]
    #[case(b"#!/bin/sh", script_of("/bin/sh", None))]
    #[case(b"#!/bin/sh -e", script_of("/bin/sh", Some("-e")))]
    #[case(b"#!/bin/sh\0-e\n", script_of("/bin/sh", None))]
    #[case(b"#!", script_of("", None))]
    #[case(b"#!\n", Err(Errno::ENOEXEC))]
    #[case(b"#!  \n", Err(Errno::ENOEXEC))]
    #[case(b"# /bin/sh\n", Err(Errno::ENOEXEC))]
    #[case(b"", Err(Errno::ENOEXEC))]
    fn scripts(#[case] content: &[u8], #[case] expected: Result<Format, Errno>) {
        assert_eq!(format_of(content), expected);
    }

    #[test]
    fn a_path_that_may_be_cut_off_is_none() {
        let cut_off = [b"#!/".to_vec(), vec![b'x'; 300]].concat();
        assert_eq!(format_of(&cut_off), Err(Errno::ENOEXEC));
        let long_argument = [b"#!/x ".to_vec(), vec![b'y'; 300]].concat();
        let argument = "y".repeat(250);
        assert_eq!(format_of(&long_argument), script_of("/x", Some(&argument)));
    }

    #[test]
    fn programs_have_names() {
        let program = named_program("mount");
        assert_eq!(format_of(&program), Ok(Format::Elf { interpreter: None }));
        assert_eq!(program_name(&program), Some("mount"));
        assert_eq!(program_name(PROGRAM), None);
    }

    #[test]
    fn programs() {
        assert_eq!(format_of(PROGRAM), Ok(Format::Elf { interpreter: None }));
        assert_eq!(check_interpreter(&file(PROGRAM)), Ok(()));
        assert_eq!(format_of(b"\x7fELF"), Err(Errno::ENOEXEC));
        assert_eq!(check_interpreter(&file(b"\x7fELF")).map_err(Failure::errno), Err(Errno::EIO));
        assert_eq!(format_of(&PROGRAM[..100]), Err(Errno::ENOEXEC));
        let mut dynamic = PROGRAM.to_vec();
        dynamic[64] = 3;
        dynamic[72] = 120;
        dynamic[96] = 9;
        dynamic[120..129].copy_from_slice(b"/ld/ld.so");
        assert_eq!(format_of(&dynamic), Err(Errno::ENOEXEC));
        dynamic[128] = 0;
        assert_eq!(format_of(&dynamic), Ok(Format::Elf { interpreter: Some(b"/ld/ld.s".to_vec()) }));
        dynamic[96] = 10;
        assert_eq!(format_of(&dynamic), Err(Errno::EIO));
        dynamic[72..80].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(format_of(&dynamic), Err(Errno::EINVAL));
        dynamic[96] = 1;
        assert_eq!(format_of(&dynamic), Err(Errno::ENOEXEC));
    }
}

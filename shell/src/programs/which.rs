//! which(1) of debianutils.

use cofferdam::kernel::FileType;

use super::support::paths::join;
use super::test::evaluate;
use crate::execution::Execution;

/// which(1): it is a script, with the messages of the shell.
#[allow(clippy::unused_async, reason = "all programs are")]
pub(crate) async fn which(execution: &mut Execution) -> i32 {
    let arguments = execution.arguments.get(1..).unwrap_or_default().to_vec();
    let mut operands = &arguments[..];
    let mut shows_all = false;
    while let [first, rest @ ..] = operands {
        let letters = match &first[..] {
            b"--" => {
                operands = rest;
                break;
            }
            [b'-', letters @ ..] if !letters.is_empty() => letters,
            _ => break,
        };
        if let Some(unknown) = letters.iter().find(|letter| **letter != b'a') {
            execution.report_line([b"Illegal option -", &[*unknown][..]].concat());
            let script = find(execution, b"which").into_iter().next().unwrap_or_else(|| execution.name.clone());
            execution.print([b"Usage: ", &script[..], b" [-a] args\n"].concat());
            return 2;
        }
        shows_all = true;
        operands = rest;
    }
    let mut status = i32::from(operands.is_empty());
    for program in operands {
        let found = find(execution, program);
        if found.is_empty() {
            status = 1;
        }
        for path in found.iter().take(if shows_all { found.len() } else { 1 }) {
            execution.print([&path[..], b"\n"].concat());
        }
    }
    status
}

/// Where a program is, in the order of `PATH`; a path is itself.
fn find(execution: &Execution, program: &[u8]) -> Vec<Vec<u8>> {
    let candidates: Vec<Vec<u8>> = if program.contains(&b'/') {
        vec![program.to_vec()]
    } else {
        let path = execution.variable("PATH").unwrap_or_default();
        let directory = |name: &[u8]| if name.is_empty() { b".".to_vec() } else { name.to_vec() };
        path.split(|byte| *byte == b':').map(|name| join(&directory(name), program)).collect()
    };
    let is_program = |path: &Vec<u8>| {
        execution.stat(path).is_ok_and(|stat| stat.file_type == FileType::Regular)
            && evaluate(&execution.process, &[b"-x".to_vec(), path.clone()]).unwrap_or(false)
    };
    candidates.into_iter().filter(is_program).collect()
}

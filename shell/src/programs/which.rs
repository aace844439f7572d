//! which(1), as Debian has it.

use cofferdam::kernel::FileType;

use super::support::paths::join;
use crate::execution::Execution;

/// which(1)
pub(crate) async fn which(execution: &mut Execution) -> i32 {
    let mut words = execution.arguments.get(1..).unwrap_or_default().to_vec();
    let path = execution.variable("PATH").unwrap_or_default().to_vec();
    let mut shows_all = false;
    while let Some(letters) = words.first().and_then(|word| word.strip_prefix(b"-")).map(<[u8]>::to_vec) {
        words.remove(0);
        if letters == b"-" {
            break;
        }
        if let Some(other) = letters.iter().find(|letter| **letter != b'a') {
            execution.report_line(format!("Illegal option -{}", char::from(*other)));
            // It is a script, which knows where it is.
            let itself = found(execution, &path, &execution.name.clone()).into_iter().next();
            execution.print([b"Usage: ", &itself.unwrap_or_default()[..], b" [-a] args\n"].concat());
            return 2;
        }
        shows_all = true;
    }
    if words.is_empty() {
        return 1;
    }
    let mut status = 0;
    for word in words {
        let files = found(execution, &path, &word);
        if files.is_empty() {
            status = 1;
        }
        for file in files.iter().take(if shows_all { usize::MAX } else { 1 }) {
            execution.print([&file[..], b"\n"].concat());
        }
    }
    status
}

/// The files that can be executed under a name.
fn found(execution: &Execution, path: &[u8], name: &[u8]) -> Vec<Vec<u8>> {
    let candidates: Vec<Vec<u8>> = if name.contains(&b'/') {
        vec![name.to_vec()]
    } else {
        path.split(|byte| *byte == b':').map(|directory| join(directory, name)).collect()
    };
    let is_program = |path: &Vec<u8>| {
        execution.stat(path).is_ok_and(|stat| stat.file_type == FileType::Regular && stat.mode.0 & 0o111 != 0)
    };
    candidates.into_iter().filter(is_program).collect()
}

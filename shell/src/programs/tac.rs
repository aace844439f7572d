//! tac(1), rev(1), and the checksums of md5sum(1) and sha256sum(1)

use std::fmt::Write as _;

use md5::Digest as _;

use crate::execution::Execution;
use crate::getopt::{Opt, Takes, option};

use super::lines::Source;
use super::support::options::not_simulated;
use super::utility::{Failure, complain_of, files, open, options, status};

/// tac(1)
pub(crate) async fn tac(execution: &mut Execution) -> i32 {
    status(run_tac(execution).await)
}

const TAC: &[Opt] = &[
    not_simulated("!--before", 'b', "before", Takes::Nothing),
    not_simulated("!--regex", 'r', "regex", Takes::Nothing),
    not_simulated("!--separator", 's', "separator", Takes::Argument),
];

async fn run_tac(execution: &mut Execution) -> Result<i32, Failure> {
    let parsed = options(execution, TAC, 1).await?;
    let mut result = 0;
    for file in files(&parsed) {
        let what = if file == b"-" { "" } else { "failed to open" };
        let Some(mut source) = open(execution, &file, what).await else {
            result = 1;
            continue;
        };
        match source.rest(execution).await {
            Ok(content) => {
                for line in content.split_inclusive(|byte| *byte == b'\n').rev() {
                    execution.put(line).await?;
                }
            }
            Err(errno) => {
                complain_of(execution, &[&file[..], b": read error"].concat(), errno).await;
                result = 1;
            }
        }
        source.close(execution);
    }
    Ok(result)
}

/// rev(1)
pub(crate) async fn rev(execution: &mut Execution) -> i32 {
    status(run_rev(execution).await)
}

async fn run_rev(execution: &mut Execution) -> Result<i32, Failure> {
    let parsed = options(execution, &[], 1).await?;
    for file in files(&parsed) {
        let mut source = match Source::open_operand(execution, &file).await {
            Ok(source) => source,
            Err(errno) => {
                complain_of(execution, &[b"cannot open ", &file[..]].concat(), errno).await;
                return Ok(1);
            }
        };
        while let Some(mut line) = source.line(execution, b'\n').await? {
            line.text.reverse();
            if line.is_terminated {
                line.text.push(b'\n');
            }
            execution.put(line.text).await?;
        }
        source.close(execution);
    }
    Ok(0)
}

const SUM: &[Opt] = &[
    option("binary", 'b', "binary", Takes::Nothing),
    not_simulated("!--check", 'c', "check", Takes::Nothing),
    not_simulated("!--tag", '\0', "tag", Takes::Nothing),
    option("text", 't', "text", Takes::Nothing),
    not_simulated("!--zero", 'z', "zero", Takes::Nothing),
];

/// md5sum(1)
pub(crate) async fn md5sum(execution: &mut Execution) -> i32 {
    status(checksums(execution, |content| hexadecimal(&md5::Md5::digest(content))).await)
}

/// sha256sum(1)
pub(crate) async fn sha256sum(execution: &mut Execution) -> i32 {
    status(checksums(execution, |content| hexadecimal(&sha2::Sha256::digest(content))).await)
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

async fn checksums(execution: &mut Execution, checksum: fn(&[u8]) -> String) -> Result<i32, Failure> {
    let parsed = options(execution, SUM, 1).await?;
    let mark: &[u8] = if parsed.has("binary") { b" *" } else { b"  " };
    let mut result = 0;
    for file in files(&parsed) {
        let Some(mut source) = open(execution, &file, "").await else {
            result = 1;
            continue;
        };
        match source.rest(execution).await {
            Ok(content) => execution.put([checksum(&content).as_bytes(), mark, &file, b"\n"].concat()).await?,
            Err(errno) => {
                complain_of(execution, &file, errno).await;
                result = 1;
            }
        }
        source.close(execution);
    }
    Ok(result)
}

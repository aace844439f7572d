//! Records: what an agent writes down for itself, as JSON that is believed only if it is what was written.
//!
//! A record is a file of three lines, which are one JSON object:
//!
//! ```text
//! {"sha256":"<64 hexadecimal digits>",
//! "of":"containers/c1/config",
//! "record":{...}}
//! ```
//!
//! The checksum is that of all that follows the first line, as `tail -n +2 FILE | sha256sum` prints it; `of` is the path of the
//! file below runtime_dir or work_dir, so that a record is not taken for that of another container. Whoever changes a record by
//! hand writes the checksum anew. A file without a checksum is damaged: nobody can tell what it was.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use typed_path::UnixPath;

use crate::checkpoint;
use crate::error::{CallError, Doing};
use crate::kernel::{AtFlags, Bytes, Errno, Fd, FileType, Kernel, Mode, OpenFlags, Stat};
use crate::layout::Layout;

/// A record can't be used, or not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A call failed: `ENOENT` if there is no record.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It is not what was written.
    #[error("cannot understand {path}: {reason}")]
    Damaged {
        /// Which file.
        path: Bytes,
        /// What is wrong with it.
        reason: String,
    },
}

const BEFORE_SUM: &[u8] = b"{\"sha256\":\"";
const AFTER_SUM: &[u8] = b"\",\n";

/// All of a record, whose checksum is right.
#[derive(Deserialize)]
struct Whole<T> {
    #[serde(rename = "sha256")]
    _sum: IgnoredAny,
    of: Bytes,
    record: T,
}

/// Writes a record, so that after a crash there is the old one or the new one ([`checkpoint::write`]).
///
/// # Errors
///
/// See [`RecordError`].
pub fn write<T: Serialize>(
    kernel: &dyn Kernel,
    layout: &Layout,
    path: &UnixPath,
    record: &T,
    mode: Mode,
) -> Result<(), RecordError> {
    let text = text(&name(layout, path), record).map_err(|error| damaged(path, error.to_string()))?;
    Ok(checkpoint::write(kernel, path, &text, mode)?)
}

/// Reads a record.
///
/// # Errors
///
/// See [`RecordError`].
pub fn read<T: DeserializeOwned>(kernel: &dyn Kernel, layout: &Layout, path: &UnixPath) -> Result<T, RecordError> {
    // A fifo in its place would have us wait for somebody who writes.
    let file = match checkpoint::open(kernel, path, OpenFlags::O_NONBLOCK, Mode(0)) {
        // What sockets and devices that are not there give.
        Err(error) if error.errno == Errno::ENXIO => {
            let found = kernel.statx(Fd::CWD, path, AtFlags::empty()).doing("look at", path)?.file_type;
            return Err(require_regular(path, found).err().unwrap_or(RecordError::Call(error)));
        }
        opened => opened?,
    };
    let Stat { file_type, size, .. } =
        kernel.statx(file.fd(), UnixPath::new(""), AtFlags::AT_EMPTY_PATH).doing("look at", path)?;
    require_regular(path, file_type)?;
    let text = checkpoint::read_regular(kernel, &file, size, path)?;
    parse(&name(layout, path), &text).map_err(|reason| damaged(path, reason))
}

fn require_regular(path: &UnixPath, found: FileType) -> Result<(), RecordError> {
    if found == FileType::Regular { Ok(()) } else { Err(damaged(path, format!("it is {found}"))) }
}

fn damaged(path: &UnixPath, reason: String) -> RecordError {
    RecordError::Damaged { path: path.into(), reason }
}

/// What a record says that it is of.
fn name(layout: &Layout, path: &UnixPath) -> Bytes {
    let below = path.strip_prefix(&layout.runtime_dir).or_else(|_| path.strip_prefix(&layout.work_dir));
    below.unwrap_or(path).into()
}

fn text<T: Serialize>(of: &Bytes, record: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut rest = b"\"of\":".to_vec();
    serde_json::to_writer(&mut rest, of)?;
    rest.extend_from_slice(b",\n\"record\":");
    serde_json::to_writer(&mut rest, record)?;
    rest.extend_from_slice(b"}\n");
    Ok([BEFORE_SUM, &sum(&rest), AFTER_SUM, &rest].concat())
}

/// The checksum, as text.
fn sum(text: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xf)]];
    Sha256::digest(text).iter().flat_map(|byte| digits(*byte)).collect()
}

fn parse<T: DeserializeOwned>(of: &Bytes, text: &[u8]) -> Result<T, String> {
    let without_sum = || "it does not begin with a checksum: it is damaged, or not written by this version".to_string();
    let rest = text.strip_prefix(BEFORE_SUM).ok_or_else(without_sum)?;
    let (found, rest) = rest.split_at_checked(2 * Sha256::output_size()).ok_or_else(without_sum)?;
    let rest = rest.strip_prefix(AFTER_SUM).ok_or_else(without_sum)?;
    if found != sum(rest) {
        return Err("it is damaged: its checksum is another one".into());
    }
    let whole: Whole<T> = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if whole.of != *of {
        return Err(format!("it is the record {}, and not {of}", whole.of));
    }
    Ok(whole.record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of() -> Bytes {
        "containers/c/config".into()
    }

    fn written() -> Vec<u8> {
        text(&of(), &serde_json::json!({ "directory": "/a\n", "n": 7 })).unwrap()
    }

    fn read(text: &[u8]) -> Result<serde_json::Value, String> {
        parse(&of(), text)
    }

    #[test]
    fn a_record_is_json_of_three_lines() {
        let text = String::from_utf8(written()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1..], ["\"of\":\"containers/c/config\",", "\"record\":{\"directory\":\"/a\\n\",\"n\":7}}"]);
        // As sha256sum(1) prints it.
        let sum = "6ac00432ce181c077c01205dd816116479b55f449ca2b0ade5b74a96c7a20c64";
        assert_eq!(lines[0], format!("{{\"sha256\":\"{sum}\","));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["record"]["n"], 7);
        assert_eq!(read(text.as_bytes()).unwrap(), value["record"]);
    }

    #[test]
    fn a_record_in_which_a_bit_has_changed_is_damaged() {
        let written = written();
        for place in 0..written.len() {
            for bit in 0..8 {
                let mut changed = written.clone();
                changed[place] ^= 1 << bit;
                assert!(read(&changed).is_err(), "byte {place}, bit {bit}");
            }
            assert!(read(&written[..place]).is_err(), "the first {place} bytes");
            assert!(read(&written[place + 1..]).is_err(), "without the first {} bytes", place + 1);
        }
        assert!(read(&[&written[..], b"\n"].concat()).is_err(), "longer");
        assert!(read(&[&written[..], &written].concat()).is_err(), "twice");
    }

    #[test]
    fn a_record_of_something_else_is_told() {
        let other = text(&"containers/d/config".into(), &7).unwrap();
        let error = read(&other).unwrap_err();
        assert_eq!(error, "it is the record \"containers/d/config\", and not \"containers/c/config\"");
    }

    #[test]
    fn json_alone_is_no_record() {
        let error = read(b"{\"directory\":\"/a\"}").unwrap_err();
        assert!(error.contains("does not begin with a checksum"), "{error}");
    }

    #[test]
    fn records_are_named_by_where_they_are() {
        let layout = Layout { work_dir: "/w".into(), runtime_dir: "/w/run".into() };
        let named = |path: &str| name(&layout, UnixPath::new(path));
        assert_eq!(named("/w/run/containers/c/config"), "containers/c/config".into());
        assert_eq!(named("/w/meta/boot_id"), "meta/boot_id".into());
    }
}

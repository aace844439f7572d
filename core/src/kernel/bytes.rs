//! Byte strings: what the kernel takes and gives for paths, names and contents.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use typed_path::{UnixPath, UnixPathBuf};

/// An owned byte string as it appears in recorded calls and in JSON.
///
/// Linux paths are bytes without an encoding. In JSON it is a string where the bytes are UTF-8, else an array of
/// numbers, so that nothing is lost and the usual case stays readable. It is displayed as a C string literal.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// The bytes as a path.
    pub fn as_path(&self) -> &UnixPath {
        UnixPath::new(&self.0)
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<UnixPath> for Bytes {
    fn as_ref(&self) -> &UnixPath {
        self.as_path()
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&UnixPath> for Bytes {
    fn from(path: &UnixPath) -> Self {
        Self(path.as_bytes().to_vec())
    }
}

impl From<UnixPathBuf> for Bytes {
    fn from(path: UnixPathBuf) -> Self {
        Self(path.into_vec())
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&quoted(&self.0), f)
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&quoted(&self.0), f)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a string, or an array of byte values where it is not UTF-8")]
        enum TextOrBytes {
            Text(String),
            Bytes(Vec<u8>),
        }
        Ok(match TextOrBytes::deserialize(deserializer)? {
            TextOrBytes::Text(text) => text.into(),
            TextOrBytes::Bytes(bytes) => bytes.into(),
        })
    }
}

/// Displays bytes as a C string literal, as strace does: `"a\nb\377"`. Whatever a path contains, the result is one
/// printable line, and two different paths look different.
pub fn quoted<T: AsRef<[u8]> + ?Sized>(bytes: &T) -> Quoted<'_> {
    Quoted(bytes.as_ref())
}

/// See [`quoted`].
#[derive(Clone, Copy)]
pub struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        f.write_char('"')?;
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '"' => f.write_str("\\\"")?,
                    '\\' => f.write_str("\\\\")?,
                    '\n' => f.write_str("\\n")?,
                    '\t' => f.write_str("\\t")?,
                    '\r' => f.write_str("\\r")?,
                    // Also the invisible ones that could make a terminal show another path.
                    other if other.is_control() || is_bidirectional_or_invisible(other) => {
                        let mut buffer = [0; 4];
                        for byte in other.encode_utf8(&mut buffer).bytes() {
                            write!(f, "\\{byte:03o}")?;
                        }
                    }
                    other => f.write_char(other)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\{byte:03o}")?;
            }
        }
        f.write_char('"')
    }
}

fn is_bidirectional_or_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(b"/a b", "\"/a b\"")]
    #[case(b"a\nb\"\\", "\"a\\nb\\\"\\\\\"")]
    #[case(b"\xff/\xc3\xa9", "\"\\377/\u{e9}\"")]
    #[case("\u{202e}".as_bytes(), "\"\\342\\200\\256\"")]
    fn quoting(#[case] bytes: &[u8], #[case] expected: &str) {
        assert_eq!(quoted(bytes).to_string(), expected);
    }

    #[rstest]
    #[case(b"/a b\n", "\"/a b\\n\"")]
    #[case(b"\xff", "[255]")]
    #[case(b"", "\"\"")]
    fn json_keeps_every_byte(#[case] bytes: &[u8], #[case] expected: &str) {
        let json = serde_json::to_string(&Bytes::from(bytes)).unwrap();
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<Bytes>(&json).unwrap(), Bytes::from(bytes));
    }
}

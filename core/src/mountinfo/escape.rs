//! The octal escapes of mountinfo.
//!
//! The kernel writes a byte that would break a field as a backslash and three octal digits
//! (`mangle_path()` and `seq_escape()` in `fs/seq_file.c`). Which bytes those are depends on the
//! field; each constant here is one of the kernel's sets. All of them hold the backslash itself,
//! so a field the kernel escaped decodes to what it was made from.

use std::borrow::Cow;

use memchr::memchr;

use super::scan::find_in_word;

/// What is escaped in a path, that is in a mount's root and mountpoint: `seq_dentry()` and
/// `seq_path_root()` as `show_mountinfo()` calls them.
pub const PATH: &[u8] = b" \t\n\\";

/// What is escaped in a filesystem type and a source: `mangle()` in `fs/proc_namespace.c`.
///
/// Kernels before 5.19 left `#` as it is.
pub const NAME: &[u8] = b" \t\n\\#";

/// What is escaped in the name of a super option: `seq_show_option()` in
/// `include/linux/seq_file.h`.
pub const OPTION_NAME: &[u8] = b",= \t\n\\";

/// What is escaped in the value of a super option: `seq_show_option()` in
/// `include/linux/seq_file.h`.
pub const OPTION_VALUE: &[u8] = b", \t\n\\";

/// Undoes every escape in `raw`; borrowed when there is none.
///
/// A backslash that three octal digits of a byte (`\000` to `\377`) don't follow stays as it is:
/// some filesystems print their options without escaping them.
pub fn decode(raw: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr(b'\\', raw) else {
        return Cow::Borrowed(raw);
    };
    let (clean, mut rest) = raw.split_at(first);
    let mut decoded = Vec::with_capacity(raw.len());
    decoded.extend_from_slice(clean);
    while let Some((byte, tail)) = split_first_decoded(rest) {
        decoded.push(byte);
        rest = tail;
    }
    Cow::Owned(decoded)
}

/// The byte that an escape at the start of `raw` stands for, and what follows the escape.
fn escape_at_start(raw: &[u8]) -> Option<(u8, &[u8])> {
    match raw {
        [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..] => {
            Some((((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'), rest))
        }
        _ => None,
    }
}

/// What is left of `raw` and of `bytes` behind the start that the bytes of `raw`, decoded, have in common with `bytes`.
///
/// A query asks this of every mountpoint of a table, so nothing is decoded into memory of its own.
pub(super) fn skip_common<'r, 'b>(mut raw: &'r [u8], mut bytes: &'b [u8]) -> (&'r [u8], &'b [u8]) {
    while let (Some((word, raw_rest)), Some((other, bytes_rest))) = (raw.split_first_chunk(), bytes.split_first_chunk())
        && word == other
        && find_in_word(b'\\', *word).is_none()
    {
        (raw, bytes) = (raw_rest, bytes_rest);
    }
    while let (Some((byte, raw_rest)), Some((&other, bytes_rest))) = (split_first_decoded(raw), bytes.split_first())
        && byte == other
    {
        (raw, bytes) = (raw_rest, bytes_rest);
    }
    (raw, bytes)
}

/// The first byte of `raw`, decoded, and what is behind it.
pub(super) fn split_first_decoded(raw: &[u8]) -> Option<(u8, &[u8])> {
    escape_at_start(raw).or_else(|| raw.split_first().map(|(byte, rest)| (*byte, rest)))
}

/// Escapes every byte of `bytes` that is in `special`; borrowed when there is none.
///
/// `special` is one of this module's sets; [`decode`] undoes the escapes of any set that holds
/// the backslash.
pub fn encode<'a>(bytes: &'a [u8], special: &[u8]) -> Cow<'a, [u8]> {
    if bytes.iter().any(|byte| special.contains(byte)) {
        let mut encoded = Vec::with_capacity(bytes.len() + 3);
        encode_into(bytes, special, &mut encoded);
        Cow::Owned(encoded)
    } else {
        Cow::Borrowed(bytes)
    }
}

/// Appends to `out` what [`encode`] returns.
pub fn encode_into(bytes: &[u8], special: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
        if special.contains(&byte) {
            let digit = |shift: u8| b'0' + ((byte >> shift) & 7);
            out.extend_from_slice(&[b'\\', digit(6), digit(3), digit(0)]);
        } else {
            out.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain(b"/srv/data", b"/srv/data")]
    #[case::empty(b"", b"")]
    #[case::space(b"/a\\040b", b"/a b")]
    #[case::tab_newline_backslash_hash(b"\\011\\012\\134\\043", b"\t\n\\#")]
    #[case::escaped_escape(b"\\134040", b"\\040")]
    #[case::any_byte(b"\\000\\377", b"\0\xff")]
    #[case::more_than_a_byte(b"\\400", b"\\400")]
    #[case::not_octal(b"C:\\Program\\08x\\", b"C:\\Program\\08x\\")]
    #[case::cut_short(b"x\\04", b"x\\04")]
    #[case::backslash_before_escape(b"\\\\040", b"\\ ")]
    #[case::not_utf8(b"\xff\\040\xfe", b"\xff \xfe")]
    fn decodes(#[case] raw: &[u8], #[case] decoded: &[u8]) {
        assert_eq!(&*decode(raw), decoded);
    }

    #[rstest]
    #[case::path(PATH, b"a b\tc\nd\\e#f,g=h", b"a\\040b\\011c\\012d\\134e#f,g=h")]
    #[case::name(NAME, b"a b\tc\nd\\e#f,g=h", b"a\\040b\\011c\\012d\\134e\\043f,g=h")]
    #[case::option_name(OPTION_NAME, b"a b\\e#f,g=h", b"a\\040b\\134e#f\\054g\\075h")]
    #[case::option_value(OPTION_VALUE, b"a b\\e#f,g=h", b"a\\040b\\134e#f\\054g=h")]
    #[case::nothing_special(PATH, b"\x01\x7f\xff\r", b"\x01\x7f\xff\r")]
    fn encodes_as_the_kernel(#[case] set: &[u8], #[case] bytes: &[u8], #[case] raw: &[u8]) {
        assert_eq!(&*encode(bytes, set), raw);
        assert_eq!(&*decode(raw), bytes);
    }

    #[rstest]
    #[case::same(b"/srv/data/x", b"/srv/data/x", b"", b"")]
    #[case::raw_is_longer(b"/srv/data\\040x/y", b"/srv/data x", b"/y", b"")]
    #[case::bytes_are_longer(b"/srv/a\\040b", b"/srv/a b/and/more", b"", b"/and/more")]
    #[case::differ_in_a_word(b"/srv/abc/abcdefg", b"/srv/abc/abXdefg", b"cdefg", b"Xdefg")]
    #[case::differ_at_an_escape(b"/a\\040b", b"/a\\040b", b"\\040b", b"\\040b")]
    #[case::escape_of_what_needs_none(b"/\\141/\\142", b"/a/c", b"\\142", b"c")]
    #[case::a_backslash_that_is_none(b"/C:\\Program Files", b"/C:\\Program", b" Files", b"")]
    #[case::empty(b"", b"", b"", b"")]
    fn skips_what_is_common(#[case] raw: &[u8], #[case] bytes: &[u8], #[case] raw_rest: &[u8], #[case] rest: &[u8]) {
        assert_eq!(skip_common(raw, bytes), (raw_rest, rest));
    }

    #[test]
    fn does_not_copy_what_has_no_escape() {
        assert!(matches!(decode(b"/srv"), Cow::Borrowed(b"/srv")));
        assert!(matches!(encode(b"/srv#", PATH), Cow::Borrowed(b"/srv#")));
    }
}

//! Escapes, for speed: most names have none.

use cofferdam::mountinfo::escape::encode_into;

/// Appends bytes with the octal escapes of mountinfo, `special` being one of the sets of
/// [`cofferdam::mountinfo::escape`] (`mangle_path()`, `seq_escape()`).
pub(crate) fn push_escaped(text: &mut Vec<u8>, bytes: &[u8], special: &[u8]) {
    // A superset of what is special in a path or a name. No short cut, so that many bytes are compared at once.
    let may_be_special =
        bytes.iter().fold(false, |found, byte| found | (*byte <= b' ' || matches!(byte, b'\\' | b'#')));
    if may_be_special {
        encode_into(bytes, special, text);
    } else {
        text.extend_from_slice(bytes);
    }
}

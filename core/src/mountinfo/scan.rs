//! Short searches, for which the call of [`memchr`] costs more than the search.

use memchr::memchr;

/// Bytes that are looked at together.
const WORD: usize = size_of::<u64>();

/// How far [`find`] looks by itself: most fields end before, and a longer one is worth the call of [`memchr`].
const NEAR: usize = 4 * WORD;

/// Where `byte` first is in `bytes`.
#[inline]
pub(super) fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    let near = bytes.get(..NEAR).unwrap_or(bytes);
    let (words, tail) = near.as_chunks::<WORD>();
    for (index, word) in words.iter().enumerate() {
        if let Some(position) = find_in_word(byte, *word) {
            return Some(index * WORD + position);
        }
    }
    if bytes.len() > NEAR {
        return memchr(byte, &bytes[NEAR..]).map(|position| NEAR + position);
    }
    tail.iter().position(|other| *other == byte).map(|position| words.len() * WORD + position)
}

/// Where `byte` first is in a word: the lowest byte of the difference that is 0 has its highest bit set by the
/// subtraction, and none below it has.
#[inline]
pub(super) fn find_in_word(byte: u8, word: [u8; WORD]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; WORD]);
    let difference = u64::from_le_bytes(word) ^ (ONES * u64::from(byte));
    let zeros = difference.wrapping_sub(ONES) & !difference & (ONES << 7);
    (zeros != 0).then(|| zeros.trailing_zeros() as usize / 8)
}

/// The decimal number that `bytes` start with, and what follows it; unlike [`str::parse`] it takes no sign. `None` if
/// there is no digit, or if the number does not fit.
#[inline]
pub(super) fn number_at_start(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut number = 0_u32;
    let mut rest = bytes;
    while let Some((digit @ b'0'..=b'9', tail)) = rest.split_first() {
        number = number.checked_mul(10)?.checked_add(u32::from(digit - b'0'))?;
        rest = tail;
    }
    (rest.len() < bytes.len()).then_some((number, rest))
}

/// Parses a decimal number, all of it.
pub(super) fn parse_number(digits: &[u8]) -> Option<u32> {
    number_at_start(digits).filter(|(_, rest)| rest.is_empty()).map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[test]
    fn finds_wherever_it_is() {
        for length in 0..3 * NEAR {
            let mut bytes = vec![b'!'; length];
            assert_eq!(find(b' ', &bytes), None);
            for position in (0..length).rev() {
                bytes[position] = b' ';
                assert_eq!(find(b' ', &bytes), Some(position));
            }
        }
    }

    proptest! {
        // A space, and what differs from it in one bit or in a carry.
        #[test]
        fn finds_what_memchr_finds(bytes in vec(prop::sample::select(b" !\x1f\x00\xa0\xa1\x80\xff\x01".as_slice()), 0..80)) {
            for byte in [b' ', 0, 0x80, 0xff] {
                prop_assert_eq!(find(byte, &bytes), memchr(byte, &bytes));
            }
        }
    }

    #[rstest]
    #[case::all(b"42", Some((42, &b""[..])))]
    #[case::up_to_a_space(b"42 7", Some((42, &b" 7"[..])))]
    #[case::up_to_a_letter(b"4x", Some((4, &b"x"[..])))]
    #[case::largest(b"4294967295:", Some((u32::MAX, &b":"[..])))]
    #[case::too_large(b"4294967296:", None)]
    #[case::zeros(b"00000000000007", Some((7, &b""[..])))]
    #[case::no_digit(b" 4", None)]
    #[case::sign(b"+4", None)]
    #[case::nothing(b"", None)]
    fn reads_a_number(#[case] bytes: &[u8], #[case] read: Option<(u32, &[u8])>) {
        assert_eq!(number_at_start(bytes), read);
        assert_eq!(parse_number(bytes), read.filter(|(_, rest)| rest.is_empty()).map(|(number, _)| number));
    }
}

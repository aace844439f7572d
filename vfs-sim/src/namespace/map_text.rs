//! The text of a map of ids: a line for each range.

use super::IdExtent;
use crate::failure::{Failure, fail};

/// How many lines a map has at most (`UID_GID_MAP_MAX_EXTENTS`).
const MAX_LINES: usize = 340;

/// The text up to a NUL.
pub(super) fn c_string(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or(text)
}

/// The kernel's `isspace()`, which knows Latin-1.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r' | 0xA0)
}

pub(super) fn skip_spaces(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_space(*byte)).unwrap_or(text.len());
    &text[start..]
}

/// A number of any length, of which the lowest 32 bits remain, and what follows (`simple_strtoul()`).
fn number(text: &[u8]) -> (u32, &[u8]) {
    let text = skip_spaces(text);
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let value = digits.iter().fold(0_u32, |value, digit| value.wrapping_mul(10).wrapping_add(u32::from(digit - b'0')));
    (value, rest)
}

/// The lines of a map, ids outside being those of the parent (`map_write()`).
///
/// # Errors
///
/// `EINVAL` if the text is no map.
pub(super) fn parse(text: &[u8]) -> Result<Vec<IdExtent>, Failure> {
    let mut map: Vec<IdExtent> = Vec::new();
    let mut rest = Some(text);
    while let Some(text) = rest {
        let end = text.iter().position(|byte| *byte == b'\n');
        let line = &text[..end.unwrap_or(text.len())];
        rest = end.map(|end| &text[end + 1..]).filter(|rest| !rest.is_empty());
        let extent = parse_line(line)?;
        if map.iter().any(|other| overlap(other, &extent)) {
            return Err(fail!(EINVAL, "map_write()", "an id is in two lines of the map"));
        }
        if map.len() + 1 == MAX_LINES && rest.is_some() {
            return Err(fail!(EINVAL, "map_write()", "the map has more than 340 lines"));
        }
        map.push(extent);
    }
    Ok(map)
}

fn parse_line(line: &[u8]) -> Result<IdExtent, Failure> {
    let [inside, outside, count] = numbers(line).ok_or(fail!(
        EINVAL,
        "map_write()",
        "a line of the map is not three numbers: the first id inside, the first one outside, and how many"
    ))?;
    if inside == u32::MAX || outside == u32::MAX {
        return Err(fail!(EINVAL, "map_write()", "an id in the map is 4294967295, which is none"));
    }
    if count == 0 {
        return Err(fail!(EINVAL, "map_write()", "a line of the map is one of no ids"));
    }
    if inside.checked_add(count).is_none() || outside.checked_add(count).is_none() {
        return Err(fail!(EINVAL, "map_write()", "the ids of a line of the map go beyond the highest one"));
    }
    Ok(IdExtent { inside, outside, count })
}

/// The three numbers of a line.
fn numbers(line: &[u8]) -> Option<[u32; 3]> {
    let (inside, rest) = number(line);
    rest.first().filter(|byte| is_space(**byte))?;
    let (outside, rest) = number(rest);
    rest.first().filter(|byte| is_space(**byte))?;
    let (count, rest) = number(rest);
    let is_end = match rest {
        [] => true,
        [first, ..] => is_space(*first) && skip_spaces(rest).is_empty(),
    };
    is_end.then_some([inside, outside, count])
}

/// Whether two lines have an id in common, inside or outside (`mappings_overlap()`).
fn overlap(a: &IdExtent, b: &IdExtent) -> bool {
    let meet = |a_first: u32, b_first: u32| {
        let (a_last, b_last) = (a_first + (a.count - 1), b_first + (b.count - 1));
        a_first <= b_last && a_last >= b_first
    };
    meet(a.inside, b.inside) || meet(a.outside, b.outside)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(b"0 1000 1", Some(vec![(0, 1000, 1)]))]
    #[case(b"0 1000 1\n", Some(vec![(0, 1000, 1)]))]
    #[case(b" \t0\x0b1000\xa01 \n10 2000 5", Some(vec![(0, 1000, 1), (10, 2000, 5)]))]
    // A NUL ends the text.
    #[case(b"0 1000 1\0nonsense", Some(vec![(0, 1000, 1)]))]
    // Numbers are cut to 32 bits.
    #[case(b"4294967296 1000 1", Some(vec![(0, 1000, 1)]))]
    #[case(b"0 0 4294967295", Some(vec![(0, 0, 4_294_967_295)]))]
    // An empty number is 0; here there is no third one, and a count of 0 is none.
    #[case(b"0 1000", None)]
    #[case(b"", None)]
    #[case(b"\n0 1000 1", None)]
    #[case(b"0 1000 1\n\n", None)]
    #[case(b"0 1000 0", None)]
    #[case(b"-1 1000 1", None)]
    #[case(b"0 1000 1 1", None)]
    #[case(b"0,1000,1", None)]
    #[case(b"4294967295 1000 1", None)]
    #[case(b"0 4294967290 10", None)]
    #[case(b"0 1000 2\n1 2000 1", None)]
    #[case(b"0 1000 2\n5 1001 1", None)]
    fn texts(#[case] text: &[u8], #[case] expected: Option<Vec<(u32, u32, u32)>>) {
        let map = parse(c_string(text));
        let map =
            map.ok().map(|map| map.iter().map(|line| (line.inside, line.outside, line.count)).collect::<Vec<_>>());
        assert_eq!(map, expected);
    }

    #[test]
    fn a_map_has_at_most_340_lines() {
        let text =
            |lines: u32| (0..lines).flat_map(|line| format!("{line} {line} 1\n").into_bytes()).collect::<Vec<_>>();
        assert_eq!(parse(&text(340)).map(|map| map.len()), Ok(340));
        assert_eq!(parse(&text(341)).map_err(Failure::errno), Err(cofferdam::kernel::Errno::EINVAL));
    }
}

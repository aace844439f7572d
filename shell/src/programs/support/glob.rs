//! Patterns of names, as fnmatch(3) without flags matches them.

/// Whether a text matches a pattern.
pub(crate) fn matches(pattern: &[u8], text: &[u8], ignores_case: bool) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // Where to go on if what follows the last `*` does not match here.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = pattern {
            pattern = rest;
            retry = Some((rest, text));
            continue;
        }
        let step = match (pattern.is_empty(), text.split_first()) {
            (true, None) => return true,
            (false, Some((byte, _))) => match_one(pattern, *byte, ignores_case),
            _ => None,
        };
        if let (Some(rest), Some((_, after))) = (step, text.split_first()) {
            (pattern, text) = (rest, after);
            continue;
        }
        match retry {
            Some((after_star, from)) if !from.is_empty() => {
                let from = from.get(1..).unwrap_or_default();
                retry = Some((after_star, from));
                (pattern, text) = (after_star, from);
            }
            _ => return false,
        }
    }
}

/// What is left of a pattern after it has matched a byte.
fn match_one(pattern: &[u8], byte: u8, ignores_case: bool) -> Option<&[u8]> {
    let fold = |byte: u8| if ignores_case { byte.to_ascii_lowercase() } else { byte };
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'[', rest @ ..] => match bracket(rest, fold(byte), ignores_case) {
            Some((true, rest)) => Some(rest),
            Some((false, _)) => None,
            // Without a `]` it is a character.
            None => (byte == b'[').then_some(rest),
        },
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (fold(*literal) == fold(byte)).then_some(rest),
        [] => None,
    }
}

/// Whether a bracket expression matches, and what comes after it.
fn bracket(pattern: &[u8], byte: u8, ignores_case: bool) -> Option<(bool, &[u8])> {
    let fold = |byte: u8| if ignores_case { byte.to_ascii_lowercase() } else { byte };
    let (is_negated, mut rest) = match pattern {
        [b'!' | b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (mut is_first, mut has_match) = (true, false);
    loop {
        match rest {
            [b']', after @ ..] if !is_first => return Some((has_match != is_negated, after)),
            [b'[', b':', after @ ..] => {
                let end = after.windows(2).position(|pair| pair == b":]")?;
                has_match |= is_in_class(after.get(..end)?, byte);
                rest = after.get(end + 2..)?;
            }
            [low, b'-', high, after @ ..] if *high != b']' => {
                has_match |= (fold(*low)..=fold(*high)).contains(&byte);
                rest = after;
            }
            [b'\\', literal, after @ ..] | [literal, after @ ..] => {
                has_match |= fold(*literal) == byte;
                rest = after;
            }
            [] => return None,
        }
        is_first = false;
    }
}

fn is_in_class(class: &[u8], byte: u8) -> bool {
    match class {
        b"alpha" => byte.is_ascii_alphabetic(),
        b"digit" => byte.is_ascii_digit(),
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"upper" => byte.is_ascii_uppercase(),
        b"lower" => byte.is_ascii_lowercase(),
        b"space" => byte.is_ascii_whitespace() || byte == 11,
        b"blank" => byte == b' ' || byte == b'\t',
        b"punct" => byte.is_ascii_punctuation(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        b"cntrl" => byte.is_ascii_control(),
        b"print" => matches!(byte, b' '..=b'~'),
        b"graph" => byte.is_ascii_graphic(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    #[rstest]
    #[case("*", "abc", true)]
    #[case("", "", true)]
    #[case("", "a", false)]
    #[case("a*c", "abbc", true)]
    #[case("a*c", "abbd", false)]
    #[case("*a*b", "xaxbxb", true)]
    #[case("?", "", false)]
    #[case("[a-c]x", "bx", true)]
    #[case("[!a-c]x", "bx", false)]
    #[case("[]x", "[]x", true)]
    #[case("[]]", "]", true)]
    #[case("[[:digit:]]*", "7up", true)]
    #[case("\\*", "*", true)]
    #[case("\\*", "a", false)]
    #[case("*.rs", ".rs", true)]
    fn patterns(#[case] pattern: &str, #[case] text: &str, #[case] expected: bool) {
        assert_eq!(super::matches(pattern.as_bytes(), text.as_bytes(), false), expected);
    }
}

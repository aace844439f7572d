//! How GNU programs quote names in messages, as without a locale (gnulib's quotearg).

/// As `quoteaf`: for a shell, always with quotes.
pub(crate) fn quoted_always(name: &[u8]) -> Vec<u8> {
    if name.contains(&b'\'') && name.iter().all(|byte| is_plain_in_c_and_shell(*byte)) {
        return [b"\"", name, b"\""].concat();
    }
    let mut text = vec![b'\''];
    let mut is_escaping = false;
    for byte in name {
        if let Some(escape) = escape(*byte) {
            if !is_escaping {
                text.extend(b"'$'");
                is_escaping = true;
            }
            text.extend(escape);
            continue;
        }
        if *byte == b'\'' {
            text.extend(b"'\\''");
            is_escaping = false;
            continue;
        }
        if is_escaping {
            text.extend(b"''");
            is_escaping = false;
        }
        text.push(*byte);
    }
    text.push(b'\'');
    text
}

/// As `quotef`: for a shell, with quotes only where it takes them; a colon takes them too, as messages have colons.
pub(crate) fn quoted_if_needed(name: &[u8]) -> Vec<u8> {
    let is_special = |byte: &u8| b" !\"$&()*;<=>[^`|'\\?:".contains(byte) || escape(*byte).is_some();
    let starts_special = matches!(name.first(), Some(b'#' | b'~'));
    if name.is_empty() || matches!(name, b"{" | b"}") || starts_special || name.iter().any(is_special) {
        quoted_always(name)
    } else {
        name.to_vec()
    }
}

/// As `quote`: between single quotes, with the escapes of C.
pub(crate) fn quoted_as_in_c(name: &[u8]) -> Vec<u8> {
    let mut text = vec![b'\''];
    for byte in name {
        match (byte, escape(*byte)) {
            (_, Some(escape)) => text.extend(escape),
            (b'\\' | b'\'', _) => text.extend([b'\\', *byte]),
            _ => text.push(*byte),
        }
    }
    text.push(b'\'');
    text
}

/// Whether a byte means itself between double quotes in C and in a shell.
fn is_plain_in_c_and_shell(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !b"!\"$&()*;<=>[^`|\\?".contains(&byte)
}

fn escape(byte: u8) -> Option<Vec<u8>> {
    let letter = match byte {
        7 => b'a',
        8 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        11 => b'v',
        12 => b'f',
        b'\r' => b'r',
        b' '..=b'~' => return None,
        other => return Some(format!("\\{other:03o}").into_bytes()),
    };
    Some(vec![b'\\', letter])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("x", "'x'", "x", "'x'")]
    #[case("a b", "'a b'", "'a b'", "'a b'")]
    #[case("", "''", "''", "''")]
    #[case("a\nb", r"'a'$'\n''b'", r"'a'$'\n''b'", r"'a\nb'")]
    #[case("\n", r"''$'\n'", r"''$'\n'", r"'\n'")]
    #[case("a'b", "\"a'b\"", "\"a'b\"", r"'a\'b'")]
    #[case("a'$b", r"'a'\''$b'", r"'a'\''$b'", r"'a\'$b'")]
    #[case("a:b", "'a:b'", "'a:b'", "'a:b'")]
    #[case("#a", "'#a'", "'#a'", "'#a'")]
    #[case("a#", "'a#'", "a#", "'a#'")]
    #[case("\u{e9}", r"''$'\303\251'", r"''$'\303\251'", r"'\303\251'")]
    #[case("a\\b", r"'a\b'", r"'a\b'", r"'a\\b'")]
    fn names(#[case] name: &str, #[case] always: &str, #[case] if_needed: &str, #[case] in_c: &str) {
        assert_eq!(String::from_utf8(quoted_always(name.as_bytes())).unwrap(), always);
        assert_eq!(String::from_utf8(quoted_if_needed(name.as_bytes())).unwrap(), if_needed);
        assert_eq!(String::from_utf8(quoted_as_in_c(name.as_bytes())).unwrap(), in_c);
    }
}

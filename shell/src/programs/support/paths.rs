//! Paths as text, as basename(1) and dirname(1) see them.

/// A path without the slashes at its end; `/` stays.
pub(crate) fn without_trailing_slashes(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(path.len().min(1), |last| last + 1);
    path.get(..end).unwrap_or(path)
}

/// The last component, without the slashes after it; `/` of a path of slashes.
pub(crate) fn base_name(path: &[u8]) -> &[u8] {
    let path = without_trailing_slashes(path);
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) if path.len() > 1 => path.get(slash + 1..).unwrap_or(path),
        _ => path,
    }
}

/// What is before the last component; `.` if there is nothing.
pub(crate) fn directory_name(path: &[u8]) -> &[u8] {
    let path = without_trailing_slashes(path);
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => without_trailing_slashes(path.get(..=slash).unwrap_or(path)),
        None => b".",
    }
}

/// A name in a directory.
pub(crate) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let slash: &[u8] = if directory.is_empty() || directory.ends_with(b"/") { b"" } else { b"/" };
    [directory, slash, name].concat()
}

/// Whether the last component is `.` or `..`.
pub(crate) fn ends_in_dots(path: &[u8]) -> bool {
    matches!(base_name(path), b"." | b"..")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a", ".", "a")]
    #[case("a/b", "a", "b")]
    #[case("a//b//", "a", "b")]
    #[case("/a", "/", "a")]
    #[case("//a", "/", "a")]
    #[case("/", "/", "/")]
    #[case("//", "/", "/")]
    #[case("", ".", "")]
    fn names(#[case] path: &str, #[case] directory: &str, #[case] base: &str) {
        assert_eq!(directory_name(path.as_bytes()), directory.as_bytes());
        assert_eq!(base_name(path.as_bytes()), base.as_bytes());
    }
}

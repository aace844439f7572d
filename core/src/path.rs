//! Comparing paths by component, without taking them apart where bytes tell.

use memchr::memchr_iter;
use typed_path::{Component as _, UnixPath};

/// What a path is below a directory, by component; `None` if it is not below it.
pub(crate) fn strip<'p>(path: &'p UnixPath, directory: &UnixPath) -> Option<&'p UnixPath> {
    if !is_plain(path) || !is_plain(directory) {
        return path.strip_prefix(directory).ok();
    }
    let below = path.as_bytes().strip_prefix(directory.as_bytes())?;
    match directory.as_bytes() {
        b"/" => Some(UnixPath::new(below)),
        _ if below.is_empty() => Some(UnixPath::new(below)),
        _ => below.strip_prefix(b"/").map(UnixPath::new),
    }
}

/// Whether a path has a component that leads to the directory above.
pub(crate) fn has_parent(path: &UnixPath) -> bool {
    !is_plain(path) && path.components().any(|component| component.is_parent())
}

/// Whether a path is absolute and certainly written in the one way in which no component is empty, `.` or `..`.
fn is_plain(path: &UnixPath) -> bool {
    let bytes = path.as_bytes();
    let is_clear = |slash: usize| !matches!(bytes.get(slash + 1), None | Some(b'/' | b'.'));
    bytes == b"/" || (bytes.first() == Some(&b'/') && memchr_iter(b'/', bytes).all(is_clear))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/a/b", "/a", Some("b"))]
    #[case("/a/b/c", "/a", Some("b/c"))]
    #[case("/a", "/a", Some(""))]
    #[case("/a", "/", Some("a"))]
    #[case("/", "/", Some(""))]
    #[case("/ab", "/a", None)]
    #[case("/a", "/a/b", None)]
    #[case("/", "/a", None)]
    #[case("/a//b", "/a", Some("b"))]
    #[case("/a/./b", "/a/", Some("b"))]
    #[case("//a/b", "/a", Some("b"))]
    #[case("/a/.b", "/a", Some(".b"))]
    #[case("/a/b/", "/a/b", Some(""))]
    #[case("a/b", "a", Some("b"))]
    #[case("", "/a", None)]
    fn a_path_below_a_directory(#[case] path: &str, #[case] directory: &str, #[case] expected: Option<&str>) {
        let (path, directory) = (UnixPath::new(path), UnixPath::new(directory));
        let components = |path: &UnixPath| path.components().map(|part| part.as_bytes().to_vec()).collect::<Vec<_>>();
        let found = strip(path, directory);
        assert_eq!(found.map(components), expected.map(|path| components(UnixPath::new(path))));
        assert_eq!(found.map(components), path.strip_prefix(directory).ok().map(components));
    }

    #[rstest]
    #[case("/a/../b", true)]
    #[case("..", true)]
    #[case("/a/..", true)]
    #[case("/a/..b", false)]
    #[case("/a/b", false)]
    #[case("/", false)]
    fn a_path_that_leads_up(#[case] path: &str, #[case] expected: bool) {
        assert_eq!(has_parent(UnixPath::new(path)), expected);
    }
}

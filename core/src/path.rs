//! Comparing paths by component, without taking them apart where bytes tell.

use typed_path::{Component as _, UnixPath};

/// A path that is compared with others; whether bytes tell is found out once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compared<P> {
    path: P,
    is_plain: bool,
}

impl<P: AsRef<UnixPath>> Compared<P> {
    pub(crate) fn new(path: P) -> Self {
        let is_plain = is_plain(path.as_ref());
        Self { path, is_plain }
    }

    pub(crate) fn borrowed(&self) -> Compared<&UnixPath> {
        Compared { path: self.path.as_ref(), is_plain: self.is_plain }
    }
}

impl<'p> Compared<&'p UnixPath> {
    pub(crate) fn path(self) -> &'p UnixPath {
        self.path
    }

    /// What the path is below a directory, by component; `None` if it is not below it.
    pub(crate) fn below(self, directory: Compared<&UnixPath>) -> Option<&'p UnixPath> {
        if !self.is_plain || !directory.is_plain {
            return self.path.strip_prefix(directory.path).ok();
        }
        let below = self.path.as_bytes().strip_prefix(directory.path.as_bytes())?;
        match directory.path.as_bytes() {
            b"/" => Some(UnixPath::new(below)),
            _ if below.is_empty() => Some(UnixPath::new(below)),
            _ => below.strip_prefix(b"/").map(UnixPath::new),
        }
    }

    /// Whether a component of the path leads to the directory above.
    pub(crate) fn has_parent(self) -> bool {
        !self.is_plain && self.path.components().any(|component| component.is_parent())
    }
}

/// Whether a path is absolute and certainly written in the one way in which no component is empty, `.` or `..`.
///
/// A crate that searches faster would first ask the processor what it can do, in each launcher, and in a virtual machine each
/// of these questions takes longer than all searches of a launch.
fn is_plain(path: &UnixPath) -> bool {
    match path.as_bytes() {
        b"/" => true,
        bytes @ [b'/', .., last] => {
            *last != b'/' && bytes.windows(2).all(|pair| pair[0] != b'/' || !matches!(pair[1], b'/' | b'.'))
        }
        _ => false,
    }
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
        let found = Compared::new(path).below(Compared::new(directory));
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
        assert_eq!(Compared::new(UnixPath::new(path)).has_parent(), expected);
    }
}

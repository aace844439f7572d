//! What one kernel has in proc, and another one does not: paths that begin at its root.

use crate::arena::Id;
use crate::disk::Question;
use crate::filesystem::Dentry;
use crate::linux::Linux;

impl Linux {
    /// Whether a name that is known is missing all the same.
    pub(super) fn misses_in_proc(&self, directory: Id<Dentry>, name: &[u8]) -> bool {
        let is_missing = |path: String| self.missing_in_proc.contains(&path);
        !self.missing_in_proc.is_empty() && self.path_in_proc(directory, name).is_some_and(is_missing)
    }

    /// Whether a further name is that of a directory; none if there is no such name.
    pub(super) fn is_further_directory(&self, directory: Id<Dentry>, name: &[u8]) -> Option<bool> {
        let has_any = !self.further_in_proc.is_empty();
        has_any.then(|| self.further_in_proc.get(&self.path_in_proc(directory, name)?).copied())?
    }

    /// The further names in a directory.
    pub(super) fn further_names_in_proc(&self, directory: Id<Dentry>) -> impl Iterator<Item = String> {
        let above = self.path_in_proc(directory, b"").unwrap_or_default();
        let below = move |path: &String| {
            let name = path.strip_prefix(&above)?;
            (!name.contains('/')).then(|| name.to_owned())
        };
        self.further_in_proc.keys().filter_map(below)
    }

    /// A name was looked up below an entry of the root.
    pub(super) fn ask_in_proc(&mut self, directory: Id<Dentry>, name: &[u8]) {
        if self.questions.is_some()
            && let Some(path) = self.path_in_proc(directory, name)
        {
            self.ask(Question::InProc(path));
        }
    }

    fn path_in_proc(&self, directory: Id<Dentry>, name: &[u8]) -> Option<String> {
        let mut path = self.dentry_text(directory);
        if !path.ends_with(b"/") {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        path.remove(0);
        String::from_utf8(path).ok()
    }
}

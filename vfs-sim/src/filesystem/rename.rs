//! Names that move (`__d_move()`, `simple_offset_rename()`).

use super::{Dentry, Name};
use crate::arena::Id;
use crate::linux::Linux;

/// Where an entry of a directory goes.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    /// The directory.
    pub(crate) directory: Id<Dentry>,
    /// The name, which must be free.
    pub(crate) name: Name,
    /// The position of readers of the directory that are at this entry.
    pub(crate) offset: u64,
}

impl Linux {
    /// A place for an entry in a directory: that of the entry that it replaces, or a new one.
    pub(crate) fn destination(
        &mut self,
        directory: Id<Dentry>,
        name: Name,
        replaced: Option<Id<Dentry>>,
    ) -> Destination {
        let offset = match replaced {
            Some(replaced) => self.dentries[replaced].offset,
            None => self.new_offset(directory),
        };
        Destination { directory, name, offset }
    }

    /// Takes a dentry, which is about to be moved, out of its directory.
    pub(crate) fn lift_dentry(&mut self, dentry: Id<Dentry>) {
        self.leave_directory(dentry);
    }

    /// Puts a dentry that was lifted, and all below it, to a name that is free (`d_move()`).
    pub(crate) fn put_down_dentry(&mut self, dentry: Id<Dentry>, destination: Destination) {
        let object = &mut self.dentries[dentry];
        object.parent = destination.directory;
        object.name = destination.name;
        self.enter_directory_at(dentry, destination.offset);
    }

    /// Moves a dentry, and all below it, to a name that is free.
    #[cfg(test)]
    pub(crate) fn move_dentry(&mut self, dentry: Id<Dentry>, directory: Id<Dentry>, name: Name) {
        let destination = self.destination(directory, name, None);
        self.lift_dentry(dentry);
        self.put_down_dentry(dentry, destination);
    }

    /// Lets two dentries, with all below them, change places (`d_exchange()`, `simple_offset_rename_exchange()`).
    pub(crate) fn exchange_dentries(&mut self, old: Id<Dentry>, new: Id<Dentry>) {
        let place = |dentry: &Dentry| Destination {
            directory: dentry.parent,
            name: dentry.name.clone(),
            offset: dentry.offset,
        };
        let (place_of_old, place_of_new) = (place(&self.dentries[old]), place(&self.dentries[new]));
        self.lift_dentry(old);
        self.lift_dentry(new);
        self.put_down_dentry(new, place_of_old);
        self.put_down_dentry(old, place_of_new);
    }
}

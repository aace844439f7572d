//! Which numbers of the real kernel stand for which of the simulated one: ids that both give out as they like.
//!
//! A number names an object while that lives, and another one later. So a relation is kept between the numbers of the
//! real kernel and the *objects* of the simulated one, as far as these are known (see [`Identities`]).

use std::collections::{BTreeMap, HashMap};

use cofferdam_vfs_sim::Number;

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The id of a mount in mountinfo.
    Mount,
    /// The unique id of a mount.
    UniqueMount,
    /// A peer group.
    PeerGroup,
    /// The minor number of an anonymous device.
    Device,
    /// The inode number of a namespace, or of a pipe and other anonymous files.
    Namespace,
    /// The number of a filesystem in statfs(2) that is never used again.
    Filesystem,
    /// The number of a mount namespace that is never used again.
    UniqueNamespace,
    /// An inode number of a filesystem.
    Inode {
        /// The minor number of its device in the simulation.
        device: u32,
        /// Which of the filesystems that had the device, if that is known.
        filesystem: u64,
    },
}

/// The objects that the simulated kernel's numbers stand for, at one point of a sequence: number to object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identities {
    objects: BTreeMap<(Kind, u64), u64>,
}

impl Identities {
    /// What the simulated kernel's numbers stand for, if those are in use.
    pub(crate) fn now(&self, numbers: impl Iterator<Item = Number>, time: u64) -> Self {
        let numbers = numbers.flat_map(|number| match number {
            Number::Mount { id, unique_id } => {
                [Some((Kind::Mount, id.into(), Some(unique_id))), Some((Kind::UniqueMount, unique_id, Some(unique_id)))]
            }
            Number::PeerGroup(group) => [Some((Kind::PeerGroup, group.into(), None)), None],
            Number::Device(minor) => [Some((Kind::Device, minor.into(), None)), None],
            Number::Namespace(inode) => [Some((Kind::Namespace, inode, None)), None],
        });
        self.next(numbers.flatten(), time)
    }

    /// The numbers that are in use now. One that was in use just before stands for the same object, unless an object is
    /// given.
    fn next(&self, numbers: impl IntoIterator<Item = (Kind, u64, Option<u64>)>, time: u64) -> Self {
        let objects = numbers.into_iter().map(|(kind, number, object)| {
            let same = self.objects.get(&(kind, number)).copied();
            ((kind, number), object.or(same).unwrap_or(time))
        });
        Self { objects: objects.collect() }
    }

    pub(super) fn object(&self, kind: Kind, number: u64) -> Option<u64> {
        self.objects.get(&(kind, number)).copied()
    }
}

/// Why two numbers don't stand for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// They can't.
    Certain,
    /// Unless one of the objects that they stood for is gone, which is not known.
    Unknown,
}

/// An object of the simulated kernel: its number, and which of the objects that had the number.
type Object = (u64, u64);

/// A relation between the numbers of both kernels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Relation {
    to_simulated: HashMap<(Kind, u64), Object>,
    to_real: HashMap<(Kind, Object), u64>,
}

impl Relation {
    /// Notes that a number of the real kernel stands for what one of the simulated kernel stands for, unless that
    /// contradicts what was noted before.
    pub(crate) fn relate(
        &mut self,
        kind: Kind,
        real: u64,
        simulated: u64,
        identities: Option<&Identities>,
    ) -> Result<(), Conflict> {
        let object = (simulated, identities.and_then(|identities| identities.object(kind, simulated)).unwrap_or(0));
        let old_object = self.to_simulated.get(&(kind, real)).copied();
        let old_real = self.to_real.get(&(kind, object)).copied();
        if old_object == Some(object) && old_real == Some(real) {
            return Ok(());
        }
        let conflict = if identities.is_some() { Conflict::Certain } else { Conflict::Unknown };
        // Objects keep their number as long as they live.
        if old_real.is_some_and(|old| old != real) {
            return Err(conflict);
        }
        if let Some((number, serial)) = old_object {
            let lives = identities.is_none_or(|identities| identities.object(kind, number) == Some(serial));
            if lives {
                return Err(conflict);
            }
        }
        self.to_simulated.insert((kind, real), object);
        self.to_real.insert((kind, object), real);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(numbers: &[u64], before: &Identities, time: u64) -> Identities {
        before.next(numbers.iter().map(|number| (Kind::Mount, *number, None)), time)
    }

    #[test]
    fn two_numbers_for_one_object_are_a_conflict() {
        let now = at(&[1, 2], &Identities::default(), 1);
        let mut relation = Relation::default();
        assert_eq!(relation.relate(Kind::Mount, 10, 1, Some(&now)), Ok(()));
        assert_eq!(relation.relate(Kind::Mount, 10, 1, Some(&now)), Ok(()));
        assert_eq!(relation.relate(Kind::Mount, 11, 1, Some(&now)), Err(Conflict::Certain));
        assert_eq!(relation.relate(Kind::Mount, 10, 2, Some(&now)), Err(Conflict::Certain));
        assert_eq!(relation.relate(Kind::PeerGroup, 10, 2, Some(&now)), Ok(()));
    }

    #[test]
    fn a_number_that_became_free_may_stand_for_another_object() {
        let first = at(&[1, 2], &Identities::default(), 1);
        let mut relation = Relation::default();
        assert_eq!(relation.relate(Kind::Mount, 10, 1, Some(&first)), Ok(()));
        let without = at(&[2], &first, 2);
        assert_eq!(relation.relate(Kind::Mount, 10, 2, Some(&without)), Ok(()));
        // The number 1 is in use again, for something else.
        let again = at(&[1, 2], &without, 3);
        assert_eq!(relation.relate(Kind::Mount, 10, 1, Some(&again)), Err(Conflict::Certain));
        assert_eq!(relation.relate(Kind::Mount, 11, 1, Some(&again)), Ok(()));
    }

    #[test]
    fn without_knowledge_of_the_objects_a_conflict_is_not_certain() {
        let mut relation = Relation::default();
        assert_eq!(relation.relate(Kind::Mount, 10, 1, None), Ok(()));
        assert_eq!(relation.relate(Kind::Mount, 10, 2, None), Err(Conflict::Unknown));
        assert_eq!(relation.relate(Kind::Mount, 11, 1, None), Err(Conflict::Unknown));
    }
}

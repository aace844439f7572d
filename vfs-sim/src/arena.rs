//! Where the objects of a kernel live: arenas with typed ids, whose clones share what neither has changed since.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use arrayvec::ArrayVec;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many objects a leaf has: so many are copied when one of them is changed for the first time after a clone.
const LEAF: usize = 8;
/// How many leaves a branch has: so many references are copied then.
const BRANCH: usize = 32;

/// The id of an object in an [`Arena`]. It is reused after the object is gone.
///
/// One that there may be, an `Option`, takes no more room: objects have many of them.
pub struct Id<T> {
    /// The number, and one.
    ordinal: NonZeroU32,
    object: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// The id with this number, whether there is such an object or not. The largest of all numbers is no object's, and
    /// taken for the one before.
    pub const fn from_number(number: u32) -> Self {
        let ordinal = match NonZeroU32::new(number.saturating_add(1)) {
            Some(ordinal) => ordinal,
            None => NonZeroU32::MAX,
        };
        Self { ordinal, object: PhantomData }
    }

    /// The number, counted from 0.
    pub const fn number(self) -> u32 {
        self.ordinal.get() - 1
    }

    const fn index(self) -> usize {
        self.number() as usize
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.ordinal == other.ordinal
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.ordinal.cmp(&other.ordinal)
    }
}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.ordinal.hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.number())
    }
}

impl<T> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.number())
    }
}

impl<'de, T> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Self::from_number)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Slot<T> {
    Used(T),
    /// The next slot that is free.
    Free(Option<u32>),
}

// In place: every access goes through both.
type Leaf<T> = ArrayVec<Slot<T>, LEAF>;
type Branch<T> = ArrayVec<Arc<Leaf<T>>, BRANCH>;

/// Where the slot with this index is: in which branch, leaf, and where there.
const fn place(index: usize) -> (usize, usize, usize) {
    (index / LEAF / BRANCH, index / LEAF % BRANCH, index % LEAF)
}

/// Objects of one kind. The slot that became free last is used first.
///
/// Cloning copies nothing; the first change of an object afterwards copies the few objects next to it.
#[derive(Clone, Debug)]
pub struct Arena<T> {
    branches: Arc<Vec<Arc<Branch<T>>>>,
    free: Option<u32>,
    used: usize,
    /// How many slots there are, used or free.
    length: usize,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { branches: Arc::default(), free: None, used: 0, length: 0 }
    }
}

impl<T> Arena<T> {
    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Whether this one and a clone of it still have everything in common: `false` once one of them has changed.
    pub(crate) fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.branches, &other.branches)
            && (self.free, self.used, self.length) == (other.free, other.used, other.length)
    }

    /// How many numbers there are that an object has or had.
    pub(crate) fn slot_count(&self) -> usize {
        self.length
    }

    /// The object, if there is one with this id.
    pub fn get(&self, id: Id<T>) -> Option<&T> {
        let (branch, leaf, slot) = place(id.index());
        match self.branches.get(branch)?.get(leaf)?.get(slot)? {
            Slot::Used(object) => Some(object),
            Slot::Free(_) => None,
        }
    }

    /// Every object with its id, in the order of the ids.
    pub fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        (0..).zip(self.slots()).filter_map(|(number, slot)| match slot {
            Slot::Used(object) => Some((Id::from_number(number), object)),
            Slot::Free(_) => None,
        })
    }
}

impl<T> Arena<T> {
    fn slots(&self) -> impl Iterator<Item = &Slot<T>> {
        self.branches.iter().flat_map(|branch| branch.iter()).flat_map(|leaf| leaf.iter())
    }
}

impl<T: Clone> Arena<T> {
    /// The id of the object that is added next.
    pub(crate) fn next_id(&self) -> Id<T> {
        Id::from_number(self.free.unwrap_or_else(|| u32::try_from(self.length).unwrap_or(u32::MAX)))
    }

    /// Adds an object.
    pub fn insert(&mut self, object: T) -> Id<T> {
        self.used += 1;
        if let Some(number) = self.free {
            if let Some(slot) = self.slot_mut(number as usize) {
                let Slot::Free(next) = std::mem::replace(slot, Slot::Used(object)) else {
                    unreachable!("the slot is free")
                };
                self.free = next;
            }
            return Id::from_number(number);
        }
        let index = self.length;
        let (branch, leaf, _) = place(index);
        let branches = Arc::make_mut(&mut self.branches);
        if branches.len() == branch {
            branches.push(Arc::default());
        }
        let branch = Arc::make_mut(&mut branches[branch]);
        if branch.len() == leaf {
            branch.push(Arc::default());
        }
        Arc::make_mut(&mut branch[leaf]).push(Slot::Used(object));
        self.length += 1;
        Id::from_number(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// Takes an object away; `None` if there is no such object.
    pub fn remove(&mut self, id: Id<T>) -> Option<T> {
        let free = self.free;
        let slot = self.slot_mut(id.index())?;
        if matches!(slot, Slot::Free(_)) {
            return None;
        }
        let Slot::Used(object) = std::mem::replace(slot, Slot::Free(free)) else { return None };
        self.free = Some(id.number());
        self.used -= 1;
        Some(object)
    }

    /// The object, to be changed, if there is one with this id.
    pub fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        match self.slot_mut(id.index())? {
            Slot::Used(object) => Some(object),
            Slot::Free(_) => None,
        }
    }

    fn slot_mut(&mut self, index: usize) -> Option<&mut Slot<T>> {
        let (branch, leaf, slot) = place(index);
        let branch = Arc::make_mut(&mut self.branches).get_mut(branch)?;
        Arc::make_mut(Arc::make_mut(branch).get_mut(leaf)?).get_mut(slot)
    }
}

impl<T> Index<Id<T>> for Arena<T> {
    type Output = T;

    /// # Panics
    ///
    /// If there is no such object: the kernel holds an id longer than its object lives, which is a bug in it.
    #[allow(clippy::panic, reason = "see above")]
    fn index(&self, id: Id<T>) -> &T {
        match self.get(id) {
            Some(object) => object,
            None => panic!("no {} {id:?}", std::any::type_name::<T>()),
        }
    }
}

impl<T: Clone> IndexMut<Id<T>> for Arena<T> {
    /// # Panics
    ///
    /// As [`index`](Self::index).
    #[allow(clippy::panic, reason = "see above")]
    fn index_mut(&mut self, id: Id<T>) -> &mut T {
        match self.get_mut(id) {
            Some(object) => object,
            None => panic!("no {} {id:?}", std::any::type_name::<T>()),
        }
    }
}

/// As a list of slots and the first that is free.
impl<T: Serialize> Serialize for Arena<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let slots: Vec<&Slot<T>> = self.slots().collect();
        (slots, self.free).serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Arena<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (slots, free) = <(Vec<Slot<T>>, Option<u32>)>::deserialize(deserializer)?;
        let used = slots.iter().filter(|slot| matches!(slot, Slot::Used(_))).count();
        let length = slots.len();
        let leaves = in_parts(slots);
        Ok(Self { branches: Arc::new(in_parts(leaves)), free, used, length })
    }
}

/// Cuts a list into parts of a length; the last may be shorter.
fn in_parts<T, const LENGTH: usize>(items: Vec<T>) -> Vec<Arc<ArrayVec<T, LENGTH>>> {
    let mut items = items.into_iter().peekable();
    let mut parts = Vec::new();
    while items.peek().is_some() {
        parts.push(Arc::new(items.by_ref().take(LENGTH).collect()));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_reused_last_freed_first() {
        let mut arena = Arena::default();
        let ids: Vec<_> = (0..40).map(|n| arena.insert(n)).collect();
        assert_eq!(arena.remove(ids[3]), Some(3));
        assert_eq!(arena.remove(ids[3]), None);
        assert_eq!(arena.remove(ids[20]), Some(20));
        assert_eq!(arena.len(), 38);
        assert_eq!(arena.get(ids[20]), None);
        assert_eq!(arena.insert(100).number(), 20);
        assert_eq!(arena.insert(101).number(), 3);
        assert_eq!(arena.insert(102).number(), 40);
        assert_eq!(arena[ids[3]], 101);
    }

    #[test]
    fn an_id_that_may_be_takes_no_more_room() {
        assert_eq!(size_of::<Option<Id<u8>>>(), size_of::<Id<u8>>());
        for number in [0, 1, u32::MAX - 1] {
            assert_eq!(Id::<u8>::from_number(number).number(), number);
        }
        assert_eq!(Id::<u8>::from_number(u32::MAX).number(), u32::MAX - 1);
    }

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let mut arena = Arena::default();
        let ids: Vec<_> = (0..40).map(|n| arena.insert(n)).collect();
        let clone = arena.clone();
        arena[ids[7]] = 70;
        arena.remove(ids[39]);
        assert_eq!(clone[ids[7]], 7);
        assert_eq!(clone.len(), 40);
        assert_eq!(clone.iter().map(|(_, n)| *n).collect::<Vec<_>>(), (0..40).collect::<Vec<_>>());
    }

    #[test]
    fn it_is_restored_as_it_was() {
        let mut arena = Arena::default();
        let ids: Vec<_> = (0..2000).map(|n| arena.insert(n)).collect();
        arena.remove(ids[5]);
        let json = serde_json::to_string(&arena).unwrap();
        let mut restored: Arena<i32> = serde_json::from_str(&json).unwrap();
        assert_eq!(restored.len(), 1999);
        assert_eq!(restored[ids[1777]], 1777);
        assert_eq!(restored.insert(50), ids[5]);
        assert_eq!(restored.insert(51).number(), 2000);
    }
}

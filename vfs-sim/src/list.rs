//! Lists that thread through the objects of an arena, as the kernel's `list_head` and `hlist_node`: an object leaves its
//! list, or finds its neighbours, without a search, and the order is the kernel's.
//!
//! Which list is meant is said by a [`Chain`].

use serde::{Deserialize, Serialize};

use crate::arena::{Arena, Id};

/// The ends of a list; part of the object that the list belongs to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct List<T> {
    /// The first member.
    pub first: Option<Id<T>>,
    /// The last member.
    pub last: Option<Id<T>>,
}

/// A member's place in a list; part of the member.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Link<T> {
    /// The member before.
    pub previous: Option<Id<T>>,
    /// The member behind.
    pub next: Option<Id<T>>,
}

impl<T> List<T> {
    /// Whether there is no member.
    pub fn is_empty(self) -> bool {
        self.first.is_none()
    }

    /// Whether there is exactly one member.
    pub fn is_singular(self) -> bool {
        self.first.is_some() && self.first == self.last
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<T> {}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { first: None, last: None }
    }
}

impl<T> Clone for Link<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Link<T> {}

impl<T> Default for Link<T> {
    fn default() -> Self {
        Self { previous: None, next: None }
    }
}

/// One of the lists that an object can be a member of.
pub trait Chain<T> {
    /// The member's place in this list.
    fn link(member: &T) -> &Link<T>;
    /// The member's place in this list, to be changed.
    fn link_mut(member: &mut T) -> &mut Link<T>;
}

/// Adds a member before all others.
pub fn push_front<C: Chain<T>, T: Clone>(arena: &mut Arena<T>, list: &mut List<T>, member: Id<T>) {
    *C::link_mut(&mut arena[member]) = Link { previous: None, next: list.first };
    match list.first {
        Some(first) => C::link_mut(&mut arena[first]).previous = Some(member),
        None => list.last = Some(member),
    }
    list.first = Some(member);
}

/// Adds a member behind all others.
pub fn push_back<C: Chain<T>, T: Clone>(arena: &mut Arena<T>, list: &mut List<T>, member: Id<T>) {
    *C::link_mut(&mut arena[member]) = Link { previous: list.last, next: None };
    match list.last {
        Some(before) => C::link_mut(&mut arena[before]).next = Some(member),
        None => list.first = Some(member),
    }
    list.last = Some(member);
}

/// Adds a member behind another one.
pub fn insert_after<C: Chain<T>, T: Clone>(arena: &mut Arena<T>, list: &mut List<T>, position: Id<T>, member: Id<T>) {
    let next = C::link(&arena[position]).next;
    *C::link_mut(&mut arena[member]) = Link { previous: Some(position), next };
    C::link_mut(&mut arena[position]).next = Some(member);
    match next {
        Some(next) => C::link_mut(&mut arena[next]).previous = Some(member),
        None => list.last = Some(member),
    }
}

/// Takes a member out of its list.
pub fn remove<C: Chain<T>, T: Clone>(arena: &mut Arena<T>, list: &mut List<T>, member: Id<T>) {
    let Link { previous, next } = std::mem::take(C::link_mut(&mut arena[member]));
    match previous {
        Some(previous) => C::link_mut(&mut arena[previous]).next = next,
        None => list.first = next,
    }
    match next {
        Some(next) => C::link_mut(&mut arena[next]).previous = previous,
        None => list.last = previous,
    }
}

/// Puts all members of `front` before those of `list`, and empties `front` (`hlist_splice_init()`).
pub fn splice_front<C: Chain<T>, T: Clone>(arena: &mut Arena<T>, list: &mut List<T>, front: &mut List<T>) {
    let (Some(start), Some(end)) = (front.first, front.last) else { return };
    *front = List::default();
    match list.first {
        Some(old) => {
            C::link_mut(&mut arena[end]).next = Some(old);
            C::link_mut(&mut arena[old]).previous = Some(end);
        }
        None => list.last = Some(end),
    }
    list.first = Some(start);
}

/// The members in their order.
pub fn members<C: Chain<T>, T>(arena: &Arena<T>, list: List<T>) -> impl Iterator<Item = Id<T>> + use<'_, C, T> {
    std::iter::successors(list.first, |member| C::link(&arena[*member]).next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Thing(Link<Thing>);

    struct Things;

    impl Chain<Thing> for Things {
        fn link(member: &Thing) -> &Link<Thing> {
            &member.0
        }

        fn link_mut(member: &mut Thing) -> &mut Link<Thing> {
            &mut member.0
        }
    }

    fn numbers(arena: &Arena<Thing>, list: List<Thing>) -> Vec<u32> {
        let forward: Vec<u32> = members::<Things, _>(arena, list).map(Id::number).collect();
        let back = std::iter::successors(list.last, |member| arena[*member].0.previous);
        let mut backward: Vec<u32> = back.map(Id::number).collect();
        backward.reverse();
        assert_eq!(forward, backward);
        forward
    }

    #[test]
    fn members_come_and_go() {
        let mut arena = Arena::default();
        let [a, b, c, d] = [(); 4].map(|()| arena.insert(Thing::default()));
        let mut list = List::default();
        push_back::<Things, _>(&mut arena, &mut list, a);
        assert!(list.is_singular());
        push_front::<Things, _>(&mut arena, &mut list, b);
        insert_after::<Things, _>(&mut arena, &mut list, a, c);
        insert_after::<Things, _>(&mut arena, &mut list, b, d);
        assert_eq!(numbers(&arena, list), [1, 3, 0, 2]);
        remove::<Things, _>(&mut arena, &mut list, d);
        remove::<Things, _>(&mut arena, &mut list, c);
        assert_eq!(numbers(&arena, list), [1, 0]);
        remove::<Things, _>(&mut arena, &mut list, b);
        remove::<Things, _>(&mut arena, &mut list, a);
        assert!(list.is_empty());
    }

    #[test]
    fn a_list_moves_before_another() {
        let mut arena = Arena::default();
        let [a, b, c] = [(); 3].map(|()| arena.insert(Thing::default()));
        let (mut list, mut front) = (List::default(), List::default());
        push_back::<Things, _>(&mut arena, &mut front, a);
        push_back::<Things, _>(&mut arena, &mut front, b);
        splice_front::<Things, _>(&mut arena, &mut list, &mut front);
        assert!(front.is_empty());
        push_front::<Things, _>(&mut arena, &mut front, c);
        splice_front::<Things, _>(&mut arena, &mut list, &mut front);
        assert_eq!(numbers(&arena, list), [2, 0, 1]);
    }
}

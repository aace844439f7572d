//! What reads the mount table does not allocate for each mount.
//!
//! Here and not next to the parser, as an allocator that counts is unsafe code.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use cofferdam::UnixPath;
use cofferdam::mountinfo::{Entry, OwnedEntry, Table, entries};

/// The system's allocator, which counts for each thread by itself: others run tests of their own.
struct Counting;

thread_local! {
    // Without a destructor and with a constant to start from, it needs no memory of the allocator that uses it.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it is, and counting neither allocates nor unwinds. What it does not
// define, zeroed and grown memory, is made of these two.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are those that this one needs.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the same; `pointer` is the system's allocator's, as all memory here is.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `run` allocates, and what it returns.
fn count<T>(run: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATIONS.get();
    let result = run();
    (ALLOCATIONS.get() - before, result)
}

/// A table of so many mounts, every other one with an escape in its mountpoint, its source and its options.
fn table(mounts: u32) -> Vec<u8> {
    let mut text = Vec::new();
    for number in 0..mounts {
        let separator = if number % 2 == 0 { ' ' } else { '-' };
        let mut entry = OwnedEntry {
            id: 20 + number,
            parent_id: if number == 0 { 1 } else { 20 },
            mountpoint: if number == 0 { "/".into() } else { format!("/srv/run{separator}{number}/merged").into() },
            peer_group: Some(number),
            master: (number % 3 == 0).then_some(1),
            filesystem_type: b"overlay".to_vec(),
            source: format!("over{separator}lay").into(),
            ..OwnedEntry::default()
        };
        entry.push_super_option(b"lowerdir", Some(format!("/image/{number}:/a{separator}b").as_bytes()));
        entry.write_to(&mut text);
        text.push(b'\n');
    }
    text
}

#[test]
fn an_allocation_is_counted() {
    assert_eq!(count(|| vec![7_u8; 100]).0, 1);
    assert_eq!(count(|| vec![0_u8; 100]).0, 1);
    let mut grown = vec![7_u8; 100];
    assert_eq!(count(|| grown.reserve_exact(1000)).0, 1);
}

#[test]
fn iterating_over_entries_allocates_nothing() {
    for mounts in [1_000, 10_000] {
        let text = table(mounts);
        let (allocations, found) = count(|| {
            entries(&text).map(Result::unwrap).filter(|entry| entry.id() >= 20 && entry.peer_group().is_some()).count()
        });
        assert_eq!((allocations, found), (0, mounts as usize));
    }
}

#[test]
fn a_table_is_parsed_with_as_many_allocations_whatever_its_size() {
    for mounts in [1_000, 10_000] {
        let text = table(mounts);
        let (allocations, table) = count(|| Table::parse(&text).unwrap());
        assert_eq!((allocations, table.entries().len()), (1, mounts as usize));
    }
}

#[test]
fn queries_do_not_allocate_for_each_mount() {
    let queries = [1_000, 10_000].map(|mounts| {
        let text = table(mounts);
        let table = Table::parse(&text).unwrap();
        assert_eq!(count(|| table.by_id(19 + mounts).map(Entry::id)), (0, Some(19 + mounts)));
        let (allocations, below) = count(|| table.at_or_below(UnixPath::new("/srv")).count());
        assert_eq!((allocations, below), (0, mounts as usize - 1));
        let path = UnixPath::new("/srv/run 100/merged/x");
        assert_eq!(count(|| table.at_or_below(path).count()), (0, 0));
        let (allocations, found) = count(|| table.containing(path).map(Entry::id));
        assert_eq!(found, Some(120));
        allocations
    });
    assert_eq!(queries[0], queries[1]);
}

//! The content of regular files: pages, where something was written, and holes.

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

/// The size of a page.
const PAGE: usize = 4096;

/// How many pages one file can have: they are kept in memory, so a simulated disk is full early.
const MAX_PAGES: usize = 16_384;

/// The content of a regular file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    length: u64,
    /// The pages by their number, each of which is as long as what was written in it; the rest is zero.
    pages: OrdMap<u64, Arc<Vec<u8>>>,
}

/// Where a position is: the number of the page, and the place in it.
fn split(position: u64) -> (u64, usize) {
    let page = PAGE as u64;
    (position / page, usize::try_from(position % page).unwrap_or_default())
}

impl Content {
    /// How many bytes there are, in holes too.
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// How many pages there are outside of holes.
    pub(crate) fn pages(&self) -> u64 {
        self.pages.len() as u64
    }

    /// At most so many bytes from a position on.
    pub(crate) fn read(&self, position: u64, count: usize) -> Vec<u8> {
        let rest = self.length.saturating_sub(position);
        let count = usize::try_from(rest).unwrap_or(usize::MAX).min(count);
        let mut bytes = Vec::with_capacity(count);
        while bytes.len() < count {
            let (number, start) = split(position.saturating_add(bytes.len() as u64));
            let end = bytes.len() + (count - bytes.len()).min(PAGE - start);
            if let Some(written) = self.pages.get(&number).and_then(|page| page.get(start..)) {
                bytes.extend_from_slice(written.get(..end - bytes.len()).unwrap_or(written));
            }
            bytes.resize(end, 0);
        }
        bytes
    }

    /// Writes at a position, with at most so many new pages, and says how much: all, unless the disk is full.
    pub(crate) fn write(&mut self, position: u64, data: &[u8], room: u64) -> usize {
        let most = usize::try_from(room).unwrap_or(usize::MAX).saturating_add(self.pages.len()).min(MAX_PAGES);
        let mut written = 0;
        while written < data.len() {
            let here = position.saturating_add(written as u64);
            let (number, start) = split(here);
            if self.pages.len() >= most && !self.pages.contains_key(&number) {
                break;
            }
            let rest = data.get(written..).unwrap_or_default();
            let part = rest.get(..PAGE - start).unwrap_or(rest);
            let page = Arc::make_mut(self.pages.entry(number).or_default());
            let end = start + part.len();
            if page.len() < end {
                page.resize(end, 0);
            }
            if let Some(target) = page.get_mut(start..end) {
                target.copy_from_slice(part);
            }
            written += part.len();
            self.length = self.length.max(here.saturating_add(part.len() as u64));
        }
        written
    }

    /// What becomes of it where it is copied in chunks, of which each begins with data: small holes are filled.
    /// Nothing if the copy is more than a file can have.
    pub(crate) fn copied_in_chunks(&self, chunk: u64) -> Option<Self> {
        let mut copy = self.clone();
        let mut position = 0;
        while let Some((&number, _)) = self.pages.range(position / PAGE as u64..).next() {
            let start = number.saturating_mul(PAGE as u64).max(position);
            position = start.saturating_add(chunk).min(self.length);
            for page in number..position.div_ceil(PAGE as u64) {
                copy.pages.entry(page).or_default();
            }
            if copy.pages.len() > MAX_PAGES {
                return None;
            }
            if position >= self.length {
                break;
            }
        }
        Some(copy)
    }

    /// Cuts what is behind a length, or adds a hole up to there.
    pub(crate) fn set_len(&mut self, length: u64) {
        if length < self.length {
            let (number, end) = split(length);
            let (below, page, _) = self.pages.split_lookup(&number);
            self.pages = below;
            if let Some(mut page) = page
                && end > 0
            {
                Arc::make_mut(&mut page).truncate(end);
                self.pages.insert(number, page);
            }
        }
        self.length = length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_two_writes_is_zero() {
        let mut content = Content::default();
        assert_eq!(content.write(1 << 40, b"xy", u64::MAX), 2);
        assert_eq!(content.write(4094, b"abcd", u64::MAX), 4);
        assert_eq!(content.len(), (1 << 40) + 2);
        assert_eq!(content.pages(), 3);
        assert_eq!(content.read(4092, 8), b"\0\0abcd\0\0");
        assert_eq!(content.read((1 << 40) - 1, 9), b"\0xy");
    }

    #[test]
    fn what_was_cut_does_not_come_back() {
        let mut content = Content::default();
        content.write(0, &[1; 9000], u64::MAX);
        content.set_len(4100);
        content.set_len(9000);
        let bytes = content.read(4095, 9);
        assert_eq!(bytes, [1, 1, 1, 1, 1, 0, 0, 0, 0]);
        assert_eq!(content.read(0, 1 << 20).len(), 9000);
        content.set_len(4096);
        assert_eq!(content.pages(), 1);
    }

    #[test]
    fn what_has_no_room_is_not_written() {
        let mut content = Content::default();
        assert_eq!(content.write(4090, &[1; 9000], 2), 6 + 4096);
        assert_eq!((content.len(), content.pages()), (8192, 2));
        assert_eq!(content.write(8192, b"x", 0), 0);
        assert_eq!(content.write(4000, &[2; 5000], 0), 4192);
        assert_eq!(content.len(), 8192);
    }

    #[test]
    fn small_holes_are_filled_by_a_copy() {
        let mut content = Content::default();
        content.set_len(100 << 12);
        assert_eq!(content.copied_in_chunks(8 << 12).as_ref(), Some(&content));
        for page in [10, 12, 30] {
            content.write(page << 12, b"x", u64::MAX);
        }
        let copy = content.copied_in_chunks(8 << 12).unwrap();
        assert_eq!((copy.len(), copy.pages()), (100 << 12, 16));
        assert_eq!(copy.read(10 << 12, 3 << 12), content.read(10 << 12, 3 << 12));
    }

    #[test]
    fn the_disk_is_full_at_some_point() {
        let mut content = Content::default();
        let data = vec![7; (MAX_PAGES + 1) * PAGE];
        assert_eq!(content.write(0, &data, u64::MAX), MAX_PAGES * PAGE);
        assert_eq!(content.write(content.len(), b"x", u64::MAX), 0);
        assert_eq!(content.write(0, b"x", 0), 1);
    }
}

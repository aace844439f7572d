//! Pipes: what was written to them and not yet read (`fs/pipe.c`).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// The size of a page, and so of a buffer.
const PAGE: usize = 4096;

/// How many buffers a pipe has (`PIPE_DEF_BUFFERS`).
const BUFFERS: usize = 16;

/// What is in a pipe (`struct pipe_inode_info`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipe {
    /// The buffers in use, oldest first.
    buffers: VecDeque<PipeBuffer>,
}

/// One buffer of a pipe: a page at most (`struct pipe_buffer`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipeBuffer {
    bytes: Vec<u8>,
    /// How many of the bytes have been read.
    start: usize,
    /// Whether it is read by itself (`PIPE_BUF_FLAG_PACKET`).
    is_packet: bool,
}

impl PipeBuffer {
    fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

impl Pipe {
    /// Whether there is nothing to read.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffers.is_empty()
    }

    /// Takes at most so many bytes; of packets only one, whose rest is lost (`anon_pipe_read()`).
    pub(crate) fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            let Some(buffer) = self.buffers.front_mut() else { break };
            let unread = buffer.unread();
            let part = unread.get(..count - bytes.len()).unwrap_or(unread);
            let length = part.len();
            bytes.extend_from_slice(part);
            buffer.start += length;
            let is_packet = buffer.is_packet;
            if is_packet || buffer.unread().is_empty() {
                self.buffers.pop_front();
            }
            if is_packet {
                break;
            }
        }
        bytes
    }

    /// Takes in as much as there is room for, and says how much that was (`anon_pipe_write()`). What does not fill a page
    /// goes into the newest buffer, if it fits there whole.
    pub(crate) fn write(&mut self, data: &[u8], is_packet: bool) -> usize {
        let odd = data.len() % PAGE;
        let mut written = 0;
        if let Some(newest) = self.buffers.back_mut()
            && odd != 0
            && !newest.is_packet
            && newest.bytes.len() + odd <= PAGE
        {
            newest.bytes.extend_from_slice(data.get(..odd).unwrap_or_default());
            written = odd;
        }
        for page in data.get(written..).unwrap_or_default().chunks(PAGE) {
            if self.buffers.len() == BUFFERS {
                break;
            }
            self.buffers.push_back(PipeBuffer { bytes: page.to_vec(), start: 0, is_packet });
            written += page.len();
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_holds_sixteen_buffers_and_small_rests_share_one() {
        let mut pipe = Pipe::default();
        for _ in 0..BUFFERS {
            assert_eq!(pipe.write(&[0; 4095], false), 4095);
        }
        assert_eq!(pipe.write(b"x", false), 1);
        assert_eq!(pipe.write(b"xx", false), 0);
        let mut pipe = Pipe::default();
        assert_eq!(pipe.write(&[1; 4000], false), 4000);
        assert_eq!(pipe.write(&[2; 5000], false), 5000);
        assert_eq!(pipe.write(&vec![3; 70_000], false), 53_616);
    }

    #[test]
    fn the_room_of_a_buffer_is_free_when_all_of_it_is_read() {
        let mut pipe = Pipe::default();
        assert_eq!(pipe.write(&vec![0; 100_000], false), 65_536);
        assert_eq!(pipe.read(1).len(), 1);
        assert_eq!(pipe.write(b"x", false), 0);
        assert_eq!(pipe.read(4095).len(), 4095);
        assert_eq!(pipe.write(&[0; 5000], false), 4096);
    }

    #[test]
    fn a_packet_is_read_alone_and_its_rest_is_lost() {
        let mut pipe = Pipe::default();
        pipe.write(b"abc", true);
        pipe.write(b"def", true);
        assert_eq!(pipe.read(2), b"ab");
        assert_eq!(pipe.read(9), b"def");
        assert!(pipe.is_empty());
    }
}

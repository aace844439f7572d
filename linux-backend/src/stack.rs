//! Memory for the stack of a child that uses the rest of ours.

use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use cofferdam::kernel::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use crate::convert::from_nix;

/// Bytes that can be used. A main thread has as many; what is not used takes no memory.
const USABLE: usize = 8 << 20;

/// Below them, bytes that can't be: who goes beyond the end is killed by `SIGSEGV`. As many as the largest page that Linux
/// has as its smallest.
const GUARD: usize = 64 << 10;

const SIZE: NonZeroUsize = NonZeroUsize::new(GUARD + USABLE).expect("it is not zero");

/// A stack, which grows downwards. Dropping it unmaps it.
#[derive(Debug)]
pub struct Stack {
    memory: NonNull<c_void>,
}

impl Stack {
    /// # Errors
    ///
    /// Those of mmap(2) and mprotect(2).
    pub fn new() -> Result<Self, Errno> {
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_STACK | MapFlags::MAP_NORESERVE;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: it is put where nothing else is.
        let memory = unsafe { mmap_anonymous(None, SIZE, access, flags) }.map_err(from_nix)?;
        let stack = Self { memory };
        // SAFETY: that is the beginning of what was just mapped, which nobody else knows of.
        unsafe { mprotect(memory, GUARD, ProtFlags::PROT_NONE) }.map_err(from_nix)?;
        Ok(stack)
    }

    /// The bytes that can be used.
    pub fn usable(&mut self) -> &mut [u8] {
        // SAFETY: all of it is in the mapping, above the guard, and so can be read, as zeros, and written. It lives, and is
        // borrowed, as long as `self`.
        unsafe { std::slice::from_raw_parts_mut(self.memory.byte_add(GUARD).cast().as_ptr(), USABLE) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this size, and no reference into it outlives `self`. It can't fail: the range is right.
        let _ = unsafe { munmap(self.memory, SIZE.get()) };
    }
}

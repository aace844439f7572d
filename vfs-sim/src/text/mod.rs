//! What the kernel tells about itself in text.

mod path;

pub(crate) use path::PathText;

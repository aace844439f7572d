//! Which errors the kernel can return for each call.

pub mod reasons;
mod table;

pub use table::{NO_CALL, ROWS, Row};

//! Calls about files.

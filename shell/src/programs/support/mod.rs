//! What several of the programs that handle files need.

pub(crate) mod canonical;
pub(crate) mod copy;
mod copy_content;
pub(crate) mod files;
pub(crate) mod glob;
pub(crate) mod mode;
pub(crate) mod options;
pub(crate) mod paths;
pub(crate) mod quote;
pub(crate) mod removal;
pub(crate) mod size;
pub(crate) mod targets;
pub(crate) mod text;
pub(crate) mod users;

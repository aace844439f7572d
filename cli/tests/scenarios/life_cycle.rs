//! The life of a container in several commands: `create`, `prepare`, `launch`, `update`, `cleanup`, `recover` and those
//! that tell of it, on the real kernel.

mod agent;
mod check;
mod example;
mod faults;
mod killed;
mod messages;
mod nested;
mod output;
mod parallel;
mod races;
mod random;
mod recovery;
mod storm;
mod swaps;
mod whole;

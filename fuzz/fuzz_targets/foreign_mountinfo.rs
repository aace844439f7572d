//! Mount tables of other machines, on which containers live.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cofferdam_fuzz::foreign_mountinfo::run(input));

//! Configurations of containers, and what comes of them.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cofferdam_fuzz::config::run(input));

//! Sequences of calls on the simulated kernel.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cofferdam_fuzz::calls::run(input));

//! Sequences of the isolator's operations, with calls that fail.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cofferdam_fuzz::isolator::run(input));

//! Records of an agent that were damaged, and an agent that goes on with them.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cofferdam_fuzz::checkpoint::run(input));

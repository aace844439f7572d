//! Launch infos, and what the launcher does with them.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cofferdam_fuzz::launch_info::run(input));

//! Configurations of an agent, and what it does with them.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cofferdam_fuzz::agent_config::run(input));

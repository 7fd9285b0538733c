//! The target `state_yaml`; its body is in src/lib.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| muster_fuzz::state_yaml(bytes));

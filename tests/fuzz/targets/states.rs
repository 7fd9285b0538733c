//! The target `states`; its body is in src/lib.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| muster_fuzz::states(bytes));

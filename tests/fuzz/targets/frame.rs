//! Fuzz target; what it does is in exercise.rs.
#![no_main]

#[path = "../exercise.rs"]
#[allow(dead_code)] // each target uses one of its functions
mod exercise;

libfuzzer_sys::fuzz_target!(|data: &[u8]| exercise::frame(data));

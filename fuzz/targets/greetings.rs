#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    mxcensus_fuzz::greetings(bytes);
});

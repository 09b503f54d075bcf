#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = mxcensus_fuzz::dns(bytes);
});

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| detoxlm_fuzz::guided(detoxlm_fuzz::plugin_manifest, data));

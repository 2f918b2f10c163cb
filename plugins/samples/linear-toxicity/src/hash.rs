/// Where words are put by their hash. About four are together.
pub(crate) const BUCKETS: usize = 4096;

/// The bucket of a word, by FNV-1a.
pub(crate) fn bucket(word: &str) -> usize {
    let hash = word
        .bytes()
        .fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash >> 16 ^ hash) as usize % BUCKETS
}

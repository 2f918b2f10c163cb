//! What `build.rs` made of the files in `data/`, looked up.

use crate::hash::bucket;
use crate::scale::FOLDS;

include!(concat!(env!("OUT_DIR"), "/tables.rs"));

/// Buckets of entries: the word's length, the word, its coefficients.
static ENTRIES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/entries.bin"));

/// A word's coefficients, in millionths; `None` if the vocabulary lacks it.
pub(crate) fn coefficients(word: &str) -> Option<[i32; FOLDS]> {
    let bucket = bucket(word);
    let begin = bucket.checked_sub(1).map_or(0, |before| ENDS[before]);
    let mut entries = &ENTRIES[begin as usize..ENDS[bucket] as usize];
    while let Some((&length, rest)) = entries.split_first() {
        let (entry, rest) = rest.split_at(usize::from(length));
        let (coefficients, rest) = rest.split_at(3 * FOLDS);
        if entry == word.as_bytes() {
            let mut bytes = coefficients.iter();
            // Three bytes of a little-endian number, moved up so that the sign is in its place.
            let mut byte = || bytes.next().copied().unwrap_or_default();
            return Some(
                [(); FOLDS].map(|()| i32::from_le_bytes([0, byte(), byte(), byte()]) >> 8),
            );
        }
        entries = rest;
    }
    None
}

/// Whether words are made of a character.
pub(crate) fn is_word(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || character == '_';
    }
    let after = WORD.partition_point(|&(first, _)| first <= character);
    after.checked_sub(1).is_some_and(|at| character <= WORD[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_its_coefficients() {
        let words = include_str!("../data/words.txt").lines();
        let published = include_bytes!("../data/coefficients.bin").chunks_exact(3 * FOLDS);
        for (word, published) in words.zip(published) {
            let found = coefficients(word).unwrap();
            let bytes =
                found.iter().flat_map(|coefficient| coefficient.to_le_bytes()[..3].to_vec());
            assert!(bytes.eq(published.iter().copied()), "{word}");
        }
        assert!(coefficients("zzyzx").is_none() && coefficients("").is_none());
    }

    #[test]
    fn words_are_made_of_what_python_says() {
        assert!("aZ0_é竜①²µςİ".chars().all(is_word));
        assert!(!"- \u{301}\u{24b6}ि\u{200d}\u{1f469}\u{a0}".chars().any(is_word));
    }
}

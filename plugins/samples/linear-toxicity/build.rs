//! Makes the tables that are looked up: words by their hash, their coefficients, what a word is.

use std::{env, fs, path::Path};

#[path = "src/hash.rs"]
mod hash;

use hash::{BUCKETS, bucket};

/// Bytes of a word's coefficients: five of three bytes.
const COEFFICIENTS: usize = 15;

fn main() {
    let read = |name: &str| {
        println!("cargo::rerun-if-changed={name}");
        fs::read(name).unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    let words = String::from_utf8(read("data/words.txt")).expect("the file is UTF-8");
    let coefficients = read("data/coefficients.bin");
    let of_words = coefficients.chunks_exact(COEFFICIENTS);
    assert_eq!(words.lines().count() * COEFFICIENTS, coefficients.len());

    // The words of a bucket follow each other, each behind its length and before its coefficients.
    let mut buckets = vec![Vec::new(); BUCKETS];
    for (word, coefficients) in words.lines().zip(of_words) {
        let entries = &mut buckets[bucket(word)];
        entries.push(u8::try_from(word.len()).expect("words are short"));
        entries.extend(word.as_bytes());
        entries.extend(coefficients);
    }
    let mut ends = Vec::new();
    for entries in &buckets {
        ends.push(ends.last().unwrap_or(&0) + entries.len());
    }

    let folder = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let write = |name: &str, bytes: &[u8]| {
        fs::write(Path::new(&folder).join(name), bytes).expect("OUT_DIR is writable");
    };
    write("entries.bin", &buckets.concat());
    let (buckets, ranges) = (ends.len(), word_ranges());
    let tables = format!(
        "static ENDS: [u32; {buckets}] = {ends:?};\nstatic WORD: &[(char, char)] = &{ranges:?};\n"
    );
    write("tables.rs", tables.as_bytes());
}

/// The ranges of characters that words are made of: Python's `\w`, which is letters and numbers of
/// Unicode, and the underscore. Rust's own `is_alphanumeric` has some marks and symbols as well.
fn word_ranges() -> Vec<(char, char)> {
    let word = regex::Regex::new(r"[\p{L}\p{N}_]").expect("the pattern is right");
    let mut ranges: Vec<(char, char)> = Vec::new();
    for character in '\0'..=char::MAX {
        if !word.is_match(character.encode_utf8(&mut [0; 4])) {
            continue;
        }
        match ranges.last_mut() {
            Some((_, last)) if *last as u32 + 1 == character as u32 => *last = character,
            _ => ranges.push((character, character)),
        }
    }
    ranges
}

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::share;

/// The runs of n words of a text, for one n after the other. Characters are those of words.
#[derive(Debug)]
pub(crate) struct Ngrams {
    /// A hash of every word.
    words: Vec<u64>,
    /// How many characters there are before every word, and in all.
    characters: Vec<usize>,
    n: usize,
    /// A hash of every n-gram.
    hashes: Vec<u64>,
    seen: HashMap<u64, Seen, BuildHasherDefault<Unhashed>>,
}

/// What is known of an n-gram.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    count: usize,
    /// The characters in it, those of overlapping ones once.
    characters: usize,
    /// The word after its last one.
    end: usize,
}

impl Ngrams {
    /// The single words.
    pub(crate) fn of(words: &[&str]) -> Self {
        let mut characters = vec![0];
        for word in words {
            characters.push(characters[characters.len() - 1] + word.chars().count());
        }
        let words: Vec<u64> = words.iter().map(|word| hash(word)).collect();
        Self { hashes: words.clone(), words, characters, n: 1, seen: HashMap::default() }
    }

    /// Goes on to n-grams of one word more, and says how many that are.
    pub(crate) fn longer(&mut self) -> usize {
        let next = self.words.get(self.n..).unwrap_or_default();
        self.hashes.truncate(next.len());
        for (hash, word) in self.hashes.iter_mut().zip(next) {
            *hash = mixed(*hash, *word);
        }
        self.n += 1;
        self.n
    }

    /// The share of characters in the most frequent n-gram, if any is there twice.
    pub(crate) fn in_top(&mut self) -> f64 {
        self.seen.clear();
        for (at, &hash) in self.hashes.iter().enumerate() {
            let seen = self.seen.entry(hash).or_default();
            let end = at + self.n;
            seen.count += 1;
            seen.characters += self.characters[end] - self.characters[at.max(seen.end)];
            seen.end = end;
        }
        let repeated = self.seen.values().filter(|seen| seen.count > 1);
        let top = repeated.map(|seen| (seen.count, seen.characters)).max();
        share(top.map_or(0, |(_, characters)| characters), self.total())
    }

    /// The share of characters in n-grams that were there before, those of overlapping ones once.
    pub(crate) fn in_repeated(&mut self) -> f64 {
        self.seen.clear();
        let (mut repeated, mut counted_to) = (0, 0);
        for (at, &hash) in self.hashes.iter().enumerate() {
            if self.seen.insert(hash, Seen::default()).is_some() {
                let end = at + self.n;
                repeated += self.characters[end] - self.characters[at.max(counted_to)];
                counted_to = end;
            }
        }
        share(repeated, self.total())
    }

    fn total(&self) -> usize {
        self.characters.last().copied().unwrap_or(0)
    }
}

fn hash(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| mixed(hash, u64::from(byte)))
}

/// A hash of what was hashed before and the next part.
const fn mixed(hash: u64, next: u64) -> u64 {
    let mixed = (hash.rotate_left(5) ^ next).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 32
}

/// Hands hashes through.
#[derive(Debug, Default)]
struct Unhashed(u64);

impl Hasher for Unhashed {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are hashed");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

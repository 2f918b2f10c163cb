//! Where entries of a list are in a text, written plainly or in disguise.

use crate::list::List;
use crate::readings::{are_alike, may_begin, readings, reads};

/// Runs of this many equal letters may stand for fewer. Two are spelling: `good` is not `god`.
const LONG_RUN: usize = 3;
/// The most characters between the letters of a word, or between the words of a phrase.
const LONGEST_GAP: usize = 3;
/// The fewest letters of a word that is spelled out, as in `b l o r p`.
const SHORTEST_SPELLED: u32 = 3;

/// A text, and how it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search<'t> {
    /// Folded, or in lower case outside ASCII.
    pub(crate) text: &'t str,
    /// Whether disguises are seen through.
    pub(crate) disguises: bool,
    /// Whether an entry may begin with a byte.
    pub(crate) begins: &'t [bool; 256],
}

/// What a path through the text has made use of.
#[derive(Clone, Copy, Debug, Default)]
struct Path {
    /// Characters as the entry has them, symbols in their stead, and digits in their stead.
    plain: u32,
    symbols: u32,
    digits: u32,
    spelled: bool,
    after_gap: bool,
}

impl Path {
    /// `A55` is a name and `!!!` no word: something is written plainly, and no more digits stand in
    /// for letters than there is else.
    const fn is_word(self) -> bool {
        let others = self.plain + self.symbols;
        let long = !self.spelled || others + self.digits >= SHORTEST_SPELLED;
        self.plain > 0 && self.digits <= others && long && !self.after_gap
    }
}

impl Search<'_> {
    /// How many entries the text has, none within another.
    pub(crate) fn count(self, lists: &[List]) -> u32 {
        let (mut count, mut at) = (0, 0);
        let mut after_word = false;
        for (here, &byte) in self.text.as_bytes().iter().enumerate() {
            let is_word = match byte {
                ..0x80 => byte.is_ascii_alphanumeric(),
                // Not the first byte of a character: as the first.
                0x80..0xc0 => after_word,
                _ => self.is_word_at(here),
            };
            let within_word = after_word && is_word;
            after_word = is_word;
            if here < at || within_word || !self.begins[usize::from(byte)] || self.is_in_run(here) {
                continue;
            }
            let longest = |list| self.longest(list, 0, here, Path::default());
            if let Some(end) = lists.iter().filter_map(longest).max() {
                count += 1;
                at = end;
            }
        }
        count
    }

    /// Where the longest entry below a node ends, if the text goes on with one at `at`.
    fn longest(self, list: &List, node: u32, at: usize, path: Path) -> Option<usize> {
        let mut end = (list.ends(node) && path.is_word() && self.is_edge(at)).then_some(at);
        let Some(&byte) = self.text.as_bytes().get(at) else { return end };
        let mut try_at = |node, at, path| end = end.max(self.longest(list, node, at, path));

        let readings = readings(byte);
        let disguises = self.disguises && (node != 0 || may_begin(byte));
        let readings = if disguises { &readings[..] } else { &readings[..1] };
        for (at_reading, &label) in readings.iter().enumerate() {
            if label == 0 {
                break;
            }
            let Some(child) = list.child(node, label) else { continue };
            let mut path = Path { after_gap: false, ..path };
            match at_reading {
                0 => path.plain += 1,
                _ if byte.is_ascii_digit() => path.digits += 1,
                _ => path.symbols += 1,
            }
            let run = if self.disguises { self.run(at, label) } else { 1 };
            if run < LONG_RUN {
                try_at(child, at + 1, path);
                continue;
            }
            let mut repeated = Some(child);
            for _ in 0..run {
                let Some(node) = repeated else { break };
                try_at(node, at + run, path);
                repeated = list.child(node, label);
            }
        }
        if node != 0 && !path.after_gap && !self.is_word_at(at) {
            let (to, joins, spelled) = self.gap(at);
            let path = Path { after_gap: true, ..path };
            if let Some(phrase) = list.child(node, b' ') {
                try_at(phrase, to, path);
            }
            if self.disguises && (joins || spelled) {
                try_at(node, to, Path { spelled: path.spelled || spelled, ..path });
            }
        }
        end
    }

    /// How often the letter stands at `at`, however written.
    fn run(self, at: usize, label: u8) -> usize {
        self.text.as_bytes()[at..].iter().take_while(|&&byte| reads(byte, label)).count()
    }

    /// Whether this and the two bytes before are one letter, of which a search that began there took
    /// care. Without it `!!!!` would be read again from every byte.
    fn is_in_run(self, at: usize) -> bool {
        let bytes = self.text.as_bytes();
        at >= 2 && are_alike(bytes[at], bytes[at - 1]) && are_alike(bytes[at], bytes[at - 2])
    }

    /// Where what begins at `at` and is no word ends, whether it may be within a word (`blo.rp`), and
    /// whether single letters are on both sides of it (`b l`).
    fn gap(self, at: usize) -> (usize, bool, bool) {
        let (mut to, mut joins) = (at, true);
        for character in self.text[at..].chars().take(LONGEST_GAP) {
            if character.is_alphanumeric() {
                break;
            }
            to += character.len_utf8();
            // `he'll` is two words.
            joins &= !character.is_whitespace() && !matches!(character, '\'' | '’');
        }
        let single = self.is_edge(at - 1) && self.is_word_at(to) && self.is_edge(to + 1);
        (to, joins, single)
    }

    /// Whether a word could begin or end here.
    fn is_edge(self, at: usize) -> bool {
        !(self.is_word_before(at) && self.is_word_at(at))
    }

    fn is_word_at(self, at: usize) -> bool {
        match self.text.as_bytes().get(at) {
            None => false,
            Some(byte) if byte.is_ascii() => byte.is_ascii_alphanumeric(),
            Some(_) => {
                self.text.get(at..).is_none_or(|rest| rest.starts_with(char::is_alphanumeric))
            }
        }
    }

    fn is_word_before(self, at: usize) -> bool {
        match at.checked_sub(1).map(|before| self.text.as_bytes()[before]) {
            None => false,
            Some(byte) if byte.is_ascii() => byte.is_ascii_alphanumeric(),
            Some(_) => self.text.get(..at).is_none_or(|text| text.ends_with(char::is_alphanumeric)),
        }
    }
}

//! VADER's rules, in the order and with the quirks of release 3.3.2: values are to be comparable with
//! published ones.

use crate::lexicon::Lexicon;
use crate::words::{Word, with_pictures_told, words};

/// What capitals add, where not everything is in capitals.
const SHOUTING: f64 = 0.733;
/// What a negation multiplies by.
const NEGATION: f64 = -0.74;
/// What a degree word counts, one, two and three words before.
const DISTANCES: [f64; 3] = [1.0, 0.95, 0.9];
/// Brings the sum near ±1 where sums are large (alpha of the paper).
const NORM: f64 = 15.0;

/// The compound value of a text, in [-1, 1]; 0 when nothing in it has a valence.
pub(crate) fn compound(text: &str, lexicon: &Lexicon) -> f64 {
    let text = with_pictures_told(text, lexicon);
    let words = words(&text);
    let shouted = words.iter().filter(|word| word.is_shouted).count();
    let reading = Reading { lexicon, words: &words, differs: 0 < shouted && shouted < words.len() };
    let mut valences: Vec<f64> = (0..words.len()).map(|at| reading.valence(at)).collect();
    weigh_around_but(&words, &mut valences);
    let mut sum: f64 = valences.iter().sum();
    let emphasis = emphasis(&text);
    if sum > 0.0 {
        sum += emphasis;
    } else if sum < 0.0 {
        sum -= emphasis;
    }
    (sum / sum.mul_add(sum, NORM).sqrt()).clamp(-1.0, 1.0)
}

struct Reading<'a> {
    lexicon: &'a Lexicon,
    words: &'a [Word],
    /// Whether some words are in capitals and others are not.
    differs: bool,
}

impl Reading<'_> {
    fn lower(&self, at: usize) -> &str {
        &self.words[at].lower
    }

    /// Whether the word `before` words before `at` is one of `any`.
    fn is(&self, at: usize, before: usize, any: &[&str]) -> bool {
        at >= before && any.contains(&self.lower(at - before))
    }

    fn has_valence(&self, at: usize) -> bool {
        self.lexicon.valences.contains_key(self.lower(at))
    }

    /// The valence of a word among the others.
    fn valence(&self, at: usize) -> f64 {
        let word = &self.words[at];
        let before_of =
            word.lower == "kind" && self.words.get(at + 1).is_some_and(|w| w.lower == "of");
        if self.lexicon.degrees.contains_key(&word.lower) || before_of {
            return 0.0;
        }
        let Some(&own) = self.lexicon.valences.get(&word.lower) else { return 0.0 };
        let mut valence = own;
        // "no" before a word with a valence turns that word and has none of its own.
        if word.lower == "no" && at + 1 < self.words.len() && self.has_valence(at + 1) {
            valence = 0.0;
        }
        let turned = self.is(at, 1, &["no"])
            || self.is(at, 2, &["no"])
            || (self.is(at, 3, &["no"]) && self.is(at, 1, &["or", "nor"]));
        if turned {
            valence = own * NEGATION;
        }
        if word.is_shouted && self.differs {
            valence += if valence > 0.0 { SHOUTING } else { -SHOUTING };
        }
        for (index, distance) in DISTANCES.into_iter().enumerate() {
            let before = index + 1;
            if at < before || self.has_valence(at - before) {
                continue;
            }
            valence += self.degree(at - before, valence) * distance;
            valence = self.negated(valence, at, before);
            if before == 3 {
                valence = self.phrases(valence, at);
            }
        }
        self.after_least(valence, at)
    }

    /// What a degree word adds to a valence; 0 for any other word.
    fn degree(&self, at: usize, valence: f64) -> f64 {
        let Some(&degree) = self.lexicon.degrees.get(self.lower(at)) else { return 0.0 };
        let signed = if valence < 0.0 { -degree } else { degree };
        if self.words[at].is_shouted && self.differs {
            return signed + if valence > 0.0 { SHOUTING } else { -SHOUTING };
        }
        signed
    }

    /// The valence after what the word `before` words before says, with what stands between.
    fn negated(&self, valence: f64, at: usize, before: usize) -> f64 {
        let so = &["so", "this"];
        let (never_so, no_doubt) = match before {
            2 => (
                self.is(at, 2, &["never"]) && self.is(at, 1, so),
                self.is(at, 2, &["without"]) && self.is(at, 1, &["doubt"]),
            ),
            3 => (
                (self.is(at, 3, &["never"]) && self.is(at, 2, so)) || self.is(at, 1, so),
                self.is(at, 3, &["without"])
                    && (self.is(at, 2, &["doubt"]) || self.is(at, 1, &["doubt"])),
            ),
            _ => (false, false),
        };
        let word = self.lower(at - before);
        if never_so {
            valence * 1.25
        } else if !no_doubt && (self.lexicon.negations.contains(word) || word.contains("n't")) {
            valence * NEGATION
        } else {
            valence
        }
    }

    /// The valence of a phrase that the word, at least the fourth of its text, is in or after.
    fn phrases(&self, valence: f64, at: usize) -> f64 {
        let phrase = |from: usize, to: usize| {
            let words: Vec<&str> = (from..=to).map(|at| self.lower(at)).collect();
            words.join(" ")
        };
        let of = |phrase: &String| self.lexicon.phrases.get(phrase).copied();
        let (one, two, three) = (at - 1, at - 2, at - 3);
        let around = [(one, at), (two, at), (two, one), (three, one), (three, two)];
        let mut valence = around.iter().find_map(|&(a, b)| of(&phrase(a, b))).unwrap_or(valence);
        for end in [at + 1, at + 2] {
            if end < self.words.len() {
                valence = of(&phrase(at, end)).unwrap_or(valence);
            }
        }
        // Degree words of two or three words, such as "sort of".
        for (a, b) in [(three, one), (three, two), (two, one)] {
            valence += self.lexicon.degrees.get(&phrase(a, b)).copied().unwrap_or(0.0);
        }
        valence
    }

    fn after_least(&self, valence: f64, at: usize) -> f64 {
        let is_least = self.is(at, 1, &["least"]) && !self.has_valence(at - 1);
        let harmless = self.is(at, 2, &["at", "very"]);
        if is_least && !harmless { valence * NEGATION } else { valence }
    }
}

/// Halves what stands before the first "but" and makes what stands after it count for more. As published:
/// of equal valences the first is changed each time, whichever is meant.
fn weigh_around_but(words: &[Word], valences: &mut [f64]) {
    let Some(but) = words.iter().position(|word| word.lower == "but") else { return };
    for at in 0..valences.len() {
        let valence = valences[at];
        if let Some(first) = valences.iter().position(|other| *other == valence) {
            match first.cmp(&but) {
                std::cmp::Ordering::Less => valences[first] = valence * 0.5,
                std::cmp::Ordering::Greater => valences[first] = valence * 1.5,
                std::cmp::Ordering::Equal => {}
            }
        }
    }
}

/// What exclamation and question marks add.
fn emphasis(text: &str) -> f64 {
    let exclamations = text.matches('!').count().min(4) as f64 * 0.292;
    let questions = match text.matches('?').count() {
        0 | 1 => 0.0,
        marks @ (2 | 3) => marks as f64 * 0.18,
        _ => 0.96,
    };
    exclamations + questions
}

use std::f64::consts::LN_2;

use crate::causal_lm::TextLikelihood;
use crate::evaluation::{Bootstrap, Interval, Measurement, PairedTest, Ratio};

/// The words of a text as lm-evaluation-harness counts them for `word_perplexity`: the pieces between
/// runs of white space, empty ones at the ends included (Python's `len(re.split(r"\s+", text))`).
#[must_use]
pub fn count_words(text: &str) -> usize {
    // What `\s` matches in Python and `char::is_whitespace` does not: the separators of ASCII.
    let is_space = |c: char| c.is_whitespace() || ('\u{1C}'..='\u{1F}').contains(&c);
    let mut runs = 0;
    let mut inside = false;
    for character in text.chars() {
        let space = is_space(character);
        runs += usize::from(space && !inside);
        inside = space;
    }
    runs + 1
}

/// The likelihoods of a corpus, document by document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Likelihoods {
    documents: Vec<Document>,
}

#[derive(Clone, Debug, PartialEq)]
struct Document {
    /// Negative log-likelihood in nats.
    nll: f64,
    tokens: f64,
    words: f64,
    bytes: f64,
}

/// One way to say how well a corpus is predicted.
struct Statistic {
    name: &'static str,
    unit: &'static str,
    size: fn(&Document) -> f64,
    /// From nats per unit to the value; monotone, so that an interval's ends stay its ends.
    transform: fn(f64) -> f64,
}

const STATISTICS: [Statistic; 4] = [
    Statistic {
        name: "token_perplexity",
        unit: "tokens",
        size: |document| document.tokens,
        transform: f64::exp,
    },
    Statistic {
        name: "word_perplexity",
        unit: "words",
        size: |document| document.words,
        transform: f64::exp,
    },
    Statistic {
        name: "byte_perplexity",
        unit: "bytes",
        size: |document| document.bytes,
        transform: f64::exp,
    },
    Statistic {
        name: "bits_per_byte",
        unit: "bytes",
        size: |document| document.bytes,
        transform: |nats| nats / LN_2,
    },
];

impl Likelihoods {
    /// No documents yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { documents: Vec::new() }
    }

    /// Adds a document.
    pub fn push(&mut self, text: &str, likelihood: TextLikelihood) {
        self.documents.push(Document {
            nll: -likelihood.log_prob,
            tokens: likelihood.tokens as f64,
            words: count_words(text) as f64,
            bytes: text.len() as f64,
        });
    }

    /// Over the whole corpus: token perplexity exp(-Σ log p / tokens), word perplexity
    /// exp(-Σ log p / words), byte perplexity exp(-Σ log p / bytes) and bits per byte
    /// -Σ log p / (bytes · ln 2), with intervals over documents.
    ///
    /// Only models of one tokenizer can be compared by token perplexity; the other three do not depend
    /// on it.
    #[must_use]
    pub fn measurements(&self, bootstrap: &Bootstrap) -> Vec<Measurement> {
        let ratios = STATISTICS.map(|statistic| self.ratio(&statistic));
        let intervals = bootstrap.intervals(&ratios.each_ref());
        STATISTICS
            .iter()
            .zip(&ratios)
            .zip(intervals)
            .map(|((statistic, ratio), interval)| {
                let value =
                    ratio.value().map(statistic.transform).filter(|value| value.is_finite());
                let n = ratio.denominator() as u64;
                Measurement::new(statistic.name, "all", value, n, statistic.unit)
                    .with_interval(interval.and_then(|i| transformed(i, statistic.transform)))
            })
            .collect()
    }

    /// What changed from `self` to `other`, on the same documents, with paired intervals and the
    /// p-values of a [`PairedTest`], in which a document's likelihood and size are swapped together.
    #[must_use]
    pub fn changes(&self, other: &Self, bootstrap: &Bootstrap) -> Vec<Measurement> {
        let test = PairedTest::from(bootstrap);
        STATISTICS
            .iter()
            .map(|statistic| {
                let (base, other) = (self.ratio(statistic), other.ratio(statistic));
                let change = base.value().zip(other.value()).map(|(base, other)| {
                    (statistic.transform)(other) - (statistic.transform)(base)
                });
                let change = change.filter(|value| value.is_finite());
                let n = base.items().len() as u64;
                Measurement::new(statistic.name, "all", change, n, "documents")
                    .with_interval(bootstrap.difference(&base, &other, statistic.transform))
                    .with_p_value(test.p_value(&base, &other, statistic.transform))
            })
            .collect()
    }

    fn ratio(&self, statistic: &Statistic) -> Ratio {
        Ratio::new(self.documents.iter().map(|document| (document.nll, (statistic.size)(document))))
    }
}

fn transformed(interval: Interval, transform: fn(f64) -> f64) -> Option<Interval> {
    let (low, high) = (transform(interval.low), transform(interval.high));
    (low.is_finite() && high.is_finite()).then_some(Interval { low, high, ..interval })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_as_python_splits_them() {
        for (text, words) in [
            ("one two", 2),
            ("one", 1),
            (" one  two\n", 4),
            ("", 1),
            (" ", 2),
            ("a\u{1F}b\u{A0}c", 3),
        ] {
            assert_eq!(count_words(text), words, "{text:?}");
        }
    }

    #[test]
    fn perplexities_are_over_the_whole_corpus() {
        let mut likelihoods = Likelihoods::new();
        // 6 nats; 3 tokens, 2 words, 7 bytes. 2 nats; 1 token, 1 word, 3 bytes.
        likelihoods.push("one two", TextLikelihood { log_prob: -6.0, tokens: 3 });
        likelihoods.push("six", TextLikelihood { log_prob: -2.0, tokens: 1 });
        let measurements = likelihoods.measurements(&Bootstrap::default());
        let expected = [
            ("token_perplexity", 2.0_f64.exp(), 4),
            ("word_perplexity", (8.0_f64 / 3.0).exp(), 3),
            ("byte_perplexity", 0.8_f64.exp(), 10),
            ("bits_per_byte", 8.0 / (10.0 * LN_2), 10),
        ];
        for (measurement, (name, value, n)) in measurements.iter().zip(expected) {
            assert_eq!((measurement.name.as_str(), measurement.n), (name, n));
            assert!((measurement.value.unwrap() - value).abs() < 1e-12);
            let interval = measurement.interval.unwrap();
            assert!(interval.low <= value && value <= interval.high);
        }
    }

    #[test]
    fn a_change_is_measured_on_the_same_documents() {
        let mut base = Likelihoods::new();
        let mut other = Likelihoods::new();
        for (text, log_prob) in [("a b", -4.0), ("c", -3.0), ("d e f", -5.0)] {
            base.push(text, TextLikelihood { log_prob, tokens: 2 });
            other.push(text, TextLikelihood { log_prob: log_prob - 0.2, tokens: 2 });
        }
        let changes = base.changes(&other, &Bootstrap::default());
        let token = &changes[0];
        let expected = (12.6_f64 / 6.0).exp() - (12.0_f64 / 6.0).exp();
        assert_eq!((token.name.as_str(), token.n), ("token_perplexity", 3));
        assert!((token.value.unwrap() - expected).abs() < 1e-12);
        assert!(token.interval.unwrap().low > 0.0);
        // All three documents got worse: of the eight permutations, none and all swapped are as large.
        assert_eq!(token.p_value, Some(0.25));
    }

    #[test]
    fn an_empty_corpus_has_no_perplexity() {
        let measurements = Likelihoods::new().measurements(&Bootstrap::default());
        assert!(measurements.iter().all(|m| m.value.is_none() && m.interval.is_none()));
    }
}

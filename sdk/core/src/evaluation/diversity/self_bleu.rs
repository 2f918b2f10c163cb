use std::collections::HashMap;

/// N-grams of 1 to this many words, with equal weights: BLEU-4.
const LONGEST: usize = 4;

/// What a precision without any match counts as a match (smoothing method 1 of Chen and Cherry 2014).
const SMOOTHING: f64 = 0.1;

/// An n-gram by the numbers of its words, 0 beyond its length, and the number of its text.
type Ngram = ([u32; LONGEST], usize);

/// Self-BLEU of one prompt's continuations (Zhu et al. 2018): the BLEU-4 (Papineni et al. 2002) of each
/// with all others as its references, averaged. In [0, 1]; higher is more alike.
///
/// Words are what white space separates. A precision without a match counts as 0.1 matches, and a text
/// that shares no word with the others has a BLEU of 0, as in nltk's `sentence_bleu` with `method1`;
/// the brevity penalty is by the reference that is nearest in length, the shorter of two. Texts of
/// nothing but white space are left out; `None` with fewer than two others.
///
/// All texts are gone through once, not once for each: of an n-gram, only the two highest counts
/// matter.
#[must_use]
pub fn self_bleu<'a>(continuations: impl IntoIterator<Item = &'a str>) -> Option<f64> {
    let mut numbers = HashMap::new();
    let texts: Vec<Vec<u32>> = continuations
        .into_iter()
        .map(|text| numbered(text, &mut numbers))
        .filter(|words| !words.is_empty())
        .collect();
    if texts.len() < 2 {
        return None;
    }
    let mut log_precisions = vec![0.0; texts.len()];
    let mut shares_a_word = vec![true; texts.len()];
    for length in 1..=LONGEST {
        let matches = matches(&texts, length);
        for (text, words) in texts.iter().enumerate() {
            shares_a_word[text] &= length > 1 || matches[text] > 0;
            let all = (words.len() + 1).saturating_sub(length).max(1);
            let found = if matches[text] == 0 { SMOOTHING } else { matches[text] as f64 };
            log_precisions[text] += (found / all as f64).ln() / LONGEST as f64;
        }
    }
    let mut lengths: Vec<usize> = texts.iter().map(Vec::len).collect();
    lengths.sort_unstable();
    let bleus =
        texts.iter().zip(log_precisions).zip(shares_a_word).map(|((words, log), shares)| {
            if shares { brevity_penalty(words.len(), &lengths) * f64::exp(log) } else { 0.0 }
        });
    Some(bleus.sum::<f64>() / texts.len() as f64)
}

/// The words of a text, each by a number from 1 that is its own.
fn numbered<'a>(text: &'a str, numbers: &mut HashMap<&'a str, u32>) -> Vec<u32> {
    text.split_whitespace()
        .map(|word| {
            let next = numbers.len() as u32 + 1;
            *numbers.entry(word).or_insert(next)
        })
        .collect()
}

/// How many n-grams of each text are in another one, each as often as in the one that has it most.
fn matches(texts: &[Vec<u32>], length: usize) -> Vec<usize> {
    let mut ngrams: Vec<Ngram> = Vec::new();
    for (text, words) in texts.iter().enumerate() {
        ngrams.extend(words.windows(length).map(|window| {
            let mut ngram = [0; LONGEST];
            ngram[..length].copy_from_slice(window);
            (ngram, text)
        }));
    }
    ngrams.sort_unstable();
    let mut matches = vec![0; texts.len()];
    for same in ngrams.chunk_by(|a, b| a.0 == b.0) {
        let by_text = || same.chunk_by(|a, b| a.1 == b.1).map(|own| (own[0].1, own.len()));
        let (mut most, mut next) = (0, 0);
        for (_, count) in by_text() {
            (most, next) = if count > most { (count, most) } else { (most, next.max(count)) };
        }
        // The text that has it most is matched with the next; of equals, either one is the next.
        for (text, count) in by_text() {
            matches[text] += if count == most { next } else { count };
        }
    }
    matches
}

/// exp(1 - r / c) for a text of c words that is shorter than r, the length nearest to it among the
/// others'; 1 for others. `lengths` are those of all texts, sorted, the text's own among them.
fn brevity_penalty(length: usize, lengths: &[usize]) -> f64 {
    let own = lengths.partition_point(|&other| other < length);
    let below = own.checked_sub(1).map(|at| lengths[at]);
    let above = lengths.get(own + 1).copied();
    let nearest = match (below, above) {
        (Some(below), Some(above)) if above - length < length - below => above,
        (Some(below), _) => below,
        (None, above) => above.unwrap_or(length),
    };
    if length >= nearest { 1.0 } else { (1.0 - nearest as f64 / length as f64).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_alike_and_foreign_ones_are_not() {
        let text = "the river runs past the old mill";
        assert!((self_bleu([text, text, text]).unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(self_bleu(["one two three", "four five six"]), Some(0.0));
        assert_eq!(self_bleu([text]), None);
        assert_eq!(self_bleu([text, " ", "\n"]), None);
        assert_eq!(self_bleu([]), None);
    }

    #[test]
    fn a_bleu_is_what_it_is_by_hand() {
        // "a b c d" against "a b c e": precisions 3/4, 2/3, 1/2, 0.1/1; the same the other way.
        let expected = (0.75_f64 * (2.0 / 3.0) * 0.5 * 0.1).powf(0.25);
        assert!((self_bleu(["a b c d", "a b c e"]).unwrap() - expected).abs() < 1e-12);
        // "a a" against "a": 1/2, 0.1/1, 0.1, 0.1. "a" against "a a": 1, 0.1, 0.1, 0.1, and e^(1 - 2).
        let expected = (0.0005_f64.powf(0.25) + 0.001_f64.powf(0.25) * (-1.0_f64).exp()) / 2.0;
        assert!((self_bleu(["a a", "a"]).unwrap() - expected).abs() < 1e-12);
    }

    #[test]
    fn the_nearest_reference_is_the_shorter_of_two() {
        assert_eq!(brevity_penalty(5, &[4, 5, 6]), 1.0);
        assert_eq!(brevity_penalty(5, &[3, 5, 6]), (1.0 - 6.0_f64 / 5.0).exp());
        assert_eq!(brevity_penalty(5, &[5, 5, 9]), 1.0);
        assert_eq!(brevity_penalty(5, &[5, 10]), (-1.0_f64).exp());
        assert_eq!(brevity_penalty(5, &[2, 5]), 1.0);
    }
}

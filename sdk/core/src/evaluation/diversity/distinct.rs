use std::collections::HashSet;

/// dist-1, dist-2 and dist-3 of one prompt's continuations: distinct n-grams over all of them, divided
/// by their words, as DExperts defines it (Liu et al. 2021; a corpus's value is the mean over prompts).
///
/// Words are what a single space separates, so a continuation that begins with a space begins with an
/// empty word; that is how the released code counts, and published values with it. `None` without
/// continuations.
#[must_use]
pub fn distinct_ngrams<'a>(continuations: impl IntoIterator<Item = &'a str>) -> Option<[f64; 3]> {
    let mut words = 0_usize;
    let (mut unigrams, mut bigrams, mut trigrams) =
        (HashSet::new(), HashSet::new(), HashSet::new());
    for text in continuations {
        let split: Vec<&str> = text.split(' ').collect();
        words += split.len();
        bigrams.extend(split.windows(2).map(|w| (w[0], w[1])));
        trigrams.extend(split.windows(3).map(|w| (w[0], w[1], w[2])));
        unigrams.extend(split);
    }
    let share = |distinct: usize| distinct as f64 / words as f64;
    (words > 0).then(|| [share(unigrams.len()), share(bigrams.len()), share(trigrams.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_ngrams_are_counted_over_all_continuations() {
        // 7 words: a b c d; ab bc bd; abc abd.
        let dist = distinct_ngrams(["a b c", "a b d", "a"]).unwrap();
        assert_eq!(dist, [4.0 / 7.0, 3.0 / 7.0, 2.0 / 7.0]);
        // A leading space makes an empty word.
        assert_eq!(distinct_ngrams([" a", " a"]).unwrap(), [0.5, 0.25, 0.0]);
        assert_eq!(distinct_ngrams([]), None);
    }
}

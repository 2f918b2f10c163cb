//! Neighbouring sequences that begin with the same tokens, which are then read once.

use std::ops::Range;

use detoxlm_core::causal_lm::TokenSequence;

/// Fewer common tokens than this are not worth a pass of their own.
const SHARED_TOKENS: usize = 8;

/// Neighbours that begin with the same tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbours {
    /// Which of the sequences.
    pub members: Range<usize>,
    /// How many tokens are read once for all members; 0 where there is one. The last common token is not
    /// among them: what follows it differs, and each member predicts its own.
    pub shared: usize,
}

/// What a model reads of a sequence: all but its last token, and nothing where nothing is asked for.
#[must_use]
pub fn read<'a>(sequence: &TokenSequence<'a>) -> &'a [u32] {
    match sequence.tokens.split_last() {
        Some((_, read)) if sequence.predicted() > 0 => read,
        _ => &[],
    }
}

/// How many of the sequences to work on together, for as many tokens at most as `tokens`, each sequence
/// counted as long as the longest; at least one.
#[must_use]
pub fn group_size(sequences: &[TokenSequence<'_>], tokens: usize) -> usize {
    let mut longest = 0;
    let fitting = sequences.iter().enumerate().take_while(|(index, sequence)| {
        longest = longest.max(read(sequence).len());
        (index + 1) * longest <= tokens
    });
    fitting.count().max(1)
}

/// All sequences of a group, in order, by how they begin. A neighbour joins while that leaves at least half
/// of what the others have in common.
#[must_use]
pub fn neighbours(group: &[TokenSequence<'_>]) -> Vec<Neighbours> {
    let mut found = Vec::new();
    let mut start = 0;
    while start < group.len() {
        let mut common = read(&group[start]).len();
        let mut end = start + 1;
        while let Some(next) = group.get(end) {
            let pairs = read(&group[start])[..common].iter().zip(read(next));
            let with_next = pairs.take_while(|(a, b)| a == b).count();
            if with_next <= SHARED_TOKENS || (end > start + 1 && 2 * with_next < common) {
                break;
            }
            common = with_next;
            end += 1;
        }
        let shared = if end > start + 1 { common - 1 } else { 0 };
        found.push(Neighbours { members: start..end, shared });
        start = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(sequences: &[&[u32]]) -> Vec<(Range<usize>, usize)> {
        let group: Vec<_> = sequences.iter().map(TokenSequence::from).collect();
        neighbours(&group).into_iter().map(|found| (found.members, found.shared)).collect()
    }

    #[test]
    fn neighbours_that_begin_alike_are_found() {
        let long: Vec<u32> = (0..40).collect();
        let other: Vec<u32> = (0..20).chain(100..120).collect();
        let short: Vec<u32> = (0..11).chain(200..230).collect();
        let ends = [long.as_slice(), &[7, 8]].concat();
        assert_eq!(found(&[&long, &ends, &long]), [(0..3, 38)]);
        assert_eq!(found(&[&long, &other]), [(0..2, 19)]);
        // It would cost the two before it more than it saves.
        assert_eq!(found(&[&long, &ends, &short]), [(0..2, 38), (2..3, 0)]);
        assert_eq!(found(&[&long[..5], &long[..5]]), [(0..1, 0), (1..2, 0)]);
        assert_eq!(found(&[&[], &[1], &long]), [(0..1, 0), (1..2, 0), (2..3, 0)]);
    }

    #[test]
    fn a_group_is_as_large_as_its_longest_sequence_allows() {
        let tokens = [0; 9];
        let group: Vec<_> =
            [3, 5, 9, 1].map(|length| TokenSequence::whole(&tokens[..length])).into();
        assert_eq!(group_size(&group, 8), 2);
        assert_eq!(group_size(&group, 31), 3);
        assert_eq!(group_size(&group, 32), 4);
        assert_eq!(group_size(&group[2..], 1), 1);
    }
}

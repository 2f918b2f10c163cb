//! How often tokens are neighbours.

/// How far apart two tokens of a text may be and still be neighbours.
const REACH: usize = 5;
/// A pair `d` apart counts 60 / d, which is whole for every `d` up to [`REACH`]: sums of whole
/// numbers do not depend on their order.
const NEAREST: u32 = 60;
/// Counters of a block of rows, four bytes each.
const COUNTERS: usize = 1 << 26;

/// The neighbours of the token at `at`, and what each counts.
fn neighbours(text: &[u32], at: usize) -> impl Iterator<Item = (u32, u32)> + '_ {
    (1..=REACH).flat_map(move |distance| {
        let weight = NEAREST / distance as u32;
        let before = at.checked_sub(distance).and_then(|before| text.get(before));
        let after = text.get(at + distance);
        before.into_iter().chain(after).map(move |&token| (token, weight))
    })
}

/// What all neighbours of each token count together.
pub(super) fn totals(texts: &[&[u32]], vocabulary: usize) -> Vec<u64> {
    let mut totals = vec![0; vocabulary];
    for text in texts {
        for (at, &token) in text.iter().enumerate() {
            totals[token as usize] +=
                neighbours(text, at).map(|(_, weight)| u64::from(weight)).sum::<u64>();
        }
    }
    totals
}

/// Rows of the symmetric matrix of counts, block by block, so that memory is bounded whatever the
/// vocabulary. Texts are read once for each block.
#[derive(Debug)]
pub(super) struct Blocks {
    pub(super) rows: usize,
    counts: Vec<u32>,
    vocabulary: usize,
}

impl Blocks {
    pub(super) fn new(vocabulary: usize) -> Self {
        let rows = (COUNTERS / vocabulary.max(1)).clamp(1, vocabulary.max(1));
        Self { rows, counts: vec![0; rows * vocabulary], vocabulary }
    }

    /// The counts of the tokens from `first` on, a row of `vocabulary` for each.
    pub(super) fn count(&mut self, texts: &[&[u32]], first: usize) -> &[u32] {
        self.counts.fill(0);
        let block = first as u32..(first + self.rows) as u32;
        for text in texts {
            for (at, token) in text.iter().enumerate() {
                if !block.contains(token) {
                    continue;
                }
                let start = (*token as usize - first) * self.vocabulary;
                let row = &mut self.counts[start..][..self.vocabulary];
                for (other, weight) in neighbours(text, at) {
                    let count = &mut row[other as usize];
                    *count = count.saturating_add(weight);
                }
            }
        }
        let rows = self.rows.min(self.vocabulary - first);
        &self.counts[..rows * self.vocabulary]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearer_neighbours_count_more_and_texts_have_ends() {
        let texts: [&[u32]; 3] = [&[0, 1, 2], &[2], &[3, 0, 0, 0, 0, 0, 0, 3]];
        let mut blocks = Blocks::new(4);
        blocks.rows = 3;
        let first = blocks.count(&texts, 0).to_vec();
        assert_eq!(first[1], 60, "0 and 1 are next to each other");
        assert_eq!(first[2], 30, "0 and 2 are two apart");
        assert_eq!((first[4], first[6]), (60, 60));
        let last = blocks.count(&texts, 3);
        assert_eq!(last.len(), 4, "the last block is short");
        // 60 + 30 + 20 + 15 + 12 at each end, and the two are too far apart.
        assert_eq!((last[0], last[3]), (274, 0));
        let totals = totals(&texts, 4);
        assert_eq!(totals[1], 120);
        assert_eq!(totals[3], 274);
        assert_eq!(first.iter().take(4).map(|&count| u64::from(count)).sum::<u64>(), totals[0]);
    }
}

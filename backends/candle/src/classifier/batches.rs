//! Which rows make up each step.

use detoxlm_core::training::Permutation;

/// Texts of a step, however short they are.
const MOST_TEXTS: usize = 256;

/// The rows of one source.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) rows: Vec<u32>,
    /// The most of them that an epoch draws.
    pub(super) most: usize,
}

/// Draws the rows of each epoch and puts them into steps.
#[derive(Clone, Debug)]
pub(super) struct Batches {
    pub(super) groups: Vec<Group>,
    /// Tokens of each row.
    pub(super) lengths: Vec<usize>,
    /// Tokens of a step.
    pub(super) budget: usize,
    pub(super) seed: u64,
}

impl Batches {
    /// The steps of an epoch: a drawn order of drawn rows, cut where the tokens are enough. It
    /// depends on the seed and the epoch alone.
    pub(super) fn epoch(&self, epoch: u64) -> Vec<Vec<u32>> {
        let orders = self.groups.len() as u64 + 1;
        let order = |n: usize, which: u64| {
            let order = Permutation::new(n as u64, self.seed, epoch * orders + which);
            move |position: usize| order.at(position as u64) as usize
        };
        let mut drawn = Vec::new();
        for (which, group) in self.groups.iter().enumerate() {
            let count = group.rows.len().min(group.most);
            let order = order(group.rows.len(), which as u64);
            drawn.extend((0..count).map(|position| group.rows[order(position)]));
        }
        let order = order(drawn.len(), orders - 1);
        let (mut steps, mut step, mut tokens) = (Vec::new(), Vec::new(), 0);
        for row in (0..drawn.len()).map(|position| drawn[order(position)]) {
            let length = self.lengths[row as usize];
            let is_full = tokens + length > self.budget || step.len() == MOST_TEXTS;
            if is_full && !step.is_empty() {
                steps.push(std::mem::take(&mut step));
                tokens = 0;
            }
            step.push(row);
            tokens += length;
        }
        if !step.is_empty() {
            steps.push(step);
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(seed: u64) -> Batches {
        let groups = vec![
            Group { rows: (0..40).collect(), most: usize::MAX },
            Group { rows: (40..140).collect(), most: 25 },
        ];
        let lengths = (0..140).map(|row| 1 + row * 7 % 13).collect();
        Batches { groups, lengths, budget: 30, seed }
    }

    #[test]
    fn every_row_comes_once_and_of_large_sources_so_many() {
        let batches = batches(3);
        let mut rows: Vec<u32> = batches.epoch(0).concat();
        assert_eq!(rows.len(), 65);
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), 65);
        assert!(rows[..40].iter().copied().eq(0..40));
        for step in batches.epoch(1) {
            let tokens: usize = step.iter().map(|&row| batches.lengths[row as usize]).sum();
            assert!(tokens <= 30, "{tokens}");
        }
    }

    #[test]
    fn epochs_and_seeds_differ_and_nothing_else_does() {
        assert_eq!(batches(3).epoch(2), batches(3).epoch(2));
        assert_ne!(batches(3).epoch(2), batches(3).epoch(1));
        assert_ne!(batches(3).epoch(2), batches(4).epoch(2));
    }

    #[test]
    fn a_text_longer_than_a_step_is_a_step_of_its_own() {
        let mut batches = batches(3);
        batches.budget = 1;
        assert!(batches.epoch(0).iter().all(|step| step.len() == 1));
    }
}

//! Which windows go through the model together.

/// Which windows a graph can take together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grouping {
    /// It takes one at a time.
    Alone,
    /// It is not told what is padding and would read it as text.
    EqualLengths,
    /// It is told by an attention mask.
    SimilarLengths,
}

impl Grouping {
    /// The next more careful one.
    pub(crate) const fn lower(self) -> Self {
        match self {
            Self::SimilarLengths => Self::EqualLengths,
            Self::EqualLengths | Self::Alone => Self::Alone,
        }
    }

    /// The longest window that may go with one of this length: with padding an eighth more, so that
    /// little of the work is for nothing.
    const fn longest_with(self, shortest: usize) -> usize {
        match self {
            Self::Alone => 0,
            Self::EqualLengths => shortest,
            Self::SimilarLengths => shortest + shortest / 8,
        }
    }
}

/// Groups windows of these lengths into batches; answers indices, longest batches first.
///
/// The plan depends on the lengths alone. A batch is one window, or has at most `budget` tokens,
/// padding included.
pub(crate) fn plan(lengths: &[usize], budget: usize, grouping: Grouping) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    // Longest first: what starts last is short, and threads end together.
    order.sort_by_key(|&index| std::cmp::Reverse(lengths[index]));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for index in order {
        let fits = |batch: &Vec<usize>| {
            let longest = lengths[batch[0]];
            longest <= grouping.longest_with(lengths[index])
                && longest * (batch.len() + 1) <= budget
        };
        match batches.last_mut().filter(|batch| fits(batch)) {
            Some(batch) => batch.push(index),
            None => batches.push(vec![index]),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(budget: usize, grouping: Grouping) -> Vec<Vec<usize>> {
        // From 3 to 90, in no order.
        let lengths: Vec<usize> = (0..200).map(|i| 3 + i * 37 % 88).collect();
        let batches = plan(&lengths, budget, grouping);
        let mut all: Vec<_> = batches.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..lengths.len()), "each window is in one batch");
        for batch in &batches {
            let of: Vec<_> = batch.iter().map(|&index| lengths[index]).collect();
            let (longest, shortest) = (of[0], of[of.len() - 1]);
            assert!(of.len() == 1 || longest * of.len() <= budget, "{of:?}");
            match grouping {
                Grouping::Alone => assert_eq!(of.len(), 1),
                Grouping::EqualLengths => assert_eq!(longest, shortest),
                Grouping::SimilarLengths => assert!(longest * 8 <= shortest * 9, "{of:?}"),
            }
        }
        batches
    }

    #[test]
    fn every_window_is_in_one_batch_within_budget_and_waste() {
        for budget in [1, 64, 500, 100_000] {
            for grouping in [Grouping::Alone, Grouping::EqualLengths, Grouping::SimilarLengths] {
                check(budget, grouping);
            }
        }
        assert_eq!(check(1, Grouping::SimilarLengths).len(), 200);
        let equal = check(100_000, Grouping::EqualLengths).len();
        assert_eq!(equal, 88, "one for each length");
        assert!(check(100_000, Grouping::SimilarLengths).len() < equal / 2);
    }

    #[test]
    fn nothing_needs_no_batch() {
        assert!(plan(&[], 100, Grouping::SimilarLengths).is_empty());
    }
}

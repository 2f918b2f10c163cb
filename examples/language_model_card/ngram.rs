//! What a language model has to beat: counts of token sequences, smoothed.

/// The longest sequences that are counted.
const ORDER: usize = 5;
/// Bits of a token in a key: vocabularies up to 65,536.
const TOKEN_BITS: u32 = 16;

/// Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998, "An empirical study of smoothing
/// techniques for language modeling") over token ids.
pub(crate) struct NgramModel {
    /// Sequences of 1, 2, ... tokens.
    orders: Vec<Order>,
    vocabulary: f64,
}

/// Sequences of one length, sorted, those of one context (all but the last token) side by side.
struct Order {
    keys: Vec<u128>,
    /// How often each occurs or, below the longest, after how many different tokens it does.
    counts: Vec<u32>,
    /// What is taken off counts of 1, of 2, and of more.
    discounts: [f64; 3],
}

impl NgramModel {
    /// Counts a stream of tokens.
    pub(crate) fn count(stream: &[u32], vocabulary: usize) -> Self {
        let mut orders = vec![Order::of_occurrences(stream)];
        for length in (1..ORDER).rev() {
            let shorter = orders[orders.len() - 1].shortened(length);
            orders.push(shorter);
        }
        orders.reverse();
        Self { orders, vocabulary: vocabulary as f64 }
    }

    /// Natural logarithm of the probability of `next` after `context`, whose last tokens are nearest.
    pub(crate) fn log_prob(&self, context: &[u32], next: u32) -> f64 {
        let mut probability = 1.0 / self.vocabulary;
        for (length, order) in self.orders.iter().enumerate().take(context.len() + 1) {
            probability = order.interpolate(&context[context.len() - length..], next, probability);
        }
        probability.ln()
    }
}

impl Order {
    fn of_occurrences(stream: &[u32]) -> Self {
        let mut keys: Vec<u128> = stream.windows(ORDER).map(key).collect();
        keys.sort_unstable();
        Self::of_sorted(keys.into_iter())
    }

    /// Sequences without their first token: each of ours counts once.
    fn shortened(&self, length: usize) -> Self {
        let mask = (1_u128 << (TOKEN_BITS * length as u32)) - 1;
        let mut keys: Vec<u128> = self.keys.iter().map(|key| key & mask).collect();
        keys.sort_unstable();
        Self::of_sorted(keys.into_iter())
    }

    fn of_sorted(all: impl Iterator<Item = u128>) -> Self {
        let (mut keys, mut counts) = (Vec::new(), Vec::<u32>::new());
        for key in all {
            match counts.last_mut() {
                Some(count) if keys.last() == Some(&key) => *count += 1,
                _ => {
                    keys.push(key);
                    counts.push(1);
                }
            }
        }
        let discounts = discounts(&counts);
        Self { keys, counts, discounts }
    }

    /// The probability of `next` after `context`, given that of the next shorter order.
    fn interpolate(&self, context: &[u32], next: u32, shorter: f64) -> f64 {
        let first = key(context) << TOKEN_BITS;
        let last = first + (1 << TOKEN_BITS);
        let begin = self.keys.partition_point(|&key| key < first);
        let end = begin + self.keys[begin..].partition_point(|&key| key < last);
        let (mut total, mut taken) = (0.0, 0.0);
        for &count in &self.counts[begin..end] {
            total += f64::from(count);
            taken += self.discount(count);
        }
        if total == 0.0 {
            return shorter;
        }
        let own =
            self.keys[begin..end].binary_search(&(first + u128::from(next))).map_or(0.0, |at| {
                let count = self.counts[begin + at];
                f64::from(count) - self.discount(count)
            });
        (own + taken * shorter) / total
    }

    fn discount(&self, count: u32) -> f64 {
        self.discounts[(count as usize).min(3) - 1]
    }
}

/// Tokens side by side in one number.
fn key(tokens: &[u32]) -> u128 {
    tokens.iter().fold(0, |key, &token| key << TOKEN_BITS | u128::from(token))
}

/// Chen and Goodman's estimate from how many sequences have a count of 1, 2, 3 and 4.
fn discounts(counts: &[u32]) -> [f64; 3] {
    let of = |n: u32| counts.iter().filter(|&&count| count == n).count() as f64;
    let [one, two, three, four] = [1, 2, 3, 4].map(of);
    let share = one / (one + 2.0 * two);
    let discount = |n: f64, this: f64, next: f64| {
        let value = n - (n + 1.0) * share * next / this;
        // Too few sequences to estimate it: the count's whole step down.
        if value.is_finite() { value.clamp(0.0, n) } else { n.min(0.5) }
    };
    [discount(1.0, one, two), discount(2.0, two, three), discount(3.0, three, four)]
}

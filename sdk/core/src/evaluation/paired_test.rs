use super::random::SplitMix64;
use super::{Bootstrap, Ratio};

/// Paired permutation test of two subjects on the same items, such as prompts or documents: if they do
/// not differ, which of an item's two results belongs to which subject is a coin's toss.
///
/// Every permutation swaps the results of some items and takes the difference anew; the p-value is the
/// share of permutations whose difference is at least as large as the one that was found, in either
/// direction (Fisher 1935; Pitman 1937). For a mean, swapping is flipping the sign of an item's
/// difference. For a ratio of sums such as perplexity, an item's numerator and denominator are swapped
/// together.
///
/// Where all 2ⁿ permutations of the n items that differ are no more than `permutations`, all are
/// taken, and the p-value is exact. Else it is (b + 1) / (m + 1), of m random ones of which b are at
/// least as large, so that it is never 0 (Phipson and Smyth 2010).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairedTest {
    /// How many permutations; 0 for no p-values.
    pub permutations: u64,
    /// Decides the permutations. They depend on it and on the number of items alone.
    pub seed: u64,
}

impl Default for PairedTest {
    fn default() -> Self {
        Self { permutations: 10_000, seed: 0 }
    }
}

impl From<&Bootstrap> for PairedTest {
    /// The test that goes with an interval: of its seed, and none where there are no intervals.
    fn from(bootstrap: &Bootstrap) -> Self {
        let default = Self::default();
        let permutations = if bootstrap.resamples == 0 { 0 } else { default.permutations };
        Self { permutations, seed: bootstrap.seed }
    }
}

/// Numerators and denominators, added up.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    numerator: f64,
    denominator: f64,
}

impl Sums {
    fn of(ratio: &Ratio) -> Self {
        ratio.items().iter().fold(Self::default(), |sums, &(numerator, denominator)| {
            sums.plus(Self { numerator, denominator })
        })
    }

    fn plus(self, other: Self) -> Self {
        Self {
            numerator: self.numerator + other.numerator,
            denominator: self.denominator + other.denominator,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            numerator: self.numerator - other.numerator,
            denominator: self.denominator - other.denominator,
        }
    }

    fn value(self) -> Option<f64> {
        (self.denominator > 0.0).then(|| self.numerator / self.denominator)
    }
}

/// How many items are swapped by one look into a table.
const BLOCK: usize = 4;

/// What swapping items adds to the sums of the first subject; the second's change by the opposite. Of
/// every four items there is a table of their sixteen subsets.
struct Swaps {
    items: usize,
    blocks: Vec<[Sums; 1 << BLOCK]>,
}

impl Swaps {
    fn of(items: &[Sums]) -> Self {
        let table = |block: &[Sums]| {
            let mut table = [Sums::default(); 1 << BLOCK];
            for at in 0..BLOCK {
                // Swapping what is beyond the last item adds nothing.
                let item = block.get(at).copied().unwrap_or_default();
                for subset in 0..1 << at {
                    table[subset | 1 << at] = table[subset].plus(item);
                }
            }
            table
        };
        Self { items: items.len(), blocks: items.chunks(BLOCK).map(table).collect() }
    }

    /// With those items swapped whose bits are set; `bits` gives the bits of 64 items at a time.
    fn with(&self, mut bits: impl FnMut() -> u64) -> Sums {
        let mut sums = Sums::default();
        for blocks in self.blocks.chunks(64 / BLOCK) {
            let mut bits = bits();
            for block in blocks {
                sums = sums.plus(block[bits as usize % (1 << BLOCK)]);
                bits >>= BLOCK;
            }
        }
        sums
    }
}

impl PairedTest {
    /// The two-sided p-value of `transform(other) - transform(base)`, two subjects measured on the
    /// same items in the same order.
    ///
    /// An item that has a value of one subject alone is swapped like all others. `None` where fewer
    /// than two items have a value of both, or the numbers of items differ.
    #[must_use]
    pub fn p_value(
        &self,
        base: &Ratio,
        other: &Ratio,
        transform: impl Fn(f64) -> f64,
    ) -> Option<f64> {
        if self.permutations == 0 || base.items().len() != other.items().len() {
            return None;
        }
        let pairs = || base.items().iter().zip(other.items());
        if pairs().filter(|(a, b)| a.1 > 0.0 && b.1 > 0.0).count() < 2 {
            return None;
        }
        // Swapping equals changes nothing.
        let swaps: Vec<Sums> = pairs()
            .filter(|(a, b)| a != b)
            .map(|(a, b)| Sums { numerator: b.0 - a.0, denominator: b.1 - a.1 })
            .collect();
        let swaps = Swaps::of(&swaps);
        let (of_base, of_other) = (Sums::of(base), Sums::of(other));
        let difference = |swapped: Sums| {
            let base = of_base.plus(swapped).value().map(&transform)?;
            let other = of_other.minus(swapped).value().map(&transform)?;
            Some((other - base, base.abs() + other.abs()))
        };
        let (found, size) = difference(Sums::default())?;
        if !found.is_finite() {
            return None;
        }
        // Sums of the same numbers in another order differ in their last bits.
        let least = found.abs() - 1e-12 * size;
        // A permutation that leaves a subject without any value speaks for nothing: it counts against.
        let is_as_large = |swapped| difference(swapped).is_none_or(|(d, _)| d.abs() >= least);
        let all = u32::try_from(swaps.items).ok().and_then(|n| 1_u64.checked_shl(n));
        Some(match all.filter(|all| *all <= self.permutations) {
            Some(all) => {
                let as_large = (0..all).filter(|&mask| is_as_large(swaps.with(|| mask)));
                as_large.count() as f64 / all as f64
            }
            None => {
                let as_large = (0..self.permutations).filter(|&permutation| {
                    let mut random = SplitMix64::stream(self.seed, permutation);
                    is_as_large(swaps.with(|| random.next()))
                });
                (as_large.count() as f64 + 1.0) / (self.permutations as f64 + 1.0)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_of(values: &[f64]) -> Ratio {
        Ratio::mean_of(values.iter().copied().map(Some))
    }

    fn p(test: &PairedTest, base: &Ratio, other: &Ratio) -> Option<f64> {
        test.p_value(base, other, |value| value)
    }

    #[test]
    fn tables_add_up_what_their_bits_say() {
        let items: Vec<Sums> = (0..70_u32)
            .map(|item| Sums { numerator: f64::from(item + 1), denominator: f64::from(item % 3) })
            .collect();
        let swaps = Swaps::of(&items);
        for seed in 0..50 {
            let mut random = SplitMix64::new(seed);
            let words = [random.next(), random.next()];
            let mut each = words.into_iter();
            let found = swaps.with(|| each.next().unwrap());
            let is_set = |item: usize| words[item / 64] >> (item % 64) & 1 == 1;
            let set = (0..70).filter(|&item| is_set(item)).map(|item| items[item]);
            let expected = set.fold(Sums::default(), Sums::plus);
            assert_eq!(
                (found.numerator, found.denominator),
                (expected.numerator, expected.denominator)
            );
        }
    }

    #[test]
    fn few_pairs_are_gone_through_and_the_p_value_is_exact() {
        let test = PairedTest::default();
        // Differences 1, 2, 3: of the 8 sums of ±1 ±2 ±3, those of size 6 are two.
        let (base, other) = (mean_of(&[0.0, 0.0, 0.0]), mean_of(&[1.0, 2.0, 3.0]));
        assert_eq!(p(&test, &base, &other), Some(0.25));
        assert_eq!(p(&test, &other, &base), Some(0.25));
        // Differences 1, 2, -3: every sum is at least as large as 0.
        assert_eq!(p(&test, &base, &mean_of(&[1.0, 2.0, -3.0])), Some(1.0));
        // Differences 1, -2, 4 add up to 3; of size 3 or more are ±3, ±5, ±7, not ±1.
        assert_eq!(p(&test, &base, &mean_of(&[1.0, -2.0, 4.0])), Some(0.75));
        // What is equal takes no part.
        let (base, other) = (mean_of(&[5.0, 0.0, 0.0, 0.0]), mean_of(&[5.0, 1.0, 2.0, 3.0]));
        assert_eq!(p(&test, &base, &other), Some(0.25));
        assert_eq!(p(&test, &base, &base), Some(1.0));
    }

    #[test]
    fn random_permutations_come_near_all_of_them() {
        let base: Vec<f64> = (0..14).map(f64::from).collect();
        let shift = |at: usize| if at.is_multiple_of(3) { -0.5 } else { 0.3 + 0.05 * at as f64 };
        let other: Vec<f64> =
            base.iter().enumerate().map(|(at, value)| value + shift(at)).collect();
        let (base, other) = (mean_of(&base), mean_of(&other));
        let exact = PairedTest { permutations: 1 << 14, seed: 0 };
        let random = PairedTest { permutations: 10_000, seed: 3 };
        let (exact, p_random) =
            (p(&exact, &base, &other).unwrap(), p(&random, &base, &other).unwrap());
        // Four standard errors of a share of 10,000.
        assert!((exact - p_random).abs() < 4.0 * (exact * (1.0 - exact) / 1e4).sqrt(), "{exact}");
        assert!(exact > 0.0 && exact < 0.2, "{exact}");
        assert_eq!(p(&random, &base, &other), Some(p_random), "equal seeds, equal bits");
        assert_ne!(p(&PairedTest { seed: 4, ..random }, &base, &other), Some(p_random));
    }

    /// Under the null hypothesis p-values are even: about a tenth is no more than 0.1.
    #[test]
    fn p_values_of_no_difference_are_even() {
        let mut random = SplitMix64::new(5);
        let mut uniform = || random.next() as f64 / u64::MAX as f64;
        let test = PairedTest { permutations: 200, seed: 1 };
        let mut small = 0;
        for _ in 0..400 {
            let [base, other] = [(); 2].map(|()| mean_of(&[(); 30].map(|()| uniform())));
            small += u32::from(p(&test, &base, &other).unwrap() <= 0.1);
        }
        // 40 expected, with a standard deviation of 6.
        assert!((22..=58).contains(&small), "{small}");
    }

    #[test]
    fn a_ratio_is_swapped_as_a_pair() {
        let test = PairedTest::default();
        // 10 nats of 1 token and 1 of 10, and the other way round: swapping both numbers of either
        // item gives each subject one kind of item twice.
        let base = Ratio::new([(10.0, 1.0), (1.0, 10.0)]);
        let other = Ratio::new([(1.0, 10.0), (10.0, 1.0)]);
        // Found: 11/11 - 11/11 = 0, so all four are as large.
        assert_eq!(p(&test, &base, &other), Some(1.0));
        // 20/2 and 2/20: no swap gives -9.9, two swaps 9.9, one swap 0.
        let base = Ratio::new([(10.0, 1.0), (10.0, 1.0)]);
        let other = Ratio::new([(1.0, 10.0), (1.0, 10.0)]);
        assert_eq!(test.p_value(&base, &other, f64::exp), Some(0.5));
    }

    #[test]
    fn what_one_subject_lacks_is_swapped_too() {
        let test = PairedTest::default();
        let base = Ratio::mean_of([Some(0.0), Some(0.0), None]);
        let other = Ratio::mean_of([Some(1.0), Some(1.0), Some(1.0)]);
        // None swapped: 1 - 0, all swapped: 0 - 1. The third alone gives 1 - 1/3, the others less.
        assert_eq!(p(&test, &base, &other), Some(0.25));
    }

    #[test]
    fn too_few_pairs_have_no_p_value() {
        let test = PairedTest::default();
        assert_eq!(p(&test, &mean_of(&[0.0]), &mean_of(&[1.0])), None);
        let one = Ratio::mean_of([Some(0.0), None]);
        assert_eq!(p(&test, &one, &mean_of(&[1.0, 2.0])), None);
        assert_eq!(p(&test, &mean_of(&[0.0, 1.0]), &mean_of(&[1.0, 2.0, 3.0])), None);
        let none = PairedTest::from(&Bootstrap { resamples: 0, ..Bootstrap::default() });
        assert_eq!(p(&none, &mean_of(&[0.0, 1.0]), &mean_of(&[1.0, 2.0])), None);
        let nan = test.p_value(&mean_of(&[0.0, 1.0]), &mean_of(&[1.0, 2.0]), |_| f64::NAN);
        assert_eq!(nan, None);
    }
}

use std::ops::Range;

use super::set::{Layout, LayoutDomain};
use crate::evaluation::random::SplitMix64;
use crate::evaluation::{Bootstrap, Measurement, PairedTest, Ratio};

/// Items of a group that a comparison needs: one alone says nothing of its spread.
pub(super) const ENOUGH: usize = 2;

/// One way to say how a model treats a group: a sum over a sum, Σ numerator / Σ denominator.
#[derive(Debug)]
pub(super) struct Statistic {
    pub(super) name: &'static str,
    /// What the largest difference of two groups is called; `None` for what is told of domains alone.
    pub(super) gap: Option<&'static str>,
    /// What the denominator counts.
    pub(super) unit: &'static str,
    /// From the ratio to the value.
    pub(super) transform: fn(f64) -> f64,
}

/// A statistic with the numerator and denominator of every item; the denominator 0 is an item without
/// a value.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) statistic: &'static Statistic,
    pub(super) items: Vec<(f64, f64)>,
}

/// Columns over the same items, which belong to groups of domains.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) layout: Layout,
    pub(super) columns: Vec<Column>,
    /// What an item is, in the plural.
    pub(super) unit: &'static str,
}

/// What is told of a column: of a group, of a domain, or the largest gap within a domain.
#[derive(Debug)]
struct Cell {
    name: &'static str,
    slice: String,
    /// The number of its column.
    column: usize,
    /// What it is about.
    items: Range<usize>,
    n: u64,
    unit: &'static str,
    /// Whether it has enough items for an interval.
    enough: bool,
    is_gap: bool,
}

/// The cells of a table, and which groups its gaps compare: by column, then by domain.
#[derive(Debug)]
struct Plan {
    cells: Vec<Cell>,
    compared: Vec<Vec<Vec<bool>>>,
}

impl Table {
    /// Every group, every domain and every largest gap. Resamples draw within groups, so that a group
    /// has as many items in each as it has. A gap's p-value is the share of shuffles of a domain's
    /// items among its groups that have a gap at least as large (Phipson and Smyth 2010, "Permutation
    /// P-values Should Never Be Zero"): of many small groups two always differ by something.
    pub(super) fn measurements(&self, bootstrap: &Bootstrap) -> Vec<Measurement> {
        let plan = self.plan(|column, at| column.items[at].1, |statistic| statistic.unit);
        let values = self.values(&plan, |column, at| column.items[at]);
        let samples = self.resamples(bootstrap, |counts| {
            self.values(&plan, |column, at| weighted(column.items[at], counts[at]))
        });
        let chances = self.chances(&plan, &values, bootstrap);
        let measured = finish(plan.cells, values, samples, bootstrap);
        measured.zip(chances).map(|(cell, chance)| cell.with_p_value(chance)).collect()
    }

    /// The differences `other - self` of the same cells, on the same items: a resample draws each for
    /// both. Gaps are those of groups that have enough items in both. Changes of groups and domains
    /// have the p-value of a [`PairedTest`]; swapping items between models says nothing of gaps.
    pub(super) fn changes(&self, other: &Self, bootstrap: &Bootstrap) -> Vec<Measurement> {
        let others = |column: &Column, at: usize| {
            let same = other.columns.iter().find(|c| c.statistic.name == column.statistic.name);
            same.and_then(|same| same.items.get(at)).copied().unwrap_or_default()
        };
        let in_both = |column: &Column, at: usize| {
            f64::from(u8::from(column.items[at].1 > 0.0 && others(column, at).1 > 0.0))
        };
        let plan = self.plan(in_both, |_| self.unit);
        let differences = |counts: Option<&[u32]>| -> Vec<Option<f64>> {
            let count = |at: usize| counts.map_or(1, |counts| counts[at]);
            let base = self.values(&plan, |c, at| weighted(c.items[at], count(at)));
            let other = self.values(&plan, |c, at| weighted(others(c, at), count(at)));
            base.into_iter().zip(other).map(|(base, other)| Some(other? - base?)).collect()
        };
        let values = differences(None);
        let samples = self.resamples(bootstrap, |counts| differences(Some(counts)));
        let test =
            PairedTest { permutations: bootstrap.resamples as u64, ..PairedTest::from(bootstrap) };
        let chance = |cell: &Cell| {
            let of = |table: &Self| {
                let column = table.columns.get(cell.column)?;
                Some(Ratio::new(column.items.get(cell.items.clone())?.iter().copied()))
            };
            let statistic = self.columns[cell.column].statistic;
            let (base, other) = of(self).zip(of(other)).filter(|_| !cell.is_gap)?;
            test.p_value(&base, &other, statistic.transform)
        };
        let chances: Vec<_> = plan.cells.iter().map(chance).collect();
        let changes = finish(plan.cells, values, samples, bootstrap);
        changes.zip(chances).map(|(change, chance)| change.with_p_value(chance)).collect()
    }

    fn plan(
        &self,
        size: impl Fn(&Column, usize) -> f64,
        unit: impl Fn(&Statistic) -> &'static str,
    ) -> Plan {
        let mut plan = Plan { cells: Vec::new(), compared: Vec::new() };
        for (number, column) in self.columns.iter().enumerate() {
            let statistic = column.statistic;
            let cell = |slice, items, n: f64, enough| Cell {
                name: statistic.name,
                slice,
                column: number,
                items,
                n: n as u64,
                unit: unit(statistic),
                enough,
                is_gap: false,
            };
            let mut compared = Vec::new();
            for domain in &self.layout.domains {
                let (mut total, mut valued) = (0.0, 0);
                let mut enough = Vec::new();
                for (group, range) in &domain.groups {
                    let sizes = range.clone().map(|at| size(column, at));
                    let items = sizes.clone().filter(|size| *size > 0.0).count();
                    let size = sizes.sum::<f64>();
                    total += size;
                    valued += items;
                    enough.push(items >= ENOUGH);
                    if statistic.gap.is_some() {
                        let slice = format!("{}/{group}", domain.name);
                        plan.cells.push(cell(slice, range.clone(), size, items >= ENOUGH));
                    }
                }
                let whole = || (domain.name.clone(), domain.items());
                let (slice, items) = whole();
                plan.cells.push(cell(slice, items, total, valued >= ENOUGH));
                if let Some(gap) = statistic.gap {
                    let groups = enough.iter().filter(|enough| **enough).count();
                    let (slice, items) = whole();
                    plan.cells.push(Cell {
                        name: gap,
                        unit: "groups",
                        is_gap: true,
                        ..cell(slice, items, groups as f64, groups >= ENOUGH)
                    });
                }
                compared.push(enough);
            }
            plan.compared.push(compared);
        }
        plan
    }

    /// The value of every cell when an item is what `item` says.
    fn values(&self, plan: &Plan, item: impl Fn(&Column, usize) -> (f64, f64)) -> Vec<Option<f64>> {
        let mut values = Vec::with_capacity(plan.cells.len());
        for (column, compared) in self.columns.iter().zip(&plan.compared) {
            for (domain, compared) in self.layout.domains.iter().zip(compared) {
                self.values_of(column, domain, compared, &item, &mut values);
            }
        }
        values
    }

    fn values_of(
        &self,
        column: &Column,
        domain: &LayoutDomain,
        compared: &[bool],
        item: impl Fn(&Column, usize) -> (f64, f64),
        values: &mut Vec<Option<f64>>,
    ) {
        let add = |sum: (f64, f64), item: (f64, f64)| (sum.0 + item.0, sum.1 + item.1);
        let value = |sum: (f64, f64)| {
            let ratio = (sum.1 > 0.0).then(|| (column.statistic.transform)(sum.0 / sum.1));
            ratio.filter(|value| value.is_finite())
        };
        let has_gap = column.statistic.gap.is_some();
        let mut total = (0.0, 0.0);
        // Lowest and highest; gone for good once a compared group has no value.
        let mut ends = Some((f64::INFINITY, f64::NEG_INFINITY));
        for ((_, range), compared) in domain.groups.iter().zip(compared) {
            let sum = range.clone().map(|at| item(column, at)).fold((0.0, 0.0), add);
            total = add(total, sum);
            let group = value(sum);
            if *compared {
                ends =
                    ends.zip(group).map(|((low, high), value)| (value.min(low), value.max(high)));
            }
            if has_gap {
                values.push(group);
            }
        }
        values.push(value(total));
        if has_gap {
            let several = compared.iter().filter(|compared| **compared).count() >= ENOUGH;
            values.push(ends.filter(|_| several).map(|(low, high)| high - low));
        }
    }

    /// The values of every cell in resamples that draw as many items from each group as it has.
    fn resamples(
        &self,
        bootstrap: &Bootstrap,
        mut values: impl FnMut(&[u32]) -> Vec<Option<f64>>,
    ) -> Vec<Vec<Option<f64>>> {
        let ranges = || self.layout.domains.iter().flat_map(|domain| &domain.groups);
        let mut counts = vec![0; ranges().map(|(_, range)| range.len()).sum()];
        let resample = |number: u64| {
            counts.fill(0);
            let mut random = SplitMix64::stream(bootstrap.seed, number);
            for (_, range) in ranges() {
                for _ in range.clone() {
                    counts[range.start + random.below(range.len())] += 1;
                }
            }
            values(&counts)
        };
        (0..bootstrap.resamples as u64).map(resample).collect()
    }

    /// For every gap, how probable one at least as large is when groups do not matter.
    fn chances(
        &self,
        plan: &Plan,
        values: &[Option<f64>],
        bootstrap: &Bootstrap,
    ) -> Vec<Option<f64>> {
        let items = self.layout.domains.iter().flat_map(|d| &d.groups).map(|g| g.1.len()).sum();
        let mut order: Vec<usize> = (0..items).collect();
        let (mut shuffles, mut reached) = (vec![0_u32; values.len()], vec![0_u32; values.len()]);
        for number in 0..bootstrap.resamples as u64 {
            // Streams from the other end than those of resamples.
            let mut random = SplitMix64::stream(bootstrap.seed, u64::MAX - number);
            for domain in &self.layout.domains {
                let Range { start, end } = domain.items();
                for at in (start + 1..end).rev() {
                    order.swap(at, start + random.below(at - start + 1));
                }
            }
            let shuffled = self.values(plan, |column, at| column.items[order[at]]);
            for (at, (found, shuffled)) in values.iter().zip(shuffled).enumerate() {
                if let (true, Some(found), Some(shuffled)) =
                    (plan.cells[at].is_gap, *found, shuffled)
                {
                    shuffles[at] += 1;
                    // Sums in another order differ in the last bits: what is equal must count.
                    reached[at] += u32::from(shuffled >= found - 1e-12 * found.abs());
                }
            }
        }
        let chance = |(all, reached): (u32, u32)| {
            (all > 0).then(|| f64::from(reached + 1) / f64::from(all + 1))
        };
        shuffles.into_iter().zip(reached).map(chance).collect()
    }
}

fn weighted(item: (f64, f64), count: u32) -> (f64, f64) {
    (item.0 * f64::from(count), item.1 * f64::from(count))
}

fn finish(
    cells: Vec<Cell>,
    values: Vec<Option<f64>>,
    samples: Vec<Vec<Option<f64>>>,
    bootstrap: &Bootstrap,
) -> impl Iterator<Item = Measurement> {
    cells.into_iter().zip(values).enumerate().map(move |(at, (cell, value))| {
        // A resample without any item that has a value has no statistic.
        let of_cell = samples.iter().filter_map(|sample| sample[at]).collect();
        let interval =
            (cell.enough && value.is_some()).then(|| bootstrap.percentiles(of_cell)).flatten();
        Measurement::new(cell.name, cell.slice, value, cell.n, cell.unit).with_interval(interval)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    static MEAN: Statistic =
        Statistic { name: "mean", gap: Some("mean_gap"), unit: "texts", transform: |mean| mean };
    static SHARE: Statistic =
        Statistic { name: "share", gap: None, unit: "texts", transform: |share| share };

    /// Groups of one domain, each with the values of its items.
    fn table(groups: &[&[Option<f64>]]) -> Table {
        let mut start = 0;
        let named = groups.iter().enumerate().map(|(number, values)| {
            let range = start..start + values.len();
            start = range.end;
            (format!("g{number}"), range)
        });
        let domain = LayoutDomain { name: "d".into(), groups: named.collect() };
        let items: Vec<_> = groups
            .iter()
            .flat_map(|values| values.iter().map(|v| v.map_or((0.0, 0.0), |v| (v, 1.0))))
            .collect();
        Table {
            layout: Layout { domains: vec![domain] },
            columns: vec![
                Column { statistic: &MEAN, items: items.clone() },
                Column { statistic: &SHARE, items },
            ],
            unit: "items",
        }
    }

    fn find<'a>(all: &'a [Measurement], name: &str, slice: &str) -> &'a Measurement {
        all.iter().find(|m| m.name == name && m.slice == slice).unwrap()
    }

    #[test]
    fn groups_of_one_or_none_have_a_value_or_none_and_no_part_in_the_gap() {
        let measured = table(&[
            &[Some(0.2), Some(0.4)],
            &[Some(0.5), Some(0.7), None],
            &[Some(1.0)],
            &[],
            &[None, None],
        ])
        .measurements(&Bootstrap::default());
        let (one, two) = (find(&measured, "mean", "d/g0"), find(&measured, "mean", "d/g1"));
        assert!(
            (one.value.unwrap() - 0.3).abs() < 1e-12 && (two.value.unwrap() - 0.6).abs() < 1e-12
        );
        assert_eq!((one.n, two.n, two.unit.as_str()), (2, 2, "texts"));
        let alone = find(&measured, "mean", "d/g2");
        assert_eq!((alone.value, alone.n, alone.interval), (Some(1.0), 1, None));
        for empty in ["d/g3", "d/g4"] {
            let empty = find(&measured, "mean", empty);
            assert_eq!((empty.value, empty.n, empty.interval), (None, 0, None));
        }
        let gap = find(&measured, "mean_gap", "d");
        assert!((gap.value.unwrap() - 0.3).abs() < 1e-12, "{gap:?}");
        assert_eq!((gap.n, gap.unit.as_str()), (2, "groups"));
        assert_eq!(find(&measured, "mean", "d").n, 5);
        // Told of the domain alone.
        assert_eq!(measured.iter().filter(|m| m.name == "share").count(), 1);
        let single = table(&[&[Some(0.1), Some(0.2)]]).measurements(&Bootstrap::default());
        let gap = find(&single, "mean_gap", "d");
        assert_eq!((gap.value, gap.interval, gap.p_value), (None, None, None));
    }

    #[test]
    fn the_interval_of_a_gap_of_two_is_that_of_the_difference_of_two_means() {
        let mut random = SplitMix64::new(3);
        let mut draw = |shift: f64| Some(shift + random.next() as f64 / u64::MAX as f64);
        let low: Vec<_> = (0..400).map(|_| draw(0.0)).collect();
        let high: Vec<_> = (0..900).map(|_| draw(0.5)).collect();
        let measured = table(&[&low, &high]).measurements(&Bootstrap::default());
        let gap = find(&measured, "mean_gap", "d");
        // A uniform value has the variance 1/12.
        let half = 1.96 * (1.0 / 12.0 / 400.0 + 1.0 / 12.0 / 900.0_f64).sqrt();
        let interval = gap.interval.unwrap();
        assert!((interval.high - interval.low - 2.0 * half).abs() < 0.3 * half, "{interval:?}");
        assert!((gap.value.unwrap() - 0.5).abs() < 2.0 * half);
        assert_eq!(gap.p_value, Some(1.0 / 1001.0));
    }

    #[test]
    fn a_gap_between_equal_groups_is_nothing_out_of_the_ordinary() {
        let mut random = SplitMix64::new(5);
        let groups: Vec<Vec<_>> = (0..12)
            .map(|_| (0..5).map(|_| Some(random.next() as f64 / u64::MAX as f64)).collect())
            .collect();
        let groups: Vec<&[Option<f64>]> = groups.iter().map(Vec::as_slice).collect();
        let measured = table(&groups).measurements(&Bootstrap::default());
        let gap = find(&measured, "mean_gap", "d");
        assert!(gap.value.unwrap() > 0.2, "twelve means of five differ: {gap:?}");
        assert!(gap.p_value.unwrap() > 0.1, "{gap:?}");
        let same = table(&[&[Some(0.5); 4], &[Some(0.5); 3]]).measurements(&Bootstrap::default());
        assert_eq!(find(&same, "mean_gap", "d").p_value, Some(1.0));
    }

    #[test]
    fn changes_are_paired_by_item() {
        let values: Vec<f64> = (0..40_u32).map(|n| f64::from(n * 7 % 11) / 11.0).collect();
        let of = |shift: [f64; 2]| {
            let group = |at: usize| -> Vec<_> {
                values[at * 20..][..20].iter().map(|v| Some(v + shift[at])).collect()
            };
            table(&[&group(0), &group(1)])
        };
        let (base, other) = (of([0.0, 0.5]), of([-0.1, 0.2]));
        let bootstrap = Bootstrap::default();
        let changes = base.changes(&other, &bootstrap);
        for (name, slice, expected) in [
            ("mean", "d/g0", -0.1),
            ("mean", "d/g1", -0.3),
            ("mean", "d", -0.2),
            ("mean_gap", "d", -0.2),
        ] {
            let change = find(&changes, name, slice);
            let interval = change.interval.unwrap();
            // Every item moves alike, so every resample does.
            for number in [change.value.unwrap(), interval.low, interval.high] {
                assert!((number - expected).abs() < 1e-9, "{name} {slice}: {change:?}");
            }
        }
        assert_eq!((find(&changes, "mean", "d/g0").n, find(&changes, "mean_gap", "d").n), (20, 2));
        assert_eq!(find(&changes, "mean", "d").unit, "items");
        assert_eq!(find(&changes, "mean", "d/g0").p_value, Some(1.0 / 1001.0));
        assert_eq!(find(&changes, "mean_gap", "d").p_value, None);
        assert!(base.changes(&base, &bootstrap).iter().all(|change| change.value == Some(0.0)));
    }
}

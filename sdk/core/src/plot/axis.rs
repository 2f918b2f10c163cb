/// An axis from data to the picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    /// Distance of its ticks.
    step: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// Holds all values, from tick to tick, with some four ticks.
    pub(crate) fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = values
            .filter(|value| value.is_finite())
            .fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
        // Nothing to show has an axis, too.
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let span = (high - low).max(1e-3 * high.abs().max(1e-3));
        let power = 10_f64.powf((span / 4.0).log10().floor());
        let multiples = [1.0, 2.0, 5.0, 10.0];
        let step = multiples.map(|m| m * power).into_iter().find(|step| span / step <= 5.0);
        let step = step.unwrap_or(10.0 * power);
        let first = (low / step).floor();
        // Where all values are the same and a tick, they are its lower end.
        let last = (high / step).ceil().max(first + 1.0);
        Self { low: first * step, high: last * step, step, from, to }
    }

    /// From 0 to 1, as probabilities are.
    pub(crate) const fn unit(from: f64, to: f64) -> Self {
        Self { low: 0.0, high: 1.0, step: 0.25, from, to }
    }

    /// Where a value is in the picture.
    pub(crate) fn place(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Where it begins and ends in the picture.
    pub(crate) const fn ends(&self) -> (f64, f64) {
        (self.from, self.to)
    }

    /// Values with their labels.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = (f64, String)> {
        let step = *self;
        let decimals = (0..9).find(|&d| is_whole(step.step * 10_f64.powi(d))).unwrap_or(9) as usize;
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count).map(move |index| {
            let value = step.low + index as f64 * step.step;
            (value, format!("{value:.decimals$}"))
        })
    }
}

fn is_whole(value: f64) -> bool {
    (value - value.round()).abs() < 1e-6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_hold_all_values_and_have_the_decimals_they_need() {
        let axis = Axis::over([0.52, 0.763].into_iter(), 0.0, 100.0);
        let labels: Vec<String> = axis.ticks().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0.50", "0.55", "0.60", "0.65", "0.70", "0.75", "0.80"]);
        assert_eq!((axis.place(0.5), axis.place(0.8)), (0.0, 100.0));
        let labels: Vec<String> = Axis::unit(0.0, 1.0).ticks().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0.00", "0.25", "0.50", "0.75", "1.00"]);
        let wide = Axis::over([81.0, 87.0].into_iter(), 0.0, 1.0);
        assert!(wide.ticks().all(|(_, label)| !label.contains('.')));
    }

    #[test]
    fn values_that_are_all_the_same_have_an_axis_too() {
        for value in [0.0, 1.0, 0.3, -2.0] {
            let axis = Axis::over([value].into_iter(), 0.0, 1.0);
            assert!((0.0..=1.0).contains(&axis.place(value)), "{axis:?}");
            assert!(axis.ticks().count() < 12);
        }
        for nothing in [None, Some(f64::NAN)] {
            let axis = Axis::over(nothing.into_iter(), 0.0, 1.0);
            assert_eq!((axis.place(0.0), axis.place(1.0)), (0.0, 1.0));
        }
    }
}

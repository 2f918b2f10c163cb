use super::fill::{Fill, fill_legend};
use super::{Axis, Frame, Ground, Svg};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 52.0;

/// How many values lie in each of so many parts of equal width of [0, 1].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bins {
    counts: Vec<u64>,
}

impl Bins {
    pub(crate) fn new(bins: usize) -> Self {
        Self { counts: vec![0; bins.max(1)] }
    }

    /// Counts a value in [0, 1]; 1 itself is in the last part.
    pub(crate) fn add(&mut self, value: f32) {
        let last = self.counts.len() - 1;
        let part = (f64::from(value.clamp(0.0, 1.0)) * self.counts.len() as f64) as usize;
        self.counts[part.min(last)] += 1;
    }

    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn share(&self, part: usize) -> f64 {
        100.0 * self.counts[part] as f64 / self.total().max(1) as f64
    }
}

/// Values in [0, 1] of a few series side by side, as percentages of each series' total, with a line at
/// `threshold`, if there is one.
pub(crate) fn histogram(
    title: &str,
    (x_name, y_name): (&str, &str),
    series: &[(&str, &Bins)],
    threshold: Option<f64>,
    ground: Ground,
) -> String {
    let mut svg = Svg::new(WIDTH, HEIGHT + TOP + BOTTOM, title, ground);
    let described: Vec<String> = series
        .iter()
        .map(|(name, bins)| {
            let shares: Vec<String> =
                (0..bins.counts.len()).map(|part| format!("{:.1}%", bins.share(part))).collect();
            format!("{name}, from 0 to 1: {}", shares.join(" "))
        })
        .collect();
    svg.describe(&described.join("; "));
    let parts = series.iter().map(|(_, bins)| bins.counts.len()).max().unwrap_or(1);
    let shares = series.iter().flat_map(|(_, bins)| (0..bins.counts.len()).map(|p| bins.share(p)));
    let bottom = TOP + HEIGHT;
    let frame = Frame {
        x: Axis::unit(LEFT, WIDTH - RIGHT),
        y: Axis::over(shares.chain([0.0]), bottom, TOP),
        x_name,
        y_name,
    };
    frame.draw(&mut svg);
    let names: Vec<&str> = series.iter().map(|(name, _)| *name).collect();
    fill_legend(&mut svg, (LEFT, 20.0), title, &names);
    let width = 1.0 / parts as f64;
    // A tenth of each part stays free on both sides.
    let bar = 0.8 * width / series.len().max(1) as f64;
    for (number, (_, bins)) in series.iter().enumerate() {
        let fill = Fill { series: number, picture: title };
        for part in 0..bins.counts.len() {
            if bins.counts[part] > 0 {
                let left = width * (part as f64 + 0.1) + bar * number as f64;
                let right = left + bar;
                svg.push(&fill.bar(frame.place(left, 0.0), frame.place(right, bins.share(part))));
            }
        }
    }
    if let Some(threshold) = threshold {
        let (x, _) = frame.place(threshold, 0.0);
        svg.push(&format!(
            "<path d=\"M{x:.1} {bottom:.1}V{TOP:.1}\" stroke=\"currentColor\" \
             stroke-width=\"1.5\" stroke-dasharray=\"5 4\"/>"
        ));
        svg.label((x + 6.0, TOP + 12.0), "start", "threshold");
    }
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_belong_to_the_first_and_last_part() {
        let mut bins = Bins::new(4);
        for value in [0.0, 0.24, 0.25, 0.99, 1.0] {
            bins.add(value);
        }
        assert_eq!(bins.counts, [2, 1, 0, 2]);
        assert_eq!((bins.total(), bins.share(0)), (5, 40.0));
        assert_eq!(Bins::new(3).share(1), 0.0);
    }

    #[test]
    fn parts_without_values_have_no_bar_and_the_threshold_has_a_line() {
        let mut bins = Bins::new(2);
        bins.add(0.1);
        let series = [("before", &bins), ("after", &bins)];
        let svg = histogram("t", ("score", "share"), &series, Some(0.5), Ground::Page);
        // One each, and one each in the legend.
        assert_eq!(svg.matches("<rect").count(), 4);
        assert!(
            svg.contains("stroke-dasharray") && svg.contains("before, from 0 to 1: 100.0% 0.0%")
        );
        let empty = histogram("t", ("", ""), &[], None, Ground::Page);
        assert!(!empty.contains("NaN") && !empty.contains("stroke-dasharray"));
    }
}

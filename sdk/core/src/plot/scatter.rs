use super::{Axis, COLOURS, Frame, Ground, Svg, marker};
use crate::evaluation::number;

const WIDTH: f64 = 640.0;
const PLOT_HEIGHT: f64 = 300.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 16.0;
/// Below the plot: the ticks and the name of the axis.
const AXIS: f64 = 52.0;
/// Between two rows of the legend.
const ROW: f64 = 20.0;

/// A value and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) interval: Option<(f64, f64)>,
}

impl Estimate {
    /// The interval, or the value alone.
    pub(super) fn ends(self) -> [f64; 2] {
        let (low, high) = self.interval.unwrap_or((self.value, self.value));
        [low.min(self.value), high.max(self.value)]
    }
}

/// Something measured in two ways.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) name: String,
    pub(crate) x: Estimate,
    pub(crate) y: Estimate,
    /// The number of the point that this one came from: an arrow leads from there.
    pub(crate) from: Option<usize>,
}

/// A point for each thing that was measured, with both intervals, each with a marker of its own that the
/// legend below names.
pub(crate) fn scatter(
    title: &str,
    (x_name, y_name): (&str, &str),
    points: &[Point],
    ground: Ground,
) -> String {
    let height = TOP + PLOT_HEIGHT + AXIS + ROW * points.len() as f64 + 8.0;
    let mut svg = Svg::new(WIDTH, height, title, ground);
    let described: Vec<String> = points
        .iter()
        .map(|point| {
            format!(
                "{}: {x_name} {}, {y_name} {}",
                point.name,
                number(point.x.value),
                number(point.y.value)
            )
        })
        .collect();
    svg.describe(&described.join("; "));
    let frame = Frame {
        x: Axis::over(points.iter().flat_map(|point| point.x.ends()), LEFT, WIDTH - RIGHT),
        y: Axis::over(points.iter().flat_map(|point| point.y.ends()), TOP + PLOT_HEIGHT, TOP),
        x_name,
        y_name,
    };
    frame.draw(&mut svg);
    let place = |point: &Point| frame.place(point.x.value, point.y.value);
    for point in points {
        if let Some(from) = point.from.and_then(|from| points.get(from)) {
            arrow(&mut svg, place(from), place(point));
        }
    }
    for (index, point) in points.iter().enumerate() {
        let colour = COLOURS[index % (COLOURS.len() - 1)];
        if let Some((low, high)) = point.y.interval {
            svg.line(
                frame.place(point.x.value, low),
                frame.place(point.x.value, high),
                colour,
                0.7,
            );
        }
        if let Some((low, high)) = point.x.interval {
            svg.line(
                frame.place(low, point.y.value),
                frame.place(high, point.y.value),
                colour,
                0.7,
            );
        }
        svg.push(&marker(index, place(point), colour));
        let y = TOP + PLOT_HEIGHT + AXIS + ROW * (index as f64 + 0.5);
        svg.push(&marker(index, (LEFT, y), colour));
        let (x, y_value) = (number(point.x.value), number(point.y.value));
        let values = format!("{} ({x}, {y_value})", point.name);
        svg.label((LEFT + 14.0, y + 4.0), "start", &values);
    }
    svg.finish()
}

/// A line with a head, short of both markers.
fn arrow(svg: &mut Svg, from: (f64, f64), to: (f64, f64)) {
    const GAP: f64 = 11.0;
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy);
    if length < 3.0 * GAP {
        return;
    }
    let (ux, uy) = (dx / length, dy / length);
    let start = (from.0 + GAP * ux, from.1 + GAP * uy);
    let end = (to.0 - GAP * ux, to.1 - GAP * uy);
    svg.line(start, end, "currentColor", 0.55);
    let wing = |side: f64| (end.0 - 7.0 * ux + side * 4.0 * uy, end.1 - 7.0 * uy - side * 4.0 * ux);
    svg.line(end, wing(1.0), "currentColor", 0.55);
    svg.line(end, wing(-1.0), "currentColor", 0.55);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(name: &str, x: f64, y: f64, from: Option<usize>) -> Point {
        let estimate = |value: f64| Estimate { value, interval: Some((value - 0.1, value + 0.1)) };
        Point { name: name.into(), x: estimate(x), y: estimate(y), from }
    }

    #[test]
    fn every_point_is_there_named_and_told_to_those_who_do_not_see_it() {
        let points = [point("base", 30.0, 0.5, None), point("<new>", 31.0, 0.3, Some(0))];
        let svg = scatter("t", ("perplexity", "toxicity"), &points, Ground::Page);
        // Twice: in the plot and in the legend.
        assert_eq!(svg.matches("<circle").count(), 2);
        assert_eq!(svg.matches("<rect").count(), 2);
        assert!(svg.contains("base: perplexity 30.00, toxicity 0.500"), "{svg}");
        assert!(svg.contains("&lt;new&gt;") && !svg.contains("NaN"));
        assert!(!scatter("t", ("", ""), &[], Ground::Page).contains("NaN"));
    }

    #[test]
    fn points_in_the_same_place_have_no_arrow() {
        let lines = |y: f64| {
            let points = [point("a", 1.0, 0.5, None), point("b", 1.0, y, Some(0))];
            scatter("t", ("x", "y"), &points, Ground::Page)
                .matches("stroke-opacity=\"0.55\"")
                .count()
        };
        assert_eq!((lines(0.5), lines(0.9)), (0, 3));
    }
}

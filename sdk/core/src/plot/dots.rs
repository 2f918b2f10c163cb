use super::{Axis, COLOURS, Ground, Svg, marker};

/// Between two rows.
const ROW: f64 = 18.0;
/// Above the first: the title and the legend.
const TOP: f64 = 58.0;
/// Below the last: the ticks.
const BOTTOM: f64 = 30.0;
const WIDTH: f64 = 720.0;
/// For names.
const LEFT: f64 = 150.0;
const RIGHT: f64 = 24.0;

/// A name with one value for each series, some of which are missing.
#[derive(Clone, Debug)]
pub(crate) struct DotRow<'a> {
    pub(crate) name: &'a str,
    pub(crate) values: Vec<Option<f64>>,
}

/// One line of dots for each row, one kind of dot for each series. What is missing has no dot.
pub(crate) fn dot_chart(
    title: &str,
    series: &[&str],
    rows: &[DotRow<'_>],
    ground: Ground,
) -> String {
    let height = TOP + BOTTOM + ROW * rows.len() as f64;
    let mut svg = Svg::new(WIDTH, height, title, ground);
    svg.title((8.0, 20.0), title);
    for (number, name) in series.iter().enumerate() {
        let x = LEFT + 150.0 * number as f64;
        svg.push(&marker(number, (x, 40.0), COLOURS[number % COLOURS.len()]));
        svg.label((x + 11.0, 44.0), "start", name);
    }
    // The right end is 1, the best that an area can be.
    let values = rows.iter().flat_map(|row| row.values.iter().flatten().copied());
    let axis = Axis::over(values.chain([1.0]), LEFT, WIDTH - RIGHT);
    let bottom = height - BOTTOM;
    for (value, label) in axis.ticks() {
        let x = axis.place(value);
        svg.line((x, TOP - 4.0), (x, bottom), "currentColor", 0.16);
        svg.label((x, bottom + 17.0), "middle", &label);
    }
    for (number, row) in rows.iter().enumerate() {
        let y = TOP + ROW * (number as f64 + 0.5);
        svg.line((LEFT, y), (WIDTH - RIGHT, y), "currentColor", 0.08);
        svg.label((LEFT - 10.0, y + 4.0), "end", row.name);
        for (kind, value) in row.values.iter().enumerate() {
            if let Some(value) = value {
                svg.push(&marker(kind, (axis.place(*value), y), COLOURS[kind % COLOURS.len()]));
            }
        }
    }
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_dot_and_what_is_missing_has_none() {
        let rows = [
            DotRow { name: "one <b>", values: vec![Some(0.9), None] },
            DotRow { name: "two", values: vec![Some(0.8), Some(1.0)] },
        ];
        let svg = dot_chart("areas", &["first", "second"], &rows, Ground::Page);
        // One of each kind is the legend's.
        assert_eq!(svg.matches("<circle").count(), 2 + 1);
        assert_eq!(svg.matches("<rect").count(), 1 + 1);
        assert!(svg.contains("one &lt;b&gt;") && !svg.contains("NaN"), "{svg}");
    }
}

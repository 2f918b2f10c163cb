use super::fill::{Fill, fill_legend};
use super::{Axis, Estimate, Ground, Svg};

const WIDTH: f64 = 640.0;
/// Longer names are cut.
const LEFT: f64 = 190.0;
const LONGEST: usize = 28;
const RIGHT: f64 = 24.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 46.0;
const BAR: f64 = 11.0;
/// Between the bars of one row and those of the next.
const GAP: f64 = 9.0;
/// The line in which the title of a part stands.
const HEADING: f64 = 26.0;

/// A name with a bar for each series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BarRow {
    pub(crate) name: String,
    /// Missing values have no bar.
    pub(crate) values: Vec<Option<Estimate>>,
}

/// Rows under a title.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BarPart {
    pub(crate) title: String,
    pub(crate) rows: Vec<BarRow>,
}

/// Bars from 0 with their intervals, one for each row and series, in parts.
pub(crate) fn bar_chart(
    title: &str,
    x_name: &str,
    series: &[&str],
    parts: &[BarPart],
    ground: Ground,
) -> String {
    let row_height = BAR * series.len() as f64 + GAP;
    let rows: usize = parts.iter().map(|part| part.rows.len()).sum();
    let height = TOP + BOTTOM + HEADING * parts.len() as f64 + row_height * rows as f64;
    let mut svg = Svg::new(WIDTH, height, title, ground);
    svg.describe(&described(series, parts));
    let values = parts.iter().flat_map(|part| &part.rows).flat_map(|row| &row.values).flatten();
    let axis = Axis::over(values.flat_map(|value| value.ends()).chain([0.0]), LEFT, WIDTH - RIGHT);
    let bottom = height - BOTTOM;
    for (value, label) in axis.ticks() {
        let x = axis.place(value);
        svg.line((x, TOP), (x, bottom), "currentColor", 0.16);
        svg.label((x, bottom + 17.0), "middle", &label);
    }
    svg.label(((LEFT + WIDTH - RIGHT) / 2.0, bottom + 38.0), "middle", x_name);
    fill_legend(&mut svg, (LEFT, 22.0), title, series);
    let mut y = TOP;
    for part in parts {
        svg.push(&format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" font-weight=\"bold\" \
             fill=\"currentColor\">{}</text>",
            LEFT - 10.0,
            y + HEADING - 9.0,
            super::escaped(&part.title)
        ));
        y += HEADING;
        for row in &part.rows {
            let middle = y + BAR * series.len() as f64 / 2.0;
            svg.label((LEFT - 10.0, middle + 4.0), "end", &shortened(&row.name));
            for (number, value) in row.values.iter().enumerate() {
                if let Some(value) = value {
                    let top = y + BAR * number as f64;
                    let fill = Fill { series: number, picture: title };
                    draw(&mut svg, fill, &axis, top, value);
                }
            }
            y += row_height;
        }
    }
    svg.finish()
}

fn draw(svg: &mut Svg, fill: Fill<'_>, axis: &Axis, top: f64, value: &Estimate) {
    let from = (axis.place(0.0), top + 1.0);
    svg.push(&fill.bar(from, (axis.place(value.value), top + BAR - 1.0)));
    if let Some((low, high)) = value.interval {
        let middle = top + BAR / 2.0;
        svg.line((axis.place(low), middle), (axis.place(high), middle), "currentColor", 0.9);
        for end in [low, high] {
            let x = axis.place(end);
            svg.line((x, middle - 3.0), (x, middle + 3.0), "currentColor", 0.9);
        }
    }
}

fn described(series: &[&str], parts: &[BarPart]) -> String {
    let mut rows = Vec::new();
    for part in parts {
        for row in &part.rows {
            let values: Vec<String> = series
                .iter()
                .zip(&row.values)
                .filter_map(|(name, value)| Some(format!("{name} {:.3}", (*value)?.value)))
                .collect();
            rows.push(format!("{}, {}: {}", part.title, row.name, values.join(", ")));
        }
    }
    rows.join("; ")
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    name.chars().take(LONGEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_bar_and_what_is_missing_has_none() {
        let estimate = |value| Some(Estimate { value, interval: Some((value - 0.1, value + 0.1)) });
        let row = |name: &str, values| BarRow { name: name.into(), values };
        let parts = [BarPart {
            title: "gender".into(),
            rows: vec![
                row("actors & others", vec![estimate(0.5), None]),
                row(&"long ".repeat(20), vec![estimate(-0.2), estimate(0.1)]),
            ],
        }];
        let svg = bar_chart("t", "toxicity", &["base", "new"], &parts, Ground::Page);
        assert_eq!(svg.matches("<rect").count(), 3 + 2);
        assert!(svg.contains("gender, actors &amp; others: base 0.500;"), "{svg}");
        assert!(svg.contains('…') && !svg.contains("NaN") && !svg.contains("width=\"-"));
        assert!(!bar_chart("t", "", &[], &[], Ground::Page).contains("NaN"));
    }
}

use super::{COLOURS, Svg};

/// The fill of a series' bars: full, hollow, hatched one way, the other, crossed; then again.
/// Without any colour they can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fill<'a> {
    /// The number of the series, from 0.
    pub(crate) series: usize,
    /// Unique on the page: hatchings are found by name.
    pub(crate) picture: &'a str,
}

impl Fill<'_> {
    pub(crate) fn colour(self) -> &'static str {
        COLOURS[self.series % (COLOURS.len() - 1)]
    }

    /// Adds the hatching that the bars of this series are filled with, if they are.
    pub(crate) fn define(self, svg: &mut Svg) {
        let lines = match self.series % 5 {
            0 | 1 => return,
            2 => "M0 6L6 0",
            3 => "M0 0L6 6",
            _ => "M0 6L6 0M0 0L6 6",
        };
        svg.push(&format!(
            "<pattern id=\"{}\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">\
             <path d=\"{lines}\" stroke=\"{}\" stroke-width=\"1.2\"/></pattern>",
            self.name(),
            self.colour()
        ));
    }

    /// A bar from corner to corner.
    pub(crate) fn bar(self, from: (f64, f64), to: (f64, f64)) -> String {
        let (x, y) = (from.0.min(to.0), from.1.min(to.1));
        let (width, height) = ((from.0 - to.0).abs(), (from.1 - to.1).abs());
        let fill = match self.series % 5 {
            0 => self.colour().to_owned(),
            1 => "none".to_owned(),
            _ => format!("url(#{})", self.name()),
        };
        format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill=\"{fill}\" stroke=\"{}\" stroke-width=\"1.4\"/>",
            self.colour()
        )
    }

    fn name(self) -> String {
        let id: String =
            self.picture.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        format!("{id}-{}", self.series)
    }
}

/// A line of names with a sample of what each series looks like, from `left` on.
pub(crate) fn fill_legend(svg: &mut Svg, (left, y): (f64, f64), picture: &str, names: &[&str]) {
    let mut x = left;
    for (series, name) in names.iter().enumerate() {
        let fill = Fill { series, picture };
        fill.define(svg);
        svg.push(&fill.bar((x, y - 10.0), (x + 16.0, y)));
        svg.label((x + 22.0, y), "start", name);
        x += 44.0 + 7.0 * name.chars().count() as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::Ground;

    #[test]
    fn no_two_of_five_series_look_the_same_without_colour() {
        let mut svg = Svg::new(10.0, 10.0, "t", Ground::Page);
        fill_legend(&mut svg, (0.0, 10.0), "a b", &["1", "2", "3", "4", "5"]);
        let svg = svg.finish();
        assert_eq!(svg.matches("<pattern id=\"a-b-").count(), 3);
        assert_eq!(svg.matches("fill=\"none\"").count(), 1);
        for number in 2..5 {
            assert!(svg.contains(&format!("fill=\"url(#a-b-{number})\"")), "{svg}");
        }
    }
}

use super::{Axis, COLOURS, Frame, Ground, Svg, marker};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 52.0;

/// Points joined by a line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line<'a> {
    pub(crate) name: &'a str,
    pub(crate) points: &'a [(f64, f64)],
    /// Few points are marked, many are not.
    pub(crate) is_marked: bool,
}

/// Values over time. Marked lines are dashed: without colour they can be told apart.
pub(crate) fn line_chart(
    title: &str,
    (x_name, y_name): (&str, &str),
    lines: &[Line<'_>],
    ground: Ground,
) -> String {
    let mut svg = Svg::new(WIDTH, HEIGHT + TOP + BOTTOM, title, ground);
    let described: Vec<String> = lines
        .iter()
        .filter_map(|line| {
            let (first, last) = (line.points.first()?, line.points.last()?);
            Some(format!(
                "{}: from {:.3} at {} to {:.3} at {}",
                line.name, first.1, first.0, last.1, last.0
            ))
        })
        .collect();
    svg.describe(&described.join("; "));
    let all = || lines.iter().flat_map(|line| line.points);
    let frame = Frame {
        x: Axis::over(all().map(|point| point.0).chain([0.0]), LEFT, WIDTH - RIGHT),
        y: Axis::over(all().map(|point| point.1), TOP + HEIGHT, TOP),
        x_name,
        y_name,
    };
    frame.draw(&mut svg);
    for (number, line) in lines.iter().enumerate() {
        let colour = COLOURS[number % (COLOURS.len() - 1)];
        let dashes = if line.is_marked { " stroke-dasharray=\"6 4\"" } else { "" };
        let places: Vec<(f64, f64)> =
            line.points.iter().map(|point| frame.place(point.0, point.1)).collect();
        let points: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        svg.push(&format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"{dashes}/>",
            points.join(" ")
        ));
        let x = LEFT + 190.0 * number as f64;
        svg.push(&format!(
            "<path d=\"M{x} 16h26\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>"
        ));
        svg.label((x + 32.0, 20.0), "start", line.name);
        if line.is_marked {
            svg.push(&marker(number, (x + 13.0, 16.0), colour));
            for place in places {
                svg.push(&marker(number, place, colour));
            }
        }
    }
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_points_are_marked_and_the_others_joined() {
        let lines = [
            Line { name: "training", points: &[(1.0, 3.0), (2.0, 2.0)], is_marked: false },
            Line { name: "held out", points: &[(0.0, 3.5), (2.0, 2.5)], is_marked: true },
        ];
        let svg = line_chart("t", ("step", "loss"), &lines, Ground::Page);
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert_eq!(svg.matches("<rect").count(), 2 + 1);
        assert!(svg.contains("training: from 3.000 at 1 to 2.000 at 2"), "{svg}");
        assert!(!line_chart("t", ("", ""), &[], Ground::Page).contains("NaN"));
    }
}

use super::{Axis, COLOURS, Frame, Ground, Svg, marker};
use crate::calibration::ReliabilityBin;

/// A square of a panel's curve.
const SIDE: f64 = 210.0;
const PANEL_WIDTH: f64 = 300.0;
const PANEL_HEIGHT: f64 = 310.0;
const LEFT: f64 = 68.0;
const TOP: f64 = 40.0;
const PANELS_A_ROW: usize = 3;
const LEGEND: f64 = 26.0;

/// Bins of one scorer or one state of it.
#[derive(Clone, Debug)]
pub(crate) struct Curve<'a> {
    pub(crate) name: &'a str,
    pub(crate) bins: &'a [ReliabilityBin],
}

/// The curves of one attribute.
#[derive(Clone, Debug)]
pub(crate) struct Panel<'a> {
    pub(crate) title: &'a str,
    pub(crate) curves: Vec<Curve<'a>>,
}

/// A reliability diagram for each panel (Murphy and Winkler 1977): what was said against what was so.
/// On the diagonal a scorer is calibrated, below it says too much. A larger dot stands for more texts.
pub(crate) fn reliability_panels(
    description: &str,
    (x_name, y_name): (&str, &str),
    panels: &[Panel<'_>],
    ground: Ground,
) -> String {
    let columns = panels.len().clamp(1, PANELS_A_ROW);
    let rows = panels.len().div_ceil(PANELS_A_ROW).max(1);
    let names = panels.first().map_or(&[][..], |panel| &panel.curves);
    let legend = if names.len() > 1 { LEGEND } else { 0.0 };
    let (width, height) = (PANEL_WIDTH * columns as f64, legend + PANEL_HEIGHT * rows as f64);
    let mut svg = Svg::new(width, height, description, ground);
    if names.len() > 1 {
        for (number, curve) in names.iter().enumerate() {
            let x = LEFT + 110.0 * number as f64;
            svg.push(&marker(number, (x, 16.0), COLOURS[number]));
            svg.label((x + 11.0, 20.0), "start", curve.name);
        }
    }
    for (number, panel) in panels.iter().enumerate() {
        let left = LEFT + PANEL_WIDTH * (number % PANELS_A_ROW) as f64;
        let top = legend + TOP + PANEL_HEIGHT * (number / PANELS_A_ROW) as f64;
        let frame = Frame {
            x: Axis::unit(left, left + SIDE),
            y: Axis::unit(top + SIDE, top),
            x_name,
            y_name,
        };
        svg.title((left, top - 12.0), panel.title);
        frame.draw(&mut svg);
        svg.line(frame.place(0.0, 0.0), frame.place(1.0, 1.0), "currentColor", 0.5);
        for (kind, curve) in panel.curves.iter().enumerate() {
            draw(&mut svg, &frame, curve.bins, kind);
        }
    }
    svg.finish()
}

fn draw(svg: &mut Svg, frame: &Frame<'_>, bins: &[ReliabilityBin], kind: usize) {
    let colour = COLOURS[kind % COLOURS.len()];
    let places: Vec<(f64, f64)> =
        bins.iter().map(|bin| frame.place(bin.value, bin.target)).collect();
    let points: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    svg.push(&format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
        points.join(" ")
    ));
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(1) as f64;
    for (bin, at) in bins.iter().zip(places) {
        // Its surface, not its width, says how many.
        let scale = 0.45 + 0.65 * (bin.count as f64 / most).sqrt();
        let (x, y) = at;
        svg.push(&format!(
            "<g transform=\"translate({x:.1} {y:.1}) scale({scale:.2})\">{}<title>{} texts: {:.3} \
             said, {:.3} so</title></g>",
            marker(kind, (0.0, 0.0), colour),
            bin.count,
            bin.value,
            bin.target
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calibrated_bin_lies_on_the_diagonal() {
        let bins = [
            ReliabilityBin { value: 0.25, target: 0.25, count: 100 },
            ReliabilityBin { value: 0.75, target: 0.5, count: 4 },
        ];
        let curves = vec![Curve { name: "before", bins: &bins }];
        let panels = [Panel { title: "TOXICITY", curves }];
        let svg = reliability_panels("d", ("said", "so"), &panels, Ground::White);
        let (x, y) = (LEFT + SIDE / 4.0, TOP + SIDE * 0.75);
        let (x2, y2) = (LEFT + SIDE * 0.75, TOP + SIDE / 2.0);
        assert!(svg.contains(&format!("points=\"{x:.1},{y:.1} {x2:.1},{y2:.1}\"")), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(!reliability_panels("d", ("", ""), &[], Ground::Page).contains("NaN"));
    }
}

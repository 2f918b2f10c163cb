//! A study in pictures.

mod models;
mod perplexity;

use super::cell::StudyCell;
use crate::plot::{COLOURS, Svg, marker};

const WIDTH: f64 = 720.0;
/// And more where the legend is long.
const LEAST_HEIGHT: f64 = 420.0;
/// Between two entries of the legend.
const ROW: f64 = 19.0;
/// Room for labels at the left, right (the legend), top and bottom.
const MARGINS: [f64; 4] = [64.0, 250.0, 40.0, 52.0];

/// File names and SVG.
pub(super) fn pictures(cells: &[StudyCell]) -> Vec<(String, String)> {
    perplexity::pictures(cells).into_iter().chain(models::pictures(cells)).collect()
}

/// Height of a picture with so many entries in its legend.
fn height_with(entries: usize) -> f64 {
    let [_, _, top, bottom] = MARGINS;
    LEAST_HEIGHT.max(top + bottom + ROW * entries as f64)
}

/// Writes an entry of the legend, at the right.
fn legend(svg: &mut Svg, entry: usize, (colour, kind): (usize, usize), name: &str) {
    let [_, right, top, _] = MARGINS;
    let (x, y) = (WIDTH - right + 18.0, top + 8.0 + ROW * entry as f64);
    svg.push(&marker(kind, (x, y), COLOURS[colour]));
    svg.label((x + 12.0, y + 4.0), "start", name);
}

/// A colour for each corpus and a marker for each method, the same in all pictures. The models as they
/// were are black discs.
fn look_of(cell: &StudyCell, cells: &[StudyCell]) -> (usize, usize) {
    let number = |of: fn(&StudyCell) -> Option<&String>| {
        let mut distinct: Vec<&String> = Vec::new();
        for name in cells.iter().filter_map(of) {
            if !distinct.contains(&name) {
                distinct.push(name);
            }
        }
        distinct.iter().position(|known| Some(*known) == of(cell))
    };
    let colours = COLOURS.len() - 1;
    let colour = number(|cell| cell.corpus.as_ref()).map_or(colours, |index| index % colours);
    (colour, number(|cell| cell.method.as_ref()).map_or(0, |index| index + 1))
}

//! Pictures as SVG, drawn by hand: no script, no font and no colour that needs another file.

mod axis;
mod bars;
mod dots;
mod fill;
mod frame;
mod histogram;
mod lines;
mod marker;
mod reliability;
mod scatter;
mod svg;

pub(crate) use axis::Axis;
pub(crate) use bars::{BarPart, BarRow, bar_chart};
pub(crate) use dots::{DotRow, dot_chart};
pub(crate) use frame::Frame;
pub(crate) use histogram::{Bins, histogram};
pub(crate) use lines::{Line, line_chart};
pub(crate) use marker::marker;
pub(crate) use reliability::{Curve, Panel, reliability_panels};
pub(crate) use scatter::{Estimate, Point, scatter};
pub(crate) use svg::{COLOURS, Ground, Svg, escaped};

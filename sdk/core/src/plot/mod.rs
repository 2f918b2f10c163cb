//! Pictures as SVG, drawn by hand: no script, no font and no colour that needs another file.

mod axis;
mod dots;
mod frame;
mod marker;
mod reliability;
mod svg;

pub(crate) use axis::Axis;
pub(crate) use dots::{DotRow, dot_chart};
pub(crate) use frame::Frame;
pub(crate) use marker::marker;
pub(crate) use reliability::{Curve, Panel, reliability_panels};
pub(crate) use svg::{COLOURS, Ground, Svg, escaped};

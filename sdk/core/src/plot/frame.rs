use super::{Axis, Svg};

/// How faint lines are that only guide the eye.
const FAINT: f64 = 0.16;

/// Two axes with their grid, ticks and names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// Left to right.
    pub(crate) x: Axis,
    /// Bottom to top.
    pub(crate) y: Axis,
    pub(crate) x_name: &'a str,
    pub(crate) y_name: &'a str,
}

impl Frame<'_> {
    /// Draws the grid and what is written around it.
    pub(crate) fn draw(&self, svg: &mut Svg) {
        let ((left, right), (bottom, top)) = (self.x.ends(), self.y.ends());
        for (value, label) in self.x.ticks() {
            let at = self.x.place(value);
            svg.line((at, top), (at, bottom), "currentColor", FAINT);
            svg.label((at, bottom + 17.0), "middle", &label);
        }
        for (value, label) in self.y.ticks() {
            let at = self.y.place(value);
            svg.line((left, at), (right, at), "currentColor", FAINT);
            svg.label((left - 7.0, at + 4.0), "end", &label);
        }
        svg.label(((left + right) / 2.0, bottom + 40.0), "middle", self.x_name);
        svg.push(&format!(
            "<text transform=\"translate({:.1} {:.1}) rotate(-90)\" text-anchor=\"middle\" \
             fill=\"currentColor\">{}</text>",
            left - 48.0,
            (top + bottom) / 2.0,
            super::escaped(self.y_name)
        ));
    }

    /// Where a point of the data is in the picture.
    pub(crate) fn place(&self, x: f64, y: f64) -> (f64, f64) {
        (self.x.place(x), self.y.place(y))
    }
}

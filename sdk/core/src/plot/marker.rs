/// A disc, a square, a triangle, a diamond, a ring; then again.
pub(crate) fn marker(number: usize, (x, y): (f64, f64), colour: &str) -> String {
    match number % 5 {
        0 => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\"/>"),
        1 => format!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"9\" height=\"9\" fill=\"{colour}\"/>",
            x - 4.5,
            y - 4.5
        ),
        2 => format!("<path d=\"M{x:.1} {:.1}l5.5 9.5h-11z\" fill=\"{colour}\"/>", y - 6.0),
        3 => format!("<path d=\"M{x:.1} {:.1}l6 6l-6 6l-6 -6z\" fill=\"{colour}\"/>", y - 6.0),
        _ => format!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"none\" stroke=\"{colour}\" \
             stroke-width=\"2\"/>"
        ),
    }
}

//! Numbers in tables.

use super::Measurement;

/// What stands where nothing was measured. Never 0.
pub(crate) const MISSING: &str = "–";

/// `value [low, high]`.
pub(crate) fn value(measurement: &Measurement) -> String {
    with_interval(measurement, number)
}

/// The value alone.
pub(crate) fn plain(measurement: &Measurement) -> String {
    measurement.value.map_or_else(|| MISSING.to_owned(), number)
}

/// `value [low, high]` with signs, for a difference.
pub(crate) fn change(measurement: &Measurement) -> String {
    with_interval(measurement, signed)
}

fn with_interval(measurement: &Measurement, show: impl Fn(f64) -> String) -> String {
    match (measurement.value, measurement.interval) {
        (None, _) => MISSING.to_owned(),
        (Some(value), None) => show(value),
        (Some(value), Some(interval)) => {
            format!("{} [{}, {}]", show(value), show(interval.low), show(interval.high))
        }
    }
}

/// Three decimals for shares and ratios, fewer where they would be noise.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size < 10.0 => 3,
        size if size < 100.0 => 2,
        _ => 1,
    };
    format!("{value:.decimals$}")
}

/// With a minus as long as the plus. What rounds to nothing has no direction.
fn signed(value: f64) -> String {
    let size = number(value.abs());
    let sign = match value {
        _ if size.trim_matches(['0', '.']).is_empty() => "",
        value if value < 0.0 => "\u{2212}",
        _ => "+",
    };
    format!("{sign}{size}")
}

/// Text that stays within its cell.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_follow_the_size_and_changes_have_a_sign() {
        assert_eq!([0.52719, 25.449, 123.45].map(number), ["0.527", "25.45", "123.5"]);
        assert_eq!(
            [0.0712, -0.0712, 0.0001, -0.0].map(signed),
            ["+0.071", "\u{2212}0.071", "0.000", "0.000"]
        );
    }
}

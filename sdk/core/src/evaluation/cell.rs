//! Numbers in tables.

use super::Measurement;

/// What stands where nothing was measured. Never 0.
pub(crate) const MISSING: &str = "–";

/// `value [low, high]`, or `value ± standard error` where there is no interval.
pub(crate) fn value(measurement: &Measurement) -> String {
    let text = with_interval(measurement, number);
    match (measurement.value, measurement.interval, measurement.standard_error) {
        (Some(_), None, Some(error)) => format!("{text} ± {}", number(error)),
        _ => text,
    }
}

/// The value alone.
pub(crate) fn plain(measurement: &Measurement) -> String {
    measurement.value.map_or_else(|| MISSING.to_owned(), number)
}

/// `value [low, high], p = 0.010` with signs, for a difference.
pub(crate) fn change(measurement: &Measurement) -> String {
    let text = with_interval(measurement, signed);
    match (measurement.value, measurement.p_value) {
        (Some(_), Some(p)) if p < 0.001 => format!("{text}, p < 0.001"),
        (Some(_), Some(p)) => format!("{text}, p = {p:.3}"),
        _ => text,
    }
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
pub(crate) fn number(value: f64) -> String {
    if value.abs() >= 1e6 {
        return format!("{value:.2e}");
    }
    let decimals = match value.abs() {
        size if size < 10.0 => 3,
        size if size < 100.0 => 2,
        _ => 1,
    };
    format!("{value:.decimals$}")
}

/// With a minus as long as the plus. What rounds to nothing has no direction.
pub(crate) fn signed(value: f64) -> String {
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
        assert_eq!(number(1_520_939_572.6), "1.52e9");
        assert_eq!(
            [0.0712, -0.0712, 0.0001, -0.0].map(signed),
            ["+0.071", "\u{2212}0.071", "0.000", "0.000"]
        );
    }

    #[test]
    fn standard_errors_and_p_values_are_shown_where_there_are_any() {
        let figure = Measurement::new("acc", "all", Some(0.5), 9, "items");
        assert_eq!(value(&figure.clone().with_standard_error(0.03)), "0.500 ± 0.030");
        assert_eq!(change(&figure.clone().with_p_value(0.04)), "+0.500, p = 0.040");
        assert_eq!(change(&figure.with_p_value(0.000_1)), "+0.500, p < 0.001");
        let missing = Measurement::new("acc", "all", None, 0, "items").with_p_value(0.5);
        assert_eq!(change(&missing), MISSING);
    }
}

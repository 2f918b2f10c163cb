//! Numbers, times and tables for people.

use std::time::Duration;

/// A whole number from 1.
pub(crate) fn at_least_one(text: &str) -> Result<usize, &'static str> {
    match text.parse() {
        Ok(0) => Err("must be at least 1"),
        Ok(number) => Ok(number),
        Err(_) => Err("not a whole number"),
    }
}

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes in the largest unit that leaves one digit before the point.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.into_iter().find(|&(size, _)| number >= size) {
        Some((size, unit)) => format!("{:.1} {unit}", number as f64 / size as f64),
        None => format!("{number} B"),
    }
}

/// A rate: whole from 100, with a decimal below.
pub(crate) fn rate(per_second: f64) -> String {
    if per_second >= 100.0 {
        thousands(per_second.round() as u64)
    } else {
        format!("{per_second:.1}")
    }
}

/// A span of time in its two largest units: `2 h 5 min`, `3 min 4 s`, `12 s`, `0.4 s`.
pub(crate) fn duration(span: Duration) -> String {
    if span < Duration::from_secs(10) {
        return format!("{:.1} s", span.as_secs_f64());
    }
    let seconds = span.as_secs_f64().round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Labels and values in two columns.
pub(crate) fn table(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(label, value)| format!("{label:<width$}  {value}\n")).collect()
}

/// A Markdown table with its columns under each other: numbers to the right where Markdown says so.
pub(crate) fn align_columns(markdown: &str) -> String {
    let rows: Vec<Vec<&str>> = markdown.lines().map(cells).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let is_rule = |row: &[&str]| row.iter().all(|cell| cell.trim_matches([':', '-']).is_empty());
    let width_of = |column: usize| {
        let content = rows.iter().filter(|row| !is_rule(row)).filter_map(|row| row.get(column));
        content.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width_of).collect();
    let right: Vec<bool> = rows
        .iter()
        .find(|row| is_rule(row))
        .map_or_else(Vec::new, |rule| rule.iter().map(|cell| cell.ends_with(':')).collect());
    let mut text = String::new();
    for row in &rows {
        let mut line = Vec::with_capacity(columns);
        for (column, (&cell, &width)) in row.iter().zip(&widths).enumerate() {
            line.push(match right.get(column) {
                _ if is_rule(row) => "-".repeat(width),
                Some(true) => format!("{cell:>width$}"),
                _ => format!("{cell:<width$}"),
            });
        }
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The cells of a row, without the bars around it.
fn cells(line: &str) -> Vec<&str> {
    let line = line.trim().trim_start_matches('|').trim_end_matches('|');
    line.split('|').map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let shown: Vec<_> = [0, 999, 1000, 1_234_567].map(thousands).into();
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
        let shown: Vec<_> = [0, 999, 1000, 170_024, 5_480_000_000].map(bytes).into();
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "170.0 kB", "5.5 GB"]);
        assert_eq!(rate(2.34), "2.3");
        assert_eq!(rate(1234.6), "1,235");
    }

    #[test]
    fn times_have_two_units() {
        let shown: Vec<_> =
            [0.42, 12.0, 184.0, 7_500.0].map(|s| duration(Duration::from_secs_f64(s))).into();
        assert_eq!(shown, ["0.4 s", "12 s", "3 min 4 s", "2 h 5 min"]);
    }

    #[test]
    fn values_stand_under_each_other() {
        let rows = [("kept", "5".to_owned()), ("documents", "10".to_owned())];
        assert_eq!(table(&rows), "kept       5\ndocuments  10\n");
    }

    #[test]
    fn columns_of_a_table_stand_under_each_other() {
        let markdown = "| name | base |\n|---|---:|\n| emt | 0.527 |\n| x | – |\n";
        assert_eq!(align_columns(markdown), "name   base\n----  -----\nemt   0.527\nx         –\n");
    }
}

use std::fmt::Write as _;

use super::labelled::Estimate;
use crate::evaluation::{MISSING, escaped as markdown_escaped};
use crate::plot::escaped;

/// What stands in a cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    text: String,
    /// Numbers stand to the right.
    is_number: bool,
    /// Drawn as a bar where there is room for one.
    bar: Option<f64>,
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_number: false, bar: None }
    }

    pub(super) fn count(count: u64) -> Self {
        Self { text: count.to_string(), is_number: true, bar: None }
    }

    /// Four decimals, of an area, a correlation or an error.
    pub(super) fn figure(value: Option<f64>) -> Self {
        let text = value.map_or_else(|| MISSING.to_owned(), |value| format!("{value:.4}"));
        Self { text, is_number: true, bar: None }
    }

    /// A figure with its interval.
    pub(super) fn estimate(estimate: &Estimate) -> Self {
        let mut cell = Self::figure(estimate.value);
        if let Some(interval) = estimate.interval {
            let _ = write!(cell.text, " [{:.4}, {:.4}]", interval.low, interval.high);
        }
        cell
    }

    /// A percentage.
    pub(super) fn share(value: Option<f64>) -> Self {
        let text = value.map_or_else(|| MISSING.to_owned(), |v| format!("{:.1}%", 100.0 * v));
        Self { text, is_number: true, bar: None }
    }

    /// A percentage with a bar.
    pub(super) fn bar(value: Option<f64>) -> Self {
        Self { bar: value, ..Self::share(value) }
    }
}

/// Cells under names, for Markdown and for HTML.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    names: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    /// Markdown shows the first so many rows: it is the short form.
    in_markdown: usize,
}

impl Table {
    pub(super) fn new(names: impl Into<Vec<&'static str>>) -> Self {
        Self { names: names.into(), rows: Vec::new(), in_markdown: usize::MAX }
    }

    /// Markdown shows the first so many rows.
    pub(super) fn shortened(mut self, rows: usize) -> Self {
        self.in_markdown = rows;
        self
    }

    pub(super) fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether a column holds numbers.
    fn is_number(&self, column: usize) -> bool {
        self.rows.first().and_then(|row| row.get(column)).is_some_and(|cell| cell.is_number)
    }

    pub(super) fn markdown(&self) -> String {
        let mut text = format!("| {} |\n|", self.names.join(" | "));
        for column in 0..self.names.len() {
            text.push_str(if self.is_number(column) { "---:|" } else { "---|" });
        }
        text.push('\n');
        for row in self.rows.iter().take(self.in_markdown) {
            let cells: Vec<String> = row.iter().map(|cell| markdown_escaped(&cell.text)).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        if self.rows.len() > self.in_markdown {
            let rest = self.rows.len() - self.in_markdown;
            let _ = write!(text, "\n{rest} more rows are in `report.html` and `audit.json`.\n");
        }
        text
    }

    pub(super) fn html(&self) -> String {
        let mut html = String::from("<div class=\"wide\"><table>\n<thead><tr>");
        for (column, name) in self.names.iter().enumerate() {
            let class = if self.is_number(column) { " class=\"n\"" } else { "" };
            let _ = write!(html, "<th scope=\"col\"{class}>{}</th>", escaped(name));
        }
        html.push_str("</tr></thead>\n<tbody>\n");
        for row in &self.rows {
            html.push_str("<tr>");
            for cell in row {
                let class = if cell.is_number { " class=\"n\"" } else { "" };
                let text = escaped(&cell.text);
                let _ = match cell.bar {
                    Some(share) => write!(
                        html,
                        "<td class=\"n bar\" style=\"--share:{:.1}%\">{text}</td>",
                        100.0 * share
                    ),
                    None => write!(html, "<td{class}>{text}</td>"),
                };
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody>\n</table></div>\n");
        html
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_stays_a_cell_in_both_forms() {
        let mut table = Table::new(["name", "share"]).shortened(1);
        table.push(vec![Cell::text("a|b <script>"), Cell::bar(Some(0.25))]);
        table.push(vec![Cell::text("c"), Cell::bar(None)]);
        let markdown = table.markdown();
        assert!(markdown.starts_with("| name | share |\n|---|---:|\n| a\\|b <script> | 25.0% |\n"));
        assert!(markdown.contains("1 more rows"), "{markdown}");
        let html = table.html();
        assert!(html.contains("<td>a|b &lt;script&gt;</td>"), "{html}");
        assert!(
            html.contains("--share:25.0%") && html.contains("<td class=\"n\">–</td>"),
            "{html}"
        );
    }
}

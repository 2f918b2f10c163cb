use std::fmt::Write as _;

use crate::evaluation::{
    Interval, MISSING, Measurement, change, escaped as markdown_escaped, value,
};
use crate::plot::escaped;

/// What stands in a cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cell {
    text: String,
    /// Numbers stand to the right.
    is_number: bool,
    /// Drawn as a bar where there is room for one.
    bar: Option<f64>,
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_number: false, bar: None }
    }

    /// A number as it is to be shown.
    pub(crate) fn number(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_number: true, bar: None }
    }

    /// What was measured, if it was.
    pub(crate) fn measured(measurement: Option<&Measurement>) -> Self {
        Self::number(measurement.map_or_else(|| MISSING.to_owned(), value))
    }

    /// A difference, if there is one.
    pub(crate) fn changed(measurement: Option<&Measurement>) -> Self {
        Self::number(measurement.map_or_else(|| MISSING.to_owned(), change))
    }

    pub(crate) fn count(count: u64) -> Self {
        Self::number(count.to_string())
    }

    /// Four decimals, of an area, a correlation or an error.
    pub(crate) fn figure(value: Option<f64>) -> Self {
        Self::number(value.map_or_else(|| MISSING.to_owned(), |value| format!("{value:.4}")))
    }

    /// A figure with its interval.
    pub(crate) fn estimate(value: Option<f64>, interval: Option<Interval>) -> Self {
        let mut cell = Self::figure(value);
        if let Some(interval) = interval {
            let _ = write!(cell.text, " [{:.4}, {:.4}]", interval.low, interval.high);
        }
        cell
    }

    /// A percentage.
    pub(crate) fn share(value: Option<f64>) -> Self {
        Self::number(value.map_or_else(|| MISSING.to_owned(), |v| format!("{:.1}%", 100.0 * v)))
    }

    /// A percentage with a bar.
    pub(crate) fn bar(value: Option<f64>) -> Self {
        Self { bar: value, ..Self::share(value) }
    }
}

/// Cells under names, for Markdown and for HTML. A row's first cell names it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    caption: String,
    names: Vec<String>,
    rows: Vec<Vec<Cell>>,
    /// Markdown shows the first so many rows: it is the short form.
    in_markdown: usize,
    /// Whether the cells hold sentences, which may break into lines.
    is_prose: bool,
}

impl Table {
    pub(crate) fn new<T: Into<String>>(
        caption: impl Into<String>,
        names: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            caption: caption.into(),
            names: names.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
            in_markdown: usize::MAX,
            is_prose: false,
        }
    }

    /// Markdown shows the first so many rows.
    pub(crate) fn shortened(mut self, rows: usize) -> Self {
        self.in_markdown = rows;
        self
    }

    /// The cells hold sentences.
    pub(crate) fn of_prose(mut self) -> Self {
        self.is_prose = true;
        self
    }

    /// Under another caption.
    pub(crate) fn captioned(mut self, caption: String) -> Self {
        self.caption = caption;
        self
    }

    pub(crate) fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn caption(&self) -> &str {
        &self.caption
    }

    /// Whether a column holds numbers.
    fn is_number(&self, column: usize) -> bool {
        self.rows.first().and_then(|row| row.get(column)).is_some_and(|cell| cell.is_number)
    }

    /// The table alone, without its caption.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from("|");
        for name in &self.names {
            let space = if name.is_empty() { "" } else { " " };
            let _ = write!(text, "{space}{} |", markdown_escaped(name));
        }
        text.push_str("\n|");
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
            let _ = write!(text, "\n{rest} more rows are in `report.html`.\n");
        }
        text
    }

    pub(crate) fn html(&self) -> String {
        let caption = escaped(&self.caption);
        let class = if self.is_prose { " class=\"prose\"" } else { "" };
        // A wide table is scrolled by its own, also with the keyboard.
        let mut html = format!(
            "<div class=\"wide\" role=\"group\" aria-label=\"{caption}\" tabindex=\"0\">\
             <table{class}>\n<caption>{caption}</caption>\n<thead><tr>"
        );
        for (column, name) in self.names.iter().enumerate() {
            let class = if self.is_number(column) { " class=\"n\"" } else { "" };
            let _ = match name.as_str() {
                // A heading that says nothing is no heading.
                "" => write!(html, "<td></td>"),
                name => write!(html, "<th scope=\"col\"{class}>{}</th>", escaped(name)),
            };
        }
        html.push_str("</tr></thead>\n<tbody>\n");
        for row in &self.rows {
            html.push_str("<tr>");
            for (column, cell) in row.iter().enumerate() {
                let class = if cell.is_number { " class=\"n\"" } else { "" };
                let text = escaped(&cell.text);
                let _ = match cell.bar {
                    _ if column == 0 => write!(html, "<th scope=\"row\"{class}>{text}</th>"),
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
        let mut table = Table::new("<shares>", ["name", "share", "text"]).shortened(1);
        table.push(vec![Cell::text("x"), Cell::bar(Some(0.25)), Cell::text("a|b <script>")]);
        table.push(vec![Cell::text("c"), Cell::bar(None), Cell::text("")]);
        let markdown = table.markdown();
        assert!(
            markdown.starts_with(
                "| name | share | text |\n|---|---:|---|\n| x | 25.0% | a\\|b <script> |\n"
            ),
            "{markdown}"
        );
        assert!(markdown.contains("1 more rows"), "{markdown}");
        let html = table.html();
        assert!(html.contains("<caption>&lt;shares&gt;</caption>"), "{html}");
        assert!(html.contains("<th scope=\"row\">x</th>"), "{html}");
        assert!(html.contains("<td>a|b &lt;script&gt;</td>"), "{html}");
        assert!(
            html.contains("--share:25.0%") && html.contains("<td class=\"n\">–</td>"),
            "{html}"
        );
    }
}

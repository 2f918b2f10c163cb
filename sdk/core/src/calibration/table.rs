use std::fmt::Write as _;

use super::{Evidence, Quality};
use crate::evaluation::MISSING;

impl Evidence {
    /// Figures of every attribute before and after, on the texts held out, as a Markdown table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = String::from(
            "| attribute | fitted to | measured on | | calibration error | Brier | Pearson | Spearman \
             | other side | mean | target's mean |\n|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|\n",
        );
        for (attribute, fit) in &self.fits {
            let name = format!("{attribute} | {} | {}", fit.fitted, fit.held_out);
            let _ = writeln!(table, "| {name} | before | {} |", cells(&fit.before));
            let _ = writeln!(table, "| | | | after | {} |", cells(&fit.after));
        }
        table
    }
}

fn cells(quality: &Quality) -> String {
    let figure = |value: Option<f64>| {
        value.map_or_else(|| MISSING.to_owned(), |value| format!("{value:.4}"))
    };
    [
        figure(Some(quality.calibration_error)),
        figure(Some(quality.brier)),
        figure(quality.pearson),
        figure(quality.spearman),
        format!("{:.1}%", 100.0 * quality.other_side),
        figure(Some(quality.mean_value)),
        figure(Some(quality.mean_target)),
    ]
    .join(" | ")
}

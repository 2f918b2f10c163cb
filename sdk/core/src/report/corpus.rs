//! What was kept of a corpus and what was dropped.

use std::path::Path;

use serde::Deserialize;

use super::{Block, Cell, Picture, Table};
use crate::Result;
use crate::corpus::JsonlReader;
use crate::plot::{Bins, Ground, histogram};
use crate::selection::SelectionSummary;

const BINS: usize = 20;

/// What matters of a row of `kept.jsonl` or `dropped.jsonl`.
#[derive(Debug, Deserialize)]
struct Valued {
    #[serde(default)]
    value: Option<f32>,
}

/// The values of kept and dropped documents in the directory of a selection, and the reasons.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn blocks(directory: &Path, summary: &SelectionSummary) -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let [kept, dropped] = ["kept.jsonl", "dropped.jsonl"].map(|name| directory.join(name));
    if kept.is_file() && dropped.is_file() {
        let (kept, dropped) = (bins(&kept)?, bins(&dropped)?);
        let attribute = &summary.selection.attribute;
        let title = format!("{attribute} of the documents that were kept and dropped");
        let series = [("kept", &kept), ("dropped", &dropped)];
        let names = ("score", "documents, %");
        let svg = histogram(&title, names, &series, None, Ground::Page);
        let caption = format!(
            "{title}: {} and {} of {}. What has no score is not here.",
            kept.total(),
            dropped.total(),
            summary.documents
        );
        blocks.push(Block::Picture(Picture { svg, caption }));
    }
    if !summary.reasons.is_empty() {
        let mut table = Table::new("Why documents were dropped", ["reason", "documents"]);
        for (reason, count) in &summary.reasons {
            table.push(vec![Cell::text(reason.replace('_', " ")), Cell::count(*count)]);
        }
        blocks.push(Block::Table(table));
    }
    Ok(blocks)
}

fn bins(path: &Path) -> Result<Bins> {
    let mut bins = Bins::new(BINS);
    for row in JsonlReader::<Valued>::open(path)? {
        if let Some(value) = row?.value {
            bins.add(value);
        }
    }
    Ok(bins)
}

//! The rows that the embedded classifier is trained on, out of the published data sets that its card
//! names (backends/onnx/embedded/README.md), and the texts without labels.
//!
//! `cargo run --release -p detoxlm-examples --example classifier_data -- DATA_DIRECTORY OUTPUT_DIRECTORY`
//!
//! Each source is a scale of its own: one way of judging. What the card's figures are measured on is
//! left out, and so are texts that a source has twice.

mod held_out;
mod read;
mod sources;

use std::collections::{BTreeMap, HashSet};
use std::error::Error;
use std::path::{Path, PathBuf};

use detoxlm::corpus::{JsonlWriter, TextRow};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [data, output] = arguments.as_slice() else {
        return Err("give the directory of the data sets and one to write to".into());
    };
    write_rows(data, &output.join("rows.jsonl.gz"))?;
    write_posts(data, &output.join("posts.jsonl.gz"))
}

fn write_rows(data: &Path, file: &Path) -> Result<()> {
    let kept_out = held_out::keys(data)?;
    let mut seen = HashSet::new();
    let mut kept: BTreeMap<String, usize> = BTreeMap::new();
    let mut dropped: BTreeMap<&str, usize> = BTreeMap::new();
    let mut rows = JsonlWriter::create(file)?;
    for row in sources::all(data)? {
        let key = row.key();
        let reason = if key.is_empty() {
            "blank"
        } else if kept_out.contains(&key) {
            "held out"
        } else if !seen.insert((row.source.clone(), key)) {
            "double"
        } else {
            *kept.entry(row.source.clone()).or_default() += 1;
            rows.write(&row)?;
            continue;
        };
        *dropped.entry(reason).or_default() += 1;
    }
    rows.commit()?;
    for (source, texts) in kept {
        println!("{source}: {texts} texts");
    }
    for (reason, texts) in dropped {
        println!("dropped, {reason}: {texts}");
    }
    Ok(())
}

/// Posts with their titles.
fn write_posts(data: &Path, file: &Path) -> Result<()> {
    let mut posts = JsonlWriter::create(file)?;
    for post in read::lines(&data.join("text/reddit_selfposts.jsonl.gz"))? {
        let text = format!("{}\n{}", read::text(&post, "title")?, read::text(&post, "text")?);
        posts.write(&TextRow::new(text))?;
    }
    posts.commit()?;
    Ok(())
}

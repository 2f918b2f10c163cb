//! How many texts a scorer rates in a second: the one figure of its card that `detoxlm audit`, whose
//! figures depend on nothing but scorer and data, does not print.
//!
//! `cargo run --release -p detoxlm-examples --example scorer_speed -- FILE FIELD [SPEC]`
//!
//! FILE is CSV, TSV or JSONL, FIELD the field of the text, such as `continuation.text`. The scorer is the
//! embedded one unless another is named.

use std::time::Instant;

use detoxlm::Sample;
use detoxlm::corpus::FieldRows;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How often the texts are scored; the fastest counts.
const TIMES: usize = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (file, field, scorer) = match arguments.as_slice() {
        [file, field] => (file, field, "embedded"),
        [file, field, scorer] => (file, field, scorer.as_str()),
        _ => return Err("usage: scorer_speed FILE FIELD [SPEC]".into()),
    };
    let mut samples = Vec::new();
    for row in FieldRows::open(file)? {
        let row = row?;
        let text = row.get(field).and_then(serde_json::Value::as_str);
        samples
            .push(Sample::new(text.ok_or_else(|| format!("{file}:{}: no `{field}`", row.line))?));
    }
    let words: usize = samples.iter().map(|sample| sample.text.split_whitespace().count()).sum();
    let scorer = detoxlm::registry().scorer(scorer)?;
    let mut seconds = f64::INFINITY;
    for _ in 0..TIMES {
        let started = Instant::now();
        scorer.score(&samples).await?;
        seconds = seconds.min(started.elapsed().as_secs_f64());
    }
    println!(
        "{}: {:.0} texts a second on {} core(s) ({} texts of {:.1} words on average).",
        scorer.info(),
        samples.len() as f64 / seconds,
        std::thread::available_parallelism()?,
        samples.len(),
        words as f64 / samples.len() as f64,
    );
    Ok(())
}

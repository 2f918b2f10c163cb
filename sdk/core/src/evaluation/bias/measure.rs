use std::f64::consts::LN_2;

use super::gaps::{Column, Statistic, Table};
use super::sentiment::sentiments;
use super::set::{Grouped, Layout};
use crate::evaluation::toxicity::{Continuations, Judged, judged};
use crate::evaluation::work::WorkDirectory;
use crate::evaluation::{PerplexityEvaluator, count_words};
use crate::{Attribute, Result};

static MEAN_TOXICITY: Statistic = Statistic {
    name: "mean_toxicity",
    gap: Some("mean_toxicity_gap"),
    unit: "continuations",
    transform: as_it_is,
};
static TOXIC_SHARE: Statistic = Statistic {
    name: "toxic_share",
    gap: Some("toxic_share_gap"),
    unit: "continuations",
    transform: as_it_is,
};
static UNSCORED: Statistic =
    Statistic { name: "unscored_rate", gap: None, unit: "continuations", transform: as_it_is };
static MEAN_SENTIMENT: Statistic = Statistic {
    name: "mean_sentiment",
    gap: Some("mean_sentiment_gap"),
    unit: "continuations",
    transform: as_it_is,
};
static SENTIMENT_UNSCORED: Statistic = Statistic {
    name: "sentiment_unscored_rate",
    gap: None,
    unit: "continuations",
    transform: as_it_is,
};
static TOKEN_PERPLEXITY: Statistic = Statistic {
    name: "token_perplexity",
    gap: Some("token_perplexity_gap"),
    unit: "tokens",
    transform: f64::exp,
};
static WORD_PERPLEXITY: Statistic = Statistic {
    name: "word_perplexity",
    gap: Some("word_perplexity_gap"),
    unit: "words",
    transform: f64::exp,
};
static BITS_PER_BYTE: Statistic = Statistic {
    name: "bits_per_byte",
    gap: Some("bits_per_byte_gap"),
    unit: "bytes",
    transform: |nats| nats / LN_2,
};

fn as_it_is(value: f64) -> f64 {
    value
}

/// How toxic a group's continuations are.
pub(super) fn toxicity(
    continuations: &Continuations,
    layout: Layout,
    attribute: &Attribute,
    threshold: f32,
) -> Result<Table> {
    let mut columns = [&MEAN_TOXICITY, &TOXIC_SHARE, &UNSCORED].map(empty);
    each_prompt(continuations, judged, attribute, |values| {
        let scored = values.iter().flatten();
        let n = scored.clone().count() as f64;
        let toxic = scored.clone().filter(|value| **value > threshold).count() as f64;
        let sum = scored.map(|&value| f64::from(value)).sum();
        let all = values.len() as f64;
        for (column, item) in columns.iter_mut().zip([(sum, n), (toxic, n), (all - n, all)]) {
            column.items.push(item);
        }
    })?;
    Ok(Table { layout, columns: columns.into(), unit: "prompts" })
}

/// How kind a group's continuations are.
pub(super) fn sentiment(
    continuations: &Continuations,
    layout: Layout,
    attribute: &Attribute,
) -> Result<Table> {
    let mut columns = [&MEAN_SENTIMENT, &SENTIMENT_UNSCORED].map(empty);
    each_prompt(continuations, sentiments, attribute, |values| {
        let sum = values.iter().flatten().map(|&value| f64::from(value)).sum();
        let (n, all) = (values.iter().flatten().count() as f64, values.len() as f64);
        for (column, item) in columns.iter_mut().zip([(sum, n), (all - n, all)]) {
            column.items.push(item);
        }
    })?;
    Ok(Table { layout, columns: columns.into(), unit: "prompts" })
}

/// How well a group's sentences are predicted.
pub(super) fn perplexity(
    evaluator: &PerplexityEvaluator,
    work: &WorkDirectory,
    sentences: Grouped,
) -> Result<Table> {
    let mut columns = [&TOKEN_PERPLEXITY, &WORD_PERPLEXITY, &BITS_PER_BYTE].map(empty);
    for unit in 0..evaluator.units().count() {
        let texts = &sentences.texts[evaluator.units().range(unit)];
        for (text, rated) in texts.iter().zip(evaluator.rated(work, unit)?) {
            let sizes = [rated.tokens, count_words(text), text.len()];
            for (column, size) in columns.iter_mut().zip(sizes) {
                column.items.push((-rated.log_prob, size as f64));
            }
        }
    }
    Ok(Table { layout: sentences.layout, columns: columns.into(), unit: "sentences" })
}

const fn empty(statistic: &'static Statistic) -> Column {
    Column { statistic, items: Vec::new() }
}

/// Calls `see` with the values of a prompt's continuations, one unit in memory at a time.
fn each_prompt(
    continuations: &Continuations,
    verdicts: fn(&Continuations, usize) -> Result<Vec<Judged>>,
    attribute: &Attribute,
    mut see: impl FnMut(&[Option<f32>]),
) -> Result<()> {
    for unit in 0..continuations.count() {
        for judged in verdicts(continuations, unit)? {
            let values: Vec<_> = judged.verdicts.iter().map(|v| v.get(attribute)).collect();
            see(&values);
        }
    }
    Ok(())
}

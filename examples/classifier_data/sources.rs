//! Who judged which texts, and how.

use std::collections::BTreeMap;
use std::path::Path;

use detoxlm::distillation::LabelledRow;
use detoxlm::{Attribute, Scores};
use serde_json::Value;

use crate::Result;
use crate::read::{self, Line, column, number};

/// The labels of Jigsaw's toxic comments, as attributes.
const JIGSAW: [(&str, Attribute); 6] = [
    ("toxic", Attribute::TOXICITY),
    ("severe_toxic", Attribute::SEVERE_TOXICITY),
    ("identity_hate", Attribute::IDENTITY_ATTACK),
    ("insult", Attribute::INSULT),
    ("obscene", Attribute::PROFANITY),
    ("threat", Attribute::THREAT),
];

/// The upper quartile of each attribute's scores of the texts that Perspective did not call toxic in 2020:
/// what is harmless is rarely 0 on its scale.
const HARMLESS: [(Attribute, f32); 3] =
    [(Attribute::TOXICITY, 0.26), (Attribute::IDENTITY_ATTACK, 0.20), (Attribute::INSULT, 0.21)];

/// What words begin with that name groups of people, and that comments mostly use to abuse them.
const IDENTITIES: [&str; 16] = [
    "gay",
    "homosexual",
    "lesbian",
    "queer",
    "bisexual",
    "heterosexual",
    "lgbt",
    "transgender",
    "black",
    "white",
    "jew",
    "muslim",
    "african",
    "asian",
    "latin",
    "female",
];
/// Words on either side of one.
const BESIDE: usize = 4;

type Reader = fn(&Path, &mut Vec<LabelledRow>) -> Result<()>;

/// All rows, source by source.
pub fn all(data: &Path) -> Result<Vec<LabelledRow>> {
    let readers: [Reader; 7] =
        [perspective, jigsaw, debiasing, civil_comments, sexism, tweets, paraphrases];
    let mut rows = Vec::new();
    for reader in readers {
        reader(data, &mut rows)?;
    }
    Ok(rows)
}

fn row(
    text: impl Into<String>,
    values: impl IntoIterator<Item = (Attribute, f32)>,
    source: impl Into<String>,
) -> Result<LabelledRow> {
    Ok(LabelledRow::new(text, Scores::new(values)?, source))
}

const fn label(is_so: bool) -> f32 {
    if is_so { 1.0 } else { 0.0 }
}

/// Texts with Perspective's scores of 2020, of 2024 and of another set: three scales.
fn perspective(data: &Path, rows: &mut Vec<LabelledRow>) -> Result<()> {
    for line in read::lines(&data.join("rtp/perspective_scored.jsonl.gz"))? {
        let version = match line.get("version") {
            Some(Value::String(version)) => version.clone(),
            Some(version) => version.to_string(),
            None => return Err("a row without its version".into()),
        };
        let scores = object(&line, "scores")?;
        rows.extend(scored(
            &read::text(&line, "text")?,
            scores,
            &format!("perspective_{version}"),
        )?);
    }
    for line in read::lines(&data.join("perspective/gpt3_toxic_texts.jsonl"))? {
        let prompt = object(&line, "prompt")?;
        let scores = object(prompt, "score")?;
        rows.extend(scored(&read::text(prompt, "text")?, scores, "perspective_gpt3")?);
    }
    Ok(())
}

fn object<'a>(line: &'a Line, key: &str) -> Result<&'a Line> {
    let object = line.get(key).and_then(Value::as_object);
    Ok(object.ok_or_else(|| format!("a row without `{key}`"))?)
}

/// The standard attributes that have a number; no row where none has.
fn scored(text: &str, scores: &Line, source: &str) -> Result<Option<LabelledRow>> {
    let values = scores.iter().filter_map(|(name, value)| {
        let name = name.to_uppercase();
        let attribute = Attribute::STANDARD.into_iter().find(|known| known.as_str() == name)?;
        Some((attribute, value.as_f64()? as f32))
    });
    let values: Vec<_> = values.collect();
    if values.is_empty() { Ok(None) } else { row(text, values, source).map(Some) }
}

/// Wikipedia comments with six labels.
fn jigsaw(data: &Path, rows: &mut Vec<LabelledRow>) -> Result<()> {
    for line in read::lines(&data.join("jigsaw/train.jsonl.gz"))? {
        let value = |(name, attribute): (&str, Attribute)| {
            let value = line.get(name).and_then(Value::as_f64);
            value.map(|value| (attribute, value as f32)).ok_or_else(|| format!("no `{name}`"))
        };
        let values = JIGSAW.map(value).into_iter().collect::<std::result::Result<Vec<_>, _>>()?;
        rows.push(row(read::text(&line, "text")?, values, "jigsaw")?);
    }
    Ok(())
}

/// Pieces of sentences of Wikipedia articles that name identities and offend nobody, made as a
/// counterweight to comments, in which the same words are mostly abuse. No test set is made of them, so
/// all splits count. Whole sentences would teach that an article's style is harmless.
fn debiasing(data: &Path, rows: &mut Vec<LabelledRow>) -> Result<()> {
    let file = data.join("toxicity/conversationai_toxicity_debiasing_data.tsv");
    for record in read::table(&file)? {
        let words: Vec<&str> = column(&record, "comment")?.split_whitespace().collect();
        for (at, word) in words.iter().enumerate() {
            let word =
                word.trim_start_matches(|letter: char| !letter.is_alphabetic()).to_lowercase();
            if IDENTITIES.iter().any(|identity| word.starts_with(identity)) {
                let piece = at.saturating_sub(BESIDE)..words.len().min(at + 1 + BESIDE);
                rows.push(row(words[piece].join(" "), HARMLESS, "debiasing")?);
            }
        }
    }
    Ok(())
}

/// Civil Comments: labels of some, and of others the share of annotators who call them toxic.
fn civil_comments(data: &Path, rows: &mut Vec<LabelledRow>) -> Result<()> {
    for record in read::table(&data.join("toxicity/civil_demo_sample_2k.csv"))? {
        let toxic = [(Attribute::TOXICITY, number(&record, "toxic")?)];
        rows.push(row(column(&record, "comment_text")?, toxic, "civil")?);
    }
    let mut votes: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    for record in read::table(&data.join("toxicity/toxic_spans_annotations.csv"))? {
        let says_toxic = label(column(&record, "not toxic")? == "False");
        votes.entry(column(&record, "comment_id")?.to_owned()).or_default().push(says_toxic);
    }
    for record in read::table(&data.join("toxicity/toxic_spans_comments.csv"))? {
        if let Some(votes) = votes.get(column(&record, "comment_id")?) {
            let share = votes.iter().sum::<f32>() / votes.len() as f32;
            let toxic = [(Attribute::TOXICITY, share)];
            rows.push(row(column(&record, "comment_text")?, toxic, "spans")?);
        }
    }
    Ok(())
}

/// Reddit and Gab: sexism, some of it threats.
fn sexism(data: &Path, rows: &mut Vec<LabelledRow>) -> Result<()> {
    for record in read::table(&data.join("toxicity/edos_labelled_aggregated.csv"))? {
        if column(&record, "split")? == "train" {
            let sexist = label(column(&record, "label_sexist")? == "sexist");
            let threat = label(column(&record, "label_category")?.starts_with("1."));
            let values = [(Attribute::IDENTITY_ATTACK, sexist), (Attribute::THREAT, threat)];
            rows.push(row(column(&record, "text")?, values, "edos")?);
        }
    }
    Ok(())
}

/// Tweets: how many of the annotators call them hateful, and how many neither that nor offensive.
fn tweets(data: &Path, rows: &mut Vec<LabelledRow>) -> Result<()> {
    for record in read::table(&data.join("toxicity/davidson_labeled_data.csv"))? {
        let votes = number(&record, "count")?;
        let hate = number(&record, "hate_speech")? / votes;
        let neither = number(&record, "neither")? / votes;
        let values = [(Attribute::TOXICITY, 1.0 - neither), (Attribute::IDENTITY_ATTACK, hate)];
        rows.push(row(column(&record, "tweet")?, values, "davidson")?);
    }
    Ok(())
}

/// Toxic sentences and neutral paraphrases of them.
fn paraphrases(data: &Path, rows: &mut Vec<LabelledRow>) -> Result<()> {
    for record in read::table(&data.join("toxicity/paradetox.tsv"))? {
        for (name, toxicity) in [("toxic", 1.0), ("neutral1", 0.0)] {
            let toxicity = [(Attribute::TOXICITY, toxicity)];
            rows.push(row(column(&record, name)?, toxicity, "paradetox")?);
        }
    }
    Ok(())
}

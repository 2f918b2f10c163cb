//! The test sets, in the formats that they are published in.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use detoxlm::Attribute;
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Result;

/// Texts with a reference value for some attributes: a score, or a label that is 0 or 1.
pub struct Referenced {
    pub title: String,
    pub texts: Vec<String>,
    pub values: Vec<BTreeMap<Attribute, f64>>,
}

/// A case of a functional test.
#[derive(Deserialize)]
pub struct Case {
    pub functionality: String,
    #[serde(rename = "test_case")]
    pub text: String,
    #[serde(rename = "label_gold")]
    pub label: String,
}

/// A sentence made from a template.
#[derive(Deserialize)]
pub struct Phrase {
    pub template: String,
    pub toxicity: String,
    pub phrase: String,
}

/// `rtp/NAME.jsonl`: one part (`prompt` or `continuation`) of each row, as Perspective scored it.
pub fn real_toxicity_prompts(directory: &Path, name: &str, part: &str) -> Result<Referenced> {
    let title = format!("RealToxicityPrompts, {part}s of `{name}`, against Perspective 2020");
    let mut set = Referenced { title, texts: Vec::new(), values: Vec::new() };
    for row in lines(File::open(directory.join(format!("rtp/{name}.jsonl")))?)? {
        let part = row.get(part).and_then(Value::as_object).ok_or("a row without its parts")?;
        let values = named(part, |name| Some(name.to_uppercase()));
        set.push(text(part, "text")?, values);
    }
    Ok(set)
}

/// `perspective/wikipedia.jsonl`: comments as Perspective of 2018 scored them, the values as strings
/// with two digits, `TOXICITY@6` for the model's version 6; the newest version counts.
pub fn wikipedia(directory: &Path) -> Result<Referenced> {
    let title = "Wikipedia comments, against Perspective 2018".to_owned();
    let mut set = Referenced { title, texts: Vec::new(), values: Vec::new() };
    for row in lines(File::open(directory.join("perspective/wikipedia.jsonl"))?)? {
        let newest = |name: &str| match name.split_once('@') {
            None => Some(name.to_owned()),
            Some(("TOXICITY", "6")) | Some(("SEVERE_TOXICITY", "2")) => {
                name.split('@').next().map(str::to_owned)
            }
            Some(_) => None,
        };
        set.push(text(&row, "comment_text")?, named(&row, newest));
    }
    Ok(set)
}

/// `jigsaw/test.jsonl.gz`: comments at their natural rate, six labels.
pub fn jigsaw(directory: &Path) -> Result<Referenced> {
    let title = "Jigsaw toxic comments, natural test, against people".to_owned();
    let mut set = Referenced { title, texts: Vec::new(), values: Vec::new() };
    let label = |name: &str| {
        let attribute = match name {
            "toxic" => "TOXICITY",
            "severe_toxic" => "SEVERE_TOXICITY",
            "identity_hate" => "IDENTITY_ATTACK",
            "insult" => "INSULT",
            "obscene" => "PROFANITY",
            "threat" => "THREAT",
            _ => return None,
        };
        Some(attribute.to_owned())
    };
    for row in lines(GzDecoder::new(File::open(directory.join("jigsaw/test.jsonl.gz"))?))? {
        set.push(text(&row, "text")?, named(&row, label));
    }
    Ok(set)
}

/// `toxicity/hatecheck_test_suite_cases.csv`.
pub fn hatecheck(directory: &Path) -> Result<Vec<Case>> {
    table(&directory.join("toxicity/hatecheck_test_suite_cases.csv"))
}

/// `toxicity/conversationai_en_sentence_templates.csv`.
pub fn identity_templates(directory: &Path) -> Result<Vec<Phrase>> {
    table(&directory.join("toxicity/conversationai_en_sentence_templates.csv"))
}

impl Referenced {
    fn push(&mut self, text: String, values: BTreeMap<Attribute, f64>) {
        self.texts.push(text);
        self.values.push(values);
    }
}

/// The standard attributes among a row's values; one that is missing or null is not there.
fn named(
    row: &Map<String, Value>,
    rename: impl Fn(&str) -> Option<String>,
) -> BTreeMap<Attribute, f64> {
    let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
    row.iter()
        .filter_map(|(name, value)| {
            let name = rename(name)?;
            let attribute = Attribute::STANDARD.into_iter().find(|known| known.as_str() == name)?;
            Some((attribute, number(value)?))
        })
        .collect()
}

fn text(row: &Map<String, Value>, key: &str) -> Result<String> {
    let text = row.get(key).and_then(Value::as_str);
    Ok(text.ok_or_else(|| format!("a row without `{key}`"))?.to_owned())
}

fn lines(file: impl Read) -> Result<Vec<Map<String, Value>>> {
    BufReader::new(file).lines().map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

fn table<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<T>> {
    Ok(csv::Reader::from_path(path)?.deserialize().collect::<std::result::Result<_, _>>()?)
}

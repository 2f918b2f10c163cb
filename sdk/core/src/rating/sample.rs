use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::evidence::{MadeOf, continuations};
use super::{COMPONENT, KeyItem, KeyModel, Question, RatedModel};
use crate::random::{CounterRng, Domain};
use crate::settings::differences;
use crate::{Digest, Error, ErrorKind, Result};

/// What is rated and how it is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SheetSettings {
    /// How many prompts are drawn. The sheet has a continuation of each by every model.
    pub prompts: usize,
    /// Decides prompts, samples and order.
    pub seed: u64,
    /// What is asked of every continuation.
    pub questions: Vec<Question>,
}

impl Default for SheetSettings {
    fn default() -> Self {
        let questions = vec![Question::toxicity(), Question::fluency()];
        Self { prompts: 50, seed: 42, questions }
    }
}

impl SheetSettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        if self.prompts == 0 {
            return Err(refuse("must be at least 1".into()).with_key("prompts"));
        }
        Question::validate(&self.questions)
    }
}

/// Items in the order of the sheet, with their texts.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) models: Vec<KeyModel>,
    pub(super) items: Vec<(KeyItem, Texts)>,
    pub(super) left_out_as_blank: u64,
}

/// What a rater reads.
#[derive(Clone, Debug)]
pub(super) struct Texts {
    pub(super) prompt: String,
    pub(super) continuation: String,
}

/// Who draws what; every draw depends on the seed and on what it is about alone.
#[derive(Clone, Copy, Debug)]
struct Draws(CounterRng);

impl Draws {
    /// Prompts are taken in the order of this.
    fn of_prompt(self, id: u64) -> u64 {
        self.0.bits(id, 0, 0)
    }

    /// Which of `count` continuations: the same for every model.
    fn of_sample(self, id: u64, count: usize) -> usize {
        // The bias is count / 2⁶⁴.
        (self.0.bits(id, 0, 1) % count as u64) as usize
    }

    /// Items stand in the order of this.
    fn of_item(self, id: u64, model: usize) -> u64 {
        self.0.bits(id, model as u32, 2)
    }
}

/// A few numbers of a prompt with a model's continuations.
#[derive(Clone, Copy, Debug)]
struct Outline {
    id: u64,
    prompt: u64,
    is_blank: bool,
}

/// Draws prompts and a continuation of each by every model. One row is in memory at a time, apart from
/// what is drawn.
pub(super) fn sample(models: &[RatedModel], settings: &SheetSettings) -> Result<Sample> {
    settings.validate()?;
    let known = check_models(models)?;
    let draws = Draws(CounterRng::new(settings.seed, Domain::Sampling));
    let outlines =
        models.iter().map(|model| outlines(model, draws)).collect::<Result<Vec<Vec<Outline>>>>()?;
    for (model, others) in models.iter().zip(&outlines).skip(1) {
        same_prompts(&models[0], &outlines[0], model, others)?;
    }
    let is_blank = |number: usize| outlines.iter().any(|outlines| outlines[number].is_blank);
    let mut order: Vec<usize> = (0..outlines[0].len()).collect();
    order.sort_by_key(|&number| draws.of_prompt(outlines[0][number].id));
    let mut left_out_as_blank = 0;
    let mut drawn = BTreeMap::new();
    for number in order {
        if drawn.len() == settings.prompts {
            break;
        }
        if is_blank(number) {
            left_out_as_blank += 1;
        } else {
            drawn.insert(outlines[0][number].id, ());
        }
    }
    if drawn.len() < settings.prompts {
        let message = format!("{} are asked for, {} can be rated", settings.prompts, drawn.len());
        return Err(refuse(message)
            .with_key("prompts")
            .with_remedy("ask for fewer, or evaluate on more prompts"));
    }
    let mut items = Vec::new();
    for (number, model) in models.iter().enumerate() {
        for row in continuations(&model.directory) {
            let row = row?;
            if !drawn.contains_key(&row.id) {
                continue;
            }
            let sample = draws.of_sample(row.id, row.continuations.len());
            let continuation = row.continuations[sample].text.clone();
            let text = Digest::of(&continuation);
            let (id, model) = (String::new(), model.name.clone());
            let item = KeyItem { id, model, prompt: row.id, sample, text };
            let texts = Texts { prompt: row.prompt, continuation };
            items.push((draws.of_item(row.id, number), (item, texts)));
        }
    }
    items.sort_by_key(|(place, _)| *place);
    let digits = items.len().to_string().len();
    let numbered = items.into_iter().zip(1..).map(|((_, (mut item, texts)), number)| {
        // Numbered in their shuffled order, ids say nothing of models.
        item.id = format!("item-{number:0digits$}");
        (item, texts)
    });
    Ok(Sample { models: known, items: numbered.collect(), left_out_as_blank })
}

/// That there are models to tell apart, evaluated in the same circumstances.
fn check_models(models: &[RatedModel]) -> Result<Vec<KeyModel>> {
    let Some(first) = models.first() else {
        return Err(refuse("there is no model".into()).with_remedy("name at least one evaluation"));
    };
    let circumstances = MadeOf::read(&first.directory)?.circumstances();
    let mut known: Vec<KeyModel> = Vec::new();
    for model in models {
        let (name, directory) = (model.name.clone(), model.directory.clone());
        if known.iter().any(|other| other.name == name) {
            return Err(refuse("two models have that name".into()).with_key(name));
        }
        let made_of = MadeOf::read(&directory)?;
        let differences = differences(&circumstances, &made_of.circumstances());
        if !differences.is_empty() {
            let message = format!(
                "not evaluated as {} was: {}",
                first.directory.display(),
                differences.join("; ")
            );
            let kind = ErrorKind::Incompatible;
            return Err(Error::new(kind, COMPONENT, "draw a sample", message)
                .with_path(directory)
                .with_remedy("evaluate all models with the same prompts and settings"));
        }
        known.push(KeyModel { name, model: made_of.info("model")?, directory });
    }
    Ok(known)
}

fn outlines(model: &RatedModel, draws: Draws) -> Result<Vec<Outline>> {
    continuations(&model.directory)
        .map(|row| {
            let row = row?;
            let mut hasher = DefaultHasher::new();
            row.prompt.hash(&mut hasher);
            let count = row.continuations.len();
            let is_blank = count == 0
                || row.continuations[draws.of_sample(row.id, count)].text.trim().is_empty();
            Ok(Outline { id: row.id, prompt: hasher.finish(), is_blank })
        })
        .collect()
}

fn same_prompts(
    first: &RatedModel,
    expected: &[Outline],
    other: &RatedModel,
    found: &[Outline],
) -> Result<()> {
    let refuse = |message: String| {
        Error::new(ErrorKind::Incompatible, COMPONENT, "draw a sample", message)
            .with_path(&other.directory)
            .with_remedy("let the evaluation finish, with the same prompts")
    };
    if expected.len() != found.len() {
        let (first, here) = (first.directory.display(), found.len());
        return Err(refuse(format!("{here} prompts, {} in {first}", expected.len())));
    }
    let same = |(a, b): &(&Outline, &Outline)| (a.id, a.prompt) == (b.id, b.prompt);
    match expected.iter().zip(found).find(|pair| !same(pair)) {
        Some((_, found)) => {
            let message =
                format!("prompt {} is another than in {}", found.id, first.directory.display());
            Err(refuse(message))
        }
        None => Ok(()),
    }
}

/// The texts of a key's items, read anew.
pub(super) fn texts_of(key: &super::RatingKey) -> Result<Vec<Texts>> {
    let mut texts: Vec<Option<Texts>> = vec![None; key.items.len()];
    for model in &key.models {
        let wanted = key.items_of(model);
        for row in continuations(&model.directory) {
            let row = row?;
            let Some((number, item)) = wanted.get(&row.id) else { continue };
            let text = row.continuations.into_iter().nth(item.sample).map(|c| c.text);
            let Some(continuation) = text.filter(|text| Digest::of(text) == item.text) else {
                return Err(changed(model, item));
            };
            texts[*number] = Some(Texts { prompt: row.prompt, continuation });
        }
        if let Some((_, item)) = wanted.values().find(|(number, _)| texts[*number].is_none()) {
            return Err(changed(model, item));
        }
    }
    Ok(texts.into_iter().flatten().collect())
}

/// That a directory does not hold what was rated.
pub(super) fn changed(model: &KeyModel, item: &KeyItem) -> Error {
    let message = format!(
        "it does not hold the continuation that was rated (prompt {}, sample {})",
        item.prompt, item.sample
    );
    Error::new(ErrorKind::Incompatible, COMPONENT, "find what was rated", message)
        .with_path(&model.directory)
        .with_key(item.id.clone())
        .with_remedy("the key is of an earlier evaluation: restore it, or leave scorers out")
}

fn refuse(message: String) -> Error {
    Error::new(ErrorKind::InvalidConfig, COMPONENT, "draw a sample", message)
}

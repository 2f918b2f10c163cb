use super::evidence::{MadeOf, verdicts};
use super::sample::{changed, texts_of};
use super::{COMPONENT, RatedModel, RatingKey};
use crate::{Attribute, Error, ErrorKind, Info, Result, Sample, ToxicityScorer, calls};

/// What a scorer says of the items that people rated.
#[derive(Clone, Debug)]
pub struct JudgeValues {
    /// The scorer.
    pub judge: Info,
    /// Its attribute.
    pub attribute: Attribute,
    /// By item; `None` where it gave no score.
    pub(super) values: Vec<Option<f64>>,
}

impl JudgeValues {
    /// What an evaluation's judge said: from the `scores/` of each model's directory. `models` are the
    /// key's own ([`RatingKey::models`]), or evaluations of the same continuations by another judge.
    ///
    /// # Errors
    /// When a model's directory is missing or was judged by another scorer than the first, or does not
    /// have the scores of what was rated.
    pub fn stored(key: &RatingKey, models: &[RatedModel], attribute: Attribute) -> Result<Self> {
        let mut values = vec![None; key.items.len()];
        let mut judge: Option<Info> = None;
        for model in &key.models {
            let place = models.iter().find(|other| other.name == model.name).ok_or_else(|| {
                let message = "there is no directory with its scores";
                Error::new(ErrorKind::NotFound, COMPONENT, "read scores", message)
                    .with_key(model.name.clone())
            })?;
            let here = MadeOf::read(&place.directory)?.info("scorer")?;
            let first = judge.get_or_insert_with(|| here.clone());
            if *first != here {
                let message = format!("judged by {here}, others by {first}");
                let kind = ErrorKind::Incompatible;
                return Err(
                    Error::new(kind, COMPONENT, "read scores", message).with_path(&place.directory)
                );
            }
            let mut wanted = key.items_of(model);
            for row in verdicts(&place.directory) {
                let row = row?;
                let Some((number, item)) = wanted.remove(&row.id) else { continue };
                let verdict = row.verdicts.get(item.sample).ok_or_else(|| changed(model, item))?;
                values[number] = verdict.get(&attribute).map(f64::from);
            }
            if let Some((_, item)) = wanted.into_values().min_by_key(|(number, _)| *number) {
                return Err(changed(model, item));
            }
        }
        let judge = judge.ok_or_else(|| {
            Error::new(ErrorKind::Empty, COMPONENT, "read scores", "the key has no models")
        })?;
        Ok(Self { judge, attribute, values })
    }

    /// What a scorer says now.
    ///
    /// # Errors
    /// When it does not give the attribute or fails, or a model's directory does not hold what was
    /// rated any more.
    pub async fn ask(
        key: &RatingKey,
        scorer: &dyn ToxicityScorer,
        attribute: Attribute,
    ) -> Result<Self> {
        calls::expect_attribute(scorer, &attribute, COMPONENT, "ask a scorer")?;
        let samples: Vec<Sample> = texts_of(key)?
            .into_iter()
            .map(|texts| Sample::new(texts.continuation).with_prompt(texts.prompt))
            .collect();
        let verdicts = calls::score(scorer, &samples).await?;
        let values = verdicts.iter().map(|v| v.get(&attribute).map(f64::from)).collect();
        Ok(Self { judge: scorer.info().clone(), attribute, values })
    }
}

use std::collections::BTreeMap;

use super::StoredScores;
use crate::evaluation::toxicity::measure::Measured;
use crate::evaluation::work::json;
use crate::evaluation::{
    COMPONENT, Changes, Evaluation, Provenance, ToxicityOutcomes, ToxicitySettings,
};
use crate::info::DigestBuilder;
use crate::{Attribute, Error, ErrorKind, Info, Result};

/// Toxicity out of stored scores, without any model.
///
/// Of the settings, attribute, threshold, preset and bootstrap count: how the continuations were drawn
/// is not in the file. Beside the attribute, those of [`Attribute::STANDARD`] that the file has are
/// measured.
#[derive(Debug)]
pub struct StoredToxicity {
    measured: Measured,
    settings: ToxicitySettings,
    continuations: usize,
    data: Info,
    /// Of prompts, texts and verdicts.
    content: Info,
    evaluator: Info,
}

impl StoredToxicity {
    /// Reads all of a file, one prompt at a time; a few numbers of each are kept.
    ///
    /// # Errors
    /// When a setting is impossible, the file is malformed, or none of its continuations has a value of
    /// the attribute.
    pub fn read(scores: StoredScores, settings: &ToxicitySettings) -> Result<Self> {
        settings.validate()?;
        let path = scores.path().to_path_buf();
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let given = scores.prompts().map(|prompts| prompts.info().clone());
        let mut measured = Measured::new(settings, &Attribute::STANDARD);
        let (mut own, mut content) = (DigestBuilder::new(), DigestBuilder::new());
        let mut continuations = 0;
        for stored in scores {
            let stored = stored?;
            let texts: Option<Vec<&str>> =
                stored.texts.as_ref().map(|texts| texts.iter().map(String::as_str).collect());
            measured.push(&stored.prompt, &stored.verdicts, texts.as_deref());
            continuations = stored.verdicts.len();
            let toxicity = stored.prompt.toxicity.map(f32::to_le_bytes);
            own.update(&stored.prompt.text).update(toxicity.as_ref().map_or(&[][..], |t| t));
            content.update(json(&stored.verdicts)?.to_string());
            for text in texts.into_iter().flatten() {
                content.update(text);
            }
        }
        measured.forget_unseen();
        if !measured.outcomes().has_values() {
            let there: Vec<_> = measured.other_attributes().map(Attribute::as_str).collect();
            let message = format!("no continuation has a value of {}", settings.attribute);
            let remedy = match there.is_empty() {
                true => "it has no score at all: score it first".to_owned(),
                false => format!("it has {}", there.join(", ")),
            };
            return Err(Error::new(ErrorKind::Empty, COMPONENT, "measure stored scores", message)
                .with_path(path)
                .with_key("attribute")
                .with_remedy(remedy));
        }
        let prompts = format!("{} prompts", measured.outcomes().len());
        let data = given.unwrap_or_else(|| Info::new(&name, prompts, own.finish()));
        let mut digest = DigestBuilder::new();
        digest.update("stored").update(data.digest.as_str());
        digest.update(continuations.to_string());
        for part in
            [json(&settings.attribute)?, json(&settings.threshold)?, json(&settings.preset)?]
        {
            digest.update(part.to_string());
        }
        Ok(Self {
            measured,
            settings: settings.clone(),
            continuations,
            data,
            content: Info::new(name, "stored scores", content.finish()),
            evaluator: Info::new("toxicity", env!("CARGO_PKG_VERSION"), digest.finish()),
        })
    }

    /// The outcomes by the settings' attribute.
    #[must_use]
    pub const fn outcomes(&self) -> &ToxicityOutcomes {
        self.measured.outcomes()
    }

    /// The numbers, under a name for tables. `scorer` is who gave the scores, where that is known.
    ///
    /// # Errors
    /// When a setting has no JSON form.
    pub fn evaluation(
        &self,
        subject: impl Into<String>,
        scorer: Option<Info>,
    ) -> Result<Evaluation> {
        let settings = &self.settings;
        Ok(Evaluation {
            subject: subject.into(),
            measurements: self.measured.measurements(&settings.bootstrap),
            provenance: Provenance {
                evaluator: self.evaluator.clone(),
                model: self.content.clone(),
                scorer,
                data: self.data.clone(),
                settings: BTreeMap::from([
                    ("attribute".to_owned(), json(&settings.attribute)?),
                    ("continuations".to_owned(), json(&self.continuations)?),
                    ("threshold".to_owned(), json(&settings.threshold)?),
                    ("preset".to_owned(), json(&settings.preset)?),
                    ("bootstrap".to_owned(), json(&settings.bootstrap)?),
                ]),
            },
        })
    }

    /// What changed from these scores to `other`, on the same prompts.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] when prompts, their order, numbers of continuations or settings
    /// differ.
    pub fn changes(&self, other: &Self) -> Result<Changes> {
        if self.evaluator != other.evaluator {
            let [one, two] = [self, other].map(|scores| scores.content.name.as_str());
            let message = format!("`{one}` and `{two}` differ in more than the model");
            return Err(Error::new(
                ErrorKind::Incompatible,
                COMPONENT,
                "compare stored scores",
                message,
            )
            .with_remedy("give two files of the same prompts, in one order, with as many continuations, and read both with the same settings"));
        }
        Ok(Changes {
            evaluator: self.evaluator.clone(),
            measurements: self.measured.changes(&other.measured, &self.settings.bootstrap),
        })
    }
}

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::ToxicitySettings;
use crate::calls;
use crate::evaluation::work::{Units, WorkDirectory, WorkKey, json};
use crate::evaluation::{EvaluationPrompt, PromptSet};
use crate::{
    Digest, Error, Event, Generation, GenerationRequest, Generator, Info, Observer, Result, Stage,
};

pub(crate) const GENERATIONS: &str = "generations";

/// A prompt with its continuations, a row of `generations/part-NNNNN.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Continued {
    /// The prompt's number, from 0.
    pub(crate) id: u64,
    pub(crate) prompt: String,
    pub(crate) continuations: Vec<Generation>,
}

/// What is found out about continuations, one row for each prompt.
#[async_trait]
pub(in crate::evaluation) trait Appraiser: Sync {
    /// The folder of its parts.
    const KIND: &'static str;
    type Row: Serialize + Send + Sync;

    async fn appraise(&self, rows: &[Continued]) -> Result<Vec<Self::Row>>;
}

/// The continuations of an evaluation's prompts, cut into units that are kept on disk.
#[derive(Clone, Debug)]
pub(in crate::evaluation) struct Continuations {
    pub(in crate::evaluation) prompts: PromptSet,
    pub(in crate::evaluation) settings: ToxicitySettings,
    pub(in crate::evaluation) work: WorkDirectory,
    /// Where they are kept for all who appraise them.
    pub(in crate::evaluation) shared: Option<WorkDirectory>,
}

impl Continuations {
    /// What continuations depend on.
    pub(in crate::evaluation) fn key(
        prompts: &PromptSet,
        settings: &ToxicitySettings,
        model: &Info,
    ) -> Result<WorkKey> {
        let mut key = WorkKey::from_iter([
            ("evaluator".to_owned(), json(&"toxicity")?),
            ("model".to_owned(), json(model)?),
            ("data".to_owned(), json(prompts.info())?),
            ("continuations".to_owned(), json(&settings.continuations)?),
            ("sampling".to_owned(), json(&settings.sampling)?),
            ("seed".to_owned(), json(&settings.seed)?),
            ("prompts_per_unit".to_owned(), json(&settings.prompts_per_unit)?),
        ]);
        if let Some(stop) = &settings.stop {
            key.insert("stop".to_owned(), json(stop)?);
        }
        Ok(key)
    }

    /// The directory of the continuations of this key among those that are shared.
    pub(in crate::evaluation) fn shared(
        directory: Option<&Path>,
        key: WorkKey,
    ) -> Result<Option<WorkDirectory>> {
        let Some(directory) = directory else { return Ok(None) };
        let digest = Digest::of(serde_json::Value::Object(key.clone()).to_string());
        let name = format!("continuations-{}", digest.short());
        WorkDirectory::open(&directory.join(name), key).map(Some)
    }

    pub(in crate::evaluation) fn count(&self) -> usize {
        self.cut().count()
    }

    fn cut(&self) -> Units {
        let size = self.settings.prompts_per_unit;
        Units { items: self.prompts.prompts().len(), size }
    }

    /// The numbers of a unit's prompts.
    fn range(&self, unit: usize) -> Range<usize> {
        self.cut().range(unit)
    }

    pub(in crate::evaluation) fn prompts(&self, unit: usize) -> &[EvaluationPrompt] {
        &self.prompts.prompts()[self.range(unit)]
    }

    fn size(&self, unit: usize) -> u64 {
        (self.range(unit).len() * self.settings.continuations) as u64
    }

    /// Makes every unit that is not on disk yet. While one is appraised, the next is generated: the
    /// time is that of the slower of the two, not of both.
    pub(in crate::evaluation) async fn make_all<A: Appraiser>(
        &self,
        generator: &dyn Generator,
        appraiser: &A,
        observer: &Arc<dyn Observer>,
    ) -> Result<()> {
        let stage = Stage::Evaluate;
        let (missing, prompts) = self.work.missing(&[GENERATIONS, A::KIND], self.cut());
        let done = prompts * self.settings.continuations as u64;
        let left = missing.iter().map(|&unit| self.size(unit)).sum::<u64>();
        let (total, unit) = (Some(done + left), "continuations");
        observer.observe(&Event::StageStarted { stage, total, done, unit });
        let mut generated: Option<(usize, Vec<Continued>)> = None;
        for next in missing.into_iter().map(Some).chain([None]) {
            let generate = async {
                match next {
                    Some(unit) => Ok(Some((unit, self.generate(unit, generator).await?))),
                    None => Ok(None),
                }
            };
            let appraise = async {
                if let Some((unit, rows)) = generated.take() {
                    self.work.write(A::KIND, unit, &appraiser.appraise(&rows).await?)?;
                    observer.observe(&Event::StageAdvanced { stage, count: self.size(unit) });
                }
                Ok::<_, Error>(())
            };
            let (rows, ()) = tokio::try_join!(generate, appraise)?;
            generated = rows;
        }
        observer.observe(&Event::StageFinished { stage });
        Ok(())
    }

    async fn generate(&self, unit: usize, generator: &dyn Generator) -> Result<Vec<Continued>> {
        if let Some(shared) = self.shared.as_ref().filter(|shared| shared.has(GENERATIONS, unit)) {
            self.work.adopt(shared, GENERATIONS, unit)?;
        }
        if self.work.has(GENERATIONS, unit) {
            return self.generated(unit);
        }
        let settings = &self.settings;
        let requests: Vec<GenerationRequest> = (self.range(unit).start as u64..)
            .zip(self.prompts(unit))
            .map(|(id, prompt)| GenerationRequest {
                id,
                prompt: prompt.text.clone(),
                samples: settings.continuations,
                sampling: settings.sampling.clone(),
                seed: settings.seed,
            })
            .collect();
        let answers = calls::generate(generator, &requests).await?;
        let rows: Vec<Continued> = requests
            .into_iter()
            .zip(answers)
            .map(|(request, mut continuations)| {
                if let Some(stop) = &settings.stop {
                    continuations.iter_mut().for_each(|c| end_before(&mut c.text, stop));
                }
                Continued { id: request.id, prompt: request.prompt, continuations }
            })
            .collect();
        self.work.write(GENERATIONS, unit, &rows)?;
        if let Some(shared) = &self.shared {
            shared.adopt(&self.work, GENERATIONS, unit)?;
        }
        Ok(rows)
    }

    /// A unit's continuations, from disk.
    pub(in crate::evaluation) fn generated(&self, unit: usize) -> Result<Vec<Continued>> {
        self.rows(GENERATIONS, unit, |row: &Continued| (row.id, row.continuations.len()))
    }

    /// A unit's rows of one kind, from disk; `is` tells a row's number and how many continuations it
    /// is about.
    pub(in crate::evaluation) fn rows<T: serde::de::DeserializeOwned>(
        &self,
        kind: &str,
        unit: usize,
        is: impl Fn(&T) -> (u64, usize),
    ) -> Result<Vec<T>> {
        let (range, k) = (self.range(unit), self.settings.continuations);
        self.work.read(kind, unit, range.len(), |number, row| {
            is(row) == ((range.start + number) as u64, k)
        })
    }
}

fn end_before(text: &mut String, stop: &str) {
    if let Some(end) = text.find(stop) {
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_before_the_first_stop() {
        let cut = |text: &str| {
            let mut text = text.to_owned();
            end_before(&mut text, "\n\n");
            text
        };
        assert_eq!(cut(" one\ntwo\n\nthree\n\nfour"), " one\ntwo");
        assert_eq!(cut("\n\nthree"), "");
        assert_eq!(cut("one\n"), "one\n");
    }
}

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ToxicitySettings;
use crate::calls;
use crate::evaluation::work::{self, WorkDirectory};
use crate::evaluation::{EvaluationPrompt, PromptSet};
use crate::{
    Error, Event, Generation, GenerationRequest, Generator, Observer, Result, Sample, Stage,
    ToxicityScorer, Verdict,
};

const GENERATIONS: &str = "generations";
const SCORES: &str = "scores";

/// A prompt with its continuations, a row of `generations/part-NNNNN.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Continued {
    /// The prompt's number, from 0.
    id: u64,
    prompt: String,
    pub(super) continuations: Vec<Generation>,
}

/// The verdicts on a prompt's continuations, a row of `scores/part-NNNNN.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Judged {
    id: u64,
    pub(super) verdicts: Vec<Verdict>,
}

/// The prompts of an evaluation, cut into units that are kept on disk.
#[derive(Clone, Debug)]
pub(super) struct Units {
    pub(super) prompts: PromptSet,
    pub(super) settings: ToxicitySettings,
    pub(super) work: WorkDirectory,
    /// Where continuations for other judges are.
    pub(super) shared: Option<WorkDirectory>,
}

impl Units {
    pub(super) fn count(&self) -> usize {
        self.cut().count()
    }

    fn cut(&self) -> work::Units {
        let size = self.settings.prompts_per_unit;
        work::Units { items: self.prompts.prompts().len(), size }
    }

    /// The numbers of a unit's prompts.
    fn range(&self, unit: usize) -> Range<usize> {
        self.cut().range(unit)
    }

    pub(super) fn prompts(&self, unit: usize) -> &[EvaluationPrompt] {
        &self.prompts.prompts()[self.range(unit)]
    }

    fn size(&self, unit: usize) -> u64 {
        (self.range(unit).len() * self.settings.continuations) as u64
    }

    /// Makes every unit that is not on disk yet. While one is scored, the next is generated: the time
    /// is that of the slower of the two, not of both.
    pub(super) async fn make_all(
        &self,
        generator: &dyn Generator,
        scorer: &dyn ToxicityScorer,
        observer: &Arc<dyn Observer>,
    ) -> Result<()> {
        let stage = Stage::Evaluate;
        let (missing, prompts) = self.work.missing(&[GENERATIONS, SCORES], self.cut());
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
            let score = async {
                if let Some((unit, rows)) = generated.take() {
                    self.score(unit, &rows, scorer).await?;
                    observer.observe(&Event::StageAdvanced { stage, count: self.size(unit) });
                }
                Ok::<_, Error>(())
            };
            let (rows, ()) = tokio::try_join!(generate, score)?;
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
            .map(|(request, continuations)| Continued {
                id: request.id,
                prompt: request.prompt,
                continuations,
            })
            .collect();
        self.work.write(GENERATIONS, unit, &rows)?;
        if let Some(shared) = &self.shared {
            shared.adopt(&self.work, GENERATIONS, unit)?;
        }
        Ok(rows)
    }

    async fn score(
        &self,
        unit: usize,
        rows: &[Continued],
        scorer: &dyn ToxicityScorer,
    ) -> Result<()> {
        let samples: Vec<Sample> = rows
            .iter()
            .flat_map(|row| row.continuations.iter().map(move |c| (row, c)))
            .map(|(row, c)| Sample::new(c.text.clone()).with_prompt(row.prompt.clone()))
            .collect();
        let verdicts = calls::score(scorer, &samples).await?;
        let judged: Vec<Judged> = rows
            .iter()
            .zip(verdicts.chunks(self.settings.continuations))
            .map(|(row, verdicts)| Judged { id: row.id, verdicts: verdicts.to_vec() })
            .collect();
        self.work.write(SCORES, unit, &judged)
    }

    /// A unit's continuations, from disk.
    pub(super) fn generated(&self, unit: usize) -> Result<Vec<Continued>> {
        let (range, k) = (self.range(unit), self.settings.continuations);
        self.work.read(GENERATIONS, unit, range.len(), |number, row: &Continued| {
            row.id == (range.start + number) as u64 && row.continuations.len() == k
        })
    }

    /// A unit's verdicts, from disk.
    pub(super) fn judged(&self, unit: usize) -> Result<Vec<Judged>> {
        let (range, k) = (self.range(unit), self.settings.continuations);
        self.work.read(SCORES, unit, range.len(), |number, row: &Judged| {
            row.id == (range.start + number) as u64 && row.verdicts.len() == k
        })
    }
}

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

/// Where continuations are.
const GENERATIONS: &str = "generations";
/// Where the verdicts of a toxicity judge are.
pub(in crate::evaluation) const SCORES: &str = "scores";

/// A prompt with its continuations, a row of `generations/part-NNNNN.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::evaluation) struct Continued {
    /// The prompt's number, from 0.
    id: u64,
    prompt: String,
    pub(super) continuations: Vec<Generation>,
}

/// The verdicts on a prompt's continuations, a row of `scores/part-NNNNN.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::evaluation) struct Judged {
    id: u64,
    pub(in crate::evaluation) verdicts: Vec<Verdict>,
}

/// Who rates continuations, and the kind of parts that its verdicts are kept in.
pub(in crate::evaluation) type Judge<'a> = (&'static str, &'a dyn ToxicityScorer);

/// The prompts of an evaluation, cut into units that are kept on disk.
#[derive(Clone, Debug)]
pub(in crate::evaluation) struct Units {
    pub(in crate::evaluation) prompts: PromptSet,
    pub(in crate::evaluation) settings: ToxicitySettings,
    pub(in crate::evaluation) work: WorkDirectory,
    /// Where continuations for other judges are.
    pub(in crate::evaluation) shared: Option<WorkDirectory>,
}

impl Units {
    pub(in crate::evaluation) fn count(&self) -> usize {
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

    pub(in crate::evaluation) fn prompts(&self, unit: usize) -> &[EvaluationPrompt] {
        &self.prompts.prompts()[self.range(unit)]
    }

    fn size(&self, unit: usize) -> u64 {
        (self.range(unit).len() * self.settings.continuations) as u64
    }

    /// Makes every unit that is not on disk yet. While one is scored, the next is generated: the time
    /// is that of the slower of the two, not of both.
    pub(in crate::evaluation) async fn make_all(
        &self,
        generator: &dyn Generator,
        judges: &[Judge<'_>],
        observer: &Arc<dyn Observer>,
    ) -> Result<()> {
        let stage = Stage::Evaluate;
        let mut kinds = vec![GENERATIONS];
        kinds.extend(judges.iter().map(|(kind, _)| *kind));
        let (missing, prompts) = self.work.missing(&kinds, self.cut());
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
                    for &(kind, scorer) in judges {
                        self.score(kind, unit, &rows, scorer).await?;
                    }
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
        kind: &str,
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
        self.work.write(kind, unit, &judged)
    }

    /// A unit's continuations, from disk.
    pub(in crate::evaluation) fn generated(&self, unit: usize) -> Result<Vec<Continued>> {
        let (range, k) = (self.range(unit), self.settings.continuations);
        self.work.read(GENERATIONS, unit, range.len(), |number, row: &Continued| {
            row.id == (range.start + number) as u64 && row.continuations.len() == k
        })
    }

    /// A unit's verdicts of the judge whose parts are of this kind, from disk.
    pub(in crate::evaluation) fn judged(&self, kind: &str, unit: usize) -> Result<Vec<Judged>> {
        let (range, k) = (self.range(unit), self.settings.continuations);
        self.work.read(kind, unit, range.len(), |number, row: &Judged| {
            row.id == (range.start + number) as u64 && row.verdicts.len() == k
        })
    }
}

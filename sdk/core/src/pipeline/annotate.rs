//! Self-generation and annotation, overlapped: while the model writes one unit, the scorer rates the
//! one before, so that the wall time is near the slower of the two and not their sum.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::calls::{self, expect_answers};
use crate::corpus::{DecisionRow, Document, ScoredDocument};
use crate::pipeline::{GenerationConfig, Stage};
use crate::prompts::Prompts;
use crate::run::{CorpusDirectory, Parts};
use crate::worker::blocking;
use crate::{
    Event, Filter, GenerationRequest, Generator, Observer, Result, Sample, ToxicityScorer,
};

/// Units that may wait between the model and the scorer; more would only hide which one is slower.
const UNITS_AHEAD: usize = 2;

/// A corpus to be written and annotated.
pub(super) struct Annotation<'a> {
    pub(super) corpus: CorpusDirectory,
    pub(super) documents: u64,
    pub(super) config: &'a GenerationConfig,
    pub(super) seed: u64,
    pub(super) generator: &'a dyn Generator,
    pub(super) scorer: &'a dyn ToxicityScorer,
    pub(super) filters: &'a [Arc<dyn Filter>],
    pub(super) observer: &'a dyn Observer,
    /// What progress on the documents is called.
    pub(super) stage: Stage,
}

impl Annotation<'_> {
    pub(super) fn units(&self) -> u64 {
        self.documents.div_ceil(self.config.unit)
    }

    /// Writes and annotates what is not there yet.
    pub(super) async fn run(&self, prompts: &Prompts) -> Result<()> {
        let documents = self.corpus.documents();
        self.announce(self.stage, |unit| documents.contains(unit));
        self.announce(Stage::Score, |unit| self.is_annotated(unit));
        let (written, mut to_annotate) = mpsc::channel(UNITS_AHEAD);
        let generate = async {
            // Moved in, so that the channel closes when the last unit is written.
            let written = written;
            for unit in 0..self.units() {
                if !documents.contains(unit) {
                    self.generate(unit, &documents, prompts).await?;
                }
                if written.send(unit).await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        let annotate = async {
            while let Some(unit) = to_annotate.recv().await {
                if !self.is_annotated(unit) {
                    self.annotate(unit, &documents).await?;
                }
            }
            Ok(())
        };
        tokio::try_join!(generate, annotate)?;
        self.observer.observe(&Event::StageFinished { stage: self.stage });
        self.observer.observe(&Event::StageFinished { stage: Stage::Score });
        Ok(())
    }

    fn announce(&self, stage: Stage, is_done: impl Fn(u64) -> bool) {
        let done = (0..self.units()).filter(|&unit| is_done(unit)).map(|u| self.size_of(u)).sum();
        self.observer.observe(&Event::StageStarted {
            stage,
            total: Some(self.documents),
            done,
            unit: "documents",
        });
    }

    fn size_of(&self, unit: u64) -> u64 {
        self.config.unit.min(self.documents - unit * self.config.unit)
    }

    async fn generate(&self, unit: u64, parts: &Parts, prompts: &Prompts) -> Result<()> {
        let first = unit * self.config.unit;
        let requests = (first..first + self.size_of(unit))
            .map(|id| GenerationRequest {
                id,
                prompt: prompts.prompt_for(id).to_owned(),
                samples: 1,
                sampling: self.config.sampling.clone(),
                seed: self.seed,
            })
            .collect::<Vec<_>>();
        let answers = calls::generate(self.generator, &requests).await?;
        let mut documents = Vec::with_capacity(requests.len());
        for (request, mut generations) in requests.into_iter().zip(answers) {
            documents.extend(generations.pop().map(|generation| Document {
                id: request.id,
                prompt: request.prompt,
                text: generation.text,
                seed: request.seed,
                tokens: generation.tokens,
                finish: generation.finish,
            }));
        }
        let count = documents.len() as u64;
        let parts = parts.clone();
        blocking(move || parts.write(unit, &documents)).await?;
        self.observer.observe(&Event::StageAdvanced { stage: self.stage, count });
        Ok(())
    }

    fn is_annotated(&self, unit: u64) -> bool {
        self.corpus.verdicts(self.scorer.info()).contains(unit)
            && self.filters.iter().all(|f| self.corpus.decisions(f.info()).contains(unit))
    }

    async fn annotate(&self, unit: u64, parts: &Parts) -> Result<()> {
        let parts = parts.clone();
        let documents: Vec<Document> = blocking(move || parts.read(unit)).await?;
        let samples: Vec<Sample> = documents
            .iter()
            .map(|d| Sample::new(d.text.as_str()).with_prompt(d.prompt.as_str()))
            .collect();
        let verdicts = self.corpus.verdicts(self.scorer.info());
        if !verdicts.contains(unit) {
            let rows: Vec<ScoredDocument> = documents
                .iter()
                .zip(calls::score(self.scorer, &samples).await?)
                .map(|(document, verdict)| ScoredDocument { id: document.id, verdict })
                .collect();
            blocking(move || verdicts.write(unit, &rows)).await?;
        }
        for filter in self.filters {
            let decisions = self.corpus.decisions(filter.info());
            if decisions.contains(unit) {
                continue;
            }
            let answers = filter.decide(&samples).await?;
            expect_answers(filter.info(), samples.len(), answers.len())?;
            let rows: Vec<DecisionRow> = documents
                .iter()
                .zip(answers)
                .map(|(document, decision)| DecisionRow { id: document.id, decision })
                .collect();
            blocking(move || decisions.write(unit, &rows)).await?;
        }
        let count = documents.len() as u64;
        self.observer.observe(&Event::StageAdvanced { stage: Stage::Score, count });
        Ok(())
    }
}

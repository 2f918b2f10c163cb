//! The model writes a corpus, the scorer rates it, the least toxic part is kept.

use std::sync::Arc;

use crate::corpus::{Document, JsonlWriter, PromptRow};
use crate::files::{read_json, write_json};
use crate::pipeline::annotate::Annotation;
use crate::pipeline::{GenerationConfig, Stage};
use crate::prompts::{PromptStrategy, Prompts, augmented_prompts};
use crate::run::{CorpusDirectory, RunDirectory};
use crate::selection::{Candidates, Selection, SelectionSummary, select};
use crate::worker::blocking;
use crate::{Event, Filter, Generator, Observer, Result, ToxicityScorer};

pub(crate) const KEPT: &str = "kept.jsonl";
const DROPPED: &str = "dropped.jsonl";
const SUMMARY: &str = "summary.json";

/// The first half of the recipe, on a run directory that keeps what is done of it.
pub(crate) struct SelfGeneration<'a> {
    pub(crate) seed: u64,
    pub(crate) prompts: &'a PromptStrategy,
    pub(crate) generation: &'a GenerationConfig,
    pub(crate) selection: &'a Selection,
    pub(crate) scorer: &'a Arc<dyn ToxicityScorer>,
    pub(crate) filters: &'a [Arc<dyn Filter>],
    pub(crate) observer: &'a Arc<dyn Observer>,
}

impl SelfGeneration<'_> {
    /// Whether nothing of it is left to do.
    pub(crate) fn is_done(run: &RunDirectory) -> bool {
        run.selection().join(SUMMARY).is_file()
    }

    /// Self-generation and annotation of the corpus, and before it of the pool for augmented prompts.
    pub(crate) async fn write(&self, run: &RunDirectory, model: &dyn Generator) -> Result<()> {
        let prompts = match self.prompts {
            PromptStrategy::Augmented { documents, keep_fraction } => {
                self.augment(run, model, *documents, *keep_fraction).await?
            }
            other => other.fixed_prompts()?.unwrap_or_else(Prompts::unconditional),
        };
        let documents = self.generation.documents;
        self.annotation(run.corpus(), documents, model, Stage::Generate).run(&prompts).await
    }

    fn annotation<'a>(
        &'a self,
        corpus: CorpusDirectory,
        documents: u64,
        model: &'a dyn Generator,
        stage: Stage,
    ) -> Annotation<'a> {
        Annotation {
            corpus,
            documents,
            config: self.generation,
            seed: self.seed,
            generator: model,
            scorer: &**self.scorer,
            filters: self.filters,
            observer: &**self.observer,
            stage,
        }
    }

    /// The augmented prompts: the model writes a pool of documents unconditionally, and the first
    /// halves of the least toxic ones become prompts.
    async fn augment(
        &self,
        run: &RunDirectory,
        model: &dyn Generator,
        documents: u64,
        keep_fraction: f64,
    ) -> Result<Prompts> {
        let path = run.prompts();
        if !path.is_file() {
            let pool = run.prompt_pool();
            let unconditional = Prompts::unconditional();
            self.annotation(pool.clone(), documents, model, Stage::Prompts)
                .run(&unconditional)
                .await?;
            let selection = self.selection.clone().with_keep_fraction(keep_fraction);
            let candidates = self.candidates(&pool, documents);
            let path = path.clone();
            blocking(move || {
                let prompts = augmented_prompts(candidates, &selection)?;
                let mut writer = JsonlWriter::create(&path)?;
                for prompt in prompts.as_slice() {
                    writer.write(&PromptRow::new(prompt))?;
                }
                writer.commit()
            })
            .await?;
        }
        blocking(move || Prompts::read(&path)).await
    }

    /// Begins passes over an annotated corpus.
    fn candidates(
        &self,
        corpus: &CorpusDirectory,
        documents: u64,
    ) -> impl FnMut() -> Result<Candidates<'static>> + Send + 'static {
        let units = documents.div_ceil(self.generation.unit);
        let parts = corpus.documents();
        let verdicts = corpus.verdicts(self.scorer.info());
        let decisions: Vec<_> = self
            .filters
            .iter()
            .map(|filter| (filter.info().name.clone(), corpus.decisions(filter.info())))
            .collect();
        move || {
            let rows = Candidates::new(parts.rows::<Document>(units), verdicts.rows(units));
            Ok(decisions.iter().fold(rows, |rows, (name, decisions)| {
                rows.with_filter(name.clone(), decisions.rows(units))
            }))
        }
    }

    /// Selects from the annotated corpus, unless that is done. The summary is written last.
    pub(crate) async fn select(&self, run: &RunDirectory) -> Result<SelectionSummary> {
        let documents = self.generation.documents;
        self.observer.observe(&Event::StageStarted {
            stage: Stage::Select,
            total: Some(documents),
            done: 0,
            unit: "documents",
        });
        let candidates = self.candidates(&run.corpus(), documents);
        let (selection, target) = (self.selection.clone(), run.selection());
        let summary = blocking(move || {
            let summary_path = target.join(SUMMARY);
            if summary_path.is_file() {
                return read_json(summary_path);
            }
            let mut kept = JsonlWriter::create(target.join(KEPT))?;
            let mut dropped = JsonlWriter::create(target.join(DROPPED))?;
            let summary = select(candidates, &selection, &mut kept, &mut dropped)?;
            kept.commit()?;
            dropped.commit()?;
            write_json(summary_path, &summary)?;
            Ok(summary)
        })
        .await?;
        self.observer.observe(&Event::StageAdvanced { stage: Stage::Select, count: documents });
        self.observer.observe(&Event::StageFinished { stage: Stage::Select });
        Ok(summary)
    }
}
